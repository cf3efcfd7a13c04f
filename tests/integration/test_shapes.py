"""Input of any shape, written by python3-avro and confluent-kafka.

Three configurations on real Kafka and Redis: the presets for group and track
calls and for CloudEvents, and one whose topics hold old and new writers mixed
and bind fields by every sort of path. What must come out is computed here from
the values that were written, not from their bytes.
"""

import datetime as dt
import json

import yaml
from support.avro import Codec
from support.company import instant, now_ms
from support.process import wait_until
from support.segmentd import ROOT

PARTITIONS = 3
MS = {"type": "long", "logicalType": "timestamp-millis"}
HOUR_MS = 3600000


def record(name, *fields):
    """A schema: ("name", type) or ("name", type, {"default": ...})."""
    return {"type": "record", "name": name, "fields": [
        {"name": field[0], "type": field[1], **(field[2:] or ({},))[0]}
        for field in fields]}


class Writers:
    """Writer schemas by Confluent id, in a folder as segmentd reads it."""

    def __init__(self, folder, schemas):
        folder.mkdir(parents=True, exist_ok=True)
        self.codecs = {}
        for schema_id, schema in schemas.items():
            text = json.dumps(schema)
            (folder / f"{schema_id}.avsc").write_text(text, "utf-8")
            self.codecs[schema_id] = Codec(text)

    def confluent(self, schema_id, value):
        return self.codecs[schema_id].confluent(value, schema_id)

    def single_object(self, schema_id, value):
        return self.codecs[schema_id].single_object(value)


class Rig:
    """A configuration with topics and keys of its own, and what came out."""

    def __init__(self, config, kafka, redis, folder, name):
        self.kafka = kafka
        self.redis = redis
        self.name = name
        self.config = {
            **config,
            "kafka": {"bootstrap.servers": kafka.bootstrap},
            "group": name, "instance": "one", "workers": 1,
            "redis": {"url": redis.url, "prefix": name},
            "schemas": {"folder": str(folder)},
            "topics": {kind: f"{name}.{kind}" for kind in (
                "changes", "current", "renewals", "rejects", "overrides")},
            "flush": {"age": "50ms"}, "commit": {"interval": "100ms"},
        }
        for source, conf in self.config["inputs"].items():
            conf["topic"] = self.topic(source)
        kafka.create_topics({self.topic(source): PARTITIONS
                             for source in config["inputs"]})

    def topic(self, source):
        return f"{self.name}.{source}"

    def send(self, source, records):
        """records: (account, value) or (account, value, more)."""
        self.kafka.produce(self.topic(source), [
            {"key": rec[0].encode(), "value": rec[1],
             **(rec[2:] or ({},))[0]} for rec in records])

    def view(self, account):
        return {name.decode(): value.decode() for name, value in
                self.redis.client().hgetall(
                    f"{self.name}:acct:{account}").items()}

    def wait_for(self, daemon, account, want):
        """Until these fields of the account's public view are as wanted; None
        is a field that is not there."""
        def differ():
            view = self.view(account)
            return {name: (view.get(name), value)
                    for name, value in want.items()
                    if view.get(name) != value}

        try:
            daemon.wait_for(lambda: not differ(), account)
        except AssertionError as failure:
            raise AssertionError(f"{account}: (got, want) {differ()}; "
                                 f"{self.view(account)}") from failure

    def segments(self, account):
        """{segmentation: segment} by the changes, the last one of each."""
        codec = Codec.of_file(ROOT / "schemas/change.v1.avsc")
        found = {}
        for message in self.kafka.read(f"{self.name}.changes"):
            change = codec.read_single_object(message.value())
            if change["account_id"] == account:
                found[change["segmentation"]] = change["to"]
        return found

    def rejects(self):
        return [(message.key().decode(),
                 dict(message.headers())["segmentd_reason"].decode())
                for message in self.kafka.read(f"{self.name}.rejects")]


