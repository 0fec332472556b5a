# SPDX-License-Identifier: Apache-2.0
"""Copies that end: `end` now or at a time.  They finish, say so, keep their end over restarts, and
run again when they are asked to."""
import time

import confluent_kafka
import pytest

from .copying import group_offsets, mapping_path, read, send, spec, values, wait_totals, wait_until
from .test_fidelity import in_transactions


def wait_finished(stack, name, timeout=30):
    def finished():
        status = stack.status(name)     # in one answer: a worker that starts what is finished is RUNNING for a moment
        ready = next((one for one in status["conditions"] if one["type"] == "Ready"), None)
        return status["state"] == "FINISHED" and ready and (ready["status"], ready["reason"]) == ("True", "Finished")

    wait_until(finished, timeout, f"{name} FINISHED")


def restart(stack, name):
    stack.rest.post(f"{mapping_path(name, 'restart')}?wait=applied")


def progress(stack, name):
    now = stack.status(name)["progress"]
    return now and (int(now["done"]), int(now["total"]))    # None: no worker has told yet


@pytest.mark.parametrize("delivery", ["at_least_once", "exactly_once"])
def test_to_now_and_again(servers, make_stack, topics, delivery):
    stack = make_stack(lease_s=4)
    topic = topics("bounded", partitions=3)     # the last partition stays empty
    send(servers.source, topic, [{"value": b"%d" % n, "partition": n % 2} for n in range(400)])
    stack.put_mapping(topic, spec(topic, end="now", delivery=delivery, tasks=2), wait=False)
    wait_finished(stack, topic)
    wait_until(lambda: progress(stack, topic) == (400, 400), 10, "the progress")
    assert stack.status(topic)["progress"]["percent"] == 100
    send(servers.source, topic, [{"value": b"late", "partition": n % 3} for n in range(30)])
    stack.workers[0].restart()      # it starts what it is given, and finds that all is done
    restarted = stack.add_worker()
    wait_finished(stack, topic)
    restarted.kill9()
    assert b"late" not in values(read(servers.target, topic, 400, settle=1))
    wait_finished(stack, topic)
    # A restart of what is finished is a new run: from its start, to the end of now.
    restart(stack, topic)
    found = values(read(servers.target, topic, 830, settle=0.5))
    assert len(found) == 830 and found.count(b"late") == 30
    wait_finished(stack, topic)
    wait_until(lambda: progress(stack, topic) == (430, 430), 10, "the progress")


def test_from_where_it_ended(servers, stack, topics):
    """Without a start that names a place each run takes what came since the last."""
    topic = topics("since", partitions=2)
    stack.put_mapping(topic, spec(topic, start="committed", end="now"), wait=False)
    wait_finished(stack, topic)     # there is nothing yet
    for run in range(2):
        send(servers.source, topic, [{"value": b"%d" % run, "partition": n % 2} for n in range(10)])
        restart(stack, topic)
        assert len(read(servers.target, topic, 10 * (run + 1))) == 10 * (run + 1)
        wait_finished(stack, topic)
    assert sorted(values(read(servers.target, topic, 20, settle=0.5))) == [b"0"] * 10 + [b"1"] * 10


def test_a_change_keeps_the_position_and_chooses_the_end_anew(servers, stack, topics):
    topic = topics("changed", partitions=1)
    send(servers.source, topic, [{"value": b"%d" % n} for n in range(10)])
    stack.put_mapping(topic, spec(topic, end="now"), wait=False)
    wait_finished(stack, topic)
    send(servers.source, topic, [{"value": b"%d" % n} for n in range(10, 20)])
    stack.put_mapping(topic, spec(topic, end="now", valid_jmespath="offset != `15`"), wait=False)
    assert len(read(servers.target, topic, 19)) == 19
    wait_finished(stack, topic)
    # Without an end it goes on from there.
    stack.put_mapping(topic, spec(topic))
    send(servers.source, topic, [{"value": b"20"}])
    found = values(read(servers.target, topic, 20, settle=0.3))
    assert found == [b"%d" % n for n in range(21) if n != 15]
    wait_until(lambda: progress(stack, topic) is None, 10, "no progress to be told")


