# SPDX-License-Identifier: Apache-2.0
"""topic_policy: create makes what is missing on the target like the source, and only there; sync lets
it follow the source."""
import pytest
from confluent_kafka.admin import (AclBinding, AclBindingFilter, AclOperation, AclPermissionType, AlterConfigOpType,
                                   ConfigEntry, ConfigResource, NewPartitions, ResourcePatternType, ResourceType)

from support.citizenk import api_path
from support.kafka import KafkaBroker
from support.ports import find_free
from support.procs import wait_until
from support.servers import unique_name

from .copying import read, send, spec


def described(servers, broker, topic):
    """(partitions, {config set on the topic: value}), None when there is no such topic."""
    admin = servers.admin(broker)
    found = admin.list_topics(timeout=10).topics.get(topic)
    if found is None or found.error:
        return None
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
    configs = admin.describe_configs([resource])[resource].result(10)
    own = {name: c.value for name, c in configs.items() if c.source == 1}     # DYNAMIC_TOPIC_CONFIG
    return len(found.partitions), own


def topics_condition(stack, name, kind="TopicsExist"):
    conditions = stack.rest.get(api_path("teams", "default", "mappings", name, "status"))["conditions"]
    return next(c for c in conditions if c["type"] == kind)


def configure(servers, broker, topic, **configs):
    """Sets what is given on @topic; None takes it away. _ stands for the dots."""
    entries = [ConfigEntry(key.replace("_", "."), value or "", incremental_operation=(
        AlterConfigOpType.SET if value else AlterConfigOpType.DELETE)) for key, value in configs.items()]
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=entries)
    for done in servers.admin(broker).incremental_alter_configs([resource]).values():
        done.result(10)


def test_missing_topics_are_created_like_the_source(stack, servers, topics):
    source = topics("policy", partitions=5, on=[servers.source],
                    config={"cleanup.policy": "compact", "max.message.bytes": "1500000",
                            "min.insync.replicas": "1", "message.timestamp.type": "LogAppendTime"})
    name, target, dead = unique_name("create"), source + "-out", source + "-dead"
    send(servers.source, source, [{"key": f"k{i}", "value": str(i), "partition": i % 5} for i in range(50)])
    stack.put_mapping(name, spec(source, target, topic_policy="create", on_error={"dead_letter": dead}))
    found = read(servers.target, target, 50)
    assert sorted((r.partition, r.key) for r in found) == sorted((i % 5, b"k%d" % i) for i in range(50))
    # What belongs to the cluster rather than to the data stays the target's own.
    assert described(servers, servers.target, target) == (
        5, {"cleanup.policy": "compact", "max.message.bytes": "1500000"})
    wait_until(lambda: described(servers, servers.target, dead), 15, "the dead letter topic")
    assert described(servers, servers.target, dead) == (1, {"retention.ms": "-1"})
    wait_until(lambda: topics_condition(stack, name)["status"] in (True, "True"), 15, "TopicsExist")


def test_require_and_disabled_create_nothing(stack, servers, topics):
    source = topics("policy", partitions=2, on=[servers.source])
    required, off, made = (f"{source}-{what}" for what in ("required", "off", "made"))
    needs = unique_name("require")
    servers.create_topic(servers.target, required, 2)     # or the mapping would not be saved
    stack.put_mapping(needs, spec(source, required))
    servers.delete_topic(servers.target, required)
    stack.put_mapping(unique_name("off"), spec(source, off, topic_policy="create", enabled=False), wait=False)
    wait_until(lambda: topics_condition(stack, needs)["reason"] == "TopicMissing", 15, "TopicMissing")
    # A later mapping is served, so the leader has been there.
    stack.put_mapping(unique_name("create"), spec(source, made, topic_policy="create"))
    assert described(servers, servers.target, made) == (2, {})
    assert described(servers, servers.target, required) is None
    assert described(servers, servers.target, off) is None


def test_a_refusal_is_told_and_stops_nobody(stack, servers, topics):
    source = topics("policy", partitions=1, on=[servers.source])
    # A broker refuses a name that differs from another one only by . and _
    taken, refused = source + "_x", source + ".x"
    servers.create_topic(servers.target, taken, 1)
    name = unique_name("refused")
    stack.put_mapping(name, spec(source, refused, topic_policy="create"), wait=False)
    wait_until(lambda: topics_condition(stack, name)["reason"] == "TopicNotCreated", 15, "TopicNotCreated")
    assert "collides" in topics_condition(stack, name)["message"]
    stack.put_mapping(unique_name("create"), spec(source, source + "-fine", topic_policy="create"))
    assert described(servers, servers.target, refused) is None
    # The cause is gone: it goes on by itself.
    servers.delete_topic(servers.target, taken)
    stack.wait_state(name, "RUNNING")
    assert described(servers, servers.target, refused) == (1, {})


