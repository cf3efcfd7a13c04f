"""The chaos run: a stream of events, and everything around segmentd failing.

Real Kafka, a Redis master with its replica behind a proxy, and some instances
of segmentd, each at the end of a network link of its own. What is done, and the pauses between, come from the seed alone.
In the end the change log, segmentd.current and Redis have to agree with each
other, with a fold of the input as it is in Kafka, and with the rules; and each
change with the features of its moment.
"""

import datetime as dt
import random
import re
import signal
import statistics
import threading
import time

from confluent_kafka import Producer

from support import network, oracle
from support.company import (ACCOUNT_SCHEMA_ID, USAGE_SCHEMA_ID, Company,
                             now_ms)
from support.process import wait_until
from support.redis import RedisServer
from support.segmentd import Segmentd
from support.tcp_proxy import TcpProxy

SILENT_MS = 6000
MINUTE_MS = 60000
SESSION_MS = 4000
AWAY_S = SESSION_MS / 1000 + 1  # long enough for others to have taken over
SETTLE_S = 300

# What befalls the system, and how often.
KINDS = {
    "kill": 45,           # an instance is killed and started again
    "stop": 13,           # stopped beyond its session, then resumed
    "rebalance": 12,      # an instance leaves, and comes back
    "redis_flushall": 6,
    "redis_failover": 7,  # to a replica that lacks the newest writes
    "redis_restart": 5,   # killed; its file lacks the newest writes
    "redis_cut": 6,
    "redis_delay": 2,
    "broker_hang": 2,     # stopped for a while, as a cut network
    "broker_restart": 2,  # killed and started again
    "network_cut": 6,     # of an instance: it lives on, alone
    "network_kafka": 5,   # the same, of the way to Kafka only
    "network_redis": 4,
    "network_delay": 3,
}

RULES = {
    **oracle.LOAD,
    "silent": {"enter": f'now - usage.last_seen >= duration("{SILENT_MS}ms")'},
    "hot": {"enter": "usage.logins_1m >= 4",
            "exit": "usage.logins_1m == 0"},
}


class Stream:
    """Events of a crowd, a few at a time, whatever befalls the broker."""

    def __init__(self, company, seed, count, per_second):
        self.company = company
        self.crowd = oracle.Crowd(company, seed, count)
        self.per_second = per_second
        self.producer = Producer({
            "bootstrap.servers": company.kafka.bootstrap,
            "partitioner": "murmur2_random", "enable.idempotence": True,
            "message.timeout.ms": 600000, "linger.ms": 5, "log_level": 2})
        self.failures = []
        self.lock = threading.Lock()
        self.is_ending = False
        self.sent = 0
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def send(self, topic, record):
        def delivered(error, _):
            if error is not None:
                self.failures.append(str(error))
        with self.lock:
            self.producer.produce(f"{self.company.name}.{topic}",
                                  on_delivery=delivered, **record)
            self.sent += 1

    def _one(self):
        crowd = self.crowd
        name = crowd.random.choice(crowd.names)
        if name in crowd.mortal or crowd.random.random() < 0.4:
            self.send("account", crowd._account(name))
        else:
            record = crowd._usage(name)
            for _ in range(1 + (crowd.random.random() < 0.05)):
                self.send("usage", record)

    def _run(self):
        pause = 0.05
        try:
            while not self.is_ending:
                for _ in range(max(int(self.per_second * pause), 1)):
                    self._one()
                self.producer.poll(0)
                time.sleep(pause)
        except BaseException as failure:  # told by end()
            self.failures.append(repr(failure))

    def end(self):
        self.is_ending = True
        self.thread.join()
        left = self.producer.flush(120)
        assert left == 0 and not self.failures, (left, self.failures[:3])


