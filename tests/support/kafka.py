"""A real Kafka broker for tests: started, stopped, killed and restarted.

The jars come from tests/kafka/fetch. The broker keeps its port and its logs
over a restart, so clients find it again as they would in production.
"""

import os
import pathlib
import shutil
import time

from confluent_kafka import (Consumer, KafkaError, KafkaException, Producer,
                             TopicPartition, OFFSET_BEGINNING)
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic

from support.process import DEADLINE, Process, free_port, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIBS = pathlib.Path(os.environ.get("KAFKA_LIBS", ROOT / "build/kafka/libs"))

NOT_TESTED = ("not tested on a real Kafka broker: exactly-once delivery, "
              "rebalances, take-over, output topics (run `make kafka`)")


def why_absent():
    """None when a broker can be started, else the reason."""
    if shutil.which("java") is None:
        return "java is missing"
    if not (LIBS / ".fetched").exists():
        return f"no broker in {LIBS}"
    return None


SOON = (KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS, KafkaError._TIMED_OUT,
        KafkaError._TRANSPORT)


class Broker:
    """One broker, controller included, in `directory`. `extra` are more lines
    of its properties, `env` more of its environment, `host` is the address
    where clients find it."""

    replication = 1

    def __init__(self, directory, extra=(), env=None, host="127.0.0.1"):
        self.host = host
        self.extra = list(extra)
        self.env = env or {}
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.controller_port = free_port()
        self.process = None
        self._admin = None

    @property
    def bootstrap(self):
        return f"{self.host}:{self.port}"

    # --- life ---------------------------------------------------------------

    def launch(self):
        self.process = Process(
            [ROOT / "tests/kafka/broker", self.directory, self.port,
             self.controller_port],
            self.directory / "broker.log",
            env={**os.environ, "KAFKA_LIBS": str(LIBS),
                 "KAFKA_HOST": self.host, **self.env,
                 "KAFKA_EXTRA": "\n".join(self.extra)})

    def start(self, timeout=2 * DEADLINE):
        self.launch()
        self.process.wait_for_output("Kafka Server started", timeout)
        wait_until(self._answers, "the broker answers", timeout)

    def _answers(self, nbrokers=1):
        try:
            brokers = self.admin.list_topics(timeout=2).brokers
            return len(brokers) == nbrokers
        except Exception:  # the client raises its own and SystemError
            return False

    def stop(self):
        self.process.stop()

    def kill9(self):
        self.process.kill9()

    def restart(self):
        """After stop() or kill9(): same port, same logs."""
        self.start()

    def log_tail(self):
        return self.process.tail() if self.process else ""

    # --- topics -------------------------------------------------------------

    @property
    def admin(self):
        if self._admin is None:
            self._admin = AdminClient({
                "bootstrap.servers": self.bootstrap,
                "log_level": 2,
                "socket.timeout.ms": 60000,
            })
        return self._admin

    def create_topics(self, topics, config=None):
        """topics: {name: partitions}. Returns when they can be written."""
        futures = self.admin.create_topics(
            [NewTopic(name, partitions, self.replication, config=config or {})
             for name, partitions in topics.items()])
        for future in futures.values():
            future.result(DEADLINE)
        for name, partitions in topics.items():
            wait_until(lambda: self.partitions(name) == partitions,
                       f"topic {name} is there")

    def delete_topics(self, names):
        for future in self.admin.delete_topics(list(names)).values():
            future.result(DEADLINE)

    def partitions(self, topic):
        """Number of partitions with a leader; 0 when there is no topic."""
        meta = self.admin.list_topics(topic, timeout=60).topics[topic]
        return sum(p.leader >= 0 for p in meta.partitions.values())

    def topic_config(self, topic):
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
        future = self.admin.describe_configs([resource])[resource]
        return {name: entry.value for name, entry in future.result(DEADLINE).items()}

    def expire(self, topic):
        """Let retention take every record that is there."""
        def alter(config):
            resource = ConfigResource(
                ConfigResource.Type.TOPIC, topic, set_config=config)
            self.admin.alter_configs([resource])[resource].result(30)

        alter({"retention.ms": "1"})
        wait_until(lambda: self.begin_offsets(topic)
                   == self.end_offsets(topic), "all has expired")
        alter({})

    # --- records ------------------------------------------------------------

    def produce(self, topic, records, **properties):
        """Write and wait for every acknowledgement.

        records: dicts with key, value and maybe partition, headers, timestamp.
        Without a partition the key decides, as Java clients do.
        """
        failures = []

        def delivered(error, _):
            if error is not None:
                failures.append(error)

        producer = Producer({
            "bootstrap.servers": self.bootstrap,
            "partitioner": "murmur2_random",
            "enable.idempotence": True,
            "linger.ms": 5,
            **properties,
        })
        for record in records:
            while True:
                try:
                    producer.produce(topic, on_delivery=delivered, **record)
                    break
                except BufferError:
                    producer.poll(0.1)
            producer.poll(0)
        left = producer.flush(DEADLINE)
        assert left == 0 and not failures, (left, failures[:3])

    def begin_offsets(self, topic):
        """{partition: offset of the first}."""
        return self._offsets(topic, 0)

    def end_offsets(self, topic):
        """{partition: offset after the last}, uncommitted records included."""
        return self._offsets(topic, 1)

    def _offsets(self, topic, end):
        consumer = self._consumer("read_uncommitted")

        def offset(partition):
            # A broker that has just come back is no leader for a moment.
            try:
                return (consumer.get_watermark_offsets(
                    TopicPartition(topic, partition), timeout=60)[end],)
            except KafkaException:
                return None

        try:
            return {p: wait_until(lambda: offset(p),
                                  f"offsets of {topic} [{p}]")[0]
                    for p in range(self.partitions(topic))}
        finally:
            consumer.close()

    def read(self, topic, isolation="read_committed", timeout=DEADLINE):
        """Every record of the topic up to its present end, by partition and
        offset. An open transaction hides what is behind its first record, and
        so does for a moment one whose commit was acknowledged: its end is
        waited for."""
        ends = self.end_offsets(topic)
        consumer = self._consumer(isolation)
        records = []
        error = None
        deadline = time.monotonic() + timeout
        try:
            consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING)
                             for p in ends])
            while ends:
                assert time.monotonic() < deadline, (
                    f"{topic} was not read up to {ends}: {error}")
                message = consumer.poll(1.0)
                if message is None:
                    continue
                at = message.offset()  # of an end: where it is
                if message.error() is None:
                    records.append(message)
                    at += 1
                elif message.error().code() != KafkaError._PARTITION_EOF:
                    error = message.error()  # as while a leader moves
                    continue
                if at >= ends.get(message.partition(), at):
                    ends.pop(message.partition(), None)
        finally:
            consumer.close()
        return sorted(records, key=lambda m: (m.partition(), m.offset()))

    def committed(self, group, topic):
        """{partition: (offset, metadata)} of a consumer group."""
        consumer = self._consumer("read_committed", group)
        try:
            parts = [TopicPartition(topic, p)
                     for p in range(self.partitions(topic))]
            deadline = time.monotonic() + DEADLINE
            while True:
                try:
                    found = consumer.committed(parts, timeout=60)
                    return {p.partition: p.offset for p in found}
                except KafkaException as failed:
                    # A group that is new has no coordinator yet.
                    if (failed.args[0].code() not in SOON
                            or time.monotonic() > deadline):
                        raise
                    time.sleep(0.1)
        finally:
            consumer.close()

    def _consumer(self, isolation, group="tests-that-only-look"):
        return Consumer({
            "bootstrap.servers": self.bootstrap,
            "group.id": group,
            "isolation.level": isolation,
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "error",
            "check.crcs": True,
        })


