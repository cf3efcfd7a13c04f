"""ingest/ and publish/ on a real broker: tests/integration/c, and what other
readers make of what was published."""

import json
import pathlib

import pytest

from support import cprogram
from support.avro import Codec

SCHEMAS = pathlib.Path(__file__).resolve().parents[2] / "schemas"
ACCOUNT = "konto-\u00e4"


def run(kafka, unique, name):
    kafka.create_topics({f"{unique}-in0": 3, f"{unique}-in1": 3,
                         f"{unique}-re0": 3, f"{unique}-re1": 3,
                         f"{unique}-two": 2})
    cprogram.run(name, {"KAFKA_BOOTSTRAP": kafka.bootstrap,
                        "KAFKA_UNIQUE": unique})


def test_reading(kafka, unique):
    run(kafka, unique, "kafka_read")


@pytest.fixture(scope="module")
def published(kafka):
    """The topics that kafka_txn wrote, by what they hold."""
    unique = "published"
    run(kafka, unique, "kafka_txn")
    return {kind: f"{unique}-sample-{kind}"
            for kind in ("changes", "current", "renewals", "rejects")}


def headers(message):
    return dict(message.headers() or [])


def test_transactions(published):
    """The program itself: see tests/integration/c/kafka_txn.c."""
    assert published


def test_changes_are_read_with_their_schema(kafka, published):
    codec = Codec.of_file(SCHEMAS / "change.v1.avsc")
    first, second = kafka.read(published["changes"])
    assert first.partition() == 1
    assert first.key().decode() == ACCOUNT
    value = codec.read_single_object(first.value())
    for name in ("event_time", "evaluated_at", "valid_until"):
        value[name] = value[name].isoformat()
    value["renewal"]["date"] = value["renewal"]["date"].isoformat()
    assert value == {
        "change_id": "0" * 31 + "1",
        "account_id": ACCOUNT,
        "account_version": 1,
        "segmentation": "touch",
        "from": "low",
        "to": "high",
        "action": "move",
        "origin": "live",
        "event_time": "2023-11-14T22:13:20+00:00",
        "evaluated_at": "2023-11-14T22:13:20.123000+00:00",
        "valid_until": "2023-11-15T22:13:20+00:00",
        "rules_version": "fedcba9876543210",
        "trigger": {"topic": "customer.accounts", "partition": 1,
                    "offset": 2**40, "event_id": "e-1"},
        "reasons": [
            {"rule": "touch.high", "clause": "account.arr >= 100000.0",
             "result": True, "values": {"account.arr": "120000.5",
                                        "now": "2023-11-14T22:13:20Z"}},
            {"rule": "touch.mid", "clause": "true", "result": False,
             "values": {}},
        ],
        "renewal": {"date": "2024-02-12T22:13:20+00:00", "days_left": 90,
                    "window": "T-90"},
        "priority": -0.5,
    }
    assert first.headers() == [
        ("ce_specversion", b"1.0"),
        ("ce_id", b"0" * 31 + b"1"),
        ("ce_source", b"segmentd/test"),
        ("ce_type", b"segmentd.change.v1"),
        ("ce_time", b"2023-11-14T22:13:20.123Z"),
        ("ce_subject", ACCOUNT.encode()),
        ("cno", b"41"),
        ("content-type", b"application/avro"),
    ]
    value = codec.read_single_object(second.value())
    assert (value["segmentation"], value["action"], value["origin"]) == (
        "renewal", "enter", "timer")
    assert value["from"] is None
    assert value["trigger"] is None
    assert value["priority"] is None
    assert value["reasons"] == []
    assert value["valid_until"] is None


def test_renewals_are_read_with_their_schema(kafka, published):
    codec = Codec.of_file(SCHEMAS / "renewal.v1.avsc")
    (message,) = kafka.read(published["renewals"])
    value = codec.read_single_object(message.value())
    assert message.key().decode() == value["account_id"] == ACCOUNT
    assert (value["change_id"], value["account_version"]) == (
        "0" * 31 + "2", 2)
    assert (value["from"], value["to"]) == (None, "T-90")
    assert value["date"].isoformat() == "2024-02-12T22:13:20+00:00"
    assert value["days_left"] == 90
    assert value["priority"] is None
    assert headers(message)["ce_type"] == b"segmentd.renewal.v1"


def test_memberships_are_read_with_their_schema(kafka, published):
    codec = Codec.of_file(SCHEMAS / "current.v1.avsc")
    first, tombstone = kafka.read(published["current"])
    value = codec.read_single_object(first.value())
    assert value["account_id"] == ACCOUNT
    assert value["account_version"] == 2
    assert [(s["segmentation"], s["segment"], s["since"].isoformat())
            for s in value["segments"]] == [
        ("touch", "high", "2023-11-14T22:13:20.123000+00:00")]
    assert value["renewal"]["window"] == "T-90"
    assert value["state"] == b"\0\1"
    assert headers(first)["ce_id"] == f"{ACCOUNT}/2".encode()

    assert (tombstone.partition(), tombstone.key()) == (2, b"gone")
    assert tombstone.value() is None
    assert headers(tombstone)["account_version"] == b"9"
    assert headers(tombstone)["ce_id"] == b"gone/9"
    assert headers(tombstone)["ce_type"] == b"segmentd.deleted.v1"
    assert kafka.topic_config(
        published["current"])["cleanup.policy"] == "compact"
    assert kafka.topic_config(
        published["changes"])["cleanup.policy"] == "delete"


def test_rejects_keep_what_came(kafka, published):
    whole, without_value, bare = kafka.read(published["rejects"])
    assert (whole.key(), whole.value()) == (b"k\xff", b"\0junk")
    assert whole.headers() == [
        ("theirs", b"\0\xff"),
        ("null", None),
        ("segmentd_reason", b"bad_record"),
        ("segmentd_detail", b"at byte 3"),
        ("segmentd_schema", b"17"),
        ("segmentd_topic", b"customer.usage"),
        ("segmentd_partition", b"2"),
        ("segmentd_offset", b"77"),
        ("segmentd_timestamp", b"1700000000000"),
    ]
    # With our headers they were too large for the broker.
    assert (without_value.key(), without_value.value()) == (b"k\xff", None)
    assert headers(without_value)["segmentd_cut"] == b"value"
    assert headers(without_value)["theirs"] == b"\0\xff"
    assert (bare.key(), bare.value()) == (None, None)
    assert headers(bare)["segmentd_cut"] == b"value,key,headers"
    assert headers(bare)["segmentd_offset"] == b"77"


@pytest.mark.parametrize("name", ["change", "renewal", "current"])
def test_every_field_says_what_it_means(name):
    def undocumented(node, path):
        if isinstance(node, list):
            return [p for n in node for p in undocumented(n, path)]
        if not isinstance(node, dict):
            return []
        found = []
        if node.get("type") in ("record", "enum") and not node.get("doc"):
            found.append(path)
        for field in node.get("fields", []):
            here = f"{path}.{field['name']}"
            if not field.get("doc", "").endswith("."):
                found.append(here)
            found += undocumented(field["type"], here)
        return found + undocumented(node.get("items"), path)

    schema = json.loads((SCHEMAS / f"{name}.v1.avsc").read_text())
    assert undocumented(schema, schema["name"]) == []
