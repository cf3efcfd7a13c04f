"""The analyst's verbs: fmt, schema, check, graph, backtest --compare, plan."""

import copy
import csv
import io
import json
import os
import re
import signal
import stat
import subprocess

import pytest
import yaml

from support.company import DAY_MS, Company, now_ms
from support.process import DEADLINE, Process, free_port, wait_until
from support.segmentd import BINARY, ROOT, command
from support.settled import wait_settled

GOLDEN = ROOT / "tests/golden"
SCHEMA = GOLDEN / "warn/account.avsc"



def is_golden(name, text):
    """GOLDEN_UPDATE=1 writes the file, to be read before it is committed."""
    if os.environ.get("GOLDEN_UPDATE"):
        (GOLDEN / name).write_text(text, "utf-8")
    assert text == (GOLDEN / name).read_text("utf-8")


# --- rows of files ----------------------------------------------------------

BAD_ROWS = """account_id,updated_at,arr
acme,2025-03-01T09:00:00Z,120000
bolt,nonsense,5
core,2025-03-03T09:00:00Z,x
,2025-03-03T09:00:00Z,3
"""
NAMED = ("accounts.csv:3: field 'updated_at': not a time\n",
         "accounts.csv:4: field 'arr': not a number\n",
         "accounts.csv:5: the account id is null or empty\n")


def test_bad_rows_are_named_and_the_rest_is_used(kafka, redis, tmp_path,
                                                 unique):
    company = Company(kafka, redis, tmp_path / "schemas", unique).create()
    config, rows = tmp_path / "rules.yaml", tmp_path / "accounts.csv"
    config.write_text(json.dumps(company.config), "utf-8")
    rows.write_text(BAD_ROWS, "utf-8")
    replay = command("backtest", "-c", config, "--input", f"account={rows}",
                     "--until", "2025-04-01", "--output", "json")
    assert replay.returncode == 65
    (change,) = [json.loads(line) for line in replay.stdout.splitlines()
                 if json.loads(line)["segmentation"] == "touch"]
    assert (change["account_id"], change["to"]) == ("acme", "high")
    assert "3 bad rows" in replay.stderr
    same = command("backtest", "-c", config, "--compare", config, "--input",
                   f"account={rows}")
    assert same.returncode == 65, "nobody moves, as far as one can tell"
    assert "0 of 1 accounts move" in same.stdout
    load = command("load", "-c", config, "--input", f"account={rows}")
    assert load.returncode == 65
    assert "1 records produced, 3 bad rows" in load.stderr
    for line in NAMED:
        assert line in replay.stderr and line in load.stderr
    assert [m.key() for m in kafka.read(f"{unique}.account")] == [b"acme"]


def test_load_ends_at_once_on_ctrl_c_while_the_broker_is_away(
        kafka, redis, tmp_path, unique):
    company = Company(kafka, redis, tmp_path / "schemas", unique)
    company.config["kafka"]["bootstrap.servers"] = f"127.0.0.1:{free_port()}"
    config, rows = tmp_path / "rules.yaml", tmp_path / "accounts.csv"
    config.write_text(json.dumps(company.config), "utf-8")
    rows.write_text(BAD_ROWS, "utf-8")
    load = Process([BINARY, "load", "-c", config, "--input",
                    f"account={rows}"], tmp_path / "load.log")
    load.wait_for_output("Connection refused")
    load.send(signal.SIGINT)
    assert load.wait() == 130


# --- eval and explain -------------------------------------------------------

@pytest.mark.parametrize("text, value", [
    ("-9223372036854775808", -9223372036854775808), ("--1", 1),
    ("-1 < 0u", True)])
def test_eval_takes_what_begins_with_a_minus(text, value):
    done = command("eval", text, "--output", "json")
    assert json.loads(done.stdout)["value"] == value, done.stderr
    assert command("eval", "--nwo", "1", "1").returncode == 64


def test_what_costs_too_much_is_not_tried_again_each_millisecond(tmp_path):
    numbers = tmp_path / "numbers.json"
    numbers.write_text(json.dumps({"a": list(range(300000))}), "utf-8")
    done = command("eval", "a.all(x, x in a)", "--vars", numbers,
                   "--output", "json")
    found = json.loads(done.stdout)
    assert done.returncode == 1 and "costs too much" in found["error"]
    assert found["valid_until"] is None


