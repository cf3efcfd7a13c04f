"""segmentd as a process of a test."""

import os
import pathlib
import signal
import urllib.error
import urllib.request

import yaml

from support.process import (DEADLINE, Process, ProcessFailed, free_port,
                             wait_until)

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("SEGMENTD", ROOT / "build/segmentd"))


def why_absent():
    return None if BINARY.exists() else f"no {BINARY} (run `make`)"


class Segmentd:
    """`segmentd run` with a configuration given as data.

    http.listen is set to a free port unless the configuration has one. The
    same object may be started again after it ended. With a `link` it runs in
    the namespace of that.
    """

    def __init__(self, config, directory, env=None, arguments=(),
                 binary=BINARY, link=None):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.config = dict(config)
        http = dict(self.config.get("http", {}))
        host = link.host if link else "127.0.0.1"
        http.setdefault("listen", f"{host}:{free_port()}")
        self.config["http"] = http
        self.path = self.directory / "segmentd.yaml"
        self.log = self.directory / "segmentd.log"
        self.env = env or {}
        self.arguments = list(arguments)
        self.command = [*(link.inside if link else []), binary]
        self.process = None

    def start(self, is_waiting=True, timeout=DEADLINE, env=None):
        """Start; wait for /readyz unless told otherwise."""
        # JSON is YAML, and the dumper's aliases are not wanted.
        self.path.write_text(
            yaml.safe_dump(self.config, sort_keys=False), "utf-8")
        self.process = Process(
            [*self.command, "run", "-c", self.path, *self.arguments], self.log,
            env={**os.environ, **self.env, **(env or {})},
            cwd=self.directory)
        if is_waiting:
            self.wait_ready(timeout)

    def wait_ready(self, timeout=DEADLINE):
        self.process.wait_for(
            lambda: self.get("/readyz")[0] == 200, "/readyz says 200", timeout)

    def get(self, path):
        """(status, text) of the HTTP listener; (0, why) without an answer."""
        url = f"http://{self.config['http']['listen']}{path}"
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def metrics(self):
        """{'name{labels}': value} of /metrics. A reload begins with new
        counters and, for a moment, without a listener: it is waited for."""
        def ask():
            status, text = self.get("/metrics")
            return text if status == 200 else None

        found = {}
        for line in self.wait_for(ask, "/metrics answers").splitlines():
            if line and not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                found[name] = float(value)
        return found

    def metric(self, name):
        """Sum of all series of a metric."""
        return sum(value for series, value in self.metrics().items()
                   if series == name or series.startswith(name + "{"))

    def wait_for(self, condition, what, timeout=DEADLINE):
        return self.process.wait_for(condition, what, timeout)

    def stop(self, timeout=DEADLINE):
        """SIGTERM. Fails unless it ends cleanly, with status 0. One that was
        just started is left the time to get to know of signals."""
        wait_until(lambda: "event=" in self.output()
                   or not self.process.is_running(), "it has begun", timeout)
        status = self.process.stop(timeout)
        if status != 0:
            raise ProcessFailed(
                f"segmentd ended with status {status}:\n{self.process.tail()}")

    def kill9(self):
        self.process.kill9()

    def freeze(self):
        self.process.send(signal.SIGSTOP)

    def thaw(self):
        self.process.send(signal.SIGCONT)

    def output(self):
        return self.process.output() if self.process else ""


def command(*arguments, cwd=None, stdin=None, timeout=2 * DEADLINE):
    """Run a segmentd command to its end: subprocess.CompletedProcess."""
    import subprocess
    return subprocess.run(
        [str(BINARY), *map(str, arguments)], cwd=cwd, input=stdin,
        capture_output=True, text=True, timeout=timeout)
