"""segmentd_freshness_seconds grows when anything hangs, and /readyz follows."""

import ctypes
import os
import pathlib
import signal

import pytest
from support.company import Company
from support.process import wait_until

BOUND_S = 8
PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH = 0x4206, 0x4207, 17
WALL = 0x40000000


@pytest.fixture
def company(kafka, redis, tmp_path, unique):
    made = Company(kafka, redis, tmp_path / "schemas", unique, partitions=2)
    made.config["http"] = {"fresh_within": f"{BOUND_S}s"}
    made.config["redis"]["command_timeout"] = "1s"
    return made.create()


def ages(daemon):
    """Freshness by partition."""
    return {series: value for series, value in daemon.metrics().items()
            if series.startswith("segmentd_freshness_seconds")}


def is_fresh(daemon):
    found = ages(daemon)
    return len(found) == 2 and all(value < BOUND_S / 2
                                   for value in found.values())


def wait_fresh(daemon):
    wait_until(lambda: is_fresh(daemon) and daemon.get("/readyz")[0] == 200,
               "everything is fresh, and it is ready")


def wait_stale(daemon, many=2):
    """It grows beyond the bound, and readiness ends."""
    wait_until(lambda: sum(value > BOUND_S for value in ages(daemon).values())
               >= many, "it grows")
    wait_until(lambda: daemon.get("/readyz")[0] == 503
               and "is not published" in daemon.get("/readyz")[1]
               and daemon.metric("segmentd_ready") == 0, "readiness ends")


def start(company, segmentd):
    daemon = segmentd(company.config)
    daemon.start()
    company.send_accounts(*[company.account_record(f"a{i}", 25000.0)
                            for i in range(20)])
    wait_until(lambda: daemon.metric("segmentd_changes_total") == 20,
               "all are in")
    wait_fresh(daemon)
    return daemon


def test_a_redis_that_hangs(company, redis, segmentd):
    daemon = start(company, segmentd)
    redis.process.send(signal.SIGSTOP)
    wait_stale(daemon)
    redis.process.send(signal.SIGCONT)
    wait_fresh(daemon)
    daemon.stop()


class Thread:
    """One thread of a process, held by ptrace: the others go on."""

    def __init__(self, pid, name):
        self.tid = next(
            int(task.name)
            for task in pathlib.Path(f"/proc/{pid}/task").iterdir()
            if self._name_of(task) == name)
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.libc.ptrace.argtypes = [ctypes.c_long] * 4

    @staticmethod
    def _name_of(task):
        try:
            return (task / "comm").read_text().strip()
        except OSError:  # it has just ended
            return None

    def _ask(self, request):
        if self.libc.ptrace(request, self.tid, 0, 0) != 0:
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error))

    def hold(self):
        try:
            self._ask(PTRACE_SEIZE)
        except OSError as error:
            pytest.skip(f"ptrace is not allowed ({error}): a worker that "
                        "hangs IS NOT TESTED")
        self._ask(PTRACE_INTERRUPT)
        os.waitpid(self.tid, WALL)

    def let_go(self):
        self._ask(PTRACE_DETACH)


def test_a_worker_that_hangs(company, segmentd):
    company.config["workers"] = 2
    daemon = start(company, segmentd)
    wait_until(lambda: [v for series, v in daemon.metrics().items() if
                        series.startswith("segmentd_partition_groups")]
               == [1, 1], "each worker has a group")
    wait_fresh(daemon)
    worker = Thread(daemon.process.pid, "worker-1")
    worker.hold()
    wait_stale(daemon, many=1)
    worker.let_go()
    wait_fresh(daemon)
    daemon.stop()


@pytest.fixture
def own_company(own_kafka, redis, tmp_path, unique):
    made = Company(own_kafka, redis, tmp_path / "schemas", unique,
                   partitions=2)
    made.config["http"] = {"fresh_within": f"{BOUND_S}s"}
    made.config["kafka"]["session.timeout.ms"] = "45000"
    return made.create()


def test_a_broker_that_hangs(own_company, own_kafka, segmentd):
    """It keeps its connections, and answers nothing."""
    daemon = start(own_company, segmentd)
    own_kafka.process.send(signal.SIGSTOP)
    try:
        wait_stale(daemon)
    finally:
        own_kafka.process.send(signal.SIGCONT)
    wait_fresh(daemon)
    daemon.stop()


def test_positions_are_told_by_partition(company, segmentd):
    daemon = start(company, segmentd)
    company.send_usage(*[company.usage_record(f"a{i}") for i in range(20)])
    ends = company.kafka.end_offsets(f"{company.name}.usage")
    assert sum(ends.values()) == 20

    def told(name):
        found = daemon.metrics()
        return {p: found.get(f'{name}{{input="usage",partition="{p}"}}')
                for p in ends}

    for name in ("segmentd_fold_offset", "segmentd_committed_offset",
                 "segmentd_low_watermark_offset"):
        wait_until(lambda: told(name) == ends, f"{name} comes to the end")
    wait_until(lambda: daemon.metric("segmentd_decisions_waiting") == 0
               and daemon.metric("segmentd_partition_dirty_accounts") == 0,
               "nothing waits")
    found = daemon.metrics()
    for p in ends:
        for name in ("event_time_lag", "flush_age", "low_watermark_age"):
            age = found[f'segmentd_{name}_seconds{{partition="{p}"}}']
            assert 0 <= age < 600, name
    assert 0 <= found['segmentd_transaction_age_seconds{worker="0"}'] < 600
    daemon.stop()