def test_explain_tells_when_it_moves_not_when_it_looks_again(tmp_path):
    (tmp_path / "account.avsc").write_text(json.dumps({
        "type": "record", "name": "Account", "fields": [
            {"name": "account_id", "type": "string"},
            {"name": "at", "type": {"type": "long",
                                    "logicalType": "timestamp-millis"}}]}))
    config, rows = tmp_path / "rules.yaml", tmp_path / "accounts.csv"
    config.write_text(json.dumps({
        "version": 1, "kafka": {"bootstrap.servers": "localhost:1"},
        "inputs": {"account": {
            "topic": "a", "schema": "account.avsc", "key": "account_id",
            "time": "at", "features": {"days": {"days_since": True},
                                       "n": {"count": "30d"}}}},
        "segmentations": {
            "morning": {"enter": "now.getHours() == 9"},
            "lost": {"enter": "account.days >= 30"},
            "few": {"enter": "account.n < 2"},
            "later": {"enter": "now.getFullYear() >= 2030"},
            "never": {"enter": "account.n > 5"}}}), "utf-8")
    rows.write_text("account_id,at\na,2026-03-01T08:00:00Z\n"
                    "a,2026-03-05T09:00:00Z\na,2026-03-06T10:00:00Z\n")
    done = command("explain", "a", "-c", config, "--input",
                   f"account={rows}", "--at", "2026-03-10T12:30:00Z",
                   "--output", "json")
    told = {s["segmentation"]: s["next_change"]
            for s in json.loads(done.stdout)["segmentations"]}
    replay = command("backtest", "-c", config, "--input", f"account={rows}",
                     "--until", "2030-01-02")
    moved = {}
    for change in map(json.loads, replay.stdout.splitlines()):
        if change["evaluated_at"] > "2026-03-10T12:30:00Z":
            moved.setdefault(change["segmentation"], change["evaluated_at"])
    assert told == {**{name: None for name in told}, **moved}
    assert set(moved) == {"morning", "lost", "few", "later"}


def test_explain_shows_the_points_of_a_score_and_what_failed(tmp_path):
    (tmp_path / "account.avsc").write_text(json.dumps({
        "type": "record", "name": "Account", "fields": [
            {"name": "account_id", "type": "string"},
            {"name": "arr", "type": "long"},
            {"name": "at", "type": {"type": "long",
                                    "logicalType": "timestamp-millis"}}]}))
    config, rows = tmp_path / "rules.yaml", tmp_path / "accounts.ndjson"
    config.write_text(json.dumps({
        "version": 1, "kafka": {"bootstrap.servers": "localhost:1"},
        "inputs": {"account": {
            "topic": "a", "schema": "account.avsc", "key": "account_id",
            "time": "at", "features": {"arr": {"last": "arr"}}}},
        "scores": {"health": [
            {"name": "big", "when": "account.arr > 50", "points": 40},
            {"name": "huge", "when": "account.arr > 500", "points": 20},
            {"name": "odd", "when": "1 / (account.arr - 7) > 0",
             "points": 1}]},
        "segmentations": {"well": {"enter": "score.health >= 30.0"}}}),
        "utf-8")

    def values(arr):
        rows.write_text(json.dumps(
            {"account_id": "a", "arr": arr, "at": "2026-03-01T00:00:00Z"}),
            "utf-8")
        done = command("explain", "a", "-c", config, "--input",
                       f"account={rows}", "--output", "json")
        (well,) = json.loads(done.stdout)["segmentations"]
        return well["clauses"][0]["values"]

    assert values(60) == {"score.health": "40", "score.health.big": "40",
                          "score.health.huge": "0", "score.health.odd": "0"}
    assert values(7)["score.health.odd"] == "error: division by zero"


# --- fmt and schema ---------------------------------------------------------

UGLY = "version:   1 # the form\ninputs: {}\n"
NEAT = "version: 1   # the form\ninputs: {}\n"


