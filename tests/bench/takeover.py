#!/usr/bin/python3
"""How long a new owner takes, with a million accounts in Redis.

One daemon folds an event of each input for every account, so that there are as
many states, timers and records in the topic of memberships; a stream goes on,
5% of which moves an account. Then it is killed, or stopped, and another of
another name takes its place. Told is, from the instant at which the partitions
were assigned to it: how long the take-over took, when a committed reader saw
the first change of it, and when it had seen one of every partition; and how
many memberships had to be read back.

The exit status says whether each came within TAKEOVER_GOAL seconds.

    TAKEOVER_ACCOUNTS=1000000 TAKEOVER_PARTITIONS=4 TAKEOVER_RATE=2000
    TAKEOVER_TIMES=3 TAKEOVER_GOAL=5
"""

import datetime as dt
import os
import pathlib
import re
import sys
import tempfile
import threading
import time

from confluent_kafka import Consumer, TopicPartition

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

import stream  # noqa: E402
from support import kafka, redis, segmentd  # noqa: E402
from support.process import wait_until  # noqa: E402

ACCOUNTS = int(os.environ.get("TAKEOVER_ACCOUNTS", 1000000))
PARTITIONS = int(os.environ.get("TAKEOVER_PARTITIONS", 4))
RATE = int(os.environ.get("TAKEOVER_RATE", 2000))
TIMES = int(os.environ.get("TAKEOVER_TIMES", 3))
GOAL = float(os.environ.get("TAKEOVER_GOAL", 5))
NAME = "takeover"
LONG = 3600.0


def fields(line):
    return dict(re.findall(r'(\w+)=("[^"]*"|\S+)', line))


def instant(line):
    return dt.datetime.fromisoformat(
        fields(line)["time"].replace("Z", "+00:00")).timestamp()


class Owner:
    """The daemon that has the partitions now."""

    def __init__(self, broker, store, folder, number):
        config = stream.configuration(
            broker, store, folder / str(number), NAME,
            instance=f"owner-{number}")
        config["kafka"]["session.timeout.ms"] = "6000"
        self.daemon = segmentd.Segmentd(config, folder / str(number))

    def lines(self, event):
        return [line for line in self.daemon.output().splitlines()
                if f"event={event} " in line]

    def assignments(self):
        """When each worker was told its partitions, and how long it took."""
        return [(instant(line) - int(fields(line)["ms"]) / 1000,
                 int(fields(line)["ms"]) / 1000, int(fields(line)["groups"]))
                for line in self.lines("assigned")
                if fields(line)["err"] == "ok"]


class Stream(threading.Thread):
    """Goes on, whoever reads it."""

    def __init__(self, source):
        super().__init__(daemon=True)
        self.source = source
        self.is_over = threading.Event()

    def run(self):
        while not self.is_over.is_set():
            self.source.paced(RATE, 0.5)


def first_changes(broker, ends, seconds):
    """{partition: when its first change after `ends` was seen}"""
    consumer = Consumer({
        "bootstrap.servers": broker.bootstrap, "group.id": "looks",
        "isolation.level": "read_committed", "fetch.wait.max.ms": 5,
        "enable.auto.commit": False, "auto.offset.reset": "error"})
    seen = {}
    deadline = time.monotonic() + seconds
    try:
        consumer.assign([TopicPartition(f"{NAME}.changes", p, offset)
                         for p, offset in ends.items()])
        while len(seen) < len(ends) and time.monotonic() < deadline:
            message = consumer.poll(0.5)
            if message is not None and message.error() is None:
                seen.setdefault(message.partition(), time.time())
    finally:
        consumer.close()
    return seen


def take_over(broker, store, folder, number, old, how):
    """The new owner; how long it took from its assignment."""
    new = Owner(broker, store, folder, number)
    getattr(old.daemon, how)()
    # What the old one had begun is aborted by the new one, or by then.
    ends = broker.end_offsets(f"{NAME}.changes")
    new.daemon.start(is_waiting=False)
    seen = first_changes(broker, ends, 300)
    assert len(seen) == PARTITIONS, f"changes of {len(seen)} partitions"
    # The last assignment of each worker is the one that stays.
    told = new.assignments()
    begin = min(at for at, _, groups in told if groups > 0)
    walks = [fields(line) for line in new.lines("takeover")]
    first = min(seen.values()) - begin
    last = max(seen.values()) - begin
    print(f"  {how}: take-over "
          f"{max(took for _, took, _ in told):.2f} s, first change after "
          f"{first:.2f} s, of every partition after {last:.2f} s; "
          f"{sum(int(w['published']) for w in walks)} memberships read, "
          f"{sum(int(w['adopted']) for w in walks)} adopted", flush=True)
    return new, first, last


def measure(broker, store, folder):
    broker.create_topics({f"{NAME}.account": PARTITIONS,
                          f"{NAME}.usage": PARTITIONS})
    source = stream.Stream(broker, NAME, ACCOUNTS)
    owner = Owner(broker, store, folder, 0)
    owner.daemon.start(timeout=120)
    begin = time.monotonic()
    source.each_once()
    print(f"{ACCOUNTS} accounts written after "
          f"{time.monotonic() - begin:.0f} s", flush=True)
    wait_until(lambda: owner.daemon.metric("segmentd_lag_records") == 0
               and owner.daemon.metric("segmentd_dirty_accounts") == 0
               and sum(broker.end_offsets(f"{NAME}.changes").values())
               >= ACCOUNTS, "all is in Redis", LONG, pause=2)
    print(f"in Redis after {time.monotonic() - begin:.0f} s: "
          f"{store.client().info('memory')['used_memory'] >> 20} MiB, "
          f"{sum(broker.end_offsets(f'{NAME}.current').values())} "
          "memberships published", flush=True)
    going = Stream(source)
    going.start()
    firsts, lasts = [], []
    try:
        for number in range(1, 2 * TIMES + 1):
            # Let the owner come into a steady state.
            time.sleep(5)
            owner, first, last = take_over(
                broker, store, folder, number, owner,
                "kill9" if number % 2 else "stop")
            firsts.append(first)
            lasts.append(last)
    finally:
        going.is_over.set()
        going.join()
    owner.daemon.stop(timeout=120)
    print(f"{ACCOUNTS} accounts, {PARTITIONS} partitions: first change "
          f"{sorted(firsts)[len(firsts) // 2]:.2f} s after the assignment "
          f"(median of {len(firsts)}, at most {max(firsts):.2f}), of every "
          f"partition {sorted(lasts)[len(lasts) // 2]:.2f} s (at most "
          f"{max(lasts):.2f}); goal {GOAL:g} s", flush=True)
    return max(firsts) <= GOAL


def main():
    for why in (kafka.why_absent(), redis.why_absent(), segmentd.why_absent()):
        if why is not None:
            print(f"takeover: not measured: {why}")
            return 0
    with tempfile.TemporaryDirectory(prefix="segmentd-takeover-") as name:
        folder = pathlib.Path(name)
        store = redis.RedisServer(folder / "redis", appendonly="no")
        store.start()
        broker = kafka.Broker(folder / "kafka")
        try:
            broker.start()
            is_met = measure(broker, store, folder)
        finally:
            store.stop()
            if broker.process is not None:
                broker.stop()
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