def preset(name):
    """A preset as data, its schemas by absolute paths."""
    path = ROOT / f"config/presets/{name}.yaml"
    config = yaml.safe_load(path.read_text("utf-8"))
    for conf in config["inputs"].values():
        conf["schema"] = str((path.parent / conf["schema"]).resolve())
    return config


def rfc3339(ms):
    return instant(ms).isoformat(timespec="milliseconds")


# --- the presets ----------------------------------------------------------

# As their writers have them: more fields, other orders, other number types.
ANY = ["null", "boolean", "int", "long", "float", "double", "string"]
NESTED = [*ANY, {"type": "map", "values": ANY},
          {"type": "array", "items": ANY}]
LIBRARY = record("Library", ("name", "string"), ("version", "string"))
CALLS = {
    # JavaScript names, times as text
    1: record("Group", ("type", "string"), ("anonymousId", ["null", "string"]),
              ("context", record("Context", ("ip", "string"),
                                 ("library", LIBRARY))),
              ("traits", {"type": "map", "values": NESTED}),
              ("groupId", "string"), ("messageId", "string"),
              ("timestamp", "string"), ("receivedAt", MS)),
    # snake case, times as timestamps, values in another order
    2: record("Group", ("group_id", "string"), ("message_id", "string"),
              ("traits", {"type": "map", "values": [
                  "string", "double", "long", "boolean", "null"]}),
              ("timestamp", MS)),
    3: record("Track", ("type", "string"), ("event", "string"),
              ("userId", ["null", "string"]),
              ("context", record("Context", ("locale", "string"),
                                 ("groupId", ["string", "null"]),
                                 ("library", LIBRARY))),
              ("properties", {"type": "map", "values": NESTED}),
              ("messageId", "string"), ("timestamp", "string")),
    # no properties at all
    4: record("Track", ("message_id", "string"), ("event", "string"),
              ("user_id", "string"), ("timestamp", MS),
              ("context", record("Context", ("group_id", "string")))),
}


def group_call(writers, account, number, at, traits):
    return account, writers.confluent(1, {
        "type": "group", "anonymousId": None,
        "context": {"ip": "10.0.0.1", "library": {
            "name": "analytics-node", "version": "2.1.0"}},
        "traits": traits, "groupId": account, "messageId": f"g{number}",
        "timestamp": rfc3339(at), "receivedAt": instant(at + 5)})


def track_call(writers, account, number, at, event, user, properties):
    return account, writers.single_object(3, {
        "type": "track", "event": event, "userId": user,
        "context": {"locale": "de-DE", "groupId": account, "library": {
            "name": "analytics.js", "version": "5"}},
        "properties": properties, "messageId": f"t{number}",
        "timestamp": rfc3339(at)})


