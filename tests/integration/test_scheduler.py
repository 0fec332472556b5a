# SPDX-License-Identifier: Apache-2.0
"""The scheduler on a real broker and a real PostgreSQL: one leader at a time, takeover after kill -9
and SIGSTOP, the outbox in order and once, a deleted config topic, workers and partitions.

The workers are played by the test: it writes their heartbeats, so that it alone says who lives."""
import json
import threading
import time

import confluent_kafka
import confluent_kafka.admin
import pytest

from support.citizenk import api_path
from support.procs import wait_until

TAKEOVER_SECONDS = 5.0


class ConfigTopic:
    """Reads a config topic from its beginning, committed records only."""

    def __init__(self, stack):
        self.name = f"{stack.group_id}.config"
        self.bootstrap = stack.servers.target.bootstrap

    def records(self):
        """[(key, value or None)] in the order of the topic."""
        consumer = confluent_kafka.Consumer({
            "bootstrap.servers": self.bootstrap, "group.id": "unused", "enable.auto.commit": False,
            "isolation.level": "read_committed", "enable.partition.eof": True,
            "auto.offset.reset": "earliest"})
        found = []
        try:
            consumer.assign([confluent_kafka.TopicPartition(self.name, 0, 0)])
            until = time.monotonic() + 20
            while time.monotonic() < until:
                message = consumer.poll(0.2)
                if message is None:
                    continue
                if message.error():
                    if message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF:
                        return found
                    if message.error().code() == confluent_kafka.KafkaError.UNKNOWN_TOPIC_OR_PART:
                        return []
                    continue
                value = message.value()
                found.append((message.key().decode(), json.loads(value) if value else None))
        finally:
            consumer.close()
        raise AssertionError(f"no end of {self.name}")

    def content(self):
        return {key: value for key, value in dict(self.records()).items() if value is not None}

    def epoch(self):
        return max((int(value.get("epoch", 0)) for _, value in self.records() if value), default=0)


class PlayedWorkers:
    """Heartbeats of workers that do not exist."""

    def __init__(self, stack, lease_ms=2000):
        self.topic = f"{stack.group_id}.status"
        self.producer = confluent_kafka.Producer({
            "bootstrap.servers": stack.servers.target.bootstrap, "linger.ms": 1})
        self.lease_ms = lease_ms
        self.alive = set()
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._beat, daemon=True)
        self.thread.start()

    def _beat(self):
        while not self.stopped.wait(0.4):
            for name in list(self.alive):
                self._send(name)

    def _send(self, name):
        now = int(time.time() * 1000)
        self.producer.produce(self.topic, key=f"worker/{name}", value=json.dumps({
            "v": 1, "id": name, "incarnation": f"{name}-1", "host": "test", "version": "0",
            "started_ms": now, "rest": "", "capacity": 0, "lease_ms": self.lease_ms,
            "applied": "0", "epoch": "0", "tasks": 0, "at_ms": now}))
        self.producer.flush(5)

    def join(self, *names):
        for name in names:
            self.alive.add(name)
            self._send(name)

    def vanish(self, name):
        self.alive.discard(name)

    def leave(self, name):
        self.alive.discard(name)
        self.producer.produce(self.topic, key=f"worker/{name}", value=None)
        self.producer.flush(5)

    def close(self):
        self.stopped.set()
        self.thread.join()


@pytest.fixture
def play():
    made = []

    def start(stack, **kwargs):
        made.append(PlayedWorkers(stack, **kwargs))
        return made[-1]

    yield start
    for one in made:
        one.close()


def leader_of(stack):
    """The control plane that leads, by its own metrics; None while nobody does."""
    for program in stack.controlplanes:
        if not program.alive():
            continue
        try:
            if "\ncitizenk_leader 1" in stack.client(program).call("GET", "/metrics").text:
                return program
        except OSError:
            continue
    return None


def wait_leader(stack, other_than=None):
    found = []

    def there():
        leader = leader_of(stack)
        if leader and leader is not other_than:
            found.append(leader)
            return True
        return False
    wait_until(there, 20, "a leader")
    return found[-1]