def test_fmt_rewrites_in_place_and_keeps_mode_and_links(tmp_path):
    file, link = tmp_path / "a.yaml", tmp_path / "link.yaml"
    file.write_text(UGLY, "utf-8")
    file.chmod(0o640)
    link.symlink_to(file.name)
    done = command("fmt", link)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert file.read_text("utf-8") == NEAT
    assert link.is_symlink()
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert sorted(os.listdir(tmp_path)) == ["a.yaml", "link.yaml"]
    # What is as it should be is not touched.
    before = file.stat().st_ino
    assert command("fmt", file).returncode == 0
    assert file.stat().st_ino == before


def test_fmt_check_names_what_would_change(tmp_path):
    ugly, neat = tmp_path / "ugly.yaml", tmp_path / "neat.yaml"
    ugly.write_text(UGLY, "utf-8")
    neat.write_text(NEAT, "utf-8")
    done = command("fmt", "--check", neat, ugly)
    assert (done.returncode, done.stdout) == (1, f"{ugly}\n")
    assert ugly.read_text("utf-8") == UGLY
    assert command("fmt", "--check", neat).returncode == 0


def test_fmt_reads_standard_input(tmp_path):
    done = command("fmt", "-", stdin=UGLY)
    assert (done.returncode, done.stdout) == (0, NEAT)
    assert command("fmt", "--check", "-", stdin=UGLY).returncode == 1


@pytest.mark.parametrize("arguments, stdin, status", [
    ([], None, 64), (["--wrong", "-"], "", 64), (["-"], "{", 78),
    (["-"], "", 78), (["/nowhere/a.yaml"], None, 74)])
def test_fmt_says_what_is_wrong(arguments, stdin, status):
    done = command("fmt", *arguments, stdin=stdin)
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr


def test_fmt_leaves_alone_what_it_cannot_read(tmp_path):
    bad, ugly = tmp_path / "bad.yaml", tmp_path / "ugly.yaml"
    bad.write_text("a: [", "utf-8")
    ugly.write_text(UGLY, "utf-8")
    assert command("fmt", bad, ugly).returncode == 78
    assert bad.read_text("utf-8") == "a: ["
    assert ugly.read_text("utf-8") == NEAT, "the others are done"


def test_what_is_in_the_repository_is_in_the_house_format():
    files = [*ROOT.glob("config/**/*.yaml")]
    assert files
    done = command("fmt", "--check", *files)
    assert (done.returncode, done.stdout) == (0, "")


def test_schema_is_a_json_schema():
    done = command("schema")
    assert done.returncode == 0
    schema = json.loads(done.stdout)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert "segmentations" in schema["properties"]


@pytest.mark.parametrize(
    "verb", ["fmt", "schema", "check", "graph", "backtest", "plan"])
def test_every_verb_has_help(verb):
    done = command(verb, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"usage: segmentd {verb}")
    assert max(len(line) for line in done.stdout.splitlines()) <= 80


# --- check and graph --------------------------------------------------------

def test_check_warns_and_is_content():
    """What is warned of, word for word: tests/unit/test_pipeline_warn.c."""
    done = command("check", GOLDEN / "warn/unread.yaml")
    assert done.returncode == 0
    assert "no rule reads `variables.unused`" in done.stderr
    assert done.stdout.endswith("5 warnings, no mistakes\n")
    done = command("check", GOLDEN / "warn/nothing.yaml")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("2 segmentations, no mistakes\n")