def test_group_and_track_calls(kafka, redis, segmentd, tmp_path, unique):
    writers = Writers(tmp_path / "writers", CALLS)
    rig = Rig(preset("segment_calls"), kafka, redis, tmp_path / "writers",
              unique)
    at = now_ms() - HOUR_MS
    created = at - 100 * 24 * HOUR_MS
    daemon = segmentd(rig.config)
    daemon.start()
    rig.send("group", [
        group_call(writers, "acme", 1, at, {
            "plan": "free", "employees": 40, "arr": 1200.5, "paying": True,
            "createdAt": rfc3339(created), "tags": ["a", 1, None],
            "address": {"country": "DE", "zip": 10115}}),
        # The other client: an integer where the first has a double.
        ("bolt", writers.single_object(2, {
            "group_id": "bolt", "message_id": "g2", "timestamp": instant(at),
            "traits": {"plan": "team", "employees": 2500.0, "arr": 7,
                       "createdAt": None}})),
        # A text where a number should be: nothing there, and no reject.
        group_call(writers, "core", 3, at, {"plan": 3, "employees": "many"}),
    ])
    rig.send("track", [
        track_call(writers, "acme", 1, at, "Report Exported", "ann",
                   {"format": "pdf"}),
        track_call(writers, "acme", 2, at + 1, "Report Exported", "bob",
                   {"format": "pdf", "pages": 3, "to": ["x", "y"]}),
        track_call(writers, "acme", 2, at + 2, "Report Exported", "bob",
                   {"format": "pdf"}),  # the same message again
        track_call(writers, "acme", 3, at + 3, "Order Completed", "cy",
                   {"revenue": 300, "coupon": None}),
        track_call(writers, "acme", 4, at + 4, "Order Completed", "cy",
                   {"revenue": 250.25, "coupon": "X", "cart": {"n": 2}}),
        ("acme", writers.confluent(4, {
            "message_id": "t5", "event": "Signed In", "user_id": "dan",
            "timestamp": instant(at + 5),
            "context": {"group_id": "acme"}})),
        # Nobody says for whom.
        ("acme", writers.confluent(3, {
            "type": "track", "event": "Lost", "userId": None,
            "context": {"locale": "", "groupId": None, "library": {
                "name": "", "version": ""}},
            "properties": {}, "messageId": "t6",
            "timestamp": rfc3339(at)})),
    ])
    rig.wait_for(daemon, "acme", {
        "group.plan": "free", "group.employees": "40", "group.arr": "1200.5",
        "group.country": "DE", "track.users_30d": "4",
        "track.events_30d": "3", "track.spent_30d": "550.25",
        "track.exports_30d": "2"})
    rig.wait_for(daemon, "bolt", {
        "group.plan": "team", "group.employees": "2500", "group.arr": "7",
        "group.since": None})
    rig.wait_for(daemon, "core", {
        "group.plan": None, "group.employees": None})
    wait_until(lambda: rig.rejects() == [("acme", "no_account")],
               "the one without an account is rejected")
    daemon.stop()
    assert rig.segments("acme") == {
        "lifecycle": "activated", "size": "self_service", "qualified": "in",
        "buyer": "in", "exporter": "in", "dach": "in"}
    assert rig.segments("bolt")["size"] == "enterprise"
    assert rig.segments("core")["size"] == "self_service"


def cloud_event(attributes, data):
    """Structured mode: CloudEvents' Avro format."""
    codec = Codec.of_file(ROOT / "schemas/presets/cloudevent.v1.avsc")
    return codec.single_object({"attribute": {
        "specversion": "1.0", "source": "/crm",
        "datacontenttype": "application/json", **attributes}, "data": data})


