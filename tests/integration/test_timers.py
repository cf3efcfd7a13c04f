"""Timers that come out of the index in Redis, more of them than one slice."""

from support.company import Company, now_ms
from support.process import wait_until

ACCOUNTS = 2500  # a slice is 1000 accounts of a partition
SILENCE_MS = 3600 * 1000


def test_more_timers_than_a_slice_fire_once_each(kafka, redis, tmp_path,
                                                 unique, segmentd):
    """Stopped before they are due and started after: all are in the index."""
    company = Company(kafka, redis, tmp_path / "schemas", unique,
                      partitions=1).create()
    company.config["segmentations"] = {
        "silent": {"enter": "now - usage.last_seen >= hours(1)"}}
    del company.config["renewal"]
    daemon = segmentd(company.config)
    daemon.start()
    client = redis.client()
    first = now_ms() + 12000
    due = {f"a{i}": first + i % 500 for i in range(ACCOUNTS)}
    company.send_usage(*[company.usage_record(account, at=at - SILENCE_MS)
                         for account, at in due.items()])
    # On a machine that is too busy for it some fire before: as well.
    wait_until(lambda: client.zcard(f"{unique}:p0:due") == ACCOUNTS
               or now_ms() > first, "all are armed in Redis", 60)
    daemon.stop(timeout=60)
    wait_until(lambda: now_ms() > first + 500, "all are due", 60)
    daemon.start(timeout=120)
    wait_until(lambda: len(company.changes()) >= ACCOUNTS, "all fired", 120,
               pause=1)
    fired = {}
    for change in company.changes():
        assert change["account_id"] not in fired
        assert change["origin"] == "timer" and change["to"] == "in"
        fired[change["account_id"]] = int(
            change["event_time"].timestamp() * 1000 + 0.5)
    assert fired == due
    daemon.stop(timeout=60)
