"""A real Redis Cluster: slots that move and a master that is lost."""

import json

import pytest
from support.company import DAY_MS, Company, now_ms
from support.process import wait_until
from support.redis import SLOW_MS, Cluster, quiet
from support.segmentd import command
from support.settled import kinds, verify

N = 400


@pytest.fixture(scope="module")
def cluster_of_all(tmp_path_factory):
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture
def cluster(cluster_of_all):
    """It, whole: as it was before the first test or mended after one."""
    cluster_of_all.mend()
    return cluster_of_all


@pytest.fixture
def company(kafka, cluster, tmp_path, unique):
    made = Company(kafka, cluster, tmp_path / "schemas", unique)
    made.config["redis"].update(
        layout="partitioned", connect_timeout="1s", command_timeout="2s")
    return made.create()


def group_key(company, number, rest):
    return f"{company.name}:{{{number}}}:{rest}"


def members(cluster, company, segment):
    """Of every group, from the node that has it; None while one is away."""
    found = set()
    for number in range(company.partitions):
        key = group_key(company, number, f"seg:touch:{segment}")
        node = cluster.owner(key)
        part = node and quiet(lambda: node.client().smembers(key))
        if part is None:
            return None
        found |= part
    return found


def send(company, arr, n=N):
    company.send_accounts(*[company.account_record(f"a{i}", arr)
                            for i in range(n)])


def await_members(cluster, company, segment, n=N):
    want = {f"a{i}".encode() for i in range(n)}
    wait_until(lambda: members(cluster, company, segment) == want,
               f"{n} are {segment}")


def check_changes(company, moves, n=N):
    found = {}
    for change in company.changes():
        if change["segmentation"] == "touch":
            found.setdefault(change["account_id"], []).append(
                (change["account_version"], change["to"]))
    assert len(found) == n
    assert set(map(tuple, found.values())) == {
        tuple(enumerate(moves, start=1))}


def slot_keys(client, slot):
    return client.execute_command("CLUSTER", "GETKEYSINSLOT", slot, 100000)


