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
from support import oracle
from support import redis as redis_support
from support import segmentd as segmentd_support
from support.company import Company, now_ms
from support.cprogram import build_folder
from support.process import ProcessFailed

FOLDER = build_folder() / "faults"
ALL_PAIRS = os.environ.get("KILL_PAIRS") == "all"
# Most of the time a case waits for sessions to end.
WIDTH = 8 if ALL_PAIRS else 4
DEADLINE = 300
PAIRS = 6


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
                 is_crowded=False, delivery="exactly_once"):
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
        if is_crowded:
            self.crowd_the_cache(config)
        del config["renewal"]
        self.company.create()
        # A chunk of a commit to Redis is 500 accounts.
        self.crowd = oracle.Crowd(self.company, name, 560 if is_large else 40)
        self.is_large = is_large
        self.is_crowded = is_crowded
        self.daemons = []

    @staticmethod
    def crowd_the_cache(config):
        """The smallest cache, and features that take room in it."""
        config["cache"] = {"size": "1MiB"}
        config["inputs"]["usage"]["features"].update({
            f"ids_{days}d": {"distinct": "event_id", "window": f"{days}d"}
            for days in range(1, 31)})

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
        """With events, and then with the request to end, until it is hit.
        True when it had to be asked to end."""
        deadline = time.monotonic() + DEADLINE
        for _ in range(3):
            while not self.is_hit(daemon) and (
                    self.crowd.redis_differs(self.client)):
                assert time.monotonic() < deadline, daemon.process.tail()
                time.sleep(0.05)
            if self.is_hit(daemon):
                break
            self.burst()
        is_ending = not self.is_hit(daemon)
        if is_ending:
            daemon.process.send(signal.SIGTERM)
        while not self.is_hit(daemon):
            assert time.monotonic() < deadline, daemon.process.tail()
            time.sleep(0.05)
        assert "event=fault" in daemon.output(), daemon.process.tail()
        return is_ending

    def wait_frozen(self, daemon):
        """What it says of a point is said before it is stopped there."""
        daemon.wait_for(lambda: daemon.process.is_frozen(), "it is stopped",
                        DEADLINE)

    def settle(self, daemon):
        try:
            daemon.wait_for(lambda: not self.crowd.redis_differs(self.client),
                            "Redis is what the events come to", DEADLINE)
        except ProcessFailed as failure:
            differs = self.crowd.redis_differs(self.client)[:2]
            raise ProcessFailed(f"{failure}\n{differs}") from None

    # --- deeds --------------------------------------------------------------

    def exit(self, point, passing=1):
        daemon = self.daemon("one", f"{point}:{passing}:exit")
        self.wait_hit(daemon)
        assert daemon.process.wait(DEADLINE) == -signal.SIGKILL
        self.burst()

    def drop(self, point, passing=1):
        """What was done there is as good as lost."""
        daemon = self.daemon("one", f"{point}:{passing}:drop")
        self.wait_hit(daemon)
        self.burst()
        self.settle(daemon)
        daemon.stop(DEADLINE)

    def stop(self, point, passing=1):
        """A zombie: another one takes over, then it comes back."""
        zombie = self.daemon("one", f"{point}:{passing}:stop")
        self.wait_hit(zombie)
        self.wait_frozen(zombie)
        self.burst()
        heir = self.daemon("two")
        self.settle(heir)
        zombie.thaw()
        self.burst()
        self.settle(heir)
        if zombie.process.is_running():
            zombie.stop(DEADLINE)
        heir.stop(DEADLINE)

    def outlive(self, point, killed_at):
        """A zombie: the one that takes over is killed, then it comes back and
        is alone."""
        zombie = self.daemon("one", f"{point}:1:stop")
        is_ending = self.wait_hit(zombie)
        self.wait_frozen(zombie)
        self.burst()
        heir = self.daemon("two", f"{killed_at}:1:exit")
        self.wait_hit(heir)
        assert heir.process.wait(DEADLINE) == -signal.SIGKILL
        zombie.thaw()
        self.burst()
        if is_ending:
            assert zombie.process.wait(DEADLINE) == 0, zombie.process.tail()
            return
        self.settle(zombie)
        zombie.stop(DEADLINE)

    def roll_back(self, is_heir_killed):
        """A zombie with a chunk to send; Redis goes back to an earlier commit
        of its reign; it comes back."""
        zombie = self.daemon("one", "K4:1:stop,Z2:2:stop")
        self.wait_hit(zombie)
        self.wait_frozen(zombie)
        copy = self.copy_of_redis()
        zombie.thaw()
        self.burst()
        zombie.wait_for(lambda: "point=Z2" in zombie.output(), "Z2", DEADLINE)
        self.wait_frozen(zombie)
        self.burst()
        heir = self.daemon("two")
        self.settle(heir)
        if is_heir_killed:
            heir.kill9()
        else:
            heir.freeze()
        self.put_into_redis(copy)
        zombie.thaw()
        zombie.wait_for(lambda: "was acknowledged, Redis holds 0" in
                        zombie.output(), "it sees what is lost", DEADLINE)
        heir.thaw()
        self.burst()
        self.settle(zombie)
        zombie.stop(DEADLINE)
        if not is_heir_killed:
            heir.stop(DEADLINE)

    def copy_of_redis(self):
        keys = list(self.client.scan_iter(f"{self.company.name}:*"))
        return {key: self.client.dump(key) for key in keys}

    def put_into_redis(self, copy):
        pipe = self.client.pipeline()
        pipe.delete(*self.client.scan_iter(f"{self.company.name}:*"))
        for key, value in copy.items():
            pipe.restore(key, 0, value)
        pipe.execute()

    def finish(self):
        self.burst()
        daemon = self.daemon("one")
        self.settle(daemon)
        if self.is_crowded:
            assert daemon.metric("segmentd_accounts_cached") < len(
                self.crowd.names)
        daemon.stop(DEADLINE)
        oracle.check(self.company, self.client,
                     self.delivery == "at_least_once")
        assert not self.crowd.redis_differs(self.client)


