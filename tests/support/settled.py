"""A company whose events have all come through, and what verify says of it."""

import json
import random

from support.company import DAY_MS, now_ms
from support.process import wait_until
from support.segmentd import command


def verify(daemon, *options):
    """(status, what it says) of segmentd verify."""
    done = command("verify", "-c", daemon.path, "--output", "json", *options,
                   timeout=300)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert (told["differences"] == 0) == (done.returncode == 0)
    return done.returncode, told


def kinds(told):
    return {(d["account_id"], d["what"], d["name"]) for d in told["list"]}


def send_some(company, seed, n=300, accounts=40):
    """Events of a small company; `seed` names them."""
    rng = random.Random(seed)
    at = now_ms()
    company.send_accounts(*[company.account_record(
        f"a{i}", rng.choice([1.0, 25000.0, 120000.0]),
        renews_at=at + rng.randrange(1, 150) * DAY_MS)
        for i in range(accounts)])
    company.send_usage(*[company.usage_record(
        f"a{rng.randrange(accounts)}", at=at - rng.randrange(20 * DAY_MS),
        seconds=rng.randrange(100), event_id=f"{seed}-{rng.randrange(250)}")
        for _ in range(n)])


def wait_settled(company, daemon, redis, accounts=40):
    """Everything sent is folded, published and written to Redis, where there
    are so many accounts then (None: as many as there are)."""
    client = redis.client()
    ends = sum(sum(company.kafka.end_offsets(f"{company.name}.{t}").values())
               for t in ("account", "usage"))

    def is_settled():
        committed = sum(
            offset for t in ("account", "usage") for offset in
            company.kafka.committed(company.name, f"{company.name}.{t}")
            .values() if offset > 0)
        return (committed == ends
                and daemon.metric("segmentd_dirty_accounts") == 0
                and accounts in (None, len(client.keys(
                    f"{company.name}:state:*"))))
    wait_until(is_settled, "all is folded and written", timeout=300, pause=0.3)


def check_versions(company):
    """No change is missing or told twice, for a reader of what is committed."""
    versions = {}
    for change in company.changes():
        account = change["account_id"]
        assert change["account_version"] == versions.get(account, 0) + 1
        versions[account] = change["account_version"]
    return versions
