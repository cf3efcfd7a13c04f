"""SASL and TLS by hand-through: properties of librdkafka in the configuration,
passwords from files."""

import base64
import json
import struct
import subprocess

import pytest
from confluent_kafka import libversion
from support import kafka as kafka_support
from support import registry as registry_support
from support.company import ACCOUNT, Company
from support.process import free_port, wait_until
from support.redis import RedisServer
from support.segmentd import command

# Before, librdkafka appended its nonce twice, which Kafka 4 refuses.
HAS_SCRAM = libversion()[1] >= 0x020601ff
PASSWORDS = {"PLAIN": "geheim-plain-81", "SCRAM-SHA-512": "geheim-scram-82"}


@pytest.fixture(scope="module")
def secure(kafka_libs, tmp_path_factory):
    """A broker with a listener for SASL over TLS beside the plain one, which
    the test itself uses."""
    folder = tmp_path_factory.mktemp("secure")
    store, cert = folder / "broker.p12", folder / "ca.pem"
    keytool = ["keytool", "-keystore", str(store), "-storepass", "changeit",
               "-alias", "broker"]
    subprocess.run(
        [*keytool, "-genkeypair", "-keyalg", "RSA", "-keysize", "2048",
         "-storetype", "PKCS12", "-validity", "3650", "-dname", "CN=localhost",
         "-ext", "san=ip:127.0.0.1,dns:localhost"],
        check=True, capture_output=True)
    subprocess.run([*keytool, "-exportcert", "-rfc", "-file", str(cert)],
                   check=True, capture_output=True)
    port = free_port()
    broker = kafka_support.Broker(folder / "kafka", env={
        "KAFKA_FORMAT": "--add-scram SCRAM-SHA-512=[name=sue,password="
                        f"{PASSWORDS['SCRAM-SHA-512']}]"})
    plain, control = broker.port, broker.controller_port
    jaas = "org.apache.kafka.common.security"
    broker.extra = [
        f"listeners=PLAINTEXT://127.0.0.1:{plain},SAFE://127.0.0.1:{port},"
        f"CONTROLLER://127.0.0.1:{control}",
        f"advertised.listeners=PLAINTEXT://127.0.0.1:{plain},"
        f"SAFE://127.0.0.1:{port}",
        "listener.security.protocol.map="
        "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SAFE:SASL_SSL",
        "listener.name.safe.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512",
        f"listener.name.safe.plain.sasl.jaas.config={jaas}.plain."
        "PlainLoginModule required user_ann="
        f"\"{PASSWORDS['PLAIN']}\";",
        f"listener.name.safe.scram-sha-512.sasl.jaas.config={jaas}.scram."
        "ScramLoginModule required;",
        f"listener.name.safe.ssl.keystore.location={store}",
        "listener.name.safe.ssl.keystore.type=PKCS12",
        "listener.name.safe.ssl.keystore.password=changeit",
        "listener.name.safe.ssl.key.password=changeit",
    ]
    broker.safe_bootstrap = f"127.0.0.1:{port}"
    broker.ca = cert
    broker.start()
    yield broker
    broker.kill9()


def test_sasl_over_tls_with_passwords_from_files(
        secure, redis, segmentd, tmp_path, unique):
    company = Company(secure, redis, tmp_path / "schemas", unique).create()
    password = tmp_path / "password"
    company.config["kafka"].update({
        "bootstrap.servers": secure.safe_bootstrap,
        "security.protocol": "SASL_SSL",
        "ssl.ca.location": str(secure.ca),
        "sasl.password": f"${{file:{password}}}"})
    client = redis.client()
    users = [("PLAIN", "ann")]
    if HAS_SCRAM:
        users.append(("SCRAM-SHA-512", "sue"))
    for turn, (mechanism, user) in enumerate(users):
        password.write_text(PASSWORDS[mechanism] + "\n", "utf-8")
        company.config["kafka"].update({
            "sasl.mechanism": mechanism, "sasl.username": user})
        daemon = segmentd(company.config, name=mechanism)
        daemon.start()
        company.send_accounts(*[company.account_record(
            f"a{i}", (30000.0, 200000.0)[turn]) for i in range(20)])
        segment = ("mid", "high")[turn]
        wait_until(lambda: client.scard(
            f"{unique}:seg:touch:{segment}") == 20, "all are in")
        daemon.stop()
        assert PASSWORDS[mechanism] not in daemon.output()
    versions = sorted(c["account_version"] for c in company.changes())
    assert versions == [n for n in range(1, len(users) + 1)
                        for _ in range(20)]


