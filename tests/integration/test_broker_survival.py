"""A worker goes on through a broker that is stopped and killed; each of its
transactions is committed once, whatever it was told about it."""

import os
import re

from support import cprogram
from support.avro import Codec
from support.process import Process

from test_broker_clients import SCHEMAS

TURNS = 400


def turn(process):
    """The newest turn that was committed."""
    found = re.findall(r"^turn (\d+)$", process.output(), re.M)
    return int(found[-1]) if found else 0


def test_no_turn_is_lost_or_doubled(own_kafka, unique, tmp_path):
    own_kafka.create_topics({f"{unique}-in0": 3, f"{unique}-in1": 3})
    # As far as the positions will go: one beyond the end is refused when the
    # worker joins anew, which it does when its session times out.
    for topic in (f"{unique}-in0", f"{unique}-in1"):
        own_kafka.produce(topic, [{"value": b"", "partition": 0}] * TURNS)
    worker = Process(
        [cprogram.build("kafka_survive")], tmp_path / "worker.log",
        env={**os.environ, "KAFKA_BOOTSTRAP": own_kafka.bootstrap,
             "KAFKA_UNIQUE": unique, "KAFKA_TURNS": str(TURNS)})
    try:
        for at, end in ((50, own_kafka.kill9), (150, own_kafka.stop),
                        (250, own_kafka.kill9)):
            worker.wait_for(lambda: turn(worker) >= at, f"turn {at}")
            end()
            own_kafka.restart()
        assert worker.wait(400) == 0, worker.tail()
    finally:
        worker.kill9()

    codec = Codec.of_file(SCHEMAS / "change.v1.avsc")
    changes = own_kafka.read(f"{unique}-out-changes")
    want = list(range(1, TURNS + 1))
    assert [codec.read_single_object(m.value())["account_version"]
            for m in changes] == want
    assert [int(dict(m.headers())["cno"]) for m in changes] == want
    codec = Codec.of_file(SCHEMAS / "current.v1.avsc")
    assert [codec.read_single_object(m.value())["account_version"]
            for m in own_kafka.read(f"{unique}-out-current")] == want
    # And the position is that of the last: nothing was committed apart.
    assert own_kafka.committed(
        f"{unique}-survive", f"{unique}-in0")[0] == TURNS
