"""Child processes of tests: none outlives its test, none is waited for blindly.

A wait is always for a condition, with a deadline; a process that dies while it
is waited for fails the test with the end of its log.
"""

import ctypes
import datetime as dt
import itertools
import os
import pathlib
import random
import signal
import socket
import subprocess
import time

PR_SET_PDEATHSIG = 1

# A deadline is there to end a test that hangs, not to measure: whatever takes
# this long on a busy machine has failed.
DEADLINE = 180.0


class ProcessFailed(AssertionError):
    """A child died, or did not do what was waited for."""


def _ports():
    """Ports that the kernel gives to no outgoing connection. One that it could
    give may be gone before a server listens on it, or while the server is
    restarted: even a client that tries to reach the server can end up connected to
    itself. Each of several test runners side by side has its own share.
    """
    text = pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text()
    end = int(text.split()[0])
    begin = 10000 if end > 12000 else end // 2
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    share = (end - begin) // WORKERS_MAX
    begin += worker % WORKERS_MAX * share
    ports = list(range(begin, begin + share))
    random.SystemRandom().shuffle(ports)
    yield from itertools.cycle(ports)


WORKERS_MAX = 8
PORTS = _ports()


def free_port():
    """A TCP port of the loopback interface that nobody listens on now."""
    for port in PORTS:
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def busy():
    """How much slower than alone this machine is just now, at least 1."""
    began = time.monotonic()
    spent = time.process_time()
    while time.process_time() - spent < 0.2:
        pass
    return max(1.0, (time.monotonic() - began) / 0.2)


def stay_in_one_day(seconds=180):
    """Return when midnight UTC is further away than that: what is true of
    today is still true when a test looks."""
    def left():
        now = dt.datetime.now(dt.timezone.utc)
        return 86400 - (now.hour * 3600 + now.minute * 60 + now.second)
    wait_until(lambda: left() > seconds, "another day", seconds + DEADLINE)


def wait_until(condition, what, timeout=DEADLINE, pause=0.05):
    """Return condition()'s first true value; fail when it has none in time."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise ProcessFailed(f"not within {timeout} s: {what}")
        time.sleep(pause)


def _as_from_a_terminal():
    """Die with the test; and heed signals that whoever runs the tests in the
    background (a shell's &, nohup) has had ignored."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)


class Process:
    """One child with its output in a file."""

    def __init__(self, argv, log, env=None, cwd=None):
        self.argv = [str(a) for a in argv]
        self.log = log
        self.log_from = os.path.getsize(log) if os.path.exists(log) else 0
        with open(log, "ab") as out:
            self.popen = subprocess.Popen(
                self.argv, stdout=out, stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL, env=env, cwd=cwd,
                preexec_fn=_as_from_a_terminal)

    @property
    def pid(self):
        return self.popen.pid

    def is_running(self):
        return self.popen.poll() is None

    def is_frozen(self):
        """Stopped by SIGSTOP."""
        with open(f"/proc/{self.pid}/stat", encoding="utf-8") as f:
            return f.read().rpartition(") ")[2].startswith("T")

    def output(self):
        """What this run has written (not what ran before on the same log)."""
        with open(self.log, "rb") as f:
            f.seek(self.log_from)
            return f.read().decode("utf-8", "replace")

    def tail(self, lines=40):
        return "\n".join(self.output().splitlines()[-lines:])

    def wait_for(self, condition, what, timeout=DEADLINE):
        def check():
            # The condition first: a process may do it and end.
            value = condition()
            if not value and not self.is_running():
                raise ProcessFailed(
                    f"{self.argv[0]} ended with status "
                    f"{self.popen.returncode} before {what}:\n{self.tail()}")
            return value
        try:
            return wait_until(check, what, timeout)
        except ProcessFailed as failure:
            if "ended with status" in str(failure):
                raise
            raise ProcessFailed(f"{failure}\n{self.tail()}") from None

    def wait_for_output(self, text, timeout=DEADLINE):
        self.wait_for(lambda: text in self.output(), f"{text!r}", timeout)

    def send(self, signum):
        if self.is_running():
            self.popen.send_signal(signum)

    def wait(self, timeout=DEADLINE):
        """Exit status, as of Popen.wait()."""
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise ProcessFailed(
                f"{self.argv[0]} still runs after {timeout} s:\n{self.tail()}"
            ) from None

    def stop(self, timeout=DEADLINE):
        """SIGTERM, and SIGKILL when that does not end it. Exit status."""
        # A stopped process would keep the SIGTERM for later.
        self.send(signal.SIGCONT)
        self.send(signal.SIGTERM)
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill9()
            raise ProcessFailed(
                f"{self.argv[0]} did not end within {timeout} s of SIGTERM:\n"
                f"{self.tail()}") from None

    def kill9(self):
        self.send(signal.SIGKILL)
        self.popen.wait()
