"""The renewal queue, worked off: by the command line and by other clients."""

import datetime as dt
import json
import re
import shutil
import subprocess
import sys

import pytest
import redis as redis_client
from support.company import DAY_MS, Company, now_ms
from support.process import DEADLINE, Process, stay_in_one_day, wait_until
from support.segmentd import ROOT, command
from support.settled import kinds, verify

SCRIPTS = ("claim", "done", "release", "extend", "list", "peek")


def script(name):
    done = command("renewals", "script", name)
    assert done.returncode == 0, done.stderr
    return done.stdout


def date_ms(days):
    """Noon of the day so many days from today: of one day in any zone."""
    return now_ms() // DAY_MS * DAY_MS + days * DAY_MS + DAY_MS // 2


class Queue:
    """A company, its daemon, and words for its queue."""

    def __init__(self, company, daemon, redis):
        self.company = company
        self.daemon = daemon
        self.client = redis.client()
        self.key = f"{company.name}:renewals"

    def send(self, *rows):
        """(account, priority, days to its date[, status])"""
        self.company.send_accounts(*[self.company.account_record(
            row[0], row[1], renews_at=None if row[2] is None else date_ms(row[2]),
            status=row[3] if len(row) > 3 else "active") for row in rows])

    def await_view(self, account, **fields):
        want = {f"renewal.{k}": v for k, v in fields.items()}
        wait_until(lambda: want.items() <= self.company.view(
            self.client, account).items(), f"{account} shows {want}")

    def await_queue(self, n):
        wait_until(lambda: self.client.zcard(self.key) == n,
                   f"{n} in the queue")

    def run(self, *arguments, status=0):
        done = command("renewals", *arguments, "-c", self.daemon.path)
        assert done.returncode == status, (arguments, done)
        return done.stdout if status == 0 else done.stderr

    def claim(self, worker, *options, lease="30m"):
        return json.loads(self.run(
            "claim", "--worker", worker, "--lease", lease, "--output", "json",
            *options))

    def claimed(self, worker, *options, lease="30m"):
        return [c["account_id"] for c in self.claim(
            worker, *options, lease=lease)]

    def listed(self, *options):
        return {row["account_id"]: row["state"] for row in json.loads(
            self.run("list", "--output", "json", *options))}


@pytest.fixture
def queue(kafka, redis, segmentd, tmp_path, unique):
    stay_in_one_day()
    company = Company(kafka, redis, tmp_path / "schemas", unique).create()
    daemon = segmentd(company.config)
    daemon.start()
    return Queue(company, daemon, redis)


