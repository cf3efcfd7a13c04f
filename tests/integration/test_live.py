"""The daemon with the wall clock: events in, views, changes and metrics out."""

import datetime as dt
import shutil
import subprocess
import time

import pytest
from support.avro import Codec
from support.company import DAY_MS, Company, instant, now_ms
from support.process import DEADLINE, stay_in_one_day, wait_until
from support.segmentd import ROOT


@pytest.fixture
def company(kafka, redis, tmp_path, unique):
    return Company(kafka, redis, tmp_path / "schemas", unique).create()


def midnight_ms(days):
    """00:00 UTC so many days from now."""
    today = dt.datetime.now(dt.timezone.utc).date()
    day = today + dt.timedelta(days=days)
    return int(dt.datetime(day.year, day.month, day.day,
                           tzinfo=dt.timezone.utc).timestamp() * 1000)


def test_events_become_views_members_and_changes(company, redis, segmentd):
    stay_in_one_day()
    daemon = segmentd(company.config)
    daemon.start()
    client = redis.client()
    company.send_accounts(
        company.account_record("acme", 120000.0, renews_at=midnight_ms(100)),
        company.account_record("bolt", 25000.0, framed="single"),
        company.account_record("core", 10.0))
    company.send_usage(*[company.usage_record("bolt", seconds=60)
                         for _ in range(3)])
    wait_until(lambda: company.view(client, "bolt").get("segment.busy") == "in"
               and company.view(client, "bolt").get("segment.touch") == "mid"
               and company.view(client, "core").get("segment.touch") == "low"
               and company.view(client, "acme").get("renewal.window"),
               "the views are there")
    acme = company.view(client, "acme")
    assert acme["segment.touch"] == "high"
    assert acme["account.arr"] == "120000"
    assert acme["renewal.window"] == "T-120"
    assert acme["renewal.days_left"] == "100"
    bolt = company.view(client, "bolt")
    assert bolt["usage.logins_14d"] == "3"
    assert bolt["usage.seconds_30d"] == "180"
    name = company.name
    assert client.smembers(f"{name}:seg:touch:high") == {b"acme"}
    assert client.smembers(f"{name}:seg:touch:mid") == {b"bolt"}
    assert client.smembers(f"{name}:seg:busy:in") == {b"bolt"}
    assert client.zrange(f"{name}:renewals", 0, -1, withscores=True) == [
        (b"acme", pytest.approx(120000.0))]

    change = next(c for c in company.changes("acme")
                  if c["segmentation"] == "touch")
    assert (change["from"], change["to"]) == (None, "high")
    assert change["origin"] == "live" and change["account_version"] in (1, 2)
    assert change["trigger"]["topic"] == f"{name}.account"
    (reason,) = change["reasons"]
    assert reason["clause"] == "account.arr >= 100000.0"
    assert reason["values"] == {"account.arr": "120000"}
    renewal = [value for _, value in company.read("renewals")]
    assert [r["to"] for r in renewal] == ["T-120"]
    current = dict(company.read("current"))
    assert current["bolt"]["account_version"] == len(company.changes("bolt"))
    daemon.stop()


HOUR_MS = 3600 * 1000
SILENT = {"enter": "now - usage.last_seen >= hours(1)"}
# How long before something is due it is told of it: a machine that is too busy
# for the first has a longer one, and a longer one.
PAUSES_MS = (3000, 12000, 48000, 192000)


def silence(company, account):
    return [c for c in company.changes(account)
            if c["segmentation"] == "silent"]


def test_time_alone_changes_a_segment(company, redis, segmentd):
    """Silence: nothing happens but time, and the change comes by itself."""
    company.config["segmentations"]["silent"] = SILENT
    daemon = segmentd(company.config)
    daemon.start()
    for number, pause in enumerate(PAUSES_MS):
        account, due = f"a{number}", now_ms() + pause
        company.send_usage(company.usage_record(account, at=due - HOUR_MS))
        wait_until(lambda: silence(company, account), "it went silent",
                   DEADLINE + pause / 1000)
        (change,) = silence(company, account)
        if change["origin"] == "timer":
            break
        assert now_ms() > due, "that was too soon"
    assert change["origin"] == "timer" and change["trigger"] is None
    assert change["event_time"] == instant(due), "at the very instant"
    assert daemon.metric("segmentd_timer_lateness_seconds_count") >= 1
    company.send_usage(company.usage_record(account))
    wait_until(lambda: [c["to"] for c in silence(company, account)]
               == ["in", "out"], "it is back")
    daemon.stop()