def test_a_synced_topic_follows_its_source(stack, servers, topics):
    source = topics("sync", partitions=2, on=[servers.source], config={"retention.ms": "3600000"})
    name, target = unique_name("sync"), source + "-out"
    servers.create_topic(servers.target, target, 1, {"max.message.bytes": "900000", "min.insync.replicas": "1"})
    stack.put_mapping(name, spec(source, target, topic_policy="sync"))
    own = {"retention.ms": "3600000", "min.insync.replicas": "1"}    # the last one is the cluster's matter
    wait_until(lambda: described(servers, servers.target, target) == (2, own), 20, "the topic to follow")
    wait_until(lambda: topics_condition(stack, name, "TopicsSynced")["reason"] == "InSync", 15, "InSync")
    configure(servers, servers.source, source, retention_ms=None, cleanup_policy="compact")
    for done in servers.admin(servers.source).create_partitions([NewPartitions(source, 5)]).values():
        done.result(10)
    own = {"cleanup.policy": "compact", "min.insync.replicas": "1"}
    wait_until(lambda: described(servers, servers.target, target) == (5, own), 25, "the topic to follow")
    send(servers.source, source, [{"key": b"%d" % p, "value": b"x", "partition": p} for p in range(5)])
    assert [r.partition for r in read(servers.target, target, 5)] == [0, 1, 2, 3, 4]
    # What cannot be done is told.
    for done in servers.admin(servers.target).create_partitions([NewPartitions(target, 6)]).values():
        done.result(10)
    wait_until(lambda: topics_condition(stack, name, "TopicsSynced")["reason"] == "MorePartitions", 15,
               "MorePartitions")
    assert "6 partitions" in topics_condition(stack, name, "TopicsSynced")["message"]
    stack.wait_state(name, "RUNNING")


@pytest.fixture
def guarded(servers, run_folder):
    """A broker with an authorizer, that lets us do all."""
    broker = KafkaBroker(run_folder / unique_name("guarded"), *find_free(2), name="kafka-guarded", die_with_parent=True,
                         properties={"authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                                     "super.users": "User:ANONYMOUS"})
    broker.start()
    try:
        servers.admin(broker).list_topics(timeout=60)
        yield broker
    finally:
        broker.stop()


READ, WRITE, ALL = AclOperation.READ, AclOperation.WRITE, AclOperation.ALL
ALLOW, DENY = AclPermissionType.ALLOW, AclPermissionType.DENY


def rule(name, principal, operation, permission=ALLOW, pattern=ResourcePatternType.LITERAL):
    return AclBinding(ResourceType.TOPIC, name, pattern, f"User:{principal}", "*", operation, permission)


def rules_of(admin, topic):
    found = admin.describe_acls(AclBindingFilter(
        ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, None, None, AclOperation.ANY, AclPermissionType.ANY))
    return {(one.principal, one.operation, one.permission_type) for one in found.result(10)}


def test_acls_follow_without_the_right_to_write(stack, servers, guarded):
    """As MirrorMaker 2: ALL becomes READ, WRITE stays behind. A cluster without an authorizer is told, and the
    mapping goes on."""
    admin = servers.admin(guarded)
    stack.rest.put_cluster("guarded", guarded.bootstrap)
    topic = unique_name("acls")
    servers.create_topic(guarded, topic, 1)
    for result in admin.create_acls([
            rule(topic, "reads", READ), rule(topic, "writes", WRITE), rule(topic, "all", ALL), rule(topic, "not", ALL, DENY),
            rule(topic[:-1], "prefix", AclOperation.DESCRIBE, pattern=ResourcePatternType.PREFIXED),
            rule("else", "other", READ)]).values():
        result.result(10)
    send(guarded, topic, [{"value": b"x"}])
    to_guarded = spec(topic, f"copy-{topic}", topic_policy="sync", topic_acls=True)
    to_guarded["source"]["cluster"] = to_guarded["target"]["cluster"] = "guarded"
    stack.put_mapping(topic, to_guarded)
    wanted = {("User:reads", READ, ALLOW), ("User:all", READ, ALLOW), ("User:not", READ, DENY),
              ("User:prefix", AclOperation.DESCRIBE, ALLOW)}
    wait_until(lambda: rules_of(admin, f"copy-{topic}") == wanted, 20, "the rules")
    wait_until(lambda: topics_condition(stack, topic, "TopicsSynced")["reason"] == "InSync", 15, "InSync")
    # Where there is no authorizer.
    plain = unique_name("plain")
    to_plain = spec(topic, topic, topic_policy="sync", topic_acls=True)
    to_plain["source"]["cluster"] = "guarded"
    stack.put_mapping(plain, to_plain)
    wait_until(lambda: topics_condition(stack, plain, "TopicsSynced")["reason"] == "NotSynced", 20, "NotSynced")
    assert "ACLs of the target" in topics_condition(stack, plain, "TopicsSynced")["message"]
    assert len(read(servers.target, topic, 1)) == 1
