"""The rig itself: the broker keeps its promises over stop, kill and restart."""

import pytest
from confluent_kafka import Producer

from support.avro import Codec, crc64, fingerprint
from support.process import DEADLINE, wait_until


def test_what_was_acknowledged_survives_kill_and_restart(own_kafka, unique):
    own_kafka.create_topics({unique: 2})
    own_kafka.produce(unique, [
        {"key": b"a", "value": b"1", "partition": 0},
        {"key": b"b", "value": b"2", "partition": 1,
         "headers": {"h": b"x"}, "timestamp": 1700000000000},
    ])
    own_kafka.kill9()
    assert not own_kafka.process.is_running()
    own_kafka.restart()
    found = own_kafka.read(unique)
    assert [(m.partition(), m.key(), m.value()) for m in found] == [
        (0, b"a", b"1"), (1, b"b", b"2")]
    assert found[1].headers() == [("h", b"x")]
    assert found[1].timestamp()[1] == 1700000000000
    own_kafka.stop()
    own_kafka.restart()
    assert own_kafka.end_offsets(unique) == {0: 1, 1: 1}


def test_aborted_records_are_seen_only_when_asked_for(kafka, unique):
    kafka.create_topics({unique: 1})
    producer = Producer({"bootstrap.servers": kafka.bootstrap,
                         "transactional.id": unique,
                         "transaction.timeout.ms": 10000})
    producer.init_transactions(DEADLINE)
    for value, finish in ((b"kept", producer.commit_transaction),
                          (b"gone", producer.abort_transaction)):
        producer.begin_transaction()
        producer.produce(unique, value)
        producer.flush(DEADLINE)
        finish(DEADLINE)
    assert [m.value() for m in kafka.read(unique)] == [b"kept"]
    assert [m.value() for m in kafka.read(unique, "read_uncommitted")] == [
        b"kept", b"gone"]


def test_redis_keeps_what_it_wrote_to_its_log(redis):
    redis.client().set("k", "v")
    # everysec: written after a second at most.
    wait_until(lambda: redis.client().info("persistence")
               ["aof_pending_bio_fsync"] == 0, "written")
    redis.stop()
    redis.restart()
    assert redis.client().get("k") == b"v"


@pytest.mark.parametrize("text,want", [
    # Vectors of the Avro specification's own test data.
    ('"null"', 7195948357588979594),
    ('{"type":"fixed","name":"foo","size":15}', 1756455273707447556),
    ('{"type":"record","name":"foo","fields":'
     '[{"name":"f1","type":"boolean"}]}', 7843277075252814651),
])
def test_fingerprints_are_those_of_the_specification(text, want):
    assert fingerprint(text) == want % 2**64


def test_framings_read_back():
    codec = Codec('{"type":"record","name":"r","namespace":"n","doc":"d",'
                  '"fields":[{"name":"a","type":["null","string"],'
                  '"default":null}]}')
    assert crc64(b'{"name":"n.r","type":"record","fields":[{"name":"a",'
                 b'"type":["null","string"]}]}') == codec.fingerprint
    value = {"a": "x"}
    assert codec.read_bare(codec.bare(value)) == value
    assert codec.read_confluent(codec.confluent(value, 7)) == (7, value)
    assert codec.read_single_object(codec.single_object(value)) == value
    with pytest.raises(AssertionError):
        codec.read_bare(codec.bare(value) + b"\0")
