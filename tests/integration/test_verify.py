# SPDX-License-Identifier: Apache-2.0
"""Proof of copy: a faithful target is called equal, and whatever is done to one is found and named."""
import datetime
import json
import subprocess
import time

import confluent_kafka

from support.citizenk import api_path
from support.paths import bin_dir

from .copying import mapping_path, read, send, spec, wait_totals

BEGIN = int(time.time()) * 1000 - 3_600_000    # an hour ago: inside any retention
FILTER = {"valid_jmespath": "value.side == 'a'", "value_map": {"value.country": {"DE": "XA"}}}


def records(begin, end, first=BEGIN):
    return [{"key": b"k%d" % (i % 7), "partition": i % 4, "timestamp": first + i * 100,
             "headers": [("n", b"%d" % i)],
             "value": json.dumps({"n": i, "side": "ab"[i % 3 == 0], "country": "DE"}).encode()}
            for i in range(begin, end)]


def verify(stack, name, **body):
    return stack.rest.post(mapping_path(name, "verify"), body).json


def counts(report):
    return {kind: int(report[kind]) for kind in ("missing", "doubled", "altered", "misplaced", "extra")
            if int(report[kind])}


def copied(servers, stack, topics, name, first=BEGIN, **more):
    topic = topics(name)
    stack.put_mapping(topic, spec(topic, **FILTER, **more))
    send(servers.source, topic, records(0, 900, first))
    wait_totals(stack, topic, out=600, filter=300)
    return topic


def test_a_faithful_copy_is_equal(servers, stack, topics):
    for name, more in (("faithful", {}), ("faithful-exact", {"delivery": "exactly_once"}),
                       ("faithful-robin", {"partitioning": "round_robin"}),
                       ("faithful-key", {"partitioning": "key"}),
                       ("faithful-headers", {"headers": {"add": {"origin": "prod"}, "provenance": True}})):
        topic = copied(servers, stack, topics, name, **more)
        report = verify(stack, topic)
        assert report["equal"], report
        assert (report["expected"], report["arrived"], report["pending"]) == ("600", "600", "0")
        assert report["dropped"] == {"filter": "300"}
        partitions = [one["partition"] for one in report["pairs"][0]["partitions"]]
        assert partitions == ([None] if "robin" in name else sorted(partitions) and partitions)
        assert len(partitions) > 1 or "robin" in name
        middle = datetime.datetime.fromtimestamp(BEGIN / 1000 + 50, datetime.timezone.utc)
        part = verify(stack, topic, since=middle.strftime("%Y-%m-%dT%H:%M:%SZ"))
        assert part["equal"] and 0 < int(part["expected"]) < 600


def test_transactions_several_topics_and_patterns(servers, stack, topics):
    """What a transaction on the source took back is neither expected nor copied; two topics into one, which has
    fewer partitions, so that keys decide; and topics that a pattern found."""
    name = topics("pairs", on=[servers.target], partitions=2)
    first, second = topics("pairs-a", on=[servers.source]), topics("pairs-b", on=[servers.source])
    for topic in (first, second):
        servers.create_topic(servers.target, topic, 4)
    producer = confluent_kafka.Producer({"bootstrap.servers": servers.source.bootstrap, "transactional.id": name})
    producer.init_transactions(20)
    for commits in (True, False, True):
        producer.begin_transaction()
        for one in records(0, 100):
            producer.produce(first, **one)
        producer.flush(20)
        (producer.commit_transaction if commits else producer.abort_transaction)(20)
    send(servers.source, second, records(0, 150, BEGIN + 1))
    common = {"start": "earliest", "target": {"cluster": "target"}, **FILTER}
    stack.put_mapping(name, {**common, "source": {"cluster": "source"}, "delivery": "exactly_once",
                             "topics": [{"source": one, "target": name} for one in (first, second)]})
    found = f"{name}-found"
    stack.put_mapping(found, {**common, "source": {"cluster": "source", "pattern": f"^({first}|{second})$"},
                              "target": {"cluster": "target", "topic": "{{topic}}"}})
    passed = 2 * 66 + 100
    for mapping in (name, found):
        wait_totals(stack, mapping, out=passed)
        report = verify(stack, mapping)
        assert report["equal"] and (report["expected"], report["arrived"]) == (str(passed), str(passed)), report
        for pair in report["pairs"]:
            assert all(one["partition"] is not None for one in pair["partitions"])
    assert [sorted(pair["sources"]) for pair in verify(stack, name)["pairs"]] == [sorted([first, second])]
    # Another writer's records are a difference unless the user says that there is one.
    send(servers.target, name, [{"key": b"x", "value": b"y"}])
    assert counts(verify(stack, name)) == {"extra": 1}
    assert verify(stack, name, others=True)["equal"]


