"""SIGTERM ends segmentd within seconds, whatever is away; SIGHUP and a lost
transactional id are survived in the midst of a stream."""

import signal
import threading
import time

import pytest
import yaml
from confluent_kafka import Producer
from support.company import Company
from support.process import DEADLINE, busy, wait_until

STOP_S = 5.0


@pytest.fixture
def company(kafka, redis, tmp_path, unique):
    return Company(kafka, redis, tmp_path / "schemas", unique).create()


SEGMENTS = ("low", "mid", "high")


def arr_of(turn):
    return (1.0, 30000.0, 200000.0)[turn % 3]


def send_turns(company, turns, n=20):
    for turn in turns:
        company.send_accounts(*[
            company.account_record(f"a{i}", arr_of(turn))
            for i in range(n)])


def stop_in_time(daemon):
    """SIGTERM, and a clean end within 5 s of a machine to itself."""
    before = busy()
    began = time.monotonic()
    daemon.stop()
    took = time.monotonic() - began
    assert took < STOP_S * max(before, busy()), took


def versions_of(company):
    """The newest of each account; each came once and in order."""
    versions = {}
    for change in company.changes():
        account = change["account_id"]
        assert change["account_version"] == versions.get(account, 0) + 1
        versions[account] = change["account_version"]
    return versions


def test_sigterm_commits_what_was_read(company, redis, segmentd):
    company.config["commit"] = {"interval": "60s", "events": 100000}
    company.config["flush"] = {"age": "60s"}
    daemon = segmentd(company.config)
    daemon.start()
    # No change: nothing but the end is a reason to commit.
    company.send_usage(*[company.usage_record(f"a{i}", kind="view")
                         for i in range(50)])
    wait_until(lambda: daemon.metric("segmentd_consumed_total") >= 50, "read")
    stop_in_time(daemon)
    committed = company.kafka.committed(
        company.name, f"{company.name}.usage")
    assert sum(n for n in committed.values() if n > 0) == 50
    client = redis.client()
    assert all(company.view(client, f"a{i}") for i in range(50))


def test_sigterm_while_servers_are_away(
        own_kafka, redis, segmentd, tmp_path, unique):
    modes = {}
    for delivery in ("exactly_once", "at_least_once"):
        company = Company(own_kafka, redis, tmp_path / delivery,
                          f"{unique}-{delivery[0]}", partitions=2).create()
        company.config["delivery"] = delivery
        modes[company] = segmentd(company.config, name=delivery)

    def wait_for(segment):
        client = redis.client()
        for company, daemon in modes.items():
            daemon.wait_for(lambda: client.scard(
                f"{company.name}:seg:touch:{segment}") == 20, segment)

    for company, daemon in modes.items():
        daemon.start()
        send_turns(company, [1])
    wait_for("mid")
    redis.kill9()
    for company, daemon in modes.items():
        send_turns(company, [2])
        daemon.wait_for(lambda: "event=redis_retry" in daemon.output()
                        or "event=round_failed" in daemon.output(),
                        "it has noticed that Redis is away")
        stop_in_time(daemon)
    redis.start()
    for daemon in modes.values():
        daemon.start()
    wait_for("high")
    for company in modes:
        send_turns(company, [0])
    own_kafka.kill9()
    for daemon in modes.values():
        stop_in_time(daemon)
    # And when there never was a broker.
    daemon.start(is_waiting=False)
    daemon.wait_for(lambda: "event=kafka_down" in daemon.output(), "it waits")
    stop_in_time(daemon)
    own_kafka.restart()
    for daemon in modes.values():
        daemon.start()
    wait_for("low")
    for company, daemon in modes.items():
        stop_in_time(daemon)
        if daemon.config["delivery"] == "exactly_once":
            assert set(versions_of(company).values()) == {3}