@pytest.mark.parametrize("output", ["text", "dot", "json"])
@pytest.mark.parametrize("name", ["segments", "unread"])
def test_graph_is_as_expected(name, output):
    done = command("graph", "-c", f"tests/golden/warn/{name}.yaml",
                   "--output", output, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    is_golden(f"graph/{name}.{output}", done.stdout)


def test_graph_of_every_example():
    for path in [ROOT / "config/demo/segmentd.yaml",
                 *ROOT.glob("config/presets/*.yaml"),
                 *(path for path in ROOT.glob("config/examples/[!e]*.yaml")
                   if not path.name.endswith(".test.yaml"))]:
        done = command("graph", "-c", path, "--output", "json")
        assert done.returncode == 0, done.stderr
        nodes = {n["name"]: n for n in json.loads(done.stdout)["nodes"]}
        for node in nodes.values():
            assert set(node["reads"]) <= set(nodes)
            # The inputs that feed it are those of what it reads.
            if node["kind"] != "input":
                assert set(node["inputs"]) == {
                    i for r in node["reads"] for i in nodes[r]["inputs"]}


# --- backtest --compare -----------------------------------------------------

CONFIG = {
    "version": 1,
    "inputs": {"account": {
        "topic": "a", "schema": str(SCHEMA), "key": "account_id",
        "features": {"arr": {"last": "arr"}, "plan": {"last": "plan"},
                     "events_7d": {"count": "7d"}}}},
    "segmentations": {
        "touch": {"segments": [
            {"name": "high", "when": "account.arr >= 100.0"},
            {"name": "mid", "when": "account.arr >= 20.0"},
            {"name": "low"}]},
        "busy": {"enter": "account.events_7d >= 2"}},
}

ROWS = """account_id,arr,plan,at
a,150.5,x,2026-01-01T00:00:00Z
b,120,x,2026-01-01T00:00:00Z
=c,30,x,2026-01-01T00:00:00Z
d,10,x,2026-01-01T00:00:00Z
d,10,x,2026-01-02T00:00:00Z
"""


@pytest.fixture
def rules(tmp_path):
    """rules(name, config) writes a configuration, and gives its path."""
    schema = json.loads(SCHEMA.read_text("utf-8"))
    schema["fields"].append({"name": "at", "type": {
        "type": "long", "logicalType": "timestamp-millis"}})
    (tmp_path / "account.avsc").write_text(json.dumps(schema), "utf-8")
    (tmp_path / "rows.csv").write_text(ROWS, "utf-8")

    def write(name, config):
        config = copy.deepcopy(config)
        for part in config["inputs"].values():
            part["schema"] = "account.avsc"
            part["time"] = "at"
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(config, sort_keys=False), "utf-8")
        return path

    return write


def new_rules():
    config = copy.deepcopy(CONFIG)
    touch = config["segmentations"]["touch"]["segments"]
    touch[0] = {"name": "top", "when": "account.arr >= 140.0"}
    del config["segmentations"]["busy"]
    config["segmentations"]["idle"] = {"enter": "account.events_7d < 2"}
    return config


def compare(rules, *arguments, old=CONFIG, new=None):
    new = rules("new", new or new_rules())
    return command("backtest", "-c", new, "--compare", rules("old", old),
                   "--input", f"account={new.parent / 'rows.csv'}", *arguments)


def test_compare_says_who_would_be_where(rules):
    done = compare(rules, "--output", "json", "--list")
    assert done.returncode == 1, done.stderr
    found = json.loads(done.stdout)
    assert (found["accounts"], found["value"]) == (4, "account.arr")
    touch, idle, busy = found["segmentations"]
    assert (touch["moved"], touch["moved_value"]) == (2, 270.5)
    assert {(c["from"], c["to"]): (c["accounts"], c["value"])
            for c in touch["cells"]} == {
        ("high", "top"): (1, 150.5), ("high", "mid"): (1, 120.0),
        ("mid", "mid"): (1, 30.0), ("low", "low"): (1, 10.0)}
    assert touch["moves"] == [
        {"account_id": "a", "from": "high", "to": "top", "value": 150.5},
        {"account_id": "b", "from": "high", "to": "mid", "value": 120.0}]
    assert (idle["old"], idle["new"], idle["moved"]) == (False, True, 3)
    assert (busy["old"], busy["new"], busy["moved"]) == (True, False, 1)


def test_compare_as_text(rules):
    done = compare(rules, "--list")
    assert done.returncode == 1
    is_golden("compare/moves.text", done.stdout)


def test_compare_for_a_spreadsheet(rules):
    done = compare(rules, "--output", "csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert {"segmentation": "touch", "from": "high", "to": "top",
            "accounts": "1", "value": "150.5", "later_accounts": "0",
            "later_value": "0"} in rows
    assert sum(int(row["accounts"]) for row in rows) == 12
    done = compare(rules, "--output", "csv", "--list")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert len(rows) == 6
    assert "'=c" in {row["account_id"] for row in rows}, "no formula"