def spec_of(topic, **more):
    return {"source": {"cluster": "source", "topic": topic},
            "target": {"cluster": "target", "topic": topic}, **more}


def uid_of(stack, name):
    return stack.rest.get(api_path("teams", "default", "mappings", name))["uid"]


def workers_of(assignment):
    return sorted({task["worker"] for task in assignment["tasks"]})


def takeover(stack, stop):
    """Seconds from @stop(leader) until another leader's first record is on the config topic."""
    config = ConfigTopic(stack)
    old = wait_leader(stack)
    epoch = config.epoch()
    began = time.monotonic()
    stop(old)
    wait_until(lambda: config.epoch() > epoch, 20, "a record of a new leader")
    return old, time.monotonic() - began


@pytest.mark.alone
def test_kill9_of_the_leader(make_stack, topics):
    topic = topics("orders")
    stack = make_stack(controlplanes=2, workers=0)
    stack.put_mapping("m", spec_of(topic), wait=False, group="g")
    old, seconds = takeover(stack, lambda leader: leader.process.kill9())
    assert seconds < TAKEOVER_SECONDS
    stack.put_mapping("n", spec_of(topic, consumer_group="n"), wait=False, group="g")
    config = ConfigTopic(stack)
    key = f"mapping/{uid_of(stack, 'n')}"
    wait_until(lambda: key in config.content(), 3, "the change on the topic")
    assert wait_leader(stack) is not old


@pytest.mark.alone
def test_stopped_leader_is_replaced_and_stays_out(make_stack, topics):
    topic = topics("orders")
    stack = make_stack(controlplanes=2, workers=0)
    stack.put_mapping("m", spec_of(topic), wait=False, group="g")
    config = ConfigTopic(stack)
    old, seconds = takeover(stack, lambda leader: leader.process.suspend())
    assert seconds < TAKEOVER_SECONDS
    stopped_epoch = config.epoch() - 1
    old.process.resume()
    new = wait_leader(stack, other_than=old)
    client = stack.client(new)
    for i in range(10):
        client.put_mapping(f"n{i}", spec_of(topic, consumer_group=f"n{i}"), group="g")
        time.sleep(0.1)
    keys = {f"mapping/{uid_of(stack, f'n{i}')}" for i in range(10)}
    wait_until(lambda: keys <= set(config.content()), 5, "all changes on the topic")
    epochs = [int(value["epoch"]) for _, value in config.records() if value]
    assert epochs == sorted(epochs), "a record of the old leader after one of the new"
    assert max(epochs) > stopped_epoch


def test_deleted_config_topic_heals(make_stack, topics, play):
    topic = topics("orders")
    stack = make_stack(controlplanes=2, workers=0)
    played = play(stack)
    played.join("w1")
    for i in range(20):
        stack.put_mapping(f"m{i}", spec_of(topic, consumer_group=f"g{i}"), wait=False, group="g")
    config = ConfigTopic(stack)
    wait_until(lambda: sum(key.startswith("assignment/") for key in config.content()) == 20, 15,
               "20 assignments")
    before = config.content()
    time.sleep(3)
    stack.servers.delete_topic(stack.servers.target, config.name)
    began = time.monotonic()

    def healed():
        now = config.content()
        return now.keys() == before.keys()
    wait_until(healed, 15, "the topic to heal")
    print(f"healed after {time.monotonic() - began:.1f} s")
    records = config.records()
    assert records[len(before) - 1][0] == "settings", "the snapshot's end comes last"
    after = config.content()
    for key, value in before.items():
        if key != "settings":
            assert drop_stamps(after[key]) == drop_stamps(value), key


def drop_stamps(value):
    return {key: item for key, item in value.items() if key not in ("v", "revision", "epoch")}