def test_a_timer_fires_after_a_restart(company, redis, segmentd):
    company.config["segmentations"]["silent"] = SILENT
    daemon = segmentd(company.config)
    client = redis.client()
    for number, pause in enumerate(PAUSES_MS):
        daemon.start()
        account, due = f"a{number}", now_ms() + pause
        company.send_usage(company.usage_record(account, at=due - HOUR_MS))
        wait_until(lambda: company.view(client, account), "the view is there")
        daemon.stop()
        if not silence(company, account):
            break  # stopped before it was due
    daemon.start()
    wait_until(lambda: silence(company, account), "it went silent",
               DEADLINE + pause / 1000)
    (change,) = silence(company, account)
    assert change["origin"] == "timer"
    assert change["event_time"] == instant(due)
    daemon.stop()


def test_a_deleted_account_leaves_everything(company, redis, segmentd):
    daemon = segmentd(company.config)
    daemon.start()
    client = redis.client()
    company.send_accounts(company.account_record(
        "acme", 120000.0, renews_at=midnight_ms(50)))
    wait_until(lambda: company.view(client, "acme"), "the view is there")
    company.send_accounts(company.account_record("acme", status="deleted"))
    wait_until(lambda: not company.view(client, "acme"), "the view is gone")
    assert not client.smembers(f"{company.name}:seg:touch:high")
    assert client.zcard(f"{company.name}:renewals") == 0
    wait_until(lambda: company.read("current")[-1] == ("acme", None),
               "a tombstone")
    versions = [c["account_version"] for c in company.changes("acme")]
    assert versions == list(range(1, len(versions) + 1))
    assert {c["segmentation"] for c in company.changes("acme")
            if c["action"] == "delete"} == {"touch", "renewal"}
    # It comes back: its versions go on.
    company.send_accounts(company.account_record("acme", 30000.0))
    wait_until(lambda: company.view(client, "acme"), "the view is back")
    assert company.view(client, "acme")["segment.touch"] == "mid"
    assert company.changes("acme")[-1]["account_version"] == len(
        versions) + 1
    daemon.stop()


def test_a_repeat_counts_once_also_after_a_restart(company, redis, segmentd):
    daemon = segmentd(company.config)
    daemon.start()
    client = redis.client()
    company.send_usage(*[company.usage_record("acme", event_id="e1")] * 3)
    wait_until(lambda: daemon.metric("segmentd_repeated_total") >= 2,
               "two repeats are counted")
    daemon.stop()
    daemon.start()
    company.send_usage(company.usage_record("acme", event_id="e1"),
                       company.usage_record("acme", event_id="e2"))
    wait_until(lambda: company.view(client, "acme").get("usage.logins_14d")
               == "2", "two logins")
    daemon.stop()


def test_metrics_are_well_formed(company, segmentd):
    daemon = segmentd(company.config)
    daemon.start()
    company.send_accounts(company.account_record("acme", 120000.0))
    wait_until(
        lambda: daemon.metric("segmentd_event_to_change_seconds_count") >= 1,
        "a change is counted")
    metrics = daemon.metrics()
    assert metrics['segmentd_consumed_total{input="account"}'] >= 1
    assert metrics["segmentd_changes_total"
                   '{origin="live",segmentation="touch"}'] == 1
    assert daemon.get("/livez")[0] == 200
    wait_until(lambda: daemon.get("/readyz")[0] == 200, "it is ready")
    text = daemon.get("/readyz?verbose")[1]
    assert "redis" in text and "kafka" in text
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is missing")
    checked = subprocess.run(
        [promtool, "check", "metrics"], input=daemon.get("/metrics")[1],
        capture_output=True, text=True, timeout=DEADLINE)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    daemon.stop()