def test_compare_of_the_same_rules_finds_nothing(rules):
    done = compare(rules, new=CONFIG)
    assert done.returncode == 0
    assert done.stdout == ("touch: 0 of 4 accounts move\n\n"
                           "busy: 0 of 4 accounts move\n")


def test_compare_is_at_the_same_instant(rules):
    """The later clock counts for both, also where the old rules do not know
    the input of the last event."""
    new = copy.deepcopy(CONFIG)
    new["inputs"]["more"] = copy.deepcopy(new["inputs"]["account"])
    new["inputs"]["more"]["topic"] = "b"
    path = rules("new", new)
    more = path.parent / "more.csv"
    more.write_text(ROWS.splitlines()[0] + "\n"
                    "d,10,x,2026-02-01T00:00:00Z\n", "utf-8")
    done = compare(rules, "--input", f"more={more}", new=new)
    assert "has no input for more=" in done.stderr
    assert done.returncode == 0, "d has left busy under both"


@pytest.mark.parametrize("arguments, why", [
    (["--value", "account.nothing"], "no such name"),
    (["--value", "account.plan"], "it is no number"),
    (["--output", "yaml"], "--output is")])
def test_compare_refuses(rules, arguments, why):
    done = compare(rules, *arguments)
    assert done.returncode == 64
    assert why in done.stderr


def test_list_is_of_compare(rules):
    path = rules("new", CONFIG)
    done = command("backtest", "-c", path, "--list", "--input",
                   f"account={path.parent / 'rows.csv'}")
    assert done.returncode == 64


# --- plan -------------------------------------------------------------------

@pytest.fixture
def company(kafka, redis, tmp_path, unique):
    return Company(kafka, redis, tmp_path / "schemas", unique).create()


def written(config, path):
    path.write_text(yaml.safe_dump(config, sort_keys=False), "utf-8")
    return path


def plan(config, path, *arguments):
    done = command("plan", "-c", written(config, path), "--output", "json",
                   "--list", *arguments)
    assert done.returncode in (0, 1), done.stderr
    found = json.loads(done.stdout)
    for seg in found["segmentations"]:
        seg["cells"] = {(c["from"], c["to"]): c for c in seg["cells"]}
        seg["moves"] = {m["account_id"]: m for m in seg["moves"]}
    return done.returncode, found, {
        s["segmentation"]: s for s in found["segmentations"]}


def everything(client):
    """All that Redis holds."""
    return {key: client.dump(key) for key in client.keys("*")}


def changed_rules(config):
    config = copy.deepcopy(config)
    touch = config["segmentations"]["touch"]
    touch["segments"][1:2] = [
        {"name": "upper", "when": "account.arr >= 50000.0"},
        {"name": "lower", "when": "account.arr >= 30000.0"}]
    config["segmentations"]["paying"] = {"enter": "account.arr > 0.0"}
    del config["segmentations"]["busy"]
    config["inputs"]["usage"]["features"]["minutes_30d"] = {
        "max": "seconds", "window": "30d"}
    return config


