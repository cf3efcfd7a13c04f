"""Fixtures of the integration tests: real Kafka, real Redis, real segmentd.

What a test needs and the machine has not is skipped with the reason and what
is left untested by it; with REQUIRE_KAFKA=1 a missing broker is a failure.
"""

import os
import pathlib
import re
import sys
import uuid

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support import kafka as kafka_support  # noqa: E402
from support import redis as redis_support  # noqa: E402
from support import segmentd as segmentd_support  # noqa: E402


def pytest_report_header():
    absent = kafka_support.why_absent()
    if absent:
        return f"KAFKA TESTS ARE SKIPPED: {absent}; {kafka_support.NOT_TESTED}"
    return f"kafka: {kafka_support.LIBS}"


def pytest_terminal_summary(terminalreporter):
    absent = kafka_support.why_absent()
    if absent:
        terminalreporter.write_line(
            f"KAFKA TESTS WERE SKIPPED: {absent}; {kafka_support.NOT_TESTED}",
            yellow=True, bold=True)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """Let fixtures know whether their test failed."""
    report = (yield).get_result()
    if report.when == "call":
        item.call_failed = report.failed


def _need(absent, is_required=False, untested=""):
    if absent and is_required:
        pytest.fail(f"{absent}, and it is required", pytrace=False)
    if absent:
        pytest.skip(f"{absent}; {untested}" if untested else absent)


@pytest.fixture(scope="session")
def kafka(tmp_path_factory):
    """One broker for all tests; topics are told apart by `unique`."""
    _need(kafka_support.why_absent(),
          os.environ.get("REQUIRE_KAFKA") == "1", kafka_support.NOT_TESTED)
    # A busy machine must not fence it: it does not come back while others run.
    broker = kafka_support.Broker(tmp_path_factory.mktemp("kafka"),
                                  extra=["broker.session.timeout.ms=60000"])
    broker.start()
    yield broker
    broker.kill9()


@pytest.fixture(scope="session")
def kafka_libs():
    """What a test needs that starts brokers of its own."""
    _need(kafka_support.why_absent(),
          os.environ.get("REQUIRE_KAFKA") == "1", kafka_support.NOT_TESTED)


@pytest.fixture
def own_kafka(kafka_libs, tmp_path):
    """A broker for one test alone, which may kill it."""
    broker = kafka_support.Broker(tmp_path / "kafka")
    broker.start()
    yield broker
    if broker.process.is_running():
        broker.kill9()


@pytest.fixture
def unique(request):
    """A name no other test uses: for topics, groups and key prefixes."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())[:40]
    return f"{name.strip('-')}-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def redis(tmp_path):
    """A Redis server for one test."""
    _need(redis_support.why_absent())
    server = redis_support.RedisServer(tmp_path / "redis")
    server.start()
    yield server
    server.kill9()


@pytest.fixture
def segmentd(request, tmp_path):
    """Makes segmentd processes: segmentd(config, name="a"). All are ended with
    the test; their logs are shown when it fails."""
    _need(segmentd_support.why_absent())
    made = []

    def make(config, name=None, **options):
        name = name or f"segmentd-{len(made)}"
        daemon = segmentd_support.Segmentd(
            config, tmp_path / name, **options)
        made.append(daemon)
        return daemon

    yield make
    for daemon in made:
        if daemon.process is not None:
            daemon.kill9()
        if getattr(request.node, "call_failed", False):
            print(f"--- {daemon.log}\n{daemon.output()[-20000:]}")
