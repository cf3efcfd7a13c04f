"""Timers that come out of the index in Redis, more of them than one slice."""

from support.company import Company, now_ms
from support.process import DEADLINE, wait_until

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
    client = redis.client()
    # A machine that is too busy to arm all of them in time has longer for it.

    def narmed(turn):
        return sum(name.startswith(f"{turn}-".encode())
                   for name in client.zrange(f"{unique}:p0:due", 0, -1))

    for turn in range(5):
        daemon.start()
        first = now_ms() + 10000 * 3 ** turn
        due = {f"{turn}-{i}": first + i % 500 for i in range(ACCOUNTS)}
        company.send_usage(*[company.usage_record(account, at=at - SILENCE_MS)
                             for account, at in due.items()])
        wait_until(lambda: narmed(turn) == ACCOUNTS
                   or now_ms() > first, "all are armed in Redis",
                   10 * 3 ** turn + DEADLINE)
        daemon.stop()
        if now_ms() <= first:
            break
    assert now_ms() <= first, "they were never armed in time"
    wait_until(lambda: now_ms() > first + 500, "all are due",
               10 * 3 ** turn + DEADLINE)

    def changes():
        """Of this turn."""
        return [c for c in company.changes() if c["account_id"] in due]

    daemon.start()
    wait_until(lambda: len(changes()) >= ACCOUNTS, "all fired", pause=1)
    fired = {}
    for change in changes():
        assert change["account_id"] not in fired
        assert change["origin"] == "timer" and change["to"] == "in"
        fired[change["account_id"]] = int(
            change["event_time"].timestamp() * 1000 + 0.5)
    assert fired == due
    daemon.stop()