def test_the_renewal_queue_is_claimed_over_the_nodes(
        cluster, company, segmentd):
    """A script touches keys of one slot only; the next one may be elsewhere."""
    daemon = segmentd(company.config)
    daemon.start()
    day_ms = now_ms() + 80 * DAY_MS
    company.send_accounts(*[company.account_record(
        f"a{i}", float(100 - i), renews_at=day_ms) for i in range(12)])
    keys = [group_key(company, n, "renewals")
            for n in range(company.partitions)]
    wait_until(lambda: sum(cluster.ask(key, "ZCARD", key) for key in keys) == 12,
               "all are in the queues")
    assert len({cluster.owner(key) for key in keys}) > 1

    def renewals(*words):
        done = command("renewals", *words, "-c", daemon.path,
                       "--output", "json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def claimed(n):
        return [c["account_id"] for c in renewals(
            "claim", "--worker", "ann", "--lease", "1h", "-n", n)]

    assert claimed(7) == [f"a{i}" for i in range(7)]
    assert renewals("done", "a0", "--worker", "ann") == "done"
    assert renewals("release", "a5", "--worker", "ann") == "open"
    assert claimed(2) == ["a5", "a7"]
    assert [row["state"] for row in renewals("list", "-n", 9)] == [
        "done", *["claimed"] * 7, "open"]
    daemon.stop()


def test_slots_move_while_events_arrive(cluster, company, segmentd):
    """Half of a group's keys here, half there: it waits, and loses nothing."""
    daemon = segmentd(company.config)
    daemon.start()
    send(company, 30000.0)
    await_members(cluster, company, "mid")

    record = group_key(company, 1, "p1:m")
    slot = int(cluster.ask(record, "CLUSTER", "KEYSLOT", record))
    source = wait_until(lambda: cluster.owner(record), "its owner answers")
    target = next(n for n in cluster.masters() if n is not source)
    ids = [cluster.id_of(source), cluster.id_of(target)]
    target.client().execute_command(
        "CLUSTER", "SETSLOT", slot, "IMPORTING", ids[0])
    source.client().execute_command(
        "CLUSTER", "SETSLOT", slot, "MIGRATING", ids[1])

    def move(keys):
        source.client().execute_command(
            "MIGRATE", "127.0.0.1", target.port, "", 0, 60000, "KEYS", *keys)

    try:
        # The commit record goes first: the worst that could be mistaken.
        keys = sorted(slot_keys(source.client(), slot))
        assert record.encode() in keys and len(keys) > 20
        keys.remove(record.encode())
        move([record.encode(), *keys[:len(keys) // 2]])
        send(company, 1.0)
        daemon.process.wait_for_output("another node")
    finally:
        move(slot_keys(source.client(), slot))
        for node in (target, source, *cluster.masters()):
            node.client().execute_command(
                "CLUSTER", "SETSLOT", slot, "NODE", ids[1])
    await_members(cluster, company, "low")
    assert cluster.owner(record) is target
    # It may have begun anew if that took long, but nothing was missed.
    for loss in ("lost its data", "was acknowledged", "has taken over"):
        assert loss not in daemon.output()
    daemon.wait_ready()
    daemon.stop()
    check_changes(company, ["mid", "low"])


def keys_of(cluster, company):
    return {key for node in cluster.masters()
            for key in node.client().scan_iter(f"{company.name}:*", 1000)}


def test_verify_and_rebuild_reach_every_node(
        cluster, company, kafka, segmentd):
    daemon = segmentd(company.config)
    daemon.start()
    send(company, 30000.0)
    await_members(cluster, company, "mid")
    daemon.stop()
    status, told = verify(daemon)
    assert status == 0 and told["accounts"] == N, told
    whole = keys_of(cluster, company)
    # On every node something is wrong: a view, a member, a state, a ghost.
    wrong = set()
    for number in range(company.partitions):
        def key(rest, number=number):
            return group_key(company, number, rest)
        node = cluster.owner(key("p"))
        client = node.client()
        members = sorted(client.smembers(key("seg:touch:mid")))
        one, two, three = (member.decode() for member in members[:3])
        client.hset(key(f"acct:{one}"), "account.arr", "7")
        client.srem(key("seg:touch:mid"), two)
        client.sadd(key("seg:touch:high"), f"ghost{number}")
        client.delete(key(f"state:{three}"))
        wrong |= {(one, "view", "account.arr"), (two, "member", "touch"),
                  (f"ghost{number}", "member", "touch"), (three, "state", "")}
    status, told = verify(daemon)
    assert status == 1 and wrong <= kinds(told), told
    changes = company.changes()
    done = command("rebuild", "-c", daemon.path, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{N} records folded again" in done.stdout
    status, told = verify(daemon)
    assert status == 0 and told["accounts"] == N, told
    assert keys_of(cluster, company) == whole
    assert company.changes() == changes, "nothing is told again"

    # When an input does not reach back any more both refuse, and say where.
    topic = f"{company.name}.account"
    kafka.expire(topic)
    for verb, why in (("verify", "features cannot be folded"),
                      ("rebuild", "features before that would be lost")):
        refused = command(verb, "-c", daemon.path, timeout=300)
        assert refused.returncode == 69, refused.stdout + refused.stderr
        for part in (topic, "begins at offset", "retention", why,
                     "--accept-loss"):
            assert part in refused.stderr, refused.stderr
    assert keys_of(cluster, company) == whole, "it is as it was"
    status, told = verify(daemon, "--accept-loss")
    assert status == 0, told


def test_a_lost_master_is_replaced_and_rules_are_reviewed(
        cluster, company, segmentd):
    """The URL names the node that dies: the others were learned from it."""
    record = group_key(company, 2, "p2:m")
    lost = wait_until(lambda: cluster.owner(record), "somebody has the group")
    company.config["redis"]["url"] = lost.url
    daemon = segmentd(company.config)
    daemon.start()
    send(company, 30000.0)
    await_members(cluster, company, "mid")
    cluster.notice_within(3000)
    lost.kill9()
    send(company, 1.0)
    await_members(cluster, company, "low")
    assert cluster.owner(record) is not lost
    daemon.wait_ready()
    daemon.stop()
    check_changes(company, ["mid", "low"])

    # New rules: every account of every node is looked at.
    lost.restart()
    cluster.notice_within(SLOW_MS)
    company.config["segmentations"]["touch"]["segments"][1]["when"] = (
        "account.arr >= 1.0")
    company.config["redis"]["url"] = "redis://" + ",".join(
        f"127.0.0.1:{node.port}" for node in cluster.nodes)
    daemon = segmentd(company.config, "again")
    daemon.start()
    await_members(cluster, company, "mid")
    daemon.stop()
    check_changes(company, ["mid", "low", "mid"])
