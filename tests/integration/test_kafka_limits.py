"""What Kafka may hold or take away: codecs, sizes, retention, partitions."""

import json
import pathlib

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import NewPartitions
from support.company import (ACCOUNT_SCHEMA_ID, USAGE, USAGE_SCHEMA_ID,
                             Company, now_ms)
from support.oracle import members_in_redis, names_of
from support.process import DEADLINE, wait_until
from support.segmentd import command
from support.settled import (check_versions, send_some, verify,
                             wait_settled)
from test_bad_input import framed, varint

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


@pytest.fixture
def company(kafka, redis, tmp_path, unique):
    return Company(kafka, redis, tmp_path / "schemas", unique).create()


def test_every_codec_is_read_and_written(company, redis, segmentd):
    """Also with control records between: they take an offset each."""
    daemon = segmentd(company.config)
    client = redis.client()
    for turn, codec in enumerate(CODECS):
        company.config["kafka"]["compression.codec"] = codec
        daemon.start()
        producer = Producer({
            "bootstrap.servers": company.kafka.bootstrap,
            "compression.codec": codec, "partitioner": "murmur2_random",
            "transactional.id": f"{company.name}-{codec}"})
        producer.init_transactions(DEADLINE)
        # An aborted transaction, which is not to be seen, then a real one.
        for arr, end in ((5e6, producer.abort_transaction),
                         ((30000.0, 200000.0)[turn % 2],
                          producer.commit_transaction)):
            producer.begin_transaction()
            for i in range(30):
                producer.produce(f"{company.name}.account",
                                 **company.account_record(f"a{i}", arr))
            producer.flush(DEADLINE)
            end(DEADLINE)
        segment = ("mid", "high")[turn % 2]
        wait_until(lambda: client.scard(
            f"{company.name}:seg:touch:{segment}") == 30, codec)
        assert company.view(client, "a0")["account.arr"] in (
            "30000", "200000")
        daemon.stop()
    versions = sorted(c["account_version"] for c in company.changes())
    assert versions == sorted(list(range(1, len(CODECS) + 1)) * 30)


def test_records_up_to_the_brokers_limit_and_beyond(
        kafka, redis, segmentd, tmp_path, unique):
    """50 MB of poison: read, set aside without its value, and gone on."""
    company = Company(kafka, redis, tmp_path / "schemas", unique,
                      partitions=1)
    limit = 52_428_800
    kafka.create_topics({f"{unique}.account": 1, f"{unique}.usage": 1},
                        config={"max.message.bytes": str(limit + 1000)})
    company.config["workers"] = 1
    company.config["topics"]["overrides"] = ""
    daemon = segmentd(company.config)
    daemon.start()
    # Arrays, or strings, of 2^62 items; a negative count; just bytes.
    deep = framed(ACCOUNT_SCHEMA_ID, varint(1) + varint(1 << 60) + b"\2" * 1000)
    minus = framed(ACCOUNT_SCHEMA_ID, varint(1) + varint(-(1 << 40)) + b"x")
    huge = framed(4711, b"\x55" * 50_000_000)
    kafka.produce(f"{unique}.account", [
        {"key": b"deep", "value": deep}, {"key": b"minus", "value": minus},
        {"key": b"huge", "value": huge, "headers": [("origin", b"test")]}],
        **{"message.max.bytes": limit + 500,
           "queue.buffering.max.kbytes": 200_000})
    company.send_accounts(company.account_record("good", 30000.0))
    client = redis.client()
    wait_until(lambda: client.sismember(f"{unique}:seg:touch:mid", "good"),
               "it has gone on")
    rejects = {key: (value, headers)
               for key, value, headers in company.rejects()}
    assert set(rejects) == {b"deep", b"minus", b"huge"}
    assert rejects[b"deep"][0] == deep and rejects[b"minus"][0] == minus
    value, headers = rejects[b"huge"]
    assert value is None and headers["segmentd_cut"] == b"value"
    assert headers["origin"] == b"test"
    assert headers["segmentd_reason"] == b"too_large"
    # Its bytes are where these say, as long as the input keeps them.
    assert headers["segmentd_topic"] == f"{unique}.account".encode()
    assert (headers["segmentd_partition"], headers["segmentd_offset"]) == (
        b"0", b"2")
    daemon.stop()


