"""Writer schemas from a schema registry, and our own in it."""

import json
import struct
import uuid

import pytest
from support import registry as registry_support
from support.avro import Codec
from support.company import ACCOUNT, Company, instant, now_ms
from support.process import wait_until
from support.segmentd import command

NEW_ACCOUNT = json.loads(json.dumps(ACCOUNT))
NEW_ACCOUNT["fields"].append(
    {"name": "plan", "type": "string", "default": "free"})


@pytest.fixture
def company(kafka, redis, tmp_path, unique):
    company = Company(kafka, redis, tmp_path / "schemas", unique).create()
    # What writers use comes from the registry alone.
    del company.config["schemas"]
    company.config["registry"] = {"cache": str(tmp_path / "registry-cache"),
                                  "unknown_for": "1h"}
    return company


@pytest.fixture
def told():
    registry = registry_support.ToldRegistry(user="ann:secret")
    yield registry
    registry.stop()


@pytest.fixture
def real(tmp_path):
    absent = registry_support.why_absent()
    if absent:
        pytest.skip(f"{absent}; not tested: ids, references and registration "
                    "on a real schema registry")
    registry = registry_support.RealRegistry(tmp_path / "registry")
    registry.start()
    yield registry
    registry.kill9()


def body_of(account, arr, schema=None):
    codec = Codec(json.dumps(schema or ACCOUNT))
    value = {"event_id": None, "account_id": account,
             "updated_at": instant(now_ms()),
             "arr": arr, "renews_at": None, "status": "active"}
    if schema:
        value["plan"] = "pro"
    return codec.bare(value)


def record(account, arr, schema_id, schema=None):
    return {"key": account.encode(),
            "value": struct.pack(">bI", 0, schema_id)
            + body_of(account, arr, schema)}


def touch(company, client, account):
    return company.view(client, account).get("segment.touch")


def use(registry, company, **more):
    company.config["registry"].update(
        url=registry.url, user="ann", password="secret", **more)
    company.config["topics"]["framing"] = "single_object"


def test_ids_guids_and_headers_name_a_schema(told, company, redis, segmentd):
    guid = uuid.uuid4()
    told.schemas["/schemas/ids/41"] = {"schema": json.dumps(ACCOUNT)}
    told.schemas[f"/schemas/guids/{guid}"] = {
        "schema": json.dumps(NEW_ACCOUNT)}
    use(told, company)
    daemon = segmentd(company.config)
    daemon.start()
    client = redis.client()
    company.send_accounts(
        record("by-id", 120000.0, 41),
        {"key": b"by-guid", "value": b"\x01" + guid.bytes
         + body_of("by-guid", 25000.0, NEW_ACCOUNT)},
        {"key": b"by-header", "value": body_of("by-header", 10.0, NEW_ACCOUNT),
         "headers": [("__value_schema_id", b"\x01" + guid.bytes)]})
    wait_until(lambda: (touch(company, client, "by-id"),
                        touch(company, client, "by-guid"),
                        touch(company, client, "by-header"))
               == ("high", "mid", "low"), "all three were read")
    assert "secret" not in daemon.output()
    daemon.stop()


def test_a_registry_that_is_away_holds_up_only_what_needs_it(
        told, company, redis, segmentd):
    """Nothing is rejected, order is kept, and other inputs and timers go on;
    what is known once is known after a restart without the registry."""
    told.schemas["/schemas/ids/41"] = {"schema": json.dumps(ACCOUNT)}
    told.schemas["/schemas/ids/42"] = {"schema": json.dumps(NEW_ACCOUNT)}
    told.schemas["/schemas/ids/8"] = {"schema": company.usage.text}
    use(told, company)
    company.config["segmentations"]["silent"] = {
        "enter": 'now - usage.last_seen >= duration("2s")'}
    daemon = segmentd(company.config)
    daemon.start()
    client = redis.client()
    company.send_accounts(record("acme", 120000.0, 41))
    company.send_usage(company.usage_record("acme"))
    wait_until(lambda: touch(company, client, "acme") == "high"
               and company.view(client, "acme").get("usage.logins_14d") == "1",
               "both schemas are here")
    told.is_up = False
    company.send_accounts(record("acme", 25000.0, 42, NEW_ACCOUNT),
                          record("acme", 10.0, 41))
    wait_until(lambda: "event=input_waits" in daemon.output(), "it waits")
    wait_until(lambda: daemon.get("/readyz")[0] != 200, "readiness says so")
    assert "[-]registry" in daemon.get("/readyz?verbose")[1]
    # The same account's usage is read, and time goes on for it.
    company.send_usage(company.usage_record("acme"))
    wait_until(lambda: company.view(client, "acme")
               .get("usage.logins_14d") == "2", "usage is read meanwhile")
    wait_until(lambda: company.view(client, "acme")
               .get("segment.silent") == "in", "a timer fires meanwhile")
    assert touch(company, client, "acme") == "high"
    told.is_up = True
    wait_until(lambda: touch(company, client, "acme") == "low",
               "the schema came and the records were read")
    wait_until(lambda: daemon.get("/readyz")[0] == 200, "ready again")
    moves = [(c["from"], c["to"]) for c in company.changes("acme")
             if c["segmentation"] == "touch"]
    assert moves in ([(None, "high"), ("high", "mid"), ("mid", "low")],
                     [(None, "high"), ("high", "low")])
    assert company.rejects() == []
    daemon.stop()

    told.is_up = False
    daemon.start()
    company.send_accounts(record("bolt", 25000.0, 42, NEW_ACCOUNT))
    wait_until(lambda: touch(company, client, "bolt") == "mid",
               "read by what the cache holds")
    daemon.stop()


