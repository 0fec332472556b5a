# SPDX-License-Identifier: Apache-2.0
"""Dead letters: counted and shown, sent through the mapping again, each once, also over a kill; what
fails again, and what the source has lost, stays and is told."""
import random
import subprocess
import time

import confluent_kafka
import pytest

from support.citizenk import RestError
from support.paths import bin_dir
from support.procs import wait_until

from .copying import mapping_path, read, send, spec, values, wait_totals

LARGE = b"{" + random.Random(1).randbytes(40_000).hex().encode()    # no JSON, and more than the target takes
BEGIN = int(time.time()) * 1000 - 3_600_000    # an hour ago: inside any retention
FILTER = "value.type != 'never'"


def letters(stack, name, action=None, query="", **body):
    path = mapping_path(name, "dead-letters", *([action] if action else [])) + query
    return stack.rest.post(path, body).json if action else stack.rest.get(path)


def short(report, *members):
    return {one: int(report[one]) for one in members or ("letters", "others", "redriven", "failed", "gone")}


def cli(stack, *args, code=0):
    done = subprocess.run([bin_dir() / "citizenk", "dead-letters", *args], text=True, capture_output=True, check=False,
                          env={"CITIZENK_SERVER": stack.controlplanes[0].url, "CITIZENK_TOKEN": stack.token})
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def parked(servers, stack, topics):
    """parked(records, …): a mapping whose filter cannot read them; (source, target, dead-letter topic)."""
    def make(records, count, **more):
        source, dead = topics("dead", 2), topics("dead-letters", 1, on=[servers.target])
        servers.create_topic(servers.target, source + "-out", 2, {"max.message.bytes": "30000"})
        send(servers.source, source, records)
        stack.put_mapping(source, spec(source, source + "-out", valid_jmespath=FILTER,
                                       on_error={"dead_letter": dead}, **more))
        wait_totals(stack, source, dead_letter=count)
        return source, source + "-out", dead
    return make


def broken(n, partition=0):
    return {"key": b"k%d" % n, "value": b'{"n":%d' % n, "partition": partition, "timestamp": BEGIN + n,
            "headers": [("n", b"%d" % n), ("n", None)]}


def change(stack, name, **members):
    """Replace members of the stored spec."""
    stored = stack.rest.get(mapping_path(name))["spec"]
    stack.put_mapping(name, {**stored, **members})


def test_shown_sent_again_and_discarded(servers, stack, parked):
    good = {"key": b"g", "value": b'{"n":0}', "partition": 0}
    records = [good, broken(1), broken(2), {**broken(3), "value": LARGE}, broken(4, 1), broken(5, 1), good]
    source, target, dead = parked(records, 5)
    shown = letters(stack, source)
    assert shown["topic"] == dead and shown["complete"] and shown["letters"] == "5"
    assert [(one["stage"], one["error"], one["records"]) for one in shown["reasons"]] == [("decode", "malformed", "5")]
    first = shown["samples"][0]
    assert (first["topic"], first["partition"], first["offset"]) == (source, 0, "1") and not first["withheld"]
    assert (first["key"], first["value"]) == ("k1", '{"n":1') and first["timestamp"].endswith(".001Z")
    assert short(letters(stack, source, query="?partition=1&from_offset=1"), "letters", "others") == {
        "letters": 1, "others": 4}

    assert "5 dead letters" in cli(stack, "list", source)
    assert "would fail again" in cli(stack, "redrive", source, "--dry-run", code=1)
    assert short(letters(stack, source, "redrive")) == {"letters": 5, "others": 0, "redriven": 0, "failed": 5, "gone": 0}
    change(stack, source, valid_jmespath="key != 'k2'", value_format="raw")
    dry = letters(stack, source, "redrive", "?dry_run=true")
    assert short(dry) == {"letters": 5, "others": 0, "redriven": 4, "failed": 0, "gone": 0}
    assert dry["dropped"] == {"filter": "1"}
    one = letters(stack, source, "redrive", partition=1, to_offset=1)
    assert short(one) == {"letters": 1, "others": 4, "redriven": 1, "failed": 0, "gone": 0}
    said = cli(stack, "redrive", "mapping/" + source, "--comment", "format fixed", code=1)
    assert "of 4 dead letters 2 re-driven, 1 dropped by the mapping's stages, 1 failed again" in said, said
    left = letters(stack, source)
    assert left["letters"] == "1" and left["samples"][0]["offset"] == "3"
    assert short(letters(stack, source, "redrive", stage="filter"), "letters", "others") == {"letters": 0, "others": 1}
    assert "1 discarded" in cli(stack, "discard", source, "--stage", "decode")
    assert letters(stack, source)["letters"] == "0"
    assert "of 0 dead letters 0 re-driven" in cli(stack, "redrive", source)

    found = [one for one in read(servers.target, target, 5, settle=0.5) if one.key != b"g"]
    assert len(found) == 3
    for one, n in zip(found, (1, 4, 5)):
        wanted = broken(n, 0 if n == 1 else 1)
        assert (one.key, one.value, one.partition, one.timestamp) == (
            wanted["key"], wanted["value"], wanted["partition"], wanted["timestamp"])
        assert one.headers == wanted["headers"]