def test_cloudevents_in_both_modes(kafka, redis, segmentd, tmp_path, unique):
    usage = record("Usage", ("session", {"type": "array", "items": "string"}),
                   ("duration_s", "int"), ("user_id", "string"))
    writers = Writers(tmp_path / "writers", {9: usage})
    rig = Rig(preset("cloudevents"), kafka, redis, tmp_path / "writers",
              unique)
    at = now_ms() - HOUR_MS
    renews_at = (dt.datetime.now(dt.timezone.utc).replace(
        hour=12, minute=0, second=0, microsecond=0) + dt.timedelta(days=75))

    def account(name, number, data, kind="updated"):
        return name, cloud_event({
            "id": f"e{number}", "type": f"com.example.account.{kind}",
            "subject": name, "time": rfc3339(at + number)}, data)

    def use(name, number, user, seconds, kind, **more):
        headers = {"ce_specversion": "1.0", "ce_id": f"u{number}",
                   "ce_source": "/app", "ce_type": f"com.example.{kind}",
                   "ce_subject": name, "ce_time": rfc3339(at + number),
                   "content-type": "application/avro", **more}
        return name, writers.confluent(9, {
            "session": ["s1", "s2"], "duration_s": seconds,
            "user_id": user}), {"headers": [
                (key, value.encode()) for key, value in headers.items()]
                + [("trace", b"\xff\x00")]}

    daemon = segmentd(rig.config)
    daemon.start()
    rig.send("account", [
        account("acme", 1, {"plan": "team", "seats": 2.0, "arr": 25000.0,
                            "renews_at": renews_at.isoformat(),
                            "trial": False, "note": None}),
        account("bolt", 2, {"plan": "enterprise", "seats": "many"}),
        account("core", 3, {"arr": 1.0}),
        account("dune", 5, "a text"),
    ])
    rig.send("usage", [
        use("acme", 1, "ann", 20000, "login"),
        use("acme", 1, "ann", 20000, "login"),  # the same event again
        use("acme", 2, "bob", 17000, "feature"),
        use("acme", 3, "bob", 1, "feature", ce_subject="somebody else"),
        use("acme", 4, "bob", 1, "feature", ce_time="noon"),
    ])
    rig.wait_for(daemon, "acme", {
        "account.plan": "team", "account.seats": "2",
        "account.arr": "25000", "usage.users_30d": "2",
        "usage.seconds_7d": "37000", "usage.logins_14d": "1"})
    rig.wait_for(daemon, "bolt", {
        "account.plan": "enterprise", "account.seats": None})
    rig.wait_for(daemon, "core", {"segment.tier": "low"})
    rig.wait_for(daemon, "dune", {"segment.tier": "low",
                                  "account.plan": None})
    rig.send("account", [account("core", 4, None, "deleted")])
    wait_until(lambda: sorted(rig.rejects()) == [
        ("acme", "bad_time"), ("acme", "key_mismatch")], "the rejects")
    wait_until(lambda: not rig.view("core"), "core is gone")
    daemon.stop()
    # Whether it was silent first depends on which topic was read first.
    found = rig.segments("acme")
    assert found.pop("silent", "out") == "out"
    assert found == {"tier": "mid", "full": "in", "heavy": "in",
                     "renewal": "T-90"}
    assert rig.segments("bolt")["tier"] == "high"
    assert rig.segments("core") == {"tier": None, "silent": None}


# --- old and new writers in one topic, and every sort of path --------------

STATUS = {"type": "enum", "name": "Status"}
READER = record(
    "Account",
    ("account_id", "string"), ("at", MS),
    ("tier", "string", {"aliases": ["plan"]}),
    ("seats", "long"), ("score", "double"),
    ("note", "string"), ("token", "bytes"),
    ("region", "string", {"default": "nowhere"}),
    ("discount", ["null", "double"], {"default": None}),
    ("legacy", "long", {"default": -1}),
    ("status", {**STATUS, "symbols": ["trial", "active", "other"],
                "default": "other"}))
ACCOUNTS = {
    # old: everything before it was renamed, promoted, added, dropped
    11: record("Account", ("account_id", "string"), ("at", MS),
               ("plan", "string"), ("seats", "int"), ("score", "float"),
               ("note", "bytes"), ("token", "string"), ("legacy", "int"),
               ("status", {**STATUS, "symbols": ["trial", "active"]})),
    # new: another order, a symbol more, a field nobody asked for
    12: record("Account", ("extra", {"type": "map", "values": "string"}),
               ("status", {**STATUS, "symbols": [
                   "active", "paused", "trial"]}),
               ("region", "string"), ("discount", ["double", "null"]),
               ("tier", "string"), ("seats", "long"), ("score", "double"),
               ("note", "string"), ("token", "bytes"),
               ("at", MS), ("account_id", "string")),
    # between: some of both, and a long that is read as a double
    13: record("Account", ("account_id", "string"), ("at", MS),
               ("tier", "string"), ("seats", "int"), ("score", "long"),
               ("note", "string"), ("token", "bytes"), ("legacy", "long"),
               ("discount", "float"),
               ("status", {**STATUS, "symbols": ["active"]})),
    # a newer one that cannot be read as ours
    14: record("Account", ("account_id", "string"), ("at", MS),
               ("tier", "string"), ("seats", "string"), ("score", "double"),
               ("note", "string"), ("token", "bytes"),
               ("status", {**STATUS, "symbols": ["active"]})),
}
EVENT = record(
    "Event",
    ("plan", record("Plan", ("name", "string"), ("limit", record(
        "Limit", ("seats", "int"))))),
    ("who", ["null", record("Person", ("email", "string")),
             record("Robot", ("email", "string"), ("model", "string"))]),
    ("items", {"type": "array", "items": record(
        "Item", ("sku", "string"), ("n", "int"))}),
    ("traits", {"type": "map", "values": ["null", "string", "long"]}),
    ("labels", {"type": "map", "values": {"type": "array",
                                          "items": "string"}}))