def test_at_least_once_has_the_same_outcome(company, redis, segmentd):
    company.config["delivery"] = "at_least_once"
    daemon = segmentd(company.config)
    daemon.start()
    client = redis.client()
    company.send_accounts(*[company.account_record(f"a{i}", 30000.0)
                            for i in range(50)])
    wait_until(lambda: client.scard(f"{company.name}:seg:touch:mid") == 50,
               "all are in")
    daemon.stop()
    daemon.start()
    company.send_accounts(*[company.account_record(f"a{i}", 1.0)
                            for i in range(50)])
    wait_until(lambda: client.scard(f"{company.name}:seg:touch:low") == 50,
               "all moved")
    daemon.stop()
    ids = [c["change_id"] for c in company.changes()]
    assert len(ids) == len(set(ids)) == 100


def test_two_instances_share_the_partitions(company, redis, segmentd):
    first = segmentd(dict(company.config, instance="one"), "one")
    second = segmentd(dict(company.config, instance="two"), "two")
    first.start()
    second.start()
    wait_until(lambda: first.metric("segmentd_partition_groups") == 2
               and second.metric("segmentd_partition_groups") == 2,
               "two groups each")
    client = redis.client()
    company.send_accounts(*[company.account_record(f"a{i}", 30000.0)
                            for i in range(100)])
    wait_until(lambda: client.scard(f"{company.name}:seg:touch:mid") == 100,
               "all are in")
    assert first.metric("segmentd_changes_total") > 0
    assert second.metric("segmentd_changes_total") > 0
    # One is killed: the other takes its groups over.
    first.kill9()
    wait_until(lambda: second.metric("segmentd_partition_groups") == 4,
               "all groups")
    company.send_accounts(*[company.account_record(f"a{i}", 1.0)
                            for i in range(100)])
    wait_until(lambda: client.scard(f"{company.name}:seg:touch:low") == 100,
               "all moved")
    second.stop()
    versions = {}
    for change in company.changes():
        account = change["account_id"]
        assert change["account_version"] == versions.get(account, 0) + 1
        versions[account] = change["account_version"]
    assert set(versions.values()) == {2}


def test_the_same_instance_name_twice_ends_one_of_them(
        company, redis, segmentd):
    """Fenced by Kafka, it leaves; it does not go on taking Redis' token. It is
    the older one, unless that was just out of touch with the broker: then it
    must take itself for the other, and joins again."""
    config = dict(company.config, instance="one")
    daemons = [segmentd(config, name) for name in ("older", "newer")]
    daemons[0].start()
    wait_until(lambda: daemons[0].metric("segmentd_partition_groups") == 4,
               "it has the groups")
    daemons[1].start(is_waiting=False)
    wait_until(lambda: not all(d.process.is_running() for d in daemons),
               "one of them leaves")
    daemons.sort(key=lambda daemon: daemon.process.is_running())
    left, stayed = daemons
    assert left.process.wait() == 69
    assert "another process runs with this instance name" in left.output()
    if "consumer_reopened" not in stayed.output():
        assert stayed.directory.name == "newer"
    client = redis.client()
    company.send_accounts(company.account_record("acme", 30000.0))
    wait_until(lambda: client.smembers(f"{company.name}:seg:touch:mid")
               == {b"acme"}, "the other one works on")
    stayed.stop()


def test_a_new_feature_keeps_what_is_known(company, redis, segmentd):
    """The stored form of an older configuration is read."""
    daemon = segmentd(company.config)
    daemon.start()
    client = redis.client()
    company.send_usage(*[company.usage_record("acme", seconds=10)
                         for _ in range(2)])
    wait_until(lambda: company.view(client, "acme").get("usage.logins_14d")
               == "2", "two logins")
    daemon.stop()
    features = company.config["inputs"]["usage"]["features"]
    del features["seconds_30d"]
    company.config["inputs"]["usage"]["features"] = {
        "max_30d": {"max": "seconds", "window": "30d"}, **features}
    company.config["segmentations"]["fresh"] = {
        "enter": "usage.logins_14d >= 1"}
    daemon = segmentd(company.config)
    daemon.start()
    company.send_usage(company.usage_record("acme", seconds=7))
    wait_until(lambda: company.view(client, "acme").get("usage.logins_14d")
               == "3", "the third login")
    view = company.view(client, "acme")
    assert view["usage.max_30d"] == "7"
    assert view["segment.busy"] == "in" and view["segment.fresh"] == "in"
    daemon.stop()


