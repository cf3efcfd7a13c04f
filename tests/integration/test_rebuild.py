"""segmentd rebuild: Redis anew, and nothing told again."""

import pytest
from support.company import Company
from support.segmentd import command
from support.settled import check_versions, send_some, verify, wait_settled


@pytest.fixture
def company(kafka, redis, tmp_path, unique):
    return Company(kafka, redis, tmp_path / "schemas", unique,
                   partitions=2).create()


def test_rebuild_makes_a_distrusted_redis_anew(company, redis, segmentd):
    daemon = segmentd(company.config)
    daemon.start()
    send_some(company, "one")
    wait_settled(company, daemon, redis)
    client = redis.client()
    client.set("not-ours", "1")
    daemon.stop()
    before = company.changes()
    # What is wrong, what is missing, and what is nobody's.
    name = company.name
    client.set(f"{name}:state:a1", client.get(f"{name}:state:a2"))
    client.delete(f"{name}:acct:a3", f"{name}:state:a4")
    client.sadd(f"{name}:seg:touch:high", "nobody")
    assert verify(daemon)[0] == 1
    done = command("rebuild", "-c", daemon.path, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "340 records folded again" in done.stdout
    assert "\r" not in done.stderr, "a bar on a terminal only"
    status, told = verify(daemon)
    assert status == 0, told
    assert (told["accounts"], told["lagging"]) == (40, 0)
    assert company.changes() == before, "nothing is told again"
    assert client.get("not-ours") == b"1"
    # The daemon goes on from there.
    daemon.start()
    company.send_accounts(*[company.account_record(f"a{i}", 120000.0)
                            for i in range(40)])
    wait_settled(company, daemon, redis)
    check_versions(company)
    status, told = verify(daemon)
    assert status == 0, told
    daemon.stop()


def test_rebuild_leaves_redis_alone_when_it_may_not(company, redis, segmentd):
    daemon = segmentd(company.config)
    daemon.start(is_waiting=False)
    daemon.wait_ready()
    daemon.stop()
    refused = command("rebuild", "-c", daemon.path, timeout=300)
    assert refused.returncode == 69, refused.stdout + refused.stderr
    assert "nothing to build anew" in refused.stderr
    daemon.start()
    company.send_accounts(company.account_record("acme", 25000.0))
    wait_settled(company, daemon, redis, accounts=1)
    client = redis.client()
    keys = set(client.keys())
    refused = command("rebuild", "-c", daemon.path, timeout=300)
    assert refused.returncode == 69, refused.stdout + refused.stderr
    assert "stop them first" in refused.stderr
    assert set(client.keys()) == keys
    daemon.stop()
