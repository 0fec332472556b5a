# SPDX-License-Identifier: Apache-2.0
"""A part of a source copied again beside the running mapping: by time and by offsets, counted first,
ended by itself, by hand and with its mapping."""
import subprocess
import time

import pytest

from support.citizenk import RestError
from support.paths import bin_dir

from .copying import mapping_path, read, send, spec, values, wait_totals

BEGIN = int(time.time()) * 1000 - 3_600_000


def record(n):
    return {"key": b"k", "value": b'{"n":%d}' % n, "partition": n % 2, "timestamp": BEGIN + n * 1000}


def at(n):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(BEGIN // 1000 + n))


def recopy(stack, name, query="", **body):
    return stack.rest.post(mapping_path(name, "recopy") + query, body).json


def refused(stack, name, **body):
    with pytest.raises(RestError) as error:
        recopy(stack, name, **body)
    return error.value.answer


@pytest.mark.parametrize("delivery", ["at_least_once", "exactly_once"])
def test_a_window_beside_the_running_mapping(servers, stack, topics, delivery):
    topic = topics("recopy", 2)
    send(servers.source, topic, [record(n) for n in range(100)])
    stack.put_mapping(topic, spec(topic, start="latest", valid_jmespath="value.n != `30`", delivery=delivery))
    dry = recopy(stack, topic, "?dry_run=true", **{"from": at(20), "to": at(50)})
    assert dry["records"] == "30" and dry["dry_run"]
    assert dry["partitions"] == [{"topic": topic, "partition": 0, "from": "10", "to": "25"},
                                 {"topic": topic, "partition": 1, "from": "10", "to": "25"}]
    copy = topic + " (recopy)"
    assert stack.rest.call("GET", mapping_path(copy)).status == 404
    assert recopy(stack, topic, **{"from": at(20), "to": at(50)})["mapping"] == copy
    stack.wait_state(copy, "FINISHED")
    send(servers.source, topic, [record(100)])
    found = read(servers.target, topic, 30, settle=0.5)
    assert sorted(values(found)) == sorted(record(n)["value"] for n in [*range(20, 30), *range(31, 50), 100])
    status = stack.status(copy)
    assert status["progress"] == {"done": "30", "total": "30", "percent": 100}
    assert stack.task_states(topic) == ["RUNNING"] * len(stack.task_states(topic))
    assert stack.rest.get(mapping_path(copy))["managed_by"] == "mapping:" + topic
    assert stack.rest.call("PATCH", mapping_path(copy), {"labels": {"a": "b"}},
                           {"If-Match": "*", "Content-Type": "application/merge-patch+json"}).status == 409
    # The next one takes its place; by offsets, of one partition.
    done = subprocess.run([bin_dir() / "citizenk", "recopy", topic, "--from-offset", "1=5", "--to-offset", "1=8"],
                          text=True, capture_output=True, check=False,
                          env={"CITIZENK_SERVER": stack.controlplanes[0].url, "CITIZENK_TOKEN": stack.token})
    assert done.returncode == 0 and "3 records are read again" in done.stdout, done.stdout + done.stderr
    wait_totals(stack, copy, out=3)
    stack.wait_state(copy, "FINISHED")
    found = read(servers.target, topic, 33, settle=0.5)
    assert len(found) == 33
    again = [one.value for one in found if one.value in {record(n)["value"] for n in (11, 13, 15)}]
    assert sorted(again) == [b'{"n":11}', b'{"n":13}', b'{"n":15}']
    stack.rest.call("DELETE", mapping_path(topic), headers={"If-Match": "*"})
    assert stack.rest.call("GET", mapping_path(copy)).status == 404    # with its mapping


def test_one_at_a_time_and_ended_by_hand(servers, stack, topics):
    topic = topics("recopy-slow", 1)
    send(servers.source, topic, [{**record(n), "partition": 0} for n in range(100)])
    stack.put_mapping(topic, spec(topic, start="latest", rate={"records_per_second": 2}))
    copy = recopy(stack, topic, **{"from": "earliest"})["mapping"]
    assert "runs already" in refused(stack, topic, **{"from": "earliest"}).text
    assert "is a recopy itself" in refused(stack, copy, **{"from": "earliest"}).text
    assert stack.rest.call("DELETE", mapping_path(copy), headers={"If-Match": "*"}).status < 300
    assert stack.rest.call("GET", mapping_path(copy)).status == 404
    bad = refused(stack, topic, **{"from": at(50), "to": at(20), "rate": 5})
    assert {one["pointer"] for one in bad.json["errors"]} == {"/rate", "/to"}
    bad = refused(stack, topic, **{"to": at(86400)})
    assert {one["pointer"] for one in bad.json["errors"]} == {"/from", "/to"}