SHAPES = {
    "version": 1,
    "inputs": {
        "account": {
            "key": "account_id", "time": "at",
            "features": {
                "tier": {"last": "tier"}, "seats": {"sum": "seats"},
                "most": {"max": "score"}, "note": {"last": "note"},
                "tokens": {"distinct": "token", "window": "30d"},
                "regions": {"distinct": "region", "window": "30d"},
                "region": {"last": "region"},
                "discount": {"last": "discount"},
                "legacy": {"last": "legacy"},
                "status": {"last": "status"},
                "others": {"count": "30d", "where": 'status == "other"'},
                "n": {"count": "all"}}},
        "event": {
            "time": "@timestamp",
            "features": {
                "plan": {"last": "plan.name"},
                "limit": {"max": "plan.limit.seats"},
                "email": {"last": "who.email"},
                "model": {"last": "who.model"},
                "sku": {"last": "items[0].sku"},
                "second": {"sum": "items[1].n"},
                "role": {"last": 'traits["role"]', "as": "string"},
                "level": {"sum": 'traits["level"]', "as": "int"},
                "label": {"last": 'labels["a b"][1]'},
                "source": {"last": '@headers["source"]'},
                "seen": {"latest": "@timestamp"},
                "web": {"count": "30d",
                        "where": 'headers["source"] == "web"'},
                "all": {"collect": "plan.name", "keep": [
                    "items[0].sku", '@headers["source"]', "@timestamp"]},
                "n": {"count": "all"}}},
    },
    "segmentations": {"seen": {"enter": 'event.all.exists(e, e.sku == "s3")'},
                      "large": {"enter": "account.seats >= 20"}},
}


