# SPDX-License-Identifier: Apache-2.0
"""Preview: what a mapping would do with live records, saved or not, and that looking leaves no trace."""
import concurrent.futures
import json
import subprocess

from support.citizenk import api_path
from support.paths import bin_dir

from .copying import mapping_path, read, send, spec

PREVIEW = api_path("teams", "default", "preview")


def shaped(topic, **more):
    return spec(topic, valid_jmespath="value.type == 'sale' && (value.n > `5` || value.vip)",
                value_map={"value.id": {"1": 10}, "key": {"k1": "k9"}}, headers={"add": {"origin": "prod"}},
                transform_jmespath="length(value.name) > `0` && value", **more)


def orders(topics, servers, name="preview"):
    topic = topics(name, partitions=2, on=[servers.source])
    servers.create_topic(servers.target, topic, 2)
    send(servers.source, topic, [
        {"key": b"k1", "value": b'{"type":"sale","n":6,"id":1,"name":"Joe"}', "partition": 0, "timestamp": 1000},
        {"key": b"k2", "value": b'{"type":"buy","n":6}', "partition": 1, "timestamp": 2000},
        {"key": b"k3", "value": b'{"type":"sale","n":5}', "partition": 0, "timestamp": 3000},
        {"key": b"k4", "value": b'{"type":"sale","n":7,"name":5}', "partition": 1, "timestamp": 4000},
        {"key": b"k5", "value": b"\xff\x00", "partition": 0, "timestamp": 5000},
        {"key": b"k6", "value": b'{"type":"sale","n":8,"name":"Ann"}', "partition": 1, "timestamp": 6000}])
    return topic


def preview(stack, body, path=PREVIEW):
    return stack.rest.post(path, body).json


def test_every_verdict_with_its_reason(stack, servers, topics):
    topic = orders(topics, servers)
    found = preview(stack, {"spec": shaped(topic)})
    peek = stack.rest.get("/api/v1/teams/default/audit?action=record.peek&limit=1")["items"][0]
    assert (peek["actor"], peek["outcome"], peek["detail"]["topic"]) == ("admin", "ok", topic)
    assert peek["ip"] and peek["request_id"]
    assert (found["topic"], found["read"], found["complete"]) == (topic, 6, True)
    assert [one["verdict"] for one in found["records"]] == [
        "changed", "dropped", "dropped", "error", "error", "changed"]
    joe, buy, few, wrong, binary, _ = found["records"]
    assert (joe["partition"], joe["offset"], joe["timestamp"]) == (0, "0", "1970-01-01T00:00:01.000Z")
    assert joe["input"] == {"key": "k1", "key_encoding": "text", "headers": [],
                            "value": {"type": "sale", "n": 6, "id": 1, "name": "Joe"}}
    assert joe["output"]["value"]["id"] == 10 and joe["output"]["partition"] == 0
    assert {(c["op"], c["pointer"]): c.get("to") for c in joe["changes"]} == {
        ("replace", "/value/id"): 10, ("replace", "/key"): "k9",
        ("add", "/headers/0"): {"name": "origin", "value": "prod"}}
    assert (buy["reason"], buy["why"]) == ("filter", [{
        "expression": "value.type == 'sale'", "value": False,
        "operands": [{"expression": "value.type", "value": "buy"}]}])
    assert [part["expression"] for part in few["why"]] == ["value.n > `5`", "value.vip"]
    assert [part["value"] for part in few["why"]] == [False, None]
    assert wrong["stage"] == "transform" and "length()" in wrong["message"]
    assert binary["stage"] == "decode" and binary["input"]["value_encoding"] == "base64"
    assert binary["input"]["value"] == "/wA="
    paths = {f["path"]: (f["types"], f["records"]) for f in found["unmasked"]}
    assert paths["value.name"] == (["string"], 2) and paths["key"] == (["text"], 2)
    assert paths["value.id"] == (["number"], 1)


def test_chosen_records(stack, servers, topics):
    topic = orders(topics, servers)

    def offsets(**body):
        return [(one["partition"], one["offset"]) for one in preview(
            stack, {"spec": shaped(topic), **body})["records"]]
    assert offsets(limit=2) == [(0, "2"), (1, "2")]
    assert offsets(limit=3, partition=1) == [(1, "0"), (1, "1"), (1, "2")]
    assert offsets(partition=0, offset="1") == [(0, "1"), (0, "2")]
    assert offsets(partition=0, offset="1", limit=1) == [(0, "1")]
    assert offsets(partition=0, offset=7) == []
    assert offsets(timestamp="1970-01-01T00:00:04Z") == [(1, "1"), (0, "2"), (1, "2")]
    assert offsets(timestamp=4000, limit=1) == [(1, "1")]
    chosen = [{"partition": 1, "offset": "2"}, {"partition": 0, "offset": 0}, {"partition": 0, "offset": 99}]
    assert offsets(records=chosen) == [(0, "0"), (1, "2")]
    assert offsets(records=chosen[2:]) == []
    for body, pointer in (({"records": [{"partition": 0}]}, "/records/0"), ({"records": []}, "/records"),
                          ({"records": chosen, "limit": 2}, "/records"), ({"records": "0:1"}, "/records")):
        answer = stack.rest.call("POST", PREVIEW, {"spec": shaped(topic), **body})
        assert answer.status == 422 and f'"{pointer}"' in answer.text, answer.text
    answer = stack.rest.call("POST", PREVIEW, {"spec": shaped(topic), "records": [{"partition": 2, "offset": 0}]})
    assert answer.status == 409 and "has no partition 2" in answer.text