def test_an_id_the_registry_does_not_know_is_a_reject(
        told, company, redis, segmentd):
    told.schemas["/schemas/ids/41"] = {"schema": json.dumps(ACCOUNT)}
    told.schemas["/schemas/ids/43"] = {"schema": "syntax = \"proto3\";",
                                       "schemaType": "PROTOBUF"}
    told.schemas["/schemas/ids/44"] = {"schema": "{\"type\":\"record\"}"}
    use(told, company)
    daemon = segmentd(company.config)
    daemon.start()
    client = redis.client()
    company.send_accounts(record("acme", 1.0, 9000), record("acme", 1.0, 43),
                          record("acme", 1.0, 44), record("acme", 1.0, 9000),
                          record("acme", 120000.0, 41))
    wait_until(lambda: touch(company, client, "acme") == "high",
               "the good one was read")
    wait_until(lambda: len(company.rejects()) == 4, "four rejects")
    assert told.asked.count("/apis/ccompat/v7/schemas/ids/9000") == 1
    daemon.stop()


def test_a_real_registry_end_to_end(real, company, redis, segmentd, tmp_path):
    """Ids and references as it gives them, and our outputs under its ids."""
    part = {"type": "enum", "name": "parts.Plan", "symbols": ["free", "pro"]}
    real.register("plan", json.dumps(part))
    whole = json.loads(json.dumps(NEW_ACCOUNT))
    whole["fields"][-1] = {"name": "plan", "type": "parts.Plan"}
    account_id = real.register(
        f"{company.name}.account-value", json.dumps(whole),
        [{"name": "parts.Plan", "subject": "plan", "version": 1}])
    joined = json.loads(json.dumps(whole))
    joined["fields"][-1]["type"] = part
    company.config["registry"]["url"] = f"http://127.0.0.1:1,{real.url}"

    # Registration is asked for, not done by the way.
    daemon = segmentd(company.config)
    daemon.start(is_waiting=False)
    assert daemon.process.wait() == 78
    assert "segmentd register" in daemon.output()
    done = command("register", "-c", daemon.path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("registered") == 3
    again = command("register", "-c", daemon.path)
    assert again.stdout.count("was there") == 3, again.stdout + again.stderr

    daemon.start()
    company.send_accounts(record("acme", 120000.0, account_id, joined))
    client = redis.client()
    wait_until(lambda: touch(company, client, "acme") == "high", "it is read")
    (raw,) = [message.value() for message in company.kafka.read(
        f"{company.name}.changes")]
    assert raw[:1] == b"\0"
    schema_id = struct.unpack(">I", raw[1:5])[0]
    status, answer = registry_support.ask(
        f"{real.url}/schemas/ids/{schema_id}")
    assert status == 200
    change = Codec(answer["schema"]).read_bare(raw[5:])
    assert (change["account_id"], change["to"]) == ("acme", "high")
    daemon.stop()
    # Reading our own back: a restart with nothing in Redis.
    client.flushall()
    daemon.start()
    wait_until(lambda: touch(company, client, "acme") == "high", "rebuilt")
    assert len(company.kafka.read(f"{company.name}.changes")) == 1
    daemon.stop()


def test_load_frames_with_the_registrys_ids(real, company, tmp_path):
    company.config["registry"].update(url=real.url, register=True)
    schema = tmp_path / "account.avsc"  # a name that gives it no id
    schema.write_text(company.account.text, "utf-8")
    company.config["inputs"]["account"].update(
        framing="confluent", schema=str(schema))
    config = tmp_path / "segmentd.yaml"
    config.write_text(json.dumps(company.config), "utf-8")
    rows = tmp_path / "accounts.ndjson"
    rows.write_text(json.dumps(
        {"account_id": "acme", "updated_at": "2026-01-01T00:00:00Z",
         "arr": 5.0, "status": "active"}) + "\n", "utf-8")
    done = command("load", "-c", config, "--input", f"account={rows}")
    assert done.returncode == 0, done.stderr
    (message,) = company.kafka.read(f"{company.name}.account")
    status, answer = registry_support.ask(
        f"{real.url}/subjects/{company.name}.account-value/versions/latest")
    assert status == 200
    schema_id, value = company.account.read_confluent(message.value())
    assert schema_id == answer["id"] and value["arr"] == 5.0

    del company.config["registry"]
    config.write_text(json.dumps(company.config), "utf-8")
    done = command("load", "-c", config, "--input", f"account={rows}")
    assert done.returncode == 78 and "registry.url" in done.stderr


def test_an_incompatible_schema_is_not_registered(real, company, segmentd):
    subject = f"{company.name}.changes-value"
    status, _ = registry_support.ask(
        f"{real.url}/config/{subject}", {"compatibility": "BACKWARD"}, "PUT")
    assert status == 200
    real.register(subject, json.dumps(
        {"type": "record", "name": "Change", "namespace": "segmentd",
         "fields": [{"name": "change_id", "type": "long"}]}))
    company.config["registry"].update(url=real.url, register=True)
    daemon = segmentd(company.config)
    daemon.start(is_waiting=False)
    assert daemon.process.wait() == 78
    assert "not compatible" in daemon.output()