class Cluster(Broker):
    """Three brokers, each a controller too: what one of them leads moves to
    the others when it goes. Everything is kept three times."""

    replication = 3

    def __init__(self, directory, size=3, **options):
        super().__init__(directory)
        self.nodes = [Broker(self.directory / str(n), **options)
                      for n in range(1, size + 1)]
        voters = ",".join(f"{n}@127.0.0.1:{node.controller_port}"
                          for n, node in enumerate(self.nodes, 1))
        for n, node in enumerate(self.nodes, 1):
            node.env = {"KAFKA_JVM": "-Xms64m -Xmx256m -XX:+UseSerialGC "
                                     "-XX:TieredStopAtLevel=1"}
            node.extra = [
                f"node.id={n}",
                f"controller.quorum.voters={voters}",
                "default.replication.factor=3",
                "min.insync.replicas=2",
                "offsets.topic.replication.factor=3",
                "transaction.state.log.replication.factor=3",
                "transaction.state.log.min.isr=2",
            ]

    @property
    def bootstrap(self):
        return ",".join(node.bootstrap for node in self.nodes)

    def start(self, timeout=2 * DEADLINE):
        for node in self.nodes:
            node.launch()
        for node in self.nodes:
            node.process.wait_for_output("Kafka Server started", timeout)
        wait_until(lambda: self._answers(len(self.nodes)),
                   "all brokers answer", timeout)

    def restart_node(self, node, topic, timeout=2 * DEADLINE):
        """Start one that was ended; returns when it follows again."""
        node.launch()
        node.process.wait_for_output("Kafka Server started", timeout)
        wait_until(lambda: self.in_sync(topic) == len(self.nodes),
                   "all replicas are in sync", timeout)

    def coordinator(self, group):
        """The node that coordinates the group."""
        return self.nodes[
            self.admin.list_groups(group, timeout=30)[0].broker.id - 1]

    def transaction_coordinator(self, transactional_id):
        """The node that decides the transactions of this id."""
        topic = "__transaction_state"
        found = self.admin.list_topics(topic, timeout=30).topics[topic]
        number = 0  # as String.hashCode() of Java
        for byte in transactional_id.encode():
            number = (31 * number + byte) & 0xffffffff
        partition = (number & 0x7fffffff) % len(found.partitions)
        return self.nodes[found.partitions[partition].leader - 1]

    def in_sync(self, topic):
        """Replicas that every partition of the topic has in sync."""
        try:
            meta = self.admin.list_topics(topic, timeout=5).topics[topic]
            return min((len(p.isrs) for p in meta.partitions.values()),
                       default=0)
        except Exception:  # the client raises its own and SystemError
            return 0

    def stop(self):
        self.kill9()

    def kill9(self):
        for node in self.nodes:
            if node.process is not None:
                node.process.kill9()