def test_window_beside_the_running_mapping(servers, stack, topics):
    """A window of time is copied once more, to another topic, while the mapping runs on."""
    topic, window = topics("window", partitions=2), topics("window-again", partitions=2)
    start = int(time.time() * 1000) - 100_000
    send(servers.source, topic, [{"value": b"%d" % n, "partition": n % 2, "timestamp": start + n * 100}
                                 for n in range(200)])
    stack.put_mapping(topic, spec(topic))
    read(servers.target, topic, 200)
    stack.put_mapping(window, spec(topic, window, start={"timestamp": start + 5_000},
                                   end={"timestamp": start + 12_000}), wait=False)
    wait_finished(stack, window)
    found = read(servers.target, window, 70, settle=0.3)
    assert sorted(int(value) for value in values(found)) == list(range(50, 120))
    wait_until(lambda: {(p["begin"], p["stop"]) for p in stack.status(window)["partitions"]}
               == {("25", "60")}, 10, "begin and stop")
    send(servers.source, topic, [{"value": b"more"}])
    assert len(read(servers.target, topic, 201, settle=0.3)) == 201
    assert stack.status(topic)["state"] == "RUNNING"


def test_markers_at_the_end(servers, stack, topics):
    """The last offsets are an aborted transaction and its marker: nothing to copy, and yet the end."""
    topic = topics("markers", partitions=1)
    in_transactions(servers.source, topic, [([b"a", b"b"], True), ([b"aborted"] * 3, False)])
    stack.put_mapping(topic, spec(topic, end="now"), wait=False)
    wait_finished(stack, topic)
    assert values(read(servers.target, topic, 2, settle=0.3)) == [b"a", b"b"]
    assert group_offsets(servers, servers.source, f"citizenk.default.{topic}", topic) == {0: 7}


def test_end_that_is_still_to_come(servers, stack, topics):
    topic = topics("future", partitions=2)
    until = int(time.time() * 1000) + 6000
    stack.put_mapping(topic, spec(topic, end={"timestamp": until}))
    send(servers.source, topic, [{"value": b"before", "partition": 0, "timestamp": until - 1},
                                 {"value": b"after", "partition": 0, "timestamp": until},
                                 {"value": b"out of order", "partition": 0, "timestamp": until - 2}])
    assert values(read(servers.target, topic, 1)) == [b"before"]
    assert stack.status(topic)["state"] == "RUNNING"
    wait_finished(stack, topic)
    assert values(read(servers.target, topic, 1, settle=0.3)) == [b"before"]
    wait_totals(stack, topic, out=1)
    wait_until(lambda: progress(stack, topic) == (0, 0), 10, "a second life that began at its end")


def committed_again(servers, since, groups):
    """Which of @groups have committed after the offsets @since of the broker's own topic."""
    consumer = confluent_kafka.Consumer({"bootstrap.servers": servers.source.bootstrap, "group.id": "looking",
                                         "enable.auto.commit": False})
    consumer.assign([confluent_kafka.TopicPartition("__consumer_offsets", p, at) for p, at in since.items()])
    found = set()
    for message in consumer.consume(2000, 0.5):
        if not message.error() and message.value():
            found |= {group for group in groups if group.encode() in message.key()}
    consumer.close()
    return found


def ends_of(broker, topic):
    consumer = confluent_kafka.Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "looking"})
    parts = consumer.list_topics(topic, 20).topics[topic].partitions
    ends = {p: consumer.get_watermark_offsets(confluent_kafka.TopicPartition(topic, p), 20)[1] for p in parts}
    consumer.close()
    return ends


def test_positions_of_what_does_not_run_are_not_forgotten(servers, make_stack, topics):
    """They are committed again, as they are, or brokers would forget them after a week."""
    stack = make_stack(workers=0)
    stack.add_worker(extra=("--position-renewal-seconds", "1"))
    done, stopped = topics("renew-done", partitions=1), topics("renew-stopped", partitions=1)
    for topic, more in ((done, {"end": "now"}), (stopped, {})):
        send(servers.source, topic, [{"value": b"%d" % n} for n in range(10)])
        stack.put_mapping(topic, spec(topic, consumer_group=f"group.{topic}", **more), wait=False)
    wait_finished(stack, done)
    read(servers.target, stopped, 10)
    stack.put_mapping(stopped, spec(stopped, consumer_group=f"group.{stopped}", enabled=False), wait=False)
    stack.wait_state(stopped, "STOPPED")
    groups = {f"group.{topic}" for topic in (done, stopped)}
    since = ends_of(servers.source, "__consumer_offsets")
    wait_until(lambda: committed_again(servers, since, groups) == groups, 20, "both groups to be renewed")
    for topic in (done, stopped):
        assert group_offsets(servers, servers.source, f"group.{topic}", topic) == {0: 10}
    # Both are as they were: nothing is copied twice when they run again.
    send(servers.source, stopped, [{"value": b"new"}] * 3)
    stack.put_mapping(stopped, spec(stopped, consumer_group=f"group.{stopped}"))
    assert len(read(servers.target, stopped, 13, settle=0.5)) == 13
    stack.wait_state(done, "FINISHED")
    assert len(read(servers.target, done, 10)) == 10
