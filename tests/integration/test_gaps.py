# SPDX-License-Identifier: Apache-2.0
"""Sources that lose what was not copied: retention and DeleteRecords, topics deleted and created
again, offsets that are not there; and what `on_gap` makes of it."""
import json
import time

import confluent_kafka
import pytest

from .copying import group_offsets, mapping_path, read, send, spec, values, wait_totals, wait_until


def numbered(first, end, partition=0):
    return [{"value": b"%d" % n, "partition": partition} for n in range(first, end)]


def delete_records(servers, broker, topic, before, partition=0):
    one = confluent_kafka.TopicPartition(topic, partition, before)
    servers.admin(broker).delete_records([one])[one].result(20)


def create_again(servers, broker, topic, partitions=1):
    servers.delete_topic(broker, topic)

    def created():
        try:
            servers.create_topic(broker, topic, partitions)
        except confluent_kafka.KafkaException:      # the old one is still being deleted
            return False
        return True
    wait_until(created, 20, f"{topic} to be created again")


def wait_error(stack, name, text):
    def failed():
        tasks = stack.status(name)["tasks"]
        return tasks and tasks[0]["state"] == "FAILED" and text in tasks[0]["error"]["message"]
    stack._wait(failed, 30, f"{name!r} to fail with {text!r}", lambda: stack.status(name)["tasks"])


def gaps(stack, name):
    return [(g["kind"], g["action"], g["from"], g["to"], g["missing"]) for g in stack.status(name)["gaps"]]


def audited(servers, stack, name):
    out = servers.postgres.psql(
        "SELECT coalesce(json_agg(detail ORDER BY id), '[]') FROM audit_event "
        f"WHERE action = 'mapping.gap' AND detail->>'mapping' = '{name}'", stack.database)
    return json.loads(out)


def paused_behind(servers, stack, topic, **more):
    """A mapping that copied 0..9 and was paused, with 10..29 waiting."""
    send(servers.source, topic, numbered(0, 10))
    stack.put_mapping(topic, spec(topic, **more))
    read(servers.target, topic, 10)
    group = f"citizenk.default.{topic}"
    wait_until(lambda: group_offsets(servers, servers.source, group, topic) == {0: 10}, 10, "the commit")
    stack.rest.post(f"{mapping_path(topic, 'pause')}?wait=applied")
    stack.wait_state(topic, "PAUSED")
    send(servers.source, topic, numbered(10, 30))


def resume(stack, topic):
    stack.rest.post(f"{mapping_path(topic, 'resume')}?wait=applied")


def test_truncated_stops_and_then_skips(servers, stack, topics):
    topic = topics("truncated", partitions=1)
    paused_behind(servers, stack, topic)
    delete_records(servers, servers.source, topic, 15)
    resume(stack, topic)
    wait_error(stack, topic, "has lost 5 offsets before they were copied, from 10 on: its log begins at 15")
    assert gaps(stack, topic) == [("truncated", "stop", "10", "15", "5")]
    # A re-created topic would be another matter: this stays as it is.
    stack.put_mapping(topic, spec(topic, on_gap="restart"), wait=False)
    wait_error(stack, topic, "on_gap: restart")
    assert len(read(servers.target, topic, 10, settle=0.3)) == 10
    stack.put_mapping(topic, spec(topic, on_gap="skip"))
    found = values(read(servers.target, topic, 25, settle=0.3))
    assert found == [b"%d" % n for n in [*range(10), *range(15, 30)]]
    wait_totals(stack, topic, out=25, gap=5)
    assert gaps(stack, topic) == [("truncated", "skip", "10", "15", "5")]
    wait_until(lambda: len(audited(servers, stack, topic)) >= 3, 10, "audit events")
    assert [(one["topic"], one["action"], one["missing"]) for one in audited(servers, stack, topic)] == [
        (topic, "stop", "5"), (topic, "stop", "5"), (topic, "skip", "5")]
    metrics = stack.rest.call("GET", "/metrics").text
    assert f'citizenk_mapping_last_gap_timestamp_seconds{{team="default",mapping="{topic}"}}' in metrics
    # Not again with the next start.
    stack.workers[0].restart()
    send(servers.source, topic, numbered(30, 31))
    assert len(read(servers.target, topic, 26, settle=0.3)) == 26
    wait_totals(stack, topic, out=26, gap=5)


