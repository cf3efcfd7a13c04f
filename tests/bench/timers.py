#!/usr/bin/python3
"""How late timers fire under the wall clock, with a million of them armed.

A broker and a Redis of its own; segmentd reads one event of each account, by
which it is known when the account falls silent. Most fall silent in hours, and
are there to be in the way: in the index, in the heap, in the cache. Of the
rest, some fall due over a minute, one after the other, and some all at one
instant. segmentd is restarted in between, so that timers come out of the index
in Redis, as they do for accounts that are not in the cache.

Lateness is told twice: of the decision (evaluated_at less the instant), and of
the record (its timestamp in Kafka less the instant). The exit status says
whether each timer fired, and once; not how late.

    TIMERS_ARMED=1000000 TIMERS_DUE=30000 TIMERS_SECONDS=60 TIMERS_BURST=10000
"""

import os
import pathlib
import random
import sys
import tempfile
import time

from confluent_kafka import Producer

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from stream import now_ms, varint  # noqa: E402
from support import kafka, redis, segmentd  # noqa: E402
from support.process import wait_until  # noqa: E402

ARMED = int(os.environ.get("TIMERS_ARMED", 1000000))
DUE = int(os.environ.get("TIMERS_DUE", 30000))
SECONDS = int(os.environ.get("TIMERS_SECONDS", 60))
BURST = int(os.environ.get("TIMERS_BURST", 10000))
PARTITIONS = 4
SILENCE_MS = 10 * 3600 * 1000
HOUR_MS = 3600 * 1000
LONG = 3600.0

SCHEMA = """{"type": "record", "name": "Seen", "fields": [
  {"name": "account", "type": "string"},
  {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}}
]}"""


class Reader:
    """Just enough Avro to read the front of a change."""

    def __init__(self, data):
        self.data = data
        self.at = 10  # single-object encoding

    def long(self):
        number = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            number |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return number >> 1 ^ -(number & 1)

    def text(self):
        size = self.long()
        self.at += size
        return self.data[self.at - size:self.at].decode()

    def maybe_text(self):
        return self.text() if self.long() == 1 else None


def read_change(data):
    """(account, event_time, evaluated_at)"""
    reader = Reader(data)
    reader.text()  # change_id
    account = reader.text()
    reader.long()  # account_version
    reader.text()  # segmentation
    reader.maybe_text()
    reader.maybe_text()
    reader.long()  # action
    reader.long()  # origin
    return account, reader.long(), reader.long()


def send(broker, accounts):
    """One event each: (account, when it was seen)."""
    producer = Producer({
        "bootstrap.servers": broker.bootstrap, "linger.ms": 50,
        "partitioner": "murmur2_random", "enable.idempotence": True,
        "queue.buffering.max.messages": 200000})
    for account, at_ms in accounts:
        key = account.encode()
        value = varint(len(key)) + key + varint(at_ms)
        while True:
            try:
                producer.produce("seen", value, key)
                break
            except BufferError:
                producer.poll(0.1)
    assert producer.flush(600) == 0


def configuration(broker, store, folder):
    (folder / "seen.avsc").write_text(SCHEMA, "utf-8")
    return {
        "version": 1, "group": "timers", "instance": "one", "workers": 2,
        "kafka": {"bootstrap.servers": broker.bootstrap,
                  "session.timeout.ms": "45000"},
        "redis": {"url": store.unix_url, "prefix": "timers"},
        "topics": {"overrides": ""},
        "inputs": {"seen": {
            "topic": "seen", "schema": str(folder / "seen.avsc"),
            "framing": "bare", "key": "account", "time": "at",
            "features": {"at": {"latest": "at"}}}},
        "segmentations": {
            "silent": {"enter": "now - seen.at >= hours(10)"}},
    }