def test_plan_says_what_a_restart_then_does(
        company, redis, segmentd, tmp_path):
    daemon = segmentd(company.config)
    daemon.start()
    client = redis.client()
    company.send_accounts(
        *[company.account_record(f"a{i}", 10000.0 * i) for i in range(20)],
        company.account_record("gone", 50000.0))
    company.send_usage(*[company.usage_record("a3") for _ in range(3)])
    company.send_accounts(company.account_record("gone", status="deleted"))
    name = company.name
    wait_settled(company, daemon, redis, accounts=None)
    assert client.scard(f"{name}:seg:touch:mid") == 8
    assert client.scard(f"{name}:seg:busy:in") == 1
    assert not company.view(client, "gone")
    daemon.stop()
    before = everything(client)
    new = changed_rules(company.config)

    # The rules that are in force move nobody.
    status, found, _ = plan(daemon.config, tmp_path / "same.yaml")
    assert (status, found["accounts"]) == (0, 20)
    assert not found["features_without_history"]

    status, found, segs = plan(new, tmp_path / "new.yaml")
    assert (status, found["accounts"]) == (1, 20)
    assert found["value"] == "account.arr"
    assert found["features_without_history"] == ["usage.minutes_30d"]
    touch = {cell: (c["accounts"], c["value"], c["later_accounts"])
             for cell, c in segs["touch"]["cells"].items()}
    assert touch == {
        ("low", "low"): (2, 10000.0, 0), ("mid", "low"): (1, 20000.0, 0),
        ("mid", "lower"): (2, 70000.0, 0), ("mid", "upper"): (5, 350000.0, 0),
        ("high", "high"): (10, 1450000.0, 0)}
    assert segs["paying"]["moved"] == 19
    assert segs["busy"]["new"] is False
    assert segs["busy"]["moves"]["a3"]["from"] == "in"
    assert everything(client) == before, "nothing is written"

    # And so it comes.
    known = {c["change_id"] for c in company.changes()}
    daemon.config.update(new)
    daemon.start()
    wait_until(lambda: "event=review_done" in daemon.output(), "it is done")
    wait_until(lambda: client.scard(f"{name}:seg:paying:in") == 19, "paying")
    daemon.stop()
    moved = {(c["segmentation"], c["account_id"], c["to"])
             for c in company.changes() if c["change_id"] not in known}
    assert moved == {(s["segmentation"], account, m["to"])
                     for s in found["segmentations"]
                     for account, m in s["moves"].items()}
    status, found, _ = plan(daemon.config, tmp_path / "after.yaml")
    assert status == 0, found


def test_plan_says_who_is_held_back_until_when(
        company, redis, segmentd, tmp_path):
    company.config["segmentations"]["touch"]["min_stay"] = "30d"
    daemon = segmentd(company.config)
    daemon.start()
    client = redis.client()
    company.send_accounts(company.account_record("acme", 30000.0),
                          company.account_record("bolt", 1.0))
    wait_until(lambda: company.view(client, "acme").get("segment.touch")
               and company.view(client, "bolt").get("segment.touch"), "in")
    daemon.stop()
    new = copy.deepcopy(daemon.config)
    new["segmentations"]["touch"]["segments"][1]["when"] = (
        "account.arr >= 50000.0")
    status, _, segs = plan(new, tmp_path / "new.yaml")
    assert status == 1
    touch = segs["touch"]
    assert (touch["moved"], touch["later"]) == (0, 1)
    assert touch["cells"]["mid", "mid"]["accounts"] == 1
    assert touch["cells"]["mid", "low"]["later_accounts"] == 1
    assert touch["cells"]["mid", "low"]["later_value"] == 30000.0
    move = touch["moves"]["acme"]
    assert (move["from"], move["to"], move["later"]) == ("mid", "mid", "low")
    since = client.hget(f"{company.name}:acct:acme", "segment.touch.since")
    if since:
        assert move["later_at"][:10] > since.decode()[:10]
    # When it is over.
    after = yaml.safe_load(
        f"{move['later_at']}").strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    _, _, segs = plan(new, tmp_path / "new.yaml", "--at", after)
    assert segs["touch"]["cells"]["mid", "low"]["accounts"] == 1
    assert segs["touch"]["later"] == 0
    text = command("plan", "-c", tmp_path / "new.yaml", "--list").stdout
    assert "(+1) later, held by min_stay or cooldown" in text
    assert f"mid, later low ({move['later_at']})" in text


def test_plan_by_the_event_clock(company, redis, segmentd, tmp_path):
    """A state of the past is decided where its clock stands."""
    company.config["clock"] = "event"
    daemon = segmentd(company.config)
    past = now_ms() - 100 * DAY_MS
    company.send_usage(*[company.usage_record("acme", at=past)
                         for _ in range(2)])
    company.send_accounts(company.account_record("acme", 1.0, at=past))
    daemon.start()
    client = redis.client()
    # One topic may be read before the other.
    wait_until(lambda: company.view(client, "acme").get("segment.touch"), "in")
    wait_until(lambda: company.view(client, "acme").get("usage.logins_14d")
               == "2", "both logins")
    daemon.stop()
    new = copy.deepcopy(daemon.config)
    new["segmentations"]["busy"]["enter"] = "usage.logins_14d >= 2"
    _, _, segs = plan(new, tmp_path / "new.yaml")
    assert segs["busy"]["cells"]["out", "in"]["accounts"] == 1
    # Today the logins are long ago.
    _, _, segs = plan(new, tmp_path / "new.yaml", "--at",
                      "2099-01-01T00:00:00Z")
    assert segs["busy"]["moved"] == 0