def test_yesterday_counts_and_last_year_is_late(company, redis, segmentd):
    daemon = segmentd(company.config)
    daemon.start()
    client = redis.client()
    company.send_usage(
        company.usage_record("acme", at=now_ms()),
        company.usage_record("acme", at=now_ms() - DAY_MS),
        company.usage_record("acme", at=now_ms() - 365 * DAY_MS))
    wait_until(lambda: company.view(client, "acme").get("usage.logins_14d")
               == "2", "two count")
    wait_until(lambda: daemon.metric("segmentd_late_total") >= 1,
               "one is late")
    assert company.view(client, "acme")["usage.logins_14d"] == "2"
    daemon.stop()


def test_new_rules_are_applied_to_every_account(company, redis, segmentd):
    """Not only to those that have an event: with origin rule_change."""
    daemon = segmentd(company.config)
    daemon.start()
    client = redis.client()
    company.send_accounts(*[company.account_record(f"a{i}", 30000.0)
                            for i in range(300)])
    name = company.name
    wait_until(lambda: client.scard(f"{name}:seg:touch:mid") == 300,
               "all are in")
    daemon.stop()
    company.config["segmentations"]["touch"]["segments"][1]["when"] = (
        "account.arr >= 50000.0")
    company.config["segmentations"]["paying"] = {"enter": "account.arr > 0.0"}
    del company.config["segmentations"]["busy"]
    daemon = segmentd(company.config)
    daemon.start()
    wait_until(lambda: client.scard(f"{name}:seg:touch:low") == 300
               and client.scard(f"{name}:seg:paying:in") == 300,
               "all moved")
    assert client.scard(f"{name}:seg:touch:mid") == 0
    wait_until(lambda: "event=review_done" in daemon.output(), "it is done")
    daemon.stop()
    moved = [c for c in company.changes() if c["to"] == "low"]
    assert len(moved) == 300
    assert {c["origin"] for c in moved} == {"rule_change"}
    # And only once: the next start finds nothing to do.
    before = len(company.changes())
    daemon.start()
    company.send_accounts(company.account_record("b", 1.0))
    wait_until(lambda: client.sismember(f"{name}:seg:touch:low", "b"), "b")
    assert daemon.output().count("event=review_begin") <= 2
    daemon.stop()
    assert len(company.changes()) == before + 2


def test_explain_says_why_and_until_when(company, redis, segmentd):
    from support.segmentd import command
    import json
    stay_in_one_day()
    daemon = segmentd(company.config)
    daemon.start()
    client = redis.client()
    company.send_accounts(company.account_record(
        "acme", 30000.0, renews_at=midnight_ms(100)))
    company.send_usage(*[company.usage_record("acme") for _ in range(3)])
    wait_until(lambda: company.view(client, "acme").get("segment.busy") == "in"
               and company.view(client, "acme").get("segment.touch") == "mid",
               "the view is there")
    daemon.stop()
    done = command("explain", "acme", "-c", daemon.path, "--output", "json")
    assert done.returncode == 0, done.stderr
    found = {s["segmentation"]: s for s in json.loads(done.stdout)[
        "segmentations"]}
    assert found["touch"]["segment"] == "mid"
    assert [c["result"] for c in found["touch"]["clauses"]] == [
        "false", "true", "true"]
    assert found["touch"]["next_change"] is None
    assert found["busy"]["clauses"][0]["values"] == {"usage.logins_14d": "3"}
    leaves = dt.datetime.fromtimestamp(midnight_ms(15) / 1000, dt.timezone.utc)
    assert found["busy"]["next_change"] == leaves.strftime(
        "%Y-%m-%dT%H:%M:%SZ")
    assert found["renewal"]["segment"] == "T-120"
    assert command("explain", "nobody", "-c", daemon.path).returncode == 1


