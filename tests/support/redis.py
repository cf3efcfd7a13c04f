"""A Redis server of one's own for a test, on a unix socket and a port."""

import pathlib
import shutil

from support.process import DEADLINE, Process, free_port, wait_until


def why_absent():
    return None if shutil.which("redis-server") else "redis-server is missing"


class RedisServer:
    """redis-server in `directory`; `options` as on its command line.

    The default keeps an append-only file, so that kill9() and start() find
    what was written before.
    """

    def __init__(self, directory, **options):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.socket = self.directory / "redis.sock"
        self.options = {
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
            **{name.replace("_", "-"): value
               for name, value in options.items()},
        }
        self.process = None

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def unix_url(self):
        return f"unix://{self.socket}?db=0"

    def start(self, timeout=DEADLINE):
        argv = ["redis-server", "--bind", "127.0.0.1", "--port", self.port,
                "--unixsocket", self.socket, "--dir", self.directory]
        for name, value in self.options.items():
            argv += [f"--{name}", value]
        self.process = Process(argv, self.directory / "redis.log")
        self.process.wait_for(self._answers, "redis answers", timeout)

    def _answers(self):
        import redis
        try:
            return self.client().ping()
        except redis.RedisError:  # not up, or loading
            return False

    def client(self, **options):
        import redis
        options.setdefault("password", self.options.get("requirepass"))
        # A server that hangs must not hang the test.
        options.setdefault("socket_timeout", 30)
        return redis.Redis(unix_socket_path=str(self.socket), **options)

    def stop(self):
        self.process.stop()

    def kill9(self):
        self.process.kill9()

    def restart(self):
        self.start()


def quiet(call):
    """call(), or None while a server is away, loads, or changes its role."""
    import redis
    try:
        return call()
    except (redis.RedisError, OSError):
        return None


def patient(call, what="Redis answers", timeout=DEADLINE):
    """[call()] tried again until a server answers; its first answer."""
    return wait_until(lambda: quiet(lambda: [call()]), what, timeout)[0]


class Sentinels:
    """Three sentinels that watch `master` under the name `main`."""

    name = "main"

    def __init__(self, directory, master, password=None, login=()):
        self.directory = pathlib.Path(directory)
        self.password = password
        self.ports = [free_port() for _ in range(3)]
        self.processes = []
        for port in self.ports:
            folder = self.directory / str(port)
            folder.mkdir(parents=True)
            lines = [
                f"port {port}", "bind 127.0.0.1", f"dir {folder}",
                f"sentinel monitor {self.name} 127.0.0.1 {master.port} 2",
                f"sentinel down-after-milliseconds {self.name} 2000",
                f"sentinel failover-timeout {self.name} 8000",
                *[f"sentinel {word} {self.name} {value}"
                  for word, value in login]]
            if password:
                lines += [f"requirepass {password}",
                          f"sentinel sentinel-pass {password}"]
            (folder / "sentinel.conf").write_text("\n".join(lines) + "\n")

    def start(self):
        for port in self.ports:
            folder = self.directory / str(port)
            self.processes.append(Process(
                ["redis-server", folder / "sentinel.conf", "--sentinel"],
                folder / "log"))
        # Each knows the others and the replica: a failover is possible.
        for port, process in zip(self.ports, self.processes):
            process.wait_for(
                lambda port=port: quiet(lambda: self._is_ready(port)),
                "the sentinel knows everybody")

    def _client(self, port):
        import redis
        return redis.Redis(port=port, password=self.password,
                           decode_responses=True, socket_timeout=30)

    def _is_ready(self, port):
        client = self._client(port)
        found = client.sentinel_master(self.name)
        replicas = client.sentinel_slaves(self.name)
        return (found["num-other-sentinels"] == 2 and len(replicas) == 1
                and "s_down" not in str(replicas[0]["flags"])
                and replicas[0]["master-link-status"] == "ok")

    def master_port(self):
        """What most of them say; None while they do not agree."""
        said = [quiet(lambda port=port: int(
            self._client(port).sentinel_get_master_addr_by_name(
                self.name)[1])) for port in self.ports]
        return next((port for port in said
                     if port and said.count(port) >= 2), None)

    def stop(self):
        for process in self.processes:
            process.kill9()