@pytest.fixture
def rig(kafka, redis_of_all, points, tmp_path, unique):
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
    """plans: lists of (deed, what it takes), one after the other in one
    case."""
    together = oracle.Together(WIDTH)

    def run(name, plan):
        case = rig(name, **{"is_large": "R2" in str(plan), **options})
        case.burst()
        for deed, *arguments in plan:
            getattr(case, deed)(*arguments)
        case.finish()

    for plan in plans:
        name = "-".join(str(word) for deed in plan for word in deed).lower()
        together.add(name, run, name, plan)
    together.join()


def pairs_of(points, seed):
    pairs = list(itertools.product(points, points))
    if ALL_PAIRS:
        return pairs
    return random.Random(seed).sample(pairs, PAIRS)


def test_killed_at_every_point(rig, points):
    run_all(rig, [[("exit", point)] for point in points])


def test_a_zombie_of_every_point(rig, points):
    run_all(rig, [[("stop", point)] for point in points])


def test_every_answer_lost(rig, points):
    run_all(rig, [[("drop", point)] for point in points
                  if "drop" in points[point]])


def test_at_least_once_killed_at_every_point(rig, points):
    run_all(rig, [[("exit", point)] for point in points],
            delivery="at_least_once")


def test_at_least_once_moves_that_are_told_are_not_made_anew(rig):
    """Their memberships are there and the offsets behind them never come: the
    same events must not lead to the same moves under new versions."""
    case = rig("anew", delivery="at_least_once")
    company = case.company
    company.config["clock"] = "event"
    company.config["segmentations"] = {
        "rich": {"enter": "account.arr >= 1000.0"}}
    begin = now_ms() - 3_600_000
    company.send_accounts(*[
        company.account_record("a", (2000.0, 1.0)[n % 2], begin + 1000 * n)
        for n in range(9)])
    daemon = case.daemon("one", "K2:1:drop")
    daemon.wait_for(
        lambda: company.kafka.committed(
            company.name, f"{company.name}.account").get(0) == 9,
        "the offsets are committed", DEADLINE)
    assert "event=transaction_unknown" in daemon.output()
    daemon.stop(DEADLINE)
    assert {c["account_version"]: c["to"] for c in company.changes()} == {
        n + 1: ("in", "out")[n % 2] for n in range(9)}


