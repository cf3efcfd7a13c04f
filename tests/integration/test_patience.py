"""While Redis does not answer Kafka is polled: nobody is thrown out of the
group for it, and all goes on when Redis is back."""

import signal
import time

import pytest
from support.company import Company
from support.process import wait_until

PAUSE_S = 18
POLL_INTERVAL_S = 14


@pytest.fixture
def company(kafka, redis, tmp_path, unique):
    company = Company(kafka, redis, tmp_path / "schemas", unique, partitions=2)
    company.config["workers"] = 1
    company.config["kafka"]["max.poll.interval.ms"] = str(
        POLL_INTERVAL_S * 1000)
    company.config["redis"]["command_timeout"] = "500ms"
    return company.create()


def assert_was_member_throughout(daemon):
    assert "Application maximum poll interval" not in daemon.output()
    assert "is_lost=true" not in daemon.output()


def test_a_paused_redis_costs_no_membership(company, redis, segmentd):
    client = redis.client()
    daemon = segmentd(company.config)
    daemon.start()
    company.send_accounts(company.account_record("acme", 30000.0))
    wait_until(lambda: company.view(client, "acme"), "the view is there")
    redis.process.send(signal.SIGSTOP)
    # One that is not in the cache, so that Redis is needed at once.
    company.send_accounts(company.account_record("bolt", 30000.0),
                          company.account_record("acme", 1.0))
    time.sleep(PAUSE_S)  # what is tested is that time passes
    assert_was_member_throughout(daemon)
    redis.process.send(signal.SIGCONT)
    wait_until(lambda: company.view(client, "bolt").get("segment.touch")
               == "mid" and company.view(client, "acme").get("segment.touch")
               == "low", "both are there")
    assert [c["account_version"] for c in company.changes("acme")] == [1, 2]
    daemon.stop()


def test_groups_that_come_meanwhile_are_kept(company, redis, segmentd):
    """The other instance dies while Redis is away."""
    client = redis.client()
    first = segmentd(dict(company.config, instance="one"), "one")
    second = segmentd(dict(company.config, instance="two"), "two")
    first.start()
    second.start()
    wait_until(lambda: first.metric("segmentd_partition_groups") == 1
               and second.metric("segmentd_partition_groups") == 1,
               "one each")
    company.send_accounts(*[company.account_record(f"a{i}", 30000.0)
                            for i in range(20)])
    name = company.name
    wait_until(lambda: client.scard(f"{name}:seg:touch:mid") == 20, "all in")
    redis.process.send(signal.SIGSTOP)
    first.kill9()
    wait_until(lambda: "event=takeover_retry" in second.output(),
               "it cannot take over")
    time.sleep(PAUSE_S)
    assert_was_member_throughout(second)
    assert second.get("/readyz")[0] != 200
    redis.process.send(signal.SIGCONT)
    wait_until(lambda: second.get("/readyz")[0] == 200, "it is ready")
    company.send_accounts(*[company.account_record(f"a{i}", 1.0)
                            for i in range(20)])
    wait_until(lambda: client.scard(f"{name}:seg:touch:low") == 20,
               "all moved")
    second.stop()
    versions = {}
    for change in company.changes():
        account = change["account_id"]
        assert change["account_version"] == versions.get(account, 0) + 1
        versions[account] = change["account_version"]
