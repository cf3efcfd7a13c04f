"""The chaos run (make chaos), so short that it is run each time."""

import pytest
from support import redis as redis_support
from support.chaos import Chaos

KILLS = 8


@pytest.mark.skipif(redis_support.why_absent() is not None,
                    reason="redis-server is missing")
def test_nothing_is_lost_or_doubled(own_kafka, tmp_path):
    chaos = Chaos(own_kafka, tmp_path, "chaos", seed=7, accounts=100,
                  per_second=60, say=print)
    try:
        chaos.start()
        chaos.run(KILLS)
        found = chaos.check()
    finally:
        chaos.close()
    assert chaos.report()["disturbances"] == KILLS
    assert found["changes"] > 100
