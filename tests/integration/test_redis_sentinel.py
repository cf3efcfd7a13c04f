"""Redis with replicas: the master is followed, and what it lost is noticed."""

import signal

import pytest
from support.company import Company
from support.process import wait_until
from support.redis import RedisServer, Sentinels, patient, quiet

PASSWORD = "s3cret-of-redis"
SENTINEL_PASSWORD = "s3cret-of-sentinels"


@pytest.fixture
def pair(tmp_path):
    """A master and its replica."""
    made = []

    def make(**options):
        for name in ("one", "two"):
            made.append(RedisServer(tmp_path / name, appendonly="no",
                                    repl_diskless_sync_delay="0", **options))
        for server in made:
            server.start()
        master, replica = made
        client = replica.client()
        patient(lambda: client.execute_command(
            "REPLICAOF", "127.0.0.1", master.port))
        wait_until(lambda: quiet(lambda: client.info("replication")[
            "master_link_status"] == "up"), "the replica follows")
        return master, replica

    yield make
    for server in made:
        if server.process is not None:
            server.kill9()


@pytest.fixture
def sentinels(tmp_path):
    made = []

    def make(*args, **options):
        made.append(Sentinels(tmp_path / "sentinels", *args, **options))
        made[0].start()
        return made[0]

    yield make
    for one in made:
        one.stop()


def both_url(*servers):
    return "redis://" + ",".join(f"127.0.0.1:{s.port}" for s in servers)


def make_company(kafka, master, tmp_path, unique, url):
    company = Company(kafka, master, tmp_path / "schemas", unique)
    company.config["redis"].update(
        url=url, connect_timeout="1s", command_timeout="2s")
    return company.create()


def send(company, arr, n=200):
    company.send_accounts(*[company.account_record(f"a{i}", arr)
                            for i in range(n)])


def await_members(client, company, segment, n=200):
    key = f"{company.name}:seg:touch:{segment}"
    wait_until(lambda: quiet(lambda: client.scard(key)) == n,
               f"{n} are {segment}")


def check_changes(company, moves, n=200):
    """Every account made the moves, each told once."""
    found = {}
    for change in company.changes():
        if change["segmentation"] == "touch":
            found.setdefault(change["account_id"], []).append(
                (change["account_version"], change["to"]))
    assert len(found) == n
    assert set(map(tuple, found.values())) == {
        tuple(enumerate(moves, start=1))}


def test_the_master_is_followed_after_a_failover(
        kafka, pair, sentinels, segmentd, tmp_path, unique):
    master, replica = pair(requirepass=PASSWORD, masterauth=PASSWORD)
    watchers = sentinels(master, password=SENTINEL_PASSWORD,
                         login=[("auth-pass", PASSWORD)])
    (tmp_path / "redis.secret").write_text(PASSWORD + "\n")
    (tmp_path / "sentinel.secret").write_text(SENTINEL_PASSWORD + "\n")
    hosts = ",".join(f"127.0.0.1:{port}" for port in watchers.ports)
    company = make_company(
        kafka, master, tmp_path, unique,
        f"redis+sentinel://{hosts}/{Sentinels.name}/0")
    company.config["redis"].update(
        password=f"${{file:{tmp_path}/redis.secret}}",
        sentinel_password=f"${{file:{tmp_path}/sentinel.secret}}")
    daemon = segmentd(company.config)
    daemon.start()
    send(company, 30000.0)
    await_members(replica.client(), company, "mid")

    # One sentinel is gone as well: the others are asked.
    watchers.processes[0].kill9()
    master.kill9()
    send(company, 1.0)
    wait_until(lambda: watchers.master_port() == replica.port,
               "the sentinels agree on the replica")
    await_members(replica.client(), company, "low")

    # It comes back as a replica of the other one, and hangs as a master.
    master.restart()
    old = master.client()
    wait_until(lambda: quiet(lambda: old.info("replication").get(
        "master_link_status") == "up"), "the old one follows")
    replica.process.send(signal.SIGSTOP)
    send(company, 200000.0)
    wait_until(lambda: watchers.master_port() == master.port,
               "the sentinels agree on the first one")
    await_members(old, company, "high")
    replica.process.send(signal.SIGCONT)
    other = replica.client()
    wait_until(lambda: quiet(lambda: other.info("replication").get(
        "master_link_status") == "up"), "it follows, awake")
    send(company, 30000.0)
    await_members(other, company, "mid")
    daemon.wait_ready()
    daemon.stop()
    check_changes(company, ["mid", "low", "high", "mid"])
    assert "s3cret" not in daemon.output()


def test_a_master_that_became_a_replica_is_left(
        kafka, pair, segmentd, tmp_path, unique):
    """No sentinel, two hosts: READONLY says that it is the other one."""
    master, replica = pair()
    company = make_company(kafka, master, tmp_path, unique,
                           both_url(master, replica))
    daemon = segmentd(company.config)
    daemon.start()
    send(company, 30000.0)
    await_members(replica.client(), company, "mid")
    assert replica.client().execute_command("REPLICAOF", "NO", "ONE")
    assert master.client().execute_command(
        "REPLICAOF", "127.0.0.1", replica.port)
    send(company, 1.0)
    await_members(replica.client(), company, "low")
    await_members(master.client(), company, "low")
    daemon.wait_ready()
    daemon.stop()
    check_changes(company, ["mid", "low"])


@pytest.mark.parametrize("is_idle", [False, True], ids=["busy", "idle"])
def test_a_failover_to_a_replica_that_lags_is_noticed(
        kafka, pair, segmentd, tmp_path, unique, is_idle):
    """What the new master lacks was acknowledged: found out, folded again."""
    master, replica = pair()
    company = make_company(kafka, master, tmp_path, unique,
                           both_url(master, replica))
    daemon = segmentd(company.config)
    daemon.start()
    send(company, 30000.0)
    await_members(replica.client(), company, "mid")
    # From here on the replica gets nothing: it lags by all that follows.
    assert replica.client().execute_command("REPLICAOF", "NO", "ONE")
    send(company, 1.0)
    await_members(master.client(), company, "low")
    assert replica.client().scard(f"{company.name}:seg:touch:mid") == 200
    master.kill9()
    if not is_idle:
        company.send_usage(*[company.usage_record(f"a{i}")
                             for i in range(200)])
    await_members(replica.client(), company, "low")
    # The guard says so, unless the machine was so busy that segmentd had
    # begun anew before it reached the other one.
    wait_until(lambda: "was acknowledged, Redis holds" in daemon.output()
               or "event=round_failed" in daemon.output(),
               "the loss is noticed")
    client = replica.client()
    if not is_idle:
        wait_until(lambda: all(
            company.view(client, f"a{i}").get("usage.logins_14d") == "1"
            for i in range(200)), "every login is counted once")
    daemon.stop()
    for i in range(200):
        assert company.view(client, f"a{i}")["segment.touch"] == "low"
    check_changes(company, ["mid", "low"])
