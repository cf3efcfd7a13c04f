"""Three brokers: leaders and coordinators move, and nothing is lost or doubled.

The coordinator of the group is killed, and that of the transactions ends in
order; each leads some partitions, too. KAFKA_CLUSTER=1: then the third one is
killed as well.
"""

import os
import threading

import pytest
from support import kafka as kafka_support
from support.company import Company
from support.process import wait_until

IS_WHOLE = os.environ.get("KAFKA_CLUSTER") == "1"
ACCOUNTS = 12


@pytest.fixture
def cluster(kafka_libs, tmp_path):
    made = kafka_support.Cluster(tmp_path / "cluster")
    made.start()
    yield made
    made.kill9()


class Stream(threading.Thread):
    """Sends turn after turn, until told to end: each account moves in each."""

    def __init__(self, company):
        super().__init__(daemon=True)
        self.company = company
        self.ending = threading.Event()
        self.turns = 0
        self.failure = None

    def turn(self):
        self.company.send_accounts(*[
            self.company.account_record(
                f"a{i}", (1.0, 30000.0, 200000.0)[self.turns % 3])
            for i in range(ACCOUNTS)])
        self.company.send_usage(*[
            self.company.usage_record(f"a{i}", event_id=f"{self.turns}-{i}")
            for i in range(ACCOUNTS)])
        self.turns += 1

    def run(self):
        try:
            while not self.ending.wait(0.3):
                self.turn()
        except BaseException as failure:  # shown by the test
            self.failure = failure

    def finish(self):
        self.ending.set()
        self.join(120)
        assert not self.is_alive() and self.failure is None, self.failure


def test_coordinators_and_leaders_go(cluster, redis, segmentd, tmp_path, unique):
    company = Company(cluster, redis, tmp_path / "schemas", unique).create()
    company.config["topics"]["replication"] = 3
    daemon = segmentd(company.config)
    daemon.start()
    pid = daemon.process.pid
    stream = Stream(company)
    stream.start()
    changes = f"{unique}.changes"

    def moves_on():
        seen = daemon.metric("segmentd_changes_total")
        daemon.wait_for(lambda: stream.failure or daemon.metric(
            "segmentd_changes_total") >= seen + ACCOUNTS, "changes go on", 300)

    moves_on()
    first = cluster.coordinator(unique)
    first.kill9()
    moves_on()
    cluster.restart_node(first, changes)
    second = cluster.transaction_coordinator(f"{unique}-one-0")
    assert second is not first
    second.stop()
    moves_on()
    if IS_WHOLE:
        cluster.restart_node(second, changes)
        (third,) = set(cluster.nodes) - {first, second}
        third.kill9()
        moves_on()
        cluster.restart_node(third, changes)
        moves_on()
    stream.finish()
    stream.turn()
    turns = stream.turns
    segment = ("low", "mid", "high")[(turns - 1) % 3]
    client = redis.client()
    wait_until(lambda: client.scard(
        f"{unique}:seg:touch:{segment}") == ACCOUNTS and all(
            company.view(client, f"a{i}").get("usage.logins_14d")
            == str(turns) for i in range(ACCOUNTS)),
        "every event is counted, once", 300)
    assert daemon.process.pid == pid
    daemon.stop()
    newest = {}
    for change in company.changes():
        account = change["account_id"]
        assert change["account_version"] == newest.get(account, 0) + 1
        newest[account] = change["account_version"]
    assert len(newest) == ACCOUNTS
