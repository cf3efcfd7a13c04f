"""Killed, stopped, or left without an answer at every named point.

The points come from the program (a build with FAULTS=1), so that none is
forgotten. Whatever happened where: versions without gap or repeat, and Redis
and Kafka agree with each other and with a fold of the events in Python.

KILL_PAIRS=all: every pair of points instead of a sample (make kill-pairs).
"""

import itertools
import os
import random
import signal
import subprocess
import time

import pytest
from support import kafka as kafka_support
from support import oracle
from support import redis as redis_support
from support import segmentd as segmentd_support
from support.company import Company
from support.cprogram import build_folder
from support.process import ProcessFailed

FOLDER = build_folder() / "faults"
WIDTH = 4
DEADLINE = 120
PAIRS = 8


@pytest.fixture(scope="module")
def points():
    """{point: what can happen there}."""
    subprocess.run(
        ["make", "-s", "-C", segmentd_support.ROOT, "FAULTS=1",
         f"BUILD={FOLDER}", "all"], check=True, stdout=subprocess.DEVNULL)
    told = subprocess.run([FOLDER / "segmentd", "faults"], check=True,
                          capture_output=True, text=True).stdout
    found = {line.split()[0]: line.split()[1].split(",")
             for line in told.splitlines()}
    assert len(found) >= 18
    return found


@pytest.fixture(scope="module")
def redis_of_all(tmp_path_factory):
    assert redis_support.why_absent() is None
    server = redis_support.RedisServer(tmp_path_factory.mktemp("redis"),
                                       appendonly="no")
    server.start()
    yield server
    server.kill9()


class Case:
    """A company, its daemons, and the deeds that befall them."""

    def __init__(self, kafka, redis, folder, name, is_large=False,
                 delivery="exactly_once"):
        self.company = Company(kafka, redis, folder / "schemas", name,
                               partitions=1)
        self.client = redis.client()
        self.folder = folder
        self.delivery = delivery
        config = self.company.config
        config.update(workers=1, delivery=delivery,
                      segmentations=oracle.LOAD)
        config["kafka"].update({"session.timeout.ms": "3000",
                                "heartbeat.interval.ms": "500",
                                "transaction.timeout.ms": "5000"})
        config["ingest"] = {"batch_max": 20000}
        del config["renewal"]
        self.company.create()
        # A chunk of a commit to Redis is 500 accounts.
        self.crowd = oracle.Crowd(self.company, name, 560 if is_large else 40)
        self.is_large = is_large
        self.daemons = []

    def burst(self):
        self.crowd.burst(self.is_large)

    def daemon(self, instance, fault=None):
        daemon = segmentd_support.Segmentd(
            dict(self.company.config, instance=instance),
            self.folder / f"{instance}-{len(self.daemons)}",
            binary=FOLDER / "segmentd")
        daemon.start(is_waiting=False, env={
            "SEGMENTD_FAULT": fault or ""})
        self.daemons.append(daemon)
        return daemon

    def is_hit(self, daemon):
        return ("event=fault" in daemon.output()
                or not daemon.process.is_running())

    def wait_hit(self, daemon):
        """With events, and then with the request to end, until it is hit."""
        deadline = time.monotonic() + DEADLINE
        for _ in range(3):
            while not self.is_hit(daemon) and (
                    self.crowd.redis_differs(self.client)):
                assert time.monotonic() < deadline, daemon.process.tail()
                time.sleep(0.05)
            if self.is_hit(daemon):
                break
            self.burst()
        if not self.is_hit(daemon):
            daemon.process.send(signal.SIGTERM)
        while not self.is_hit(daemon):
            assert time.monotonic() < deadline, daemon.process.tail()
            time.sleep(0.05)
        assert "event=fault" in daemon.output(), daemon.process.tail()

    def settle(self, daemon):
        try:
            daemon.wait_for(lambda: not self.crowd.redis_differs(self.client),
                            "Redis is what the events come to", DEADLINE)
        except ProcessFailed as failure:
            differs = self.crowd.redis_differs(self.client)[:2]
            raise ProcessFailed(f"{failure}\n{differs}") from None

    def killed(self, fault):
        daemon = self.daemon("one", fault)
        self.wait_hit(daemon)
        assert daemon.process.wait(DEADLINE) == -signal.SIGKILL
        self.burst()

    def stopped(self, fault):
        """A zombie: another one takes over, then it comes back."""
        zombie = self.daemon("one", fault)
        self.wait_hit(zombie)
        self.burst()
        heir = self.daemon("two")
        self.settle(heir)
        zombie.thaw()
        self.burst()
        self.settle(heir)
        if zombie.process.is_running():
            zombie.stop(DEADLINE)
        heir.stop(DEADLINE)

    def finish(self):
        self.burst()
        daemon = self.daemon("one")
        self.settle(daemon)
        daemon.stop(DEADLINE)
        oracle.check(self.company, self.client,
                     self.delivery == "at_least_once")
        assert not self.crowd.redis_differs(self.client)


@pytest.fixture
def rig(kafka, redis_of_all, tmp_path, unique):
    made = []

    def make(name, **options):
        case = Case(kafka, redis_of_all, tmp_path / name,
                    f"{unique[-8:]}-{name}", **options)
        made.append(case)
        return case

    yield make
    for case in made:
        for daemon in case.daemons:
            daemon.kill9()


def run_all(rig, plans, **options):
    """plans: lists of (deed, point), one after the other in one case."""
    together = oracle.Together(WIDTH)

    def run(name, plan):
        case = rig(name, is_large="R2" in (point for _, point in plan),
                   **options)
        case.burst()
        for deed, point in plan:
            fault = f"{point}:1:{deed}"
            if deed == "exit":
                case.killed(fault)
            elif deed == "stop":
                case.stopped(fault)
            else:
                daemon = case.daemon("one", fault)
                case.wait_hit(daemon)
                case.burst()
                case.settle(daemon)
                daemon.stop(DEADLINE)
        case.finish()

    for plan in plans:
        name = "-".join(f"{point}{deed}" for deed, point in plan).lower()
        together.add(name, run, name, plan)
    together.join()


def test_killed_at_every_point(rig, points):
    run_all(rig, [[("exit", point)] for point in points])


def test_a_zombie_of_every_point(rig, points):
    run_all(rig, [[("stop", point)] for point in points])


def test_every_answer_lost(rig, points):
    run_all(rig, [[("drop", point)] for point in points
                  if "drop" in points[point]])


def test_at_least_once_killed_at_every_point(rig, points):
    run_all(rig, [[("exit", point)] for point in points
                  if point[0] in "FZKT"], delivery="at_least_once")


def test_killed_again_while_recovering(rig, points):
    pairs = list(itertools.product(points, points))
    if os.environ.get("KILL_PAIRS") != "all":
        pairs = random.Random("pairs").sample(pairs, PAIRS)
    run_all(rig, [[("exit", first), ("exit", second)]
                  for first, second in pairs])