def test_a_person_pins_a_segment_until_it_expires(
        company, redis, segmentd, kafka):
    company.config["topics"]["overrides"] = f"{company.name}.overrides"
    daemon = segmentd(company.config)
    daemon.start()
    client = redis.client()
    company.send_accounts(company.account_record("acme", 30000.0))
    wait_until(lambda: company.view(client, "acme").get("segment.touch")
               == "mid", "mid by the rules")
    codec = Codec.of_file(ROOT / "schemas/override.v1.avsc")

    def override(segment, author="ann", expires=None, segmentation="touch"):
        kafka.produce(f"{company.name}.overrides", [{
            "key": b"acme", "value": codec.single_object({
                "account_id": "acme", "segmentation": segmentation,
                "segment": segment, "author": author, "reason": "a friend",
                "expires_at": instant(expires), "at": instant(now_ms()),
                "event_id": None})}])

    def move_to(segment, what):
        wait_until(lambda: company.view(client, "acme").get("segment.touch")
                   == segment, what)

    def stays_high(arr):
        company.send_accounts(company.account_record("acme", arr))
        wait_until(lambda: company.view(client, "acme").get("account.arr")
                   == f"{arr:.0f}", "the event is folded")
        assert company.view(client, "acme")["segment.touch"] == "high"

    override("high", expires=now_ms() + DAY_MS)
    move_to("high", "pinned")
    stays_high(1.0)
    # It survives a restart,
    daemon.stop()
    daemon.start()
    stays_high(2.0)
    # and ends by itself: at the latest when it comes too late.
    expires = now_ms() + 4000
    override("high", expires=expires)
    move_to("low", "the rules count again")
    assert now_ms() >= expires
    override("high", author="")
    override("nowhere")
    override("high", segmentation="renewal")
    wait_until(lambda: len(company.rejects()) == 3, "three are not usable")
    assert {r[2]["segmentd_reason"] for r in company.rejects()} == {
        b"bad_override"}
    override("high")
    move_to("high", "pinned again")
    override(None)
    move_to("low", "taken back")
    daemon.stop()
    touch = [c for c in company.changes("acme")
             if c["segmentation"] == "touch"]
    if touch[2]["origin"] == "timer":
        assert touch[2]["event_time"] == instant(expires)
    assert [(c["to"], c["origin"]) for c in touch] == [
        ("mid", "live"), ("high", "override"), ("low", touch[2]["origin"]),
        ("high", "override"), ("low", "override")]
    (reason,) = touch[1]["reasons"]
    assert reason["rule"] == "override" and reason["clause"] == "a friend"
    assert reason["values"]["author"] == "ann"


def test_sighup_takes_a_good_configuration_and_keeps_out_a_bad_one(
        company, redis, segmentd):
    import signal
    import yaml
    daemon = segmentd(company.config)
    daemon.start()
    client = redis.client()
    company.send_accounts(*[company.account_record(f"a{i}", 30000.0)
                            for i in range(20)])
    name = company.name
    wait_until(lambda: client.scard(f"{name}:seg:touch:mid") == 20,
               "all are in")

    def reload(when):
        daemon.config["segmentations"]["touch"]["segments"][1]["when"] = when
        daemon.path.write_text(
            yaml.safe_dump(daemon.config, sort_keys=False), "utf-8")
        daemon.process.send(signal.SIGHUP)

    reload("account.ar >= 1.0")
    wait_until(lambda: daemon.metric("segmentd_config_stale") == 1,
               "it is refused")
    assert "did you mean" in daemon.output()
    wait_until(lambda: "refused" in daemon.get("/readyz?verbose")[1]
               and daemon.get("/readyz")[0] == 200, "and ready says so")
    company.send_accounts(company.account_record("b", 30000.0))
    wait_until(lambda: client.sismember(f"{name}:seg:touch:mid", "b"),
               "the old rules run")
    reload("account.arr >= 50000.0")
    wait_until(lambda: client.scard(f"{name}:seg:touch:low") == 21,
               "all moved by the new rules")
    daemon.wait_ready()
    daemon.stop()
    assert {c["origin"] for c in company.changes() if c["to"] == "low"} == {
        "rule_change"}


