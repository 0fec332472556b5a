# SPDX-License-Identifier: Apache-2.0
"""target_service_consumer_group: the group of the target's service is deleted when replication is
switched on, so that the service has no lag when it comes back."""
import confluent_kafka
from confluent_kafka import TopicPartition

from support.citizenk import api_path
from support.procs import wait_until
from support.servers import unique_name

from .copying import mapping_path, send, spec


def commit(servers, group, topic, offset=1):
    """The service has read up to @offset and is away."""
    consumer = confluent_kafka.Consumer({"bootstrap.servers": servers.target.bootstrap, "group.id": group})
    consumer.commit(offsets=[TopicPartition(topic, 0, offset)], asynchronous=False)
    consumer.close()


def groups(servers):
    listed = servers.admin(servers.target).list_consumer_groups(request_timeout=20).result()
    return {one.group_id for one in listed.valid}


def condition(stack, name):
    conditions = stack.rest.get(api_path("teams", "default", "mappings", name, "status"))["conditions"]
    return next((c for c in conditions if c["type"] == "ServiceGroupDeleted"), None)


def deleted(stack, servers, name, group):
    wait_until(lambda: (condition(stack, name) or {}).get("status") in (True, "True"), 15, "ServiceGroupDeleted")
    assert condition(stack, name)["reason"] == "Deleted"
    wait_until(lambda: group not in groups(servers), 10, f"{group} to be gone")


def test_deleted_at_each_switching_on_and_never_else(stack, servers, topics):
    topic = topics("svc", partitions=1)
    name, group, other = unique_name("svc"), unique_name("group"), unique_name("other")
    send(servers.target, topic, [{"value": b"x"}] * 3)
    commit(servers, other, topic)
    commit(servers, group, topic)
    stack.put_mapping(name, spec(topic, start="latest", target_service_consumer_group=group))
    deleted(stack, servers, name, group)
    # It came back and went away; no other change touches it, and neither does another leader.
    commit(servers, group, topic)
    stack.put_mapping(name, spec(topic, start="latest", target_service_consumer_group=group,
                                 valid_jmespath="`true`"))
    stack.rest.call("POST", mapping_path(name, "restart"))
    stack.rest.call("POST", mapping_path(name, "pause"))
    stack.rest.call("POST", mapping_path(name, "resume"))
    stack.wait_state(name, "RUNNING")
    assert group in groups(servers)
    first = stack.controlplanes[0]
    stack.add_controlplane()
    first.stop()
    wait_until(lambda: (condition(stack, name) or {}).get("reason") == "Deleted", 20, "the new leader to know")
    assert group in groups(servers)
    # A flat mapping's switch.
    stack.rest.call("POST", "/mappings/" + name + "/disable")
    stack.wait_state(name, "STOPPED")
    assert group in groups(servers) and condition(stack, name) is None
    stack.rest.call("POST", "/mappings/" + name + "/enable")
    deleted(stack, servers, name, group)
    assert other in groups(servers)


def test_a_group_with_members_is_deleted_when_they_are_gone(stack, servers, topics):
    topic = topics("svc", partitions=1)
    name, group = unique_name("svc"), unique_name("group")
    service = confluent_kafka.Consumer({
        "bootstrap.servers": servers.target.bootstrap, "group.id": group, "session.timeout.ms": 6000})
    service.subscribe([topic])
    wait_until(lambda: service.poll(0.1) or service.assignment(), 20, "the service to run")
    stack.put_mapping(name, spec(topic, target_service_consumer_group=group))
    wait_until(lambda: (condition(stack, name) or {}).get("reason") == "GroupHasMembers", 15, "GroupHasMembers")
    assert group in condition(stack, name)["message"]
    stack.wait_state(name, "RUNNING")      # replication does not wait for the service
    service.close()
    deleted(stack, servers, name, group)
