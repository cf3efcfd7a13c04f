"""Third-party data through real Kafka and Redis, compared with the oracle.

`segmentd load` produces the events, `segmentd run --until DATE` takes the
group's event clock to a date and stops; what then stands in Redis and what was
published is compared with tests/support/realdata.py, which computes from the
CSV files alone. Going on to the next date is a restart each time.
"""

import datetime as dt
import json

import pytest
import yaml
from confluent_kafka import KafkaException

from support import realdata
from support.avro import Codec
from support.segmentd import ROOT, Segmentd, command

PARTITIONS = 4


def example(name, kafka, redis, listen="127.0.0.1:0"):
    """An example configuration, pointed at the test's servers."""
    path = ROOT / f"config/examples/{name}.yaml"
    config = yaml.load(path.read_text("utf-8"), Loader=yaml.BaseLoader)
    config["kafka"]["bootstrap.servers"] = kafka.bootstrap
    config["redis"]["url"] = redis.url
    config["http"] = {"listen": listen}
    config["instance"] = "test"
    # Committed offsets carry the group's clock: a topic that two runs of one
    # group share would hand it on.
    config["topics"]["overrides"] = f"{name}.overrides"
    for part in config["inputs"].values():
        part["schema"] = str((path.parent / part["schema"]).resolve())
    return config


def create_inputs(kafka, config):
    kafka.create_topics(
        {part["topic"]: PARTITIONS for part in config["inputs"].values()})


def load(daemon, files):
    done = command("load", "-c", daemon.path, *[
        word for name, path in files.items()
        for word in ("--input", f"{name}={path}")], timeout=300)
    assert done.returncode == 0, done.stderr
    return done


def write_config(daemon):
    daemon.path.write_text(
        yaml.safe_dump(daemon.config, sort_keys=False), "utf-8")


def run_until(daemon, day):
    done = command("run", "-c", daemon.path, "--until", str(day), timeout=300)
    assert done.returncode == 0, done.stderr[-5000:]
    return done


def members(client, prefix, segmentation, segments):
    """{account: segment} from the public sets."""
    found = {}
    for segment in segments:
        for account in client.smembers(f"{prefix}:seg:{segmentation}:{segment}"):
            assert account not in found, "in two segments of one segmentation"
            found[account.decode()] = segment
    return found


WINDOWS = ("T-120", "T-90", "T-60", "T-30", "due", "overdue")


def changes_of(kafka, topic):
    schema = Codec.of_file(ROOT / "schemas/change.v1.avsc")
    return [schema.read_single_object(record.value())
            for record in kafka.read(topic)]


@pytest.fixture
def ravenstack():
    absent = realdata.why_absent("ravenstack")
    if absent:
        pytest.skip(absent)
    return realdata.Ravenstack()


@pytest.fixture
def fpds():
    absent = realdata.why_absent("fpds")
    if absent:
        pytest.skip(absent)
    return realdata.Fpds()


def check_ravenstack(client, want):
    touch = members(client, "ravenstack", "touch",
                    ("high", "mid", "low", "none"))
    assert touch == {a: w["touch"] for a, w in want.items()}
    renewal = members(client, "ravenstack", "renewal", WINDOWS)
    assert renewal == {a: w["renewal"] for a, w in want.items()
                       if w["renewal"] != "none"}
    quiet = members(client, "ravenstack", "quiet", ("in",))
    assert set(quiet) == {a for a, w in want.items() if w["quiet"]}
    arr = {}
    for account, w in want.items():
        view = client.hgetall(f"ravenstack:acct:{account}")
        assert view[b"segment.touch"].decode() == w["touch"]
        assert view.get(b"variables.arr", b"0").decode() == str(w["arr"])
        arr[w["touch"]] = arr.get(w["touch"], 0) + int(
            view.get(b"variables.arr", b"0"))
    assert arr == {
        segment: sum(w["arr"] for w in want.values() if w["touch"] == segment)
        for segment in arr}
    queue = {a.decode() for a in client.zrange("ravenstack:renewals", 0, -1)}
    assert queue == set(renewal)


def test_ravenstack_is_right_at_several_dates(
        kafka, redis, tmp_path, ravenstack):
    config = example("ravenstack", kafka, redis)
    daemon = Segmentd(config, tmp_path / "a")
    write_config(daemon)
    create_inputs(kafka, config)
    load(daemon, ravenstack.write(tmp_path))
    client = redis.client()
    for day in ("2023-06-01", "2024-02-29", "2024-10-01", "2024-12-31"):
        run_until(daemon, day)
        check_ravenstack(
            client, ravenstack.expect(dt.date.fromisoformat(day)))

    published = changes_of(kafka, config["topics"]["changes"])
    versions, folded = {}, {}
    for change in published:
        account = change["account_id"]
        assert change["account_version"] == versions.get(account, 0) + 1
        versions[account] = change["account_version"]
        folded.setdefault(account, {})[change["segmentation"]] = change["to"]
    want = ravenstack.expect(dt.date(2024, 12, 31))
    assert {a: f["touch"] for a, f in folded.items()} == {
        a: w["touch"] for a, w in want.items()}
    assert all(change["reasons"] for change in published)