def test_claims_are_by_priority_and_date_and_given_back(queue):
    queue.send(("low", 5.0, 40), ("later", 7.0, 41), ("sooner", 7.0, 40),
               ("top", 9.0, 80), ("none", 99.0, 300))
    queue.await_queue(4)
    (top,) = queue.claim("ann")
    assert top["account_id"] == "top"
    assert (top["window"], top["priority"], top["days_left"]) == ("T-90", 9, 80)
    assert top["worker"] == "ann" and top["token"]
    assert top["segments"]["touch"] == "low"
    assert top["values"]["account.arr"] == "9"
    until = dt.datetime.fromisoformat(top["lease_until"].replace("Z", "+00:00"))
    left = until - dt.datetime.now(dt.timezone.utc)
    assert dt.timedelta(minutes=20) < left <= dt.timedelta(minutes=31)
    # Of one window only, and the sooner date first of two that are equal.
    assert queue.claimed("bob", "--window", "T-90", "-n", "5") == []
    assert queue.claimed("bob", "--window", "T-60", "-n", "2") == [
        "sooner", "later"]
    assert queue.claimed("cat", "-n", "9") == ["low"]
    assert queue.claimed("cat", "-n", "9") == []

    for arguments, said in (
            (("done", "top", "--worker", "bob"), "claimed by ann"),
            (("release", "top", "--worker", "bob"), "claimed by ann"),
            (("done", "top", "--worker", "ann", "--token", "1.2.3"), "token"),
            (("done", "nobody", "--worker", "ann"), "no account nobody"),
            (("extend", "top", "--worker", "bob", "--lease", "1h"),
             "claimed by ann"),
            (("release", "none", "--worker", "ann"), "nobody has claimed")):
        assert said in queue.run(*arguments, status=1)
    assert queue.listed() == dict.fromkeys(
        ("top", "sooner", "later", "low"), "claimed")

    queue.run("done", "top", "--worker", "ann", "--token", top["token"])
    queue.run("release", "later", "--worker", "bob")
    assert "nobody has claimed" in queue.run(
        "done", "top", "--worker", "ann", status=1)
    assert queue.listed("-n", "3") == {
        "top": "done", "sooner": "claimed", "later": "open"}
    assert queue.listed("--window", "T-90") == {"top": "done"}
    assert queue.claimed("cat", "-n", "9") == ["later"]

    for arguments, said in (
            (("claim", "--worker", "a", "--lease", "soon"), "span of time"),
            (("claim", "--worker", "a", "--lease", "0s"), "span of time"),
            (("claim", "--worker", "a", "--lease", "-5m"), "span of time"),
            (("claim", "--worker", "a", "--lease", "400d"), "365 days"),
            (("claim", "--worker", "a"), "--lease"),
            (("claim", "--lease", "1m"), "--worker"),
            (("claim", "--worker", "a\nb", "--lease", "1m"), "control"),
            (("claim", "--worker", "a", "--lease", "1m", "-n", "1001"), "1000"),
            (("claim", "--worker", "a", "--lease", "1m", "--window", "T-91"),
             "T-120 T-90 T-60 T-30 due overdue"),
            (("list", "--window", "soon"), "no window"),
            (("done", "--worker", "a"), "usage"), (("sell",), "usage")):
        assert said in queue.run(*arguments, status=64), arguments
    # Nothing of that has changed anything.
    assert queue.listed() == {"top": "done", "sooner": "claimed",
                              "later": "claimed", "low": "claimed"}


def test_leases_end(queue):
    queue.send(("a", 5.0, 40), ("b", 4.0, 40))
    queue.await_queue(2)
    assert queue.claimed("ann", lease="1ms") == ["a"]
    # The clock of Redis has passed it, or will have by the next command.
    wait_until(lambda: queue.listed()["a"] == "open", "the lease has ended")
    assert "has ended" in queue.run("done", "a", "--worker", "ann", status=1)
    assert queue.claimed("bob", "-n", "2") == ["a", "b"]
    assert "claimed by bob" in queue.run(
        "release", "a", "--worker", "ann", status=1)
    queue.run("extend", "a", "--worker", "bob", "--lease", "1ms")
    wait_until(lambda: queue.claimed("cat") == ["a"], "it has ended too")


def test_what_moves_while_it_is_claimed_or_done(queue):
    """Claims are of a date and a window: what has changed comes again."""
    names = ("moves", "renews", "churns", "rises", "same")
    queue.send(*[(name, 5.0, 80) for name in names])
    queue.await_queue(5)
    for name in queue.claimed("ann", "-n", "9"):
        queue.run("done", name, "--worker", "ann")
    assert queue.claimed("bob", "-n", "9") == []

    # Done with, and then: another day, next year, gone, worth more, nothing.
    queue.send(("moves", 5.0, 79), ("renews", 5.0, 80 + 365),
               ("churns", 5.0, 80, "deleted"), ("rises", 99.0, 80),
               ("same", 5.0, 80))
    queue.await_queue(3)
    queue.await_view("rises", priority="99")
    queue.await_view("moves", days_left="79")
    assert queue.claimed("bob", "-n", "9") == ["moves"]
    assert queue.listed() == {
        "moves": "claimed", "rises": "done", "same": "done"}

    # The same under a claim: done is of what was claimed.
    queue.send(("moves", 5.0, 50), ("rises", 99.0, 50))
    queue.await_view("moves", window="T-60")
    queue.await_view("rises", window="T-60")
    assert queue.claimed("cat", "-n", "9") == ["rises"]
    assert "moved" in queue.run("done", "moves", "--worker", "bob")
    assert queue.claimed("bob", "--window", "T-60") == ["moves"]

    # Out of the queue under a claim, and back again.
    queue.send(("moves", 5.0, 300), ("rises", 99.0, 300))
    queue.await_queue(1)
    assert "gone" in queue.run("release", "moves", "--worker", "bob")
    queue.send(("moves", 5.0, 50), ("rises", 99.0, 50))
    queue.await_queue(3)
    assert queue.claimed("dan", "-n", "9") == ["moves"]  # rises is cat's
    queue.run("done", "rises", "--worker", "cat")
    # Nothing is kept of who is gone.
    assert queue.client.hkeys(f"{queue.key}:claims") == [b"moves"]
    assert set(queue.client.hkeys(f"{queue.key}:done")) == {b"rises", b"same"}
    status, told = verify(queue.daemon)
    assert status == 0, told