def test_plan_where_every_group_has_its_keys(
        company, redis, segmentd, tmp_path):
    company.config["redis"]["layout"] = "partitioned"
    daemon = segmentd(company.config)
    daemon.start()
    company.send_accounts(*[company.account_record(f"a{i}", 30000.0)
                            for i in range(40)])
    wait_until(lambda: len(company.changes()) == 40, "all are decided")
    daemon.stop()
    _, found, segs = plan(changed_rules(daemon.config), tmp_path / "new.yaml")
    assert found["accounts"] == 40
    assert segs["touch"]["cells"]["mid", "lower"]["accounts"] == 40


def test_plan_of_an_empty_redis(redis, rules):
    config = dict(CONFIG, redis={"url": redis.url})
    done = command("plan", rules("new", config))
    assert (done.returncode, done.stderr) == (0, "")
    assert "touch (new): 0 of 0 accounts move" in done.stdout


def test_plan_without_redis_says_so(rules):
    config = dict(CONFIG, redis={"url": "redis://127.0.0.1:1"})
    done = command("plan", rules("new", config))
    assert done.returncode == 69
    assert done.stdout == "" and done.stderr


# --- the README -------------------------------------------------------------

def chapter(title):
    """The fenced blocks of a chapter of the README: [(language, text)]."""
    text = (ROOT / "README.md").read_text("utf-8")
    (body,) = re.findall(rf"^## {title}\n(.*?)^## ", text, re.M | re.S)
    return re.findall(r"^```(\w*)\n(.*?)^```", body, re.M | re.S)


def test_the_analysts_ten_minutes_are_as_told(
        kafka, redis, tmp_path, unique):
    """Every file and every command of the chapter, in its order."""
    schema, history, rules, scenario, first, later, shown = [
        text for _, text in chapter("The analyst's ten minutes")]
    kafka.create_topics({f"{unique}.accounts": 2})
    # The servers of the test, and names of its own.
    for told, ours in {
            "localhost:9092": kafka.bootstrap,
            "redis://localhost:6379/0": redis.url,
            "customer.accounts": f"{unique}.accounts",
            "version: 1": f"version: 1\ngroup: {unique}\n"
                          f"http: {{listen: 127.0.0.1:{free_port()}}}\n"
                          f"topics: {{changes: {unique}.changes, "
                          f"current: {unique}.current, renewals: "
                          f"{unique}.renewals, rejects: {unique}.rejects, "
                          f"overrides: {unique}.overrides}}"}.items():
        assert told in rules
        rules = rules.replace(told, ours)
    for name, text in {"account.avsc": schema, "history.csv": history,
                       "rules.yaml": rules,
                       "rules.test.yaml": scenario}.items():
        (tmp_path / name).write_text(text, "utf-8")
    (tmp_path / "segmentd").symlink_to(BINARY)
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    daemons = []

    def run(line):
        if line.startswith("segmentd run"):
            daemons.append(Process(line.split("#")[0].split(),
                                   tmp_path / "log", env=env, cwd=tmp_path))
            return None
        return subprocess.run(line, shell=True, cwd=tmp_path, env=env,
                              capture_output=True, text=True,
                              timeout=DEADLINE)

    client = redis.client()
    try:
        for line in first.splitlines():
            done = run(line)
            assert done is None or done.returncode == 0, (line, done)
        wait_until(lambda: client.scard("segd:seg:silent:in") == 3
                   and client.scard("segd:seg:touch:low") == 2, "all are in")
        for line in later.splitlines():
            done = run(line)
            moves = "--compare" in line or "plan" in line
            assert done.returncode == (1 if moves else 0), (line, done)
            if "plan" in line:
                assert done.stdout == shown
            if line.startswith("mv"):
                daemons[0].send(signal.SIGHUP)
                wait_until(lambda: client.sismember(
                    "segd:seg:touch:high", "bolt"), "bolt has moved")
        assert "touch: high since" in done.stdout
        assert daemons.pop().stop() == 0
    finally:
        for daemon in daemons:
            daemon.kill9()
