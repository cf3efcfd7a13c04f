"""get, list, tail, override, top: what people look at, and the one thing they
may do. One company for all asserts that do not disturb each other."""

import csv
import io
import json
import os
import pty
import select
import signal
import subprocess

import pytest
from support.company import DAY_MS, Company, now_ms
from support.process import Process, wait_until
from support.segmentd import BINARY, command
from support.settled import wait_settled

ACCOUNTS = {"a1": 120000.0, "a2": 25000.0, "a3": 150000.5, "a4": 1.0,
            "-x,\"q": 30000.0}


class Looked:
    """A company that stands still, its daemon running."""

    def __init__(self, company, daemon, redis):
        self.company, self.daemon, self.redis = company, daemon, redis
        self.name = company.name

    def run(self, *words, status=0):
        done = command(*words[:1], "-c", self.daemon.path, *words[1:],
                       timeout=300)
        assert done.returncode == status, done.stdout + done.stderr
        return done

    def out(self, *words):
        return self.run(*words).stdout

    def json(self, *words):
        return json.loads(self.out(*words, "--output", "json"))

    def settle(self, accounts=None):
        wait_settled(self.company, self.daemon, self.redis, accounts)


def make(kafka, redis, segmentd, tmp_path, unique, layout):
    company = Company(kafka, redis, tmp_path / "schemas", unique,
                      partitions=3).create()
    company.config["redis"]["layout"] = layout
    daemon = segmentd(company.config)
    daemon.start()
    at = now_ms()
    company.send_accounts(*[company.account_record(
        name, arr, renews_at=at + 80 * DAY_MS)
        for name, arr in ACCOUNTS.items()],
        company.account_record("gone", 5.0))
    company.send_usage(*[company.usage_record(
        "a1", at=at - n * DAY_MS, event_id=f"u{n}") for n in range(4)])
    company.kafka.produce(f"{company.name}.usage",
                          [{"key": b"bad", "value": b"\0\0\0\0\x08nothing"}])
    looked = Looked(company, daemon, redis)
    looked.settle()
    company.send_accounts(company.account_record("gone", status="deleted"))
    looked.settle()
    return looked


@pytest.mark.parametrize("layout", ["plain", "partitioned"])
def test_looking(kafka, redis, segmentd, tmp_path, unique, layout):
    looked = make(kafka, redis, segmentd, tmp_path, unique, layout)
    look_at_accounts(looked)
    look_at_segments(looked)
    if layout == "plain":
        look_at_topics(looked)
        follow_a_topic(looked)
        look_at_the_daemon(looked)
        look_at_nothing(looked)
    pin_and_unpin(looked)


def look_at_accounts(looked):
    got = looked.json("get", "a1")
    assert got["account_id"] == "a1"
    assert got["version"] >= 2
    assert got["segments"] == {"touch": "high", "busy": "in"}
    assert got["renewal"]["window"] == "T-90"
    assert got["renewal"]["days_left"] == 80
    assert got["renewal"]["priority"] == 120000
    assert got["values"]["account.arr"] == 120000
    assert got["values"]["usage.logins_14d"] == 4
    assert got["values"]["account.status"] == "active"
    text = looked.out("get", "a1")
    assert text.startswith("a1, version ")
    assert "\n    touch  high\n" in text
    assert "\n    window     T-90\n" in text
    assert "\033" not in text
    for who in ("nobody", "gone"):
        done = looked.run("get", who, status=1)
        assert "no account of that id" in done.stderr and not done.stdout
    # explain finds the account's partition, too.
    assert looked.json("explain", "a4")["account_id"] == "a4"
    looked.run("explain", "nobody", status=1)


def look_at_segments(looked):
    assert looked.out("list", "touch.high") == "a1\na3\n"
    assert looked.out("list", "touch=mid") == '-x,"q\na2\n'
    assert looked.out("list", "busy") == "a1\n"
    assert len(looked.out("list", "renewal.T-90").splitlines()) == 5
    some = looked.run("list", "renewal.T-90", "-n", "2")
    assert len(some.stdout.splitlines()) == 2
    assert "2 of 5 accounts" in some.stderr
    rows = looked.json("list", "touch.high", "--fields",
                       "account.arr,segment.busy,version")
    assert [(r["account_id"], r["account.arr"], r["segment.busy"])
            for r in rows] == [("a1", 120000, "in"), ("a3", 150000.5, "out")]
    assert all(isinstance(r["version"], int) for r in rows)
    table = list(csv.DictReader(io.StringIO(looked.out(
        "list", "touch.mid", "--output", "csv", "--fields", "account.arr"))))
    assert [(r["account_id"], float(r["account.arr"])) for r in table] == [
        ("'-x,\"q", 30000), ("a2", 25000)]
    text = looked.out("list", "touch.high", "--fields", "account.arr")
    assert text.splitlines()[0] == "account  account.arr"
    for words, told in (
            (["touhc.high"], "did you mean `touch`?"),
            (["touch.hihg"], "did you mean `high`?"),
            (["touch"], "which segment of touch"),
            (["busy.out"], "nobody keeps a list"),
            (["busy", "--fields", "acount.arr"],
             "did you mean `account.arr`?")):
        done = looked.run("list", *words, status=64)
        assert told in done.stderr and not done.stdout


