"""TLS to Redis: who the server is, who we are, and what is told otherwise."""

import re
import shutil
import subprocess
import types

import pytest
import yaml
from support.company import Company
from support.process import free_port, wait_until
from support.redis import RedisServer, why_absent
from support.segmentd import command
from support.settled import check_versions

NOT_TESTED = "not tested: TLS to Redis (certificates, names, logins)"
PASSWORD = "s3cret-over-tls"
N = 2000


class Certificates:
    """A CA in `folder`, and what it has signed."""

    def __init__(self, folder):
        folder.mkdir()
        self.folder = folder
        self.ca = folder / "ca.pem"
        self._openssl("req", "-x509", "-subj", "/CN=a CA of tests", "-days",
                      "3650", "-keyout", folder / "ca.key", "-out", self.ca)

    def _openssl(self, verb, *words):
        subprocess.run(
            ["openssl", verb, "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:P-256", "-nodes", *map(str, words)],
            check=True, capture_output=True)

    def sign(self, name, subject):
        """(certificate, key) for a subjectAltName."""
        cert, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        self._openssl("req", "-x509", "-subj", f"/CN={name}", "-days", "3650",
                      "-addext", f"subjectAltName={subject}",
                      "-addext", "basicConstraints=critical,CA:FALSE",
                      "-CA", self.ca, "-CAkey", self.folder / "ca.key",
                      "-keyout", key, "-out", cert)
        return cert, key


def config_of(company, folder, url):
    """A file of its configuration with another redis.url."""
    config = {**company.config,
              "redis": {**company.config["redis"], "url": url}}
    path = folder / "segmentd.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False), "utf-8")
    return path


def offline(folder):
    """A company whose Kafka is not there: it is asked after Redis."""
    nobody = types.SimpleNamespace(bootstrap="127.0.0.1:1")
    redis = types.SimpleNamespace(url="")
    return Company(nobody, redis, folder / "schemas", "offline")


def ask(folder, url, **redis):
    """What is said of a Redis, and the status."""
    company = offline(folder)
    company.config["redis"].update(redis)
    done = command("rebuild", "-c", config_of(company, folder, url),
                   timeout=120)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def certs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    absent = why_absent() or (
        None if shutil.which("openssl") else "openssl is missing")
    if absent:
        pytest.skip(f"{absent}; {NOT_TESTED}")
    if "needs hiredis 1.0" in ask(folder, "rediss://127.0.0.1:1")[1]:
        pytest.skip(f"hiredis has no TLS here; {NOT_TESTED}")
    return Certificates(folder / "ca")


@pytest.fixture(scope="module")
def ours(certs):
    """The query of a URL with our certificate in it."""
    cert, key = certs.sign("segmentd", "DNS:segmentd")
    return f"?ca={certs.ca}&cert={cert}&key={key}"


@pytest.fixture
def tls_redis(certs, tmp_path):
    """Makes servers: tls_redis(its subjectAltName) wants our certificate."""
    made = []

    def make(subject):
        cert, key = certs.sign(f"redis-{tmp_path.name}", subject)
        server = RedisServer(
            tmp_path / "redis", tls_port=free_port(), tls_cert_file=cert,
            tls_key_file=key, tls_ca_cert_file=certs.ca,
            tls_auth_clients="yes")
        made.append(server)
        server.start()
        return server

    yield make
    for server in made:
        server.kill9()


def test_a_user_with_a_certificate_is_served(
        kafka, certs, ours, tls_redis, segmentd, tmp_path, unique):
    server = tls_redis("IP:127.0.0.1,DNS:localhost")
    port = server.options["tls-port"]
    client = server.client()
    client.execute_command(
        "ACL", "SETUSER", "segmentd", "on", f">{PASSWORD}", f"~{unique}:*",
        "+@read", "+@write", "+@transaction", "+@connection", "+info")
    (tmp_path / "secret").write_text(PASSWORD + "\n", "utf-8")
    company = Company(kafka, server, tmp_path / "schemas", unique).create()
    company.config["redis"].update(
        url=f"rediss://localhost:{port}{ours}", user="segmentd",
        password=f"${{file:{tmp_path}/secret}}", connect_timeout="5s")
    company.config["log"] = {"level": "debug"}

    def send(arr, segment):
        company.send_accounts(*[company.account_record(f"a{i}", arr)
                                for i in range(N)])
        wait_until(lambda: client.scard(
            f"{unique}:seg:touch:{segment}") == N, f"all are {segment}", 120)

    # More bytes at once than a record of TLS holds, one way and, with an
    # empty cache, the other.
    daemon = segmentd(company.config)
    daemon.start()
    send(30000.0, "mid")
    daemon.stop()
    company.config["redis"]["url"] = f"rediss://127.0.0.1:{port}{ours}"
    again = segmentd(company.config)
    again.start()
    send(1.0, "low")
    # The connection is lost, and made anew with the next.
    assert client.client_kill_filter(_type="normal", skipme=True) > 0
    send(200000.0, "high")
    again.stop()
    assert set(check_versions(company).values()) == {3}
    for output in (daemon.output(), again.output()):
        assert PASSWORD not in output


@pytest.mark.parametrize("change, says", [
    pytest.param({"ca": None}, "certificate", id="of an unknown CA"),
    pytest.param({"ca": "/nowhere.pem"}, "CA file /nowhere.pem cannot be read",
                 id="no CA file"),
    pytest.param({"cert": "/nowhere.pem"},
                 "certificate file /nowhere.pem cannot be read",
                 id="no certificate file"),
    pytest.param({"key": "other"}, "is not that of the certificate",
                 id="another key"),
    # The server's reason gets lost where it ends the connection with our
    # login unread.
    pytest.param({"cert": None, "key": None},
                 "certificate required|reset by peer",
                 id="without a certificate"),
    pytest.param({"cert": "stranger", "key": "stranger"},
                 "unknown ca|reset by peer", id="a certificate of another CA"),
])
def test_what_is_not_trusted_is_told(
        certs, ours, tls_redis, tmp_path, change, says):
    server = tls_redis("IP:127.0.0.1")
    files = dict(word.split("=") for word in ours[1:].split("&"))
    _, other = certs.sign("other", "DNS:other")
    stranger = Certificates(tmp_path / "stranger").sign("x", "DNS:x")
    for name, file in change.items():
        files[name] = {"other": other, "stranger": stranger[
            name == "key"]}.get(file, file)
    query = "&".join(f"{name}={file}" for name, file in files.items() if file)
    status, said = ask(tmp_path, "rediss://:geheim@127.0.0.1:"
                       f"{server.options['tls-port']}?{query}")
    assert status != 0 and re.search(says, said), said
    assert "geheim" not in said


def test_the_certificate_must_name_the_host(certs, ours, tls_redis, tmp_path):
    server = tls_redis("DNS:localhost,IP:127.0.0.2")
    port = server.options["tls-port"]
    status, said = ask(tmp_path, f"rediss://127.0.0.1:{port}{ours}")
    assert status != 0 and "mismatch" in said, said
    # It is Kafka that is missed where the name is right.
    status, said = ask(tmp_path, f"rediss://localhost:{port}{ours}")
    assert "TLS" not in said and "127.0.0.1:1" in said, said


def test_a_server_without_tls_is_told(certs, ours, tls_redis, tmp_path):
    server = tls_redis("IP:127.0.0.1")
    status, said = ask(tmp_path, f"rediss://127.0.0.1:{server.port}{ours}",
                       connect_timeout="2s")
    assert status != 0 and "TLS" in said, said