def test_redis_is_lost(queue):
    """The queue comes back, claims do not; verify tells who is lost."""
    queue.send(("a", 5.0, 40), ("b", 4.0, 40))
    queue.await_queue(2)
    assert queue.claimed("ann") == ["a"]
    queue.client.flushall()
    queue.await_queue(2)
    assert "nobody has claimed" in queue.run(
        "done", "a", "--worker", "ann", status=1)
    assert queue.claimed("bob", "-n", "9") == ["a", "b"]
    status, told = verify(queue.daemon)
    assert status == 0, told
    queue.client.zrem(f"{queue.key}:leases", "a")
    queue.client.hdel(f"{queue.key}:claims", "a")
    assert queue.listed() == {"a": "lost", "b": "claimed"}
    status, told = verify(queue.daemon)
    assert status == 1 and kinds(told) == {("a", "renewal queue", "lost")}


def test_partitioned_queues_are_claimed_as_one(
        kafka, redis, segmentd, tmp_path, unique):
    stay_in_one_day()
    company = Company(kafka, redis, tmp_path / "schemas", unique).create()
    company.config["redis"]["layout"] = "partitioned"
    daemon = segmentd(company.config)
    daemon.start()
    queue = Queue(company, daemon, redis)
    names = [f"a{i}" for i in range(12)]
    queue.send(*[(name, float(100 - i), 40) for i, name in enumerate(names)])
    keys = [f"{unique}:{{{n}}}:renewals" for n in range(company.partitions)]

    def sizes():
        return [queue.client.zcard(key) for key in keys]

    wait_until(lambda: sum(sizes()) == 12, "all are in the queues")
    assert sum(size > 0 for size in sizes()) > 1
    assert queue.claimed("ann", "-n", "5") == names[:5]
    assert queue.claimed("bob", "--window", "T-60") == [names[5]]
    assert "claimed by ann" in queue.run(
        "done", "a0", "--worker", "bob", status=1)
    assert "no account zz" in queue.run(
        "done", "zz", "--worker", "bob", status=1)
    queue.run("done", "a0", "--worker", "ann")
    queue.run("release", "a3", "--worker", "ann")
    assert list(queue.listed("-n", "7")) == names[:7]
    assert queue.listed("-n", "4") == {
        "a0": "done", "a1": "claimed", "a2": "claimed", "a3": "open"}
    assert queue.claimed("cat", "-n", "100") == ["a3", *names[6:]]
    assert queue.claimed("cat", "-n", "100") == []
    status, told = verify(daemon)
    assert status == 0, told


# --- other clients -----------------------------------------------------------

def fill(client, queue, n, window="T-90"):
    """A queue as segmentd writes it, without the rest."""
    pipe = client.pipeline(transaction=False)
    scores = {f"a{i}": float(n - i) for i in range(n)}
    for key in (queue, f"{queue}:open", f"{queue}:open:{window}"):
        pipe.zadd(key, scores)
    for name, score in scores.items():
        pipe.hset(f"{queue.removesuffix('renewals')}acct:{name}", mapping={
            "renewal.date": "2030-01-31T00:00:00Z", "renewal.window": window,
            "renewal.priority": f"{score:g}"})
    pipe.execute()


