"""A Redis server of one's own for a test, on a unix socket and a port."""

import pathlib
import shutil

from support.process import Process, free_port


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

    def start(self, timeout=30.0):
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
        return redis.Redis(unix_socket_path=str(self.socket), **options)

    def stop(self):
        self.process.stop()

    def kill9(self):
        self.process.kill9()

    def restart(self):
        self.start()
