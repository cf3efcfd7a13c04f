"""What is wrong is refused or set aside with its reason; the rest goes on."""

import datetime as dt
import json
import os
import socket
import struct
import subprocess

import pytest
from support.company import (ACCOUNT_SCHEMA_ID, DAY_MS, USAGE_SCHEMA_ID,
                             Company, now_ms)
from support.process import wait_until
from support.segmentd import BINARY, Segmentd, command


@pytest.fixture
def company(kafka, redis, tmp_path, unique):
    return Company(kafka, redis, tmp_path / "schemas", unique).create()


def varint(n):
    """Avro's zigzag long."""
    n = (n << 1) ^ (n >> 63)
    out = bytearray()
    while n & ~0x7f:
        out.append(n & 0x7f | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def framed(schema_id, body):
    return b"\0" + struct.pack(">I", schema_id) + body


def bad_records(company):
    """(topic, record, reason)."""
    good = company.account_record("acme", 1.0)
    usage = company.usage_record("acme")
    body = good["value"][5:]
    account, use = f"{company.name}.account", f"{company.name}.usage"
    head = framed(USAGE_SCHEMA_ID, varint(0))  # event_id null
    return [
        (account, {"key": b"acme", "value": b"{\"not\": \"avro\"}"},
         "bad_framing"),
        (account, {"key": b"acme", "value": b""}, "bad_framing"),
        (account, {"key": b"acme", "value": None}, "no_value"),
        (account, {"key": b"acme", "value": framed(4711, body)},
         "unknown_schema"),
        (account, {"key": b"acme", "value": b"\xc3\x01" + b"x" * 8 + body},
         "unknown_schema"),
        (account, {"key": b"acme", "value": framed(ACCOUNT_SCHEMA_ID,
                                                   body[:-3])}, "bad_record"),
        (account, {"key": b"acme", "value": framed(ACCOUNT_SCHEMA_ID,
                                                   body + b"!")},
         "bad_record"),
        # A length of 2^40, and a negative one.
        (use, {"key": b"acme", "value": head + varint(1 << 40) + b"acme"},
         "bad_record"),
        (use, {"key": b"acme", "value": head + varint(-5) + b"acme"},
         "bad_record"),
        # Not UTF-8.
        (use, {"key": b"ac\xff\xfe", "value": head + varint(4) + b"ac\xff\xfe"
               + varint(now_ms()) + varint(1) + b"x" + varint(0)},
         "bad_utf8"),
        (account, {"key": None, "value": good["value"]}, "no_key"),
        (account, {"key": b"", "value": good["value"]}, "no_key"),
        (account, {"key": b"other", "value": good["value"]}, "key_mismatch"),
        (account, dict(company.account_record(""), key=b"x"), "no_account"),
        (use, company.usage_record("acme", at=now_ms() + 2 * DAY_MS),
         "time_future"),
        (use, company.usage_record("acme", at=946684800000 - 1), "time_past"),
        (use, dict(usage, value=framed(ACCOUNT_SCHEMA_ID, usage["value"][5:])),
         None),
    ]


def test_poison_goes_to_the_reject_topic_and_the_stream_goes_on(
        company, redis, segmentd):
    daemon = segmentd(company.config)
    daemon.start()
    bad = bad_records(company)
    for topic, record, _ in bad:
        company.kafka.produce(topic, [dict(
            record, headers=[("origin", b"test")])])
        company.send_usage(company.usage_record("good"))
    client = redis.client()
    wait_until(lambda: company.view(client, "good").get("usage.logins_14d")
               == str(len(bad)), "every good one is counted")
    wait_until(lambda: len(company.rejects()) >= len(bad),
               "every bad one is set aside", pause=0.5)
    rejects = company.rejects()
    assert len(rejects) == len(bad)
    assert daemon.metric("segmentd_rejected_total") >= len(bad)
    for topic, record, reason in bad:
        found = [r for r in rejects
                 if (r[0] or b"") == (record["key"] or b"")
                 and r[1] == record["value"]
                 and r[2]["segmentd_topic"] == topic.encode()
                 and reason in (None, r[2]["segmentd_reason"].decode())]
        assert found, (reason, record, [
            r[2] for r in rejects if r[1] == record["value"]])
        headers = found[0][2]
        assert headers["origin"] == b"test"
        assert headers["segmentd_detail"]
        assert int(headers["segmentd_partition"]) >= 0
        assert int(headers["segmentd_offset"]) >= 0
        value = record["value"] or b""
        if value[:1] == b"\0":
            assert int(headers["segmentd_schema"]) == struct.unpack(
                ">I", value[1:5])[0]
        else:
            assert ("segmentd_schema" in headers) == (value[:1] == b"\xc3")
    assert not company.view(client, "acme")
    assert {change["account_id"] for change in company.changes()} == {"good"}
    # Nothing is rejected twice by a restart.
    daemon.stop()
    daemon.start()
    company.send_usage(company.usage_record("good"))
    wait_until(lambda: company.view(client, "good").get("usage.logins_14d")
               == str(len(bad) + 1), "one more")
    daemon.stop()
    assert len(company.rejects()) == len(bad)


def test_a_large_record_is_rejected_unchanged(company, redis, segmentd):
    daemon = segmentd(company.config)
    daemon.start()
    value = framed(4711, b"x" * 900_000)
    company.kafka.produce(f"{company.name}.account",
                          [{"key": b"acme", "value": value}])
    wait_until(lambda: company.rejects(), "the reject")
    ((key, found, headers),) = company.rejects()
    assert key == b"acme" and found == value
    assert headers["segmentd_reason"] == b"unknown_schema"
    daemon.stop()


def wait_not_ready(daemon, part):
    """/readyz says that this part is the reason."""
    def says():
        status, text = daemon.get("/readyz?verbose")
        return status == 503 and f"[-]{part}" in text

    daemon.wait_for(says, f"/readyz speaks of {part}")


def test_redis_that_is_down_at_start_is_waited_for(
        company, redis, segmentd):
    redis.stop()
    daemon = segmentd(company.config)
    daemon.start(is_waiting=False)
    wait_not_ready(daemon, "redis")
    daemon.wait_for(lambda: "event=redis_down" in daemon.output(),
                    "a line in the log")
    company.send_accounts(company.account_record("acme", 120000.0))
    redis.start()
    daemon.wait_ready()
    client = redis.client()
    wait_until(lambda: company.view(client, "acme"), "the view is there")
    daemon.stop()


def test_a_broker_that_is_down_at_start_is_waited_for(
        own_kafka, redis, segmentd, tmp_path, unique):
    company = Company(own_kafka, redis, tmp_path / "s", unique).create()
    own_kafka.stop()
    daemon = segmentd(company.config)
    daemon.start(is_waiting=False)
    daemon.wait_for(lambda: "event=kafka_down" in daemon.output(),
                    "a line in the log")
    wait_not_ready(daemon, "kafka")
    own_kafka.start()
    daemon.wait_ready()
    company.send_accounts(company.account_record("acme", 120000.0))
    client = redis.client()
    wait_until(lambda: company.view(client, "acme"), "the view is there")
    daemon.stop()


def test_servers_that_go_away_and_come_back_lose_nothing(
        own_kafka, redis, segmentd, tmp_path, unique):
    company = Company(own_kafka, redis, tmp_path / "s", unique).create()
    daemon = segmentd(company.config)
    daemon.start()
    client = redis.client()
    company.send_accounts(*[company.account_record(f"a{i}", 30000.0)
                            for i in range(20)])
    wait_until(lambda: client.scard(f"{company.name}:seg:touch:mid") == 20,
               "all are in")
    redis.kill9()
    company.send_accounts(*[company.account_record(f"a{i}", 1.0)
                            for i in range(20)])
    daemon.wait_for(lambda: "event=redis_retry" in daemon.output()
                    or "event=round_failed" in daemon.output(),
                    "it has noticed")
    redis.start()
    wait_until(lambda: redis.client().scard(
        f"{company.name}:seg:touch:low") == 20, "Redis has followed")
    own_kafka.kill9()
    own_kafka.start()
    company.send_accounts(*[company.account_record(f"a{i}", 200000.0)
                            for i in range(20)])
    wait_until(lambda: redis.client().scard(
        f"{company.name}:seg:touch:high") == 20, "all are high")
    daemon.stop()
    versions = {}
    for change in company.changes():
        account = change["account_id"]
        assert change["account_version"] == versions.get(account, 0) + 1
        versions[account] = change["account_version"]
    assert set(versions.values()) == {3}


def refused(daemon_config, folder):
    """Status and messages of a `segmentd run` that ends by itself."""
    import yaml
    daemon = Segmentd(daemon_config, folder)
    daemon.path.write_text(yaml.safe_dump(daemon.config), "utf-8")
    return command("run", "-c", daemon.path)


def test_missing_topics_are_named(kafka, redis, tmp_path, unique):
    company = Company(kafka, redis, tmp_path / "schemas", unique)
    kafka.create_topics({f"{unique}.usage": 4})
    done = refused(company.config, tmp_path)
    assert done.returncode == 78, done.stderr
    assert f"{unique}.account" in done.stderr


def test_differing_partition_counts_are_told(kafka, redis, tmp_path, unique):
    company = Company(kafka, redis, tmp_path / "schemas", unique)
    kafka.create_topics({f"{unique}.usage": 4, f"{unique}.account": 3})
    done = refused(company.config, tmp_path)
    assert done.returncode == 78, done.stderr
    assert "4" in done.stderr and "3" in done.stderr
    assert f"{unique}.account" in done.stderr


def test_an_output_topic_that_does_not_fit_is_refused(
        company, tmp_path, kafka):
    kafka.create_topics({f"{company.name}.changes": 2})
    done = refused(company.config, tmp_path)
    assert done.returncode == 78, done.stderr
    assert f"{company.name}.changes" in done.stderr
    assert "2" in done.stderr and "4" in done.stderr


def test_a_wrong_redis_password_is_told_and_not_shown(
        company, redis, tmp_path):
    company.config["redis"]["url"] = (
        f"redis://nobody:geheim@127.0.0.1:{redis.port}/0")
    done = refused(company.config, tmp_path)
    assert done.returncode == 78, done.stderr
    assert "geheim" not in done.stderr


def test_a_port_in_use_is_told(company, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
        company.config["http"] = {"listen": f"127.0.0.1:{port}"}
        done = refused(company.config, tmp_path)
    assert done.returncode == 74, done.stderr
    assert str(port) in done.stderr


def test_every_mistake_of_a_config_in_one_run(tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text("""\
version: 1
kafka: {bootstrap.servers: "x:1"}
inputs:
  usage:
    topic: t
    schema: %s
    key: account_id
    features:
      n: {count: 14d, where: kind = "login"}
      m: {sum: secondz, window: 30d}
segmentations:
  busy: {enter: usage.k >= 3}
  idle: {enter: usage.n + "x" == 3, colour: red}
""" % (tmp_path / "usage.avsc"), "utf-8")
    import json
    from support.company import USAGE
    (tmp_path / "usage.avsc").write_text(json.dumps(USAGE), "utf-8")
    for verb in ("check", "run"):
        done = command(verb, "-c", path)
        assert done.returncode == 78
        for place in ("bad.yaml:9:", "bad.yaml:10:", "bad.yaml:12:",
                      "bad.yaml:13:"):
            assert place in done.stderr, done.stderr
        assert "did you mean" in done.stderr
        assert "^" in done.stderr
        assert done.stderr.count("error:") >= 5, done.stderr


def test_large_records_that_wait_for_their_time_are_not_all_in_memory(
        company, redis, tmp_path):
    """Under the event clock, what is later than --until stays unread: not in
    a queue of ours, however large it is."""
    size, n = 900_000, 600
    day = int(dt.datetime(2026, 3, 1, tzinfo=dt.timezone.utc).timestamp()
              * 1000)
    company.config.update(clock="event", workers=1)
    company.config["kafka"]["queued.max.messages.kbytes"] = "65536"
    company.config["http"] = {"listen": ""}
    company.send_accounts(company.account_record("acme", 120000.0, at=day))
    big = company.usage_record("acme", kind="x" * size, at=day + 9 * DAY_MS)
    for _ in range(n // 50):
        company.kafka.produce(f"{company.name}.usage", [big] * 50,
                              **{"compression.type": "lz4"})
    config = tmp_path / "segmentd.yaml"
    config.write_text(json.dumps(company.config), "utf-8")
    with open(tmp_path / "log", "wb") as log:
        run = subprocess.Popen(
            [BINARY, "run", "-c", config, "--until", "2026-03-02"],
            stdout=log, stderr=log)
        _, status, usage = os.wait4(run.pid, 0)
        run.returncode = status
    assert status == 0, (tmp_path / "log").read_text("utf-8")
    assert company.view(redis.client(), "acme")["segment.touch"] == "high"
    assert usage.ru_maxrss < size * n // 1024 * 3 // 4


def test_load_names_the_topic_that_is_not_there(
        kafka, redis, tmp_path, unique):
    company = Company(kafka, redis, tmp_path / "schemas", unique)
    company.config["kafka"]["topic.metadata.propagation.max.ms"] = "1000"
    daemon = Segmentd(company.config, tmp_path)
    daemon.path.write_text(json.dumps(daemon.config), "utf-8")
    (tmp_path / "rows.ndjson").write_text(json.dumps({
        "account_id": "acme", "at": now_ms(), "kind": "login"}) + "\n")
    done = command("load", "-c", daemon.path, "--input",
                   f"usage={tmp_path / 'rows.ndjson'}")
    assert done.returncode == 69, done.stderr
    assert f"1 records were not delivered, the first to {unique}.usage" in (
        done.stderr), done.stderr