def test_workers_that_are_killed_lose_nothing(redis, tmp_path):
    """20 at a time, in redis-py. Nobody has what another one has; all is done
    with in the end."""
    n, lease_ms = 400, 1500
    client = redis.client()
    fill(client, "segd:renewals", n)
    scripts = tmp_path / "scripts.json"
    scripts.write_text(json.dumps({
        name: script(name) for name in ("claim", "done", "release")}))
    log = tmp_path / "log"
    done = subprocess.run(
        [sys.executable, ROOT / "tests/integration/clients/claimers.py", redis.socket,
         "segd:renewals", log, scripts, str(lease_ms), "20", "7"],
        capture_output=True, text=True, timeout=4 * DEADLINE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout) >= 20
    last = {}  # account: (token, until it may not be another's)
    finished = set()
    given = set()
    claims = {}
    for line in log.read_text().splitlines():
        word, account, *rest = line.split()
        if word == "claim":
            claims.setdefault(account, []).append(
                (int(rest[2]), int(rest[3]), rest[1]))
        elif word == "give":
            given.add(rest[0])
        elif word == "done":
            assert account not in finished, f"{account} was done twice"
            finished.add(account)
    for account, list_ in claims.items():
        for (_, until, token), (start, _, _) in zip(
                sorted(list_), sorted(list_)[1:]):
            assert start >= until or token in given, (account, list_)
            last[account] = token
    assert client.hlen("segd:renewals:done") == n
    assert client.zcard("segd:renewals:leases") == 0
    assert client.hlen("segd:renewals:claims") == 0
    assert client.zcard("segd:renewals:open") == 0
    assert last, "no account was claimed twice: nobody was killed with one"


def test_scripts_refuse_what_makes_no_sense(redis):
    client = redis.client()
    fill(client, "segd:renewals", 3)
    run = {name: client.register_script(script(name)) for name in SCRIPTS}
    for name, keys, args, word in (
            ("claim", ["segd:other"], ["w", 1000, 1], "BADKEY"),
            ("claim", ["segd:renewals"], [], "BADARG"),
            ("claim", ["segd:renewals"], ["", 1000, 1], "BADARG"),
            ("claim", ["segd:renewals"], ["a\nb", 1000, 1], "BADARG"),
            ("claim", ["segd:renewals"], ["w", "x", 1], "BADARG"),
            ("claim", ["segd:renewals"], ["w", 0, 1], "BADARG"),
            ("claim", ["segd:renewals"], ["w", 1.5, 1], "BADARG"),
            ("claim", ["segd:renewals"], ["w", 1000, 0], "BADARG"),
            ("claim", ["segd:renewals"], ["w", 1000, 1001], "BADARG"),
            ("list", ["segd:renewals"], [-1, 5], "BADARG"),
            ("extend", ["segd:renewals"], ["a0", "w", "", "x"], "BADARG"),
            ("done", ["segd:renewals"], [], "NOACCOUNT"),
            ("done", ["segd:renewals"], ["a0", "w"], "UNCLAIMED"),
            ("release", ["segd:renewals"], ["zz", "w", ""], "NOACCOUNT")):
        with pytest.raises(redis_client.ResponseError, match=f"^{word} "):
            run[name](keys, args)
    assert client.zcard("segd:renewals:open") == 3
    assert not client.exists("segd:renewals:leases", "segd:renewals:claims")
    assert run["claim"](["segd:renewals"], ["w", 1000, 5, "T-30"]) == [0]
    left, *claimed = run["claim"](
        ["segd:renewals"], ["a worker", 60000, 2, "", "*"])
    assert left == 1 and [c[0] for c in claimed] == [b"a0", b"a1"]
    assert dict(zip(claimed[0][3][::2], claimed[0][3][1::2]))[
        b"renewal.priority"] == b"3"
    assert run["peek"](["segd:renewals"], ["T-90"]) == b"1"
    assert run["done"](["segd:renewals"], ["a0", "a worker"]) == b"done"


