"""Rules that drop a segmentation or a segment leave nobody behind in it."""

import copy
import signal

import pytest
import yaml

from support.company import DAY_MS, Company, now_ms
from support.process import wait_until
from support.segmentd import command


@pytest.fixture
def company(kafka, redis, tmp_path, unique):
    return Company(kafka, redis, tmp_path / "schemas", unique).create()


def fewer(config):
    """Without `busy`, without the renewal windows, and `touch` without mid."""
    config = copy.deepcopy(config)
    del config["segmentations"]["busy"]
    del config["segmentations"]["touch"]["segments"][1]
    del config["renewal"]
    return config


def settle(company, client):
    """Three accounts: two in mid, one of them busy and one in a window."""
    at = now_ms() + 100 * DAY_MS
    company.send_accounts(company.account_record("acme", 30000.0),
                          company.account_record("bolt", 30000.0, renews_at=at),
                          company.account_record("cord", 1.0))
    company.send_usage(*[company.usage_record("acme")] * 3)
    name = company.name
    wait_until(lambda: client.scard(f"{name}:seg:touch:mid") == 2
               and client.scard(f"{name}:seg:busy:in") == 1
               and client.scard(f"{name}:seg:renewal:T-120") == 1
               and client.zcard(f"{name}:renewals") == 1
               and company.view(client, "cord").get("segment.touch") == "low",
               "all are in")


def places(client, name):
    """The members' sets there are, and the queue."""
    keys = [key.decode() for key in client.keys(f"{name}:seg:*")]
    keys += [key.decode() for key in client.keys(f"{name}:renewals")]
    return sorted(key[len(name) + 1:] for key in keys)


def gone(company, client):
    wait_until(lambda: places(client, company.name) == ["seg:touch:low"]
               and client.scard(f"{company.name}:seg:touch:low") == 3,
               "nobody is left behind")


def current(company):
    """{account: (version, {segmentation: segment})} as published last."""
    return {key: (value["account_version"],
                  {e["segmentation"]: e["segment"] for e in value["segments"]},
                  value["renewal"])
            for key, value in company.read("current")}


def told(company, known):
    return sorted(
        ((c["account_id"], c["segmentation"], c["from"], c["to"], c["action"])
         for c in company.changes() if c["change_id"] not in known),
        key=lambda c: c[:2])


LEFT = [("acme", "busy", "in", "out", "exit"),
        ("acme", "touch", "mid", "low", "move"),
        ("bolt", "renewal", "T-120", "none", "exit"),
        ("bolt", "touch", "mid", "low", "move")]


def check(company, client, known):
    assert told(company, known) == LEFT
    changes = [c for c in company.changes() if c["change_id"] not in known]
    assert {c["origin"] for c in changes} == {"rule_change"}
    for change in changes:
        assert change["reasons"][-1]["clause"] == "the rules no longer have it"
    held = current(company)
    assert {a: s for a, (_, s, _) in held.items()} == {
        a: {"touch": "low"} for a in ("acme", "bolt", "cord")}
    assert held["bolt"][2] is None
    assert "segment.busy" not in company.view(client, "acme")
    for account in held:
        versions = [c["account_version"] for c in company.changes(account)]
        assert versions == list(range(1, len(versions) + 1))


def test_a_restart_with_fewer_rules(company, redis, segmentd):
    daemon = segmentd(company.config)
    daemon.start()
    client = redis.client()
    settle(company, client)
    daemon.stop()
    known = {c["change_id"] for c in company.changes()}
    daemon.config = {**fewer(daemon.config)}
    daemon.start()
    gone(company, client)
    wait_until(lambda: "event=review_done" in daemon.output(), "it is done")
    daemon.stop()
    check(company, client, known)
    # And once: the next start tells nothing, nor does the next event.
    daemon.start()
    company.send_accounts(company.account_record("acme", 200000.0))
    wait_until(lambda: company.view(client, "acme").get(
        "segment.touch") == "high", "acme moves")
    daemon.stop()
    assert told(company, known) == sorted(
        LEFT + [("acme", "touch", "low", "high", "move")],
        key=lambda c: c[:2])


def test_redis_is_lost_as_well(company, redis, segmentd):
    """Then segmentd.current alone knows where they sat."""
    daemon = segmentd(company.config)
    daemon.start()
    client = redis.client()
    settle(company, client)
    daemon.stop()
    known = {c["change_id"] for c in company.changes()}
    client.flushall()
    daemon.config = {**fewer(daemon.config)}
    daemon.start()
    gone(company, client)
    daemon.stop()
    check(company, client, known)


def test_sighup_and_quiet_changes(company, redis, segmentd):
    """Nothing is told, and nothing is left."""
    daemon = segmentd(company.config, arguments=["--quiet-changes"])
    daemon.start()
    client = redis.client()
    settle(company, client)
    wait_until(lambda: len(current(company)) == 3, "all are published")
    known = {c["change_id"] for c in company.changes()}
    daemon.path.write_text(
        yaml.safe_dump(fewer(daemon.config), sort_keys=False), "utf-8")
    daemon.process.send(signal.SIGHUP)
    gone(company, client)
    wait_until(lambda: "event=review_done" in daemon.output(), "it is done")
    daemon.stop()
    assert not told(company, known)
    assert {a: s for a, (_, s, _) in current(company).items()} == {
        a: {"touch": "low"} for a in ("acme", "bolt", "cord")}


def test_back_to_the_old_rules_before_all_are_reviewed(
        company, redis, segmentd):
    """What new rules did to some accounts, the old ones undo."""
    daemon = segmentd(company.config)
    daemon.start()
    client = redis.client()
    settle(company, client)
    company.send_accounts(*[company.account_record(f"a{i}", 30000.0)
                            for i in range(4000)])
    name = company.name
    wait_until(lambda: client.scard(f"{name}:seg:touch:mid") == 4002,
               "all are in")
    daemon.stop()
    old = copy.deepcopy(daemon.config)
    daemon.config["segmentations"] = {"paying": {"enter": "account.arr > 0.0"}}
    # Killed somewhere in the review.
    daemon.start(is_waiting=False)
    daemon.wait_for(lambda: client.scard(f"{name}:seg:paying:in") > 0,
                    "some moved")
    daemon.kill9()
    daemon.config = old
    daemon.start()
    wait_until(lambda: places(client, name) == [
        "renewals", "seg:busy:in", "seg:renewal:T-120", "seg:touch:low",
        "seg:touch:mid"] and client.scard(f"{name}:seg:touch:mid") == 4002,
        "as it was")
    daemon.stop()
    assert command("plan", "-c", daemon.path).returncode == 0
    held = {a: s for a, (_, s, _) in current(company).items()}
    assert [held[a] for a in ("acme", "bolt", "cord", "a7")] == [
        {"touch": "mid", "busy": "in"}, {"touch": "mid", "renewal": "T-120"},
        {"touch": "low"}, {"touch": "mid"}]