def test_the_points_of_a_score_are_in_the_reasons(company, redis, segmentd):
    company.config["scores"] = {"health": [
        {"name": "pays", "when": "account.arr > 0.0", "points": 30},
        {"name": "logs_in", "when": "usage.logins_14d >= 2", "points": 50}]}
    company.config["segmentations"]["healthy"] = {
        "enter": "score.health >= 80.0"}
    daemon = segmentd(company.config)
    daemon.start()
    company.send_accounts(company.account_record("acme", 30000.0))
    company.send_usage(*[company.usage_record("acme")] * 2)
    wait_until(lambda: [c for c in company.changes("acme")
                        if c["segmentation"] == "healthy"], "it is healthy")
    (change,) = [c for c in company.changes("acme")
                 if c["segmentation"] == "healthy"]
    (reason,) = change["reasons"]
    assert reason["values"] == {
        "score.health": "80", "score.health.pays": "30",
        "score.health.logs_in": "50"}
    daemon.stop()


def test_an_instance_without_partitions_is_ready(company, segmentd):
    """It stands by. A rollout that waits for it would wait for ever."""
    daemons = [segmentd(dict(company.config, instance=name), name)
               for name in ("one", "two", "three")]
    for daemon in daemons:
        daemon.start(is_waiting=False)

    def groups(daemon):
        return (daemon.get("/metrics")[0] == 200
                and "event=assigned" in daemon.output()
                and daemon.metric("segmentd_partition_groups"))

    wait_until(lambda: sorted(map(groups, daemons)) == [0, 2, 2],
               "one of them has none")
    for daemon in daemons:
        wait_until(lambda: daemon.get("/readyz")[0] == 200,
                   daemon.get("/readyz?verbose")[1])


def send_one_by_one(company, daemon, n):
    """As many batches, none of which moves anybody; (transactions, batches)
    that came with them. What a round does is over when the next has begun."""
    def send():
        batches = daemon.metric("segmentd_batch_seconds_count")
        company.send_usage(company.usage_record("acme", kind="view"))
        daemon.wait_for(lambda: daemon.metric(
            "segmentd_batch_seconds_count") > batches, "it is folded")

    def counts():
        return [daemon.metric(f"segmentd_{name}") for name in (
            "transactions_total", "batch_seconds_count")]

    send()
    before = counts()
    for _ in range(n):
        send()
    return [after - then for after, then in zip(counts(), before)]


def start_with_acme(company, segmentd, interval):
    company.config.update(workers=1, commit={"interval": interval})
    daemon = segmentd(company.config)
    daemon.start()
    company.send_accounts(company.account_record("acme", 10.0))
    daemon.wait_for(lambda: daemon.metric("segmentd_transactions_total") >= 1,
                    "it is in a segment")
    return daemon


def test_a_batch_without_changes_opens_no_transaction(
        company, kafka, segmentd):
    daemon = start_with_acme(company, segmentd, "600s")
    transactions, batches = send_one_by_one(company, daemon, 20)
    assert batches >= 20 and transactions == 0
    company.send_accounts(company.account_record("acme", 30000.0))
    wait_until(lambda: [c["to"] for c in company.changes("acme")
                        if c["segmentation"] == "touch"] == ["low", "mid"],
               "what moves it does")
    assert sum(offset for offset in kafka.committed(
        company.name, f"{company.name}.usage").values() if offset > 0) == 21
    daemon.stop()


def test_offsets_are_committed_by_the_interval_though_nothing_moves(
        company, kafka, segmentd):
    daemon = start_with_acme(company, segmentd, "1s")
    begin = time.monotonic()
    transactions, batches = send_one_by_one(company, daemon, 30)
    seconds = time.monotonic() - begin
    assert batches >= 30 and transactions <= seconds + 2
    wait_until(lambda: sum(offset for offset in kafka.committed(
        company.name, f"{company.name}.usage").values() if offset > 0) == 31,
        "all is committed")
    daemon.stop()