def test_a_broker_that_answers_from_before_is_not_believed(rig):
    """Committed offsets that are older than what Redis has or, when that is
    lost, than what was published: to go on from there would be to decide all
    of it again."""
    case = rig("before")
    case.burst()
    daemon = case.daemon("one")
    case.settle(daemon)
    daemon.stop(DEADLINE)
    for who in ("Redis", "what was published"):
        if who != "Redis":
            case.put_into_redis({})
        daemon = case.daemon("one", "T3:1:drop")
        case.burst()
        case.settle(daemon)
        assert f"{who} is at offset" in daemon.output()
        daemon.stop(DEADLINE)
    case.finish()


def test_killed_again_while_recovering(rig, points):
    run_all(rig, [[("exit", first), ("exit", second)]
                  for first, second in pairs_of(points, "pairs")])


def test_a_cache_that_is_too_small(rig):
    """Accounts are evicted and loaded again around each of these."""
    run_all(rig, [[deed] for deed in (
        ("exit", "R1", 4), ("drop", "R1", 4), ("exit", "R1", 2),
        ("stop", "Z2", 4))], is_large=True,
        is_crowded=True)


def test_a_zombie_outlives_the_one_that_took_over(rig, points):
    run_all(rig, [[("outlive", first, second)]
                  for first, second in pairs_of(points, "zombies")])


def test_a_zombie_finds_redis_as_it_was_in_its_reign(rig):
    run_all(rig, [[("roll_back", is_heir_killed)]
                  for is_heir_killed in (True, False)])


def test_a_first_run_killed_before_redis_has_anything(rig, kafka):
    """The input does not reach back to its first offset, nor did it when
    reading began: nothing is lost."""
    case = rig("first")
    company = case.company
    company.send_accounts(company.account_record("older", 30000.0))
    kafka.expire(f"{company.name}.account")
    case.burst()
    case.exit("K4")
    assert not case.client.hget(f"{company.name}:p0:m", "w")
    case.finish()


def test_timers_of_new_rules_outlive_a_kill(rig):
    """Of most accounts evaluating changed nothing: the timers that came of it
    are all there is, and the review is over when they are in Redis."""
    case = rig("rules")
    company = case.company
    company.config["segmentations"] = {
        "rich": {"enter": "account.arr > 0.0"}}
    company.config["flush"] = {"age": "1s"}
    company.send_usage(*[company.usage_record(f"a{i % 20}")
                         for i in range(21)])
    due = f"{company.name}:p0:due"

    def states():
        return len(case.client.keys(f"{company.name}:state:*"))

    daemon = case.daemon("one")
    daemon.wait_for(lambda: states() == 20, "all are known", DEADLINE)
    daemon.stop(DEADLINE)
    assert case.client.zcard(due) == 0
    company.config["segmentations"].update(
        silent={"enter": "now - usage.last_seen >= hours(1)"},
        twice={"enter": "usage.logins_14d >= 2"})
    company.config["flush"] = {"age": "1m"}
    daemon = case.daemon("one", "K4:1:exit")
    assert daemon.process.wait(DEADLINE) == -signal.SIGKILL
    daemon = case.daemon("one")
    daemon.process.wait_for_output("event=caught_up", DEADLINE)
    daemon.wait_for(lambda: case.client.zcard(due) == 20,
                    "every timer is there", DEADLINE)
    daemon.stop(DEADLINE)


@pytest.mark.parametrize("deed", ["exit", "stop"])
def test_the_transaction_of_the_dead_is_ended(rig, deed):
    """By an heir of another name, long before the brokers give it up."""
    case = rig(deed)
    case.company.config["kafka"]["transaction.timeout.ms"] = "600000"
    case.burst()
    getattr(case, deed)("K2", 2)
    if deed == "exit":
        heir = case.daemon("two")
        case.settle(heir)
        heir.stop(DEADLINE)
    case.finish()