# After which silence a node counts as lost: on a busy machine one that lives
# may say nothing for a while.
SLOW_MS = 15000


class Cluster:
    """Three masters and three replicas."""

    def __init__(self, directory):
        self.nodes = []
        for i in range(6):
            node = RedisServer(
                pathlib.Path(directory) / str(i), cluster_enabled="yes",
                cluster_node_timeout=str(SLOW_MS), cluster_port=free_port(),
                appendonly="no", repl_diskless_sync_delay="0")
            self.nodes.append(node)

    @property
    def url(self):
        """Of one node: the rest has to be found out."""
        return self.nodes[0].url

    def start(self):
        for node in self.nodes:
            node.start()
        ids = {self.id_of(node) for node in self.nodes}
        # Each is introduced to each: gossip alone would take its time.
        for one in self.nodes:
            for node in self.nodes:
                if node is not one:
                    one.client().execute_command(
                        "CLUSTER", "MEET", "127.0.0.1", node.port,
                        node.options["cluster-port"])
        for node in self.nodes:
            node.process.wait_for(
                lambda node=node: quiet(lambda: self._knows(node)) == ids,
                "the nodes know each other")
        for i, slots in enumerate([(0, 5460), (5461, 10922), (10923, 16383)]):
            self.nodes[i].client().execute_command(
                "CLUSTER", "ADDSLOTSRANGE", *slots)
            self.nodes[i + 3].client().execute_command(
                "CLUSTER", "REPLICATE", self.id_of(self.nodes[i]))
        self.mend()

    def notice_within(self, ms):
        """From now on, that a node is lost."""
        for node in self.living():
            patient(lambda node=node: node.client().config_set(
                "cluster-node-timeout", ms))

    def mend(self):
        """Every node runs, and everybody says that all is well."""
        for node in self.nodes:
            if not node.process.is_running():
                node.restart()
        for node in self.nodes:
            node.process.wait_for(
                lambda node=node: quiet(lambda: self._is_whole(node)),
                "the cluster is whole")

    def _is_whole(self, node):
        info = node.client().execute_command("CLUSTER INFO")
        replication = node.client().info("replication")
        return (info["cluster_state"] == "ok"
                and info["cluster_slots_ok"] == "16384"
                and (replication["role"] == "master"
                     and replication["connected_slaves"] == 1
                     or replication.get("master_link_status") == "up"))

    def _knows(self, node):
        """Ids of the nodes it knows, itself included."""
        client = node.client(decode_responses=True)
        client.response_callbacks = {}
        lines = client.execute_command("CLUSTER NODES").splitlines()
        return {line.split(" ")[0] for line in lines
                if "handshake" not in line}

    def id_of(self, node):
        return node.client(decode_responses=True).execute_command(
            "CLUSTER", "MYID")

    def living(self):
        return [node for node in self.nodes if node.process.is_running()]

    def masters(self):
        return [node for node in self.living()
                if patient(lambda node=node: node.client().info(
                    "replication"))["role"] == "master"]

    def owner(self, key):
        """The living node that serves the key; None when there is none."""
        for node in self.living():
            client = node.client()
            if quiet(lambda client=client: client.exists(key)) is not None:
                if quiet(lambda client=client: client.info(
                        "replication")["role"]) == "master":
                    return node
        return None

    def ask(self, key, *words):
        """A command about a key, by whoever serves it."""
        def call():
            node = self.owner(key)
            return node and [node.client().execute_command(*words)]
        return wait_until(lambda: quiet(call), f"the cluster has {key}"
                          )[0]

    def stop(self):
        for node in self.nodes:
            if node.process is not None:
                node.kill9()
