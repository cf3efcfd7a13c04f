"""Catching up in little memory: more accounts than the cache has room for, in
the walk over what was published and below G."""

import pathlib

import pytest
from support.company import Company, now_ms
from support.process import wait_until
from support.settled import check_versions, verify

ACCOUNTS = 4000  # of about 1 KB each
MANY = 200000
SILENCE_MS = 3600 * 1000
CACHE_BYTES = 1 << 20


@pytest.fixture
def company(kafka, redis, tmp_path, unique):
    company = Company(kafka, redis, tmp_path / "schemas", unique, partitions=2)
    company.config["workers"] = 1
    company.config["cache"] = {"size": CACHE_BYTES}
    company.config["segmentations"]["silent"] = {
        "enter": "now - usage.last_seen >= hours(1)"}
    return company.create()


def named(record, name):
    """The same record of another account, whose name is as long as `a000000`.
    """
    return {"key": name, "value": record["value"].replace(b"a000000", name)}


def send_all(company, accounts, at, turns=1):
    usage = company.usage_record("a000000", at=at)
    account = company.account_record("a000000", 30000.0, at=at)
    names = [b"a%06d" % i for i in range(accounts)]
    company.send_accounts(*[named(account, name) for name in names])
    for _ in range(turns):
        company.send_usage(*[named(usage, name) for name in names])


def due(company, client):
    return sum(client.zcard(f"{company.name}:p{n}:due") for n in range(2))


def low_mark(company, client):
    """How far Redis is, as one number."""
    texts = [client.hget(f"{company.name}:p{n}:m", "w") or b""
             for n in range(2)]
    return sum(int(part.split(b"=")[1]) for text in texts
               for part in text.split(b";")[0].split(b",") if part)


def test_what_has_no_room_goes_to_redis_and_is_evaluated_at_g(
        company, redis, segmentd):
    """All of Redis is lost, the daemon is killed in the midst of building it
    anew, and meanwhile every timer has come."""
    client = redis.client()
    daemon = segmentd(company.config)
    daemon.start()
    # On a machine that is too busy for it some come before: as well.
    at = now_ms() - SILENCE_MS + 15000
    send_all(company, ACCOUNTS, at, turns=4)
    ends = 5 * ACCOUNTS
    wait_until(lambda: low_mark(company, client) >= ends,
               "all is known", 120, pause=0.3)
    daemon.stop(60)
    client.flushall()
    daemon.start(is_waiting=False)
    wait_until(lambda: low_mark(company, client) > ends // 10,
               "some of it is in Redis", 60, pause=0.001)
    daemon.kill9()
    reached = low_mark(company, client)
    assert reached < ends, "killed in the midst"
    wait_until(lambda: now_ms() > at + SILENCE_MS, "all timers have come", 90)
    daemon.start(is_waiting=False)
    daemon.process.wait_for_output("event=catching_up", 60)
    behind = sum(int(line.rsplit("records=", 1)[1].split()[0])
                 for line in daemon.output().splitlines()
                 if "event=catching_up" in line)
    assert behind <= ends - reached, "it goes on from there"
    sizes = []
    wait_until(
        lambda: sizes.append(daemon.metric("segmentd_cache_bytes"))
        or client.scard(f"{company.name}:seg:silent:in") == ACCOUNTS,
        "all are silent", 120, pause=0.1)
    daemon.stop(60)
    # A batch more than its share, and what is decided until it is committed.
    assert max(sizes) < 4 * CACHE_BYTES
    check_versions(company)
    changes = company.changes()
    assert [c["segmentation"] for c in changes].count("silent") == ACCOUNTS
    status, told = verify(daemon)
    assert status == 0, told
    assert told["accounts"] == ACCOUNTS


def test_with_the_event_clock_all_is_evaluated_before_time_goes_on(
        company, redis, segmentd):
    company.config["clock"] = "event"
    client = redis.client()
    daemon = segmentd(company.config)
    daemon.start()
    at = now_ms() - 4 * SILENCE_MS
    send_all(company, ACCOUNTS, at)
    wait_until(lambda: due(company, client) == ACCOUNTS
               and low_mark(company, client) == 2 * ACCOUNTS,
               "all is known", 120, pause=0.3)
    daemon.stop(60)
    client.flushall()
    # In both partitions.
    company.send_accounts(*[company.account_record(
        f"late{i}", 30000.0, at=at + 2 * SILENCE_MS) for i in range(20)])
    daemon.start(is_waiting=False)
    wait_until(lambda: client.scard(f"{company.name}:seg:silent:in")
               == ACCOUNTS, "all are silent", 120, pause=0.1)
    daemon.stop(60)
    check_versions(company)
    changes = company.changes()
    silent = [c for c in changes if c["segmentation"] == "silent"]
    assert len(silent) == ACCOUNTS
    assert {c["origin"] for c in silent} == {"timer"}
    assert len(changes) == 2 * ACCOUNTS + 20
    status, told = verify(daemon)
    assert status == 0, told


def high_water(daemon):
    """The most memory that the process ever had, in bytes."""
    status = pathlib.Path(f"/proc/{daemon.process.pid}/status").read_text()
    line = next(x for x in status.splitlines() if x.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def test_memory_does_not_grow_with_the_accounts(company, redis, segmentd):
    """While Redis is built anew. Without a bound these take some 200 MB."""
    company.config["kafka"].update({"queued.min.messages": "10000",
                                    "queued.max.messages.kbytes": "2048"})
    company.config["topics"]["overrides"] = ""
    settings = {"cache": {"size": 8 << 20}, "flush": company.config["flush"]}
    usage = company.usage_record("a000000", at=now_ms())
    company.send_usage(*[named(usage, b"a%06d" % i) for i in range(MANY)])
    # Everything is decided, and nothing of it in Redis.
    company.config.update(cache={"size": 1 << 30}, flush={"age": "10m"})
    daemon = segmentd(company.config)
    daemon.start()
    daemon.wait_for(
        lambda: daemon.metric("segmentd_committed_offset") == MANY,
        "all is committed", 300)
    daemon.kill9()
    assert low_mark(company, redis.client()) == 0
    daemon = segmentd({**company.config, **settings})
    daemon.start(is_waiting=False)
    daemon.process.wait_for_output("event=catching_up", 60)
    before = high_water(daemon)
    daemon.wait_for(lambda: due(company, redis.client()) == MANY,
                    "every account has its timer", 300)
    daemon.wait_ready()
    grown = high_water(daemon) - before
    daemon.stop(60)
    assert grown < 64 << 20, grown