@pytest.mark.parametrize("delivery", ("exactly_once", "at_least_once"))
def test_sigterm_while_servers_hang(
        own_kafka, redis, segmentd, tmp_path, unique, delivery):
    """They keep their connections and answer nothing: in the midst of what was
    asked of them, and of one that has waited."""
    company = Company(own_kafka, redis, tmp_path / "schemas", unique,
                      partitions=2).create()
    company.config["delivery"] = delivery
    daemon = segmentd(company.config)
    client = redis.client()

    def waits():
        return daemon.metric("segmentd_freshness_seconds") > 3

    turn = 1
    daemon.start()
    send_turns(company, [turn])
    for server in (redis, own_kafka):
        for is_waiting in (False, True):
            wait_until(lambda: client.scard(
                f"{unique}:seg:touch:{SEGMENTS[turn % 3]}") == 20,
                "all are there")
            turn += 1
            sent = threading.Thread(target=send_turns, args=(company, [turn]))
            if server is own_kafka:
                before = daemon.metric("segmentd_consumed_total")
                sent.start()
                wait_until(lambda: daemon.metric("segmentd_consumed_total")
                           > before, "it reads", pause=0.001)
            server.process.send(signal.SIGSTOP)
            try:
                if server is redis:
                    sent.start()
                if is_waiting:
                    daemon.wait_for(waits, "nothing goes on")
                stop_in_time(daemon)
            finally:
                server.process.send(signal.SIGCONT)
            sent.join()
            daemon.start()
    wait_until(lambda: client.scard(
        f"{unique}:seg:touch:{SEGMENTS[turn % 3]}") == 20, "all came")
    stop_in_time(daemon)
    if delivery == "exactly_once":
        assert set(versions_of(company).values()) == {5}


def test_sighup_and_a_lost_transactional_id_under_load(
        company, redis, segmentd):
    """Another producer takes a worker's transactional id, which makes ours
    fatal: it is built anew, in the same process, and nothing is told twice."""
    daemon = segmentd(company.config)
    daemon.start()
    pid = daemon.process.pid
    is_enough = threading.Event()
    turns = []

    def send_until_enough():
        """Not a number of turns: however fast they are worked off, there are
        changes to make after each reload."""
        while not is_enough.wait(0.05):
            send_turns(company, [len(turns)])
            turns.append(len(turns))

    sender = threading.Thread(target=send_until_enough, daemon=True)
    sender.start()
    for n in range(1, 4):
        # Since the last reload, which begins with new counters.
        wait_until(lambda: daemon.metric("segmentd_changes_total") >= 60,
                   "it is at work")
        for worker in range(2):
            thief = Producer({
                "bootstrap.servers": company.kafka.bootstrap,
                "transactional.id": f"{company.name}-one-{worker}"})
            thief.init_transactions(DEADLINE)
        daemon.wait_for(lambda: daemon.output().count(
            "event=transaction_unknown") >= n, "it has lost a transaction")
        daemon.config["segmentations"][f"more{n}"] = {
            "enter": f"account.arr > {1000.0 * n}"}
        daemon.path.write_text(
            yaml.safe_dump(daemon.config, sort_keys=False), "utf-8")
        daemon.process.send(signal.SIGHUP)
        daemon.wait_for(lambda: daemon.output().count(
            "event=config_reload") >= n, "it has read its rules anew")
    is_enough.set()
    sender.join(120)
    assert not sender.is_alive()
    client = redis.client()
    segment = SEGMENTS[turns[-1] % 3]
    wait_until(lambda: client.scard(
        f"{company.name}:seg:touch:{segment}") == 20, "the end is there")
    assert daemon.process.pid == pid and daemon.process.is_running()
    daemon.stop()
    assert set(versions_of(company)) == {f"a{i}" for i in range(20)}
    # What is told of each account fits together.
    at = {}
    for change in company.changes():
        key = (change["account_id"], change["segmentation"])
        assert change["from"] == at.get(key, change["from"])
        at[key] = change["to"]
    assert {to for (_, name), to in at.items() if name == "touch"} == {segment}