class Chaos:
    def __init__(self, kafka, folder, name, seed, instances=2, accounts=300,
                 per_second=120, say=lambda text: None, has_links=False):
        self.kafka = kafka
        self.nodes = getattr(kafka, "nodes", [kafka])
        self.is_cluster = len(self.nodes) > 1
        self.folder = folder
        self.random = random.Random(seed)
        self.seed = seed
        self.say = say
        self.redis = [
            RedisServer(folder / f"redis-{i}", repl_diskless_sync_delay="0")
            for i in range(2)]
        for server in self.redis:
            server.start()
        self.master = 0
        self._follow()
        host = network.SERVERS if has_links else "127.0.0.1"
        self.proxy = TcpProxy(("127.0.0.1", self.redis[0].port), host)
        self.company = Company(kafka, self.redis[0], folder / "schemas", name)
        self._configure()
        self.company.create()
        self.links = [network.Link(i) if has_links else None
                      for i in range(instances)]
        self.daemons = [
            Segmentd(dict(self.company.config, instance=f"i{i}"),
                     folder / f"segmentd-{i}", link=link)
            for i, link in enumerate(self.links)]
        self.stream = Stream(self.company, seed, accounts, per_second)
        self.kinds = {kind: weight for kind, weight in KINDS.items()
                      if has_links or not kind.startswith("network")}
        self.done = {kind: 0 for kind in self.kinds}
        self.recoveries = {kind: [] for kind in self.kinds}
        self.marks = 0

    def _configure(self):
        config = self.company.config
        config.update(workers=2, segmentations=RULES)
        config["redis"]["url"] = (
            f"redis://{self.proxy.host}:{self.proxy.port}/0")
        config["kafka"].update({"session.timeout.ms": str(SESSION_MS),
                                "heartbeat.interval.ms": "1000",
                                "transaction.timeout.ms": "8000"})
        config["inputs"]["usage"]["features"]["logins_1m"] = {
            "count": "1m", "where": 'kind == "login"'}
        del config["renewal"]

    # --- servers ------------------------------------------------------------

    def client(self):
        return self.redis[self.master].client(socket_timeout=10)

    def _follow(self):
        """The one that is not the master follows it."""
        replica = self.redis[1 - self.master].client()
        replica.execute_command("REPLICAOF", "127.0.0.1",
                                self.redis[self.master].port)
        self.redis[self.master].client().execute_command(
            "REPLICAOF", "NO", "ONE")

    def _replica_is_there(self):
        info = self.redis[1 - self.master].client().info("replication")
        return info.get("master_link_status") == "up"

    def _broker_serves(self):
        """Leaders, their replicas, groups and transactions are there."""
        try:
            for topic in ("account", "changes"):
                name = f"{self.company.name}.{topic}"
                if self.kafka.partitions(name) != self.company.partitions:
                    return False
            for topic in (name, "__consumer_offsets", "__transaction_state"):
                if self.is_cluster and (
                        self.kafka.in_sync(topic) < len(self.nodes)):
                    return False
            self.kafka.committed(self.company.name,
                                 f"{self.company.name}.account")
            self.kafka.end_offsets(f"{self.company.name}.account")
            return True
        except Exception:  # the client raises its own and SystemError
            return False

    def start(self):
        for daemon in self.daemons:
            daemon.start(is_waiting=False)
        for daemon in self.daemons:
            daemon.wait_ready()

    def close(self):
        self.stream.is_ending = True
        for daemon in self.daemons:
            if daemon.process is not None:
                daemon.kill9()
        self.proxy.close()
        for link in self.links:
            if link is not None:
                link.close()
        for server in self.redis:
            server.kill9()

    # --- disturbances -------------------------------------------------------

    def _daemon(self):
        return self.random.choice(self.daemons)

    def _node(self):
        return self.nodes[int(self.random.random() * len(self.nodes))]

    def kill(self):
        daemon, pause = self._daemon(), self.random.choice(
            (0, 0, 0.5, AWAY_S))
        daemon.kill9()
        time.sleep(pause)
        daemon.start(is_waiting=False)

    def stop(self):
        daemon = self._daemon()
        pause = SESSION_MS / 1000 + self.random.uniform(0.5, 2)
        daemon.freeze()
        time.sleep(pause)
        daemon.thaw()

    def rebalance(self):
        daemon, pause = self._daemon(), self.random.choice((0, 1, AWAY_S))
        daemon.stop()
        time.sleep(pause)
        daemon.start(is_waiting=False)

    def redis_flushall(self):
        self.client().flushall()

    def redis_failover(self):
        tail = self.random.uniform(0.1, 1.5)
        wait_until(self._replica_is_there, "the replica follows")
        self.redis[1 - self.master].client().execute_command(
            "REPLICAOF", "NO", "ONE")
        time.sleep(tail)  # what is written now is lost
        self.master = 1 - self.master
        self.proxy.turn_to(("127.0.0.1", self.redis[self.master].port))
        self._follow()

    def redis_restart(self):
        pause = self.random.uniform(0, 2)
        server = self.redis[self.master]
        server.kill9()
        time.sleep(pause)
        server.restart()

    def redis_cut(self):
        pause = self.random.uniform(0, 3)
        self.proxy.cut()
        time.sleep(pause)
        self.proxy.mend()

    def redis_delay(self):
        self.proxy.delay_s = 0.1
        time.sleep(self.random.uniform(1, 3))
        self.proxy.delay_s = 0.0

    def broker_hang(self):
        node, pause = self._node(), self.random.uniform(1, 8)
        node.process.send(signal.SIGSTOP)
        time.sleep(pause)
        node.process.send(signal.SIGCONT)
        wait_until(self._broker_serves, "the brokers serve", SETTLE_S)

    def broker_restart(self):
        node, is_kill = self._node(), self.random.random() < 0.5
        node.process.kill9() if is_kill else node.process.stop()
        if self.is_cluster:
            self.kafka.restart_node(node, f"{self.company.name}.changes")
        else:
            node.restart()
        wait_until(self._broker_serves, "the brokers serve", SETTLE_S)

    def network_cut(self, ports=()):
        """No packet passes, or those of one direction: a request arrives and
        its answer does not. A third of the times the session ends meanwhile."""
        link = self.random.choice(self.links)
        is_out, is_in = self.random.choice(
            ((True, True), (True, False), (False, True)))
        pause = self.random.uniform(*self.random.choices(
            ((0.5, SESSION_MS / 1000), (SESSION_MS / 1000 + 0.5, 12)),
            (2, 1))[0])
        link.set(**{"out": is_out, "in": is_in, "ports": ports})
        time.sleep(pause)
        link.set()

    def network_kafka(self):
        self.network_cut([node.port for node in self.nodes])

    def network_redis(self):
        self.network_cut([self.proxy.port])

    def network_delay(self):
        link = self.random.choice(self.links)
        link.set(delay=[0.05, self.random.uniform(0.05, 0.3)],
                 loss=self.random.uniform(0, 0.05))
        time.sleep(self.random.uniform(2, 5))
        link.set()

    # --- recovery -----------------------------------------------------------

    def _check_alive(self):
        for daemon in self.daemons:
            assert daemon.process.is_running(), (
                f"{daemon.directory} ended with status "
                f"{daemon.process.popen.returncode}:\n{daemon.process.tail()}")

    def recover(self):
        """Until an event of now is seen in Redis, in every partition."""
        self.marks += 1
        names = [f"mark-{i}" for i in range(16)]
        for name in names:
            self.stream.send("account", self.company.account_record(
                name, float(self.marks)))

        def seen():
            self._check_alive()
            try:
                client = self.client()
                return all(client.hget(f"{self.company.name}:acct:{name}",
                                       "account.arr")
                           == str(self.marks).encode() for name in names)
            except Exception:  # Redis is away or loading
                return False
        wait_until(seen, "new events are seen in Redis", SETTLE_S)

    def run(self, kills, seconds=None):
        end = time.monotonic() + seconds if seconds else None
        # Each of several brokers fails as often as a single one, and more.
        kinds, weights = list(self.kinds), [
            weight * (4 if self.is_cluster and "broker" in kind else 1)
            for kind, weight in self.kinds.items()]
        first = self.random.sample(kinds, len(kinds))  # each of them once
        self.recover()
        for n in range(kills):
            if end and time.monotonic() > end:
                break
            kind = (first[n] if n < len(first)
                    else self.random.choices(kinds, weights)[0])
            is_waiting = self.random.random() < 0.7
            pause = self.random.uniform(0, 0.8)
            began = time.monotonic()
            self._check_alive()
            getattr(self, kind)()
            self.done[kind] += 1
            if is_waiting:
                self.recover()
                took = time.monotonic() - began
                self.recoveries[kind].append(took)
                self.say(f"{n + 1}: {kind}, {took:.1f} s")
            else:
                self.say(f"{n + 1}: {kind}")
            time.sleep(pause)
        self.recover()
        self.stream.end()

    # --- the oracle ---------------------------------------------------------

    def _inputs(self):
        """{account: History} of the input as it is in Kafka."""
        found = {}
        company = self.company
        for topic, codec, number in (
                ("account", company.account, ACCOUNT_SCHEMA_ID),
                ("usage", company.usage, USAGE_SCHEMA_ID)):
            for message in self.kafka.read(f"{company.name}.{topic}"):
                used, event = codec.read_confluent(message.value())
                assert used == number
                name = message.key().decode()
                history = found.setdefault(name, History())
                history.add(topic, message.offset(), event)
        return found

    def _differs(self, inputs):
        """Of Redis from the fold, at this moment; None near an edge."""
        now = now_ms()
        if not 3000 < now % MINUTE_MS < MINUTE_MS - 3000:
            return None
        client = self.client()
        pipe = client.pipeline(transaction=False)
        for name in inputs:
            pipe.hgetall(f"{self.company.name}:acct:{name}")
        differs = []
        for (name, history), found in zip(inputs.items(), pipe.execute()):
            view = {key.decode(): value.decode()
                    for key, value in found.items()}
            for text in history.differs(view, now):
                differs.append((name, text, view))
        return differs

    def check(self):
        """Nothing lost, nothing doubled: {what was compared: how many}."""
        inputs = self._inputs()
        deadline = time.monotonic() + SETTLE_S
        while True:
            differs = self._differs(inputs)
            if differs == []:
                break
            assert time.monotonic() < deadline, differs[:3]
            time.sleep(0.5)
        for daemon in self.daemons:
            daemon.stop()
        changes = oracle.check(self.company, self.client())
        prefix = f"{self.company.name}."
        for change in changes:
            inputs[change["account_id"]].judge(change, prefix)
        return {"events": sum(len(h.account) + len(h.usage)
                              for h in inputs.values()),
                "accounts": len(inputs), "changes": len(changes)}

    def report(self):
        kinds = {}
        for kind, count in self.done.items():
            times = self.recoveries[kind]
            kinds[kind] = {
                "count": count, "timed": len(times),
                "median_s": round(statistics.median(times), 1)
                if times else None,
                "max_s": round(max(times), 1) if times else None}
        return {"seed": self.seed, "instances": len(self.daemons),
                "brokers": len(self.nodes),
                "disturbances": sum(self.done.values()), "kinds": kinds}