def look_at_topics(looked):
    company = looked.company
    records = [json.loads(line) for line in looked.out(
        "tail", "changes", "--since", "start", "-e", "--output",
        "json").splitlines()]
    wanted = company.read("changes")
    assert len(records) == len(wanted) > 10
    assert (sorted(r["value"]["change_id"] for r in records)
            == sorted(c["change_id"] for _, c in wanted))
    assert all(r["topic"] == f"{looked.name}.changes"
               and r["headers"]["ce_type"] == "segmentd.change.v1"
               and r["key"] == r["value"]["account_id"] for r in records)
    mine = looked.out("tail", f"{looked.name}.changes", "--since", "1h", "-e",
                      "--account", "a1", "-f",
                      "{account_version} {segmentation} {from|none}->{to} "
                      "{renewal.window|-} %k\\n").splitlines()
    assert [line.split()[0] for line in mine] == [
        str(n + 1) for n in range(len(mine))]
    assert any(" touch none->high " in line for line in mine)
    assert all(line.endswith(" a1") for line in mine)
    assert "touch: none -> high  (live, version" in looked.out(
        "tail", "changes", "--since", "start", "-e")
    # A later time, and offsets beyond the end, show nothing.
    for since in ("2999-01-01", "99999"):
        assert looked.out("tail", "changes", "--since", since, "-e") == ""
    assert len(looked.out("tail", "account", "--since", "start", "-e", "-n",
                          "2").splitlines()) == 2
    (tombstone,) = [line for line in looked.out(
        "tail", "current", "--since", "start", "-e", "--account",
        "gone").splitlines() if "(no value)" in line]
    assert "  gone  " in tombstone
    assert '"state"' not in looked.out("tail", "current", "--since", "start",
                                       "-e", "--output", "json")
    reject = looked.out("tail", "rejects", "--since", "start", "-e")
    assert f"bad  bad_record  {looked.name}.usage [" in reject
    # What cannot be decoded is told, and the rest is shown.
    usage = looked.run("tail", "usage", "--since", "start", "-e", "-f",
                       "{kind}", status=65)
    assert usage.stdout == "login\n" * 4
    assert f"{looked.name}.usage [" in usage.stderr
    assert "T-90" in looked.out("tail", "renewals", "--since", "start", "-e")
    for words, told in (
            (["chagnes"], "did you mean `changes`?"),
            (["changes", "-f", "{acount_id}"], "did you mean `account_id`?"),
            (["changes", "-f", "%z"], "not %z"),
            (["changes", "-f", "{to"], "never closed"),
            (["changes", "--since", "yesterday"], "--since is a time")):
        done = looked.run("tail", *words, status=64)
        assert told in done.stderr and not done.stdout


def follow_a_topic(looked):
    """What comes from now on, until Ctrl-C."""
    log = looked.daemon.directory / "tail.log"
    follower = Process(
        [BINARY, "tail", "changes", "-c", looked.daemon.path, "-f",
         "{account_id} {to|none}"], log)
    try:
        # It begins at the end at some instant: changes until it has begun.
        n = 0

        def shows():
            nonlocal n
            n += 1
            looked.company.send_accounts(
                looked.company.account_record("late", [1.0, 30000.0][n % 2]))
            return "late mid\n" in follower.output()
        wait_until(shows, "what comes is shown", timeout=120, pause=1)
        assert "a1 " not in follower.output()
        follower.send(signal.SIGINT)
        assert follower.wait() == 0
    finally:
        follower.kill9()


def look_at_the_daemon(looked):
    listen = looked.daemon.config["http"]["listen"]
    n = 0

    def moves():
        """A frame while some accounts move to and fro."""
        nonlocal n
        top = subprocess.Popen(
            [str(BINARY), "top", "-c", str(looked.daemon.path), "--interval",
             "1", "--output", "json"], stdout=subprocess.PIPE)
        while top.poll() is None:
            n += 1
            looked.company.send_accounts(*[looked.company.account_record(
                f"b{i}", [1.0, 30000.0][n % 2]) for i in range(100)])
        frame = json.loads(top.stdout.read())
        top.stdout.close()
        assert top.returncode == 0
        return (frame if frame["inputs"]["account"]["records_per_s"] > 0
                and frame["segmentations"]["touch"]["rules_us"] else None)
    frame = wait_until(moves, "a frame with records in it", timeout=300)
    assert (frame["daemons"], frame["answering"], frame["ready"]) == (1, 1, 1)
    assert frame["state"]["kafka"] == frame["state"]["redis"] == "ok"
    assert set(frame["inputs"]) == {"account", "usage", "overrides"}
    assert set(frame["segmentations"]) == {"touch", "busy", "renewal"}
    assert frame["slowest_rules"] in ("touch", "busy")
    assert frame["latency_s"]["batch"]["p99"] > 0
    assert frame["takeovers"] >= 3 and frame["memory_bytes"] > 1e6
    # The same daemon twice counts twice; one that is away is told.
    done = command("top", "--url", listen, "--url", f"http://{listen}/",
                   "--url", "127.0.0.1:1", "--once", "--interval", "1")
    assert done.returncode == 0, done.stderr
    assert "2 of 3 daemons answer, 2 ready" in done.stdout
    assert "  kafka: ok\n" in done.stdout and "\033" not in done.stdout
    assert "\naccount " in done.stdout and "  slowest\n" in done.stdout
    done = command("top", "--url", "127.0.0.1:1", "--interval", "1")
    assert done.returncode == 69 and not done.stdout
    assert "no daemon answers at 127.0.0.1:1" in done.stderr
    for words in (["--url", "nowhere"], ["--interval", "9999"], []):
        assert command("top", *words).returncode == 64
    watch_on_a_terminal(looked)


