# SPDX-License-Identifier: Apache-2.0
"""The offset map: positions of any group translated to the target and back, exactly, also through a
filter; what is on the target is the judge."""
import confluent_kafka
import pytest
from confluent_kafka import TopicPartition

from support.servers import unique_name

from .copying import mapping_path, read, send, spec, wait_until
from .test_cli import INVALID, USAGE, Cli



@pytest.fixture
def cli(stack, tmp_path):
    return Cli(stack, tmp_path)


def numbered(first, n):
    return [{"value": b'{"n":%d}' % i, "partition": 0} for i in range(first, first + n)]


def translate(stack, name, status=200, **body):
    answer = stack.rest.call("POST", mapping_path(name, "offsets", "translate"), body)
    assert answer.status == status, answer.text
    return answer.json


def one(stack, name, offset, direction="to_target"):
    return translate(stack, name, offsets={"0": offset}, direction=direction)["partitions"][0]


def mapped_up_to(stack, name, end):
    """Until the map speaks of all of the source."""
    def reached():
        answer = stack.rest.call("POST", mapping_path(name, "offsets", "translate"), {"offsets": {"0": end}})
        return answer.status == 200 and answer.json["partitions"] and answer.json["partitions"][0]["exact"]
    wait_until(reached, 20, "the map to be written")


def number(record):
    return int(record.value[5:-1])


def judge(stack, name, target, end):
    """Translates offsets of the source [0, end] and looks at what a reader would see from there."""
    for at in [*range(0, end, 37), end - 1, end]:
        to = one(stack, name, at)
        assert to["exact"], to
        rest = [number(r) for r in target if r.offset >= int(to["to_offset"])]
        wanted = [number(r) for r in target if number(r) >= at]
        assert sorted(set(rest)) == sorted(set(wanted)), (at, to)
        assert not rest or rest[0] == wanted[0]
        back = one(stack, name, int(to["to_offset"]), "to_source")
        if back["exact"]:
            assert not [n for n in wanted if n < int(back["to_offset"])], (at, to, back)


@pytest.mark.parametrize("delivery", ["at_least_once", "exactly_once"])
def test_exact_through_a_filter(stack, servers, topics, delivery):
    name = topics("map", partitions=1)
    send(servers.target, name, [{"value": b"older"}] * 5)     # the offsets differ from the start
    servers.delete_topic(servers.target, name)
    servers.create_topic(servers.target, name, 1)
    send(servers.target, name, [{"value": b'{"n":-1}'}] * 7)
    send(servers.source, name, numbered(0, 600))
    stack.put_mapping(name, spec(name, delivery=delivery, offset_map=True, valid_jmespath="value.n < `3000`",
                                 sample={"percent": 60, "by": "record"}))
    read(servers.target, name, 7 + 300)
    # Live, and after a clean stop and start.
    stack.rest.call("POST", mapping_path(name, "restart"))
    send(servers.source, name, numbered(600, 400))
    mapped_up_to(stack, name, 1000)
    target = [r for r in read(servers.target, name, 7 + 500, settle=0.5)][7:]
    judge(stack, name, target, 1000)
    # A group that lags: what it has committed, on the other side.
    group = unique_name("lagging")
    consumer = confluent_kafka.Consumer({"bootstrap.servers": servers.source.bootstrap, "group.id": group})
    consumer.commit(offsets=[TopicPartition(name, 0, 500)], asynchronous=False)
    consumer.close()
    found = translate(stack, name, group=group)["partitions"]
    assert len(found) == 1 and found[0]["offset"] == "500" and found[0]["exact"]
    first = next(r for r in target if r.offset >= int(found[0]["to_offset"]))
    assert number(first) == min(number(r) for r in target if number(r) >= 500)


def test_a_killed_worker_leaves_no_hole(make_stack, servers, topics):
    stack = make_stack(workers=1)
    name = topics("map", partitions=1)
    send(servers.source, name, numbered(0, 300))
    stack.put_mapping(name, spec(name, offset_map=True, sample={"percent": 60, "by": "record"}))
    read(servers.target, name, 100)
    for first in (300, 600):
        send(servers.source, name, numbered(first, 300))
        stack.workers[0].kill9()
        stack.workers[0].start()
    mapped_up_to(stack, name, 900)
    judge(stack, name, read(servers.target, name, 450, settle=0.5), 900)


def test_what_cannot_be_translated(stack, servers, topics, cli):
    name = topics("map", partitions=1)
    send(servers.source, name, numbered(0, 10))
    stack.put_mapping(name, spec(name))
    read(servers.target, name, 10)
    assert "offset_map" in translate(stack, name, 409, offsets={"0": 1})["detail"]
    stack.put_mapping(name, spec(name, offset_map=True))
    send(servers.source, name, numbered(10, 10))
    mapped_up_to(stack, name, 20)
    assert one(stack, name, 2)["reason"].startswith("older")
    ahead = one(stack, name, 25)
    assert not ahead["exact"] and ahead["reason"] == "not copied yet" and ahead["to_offset"] == "20"
    assert translate(stack, name, group="never was")["partitions"] == []
    translate(stack, name, 422)
    translate(stack, name, 422, group="g", offsets={})
    translate(stack, name, 422, group="g", direction="up")
    # The same by the command line.
    line = cli("offsets", "translate", name, "--offset", "0=15").stdout.splitlines()[-1].split()
    assert line[:7] == [name, "0", "15", name, "0", "15", "yes"]
    assert cli.json("offsets", "translate", name, "--offset", "0=15", "--to-source")["partitions"][0]["to_offset"] == "15"
    cli("offsets", "translate", name, want=USAGE)
    cli("apply", "-f", "-", stdin="kind: mapping\nname: m\nspec: {source: {cluster: source, topic: %s}, target: "
        "{cluster: target, topic: %s}, offset_map: true, partitioning: key}\n" % (name, name), want=INVALID)
