"""A small configuration with the wall clock, and records for it."""

import datetime as dt
import json
import time

from support.avro import Codec

ACCOUNT = {
    "type": "record", "name": "Account", "fields": [
        {"name": "event_id", "type": ["null", "string"], "default": None},
        {"name": "account_id", "type": ["null", "string"], "default": None},
        {"name": "updated_at", "type": {
            "type": "long", "logicalType": "timestamp-millis"}},
        {"name": "arr", "type": ["null", "double"], "default": None},
        {"name": "renews_at", "type": ["null", {
            "type": "long", "logicalType": "timestamp-millis"}],
         "default": None},
        {"name": "status", "type": "string", "default": "active"},
    ]}

USAGE = {
    "type": "record", "name": "Usage", "fields": [
        {"name": "event_id", "type": ["null", "string"], "default": None},
        {"name": "account_id", "type": "string"},
        {"name": "at", "type": {
            "type": "long", "logicalType": "timestamp-millis"}},
        {"name": "kind", "type": "string"},
        {"name": "seconds", "type": "int", "default": 0},
    ]}

DAY_MS = 86400000
ACCOUNT_SCHEMA_ID = 7
USAGE_SCHEMA_ID = 8


def now_ms():
    return int(time.time() * 1000)


def instant(ms):
    """Milliseconds as python3-avro wants a timestamp."""
    return None if ms is None else dt.datetime.fromtimestamp(
        ms / 1000, dt.timezone.utc)


class Company:
    """Topics, schemas and a configuration under names of their own."""

    partitions = 4

    def __init__(self, kafka, redis, folder, name, partitions=None):
        self.kafka = kafka
        self.name = name
        if partitions:
            self.partitions = partitions
        self.account = Codec(json.dumps(ACCOUNT))
        self.usage = Codec(json.dumps(USAGE))
        folder.mkdir(parents=True, exist_ok=True)
        account_file = folder / f"{ACCOUNT_SCHEMA_ID}-account.avsc"
        usage_file = folder / f"{USAGE_SCHEMA_ID}-usage.avsc"
        account_file.write_text(json.dumps(ACCOUNT), "utf-8")
        usage_file.write_text(json.dumps(USAGE), "utf-8")
        self.config = {
            "version": 1,
            "kafka": {"bootstrap.servers": kafka.bootstrap,
                      "session.timeout.ms": "6000"},
            "group": name,
            "instance": "one",
            "workers": 2,
            "redis": {"url": redis.url, "prefix": name},
            "schemas": {"folder": str(folder)},
            "topics": {"changes": f"{name}.changes",
                       "current": f"{name}.current",
                       "renewals": f"{name}.renewals",
                       "rejects": f"{name}.rejects",
                       "overrides": f"{name}.overrides"},
            "flush": {"age": "100ms"},
            "commit": {"interval": "200ms"},
            "inputs": {
                "account": {
                    "topic": f"{name}.account", "schema": str(account_file),
                    "key": "account_id", "time": "updated_at",
                    "id": "event_id", "delete_when": 'status == "deleted"',
                    "features": {"arr": {"last": "arr"},
                                 "renews_at": {"last": "renews_at"},
                                 "status": {"last": "status"}}},
                "usage": {
                    "topic": f"{name}.usage", "schema": str(usage_file),
                    "key": "account_id", "time": "at", "id": "event_id",
                    "features": {
                        "logins_14d": {"count": "14d",
                                       "where": 'kind == "login"'},
                        "seconds_30d": {"sum": "seconds", "window": "30d"},
                        "last_seen": {"latest": "at"}}},
            },
            "segmentations": {
                "touch": {"segments": [
                    {"name": "high", "when": "account.arr >= 100000.0"},
                    {"name": "mid", "when": "account.arr >= 20000.0"},
                    {"name": "low"}]},
                "busy": {"enter": "usage.logins_14d >= 3",
                         "exit": "usage.logins_14d == 0"},
            },
            "renewal": {"date": "account.renews_at",
                        "windows": [120, 90, 60, 30], "timezone": "UTC",
                        "priority": "account.arr"},
        }

    def create(self):
        self.kafka.create_topics({
            f"{self.name}.account": self.partitions,
            f"{self.name}.usage": self.partitions})
        return self

    # --- records ------------------------------------------------------------

    def account_record(self, account, arr=None, at=None, renews_at=None,
                       status="active", event_id=None, framed="confluent"):
        value = {"event_id": event_id, "account_id": account,
                 "updated_at": instant(now_ms() if at is None else at),
                 "arr": arr, "renews_at": instant(renews_at),
                 "status": status}
        data = (self.account.confluent(value, ACCOUNT_SCHEMA_ID)
                if framed == "confluent" else self.account.single_object(value))
        return {"key": account.encode(), "value": data}

    def usage_record(self, account, kind="login", at=None, seconds=0,
                     event_id=None):
        value = {"event_id": event_id, "account_id": account,
                 "at": instant(now_ms() if at is None else at),
                 "kind": kind, "seconds": seconds}
        return {"key": account.encode(),
                "value": self.usage.confluent(value, USAGE_SCHEMA_ID)}

    def pin(self, account, segmentation, segment):
        """A person's override, by the topic for them."""
        from support.segmentd import ROOT
        codec = Codec.of_file(ROOT / "schemas/override.v1.avsc")
        self.kafka.produce(f"{self.name}.overrides", [{
            "key": account.encode(), "value": codec.single_object({
                "account_id": account, "segmentation": segmentation,
                "segment": segment, "author": "ann", "reason": "a friend",
                "expires_at": None, "at": instant(now_ms()),
                "event_id": None})}])

    def send_accounts(self, *records):
        self.kafka.produce(f"{self.name}.account", records)

    def send_usage(self, *records):
        self.kafka.produce(f"{self.name}.usage", records)

    # --- what came out ------------------------------------------------------

    def view(self, client, account):
        return {name.decode(): value.decode() for name, value in
                client.hgetall(f"{self.name}:acct:{account}").items()}

    def read(self, topic):
        """Values of an output topic, read by python3-avro."""
        from support.segmentd import ROOT
        file = {"changes": "change", "current": "current",
                "renewals": "renewal"}[topic]
        codec = Codec.of_file(ROOT / f"schemas/{file}.v1.avsc")
        return [(m.key().decode(),
                 None if m.value() is None
                 else codec.read_single_object(m.value()))
                for m in self.kafka.read(f"{self.name}.{topic}")]

    def changes(self, account=None):
        return [change for key, change in self.read("changes")
                if account in (None, key)]

    def rejects(self):
        return [(m.key(), m.value(),
                 {name: value for name, value in m.headers() or []})
                for m in self.kafka.read(f"{self.name}.rejects")]