class History:
    """An account's events in the order of the log, with what each led to."""

    CLAUSE = re.compile(r'now - usage\.last_seen >= duration\("(\d+)ms"\)')

    def __init__(self):
        self.fold = oracle.Fold()
        self.account = []  # (offset, features)
        self.usage = []
        self.logins = []   # event times
        self.last_seen = None
        self.at = {"account": -1, "usage": -1}

    def add(self, topic, offset, event):
        if topic == "account":
            self.fold.account(event)
            self.account.append((offset, self.fold.features()))
            return
        if not self.fold.is_repeat(dict(event)):
            self.fold.usage(dict(event, event_id=None))
            at_ms = int(event["at"].timestamp() * 1000 + 0.5)
            self.last_seen = max(self.last_seen or 0, at_ms)
            if event["kind"] == "login":
                self.logins.append(at_ms)
        features = self.fold.features()
        features["usage.last_seen"] = self.last_seen
        self.usage.append((offset, features))

    def hot(self, now):
        """Logins in the tiles that overlap the last minute."""
        oldest = (now - MINUTE_MS) // MINUTE_MS * MINUTE_MS
        return sum(at >= oldest for at in self.logins)

    def differs(self, view, now):
        """What the view shows otherwise than events and rules say."""
        if self.fold.is_gone:
            return ["gone"] if view else []
        found = [f"{key}: {want}" for key, want in self.fold.features().items()
                 if view.get(key) != want]
        want = dict(self.fold.segments())
        want.setdefault("busy", "out")
        want["silent"] = "in" if self.last_seen and (
            now - self.last_seen >= SILENT_MS + 1000) else "out"
        found += [f"segment.{key}: {segment}"
                  for key, segment in want.items()
                  if view.get(f"segment.{key}") != segment]
        # Between its conditions it stays where it was.
        if view.get("segment.hot") == "in" and self.hot(now) == 0:
            found.append("segment.hot: out")
        if view.get("segment.hot") != "in" and self.hot(now) >= 4:
            found.append("segment.hot: in")
        return found

    # --- was a change right when it was made? -------------------------------

    def judge(self, change, prefix):
        """Its reasons hold, for features the account had at its trigger (of
        the trigger's input exactly; of the other, at some moment that is not
        before that of the change before)."""
        values = {}
        for reason in change["reasons"]:
            assert self.holds(reason, change), change
            values.update(reason["values"])
        trigger = change["trigger"]
        for topic in ("account", "usage"):
            events = getattr(self, topic)
            own = {key: value for key, value in values.items()
                   if key.startswith(topic + ".")
                   and key not in ("usage.last_seen", "usage.logins_1m")}
            if trigger is not None and trigger["topic"] == prefix + topic:
                self.at[topic] = next(
                    i for i, (offset, _) in enumerate(events)
                    if offset == trigger["offset"])
                assert self.fits(events, self.at[topic], own), (
                    change, events[self.at[topic]])
                continue
            at = self.at[topic]
            while not self.fits(events, at, own):
                at += 1
                assert at < len(events), (change, topic, self.at[topic])
            self.at[topic] = at

    @staticmethod
    def fits(events, at, own):
        features = events[at][1] if at >= 0 else {}
        return all(features.get(key, "0") == value
                   for key, value in own.items())

    def holds(self, reason, change):
        clause = reason["clause"]
        silence = self.CLAUSE.fullmatch(clause)
        if silence:
            seen = dt.datetime.fromisoformat(
                reason["values"]["usage.last_seen"].replace("Z", "+00:00"))
            is_silent = change["evaluated_at"] - seen >= dt.timedelta(
                milliseconds=int(silence.group(1)))
            return is_silent == reason["result"]
        for name, value in sorted(reason["values"].items(), reverse=True):
            clause = clause.replace(name, value)
        if not re.fullmatch(r"[-0-9. <>=]+", clause):
            raise AssertionError((clause, change))
        return bool(eval(clause)) == reason["result"]