def watch_on_a_terminal(looked):
    """Frame after frame on a screen of its own, until Ctrl-C."""
    master, slave = pty.openpty()
    top = subprocess.Popen(
        [str(BINARY), "top", "-c", str(looked.daemon.path), "--interval", "1"],
        stdout=slave, stderr=slave, stdin=subprocess.DEVNULL)
    os.close(slave)
    shown = b""
    try:
        while shown.count(b"\033[H\033[J") < 2:
            assert select.select([master], [], [], 60)[0], shown
            shown += os.read(master, 65536)
        top.send_signal(signal.SIGINT)
        assert top.wait(60) == 0
        shown += os.read(master, 65536)
    finally:
        top.kill()
        top.wait()
        os.close(master)
    assert shown.startswith(b"\033[?1049h")
    assert shown.endswith(b"\033[?25h\033[?1049l")
    assert b"1 of 1 daemons answer, 1 ready" in shown


def look_at_nothing(looked):
    """Servers that are away, and topics that are not there."""
    done = looked.run("get", "a1", "--set", "redis.url=redis://127.0.0.1:1",
                      status=69)
    assert "127.0.0.1:1" in done.stderr
    done = looked.run("tail", "changes", "-e", "--set",
                      "topics.changes=nowhere", status=78)
    assert "no topic nowhere" in done.stderr


def pin_and_unpin(looked):
    company = looked.company
    before = sum(company.kafka.end_offsets(
        f"{looked.name}.overrides").values())
    who = ["--author", "ann"]
    for words, status, told in (
            (["set", "a4", "touch.high"], 64, "who decides it"),
            (["set", "a4", "touch.high", "--author", " "], 64,
             "who decides it"),
            (["set", "a4", "touch.hgih", *who], 64, "did you mean `high`?"),
            (["set", "a4", "toch.high", *who], 64, "did you mean `touch`?"),
            (["set", "a4", "touch", *who], 64, "which segment"),
            (["set", "a4", "renewal.T-90", *who], 64, "cannot be pinned"),
            (["set", "a4", "touch.high", *who, "--expires", "2020-01-01"], 64,
             "has passed"),
            (["set", "a4", "touch.high", *who, "--expires", "soon"], 64,
             "--expires is a time"),
            (["set", "nobody", "touch.high", *who], 1, "no account"),
            (["set", "gone", "touch.high", *who], 1, "no account"),
            (["clear", "a4", "touch.high", *who], 64, "segmentation alone"),
            (["clear", "a4", "touch"], 64, "who decides it"),
            (["list", "nobody"], 1, "no account"),
            (["set", "a4"], 64, "usage:"),
            (["pin", "a4", "touch.high", *who], 64, "usage:")):
        done = looked.run("override", *words, status=status)
        assert told in done.stderr and not done.stdout
    assert sum(company.kafka.end_offsets(
        f"{looked.name}.overrides").values()) == before
    assert looked.json("override", "list") == []

    told = looked.out("override", "set", "a4", "touch.high", *who, "--reason",
                      "a friend", "--expires", "30d")
    assert told.startswith("a4: pinned to touch.high until 20")
    looked.run("override", "set", "a2", "busy", *who)

    def segment(account, segmentation):
        return looked.json("get", account)["segments"][segmentation]
    wait_until(lambda: (segment("a4", "touch"), segment("a2", "busy"))
               == ("high", "in"), "the pins hold", pause=0.3)
    pins = {p["account_id"]: p for p in looked.json("override", "list")}
    assert sorted(pins) == ["a2", "a4"]
    assert (pins["a4"]["segmentation"], pins["a4"]["segment"],
            pins["a4"]["author"], pins["a4"]["reason"]) == (
        "touch", "high", "ann", "a friend")
    assert pins["a4"]["expires_at"] and pins["a2"]["expires_at"] is None
    assert looked.json("override", "list", "a2") == [pins["a2"]]
    assert "touch.high" in looked.out("override", "list")
    assert "a4,touch,high,ann,a friend," in looked.out(
        "override", "list", "--output", "csv")
    assert [c["origin"] for c in company.changes("a4")
            if c["segmentation"] == "touch"][-1] == "override"

    looked.run("override", "clear", "a4", "touch", *who)
    wait_until(lambda: segment("a4", "touch") == "low",
               "the pin is taken back", pause=0.3)
    assert [p["account_id"] for p in looked.json("override", "list")] == ["a2"]
