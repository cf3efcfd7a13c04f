"""Schema registries for tests: a real one, and one that does as it is told.

The real one is built by tests/registry/fetch; where it is absent, tests of it
are skipped. The other is a table of answers that a test may take away and give
back, for what a real one does rarely.
"""

import base64
import http.server
import json
import os
import pathlib
import threading
import urllib.error
import urllib.request

from support.process import DEADLINE, Process, free_port

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = ROOT / "build/registry/schema-registry"
MEDIA = "application/vnd.schemaregistry.v1+json"


def why_absent():
    return None if BINARY.exists() else f"no {BINARY} (run `make registry`)"


def ask(url, body=None, method=None, user=None):
    """(status, JSON) of a request."""
    request = urllib.request.Request(
        url, method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": MEDIA, "Accept": MEDIA})
    if user:
        request.add_header("Authorization", "Basic " + base64.b64encode(
            user.encode()).decode())
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"null")
    except OSError as error:
        return 0, str(error)


class RealRegistry:
    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = None

    def start(self, timeout=DEADLINE):
        self.process = Process(
            [BINARY], self.directory / "registry.log",
            env={**os.environ, "SCHEMA_REGISTRY_HOST": "127.0.0.1",
                 "SCHEMA_REGISTRY_PORT": str(self.port)},
            cwd=self.directory)
        self.process.wait_for(
            lambda: ask(f"{self.url}/subjects")[0] == 200,
            "the registry answers", timeout)

    def kill9(self):
        if self.process is not None:
            self.process.kill9()

    def register(self, subject, schema, references=()):
        body = {"schema": schema}
        if references:
            body["references"] = list(references)
        status, answer = ask(f"{self.url}/subjects/{subject}/versions", body)
        assert status == 200, answer
        return answer["id"]


class ToldRegistry:
    """`schemas`: {path below the prefix: answer}. `is_up` False: HTTP 503."""

    def __init__(self, prefix="/apis/ccompat/v7", user=None):
        self.schemas = {}
        self.is_up = True
        self.asked = []
        self.user = user
        told = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                told.asked.append(self.path)
                wanted = None if told.user is None else (
                    "Basic " + base64.b64encode(told.user.encode()).decode())
                answer = told.schemas.get(self.path.removeprefix(prefix))
                if not told.is_up:
                    self.answer(503, {"error_code": 50003, "message": "down"})
                elif wanted and self.headers.get("Authorization") != wanted:
                    self.answer(401, {"error_code": 401, "message": "who?"})
                elif answer is None or not self.path.startswith(prefix):
                    self.answer(404, {"error_code": 40403,
                                      "message": "Schema not found"})
                else:
                    self.answer(200, answer)

            def answer(self, status, body):
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", MEDIA)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        self.server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}{prefix}"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