def test_what_cannot_be_previewed(stack, servers, topics):
    topic = orders(topics, servers)
    good = shaped(topic)
    for body, status, pointer in (
            ({}, 422, "/spec"), ({"spec": good, "limit": 0}, 422, "/limit"), ({"spec": good, "limit": 999}, 422, "/limit"),
            ({"spec": good, "offset": 1}, 422, "/partition"), ({"spec": good, "topic": "x"}, 422, "/topic"),
            ({"spec": {**good, "valid_jmespath": "value."}}, 422, "/spec/valid_jmespath"),
            ({"spec": {**good, "value_map": "gone"}}, 422, "/spec/value_map"),
            ({"spec": {**good, "source": {"cluster": "gone", "topic": topic}}}, 422, "/spec/source/cluster"),
            ({"spec": {**good, "mask": [{"path": "value.a", "how": "hash"}], "mask_secret": "${env:CITIZENK_MASK_NOT_SET}"}}, 422,
             "/spec/mask_secret"),
            ({"spec": {**good, "source": {"cluster": "source", "topic": "not-there"}}}, 409, None),
            ({"spec": good, "partition": 2}, 409, None)):
        answer = stack.rest.call("POST", PREVIEW, body)
        assert answer.status == status, (body, answer.text)
        assert pointer is None or answer.json["errors"][0]["pointer"] == pointer, answer.text
    assert stack.rest.call("POST", mapping_path("not-there", "preview"), {}).status == 404


def test_a_masked_mapping_shows_nothing_unmasked(stack, servers, topics, tmp_path):
    """Not in input, output, reasons or differences; what cannot be masked is not shown at all."""
    topic = orders(topics, servers)
    secret = tmp_path / "mask"
    secret.write_text("a secret of more than 16 bytes")
    found = preview(stack, {"spec": {**shaped(topic), "mask_secret": f"${{file:{secret}}}", "mask": [
        {"path": "value.name", "how": "hash"}, {"path": "key", "how": "hash"}, {"path": "value.type", "how": "redact"}]}})
    text = json.dumps(found["records"])
    assert "Joe" not in text and "buy" not in text and '"k1"' not in text
    joe, buy, _, _, binary, _ = found["records"]
    assert {c["pointer"] for c in joe["changes"] if c["op"] == "mask"} == {"/key", "/value/name", "/value/type"}
    assert joe["output"]["value"]["name"] == joe["input"]["value"]["name"]
    assert buy["why"] == [{"expression": "value.type == 'sale'"}]
    assert binary["input"] is None
    assert "value.name" not in {f["path"] for f in found["unmasked"]}


def test_a_saved_mapping_and_no_trace(stack, servers, topics):
    topic = orders(topics, servers)
    stack.put_mapping(topic, {**shaped(topic), "enabled": False})
    before = servers.admin(servers.source).list_consumer_groups().result(20).valid
    saved = preview(stack, {"limit": 6}, mapping_path(topic, "preview"))
    assert [saved[n] for n in ("passed", "changed", "dropped", "errors")] == [0, 2, 2, 2]
    other = preview(stack, {"spec": spec(topic)}, mapping_path(topic, "preview"))
    assert [other[n] for n in ("passed", "changed", "dropped", "errors")] == [6, 0, 0, 0]
    after = servers.admin(servers.source).list_consumer_groups().result(20).valid
    assert {g.group_id for g in after} == {g.group_id for g in before}
    assert read(servers.target, topic, 0, settle=0.3) == []


def test_too_many_at_once(stack, servers, topics):
    topic = orders(topics, servers)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: stack.rest.call("POST", PREVIEW, {"spec": shaped(topic)}), range(16)))
    statuses = {one.status for one in answers}
    assert statuses == {200, 503}, statuses
    assert all("retry-after" in one.headers for one in answers if one.status == 503)


def test_the_command(stack, servers, topics, tmp_path):
    topic = orders(topics, servers)
    stack.put_mapping(topic, {**shaped(topic), "enabled": False})
    environment = {"CITIZENK_SERVER": stack.rest.url, "CITIZENK_TOKEN": stack.token, "PATH": "/usr/bin:/bin"}

    def run(*args):
        return subprocess.run([bin_dir() / "citizenk", "preview", *args], env=environment, capture_output=True,
                              text=True, timeout=60, check=False)
    done = run(topic, "-n", "6", "--fields")
    assert done.returncode == 0, done.stderr
    assert f"6 records of {topic}, 2 changed, 2 dropped, 2 errors" in done.stdout
    assert "filter: value.type == 'sale' is false with value.type \"buy\"" in done.stdout
    assert "/value/id 1 → 10" in done.stdout and "value.name" in done.stdout
    done = run(topic, "--record", "0:0", "--record", "1:2")
    assert done.returncode == 0 and f"2 records of {topic}, 2 changed" in done.stdout, done
    assert run(topic, "--record", "1").returncode == 5
    document = tmp_path / "m.yaml"
    document.write_text(json.dumps({"api": "citizenk/v1", "kind": "mapping", "name": "new", "spec": spec(topic)}))
    done = run("-f", str(document), "-o", "json")
    assert done.returncode == 0 and json.loads(done.stdout)["passed"] == 6, done.stderr
    document.write_text("api: citizenk/v1\nkind: mapping\nname: new\nspec:\n  source: {cluster: source, topic: x}\n"
                        "  target: {cluster: target}\n  valid_jmespath: 'value.'\n")
    done = run("-f", str(document))
    assert done.returncode == 5 and f"{document}:7:" in done.stderr and "position 6" in done.stderr, done.stderr
    assert run().returncode == 64 and run("not-there").returncode == 1