def wait_folded(daemon, client, accounts):
    """Until so many accounts are armed in Redis."""
    def armed():
        return sum(client.zcard(key)
                   for key in client.scan_iter("*timers*", count=10000,
                                               _type="zset"))
    # Counting walks over all keys: first ask for what is cheap.
    wait_until(lambda: client.dbsize() >= accounts, "states are in Redis",
               LONG, pause=1)
    wait_until(lambda: armed() >= accounts, "timers are in Redis", LONG,
               pause=5)


def quantiles(name, late):
    late = sorted(late)

    def at(share):
        return late[min(len(late) - 1, int(share * len(late)))] / 1000

    print(f"{name:28} {len(late):7} timers: p50 {at(.5):.3f} s, "
          f"p99 {at(.99):.3f} s, max {at(1):.3f} s", flush=True)


def report(records, instants, name):
    seen = {}
    for message in records:
        account, event_time, evaluated_at = read_change(message.value())
        if account in instants:
            assert account not in seen, f"{account} fired twice"
            assert event_time == instants[account], (account, event_time)
            seen[account] = (evaluated_at - event_time,
                             message.timestamp()[1] - event_time)
    missing = len(instants) - len(seen)
    assert missing == 0, f"{name}: {missing} timers did not fire"
    assert min(late for late, _ in seen.values()) >= 0, "one was early"
    quantiles(f"{name}: decided", [late for late, _ in seen.values()])
    quantiles(f"{name}: in Kafka", [late for _, late in seen.values()])


def measure(broker, store, folder):
    chance = random.Random(1)
    client = store.client()
    broker.create_topics({"seen": PARTITIONS})
    daemon = segmentd.Segmentd(
        configuration(broker, store, folder), folder)
    daemon.start(timeout=120)
    begin = time.monotonic()
    far = ARMED - DUE - BURST
    now = now_ms()
    send(broker, ((f"far-{i}", now - chance.randrange(7 * HOUR_MS))
                  for i in range(far)))
    wait_folded(daemon, client, far)
    print(f"{far} armed in {time.monotonic() - begin:.0f} s", flush=True)

    first = now_ms() + 120000
    spread = {f"due-{i}": first + chance.randrange(SECONDS * 1000)
              for i in range(DUE)}
    burst = {f"burst-{i}": first + SECONDS * 1000 + 15000
             for i in range(BURST)}
    send(broker, ((account, at - SILENCE_MS)
                  for account, at in {**spread, **burst}.items()))
    wait_folded(daemon, client, ARMED)
    daemon.stop(timeout=120)
    daemon.start(timeout=120)
    ready = (first - now_ms()) / 1000
    assert ready > 0, f"not ready in time: {-ready:.0f} s too late"
    print(f"restarted, {ready:.0f} s before the first", flush=True)

    last = first + SECONDS * 1000 + 15000
    time.sleep((last + 5000 - now_ms()) / 1000)
    wait_until(lambda: sum(broker.end_offsets("segmentd.changes").values())
               >= DUE + BURST, "changes are written", 300, pause=1)
    records = []

    def all_read():
        records[:] = broker.read("segmentd.changes")
        return len(records) >= DUE + BURST
    wait_until(all_read, "changes are committed", 300, pause=1)
    for name in ("commit", "flush"):
        total = daemon.metric(f"segmentd_{name}_seconds_sum")
        count = daemon.metric(f"segmentd_{name}_seconds_count")
        print(f"{count:.0f} x {name}, {total / max(count, 1):.3f} s each")
    report(records, spread, f"over {SECONDS} s")
    report(records, burst, "at one instant")
    memory = client.info("memory")["used_memory"]
    print(f"Redis: {memory / ARMED:.0f} bytes an account, all in all")
    daemon.stop(timeout=120)


def main():
    for why in (kafka.why_absent(), redis.why_absent(), segmentd.why_absent()):
        if why is not None:
            print(f"timers: not measured: {why}")
            return 0
    with tempfile.TemporaryDirectory(prefix="segmentd-timers-") as name:
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
