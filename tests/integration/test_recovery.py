"""What is left when segmentd comes back: after a kill in the midst of catching
up, and after repeats."""

import pytest
from support.company import Company
from support.process import wait_until

MANY = 200000


@pytest.fixture
def company(kafka, redis, tmp_path, unique):
    company = Company(kafka, redis, tmp_path / "schemas", unique, partitions=2)
    company.config["workers"] = 1
    return company.create()


def test_redis_gets_no_change_before_kafka_has_it(company, redis, segmentd):
    """One group has caught up and decided; another of the same worker is far
    behind, and until it is there nothing is committed."""
    client = redis.client()
    near = company.account_record("near", 30000.0)
    far = company.usage_record("far")
    company.send_accounts({**near, "partition": 0})
    company.send_usage(*[{**far, "partition": 1}] * MANY)
    daemon = segmentd(company.config)
    daemon.start()
    wait_until(lambda: company.view(client, "far").get("usage.logins_14d")
               == str(MANY) and company.view(client, "near"),
               "both are known")
    daemon.stop()
    client.flushall()
    # By the new rules the near account moves as soon as it may be decided.
    company.config["segmentations"]["touch"]["segments"][1]["when"] = (
        "account.arr >= 50000.0")
    daemon.start(is_waiting=False)
    wait_until(lambda: company.view(client, "near").get("segment.touch")
               == "low", "Redis says that it moved", 120, pause=0.001)
    daemon.kill9()
    assert [c["to"] for c in company.changes("near")
            if c["segmentation"] == "touch"] == ["mid", "low"]


def test_a_repeat_leaves_the_timer_alone(company, redis, segmentd):
    """It brings the account into the cache, and is no reason to evaluate it:
    what Redis says of its timer stays."""
    company.config["segmentations"]["silent"] = {
        "enter": 'now - usage.last_seen >= duration("1h")'}
    client = redis.client()
    daemon = segmentd(company.config)
    daemon.start()
    company.send_usage(company.usage_record("acme", event_id="e1"))
    due = [f"{company.name}:p{n}:due" for n in range(2)]
    wait_until(lambda: sum(client.zcard(key) for key in due) == 1,
               "the timer is there")
    before = [client.zrange(key, 0, -1, withscores=True) for key in due]
    daemon.stop()
    daemon.start()
    company.send_usage(company.usage_record("acme", event_id="e1"))
    wait_until(lambda: daemon.metric("segmentd_repeated_total") == 1,
               "the repeat is counted")
    daemon.stop()  # writes what is dirty
    assert [client.zrange(key, 0, -1, withscores=True)
            for key in due] == before
