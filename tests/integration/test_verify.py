"""segmentd verify: Redis against a fresh fold of the inputs; Redis lost."""

import pytest
from support.company import DAY_MS, Company, now_ms
from support.process import wait_until
from support.segmentd import command
from support.settled import (check_versions, kinds, send_some, verify,
                             wait_settled)


@pytest.fixture
def company(kafka, redis, tmp_path, unique):
    return Company(kafka, redis, tmp_path / "schemas", unique,
                   partitions=2).create()


def test_equal_while_it_runs_and_while_it_stands_still(
        company, redis, segmentd):
    daemon = segmentd(company.config)
    daemon.start()
    send_some(company, "one")
    company.send_accounts(company.account_record("a3", status="deleted"))
    # In the midst of it: whatever has come through so far is right.
    status, told = verify(daemon)
    assert status == 0, told
    wait_settled(company, daemon, redis)
    status, told = verify(daemon)
    assert status == 0, told
    assert (told["accounts"], told["records"]) == (40, 341)
    assert told["published"] >= 40
    assert told["skipped"] == told["lagging"] == 0
    assert told["partial"] is None
    daemon.stop()
    status, again = verify(daemon)
    assert status == 0, again
    text = command("verify", "-c", daemon.path, timeout=300)
    assert text.returncode == 0 and "0 differences" in text.stdout
    assert "\r" not in text.stderr, "a bar on a terminal only"


def test_every_kind_of_difference_is_found(company, redis, segmentd):
    daemon = segmentd(company.config)
    daemon.start()
    send_some(company, "one")
    wait_settled(company, daemon, redis)
    daemon.stop()
    client = redis.client()
    name = company.name
    assert verify(daemon)[0] == 0

    def differs(*wanted):
        status, told = verify(daemon)
        assert status == 1
        assert kinds(told) == set(wanted), told

    def of(key, account):
        """Its score, and what puts it back."""
        score = client.zscore(key, account)
        return lambda: client.zadd(key, {account: score})

    # The public view.
    arr = client.hget(f"{name}:acct:a1", "account.arr")
    client.hset(f"{name}:acct:a1", "account.arr", "7")
    differs(("a1", "view", "account.arr"))
    client.hset(f"{name}:acct:a1", "account.arr", arr)
    # Members: one is missing, one should not be there.
    segment = client.hget(f"{name}:acct:a1", "segment.touch").decode()
    other = "high" if segment != "high" else "mid"
    client.smove(f"{name}:seg:touch:{segment}", f"{name}:seg:touch:{other}",
                 "a1")
    client.sadd(f"{name}:seg:busy:in", "nobody")
    differs(("a1", "member", "touch"), ("nobody", "member", "busy"))
    client.smove(f"{name}:seg:touch:{other}", f"{name}:seg:touch:{segment}",
                 "a1")
    client.srem(f"{name}:seg:busy:in", "nobody")
    # The queue and the timers.
    queued = client.zrange(f"{name}:renewals", 0, 0)[0].decode()
    put_back = of(f"{name}:renewals", queued)
    client.zadd(f"{name}:renewals", {queued: 0.5, "ghost": 1})
    differs((queued, "renewal queue", ""), ("ghost", "renewal queue", ""),
            ("ghost", "renewal queue", "lost"))  # nobody can claim it
    put_back()
    client.zrem(f"{name}:renewals", "ghost")
    due = next(f"{name}:p{n}:due" for n in range(2)
               if client.zcard(f"{name}:p{n}:due"))
    timed = client.zrange(due, 0, 0)[0].decode()
    put_back = of(due, timed)
    client.zrem(due, timed)
    differs((timed, "timer", ""))
    client.zadd(due, {timed: now_ms() + 9999 * DAY_MS})
    differs((timed, "timer", ""))
    put_back()
    assert verify(daemon)[0] == 0
    # A state that is gone: its events are below what is said to be folded,
    # and what was published of it is not there.
    state = client.get(f"{name}:state:a1")
    client.delete(f"{name}:state:a1")
    status, told = verify(daemon)
    assert status == 1
    assert ("a1", "event missing", "account") in kinds(told)
    assert ("a1", "state", "") in kinds(told)
    assert {d["account_id"] for d in told["list"]} == {"a1"}
    # That of another account in its place.
    partition = {}
    for record in company.kafka.read(f"{name}.account"):
        partition[record.key().decode()] = record.partition()
    twin = next(a for a in partition if a != "a1"
                and partition[a] == partition["a1"])
    client.set(f"{name}:state:a1", client.get(f"{name}:state:{twin}"))
    status, told = verify(daemon)
    assert status == 1
    assert ("a1", "position", "account") in kinds(told)
    assert {d["account_id"] for d in told["list"]} == {"a1"}
    # Bytes that are nothing.
    client.set(f"{name}:state:a1", b"\x01nothing")
    status, told = verify(daemon)
    assert status == 1
    assert {d["account_id"] for d in told["list"]} == {"a1"}
    client.set(f"{name}:state:a1", state)
    assert verify(daemon)[0] == 0


def test_a_state_that_fell_back_is_found(company, redis, segmentd):
    """An old copy of one account, as after a rollback of a part of Redis."""
    daemon = segmentd(company.config)
    daemon.start()
    company.send_accounts(company.account_record("acme", 25000.0))
    company.send_usage(company.usage_record("acme"))
    wait_settled(company, daemon, redis, accounts=1)
    client = redis.client()
    old = client.get(f"{company.name}:state:acme")
    company.send_usage(*[company.usage_record("acme") for _ in range(4)])
    wait_settled(company, daemon, redis, accounts=1)
    daemon.stop()
    assert verify(daemon)[0] == 0
    client.set(f"{company.name}:state:acme", old)
    status, told = verify(daemon)
    assert status == 1
    assert ("acme", "event missing", "usage") in kinds(told)
    assert ("acme", "version", "") in kinds(told)
    assert ("acme", "view", "usage.logins_14d") in kinds(told)


def test_all_of_redis_is_lost_while_it_runs(company, redis, segmentd):
    daemon = segmentd(company.config)
    daemon.start()
    send_some(company, "one")
    wait_settled(company, daemon, redis)
    client = redis.client()
    takeovers = daemon.metric("segmentd_takeovers_total")
    before = check_versions(company)
    client.flushall()
    send_some(company, "two")
    wait_until(lambda: daemon.metric("segmentd_takeovers_total") > takeovers,
               "it was noticed")
    wait_settled(company, daemon, redis)
    after = check_versions(company)
    assert set(after) == set(before)
    status, told = verify(daemon)
    assert status == 0, told
    assert told["accounts"] == 40
    daemon.stop()


def test_all_of_redis_is_lost_while_it_is_stopped(company, redis, segmentd):
    daemon = segmentd(company.config)
    daemon.start()
    send_some(company, "one")
    wait_settled(company, daemon, redis)
    daemon.stop()
    before = company.changes()
    redis.client().flushall()
    status, told = verify(daemon)
    assert status == 1 and told["accounts"] == 0
    assert kinds(told) == {("", "partition", "")}, "all of it is missed"
    daemon.start()
    wait_settled(company, daemon, redis)
    assert company.changes() == before, "nothing is told again"
    status, told = verify(daemon)
    assert status == 0, told
    assert told["accounts"] == 40
    daemon.stop()