def test_all_of_it_is_gone(servers, stack, topics):
    topic = topics("gone", partitions=1)
    paused_behind(servers, stack, topic, on_gap="skip", delivery="exactly_once")
    delete_records(servers, servers.source, topic, 30)
    resume(stack, topic)
    wait_totals(stack, topic, out=10, gap=20)
    stack.wait_state(topic, "RUNNING")
    send(servers.source, topic, numbered(30, 33))
    assert values(read(servers.target, topic, 13, settle=0.3))[10:] == [b"30", b"31", b"32"]


@pytest.mark.parametrize("when, delivery", [("running", "at_least_once"), ("paused", "at_least_once"),
                                            ("paused", "exactly_once")])
def test_topic_created_again(servers, stack, topics, when, delivery):
    topic = topics("again", partitions=1)
    paused_behind(servers, stack, topic, delivery=delivery)
    if when == "running":
        resume(stack, topic)
        read(servers.target, topic, 30)
    assigned = stack.status(topic)["tasks"][0]["generation"]
    create_again(servers, servers.source, topic)
    # More records than before: only the topic's id tells.
    send(servers.source, topic, numbered(100, 150))
    if when == "paused":
        # The leader's watch has seen the new one, so that nobody can know the old one from it.
        wait_until(lambda: stack.status(topic)["tasks"][0]["generation"] != assigned, 20, "an assignment")
        resume(stack, topic)
    wait_error(stack, topic, "deleted and created again")
    stack.put_mapping(topic, spec(topic, on_gap="restart", delivery=delivery))
    found = values(read(servers.target, topic, 60 if when == "paused" else 80, settle=0.3))
    assert found[-50:] == [b"%d" % n for n in range(100, 150)]
    # A reader may have been past 30 in the new one before that was known: these come twice.
    assert len(found) == 60 if when == "paused" else 80 <= len(found) <= 100
    assert gaps(stack, topic)[0][:2] == ("recreated", "restart")
    # And on from there, without another gap.
    stack.rest.post(f"{mapping_path(topic, 'restart')}?wait=applied")
    send(servers.source, topic, numbered(150, 151))
    assert len(read(servers.target, topic, len(found) + 1, settle=0.3)) == len(found) + 1


# ---- where to start --------------------------------------------------------------------------------

def test_start_offsets_that_are_not_there(servers, stack, topics):
    topic = topics("named", partitions=1)
    send(servers.source, topic, numbered(0, 20))
    delete_records(servers, servers.source, topic, 5)
    for wanted, first in (("3", 5), ("21", 20)):
        name = f"{topic}-{wanted}"
        servers.create_topic(servers.target, name, 1)
        start = {"offsets": {"0": wanted}}
        stack.put_mapping(name, spec(topic, name, start=start), wait=False)
        wait_error(stack, name, f"start offset {wanted} is not in {topic} [0], which holds 5 up to 20")
        stack.put_mapping(name, spec(topic, name, start=start, on_gap="skip"))
        if first == 20:
            send(servers.source, topic, numbered(20, 21))
        assert values(read(servers.target, name, 1, settle=0.3))[0] == b"%d" % first


def test_start_forms_at_the_edges(servers, stack, topics):
    """A time after the end begins at the end; an offset at the end waits there; a partition that is
    not named is read from its beginning; committed begins where a tool has put the group."""
    topic = topics("edges", partitions=2)
    now = int(time.time() * 1000)
    send(servers.source, topic, numbered(0, 20) + numbered(0, 20, 1))
    group = f"edges-{topic}"
    servers.admin(servers.source).alter_consumer_group_offsets([confluent_kafka.ConsumerGroupTopicPartitions(
        group, [confluent_kafka.TopicPartition(topic, 0, 7)])])[group].result(20)
    starts = {"time": ({"start": {"timestamp": now + 3_600_000}}, []),
              "at-end": ({"start": {"offsets": {"0": "20", "1": "20"}}}, []),
              "one-named": ({"start": {"offsets": {"0": "18"}}}, [b"18", b"19", *(b"%d" % n for n in range(20))]),
              "committed": ({"start": "committed", "consumer_group": group}, [b"%d" % n for n in range(7, 20)]),
              "latest": ({"start": "latest"}, [])}
    for name, (more, _) in starts.items():
        servers.create_topic(servers.target, f"{topic}-{name}", 2)
        stack.put_mapping(f"{topic}-{name}", spec(topic, f"{topic}-{name}", **more))
    send(servers.source, topic, [{"value": b"new", "partition": p, "timestamp": now} for p in range(2)])
    for name, (_, wanted) in starts.items():
        found = values(read(servers.target, f"{topic}-{name}", len(wanted) + 2, settle=0.2))
        assert sorted(found) == sorted([*wanted, b"new", b"new"]), name