NODE = {"type": "record", "name": "Node", "fields": [
    {"name": "kids", "type": {"type": "array", "items": "Node"}}]}
NESTED = {**USAGE, "fields": [
    *USAGE["fields"],
    {"name": "nothing", "type": {"type": "array", "items": "null"}},
    {"name": "tree", "type": NODE}]}
DEEP = 15_000_000  # a record may have 16 MiB
LEAF, NOTHING = varint(0), varint(0)


def bombs():
    """(what it holds, its arrays, the reason when read, when skipped)."""
    tree = "nested or counted without end"
    void = "elements without bytes"
    return [
        # An array in an array, a byte each, as deep as a record is long.
        (tree, NOTHING + varint(1) * DEEP + LEAF * (DEEP // 16),
         "too_large", "too_large"),
        (tree, NOTHING + varint(10**9) + LEAF * 100,
         "bad_record", "bad_record"),
        (tree, NOTHING + varint(-10**9) + varint(100) + LEAF * 101,
         "bad_record", "bad_record"),
        (tree, NOTHING + varint(-1) + varint(-1) + LEAF * 2,
         "bad_record", "bad_record"),
        (tree, NOTHING + varint(-(1 << 63)) + varint(1) + LEAF * 2,
         "bad_record", "bad_record"),
        # Counted one by one they would take longer than anyone waits.
        (void, varint(10**9) + LEAF * 2, "too_large", None),
        (void, varint((1 << 63) - 1) + LEAF * 2, "too_large", None),
        (void, varint(-(1 << 62)) + varint(0) + LEAF * 2, "too_large", None),
        (void, varint((1 << 62) - 1) * 90_000 + LEAF * 2, "too_large", None),
    ]


@pytest.mark.parametrize("is_read", [True, False])
def test_arrays_without_end_end_at_once(
        kafka, redis, segmentd, tmp_path, unique, is_read):
    company = Company(kafka, redis, tmp_path / "schemas", unique,
                      partitions=1)
    kafka.create_topics({f"{unique}.account": 1, f"{unique}.usage": 1},
                        config={"max.message.bytes": str(17 << 20)})
    usage = company.config["inputs"]["usage"]
    pathlib.Path(usage["schema"]).write_text(json.dumps(NESTED), "utf-8")
    company.config["workers"] = 1
    if is_read:
        usage["features"]["logins_14d"]["where"] = (
            "size(nothing) >= 0 && size(tree.kids) >= 0")
    daemon = segmentd(company.config)
    daemon.start()

    def record(arrays):
        return {"key": b"acme", "value": framed(
            USAGE_SCHEMA_ID, varint(0) + varint(4) + b"acme"
            + varint(now_ms()) + varint(5) + b"login" + varint(1) + arrays)}

    told = bombs()
    kafka.produce(f"{unique}.usage", [
        *[record(arrays) for _, arrays, _, _ in told],
        record(varint(2) + NOTHING + varint(1) + LEAF + LEAF)],
        **{"message.max.bytes": 17 << 20})
    reasons = [when_read if is_read else when_skipped
               for _, _, when_read, when_skipped in told]
    client = redis.client()
    wait_until(lambda: company.view(client, "acme").get("usage.logins_14d")
               == str(1 + reasons.count(None)), "the last is counted")
    assert [headers["segmentd_reason"].decode() for _, _, headers in
            company.rejects()] == [reason for reason in reasons if reason]
    daemon.stop()


def test_retention_that_took_what_is_needed_is_refused(
        company, kafka, redis, segmentd):
    daemon = segmentd(company.config)
    daemon.start()
    client = redis.client()
    company.send_accounts(*[company.account_record(f"a{i}", 30000.0)
                            for i in range(40)])
    wait_until(lambda: client.scard(f"{company.name}:seg:touch:mid") == 40,
               "all are in")
    daemon.stop()
    changes = len(company.changes())
    topic = f"{company.name}.account"
    # All of Redis is lost, and the input does not reach back any more.
    client.flushall()
    kafka.expire(topic)
    done = command("run", "-c", daemon.path)
    assert done.returncode == 69, done.stderr
    said = done.stdout + done.stderr
    for part in (topic, "offset 0 is needed", "begins at", "retention",
                 "--accept-loss"):
        assert part in said, said
    assert not client.keys(f"{company.name}:acct:*")
    # The explicit way out: segments are kept, what was deleted is not known.
    daemon.arguments = ["--accept-loss"]
    daemon.start()
    wait_until(lambda: client.scard(f"{company.name}:seg:touch:mid") == 40,
               "the segments are back")
    company.send_accounts(*[company.account_record(f"a{i}", 200000.0)
                            for i in range(40)])
    wait_until(lambda: client.scard(f"{company.name}:seg:touch:high") == 40,
               "all moved")
    daemon.stop()
    versions = {}
    for change in company.changes():
        account = change["account_id"]
        assert change["account_version"] == versions.get(account, 0) + 1
        versions[account] = change["account_version"]
    assert len(company.changes()) >= changes + 40
    # From here on there is nothing to accept.
    daemon.arguments = []
    daemon.start()
    daemon.stop()


def test_partitions_that_are_added_while_it_runs_are_refused(
        company, kafka, redis, segmentd):
    daemon = segmentd(company.config)
    company.config["kafka"]["topic.metadata.refresh.interval.ms"] = "1000"
    daemon.start()
    company.send_accounts(*[company.account_record(f"a{i}", 30000.0)
                            for i in range(40)])
    client = redis.client()
    wait_until(lambda: client.scard(f"{company.name}:seg:touch:mid") == 40,
               "all are in")
    topics = [f"{company.name}.account", f"{company.name}.usage"]
    futures = kafka.admin.create_partitions(
        [NewPartitions(topic, 6) for topic in topics])
    for future in futures.values():
        future.result(DEADLINE)
    assert daemon.process.wait() == 78, daemon.process.tail()
    assert "docs/kafka.md" in daemon.process.tail(5)
    done = command("run", "-c", daemon.path)
    assert done.returncode == 78, done.stderr
    assert f"{company.name}.changes has 4" in done.stderr
    assert "need 6 partitions" in done.stderr
    assert "docs/kafka.md" in done.stderr
    # One of the inputs alone.
    kafka.admin.create_partitions([NewPartitions(topics[0], 8)])[
        topics[0]].result(30)
    wait_until(lambda: kafka.partitions(topics[0]) == 8, "8 partitions")
    done = command("run", "-c", daemon.path, timeout=90)
    assert done.returncode == 78, done.stderr
    assert f"{topics[0]} has 8, {topics[1]} has 6" in done.stderr
    assert "docs/kafka.md" in done.stderr


def copy_topic(kafka, old, new):
    """As the page says: keys, headers and timestamps unchanged, partitioned
    anew by the key."""
    kafka.produce(new, [{
        "key": m.key(), "value": m.value(), "headers": m.headers(),
        "timestamp": m.timestamp()[1]} for m in kafka.read(old)])


def test_more_partitions_by_new_topics_beside_the_old(
        company, kafka, redis, segmentd, tmp_path, unique):
    """The migration of docs/kafka.md, step by step."""
    old = segmentd(company.config, "old")
    old.start()
    send_some(company, unique)
    company.pin("a0", "touch", "high")
    wait_settled(company, old, redis)
    client = redis.client()
    wait_until(lambda: company.view(client, "a0").get("segment.touch")
               == "high", "pinned")
    # 1: new topics, and a copy of the old ones.
    new_company = Company(kafka, redis, tmp_path / "schemas", f"{unique}-new",
                          partitions=7).create()
    kafka.create_topics({f"{unique}-new.overrides": 7})
    for topic in ("account", "usage", "overrides"):
        copy_topic(kafka, f"{unique}.{topic}", f"{unique}-new.{topic}")
    # 2: a second segmentd beside the first. 3: it has caught up.
    new = segmentd(new_company.config, "new")
    new.start()
    wait_settled(new_company, new, redis)
    wait_until(lambda: new_company.view(client, "a0").get("segment.touch")
               == "high", "pinned")
    assert verify(new)[0] == 0
    segments = names_of(company.config["segmentations"])
    members = members_in_redis(client, new_company.name, segments)
    assert members == members_in_redis(client, company.name, segments)
    check_versions(new_company)
    assert len({m.partition() for m in kafka.read(
        f"{unique}-new.current")}) == 7
    # 4: the producers have moved; 5: the old one goes.
    old.stop()
    send_some(new_company, f"{unique}-more")
    wait_settled(new_company, new, redis)
    assert verify(new)[0] == 0
    check_versions(new_company)
    new.stop()
