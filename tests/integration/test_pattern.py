# SPDX-License-Identifier: Apache-2.0
"""source.pattern: topics that match are read, those that come later from their beginning, those that
go leave; and what must never match."""
from support.citizenk import api_path
from support.procs import wait_until
from support.servers import unique_name

from .copying import read, send, values, wait_totals


def pattern_spec(pattern, **more):
    target = {"cluster": more.pop("to", "target"), **({"topic": more.pop("template")} if "template" in more else {})}
    return {"source": {"cluster": "source", "pattern": pattern, "exclude": more.pop("exclude", [])},
            "target": target, "start": "earliest", **more}


def numbers(first, end):
    return [{"value": b"%d" % n} for n in range(first, end)]


def read_topics(stack, name):
    return {p["topic"] for p in stack.status(name)["partitions"]}


def reason(stack, name, kind):
    return next((c["reason"], c["message"]) for c in stack.status(name)["conditions"] if c["type"] == kind)


def test_topics_come_and_go(servers, stack, topics):
    prefix = unique_name("pat")
    for topic in (f"{prefix}.a", f"{prefix}.b", f"{prefix}.b.tmp", f"not-{prefix}.a"):
        servers.create_topic(servers.source, topic, 2)
        servers.create_topic(servers.target, f"to.{topic}", 2)
        send(servers.source, topic, numbers(0, 10))
    # latest counts for what is there when it begins, not for what comes.
    stack.put_mapping(prefix, pattern_spec(f"^{prefix}\\.", exclude=["\\.tmp$"], template="to.{{topic}}",
                                           start="latest", tasks=2))
    for topic in (f"{prefix}.a", f"{prefix}.b"):
        send(servers.source, topic, numbers(10, 20))
        assert sorted(values(read(servers.target, f"to.{topic}", 10, settle=0.2))) == \
            sorted(b"%d" % n for n in range(10, 20))
    new, waits = f"{prefix}.new", f"{prefix}.waits"
    servers.create_topic(servers.target, f"to.{new}", 2)
    for topic in (new, waits):
        servers.create_topic(servers.source, topic, 2)
        send(servers.source, topic, numbers(0, 30))
    assert len(read(servers.target, f"to.{new}", 30, timeout=15)) == 30
    # One without a target holds up nobody, is told, and read from its beginning once it has one.
    wait_until(lambda: reason(stack, prefix, "TopicsExist")[0] == "TopicMissing", 15, "TopicMissing")
    assert f"to.{waits}" in reason(stack, prefix, "TopicsExist")[1]
    send(servers.source, new, numbers(30, 31))
    assert len(read(servers.target, f"to.{new}", 31)) == 31
    servers.create_topic(servers.target, f"to.{waits}", 2)
    assert len(read(servers.target, f"to.{waits}", 30, timeout=15)) == 30
    assert read_topics(stack, prefix) == {f"{prefix}.{name}" for name in ("a", "b", "new", "waits")}
    servers.delete_topic(servers.source, f"{prefix}.b")
    wait_until(lambda: reason(stack, prefix, "TopicsExist") == ("TopicsExist", "3 topics match"), 20, "it to leave")
    stack.wait_state(prefix, "RUNNING")
    send(servers.source, f"{prefix}.a", numbers(20, 21))
    assert len(read(servers.target, f"to.{prefix}.a", 11, settle=0.2)) == 11
    assert stack.status(prefix)["gaps"] == []


def test_none_at_first_and_created_on_the_target(servers, make_stack):
    """Nothing matches yet; then two topics, whose targets the topic policy makes. A new leader goes on."""
    stack = make_stack()
    name = unique_name("later")
    stack.put_mapping(name, pattern_spec(f"^{name}-[ab]$", start="latest", topic_policy="create"), wait=False)
    wait_until(lambda: reason(stack, name, "TopicsExist")[0] == "NoTopicMatches", 15, "NoTopicMatches")
    for topic in (f"{name}-a", f"{name}-b"):
        servers.create_topic(servers.source, topic, 3)
        send(servers.source, topic, numbers(0, 20))
        assert len(read_when_there(servers, topic, 20)) == 20
    stack.controlplanes[0].restart()
    stack.wait_state(name, "RUNNING")
    servers.create_topic(servers.source, f"{name}-c", 1)      # does not match
    send(servers.source, f"{name}-a", numbers(20, 21))
    assert len(read(servers.target, f"{name}-a", 21, settle=0.3)) == 21
    wait_totals(stack, name, out=41)


def read_when_there(servers, topic, count):
    admin = servers.admin(servers.target)
    wait_until(lambda: topic in admin.list_topics(timeout=10).topics, 20, f"{topic} on the target")
    return read(servers.target, topic, count)


def test_on_one_cluster_it_does_not_read_what_it_writes(servers, stack, topics):
    """The pattern matches its own targets, its dead letters and the deployment's topics."""
    prefix = unique_name("loop")
    for topic in (prefix, f"copy.{prefix}", f"copy.copy.{prefix}", f"dead.{prefix}"):
        servers.create_topic(servers.target, topic, 1)
    send(servers.target, prefix, numbers(0, 50))
    wanted = pattern_spec(f"{prefix}|^{stack.group_id}\\.", template="copy.{{topic}}",
                          on_error={"dead_letter": f"dead.{prefix}"}, exclude=["^copy\\.copy\\."])
    wanted["source"]["cluster"] = "target"
    stack.put_mapping(prefix, wanted)
    assert len(read(servers.target, f"copy.{prefix}", 50, settle=1)) == 50
    assert read(servers.target, f"copy.copy.{prefix}", 0, settle=0.5) == []
    assert read_topics(stack, prefix) == {prefix}


def test_a_second_writer_of_a_topic_is_told(servers, stack, topics):
    """A warning, by name in the own team only; topics that a pattern found count as well."""
    prefix = unique_name("shared")
    for broker in (servers.source, servers.target):
        servers.create_topic(broker, f"{prefix}.a", 1)
    other = topics("shared")
    stack.put_mapping(prefix, pattern_spec(f"^{prefix}\\."))
    wait_until(lambda: read_topics(stack, prefix) == {f"{prefix}.a"}, 15, "the topic to be found")
    others = unique_name("others")
    stack.rest.put(api_path("teams", others), {})
    for name in ("source", "target"):
        stack.rest.put_cluster(name, getattr(servers, name).bootstrap, team=others)

    def warnings(team, **more):
        path = api_path("teams", team, "mappings", f"{prefix}-second")
        spec = {"source": {"cluster": "source", "topic": other},
                "target": {"cluster": "target", "topic": f"{prefix}.a"}, **more}
        return [(w["code"], w["message"]) for w in stack.rest.save(path, {"spec": spec}).json["warnings"]]

    assert warnings("default") == [("target-shared", f'mapping "{prefix}" writes topic "{prefix}.a" there, too')]
    assert warnings(others) == [
        ("target-shared", f'a mapping of another team writes topic "{prefix}.a" there, too')]
    assert warnings(others, enabled=False) == []