def test_provenance_of_an_earlier_generation_is_no_difference(servers, stack, topics):
    """It tells the generation that made the copy, which a later one cannot know."""
    provenance = {"headers": {"provenance": True}}
    topic = copied(servers, stack, topics, "older-provenance", **provenance)
    stack.put_mapping(topic, spec(topic, **FILTER, **provenance, on_error="skip"))
    send(servers.source, topic, records(900, 1200))
    wait_totals(stack, topic, out=800, filter=400)
    report = verify(stack, topic, since="2020-01-01T00:00:00Z")
    assert report["equal"] and report["expected"] == "800", report


def test_what_differs_is_named(servers, stack, topics):
    """Doubled, altered, misplaced, foreign: put on the target by hand. Dropped: by a mapping that the
    records went by before."""
    topic = copied(servers, stack, topics, "doctored")
    there = read(servers.target, topic, 600)
    one, two, three = there[10], there[200], there[400]

    def again(record, **change):
        same = {"key": record.key, "value": record.value, "headers": record.headers,
                "timestamp": record.timestamp, "partition": record.partition}
        return {**same, **change}

    send(servers.target, topic, [
        again(one), again(two, partition=(two.partition + 1) % 4),
        again(three, key=b"foreign", timestamp=three.timestamp + 1)])
    report = verify(stack, topic)
    assert not report["equal"]
    assert counts(report) == {"doubled": 1, "extra": 2}
    doubled = next(d for d in report["differences"] if d["kind"] == "doubled")
    assert doubled["source"]["topic"] == topic and doubled["source"]["partition"] == one.partition
    assert doubled["source"]["timestamp"] == str(one.timestamp)

    # The target as a faulty replicator would have left it: one record altered, one lost, one elsewhere.
    faulty = topics("faulty")
    send(servers.source, faulty, records(0, 900))
    wanted = [again(r) for r in there if r not in (one, two, three)]
    send(servers.target, faulty, wanted + [again(one, value=one.value + b" "),
                                           again(two, partition=(two.partition + 1) % 4)])
    stack.put_mapping(faulty, {**spec(faulty, **FILTER), "start": {"offsets": {str(p): "225" for p in range(4)}}})
    report = verify(stack, faulty, since="all")
    assert counts(report) == {"missing": 1, "altered": 1, "misplaced": 1}, report
    by_kind = {d["kind"]: d for d in report["differences"]}
    assert by_kind["missing"]["source"]["timestamp"] == str(three.timestamp)
    assert by_kind["missing"]["source"]["partition"] == three.partition
    assert by_kind["altered"]["source"]["timestamp"] == by_kind["altered"]["target"]["timestamp"]
    assert by_kind["misplaced"]["target"]["partition"] == (two.partition + 1) % 4


