"""segmentd demo: it plays, ends, can be interrupted, and leaves nothing."""

import collections
import contextlib
import fcntl
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import tempfile
import termios
import time

import pytest

from support.process import DEADLINE, Process, busy, wait_until
from support.segmentd import BINARY, why_absent

pytestmark = [
    pytest.mark.skipif(why_absent() is not None, reason=str(why_absent())),
    pytest.mark.skipif(shutil.which("redis-server") is None,
                       reason="no redis-server"),
]

ACCOUNTS = 120
LINE = re.compile(r"^(\d{4}-\d\d-\d\d) (.{24}) +(\$\S+) +(\w+) +(\S+) -> (\S+) "
                  r"+(.+)$")
MONEY = re.compile(r"\$([\d.]+)([kM]?)")


def dollars(text):
    number, unit = MONEY.fullmatch(text).groups()
    return float(number) * {"": 1, "k": 1e3, "M": 1e6}[unit]


def is_wanted(path, word):
    try:
        return word.encode() in (path / "cmdline").read_bytes()
    except OSError:
        return False


def processes_with(word):
    """Ids of the processes that have `word` in their command line."""
    return [int(path.name) for path in pathlib.Path("/proc").iterdir()
            if path.name.isdigit() and is_wanted(path, word)]


class Place:
    """A TMPDIR, short enough for sockets, of which nothing may be left."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="sd", dir="/tmp")
        self.env = {**os.environ, "TMPDIR": self.path, "LC_ALL": "C",
                    "NO_COLOR": "1"}

    def is_clean(self):
        return not os.listdir(self.path) and not processes_with(self.path)

    def wait_clean(self):
        wait_until(self.is_clean, f"{self.path} is clean")


@contextlib.contextmanager
def temporary_place():
    place = Place()
    try:
        yield place
        place.wait_clean()
    finally:
        for pid in processes_with(place.path):
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(place.path, ignore_errors=True)


@pytest.fixture
def place():
    with temporary_place() as made:
        yield made


def argv(*options, seed=3):
    return [BINARY, "demo", "--seed", str(seed), "--accounts", str(ACCOUNTS),
            *options]


@pytest.fixture
def start(place, tmp_path):
    """Starts the demo; its output is in a file."""
    def go(*options):
        return Process(argv(*options), tmp_path / "demo.log", env=place.env)
    return go


Played = collections.namedtuple("Played", "out err lines summary")


def summary_of(out):
    """What the same seed always gives: not how fast it was."""
    text = out[out.index("It is "):]
    return text[:text.rindex("\n", 0, len(text) - 1)]


@pytest.fixture(scope="module")
def played():
    """Two runs with one seed, and one with another, side by side."""
    runs = []
    with contextlib.ExitStack() as stack:
        for seed in (3, 3, 4):
            place = stack.enter_context(temporary_place())
            runs.append(subprocess.Popen(
                [str(a) for a in argv("--fast", seed=seed)], env=place.env,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        results = []
        for run in runs:
            out, err = run.communicate(timeout=DEADLINE)
            assert run.returncode == 0, err
            lines = [LINE.match(line) for line in out.splitlines()]
            results.append(Played(out, err, [m for m in lines if m],
                                  summary_of(out)))
    return results


def test_one_seed_is_one_company(played):
    assert played[0].summary == played[1].summary
    assert played[0].summary != played[2].summary


def test_nothing_is_complained_about(played):
    assert [run.err for run in played] == ["", "", ""]


def test_changes_are_told_in_order_and_with_a_reason(played):
    lines = played[0].lines
    dates = [line[1] for line in lines]
    assert len(lines) >= 5
    assert dates == sorted(dates)
    assert all("2023-01-01" <= date <= "2025-01-01" for date in dates)
    assert all(line[7].strip() for line in lines)


def segments(summary):
    """{segmentation: {segment: (accounts, dollars)}}"""
    found = collections.defaultdict(dict)
    table = summary[summary.index("Segments"):summary.index("Changes")]
    name = None
    for line in table.splitlines()[1:]:
        if not line.strip():
            continue
        name = line[2:18].strip() or name
        segment, count, money = line[18:].split()
        found[name][segment] = (int(count.replace(",", "")), dollars(money))
    return found


def test_the_summary_adds_up(played):
    found = segments(played[0].summary)
    touch, health = found["touch"], found["health"]
    alive = sum(count for count, _ in touch.values())

    assert "It is 2025-01-01." in played[0].summary
    assert ACCOUNTS * 0.6 < alive <= ACCOUNTS
    assert alive == sum(count for count, _ in health.values())
    assert touch["former"] == health["former"]
    assert touch["former"][1] == 0
    assert touch["high"][1] >= touch["high"][0] * 100_000
    assert 0 < touch["low"][1] < touch["low"][0] * 20_000
    assert found["renewal_at_risk"]["in"][0] <= health["red"][0]
    for segmentation in ("health", "touch"):
        total = sum(money for _, money in found[segmentation].values())
        assert total == pytest.approx(
            sum(money for _, money in touch.values()), rel=0.02)


def test_both_events_and_time_move_accounts(played):
    rows = dict(re.findall(r"^  (\w+) +([\d,]+ +[\d,]+)$", played[0].summary,
                           re.M))
    for name in ("health", "silent", "renewal"):
        live, timer = (int(n.replace(",", "")) for n in rows[name].split())
        assert live > 0 and timer > 0, name


def test_the_queue_begins_with_what_is_worth_most(played):
    factor = {"red": 2.0, "amber": 1.5, "green": 1.0, "new": 1.0}
    rows = re.findall(
        r"^ +\d+  .{24} +(\$\S+)  (\S+) +(\d+) days  (\S+) +(\w+)",
        played[0].summary, re.M)
    worth = [dollars(money) * factor[health]
             for money, _, _, _, health in rows]
    assert len(rows) == 10
    # Money is shown in thousands.
    assert all(a >= b - 4000 for a, b in zip(worth, worth[1:]))
    assert all(0 <= int(days) <= 120 for _, _, days, _, _ in rows)


def interrupt(demo):
    """The status, and the seconds it took on a machine to itself."""
    began = time.monotonic()
    demo.send(signal.SIGINT)
    status = demo.wait()
    return status, (time.monotonic() - began) / busy()


def test_ctrl_c_in_the_middle_gives_the_summary_so_far(start):
    demo = start()
    demo.wait_for(lambda: re.search(r"^20\d\d-.*->", demo.output(), re.M),
                  "a change")
    status, seconds = interrupt(demo)
    assert status == 0, demo.output()
    assert seconds < 5
    assert re.search(r"^It is 20(23|24)-", demo.output(), re.M)
    assert "Renewal queue" in demo.output()


@pytest.mark.parametrize("pause", [0.0, 0.02, 0.1, 0.4, 2.0])
def test_ctrl_c_while_it_starts(start, pause):
    demo = start()
    time.sleep(pause)
    status, seconds = interrupt(demo)
    assert seconds < 3
    # Before it has asked for signals, it is the system's way.
    assert status == 0 or (status == -signal.SIGINT and demo.output() == "")
    # It tells where it was only if it had begun.
    assert ("It is 20" in demo.output()) == ("Segments" in demo.output())


def test_a_closed_terminal_ends_it(start):
    demo = start()
    demo.wait_for_output("touch")
    demo.send(signal.SIGHUP)
    assert demo.wait() == 0


def test_redis_does_not_outlive_a_kill(place, start):
    demo = start()
    demo.wait_for(lambda: len(processes_with(place.path)) > 0, "Redis")
    demo.kill9()
    wait_until(lambda: not processes_with(place.path), "Redis ends too")
    for name in os.listdir(place.path):
        shutil.rmtree(os.path.join(place.path, name))


def ask(*command):
    return subprocess.run(command, capture_output=True, text=True,
                          timeout=DEADLINE,
                          check=True).stdout


def test_keep_stays_for_a_look_around(start):
    demo = start("--fast", "--keep")
    demo.wait_for_output("curl")
    out = demo.output()

    config = re.search(r"^the rules +(\S+)$", out, re.M)[1]
    assert "segmentations:" in pathlib.Path(config).read_text("utf-8")
    ask(str(BINARY), "check", "-c", config)

    if shutil.which("redis-cli"):
        socket, account = re.search(
            r"redis-cli -s (\S+) HGETALL segd:acct:(\S+)", out).groups()
        view = ask("redis-cli", "-s", socket, "HGETALL",
                   f"segd:acct:{account}").split("\n")
        fields = dict(zip(view[::2], view[1::2]))
        assert fields["segment.touch"] in ("high", "mid", "low")
        assert int(fields["variables.arr"]) > 0
        red = ask("redis-cli", "-s", socket, "SCARD", "segd:seg:health:red")
        assert int(red) == segments(out)["health"]["red"][0]

    if shutil.which("kcat"):
        broker = re.search(r"kcat -b (\S+) -L", out)[1]
        assert '"segmentd.changes"' in ask("kcat", "-b", broker, "-L")
        changes = ask("kcat", "-b", broker, "-C", "-t", "segmentd.changes",
                      "-o", "-3", "-e", "-q", "-f", "%k %h\n")
        assert "ce_type=" in changes

    metrics = ask("curl", "-s", re.search(r"http://\S+/metrics", out)[0]) \
        if shutil.which("curl") else None
    if metrics is not None:
        rejected = [line for line in metrics.splitlines()
                    if line.startswith("segmentd_rejected_total")
                    and not line.endswith(" 0")]
        late = [line for line in metrics.splitlines()
                if line.startswith("segmentd_late_total")
                and not line.endswith(" 0")]
        assert rejected == [] and late == []

    assert demo.is_running()
    assert interrupt(demo)[0] == 0


def test_without_redis_it_says_so(place):
    run = subprocess.run([str(a) for a in argv()], capture_output=True,
                         text=True, timeout=DEADLINE,
                         env={**place.env, "PATH": "/nowhere"})
    assert run.returncode == 69
    assert "apt-get install redis-server" in run.stderr


@pytest.mark.parametrize("options", [
    ["--accounts", "19"], ["--accounts", "2001"], ["--accounts", "many"],
    ["--seed", "0"], ["--seed", "-1"], ["--config", "x.yaml"], ["what"]])
def test_a_wrong_command_line_is_refused(place, options):
    run = subprocess.run([str(BINARY), "demo", *options], capture_output=True,
                         text=True, timeout=DEADLINE, env=place.env)
    assert run.returncode == 64
    assert "usage: segmentd demo" in run.stderr


def on_terminal(command, env, columns, seconds):
    """What it writes to a terminal of that width, until it has ended."""
    try:
        pid, fd = pty.fork()
    except OSError as error:  # a bare root without /dev/pts
        pytest.skip(f"no terminal to try: {error}")
    if pid == 0:
        try:
            os.execve(command[0], command, env)
        finally:  # or it would go on as a second run of all tests
            os._exit(127)
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    text = b""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not select.select([fd], [], [], 0.5)[0]:
            continue
        try:
            piece = os.read(fd, 65536)
        except OSError:  # the terminal's way to say that all have gone
            break
        text += piece
    os.kill(pid, signal.SIGKILL)
    os.close(fd)
    return os.waitpid(pid, 0)[1], text.decode("utf-8", "replace")


@pytest.mark.parametrize("columns, why_at", [(80, 53), (160, 78)])
def test_a_terminal_has_colours_a_bar_and_no_long_lines(
        place, columns, why_at):
    env = {**place.env, "LC_ALL": "C.UTF-8", "NO_COLOR": ""}
    status, text = on_terminal(
        [str(a) for a in argv("--fast")], env, columns, DEADLINE)
    plain = re.sub(r"\x1b\[[0-9;]*[mK]", "", text)
    lines = [line for part in plain.split("\n") for line in part.split("\r")
             if "\u2192" in line]

    assert status == 0
    assert "\x1b[1m" in text
    assert re.search(r"\[#+ *\] +\d+%", plain)
    assert len(lines) >= 5
    assert max(len(line) for line in lines) <= columns
    # A reason has to be there on a small one, too.
    assert all(re.match(r"\w", line[why_at:]) for line in lines)