def test_fpds_is_right_at_several_dates(kafka, redis, tmp_path, fpds):
    config = example("fpds", kafka, redis)
    daemon = Segmentd(config, tmp_path / "a")
    write_config(daemon)
    create_inputs(kafka, config)
    load(daemon, fpds.write(tmp_path))
    client = redis.client()
    for day in ("2020-02-29", "2024-02-29", "2025-04-04"):
        run_until(daemon, day)
        want = fpds.expect(dt.date.fromisoformat(day))
        assert members(client, "fpds", "size", (
            "large", "medium", "small", "ended")) == {
                a: w["size"] for a, w in want.items()}
        assert members(client, "fpds", "renewal", WINDOWS) == {
            a: w["renewal"] for a, w in want.items()
            if w["renewal"] != "none"}
        assert set(members(client, "fpds", "has_options", ("in",))) == {
            a for a, w in want.items() if w["options"]}


def count(kafka, topic):
    """Records of a topic that may just be coming into being."""
    try:
        return sum(kafka.end_offsets(topic).values())
    except (KafkaException, AssertionError, KeyError):
        return 0


def content(client, prefix):
    """All of Redis but what belongs to one reign: commit records, timers."""
    found = {}
    for key in client.scan_iter(f"{prefix}:*", count=1000):
        name = key.decode()
        if name.split(":")[1].startswith("p") and name.count(":") == 2:
            continue
        kind = client.type(key)
        if kind == b"hash":
            found[name] = client.hgetall(key)
        elif kind == b"set":
            found[name] = client.smembers(key)
        elif kind == b"zset":
            found[name] = client.zrange(key, 0, -1, withscores=True)
        else:
            # Bytes 1 to 4 are the hash of the layout, which names the topics.
            state = client.get(key)
            found[name] = state[:1] + state[5:]
    return found


def test_ravenstack_survives_kill_9(
        kafka, own_kafka, redis, tmp_path, ravenstack):
    """Killed in the middle, three times: the same Redis, the same changes."""
    files = ravenstack.write(tmp_path)
    day = "2024-12-31"

    # Undisturbed: names of its own, since another test uses the example's on
    # this broker; the group stays, as the ids of changes depend on it.
    calm = example("ravenstack", own_kafka, redis)
    calm["redis"]["prefix"] = "calm"
    quiet_run = Segmentd(calm, tmp_path / "calm")
    write_config(quiet_run)
    create_inputs(own_kafka, calm)
    load(quiet_run, files)
    run_until(quiet_run, day)

    rough = json.loads(json.dumps(calm).replace("ravenstack.", "rough."))
    rough["kafka"]["bootstrap.servers"] = kafka.bootstrap
    rough["redis"]["prefix"] = "rough"
    for name, part in calm["inputs"].items():
        rough["inputs"][name]["schema"] = part["schema"]
    daemon = Segmentd(rough, tmp_path / "rough")
    write_config(daemon)
    create_inputs(kafka, rough)
    load(daemon, files)
    kills = 0
    for share in (500, 2500, 5000):
        daemon.start(is_waiting=False)
        daemon.wait_for(
            lambda: count(kafka, "rough.changes") >= share,
            f"{share} changes are published")
        daemon.kill9()
        kills += 1
    run_until(daemon, day)
    assert kills == 3

    def told(broker, topic):
        published = changes_of(broker, topic)
        ids = {c["change_id"] for c in published}
        assert len(published) == len(ids), "a change twice"
        return {(c["account_id"], c["account_version"], c["change_id"],
                 c["segmentation"], c["from"], c["to"], c["origin"],
                 str(c["event_time"]), str(c["evaluated_at"]))
                for c in published}

    first = told(own_kafka, "ravenstack.changes")
    second = told(kafka, "rough.changes")
    assert sorted(first - second) == sorted(second - first) == []
    client = redis.client()
    first = content(client, "calm")
    second = {key.replace("rough:", "calm:", 1): value
              for key, value in content(client, "rough").items()}
    assert sorted(first) == sorted(second)
    for key in first:
        assert first[key] == second[key], key
    want = ravenstack.expect(dt.date.fromisoformat(day))
    assert len([k for k in first if k.startswith("calm:acct:")]) == len(want)