def test_outbox_in_order_and_once_while_leaders_die(make_stack, topics):
    topic = topics("orders")
    stack = make_stack(controlplanes=3, workers=0)
    names = [f"m{i}" for i in range(5)]
    for i, name in enumerate(names):
        stack.put_mapping(name, spec_of(topic, consumer_group=f"g{i}"), wait=False, group="g")
    for step in range(120):
        if step in (40, 80):
            wait_leader(stack).process.kill9()
        alive = [program for program in stack.controlplanes if program.alive()]
        client = stack.client(alive[step % len(alive)])
        client.put_mapping(names[step % 5], spec_of(topic, consumer_group=f"g{step % 5}",
                                                    producer={"linger_ms": step + 1}), group="g")
    config = ConfigTopic(stack)
    final = {uid_of(stack, name): stack.rest.get(api_path("teams", "default", "mappings", name))
             for name in names}

    def caught_up():
        now = config.content()
        return all(now.get(f"mapping/{uid}", {}).get("spec", {}).get("producer", {}).get("linger_ms")
                   == item["spec"]["producer"]["linger_ms"] for uid, item in final.items())
    wait_until(caught_up, 15, "the last change of every mapping")
    seen, highest = {}, {}
    for key, value in config.records():
        if not key.startswith("mapping/"):
            continue
        revision = int(value["revision"])
        assert seen.setdefault((key, revision), drop_stamps(value)) == drop_stamps(value)
        assert revision >= highest.get(key, 0), "an older revision after a newer one"
        highest[key] = revision


def test_workers_and_new_partitions(make_stack, topics, play):
    topic = topics("orders", partitions=4)
    stack = make_stack(controlplanes=1, workers=0)
    played = play(stack)
    config = ConfigTopic(stack)
    played.join("w1", "w2")
    stack.put_mapping("m", spec_of(topic), wait=False, group="g")
    key = f"assignment/{uid_of(stack, 'm')}"
    wait_until(lambda: key in config.content() and workers_of(config.content()[key]) == ["w1", "w2"], 10,
               "both workers")
    first = config.content()[key]
    assert [len(task["partitions"]) for task in first["tasks"]] == [2, 2]

    began = time.monotonic()
    played.leave("w1")
    wait_until(lambda: workers_of(config.content()[key]) == ["w2"], 5, "w2 alone")
    assert time.monotonic() - began < 2
    second = config.content()[key]
    assert int(second["generation"]) > int(first["generation"])

    played.join("w1")
    # w2 is played: it does not report that it let go, so the leader waits its 12 s for that.
    wait_until(lambda: workers_of(config.content()[key]) == ["w1", "w2"], 20, "its share back")
    played.vanish("w2")     # no farewell: lease 2 s and grace 2 s
    time.sleep(2.5)
    assert workers_of(config.content()[key]) == ["w1", "w2"], "moved before its lease and grace were over"
    wait_until(lambda: workers_of(config.content()[key]) == ["w1"], 5, "w1 alone")

    admin = stack.servers.admin(stack.servers.source)
    admin.create_partitions([confluent_kafka.admin.NewPartitions(topic, 6)])[topic].result(10)
    wait_until(lambda: sum(len(task["partitions"]) for task in config.content()[key]["tasks"]) == 6, 6,
               "the new partitions")
    flags = {part["partition"]: part.get("from_start", False)
             for task in config.content()[key]["tasks"] for part in task["partitions"]}
    assert flags == {0: False, 1: False, 2: False, 3: False, 4: True, 5: True}

    stack.rest.delete(api_path("teams", "default", "mappings", "m"), {"If-Match": "*"})
    wait_until(lambda: key not in config.content(), 3, "the assignment's end")


def test_dead_cluster_delays_nobody(make_stack, topics, play):
    topic = topics("orders")
    stack = make_stack(controlplanes=1, workers=0)
    played = play(stack)
    played.join("w1")
    stack.rest.put_cluster("dead", "127.0.0.1:1")
    stack.put_mapping("dead", {"source": {"cluster": "dead", "topic": "x"},
                               "target": {"cluster": "target", "topic": topic}}, wait=False, group="g")
    began = time.monotonic()
    stack.put_mapping("m", spec_of(topic), wait=False, group="g")
    config = ConfigTopic(stack)
    key = f"assignment/{uid_of(stack, 'm')}"
    wait_until(lambda: key in config.content(), 5, "the assignment of the other mapping")
    assert time.monotonic() - began < 3