@pytest.fixture(scope="session")
def ioredis():
    """A folder where node finds ioredis."""
    folder = ROOT / "build/ioredis"
    why = None
    if not shutil.which("npm"):
        why = "npm is missing"
    elif not (folder / "node_modules/ioredis/package.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            ["npm", "install", "--silent", "--no-audit", "--no-fund",
             "--prefix", folder, "ioredis@5.4.1"],
            capture_output=True, text=True, timeout=300)
        if done.returncode != 0:
            why = f"npm cannot fetch ioredis: {done.stderr.strip()[:200]}"
    if why:
        pytest.skip(f"{why}; the scripts are not tested from Node")
    return folder


PAGE = ROOT / "docs/feeds/renewals.md"


def snippet(language, word):
    """The code on the page that is in this language and has the word."""
    blocks = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text("utf-8"),
                        re.DOTALL)
    (found,) = [block for block in blocks if word in block]
    return found


def by_the_page(redis, folder):
    """A queue of three, a user with the rights the page names, the scripts:
    the environment of a new consumer."""
    client = redis.client()
    fill(client, "segd:renewals", 3)
    (rights,) = re.findall(r"needs `(~segd:renewals.*?)`", PAGE.read_text())
    client.execute_command(
        "ACL", "SETUSER", "worker", "on", ">secret", *rights.split())
    for name in SCRIPTS:
        (folder / f"{name}.lua").write_text(script(name), "utf-8")
    return {"REDIS_URL": f"redis://worker:secret@127.0.0.1:{redis.port}/0",
            "PATH": "/usr/local/bin:/usr/bin:/bin"}


def check_worked_off(redis, said):
    assert [line.split()[:2] for line in said.splitlines()] == [
        ["call", f"a{i}"] for i in range(3)], said
    assert redis.client().hlen("segd:renewals:done") == 3


def test_a_worker_as_the_page_has_it_in_python(redis, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", snippet("python", "register_script")],
        env=by_the_page(redis, tmp_path), cwd=tmp_path, capture_output=True,
        text=True, timeout=2 * DEADLINE)
    assert done.returncode == 0, done.stderr
    check_worked_off(redis, done.stdout)


def test_a_worker_as_the_page_has_it_in_node(redis, ioredis, tmp_path):
    done = subprocess.run(
        ["node", "-e", snippet("js", "defineCommand")],
        env={**by_the_page(redis, tmp_path),
             "NODE_PATH": str(ioredis / "node_modules")},
        cwd=tmp_path, capture_output=True, text=True, timeout=2 * DEADLINE)
    assert done.returncode == 0, done.stderr
    check_worked_off(redis, done.stdout)


def test_the_topic_is_read_as_the_page_says(queue, kafka, tmp_path):
    queue.send(("acme", 5.0, 80))
    queue.await_queue(1)
    queue.send(("acme", 5.0, 300))
    queue.await_queue(0)
    shutil.copy(ROOT / "schemas/renewal.v1.avsc", tmp_path)
    reader = Process(
        [sys.executable, "-c", snippet("python", "Consumer")],
        tmp_path / "reader.log", cwd=tmp_path, env={
            "KAFKA": kafka.bootstrap, "GROUP": f"{queue.company.name}-calls",
            "TOPIC": f"{queue.company.name}.renewals",
            "PATH": "/usr/local/bin:/usr/bin:/bin"})
    try:
        reader.wait_for_output("acme T-90 -> none")
        assert "acme none -> T-90 80\n" in reader.output()
    finally:
        reader.kill9()


def test_ioredis_runs_the_scripts(redis, ioredis, tmp_path):
    client = redis.client()
    fill(client, "segd:renewals", 3)
    scripts = tmp_path / "scripts.json"
    scripts.write_text(json.dumps({name: script(name) for name in SCRIPTS}))
    done = subprocess.run(
        ["node", ROOT / "tests/integration/clients/claim_ioredis.js", redis.socket,
         scripts],
        capture_output=True, text=True, timeout=2 * DEADLINE,
        env={"NODE_PATH": str(ioredis / "node_modules"),
             "PATH": "/usr/bin:/bin:/usr/local/bin"})
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout) == {
        "first": ["a0", "a1"], "window": "T-90", "done": "done",
        "released": "open", "foreign": "FOREIGN", "again": "a1", "left": 1}
