"""A stream of events, and rules for it, that the benchmarks have in common.

Two inputs, as few bytes of Avro as a producer would write: `account`, in which
the revenue of an account goes up and down over a threshold, so that each moves
it; and `usage`, which is folded into windows that about thirty rules read, and
moves nobody. Timers of every account lie days ahead.
"""

import random
import struct
import time

from confluent_kafka import Producer

DAY_MS = 86400000

ACCOUNT = """{"type": "record", "name": "Account", "fields": [
  {"name": "account", "type": "string"},
  {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
  {"name": "arr", "type": "double"},
  {"name": "plan", "type": "string"},
  {"name": "seats", "type": "int"},
  {"name": "renews", "type":
    {"type": "long", "logicalType": "timestamp-millis"}}
]}"""

USAGE = """{"type": "record", "name": "Usage", "fields": [
  {"name": "account", "type": "string"},
  {"name": "id", "type": "string"},
  {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
  {"name": "kind", "type": "string"},
  {"name": "seconds", "type": "int"}
]}"""

SEGMENTATIONS = {
    "touch": {"segments": [
        {"name": "high", "when": "account.arr >= 100000.0"},
        {"name": "mid", "when": "account.arr >= 20000.0"},
        {"name": "low"}]},
    "activity": {"segments": [
        {"name": "a", "when": "usage.c1 > 10000 && usage.c7 > 70000"},
        {"name": "b", "when": "usage.c7 > 50000 && usage.s30 > 100000000"},
        {"name": "c", "when": "usage.c30 > 90000 && usage.most >= 5000"},
        {"name": "d", "when": "usage.c30 > 80000 && usage.streak > 30"},
        {"name": "e", "when": "usage.c7 > 30000 || usage.s30 < 0"},
        {"name": "f"}]},
    "fit": {"segments": [
        {"name": "a", "when": 'account.plan in ["pro", "max"] && '
                              "account.seats > 50"},
        {"name": "b", "when": 'account.plan in ["team", "plus"]'},
        {"name": "c"}]},
    "silent": {"enter": "now - usage.seen > days(30) && account.arr > 0.0"},
    "gone": {"enter": "now - usage.seen > days(90) && usage.c30 == 0"},
    "risk": {"enter": "renewal.days_left <= 30 && usage.c7 < 1"},
    "soon": {"enter": "renewal.days_left <= 60 && usage.streak > 90"},
    **{f"t{i}": {"enter": rule} for i, rule in enumerate([
        "usage.c1 > 50000 && account.seats > 0",
        "usage.c7 > 80000 && account.seats < 10",
        "usage.c30 > 40000 || usage.logins > 40000",
        "usage.most > 50000 && usage.streak > 3",
        'usage.s30 > 500000000 && account.plan == "pro"',
        "usage.logins > 95000 && account.arr > 100.0",
        "account.seats > 90000 && usage.c7 > 2",
        "account.arr > 99000000.0 && usage.streak > 2",
        "usage.c30 > 99000 && usage.c1 > 2",
        "usage.streak > 300 && account.arr > 5.0",
        "usage.logins > 99000 && usage.c7 > 9",
        "account.seats > 99999 && account.arr > 5.0",
    ])},
}


def varint(number):
    number = number << 1 ^ number >> 63
    out = bytearray()
    while number > 0x7f:
        out.append(number & 0x7f | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def text(value):
    data = value.encode()
    return varint(len(data)) + data


def now_ms():
    return int(time.time() * 1000)


def configuration(broker, store, folder, name, **more):
    """Of a group of its own, with topics of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "account.avsc").write_text(ACCOUNT, "utf-8")
    (folder / "usage.avsc").write_text(USAGE, "utf-8")
    return {
        "version": 1, "group": name, "instance": "one", "workers": 2,
        "kafka": {"bootstrap.servers": broker.bootstrap,
                  "session.timeout.ms": "45000"},
        "redis": {"url": store.unix_url, "prefix": name},
        "topics": {"overrides": "", "changes": f"{name}.changes",
                   "current": f"{name}.current",
                   "renewals": f"{name}.renewals",
                   "rejects": f"{name}.rejects"},
        "inputs": {
            "account": {
                "topic": f"{name}.account",
                "schema": str(folder / "account.avsc"),
                "framing": "bare", "key": "account", "time": "at",
                "features": {"arr": {"last": "arr"}, "plan": {"last": "plan"},
                             "seats": {"last": "seats"},
                             "renews": {"last": "renews"}}},
            "usage": {
                "topic": f"{name}.usage",
                "schema": str(folder / "usage.avsc"),
                "framing": "bare", "key": "account", "time": "at", "id": "id",
                "features": {
                    "c1": {"count": "1d"}, "c7": {"count": "7d"},
                    "c30": {"count": "30d"},
                    "logins": {"count": "14d", "where": 'kind == "login"'},
                    "s30": {"sum": "seconds", "window": "30d"},
                    "most": {"max": "seconds", "window": "90d"},
                    "seen": {"latest": "at"}, "streak": {"streak": True}}}},
        "segmentations": SEGMENTATIONS,
        "renewal": {"date": "account.renews", "windows": [120, 90, 60, 30],
                    "timezone": "UTC"},
        **more,
    }


class Stream:
    """Events for `naccounts` accounts, `share` of which move one."""

    def __init__(self, broker, name, naccounts, share=0.05, seed=1):
        self.name = name
        self.share = share
        self.chance = random.Random(seed)
        self.keys = [f"account-{i:07}".encode() for i in range(naccounts)]
        self.is_high = bytearray(naccounts)
        self.nsent = 0
        self.renews = now_ms() + 300 * DAY_MS
        self.producer = Producer({
            "bootstrap.servers": broker.bootstrap, "linger.ms": 5,
            "partitioner": "murmur2_random", "enable.idempotence": True,
            "queue.buffering.max.messages": 500000})

    def _produce(self, topic, key, value):
        while True:
            try:
                self.producer.produce(topic, value, key)
                break
            except BufferError:
                self.producer.poll(0.1)
        self.nsent += 1

    def account(self, i):
        """One that moves it, unless it is the first of it."""
        self.is_high[i] ^= 1
        key = self.keys[i]
        self._produce(
            f"{self.name}.account", key,
            varint(len(key)) + key + varint(now_ms())
            + struct.pack("<d", 150000.0 if self.is_high[i] else 50000.0)
            + text("pro") + varint(20) + varint(self.renews))

    def usage(self, i):
        key = self.keys[i]
        self._produce(
            f"{self.name}.usage", key,
            varint(len(key)) + key + text(f"{self.nsent:x}")
            + varint(now_ms()) + text("login" if i & 3 == 0 else "view")
            + varint(self.nsent & 1023))

    def each_once(self):
        """An event of each input for every account."""
        for i in range(len(self.keys)):
            self.account(i)
            self.usage(i)
        self.flush()

    def some(self, n):
        for _ in range(n):
            i = int(self.chance.random() * len(self.keys))
            if self.chance.random() < self.share:
                self.account(i)
            else:
                self.usage(i)
        self.producer.poll(0)

    def paced(self, rate, seconds, step=0.02):
        begin = time.monotonic()
        sent, total = 0, int(rate * seconds)
        while sent < total:
            due = min(total, int((time.monotonic() - begin) * rate) + 1)
            self.some(due - sent)
            sent = due
            time.sleep(step)
        self.flush()

    def flush(self):
        assert self.producer.flush(600) == 0