def old_and_new(writers, accounts, at):
    """Records of every writer, interleaved; what the reader sees of each."""
    written, seen = [], {account: [] for account in accounts}
    for n in range(30):
        account = accounts[n % len(accounts)]
        writer = (11, 12, 13)[(n // 4 + n) % 3]
        value = {"account_id": account, "at": instant(at + n), "seats": n,
                 "score": float(n) * (0.5 if writer != 13 else 1),
                 "tier": f"tier{n}", "plan": f"plan{n}", "note": f"n\u00f6{n}",
                 "token": f"t{n // 4 % 5}".encode(), "region": f"r{n // 9}",
                 "discount": None if writer == 12 and n % 2 else n / 4,
                 "legacy": n, "extra": {"k": "v"},
                 "status": ("trial", "paused", "active")[n % 3]}
        if writer == 11:
            value["note"] = value["note"].encode()
            value["token"] = value["token"].decode()
            value["status"] = ("trial", "active")[n % 2]
        if writer == 13:
            value["score"] = n
            value["status"] = "active"
        known = {f["name"] for f in ACCOUNTS[writer]["fields"]}
        value = {k: v for k, v in value.items() if k in known}
        data = (writers.confluent if n % 2 else writers.single_object)(
            writer, value)
        written.append((account, data))
        seen[account].append({
            **value, "writer": writer,
            "tier": value.get("tier", value.get("plan")),
            "note": f"n\u00f6{n}", "token": n // 4 % 5,
            "region": value.get("region", "nowhere"),
            "legacy": value.get("legacy", -1),
            "discount": value.get("discount"),
            "status": {"paused": "other"}.get(
                value["status"], value["status"])})
    return written, seen


def number(value):
    """As the public view shows a double."""
    return None if value is None else f"{value:.17g}"


def test_old_and_new_writers_mixed_and_every_path(
        kafka, redis, segmentd, tmp_path, unique):
    folder = tmp_path / "writers"
    writers = Writers(folder, {**ACCOUNTS, 20: EVENT})
    (tmp_path / "reader.avsc").write_text(json.dumps(READER), "utf-8")
    config = json.loads(json.dumps(SHAPES))
    config["inputs"]["account"]["schema"] = str(tmp_path / "reader.avsc")
    config["inputs"]["event"]["schema"] = str(folder / "20.avsc")
    rig = Rig(config, kafka, redis, folder, unique)
    accounts = [f"a{i}" for i in range(4)]
    at = now_ms() - HOUR_MS
    written, seen = old_and_new(writers, accounts, at)
    bad = writers.confluent(14, {
        "account_id": "a1", "at": instant(at), "tier": "x", "seats": "many",
        "score": 1.0, "note": "", "token": b"", "status": "active"})
    written.insert(7, ("a1", bad))
    daemon = segmentd(rig.config)
    daemon.start()
    rig.send("account", written)
    rig.send("event", [("a0", writers.confluent(20, {
        "plan": {"name": f"p{n}", "limit": {"seats": 10 - n}},
        "who": (None, {"email": "ann@x"}, {"email": "r2@x", "model": "r2"},
                {"email": "bob@x"})[n],
        "items": [{"sku": f"s{n}", "n": n}, {"sku": "x", "n": 7}][:n],
        "traits": ({}, {"role": "admin", "level": 3}, {"role": 4, "level": "x"},
                   {"role": "user", "level": 5})[n],
        "labels": {"a": ["u"], "a b": ["u", f"v{n}"]}}), {
            "timestamp": at + n * 1000,
            "headers": [("source", b"old"), ("source", (
                b"web", b"app", b"web", b"api")[n])]})
        for n in range(4)])
    for account, values in seen.items():
        last = values[-1]
        rig.wait_for(daemon, account, {
            "account.n": str(len(values)), "account.tier": last["tier"],
            "account.seats": str(sum(v["seats"] for v in values)),
            "account.most": number(max(v["score"] for v in values)),
            "account.note": last["note"],
            "account.tokens": str(len({v["token"] for v in values})),
            "account.regions": str(len({v["region"] for v in values})),
            "account.region": last["region"],
            "account.discount": number(last["discount"]),
            "account.legacy": str(last["legacy"]),
            "account.status": last["status"],
            "account.others": str(sum(
                v["status"] == "other" for v in values))})
    rig.wait_for(daemon, "a0", {
        "event.n": "4", "event.plan": "p3", "event.limit": "10",
        "event.email": "bob@x", "event.model": None, "event.sku": "s3",
        "event.second": "14", "event.role": "user", "event.level": "8",
        "event.label": "v3", "event.source": "api", "event.web": "2"})
    view = rig.view("a0")
    assert dt.datetime.fromisoformat(
        view["event.seen"].replace("Z", "+00:00")) == instant(at + 3000)
    kept = json.loads(view["event.all"])
    assert [(e["name"], e["sku"], e["source"]) for e in kept] == [
        ("p0", None, "web"), ("p1", "s1", "app"), ("p2", "s2", "web"),
        ("p3", "s3", "api")]
    assert [dt.datetime.fromisoformat(
        e["timestamp"].replace("Z", "+00:00")) for e in kept] == [
            instant(at + n * 1000) for n in range(4)]
    wait_until(lambda: rig.rejects() == [("a1", "incompatible_schema")],
               "the writer that cannot be read, and no other")
    daemon.stop()
    assert rig.segments("a0") == {"seen": "in", "large": "in"}
    # The test is about a mix: every account has had every writer.
    assert all({v["writer"] for v in values} == {11, 12, 13}
               for values in seen.values())