def test_while_it_runs(servers, stack, topics):
    """Records that are on their way are neither missing nor too many; a header counts."""
    topic = copied(servers, stack, topics, "live")
    for begin in range(900, 3900, 600):
        send(servers.source, topic, records(begin, begin + 600))
        report = verify(stack, topic)
        assert report["equal"], report
        assert int(report["expected"]) + int(report["pending"]) >= 600
    one = read(servers.target, topic, 600)[5]
    send(servers.target, topic, [{"key": one.key, "value": one.value, "timestamp": one.timestamp,
                                  "partition": one.partition, "headers": [("n", b"other")]}])
    assert counts(verify(stack, topic)) == {"extra": 1}


def test_refusals_and_the_command(servers, stack, topics):
    topic = copied(servers, stack, topics, "command")
    path = mapping_path(topic, "verify")
    for body, pointer in (({"since": "yesterday"}, "/since"), ({"window_seconds": 0}, "/window_seconds"),
                          ({"sinces": "all"}, "/sinces"), ({"others": "yes"}, "/others")):
        answer = stack.rest.call("POST", path, body)
        assert answer.status == 422 and pointer in answer.text
    assert stack.rest.call("POST", path, {"max_records": 10}).status == 429
    assert stack.rest.call("POST", api_path("teams", "default", "mappings", "nothing", "verify")).status == 404

    def command(*args, verb="verify"):
        return subprocess.run([str(bin_dir() / "citizenk"), "--server", stack.rest.url, verb, topic, *args],
                              env={"CITIZENK_TOKEN": stack.token, "HOME": str(stack.folder)},
                              capture_output=True, text=True, check=False)
    good = command()
    assert (good.returncode, good.stdout.split()[1:5]) == (0, ["equal:", "600", "expected,", "600"]), good
    send(servers.target, topic, [{"key": b"x", "value": b"y", "partition": 3, "timestamp": BEGIN}])
    bad = command()
    assert bad.returncode == 1 and "DIFFERENT" in bad.stdout and f"{topic} [3] " in bad.stdout, bad
    assert json.loads(command("-o", "json").stdout)["extra"] == "1"
    kept = stack.status(topic)["verified"]      # of what nobody compares by itself: what was asked for last
    assert (kept["equal"], kept["extra"], kept["error"]) == (False, "1", None) and kept["at"]
    shown = command(verb="status").stdout
    assert f"DIFFERENT, 600 records expected, 1 extra, at {kept['at']}" in shown and "p99.9 " in shown, shown


def test_again_and_again(servers, stack, topics):
    """verify_seconds: what differs shows in the status and in the metrics of every instance, without anybody
    asking; a leader that takes over knows it, and goes on."""
    topic = copied(servers, stack, topics, "again", int(time.time()) * 1000, verify_seconds=1)

    def verified(client=None):
        return (client or stack.rest).get(mapping_path(topic, "status"))["verified"] or {}
    stack._wait(lambda: verified().get("expected") == "600", 20, "a comparison", verified)
    assert verified()["equal"]
    send(servers.target, topic, [{"key": b"x", "value": b"y", "partition": 3}])
    stack._wait(lambda: verified().get("equal") is False, 20, "it to be seen", verified)
    assert verified()["differences"][0]["target"]["partition"] == 3
    first, other = stack.controlplanes[0], stack.client(stack.add_controlplane())
    sample = f'citizenk_mapping_verify_differences{{team="default",mapping="{topic}",kind="extra"}} 1'
    for client in (stack.rest, other):
        assert verified(client)["extra"] == "1" and sample in client.call("GET", "/metrics").text
    first.kill9()
    last = verified(other)["at"]
    stack._wait(lambda: verified(other)["at"] > last, 30, "the next leader to go on", lambda: verified(other))
    assert verified(other)["extra"] == "1"
    # What the watch cannot do is told beside what it last found.
    servers.delete_topic(servers.target, topic)
    stack._wait(lambda: verified(other)["error"], 20, "the error to be told", lambda: verified(other))
    assert topic in verified(other)["error"]["message"] and verified(other)["extra"] == "1"
    first.start()
