#!/usr/bin/python3
"""What exactly once costs over at least once, in CPU of segmentd.

Two daemons with the same rules, one of each delivery, each with topics and
keys of its own on one broker and one Redis. They take turns: the same kind of
stream, 5% of it moves an account, goes to one and then to the other while that
one waits, and the order of the two changes from pair to pair. So what else the
machine does is in both, and the ratio within a pair is told, with the median of
all pairs. Once the stream comes at a steady pace; once all at once, from a
daemon that was stopped while it was written.

The CPU time is that of the process, user and system, over all threads,
librdkafka's among them, until everything sent is committed.

    DELIVERY_PAIRS=7 DELIVERY_RATE=20000 DELIVERY_SECONDS=15
    DELIVERY_BURST=300000 DELIVERY_ACCOUNTS=20000
"""

import os
import pathlib
import statistics
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

import stream  # noqa: E402
from support import kafka, redis, segmentd  # noqa: E402
from support.process import wait_until  # noqa: E402

PAIRS = int(os.environ.get("DELIVERY_PAIRS", 7))
RATE = int(os.environ.get("DELIVERY_RATE", 20000))
SECONDS = float(os.environ.get("DELIVERY_SECONDS", 15))
BURST = int(os.environ.get("DELIVERY_BURST", 300000))
ACCOUNTS = int(os.environ.get("DELIVERY_ACCOUNTS", 20000))
PARTITIONS = 4
GOAL = 1.10
MODES = ("exactly_once", "at_least_once")


class Side:
    """A daemon, its stream, and what it has used."""

    def __init__(self, broker, store, folder, mode):
        self.mode = mode
        self.broker = broker
        broker.create_topics({f"{mode}.account": PARTITIONS,
                              f"{mode}.usage": PARTITIONS})
        self.stream = stream.Stream(broker, mode, ACCOUNTS)
        self.daemon = segmentd.Segmentd(
            stream.configuration(broker, store, folder / mode, mode,
                                 delivery=mode), folder / mode)
        self.daemon.start(timeout=120)

    def is_done(self):
        """By the coordinator: asking the daemon would be work for it."""
        return self.stream.nsent == sum(
            offset for name in ("account", "usage") for offset in
            self.broker.committed(self.mode, f"{self.mode}.{name}").values()
            if offset > 0)

    def settle(self):
        wait_until(self.is_done, f"all is committed ({self.mode})", 600,
                   pause=0.2)

    def cpu(self):
        fields = pathlib.Path(
            f"/proc/{self.daemon.process.pid}/stat").read_text().rsplit(
                ")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def counts(self):
        metrics = self.daemon.metrics()

        def total(name):
            return sum(value for series, value in metrics.items()
                       if series.startswith(name))
        return {name: total(f"segmentd_{name}") for name in (
            "transactions_total", "changes_total", "batch_seconds_count",
            "flush_seconds_count", "commit_seconds_sum")}

    def measure(self, work):
        before, began = self.counts(), self.cpu()
        sent = self.stream.nsent
        begin = time.monotonic()
        work(self)
        self.settle()
        seconds, used = time.monotonic() - begin, self.cpu() - began
        sent = self.stream.nsent - sent
        after = {name: value - before[name]
                 for name, value in self.counts().items()}
        commits = max(after["transactions_total"], 1)
        print(f"  {self.mode:14} {used / sent * 1e6:6.2f} us/event, "
              f"{used:5.2f} s CPU of {seconds:5.1f} s, {sent} events, "
              f"{after['changes_total']:.0f} changes, "
              f"{after['batch_seconds_count']:.0f} batches, "
              f"{commits:.0f} commits of "
              f"{after['commit_seconds_sum'] / commits * 1000:.0f} ms, "
              f"{after['flush_seconds_count']:.0f} flushes", flush=True)
        return used / sent


def steady(side):
    side.stream.paced(RATE, SECONDS)


def at_once(side):
    side.daemon.freeze()
    try:
        side.stream.some(BURST)
        side.stream.flush()
    finally:
        side.daemon.thaw()


def compare(name, sides, work):
    print(name, flush=True)
    ratios, costs = [], {mode: [] for mode in MODES}
    for pair in range(PAIRS):
        for mode in MODES if pair % 2 == 0 else MODES[::-1]:
            costs[mode].append(sides[mode].measure(work))
        ratios.append(costs[MODES[0]][-1] / costs[MODES[1]][-1])
    ratio = statistics.median(ratios)
    us = {mode: statistics.median(costs[mode]) * 1e6 for mode in MODES}
    print(f"{name}: exactly once costs {ratio:.3f} times the CPU of at least "
          f"once (median of {PAIRS} pairs, {min(ratios):.3f} to "
          f"{max(ratios):.3f}; goal {GOAL:.2f}); "
          f"{us[MODES[0]]:.2f} and {us[MODES[1]]:.2f} us an event",
          flush=True)


def measure(broker, store, folder):
    sides = {mode: Side(broker, store, folder, mode) for mode in MODES}
    for side in sides.values():
        side.stream.each_once()
        side.settle()
        side.stream.paced(RATE, 3)
        side.settle()
    compare(f"{RATE} events a second", sides, steady)
    compare(f"{BURST} events at once", sides, at_once)
    for side in sides.values():
        side.daemon.stop(timeout=120)


def main():
    for why in (kafka.why_absent(), redis.why_absent(), segmentd.why_absent()):
        if why is not None:
            print(f"delivery: not measured: {why}")
            return 0
    with tempfile.TemporaryDirectory(prefix="segmentd-delivery-") as name:
        folder = pathlib.Path(name)
        store = redis.RedisServer(folder / "redis", appendonly="no")
        store.start()
        broker = kafka.Broker(folder / "kafka")
        try:
            broker.start()
            measure(broker, store, folder)
        finally:
            store.stop()
            if broker.process is not None:
                broker.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