def test_a_wrong_password_is_told_and_waited_for(
        secure, redis, segmentd, tmp_path, unique):
    company = Company(secure, redis, tmp_path / "schemas", unique).create()
    password = tmp_path / "password"
    password.write_text("falsch-83", "utf-8")
    company.config["kafka"].update({
        "bootstrap.servers": secure.safe_bootstrap,
        "security.protocol": "SASL_SSL",
        "ssl.ca.location": str(secure.ca),
        "sasl.mechanism": "PLAIN", "sasl.username": "ann",
        "sasl.password": f"${{file:{password}}}"})
    daemon = segmentd(company.config)
    daemon.start(is_waiting=False)
    daemon.wait_for(lambda: "event=kafka_down" in daemon.output()
                    and "uthentication" in daemon.output(),
                    "the log says why")
    assert daemon.get("/readyz")[0] == 503
    daemon.stop()
    assert "falsch-83" not in daemon.output()
    # A certificate that nobody has signed is not taken.
    company.config["kafka"].update({
        "sasl.password": PASSWORDS["PLAIN"],
        "ssl.ca.location": "/etc/ssl/certs/ca-certificates.crt"})
    daemon = segmentd(company.config, name="untrusted")
    daemon.start(is_waiting=False)
    daemon.wait_for(lambda: "event=kafka_down" in daemon.output()
                    and "certificate" in daemon.output(),
                    "the log says why")
    daemon.stop()


SECRETS = {"redis": "geheim-redis-84", "registry": "geheim-registry-85",
           "kafka": PASSWORDS["PLAIN"]}


def test_no_password_is_told_even_at_debug_level(
        secure, segmentd, tmp_path, unique):
    """Right and wrong ones, from files and in URLs; logs, answers of HTTP,
    and what the other verbs say."""
    server = RedisServer(tmp_path / "redis", requirepass=SECRETS["redis"])
    server.start()
    registry = registry_support.ToldRegistry(
        user=f"ann:{SECRETS['registry']}")
    registry.schemas["/schemas/ids/41"] = {"schema": json.dumps(ACCOUNT)}
    company = Company(secure, server, tmp_path / "schemas", unique).create()
    for name, text in SECRETS.items():
        (tmp_path / f"{name}.secret").write_text(text + "\n", "utf-8")
    company.config["log"] = {"level": "debug"}
    company.config["topics"]["framing"] = "single_object"
    company.config["kafka"].update({
        "bootstrap.servers": secure.safe_bootstrap,
        "debug": "conf,security,broker,protocol",
        "security.protocol": "SASL_SSL", "ssl.ca.location": str(secure.ca),
        "sasl.mechanism": "PLAIN", "sasl.username": "ann",
        "sasl.password": f"${{file:{tmp_path}/kafka.secret}}"})
    company.config["redis"]["password"] = f"${{file:{tmp_path}/redis.secret}}"
    company.config["registry"] = {
        "url": registry.url, "user": "ann",
        "password": f"${{file:{tmp_path}/registry.secret}}",
        "cache": str(tmp_path / "cache")}
    daemon = segmentd(company.config)
    heard = []

    def send(arr):
        company.send_accounts({
            "key": b"acme",
            "value": struct.pack(">bI", 0, 41)
            + company.account_record("acme", arr)["value"][5:]})

    def run(segment, arr):
        daemon.start(timeout=180)
        send(arr)
        client = server.client()
        daemon.wait_for(lambda: client.scard(
            f"{unique}:seg:touch:{segment}") == 1, "it is in", 90)
        heard.extend(daemon.get(path)[1] for path in
                     ("/metrics", "/readyz", "/livez", "/"))
        daemon.stop()
        heard.append(daemon.output())

    def hear(*verb):
        done = command(*verb, "-c", daemon.path, timeout=120)
        heard.append(done.stdout + done.stderr)

    try:
        run("mid", 30000.0)
        # In the URLs, where they have to be cut out.
        host = registry.url.removeprefix("http://")
        del company.config["redis"]["password"]
        company.config["redis"]["url"] = (
            f"redis://:{SECRETS['redis']}@127.0.0.1:{server.port}/0")
        daemon.config["registry"] = {
            "url": f"http://ann:{SECRETS['registry']}@{host}"}
        run("high", 200000.0)
        for verb in ("check", "verify", "plan", "explain"):
            hear(verb, *(["acme"] if verb == "explain" else []))
        # Refused by the registry, then by Redis.
        registry.user = "ann:another"
        daemon.start(is_waiting=False)
        send(1.0)
        daemon.wait_for(lambda: "HTTP status 401" in daemon.output(),
                        "the registry has refused it", 180)
        daemon.stop()
        heard.append(daemon.output())
        server.client().config_set("requirepass", "another")
        hear("run")
        hear("verify")
    finally:
        server.kill9()
        registry.stop()
    said = "\n".join(heard)
    for part in ("SASL", "WRONGPASS", "sasl.password"):
        assert part in said, f"{part} was to come up:\n{said[-3000:]}"
    for name, text in SECRETS.items():
        assert text not in said, name
        assert base64.b64encode(f"ann:{text}".encode()).decode() not in said
        assert base64.b64encode(f"\0ann\0{text}".encode()).decode() not in said