def test_withheld_letters_are_read_again_from_the_source(servers, stack, parked):
    """A mapping that masks: its letters hold nothing, the records are still in the source, or not."""
    records = [broken(n, n % 2) for n in range(6)]
    source, target, _ = parked(records, 6, mask=[{"path": "value.mail", "how": "redact"}])
    shown = letters(stack, source)
    assert shown["letters"] == "6" and "value" not in shown["samples"][0] and shown["samples"][0]["withheld"]
    cut = confluent_kafka.TopicPartition(source, 1, 2)
    for future in servers.admin(servers.source).delete_records([cut]).values():
        future.result(20)
    change(stack, source, mask=[], valid_jmespath=None)
    report = letters(stack, source, "redrive")
    assert short(report) == {"letters": 6, "others": 0, "redriven": 4, "failed": 0, "gone": 2}
    found = read(servers.target, target, 4, settle=0.5)
    assert [(one.key, one.headers) for one in found] == [
        (records[n]["key"], records[n]["headers"]) for n in (0, 2, 4, 5)]
    assert letters(stack, source)["letters"] == "2"    # told, not lost


def test_killed_half_way(servers, make_stack, parked, topics):
    """kill -9 after the first of three transactions: the next run goes on behind it."""
    mine = make_stack()
    source, dead = topics("dead-kill", 4), topics("dead-kill-letters", 3, on=[servers.target])
    records = [broken(n, n % 4) for n in range(1300)]
    send(servers.source, source, records)
    mine.put_mapping(source, spec(source, valid_jmespath=FILTER, on_error={"dead_letter": dead}))
    wait_totals(mine, source, dead_letter=1300)
    change(mine, source, valid_jmespath=None)
    plane = mine.controlplanes[0]
    assert plane.stop()
    plane.process.env = {"CITIZENK_FAULT": "redrive-after-commit"}
    plane.start()
    with pytest.raises((RestError, OSError)):
        letters(mine, source, "redrive")
    wait_until(lambda: not plane.alive(), 30, "the control plane to die")
    plane.process.env = None
    plane.start()
    left = letters(mine, source)["letters"]
    assert left == "800"
    assert short(letters(mine, source, "redrive"))["redriven"] == 800
    found = read(servers.target, source, 1300, settle=0.5)
    assert sorted(values(found)) == sorted(one["value"] for one in records)


def test_what_has_no_letters(servers, stack, topics):
    topic = topics("dead-none", 1)
    stack.put_mapping(topic, spec(topic))
    with pytest.raises(RestError) as refused:
        letters(stack, topic)
    assert refused.value.answer.status == 409 and "writes no dead letters" in refused.value.answer.text
    with pytest.raises(RestError) as refused:
        letters(stack, topic, "redrive", from_offset=3, since="yesterday", stages="x")
    assert refused.value.answer.status == 422
    assert {one["pointer"] for one in refused.value.answer.json["errors"]} == {"/stages", "/since", "/partition"}
