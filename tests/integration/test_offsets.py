# SPDX-License-Identifier: Apache-2.0
"""The positions of a mapping: shown, and moved while it does not run."""
import pytest

from support.servers import unique_name

from .copying import group_offsets, mapping_path, read, send, spec, values, wait_until
from .test_cli import CONFLICT, INVALID, USAGE, Cli


@pytest.fixture
def cli(stack, tmp_path):
    return Cli(stack, tmp_path)


def offsets(stack, name):
    return stack.rest.get(mapping_path(name, "offsets"))


def move(stack, name, to, status=200, query="", **more):
    answer = stack.rest.call("POST", mapping_path(name, "offsets") + query, {"to": to, **more})
    assert answer.status == status, answer.text
    return answer.json


def pause(stack, name):
    stack.rest.call("POST", mapping_path(name, "pause"))
    wait_until(lambda: offsets(stack, name)["can_be_moved"], 20, f"{name} to be idle")


def copied(stack, servers, topics, records, **more):
    """A mapping that has copied @records of one partition."""
    topic = topics("offsets", partitions=1)
    send(servers.source, topic, records)
    stack.put_mapping(topic, spec(topic, **more))
    read(servers.target, topic, len(records))
    return topic


def numbered(n, start=0):
    return [{"value": b"%d" % i, "timestamp": 1_700_000_000_000 + i * 1000} for i in range(start, start + n)]


@pytest.mark.parametrize("delivery", ["at_least_once", "exactly_once"])
def test_moved_back_and_ahead(stack, servers, topics, delivery):
    name = copied(stack, servers, topics, numbered(10), delivery=delivery)
    all_ten = [b"%d" % i for i in range(10)]
    wait_until(lambda: offsets(stack, name)["partitions"][0]["committed"] == "10", 15, "the commit")
    shown = offsets(stack, name)
    assert shown["group"] == "citizenk.default." + name and not shown["can_be_moved"]
    assert shown["partitions"] == [{"topic": name, "partition": 0, "committed": "10", "start": "0",
                                    "end": "10", "lag": "0"}]
    assert "pause" in move(stack, name, "earliest", 409)["detail"]
    pause(stack, name)
    # A dry run shows and changes nothing.
    wanted = [{"topic": name, "partition": 0, "from": "10", "to": "7", "change": "-3"}]
    assert move(stack, name, {"shift": -3}, query="?dry_run=true")["moved"] == wanted
    assert offsets(stack, name)["partitions"][0]["committed"] == "10"
    answer = move(stack, name, {"shift": -3}, query="?comment=again")
    assert answer["moved"] == wanted
    change = stack.rest.get("/api/v1/changes/" + answer["seq"])
    assert change["comment"] == "offsets of 1 partitions moved to 3 records back: again"
    assert change["objects"][0]["override"]["offsets_moved"] == answer["seq"]
    stack.rest.call("POST", mapping_path(name, "resume"))
    assert values(read(servers.target, name, 13, settle=0.3)) == all_ten + all_ten[7:]
    # Once: a restart goes on where it is.
    stack.rest.call("POST", mapping_path(name, "restart"))
    stack.wait_state(name, "RUNNING")
    pause(stack, name)
    assert move(stack, name, {"timestamp": 1_700_000_004_500})["moved"][0]["to"] == "5"
    assert move(stack, name, {"offsets": {"0": 9}})["moved"][0]["from"] == "5"
    send(servers.source, name, numbered(1, start=10))
    stack.rest.call("POST", mapping_path(name, "resume"))
    assert values(read(servers.target, name, 15, settle=0.3))[13:] == [b"9", b"10"]


def test_what_cannot_be_moved(stack, servers, topics):
    name = copied(stack, servers, topics, numbered(3))
    pause(stack, name)
    errors = move(stack, name, {"offsets": {"0": 4, "1": 0}}, 422)["errors"]
    assert [e["pointer"] for e in errors] == ["/to/offsets/0"]
    assert move(stack, name, "latest", 422, topic="other")["errors"][0]["pointer"] == "/topic"
    assert stack.rest.call("GET", mapping_path("nobody", "offsets")).status == 404
    stale = stack.rest.call("POST", mapping_path(name, "offsets"), {"to": "latest"}, headers={"If-Match": '"1"'})
    assert stale.status == 412
    alone = copied(stack, servers, topics, numbered(3), consumer_group="")
    assert offsets(stack, alone)["group"] is None
    pause_free = stack.rest.call("POST", mapping_path(alone, "offsets"), {"to": "earliest"})
    assert pause_free.status == 409 and "no consumer group" in pause_free.json["detail"]


def test_on_change_does_not_undo_a_move(stack, servers, topics):
    """A disabled mapping with on_change: latest begins where it was put when it is enabled."""
    more = {"on_change": {"offset": "latest"}}
    name = copied(stack, servers, topics, numbered(5), **more)
    stack.put_mapping(name, spec(name, enabled=False, **more))
    wait_until(lambda: offsets(stack, name)["can_be_moved"], 20, "it to stop")
    move(stack, name, {"offsets": {"0": 2}})
    stack.put_mapping(name, spec(name, **more))
    assert values(read(servers.target, name, 8, settle=0.3))[5:] == [b"2", b"3", b"4"]


def test_cli(stack, servers, topics, cli):
    name = copied(stack, servers, topics, numbered(4))
    wait_until(lambda: group_offsets(servers, servers.source, "citizenk.default." + name, name) == {0: 4},
               15, "the commit")
    shown = cli("offsets", "show", name).stdout
    assert "citizenk.default." + name in shown and shown.splitlines()[-1].split() == [name, "0", "4", "0", "4", "0", "-"]
    assert "pause" in cli("offsets", "reset", name, "--to-earliest", want=CONFLICT).stderr
    dry = cli("offsets", "reset", name, "--shift", "-2", "--dry-run").stdout
    assert dry.splitlines()[-1].split() == [name, "0", "4", "2", "-2"]
    moved = cli.json("offsets", "reset", name, "--to-offset", "0=1", "--pause")["moved"]
    assert moved == [{"topic": name, "partition": 0, "from": "4", "to": "1", "change": "-3"}]
    stack.wait_state(name, "RUNNING")     # resumed
    assert len(read(servers.target, name, 7, settle=0.3)) == 7
    assert stack.rest.get(mapping_path(name))["override"]["paused"] is False
    cli("offsets", "reset", name, want=USAGE)
    cli("offsets", "reset", name, "--to-earliest", "--to-latest", want=USAGE)
    cli("offsets", "reset", name, "--to-offset", "x", want=USAGE)
    cli("offsets", "reset", name, "--to-time", "yesterday", "--dry-run", want=INVALID)
    cli("offsets", "move", name, want=USAGE)
