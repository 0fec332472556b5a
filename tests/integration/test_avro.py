# SPDX-License-Identifier: Apache-2.0
"""Avro: read by a registry's schemas, filtered, mapped and written again; a registry that is away."""
import subprocess
import uuid

import pytest

from support.citizenk import api_path
from support.registry import Apicurio, Fake

from .avro_records import SALE, datum, framed, sale, undatum, unframed
from .copying import mapping_path, read, send, values, wait_totals


@pytest.fixture(scope="module")
def registries(run_folder):
    """Two real ones that know nothing of one another."""
    two = [Apicurio(run_folder, name).start() for name in ("registry-one", "registry-two")]
    yield [one.wait_ready() for one in two]
    for one in two:
        one.stop()


@pytest.fixture(scope="module")
def registry(registries):
    return registries[0]


@pytest.fixture
def fake():
    made = []

    def make(**more):
        made.append(Fake(**more))
        return made[-1]

    yield make
    for one in made:
        one.stop()


def put_cluster(stack, name, broker, url, **more):
    stack.rest.save(api_path("teams", "default", "clusters", name),
                    {"spec": {"bootstrap_servers": broker.bootstrap, "schema_registry": {"url": url, **more}}})


def verify(stack, name):
    return stack.rest.post(mapping_path(name, "verify"), {"since": "all"}).json


def spec(topic, cluster, **more):
    return {"source": {"cluster": cluster, "topic": topic}, "start": "earliest",
            "target": {"cluster": "target", "topic": topic}, **more}


def test_filter_sample_and_value_map_over_avro(stack, topics, registry):
    """Only changed fields change; a record that no map touches keeps its bytes."""
    topic = topics("avro", partitions=1)
    put_cluster(stack, "avro", stack.servers.source, registry.url)
    schema_id, key_id = registry.register(f"{topic}-value", SALE), registry.register(f"{topic}-key", '"string"')
    kinds = ["SALE", "REFUND", "SALE", "VOID"]
    sales = [sale(n, kinds[n % 4], ["anna", None, "zoë"][n % 3], [n, 2**40, "there", sale(1)["event"]][n % 4])
             for n in range(40)]
    stack.put_mapping(topic, spec(
        topic, "avro", key_format="avro", value_format="avro",
        valid_jmespath="value.event.type == 'SALE' && value.amount > `-1.5` && starts_with(key, 'k')",
        value_map={"value.customer": {"anna": "person-1"}, "value.lines.n": {"2": 20}, "key": {"k8": "key-eight"}}))
    send(stack.servers.source, topic, [
        {"key": framed(key_id, datum("string", f"k{n}")), "value": framed(schema_id, datum(SALE, one))}
        for n, one in enumerate(sales)] + [{"key": framed(key_id, datum("string", "k8"))}])
    expected = [one for one in sales if one["event"]["type"] == "SALE" and float(one["amount"]) > -1.5]
    assert len(expected) == 16
    found = read(stack.servers.target, topic, len(expected))
    for one, want in zip(found, expected, strict=False):
        got_id, data = unframed(one.value)
        key = unframed(one.key)
        assert got_id == schema_id
        assert key == (key_id, datum("string", "key-eight" if want["id"] == 8 else f"k{want['id']}"))
        touched = want["customer"] == "anna" or any(line["n"] == 2 for line in want["lines"])
        mapped = {**want, "customer": "person-1" if want["customer"] == "anna" else want["customer"],
                  "lines": [{**line, "n": 20 if line["n"] == 2 else line["n"]} for line in want["lines"]]}
        assert undatum(SALE, data) == mapped
        if not touched:
            assert data == datum(SALE, want)
    # The tombstone has no event, so the filter drops it.
    wait_totals(stack, topic, out=16, filter=25)
    report = verify(stack, topic)
    assert report["equal"] and (report["expected"], report["arrived"]) == ("16", "16"), report
    wrong = {**sale(40), "customer": "person-2"}
    send(stack.servers.target, topic, [{"key": found[0].key, "value": framed(schema_id, datum(SALE, wrong)),
                                        "timestamp": found[0].timestamp}])
    assert (verify(stack, topic)["equal"], verify(stack, topic)["extra"]) == (False, "1")


def test_a_preview_reads_avro(stack, topics, fake):
    """By the worker's own stages: why one is dropped, what changes, what no mask covers, and what cannot be read."""
    topic, one = topics("avro-preview", partitions=1, on=[stack.servers.source]), fake().start()
    plain = 0x01010101      # without a zero byte, which is shown in text only
    one.schemas[1] = SALE
    put_cluster(stack, "avro-preview", stack.servers.source, one.url)
    send(stack.servers.source, topic, [{"value": value} for value in (
        framed(1, datum(SALE, sale(plain))), framed(1, datum(SALE, sale(plain, kind="VOID"))), framed(9, b"x"), b"none")])
    shaped = spec(topic, "avro-preview", value_format="avro", valid_jmespath="value.event.type == 'SALE'",
                  value_map={"value.note": {"nnnn": "one"}})
    path = api_path("teams", "default", "preview")
    found = stack.rest.post(path, {"spec": shaped}).json
    assert [record["verdict"] for record in found["records"]] == ["changed", "dropped", "error", "error"], found
    changed, dropped, unknown, bare = found["records"]
    assert [(c["pointer"], c["from"], c["to"]) for c in changed["changes"]] == [("/value/note", "nnnn", "one")]
    assert changed["input"]["value"]["event"]["type"] == "SALE"
    assert dropped["why"][0]["operands"] == [{"expression": "value.event.type", "value": "VOID"}]
    assert unknown["stage"] == bare["stage"] == "decode" and "no " in unknown["message"]
    assert "value.customer" in {field["path"] for field in found["unmasked"]}
    masked = stack.rest.post(path, {"spec": {**shaped, "mask": [{"path": "value.customer", "how": "redact"}]},
                                    "records": [{"partition": 0, "offset": 0}, {"partition": 0, "offset": 1}]}).json
    assert "anna" not in str(masked) and "value.customer" not in {field["path"] for field in masked["unmasked"]}


def test_masks_over_avro_exactly_once(stack, topics, fake):
    """Masked before a transform sees it; a mask that the schema has no room for is an error, and nothing passes
    unmasked; a registry that comes late only delays the transactions."""
    topic = topics("avro-mask", partitions=1)
    one = fake()
    one.schemas[1] = SALE
    put_cluster(stack, "avro-late", stack.servers.source, one.url)
    masks = [{"path": "value.customer", "how": "redact"}, {"path": "value.tags", "how": "null"}]
    stack.put_mapping(topic, spec(topic, "avro-late", value_format="avro", delivery="exactly_once", on_error="skip",
                                  mask=masks[:1], valid_jmespath="value.id != `3`"))
    other = topics("avro-mask-wide", partitions=1)
    stack.put_mapping(other, {**spec(topic, "avro-late", value_format="avro", on_error="skip", mask=masks),
                              "target": {"cluster": "target", "topic": other}})
    send(stack.servers.source, topic, [{"value": framed(1, datum(SALE, sale(n)))} for n in range(6)])
    stack._wait(lambda: one.url in str(stack.status(topic)["tasks"]), 20, "the status to say what is waited for",
                lambda: stack.status(topic)["tasks"])
    one.start()
    found = [undatum(SALE, unframed(record.value)[1]) for record in read(stack.servers.target, topic, 5)]
    assert found == [{**sale(n), "customer": "***"} for n in (0, 1, 2, 4, 5)]
    wait_totals(stack, topic, out=5, filter=1, error=0)
    wait_totals(stack, other, out=0, error=6)


def test_a_transform_writes_avro_by_the_same_schema(stack, topics, registry):
    """Missing fields get their defaults; what does not fit is an error of the record."""
    topic = topics("avro-transform", partitions=1)
    put_cluster(stack, "avro", stack.servers.source, registry.url)
    schema = {"type": "record", "name": "T", "fields": [
        {"name": "a", "type": "int"}, {"name": "b", "type": ["null", "string"], "default": None},
        {"name": "c", "type": {"type": "array", "items": "long"}, "default": [1]}]}
    schema_id = registry.register(f"{topic}-value", schema)
    stack.put_mapping(topic, spec(topic, "avro", value_format="avro", on_error="skip",
                                  transform_jmespath="{a: value.a, b: value.b && join('', [value.b, '!'])}"))
    rows = [{"a": 1, "b": "x", "c": [2, 3]}, {"a": 2, "b": None, "c": []}]
    send(stack.servers.source, topic, [{"value": framed(schema_id, datum(schema, row))} for row in rows])
    found = [undatum(schema, unframed(one.value)[1]) for one in read(stack.servers.target, topic, 2)]
    assert found == [{"a": 1, "b": "x!", "c": [1]}, {"a": 2, "b": None, "c": [1]}]


def test_the_schema_stands_in_a_header(stack, topics, fake):
    """A GUID, as newer clients write it, or an id; nothing stands in front of the datum then."""
    topic = topics("avro-header", partitions=1)
    one = fake().start()
    guid = bytes(range(16))
    one.guids["00010203-0405-0607-0809-0a0b0c0d0e0f"] = one.schemas[5] = SALE
    put_cluster(stack, "avro-header", stack.servers.source, one.url)
    stack.put_mapping(topic, spec(topic, "avro-header", value_format="avro", valid_jmespath="value.id != `1`",
                                  value_map={"value.note": {"nn": "two"}}))
    send(stack.servers.source, topic, [
        {"value": datum(SALE, sale(n)), "headers": [("__value_schema_id", name)]}
        for n, name in enumerate([b"\1" + guid, b"\1" + guid, b"\0\0\0\0\5"])] + [
            {"value": b"\1" + guid + datum(SALE, sale(2))}])
    found = read(stack.servers.target, topic, 3)
    assert [record.headers for record in found] == [
        [("__value_schema_id", b"\1" + guid)], [("__value_schema_id", b"\0\0\0\0\5")], []]
    assert [undatum(SALE, record.value)["note"] for record in found[:2]] == ["", "two"]
    assert undatum(SALE, found[2].value[17:])["note"] == "two" and found[2].value[:17] == b"\1" + guid


def test_poisoned_avro_is_answered_by_on_error(stack, topics, registry):
    """Unknown id, no id at all, a datum cut short, a schema that is not Avro: parked with the reason;
    what is good between them arrives."""
    topic, parked = topics("avro-poison", partitions=1), topics("avro-parked", partitions=1)
    put_cluster(stack, "avro", stack.servers.source, registry.url)
    schema_id = registry.register(f"{topic}-value", SALE)
    proto_id = registry.register(f"{topic}-proto", 'syntax = "proto3"; message M { int32 a = 1; }', kind="PROTOBUF")
    good = framed(schema_id, datum(SALE, sale(3)))
    deep = {"type": "record", "name": "Deep", "fields": [{"name": "d", "type": ["null", "Deep"]}]}
    deep_id = registry.register(f"{topic}-deep", deep)
    bad = [framed(987654, datum(SALE, sale(1))), b'{"json":1}', good[:-1], good + b"x", framed(proto_id, b"\0\x08\1"),
           framed(deep_id, b"\2" * 10_000 + b"\0"), b""]
    stack.put_mapping(topic, spec(topic, "avro", value_format="avro", on_error={"dead_letter": parked},
                                  valid_jmespath="value != `0`"))
    send(stack.servers.source, topic, [{"value": one} for pair in zip(bad, [good] * len(bad)) for one in pair])
    assert values(read(stack.servers.target, topic, len(bad))) == [good] * len(bad)
    found = read(stack.servers.target, parked, len(bad))
    assert values(found) == bad
    reasons = [dict(one.headers)["__connect.errors.exception.message"].decode() for one in found]
    for reason, words in zip(reasons, ["987654", "no schema is named", "past the end", "bytes follow", "PROTOBUF",
                                       "nested too deep", "no schema is named"]):
        assert words in reason, reasons
    wait_totals(stack, topic, out=len(bad), dead_letter=len(bad))


def test_a_registry_that_is_away_holds_up_only_its_own(stack, topics, fake):
    """The task waits, says why, goes on by itself; a raw mapping of the same topic does not notice; one
    question is asked for all records; a 404 that is not the registry's own drops nothing."""
    topic = topics("avro-away", partitions=2)
    one = fake()
    put_cluster(stack, "avro-away", stack.servers.source, one.url)
    raw = topics("avro-raw", partitions=2)
    stack.put_mapping(topic, spec(topic, "avro-away", value_format="avro", valid_jmespath="value.id >= `0`",
                                  on_error="skip"))
    stack.put_mapping(raw, {**spec(topic, "avro-away"), "target": {"cluster": "target", "topic": raw}})
    records = [{"value": framed(1 + n % 2, datum(SALE, sale(n))), "partition": n % 2} for n in range(200)]
    send(stack.servers.source, topic, records)
    assert len(read(stack.servers.target, raw, 200)) == 200
    stack._wait(lambda: one.url in str(stack.status(topic)["tasks"]), 20, "the status to say what is waited for",
                lambda: stack.status(topic)["tasks"])
    assert stack.task_states(topic) == ["RUNNING"]
    one.broken = (404, {"detail": "no such page"})
    one.schemas.update({1: SALE, 2: SALE})
    one.start()
    stack._wait(lambda: "is the URL" in str(stack.status(topic)["tasks"]), 20, "the status to doubt the URL",
                lambda: stack.status(topic)["tasks"])
    one.broken = (503, {"error_code": 50003, "message": "later"})
    stack._wait(lambda: "later" in str(stack.status(topic)["tasks"]), 20, "the status to say 503",
                lambda: stack.status(topic)["tasks"])
    one.broken = None
    found = read(stack.servers.target, topic, 200)
    assert sorted(values(found)) == sorted(record["value"] for record in records)
    good = sorted(path for status, path in one.asked if status == 200)
    assert good == ["/schemas/ids/1", "/schemas/ids/2"], "each is asked for once, whoever wants it"
    wait_totals(stack, topic, out=200, error=0)
    stack._wait(lambda: "error" not in stack.status(topic)["tasks"][0], 10, "the status to be quiet again",
                lambda: stack.status(topic)["tasks"])


def test_tls_and_basic_authentication(make_stack, topics, fake, tmp_path):
    """The certificate is checked, the password is a reference and shows nowhere."""
    topic = topics("avro-tls", partitions=1)
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
                    "-keyout", key, "-out", cert], check=True, capture_output=True)
    (tmp_path / "password").write_text("s3cret-of-the-registry")
    one = fake(auth="reader:s3cret-of-the-registry", tls=(cert, key)).start()
    one.schemas[1] = SALE
    stack = make_stack(1, 1)
    login = {"username": "reader", "password": f"${{file:{tmp_path / 'password'}}}"}
    put_cluster(stack, "avro-tls", stack.servers.source, one.url, **login)
    stack.put_mapping(topic, spec(topic, "avro-tls", value_format="avro", valid_jmespath="value.id == `4`"))
    send(stack.servers.source, topic, [{"value": framed(1, datum(SALE, sale(n)))} for n in range(6)])
    stack._wait(lambda: "certificate" in str(stack.status(topic)["tasks"]).lower(), 20, "the certificate to be refused",
                lambda: stack.status(topic)["tasks"])
    assert one.asked == []
    put_cluster(stack, "avro-tls", stack.servers.source, one.url, ssl_ca=cert.read_text(), **login)
    assert values(read(stack.servers.target, topic, 1)) == [framed(1, datum(SALE, sale(4)))]
    cluster = stack.rest.get(api_path("teams", "default", "clusters", "avro-tls"))
    assert "s3cret" not in str(cluster)
    assert not any("s3cret" in path.read_text() for _, path in stack.logs())
    assert stack.rest.call("GET", mapping_path(topic)).status == 200


LINE = {"type": "record", "name": "Line", "namespace": "shop", "fields": [{"name": "sku", "type": "string"}]}
ORDER = {"type": "record", "name": "Order", "namespace": "shop", "fields": [
    {"name": "id", "type": "long"}, {"name": "lines", "type": {"type": "array", "items": "Line"}}]}
ORDER_2 = {**ORDER, "fields": [*ORDER["fields"], {"name": "note", "type": "string", "default": "none"}]}
WHOLE = {**ORDER, "fields": [ORDER["fields"][0], {"name": "lines", "type": {"type": "array", "items": LINE}}]}
WHOLE_2 = {**WHOLE, "fields": [*WHOLE["fields"], ORDER_2["fields"][2]]}


def copy_spec(topic, target, **more):
    return {"source": {"cluster": "avro-one", "topic": topic}, "start": "earliest",
            "target": {"cluster": "avro-two", "topic": target}, **more}


def test_from_registry_to_registry(stack, topics, registries):
    """A subject comes over with all versions in their order, what it refers to and its compatibility, under the
    target topic's name; ids in keys and values are the target's, in a mapping that is raw otherwise, too."""
    one, two = registries
    put_cluster(stack, "avro-one", stack.servers.source, one.url)
    put_cluster(stack, "avro-two", stack.servers.target, two.url)
    topic, target = topics("copy-from", partitions=1), topics("copy-to", partitions=1)
    one.register(f"{topic}-line", LINE)
    refers = [{"name": "shop.Line", "subject": f"{topic}-line", "version": 1}]
    first = one.register(f"{topic}-value", ORDER, refers)
    one.call("PUT", f"/config/{topic}-value", {"compatibility": "FULL"})
    second = one.register(f"{topic}-value", ORDER_2, refers)
    key_id = one.register(f"{topic}-key", '"string"')
    number = 0      # the same ids mean something else there
    while two.register(f"{topic}-other-{number}", {"type": "record", "name": f"X{number}", "fields": []}) <= second:
        number += 1
    stack.put_mapping(target, copy_spec(topic, target, schemas={"copy": "both"}))
    new = {"id": 2, "lines": [{"sku": "b"}], "note": "hi"}
    old = {"id": 1, "lines": [{"sku": "a"}, {"sku": "é"}]}
    send(stack.servers.source, topic, [
        {"key": framed(key_id, datum("string", "k")), "value": framed(second, datum(WHOLE_2, new))},
        {"key": b"plain", "value": framed(first, datum(WHOLE, old))},
        {"key": framed(key_id, datum("string", "k"))}, {"value": b"no schema"}])
    found = read(stack.servers.target, target, 4)
    versions = two.versions(f"{target}-value")
    assert [version["schema"] for version in versions] == [v["schema"] for v in one.versions(f"{topic}-value")]
    assert versions[0]["references"] == refers == versions[1]["references"]
    assert two.call("GET", f"/config/{target}-value")["compatibilityLevel"] == "FULL"
    ids = [version["id"] for version in versions]
    assert min(ids) > second
    assert [unframed(one.value) for one in found[:2]] == [(ids[1], datum(WHOLE_2, new)), (ids[0], datum(WHOLE, old))]
    key = two.versions(f"{target}-key")[0]["id"]
    assert [record.key for record in found] == [
        framed(key, datum("string", "k")), b"plain", framed(key, datum("string", "k")), None]
    assert values(found[2:]) == [None, b"no schema"]
    # Ids that were rewritten are no difference; an id that means something else there, or a wrong datum, is.
    wait_totals(stack, target, out=4)
    report = verify(stack, target)
    assert report["equal"] and (report["expected"], report["arrived"]) == ("4", "4"), report
    for value in (framed(ids[1], datum(WHOLE, old)), framed(ids[0], datum(WHOLE, {**old, "id": 3}))):
        send(stack.servers.target, target, [{"key": b"plain", "value": value, "timestamp": found[1].timestamp + 1}])
    send(stack.servers.source, topic, [{"key": b"plain", "value": framed(first, datum(WHOLE, old)),
                                        "timestamp": found[1].timestamp + 1}])
    wait_totals(stack, target, out=5)
    report = verify(stack, target)
    assert not report["equal"] and report["extra"] == "2" and report["missing"] == "0", report


def test_headers_name_the_target_registrys_schema(stack, topics, fake):
    """Ids in headers become the target's; a GUID stays when it is the same there, else it becomes the
    target's, too, which makes it of other references. In front of the datum likewise."""
    one, two = fake().start(), fake().start()
    put_cluster(stack, "header-one", stack.servers.source, one.url)
    put_cluster(stack, "header-two", stack.servers.target, two.url)
    topic = topics("copy-header", partitions=1)
    same, other = '{"type":"record","name":"Same","fields":[]}', '{"type":"record","name":"Other","fields":[]}'
    kept = uuid.UUID(Fake.guid_of(same)).bytes
    was, becomes = b"0123456789abcdef", uuid.UUID(Fake.guid_of(other)).bytes
    one.guids[str(uuid.UUID(bytes=kept))] = one.schemas[5] = same
    one.guids[str(uuid.UUID(bytes=was))] = one.schemas[6] = other
    more = {"headers": {"rename": {"__value_schema_id": "named"}, "add": {"x": "y"}}}
    for name, extra in ((topic, {}), (topics("copy-renamed", partitions=1), more)):
        stack.put_mapping(name, {"source": {"cluster": "header-one", "topic": topic}, "start": "earliest",
                                 "target": {"cluster": "header-two", "topic": name},
                                 "schemas": {"copy": "value"}, **extra})
    names = [b"\0\0\0\0\5", b"\0\0\0\0\6", b"\1" + kept, b"\1" + was]
    send(stack.servers.source, topic, [
        *({"value": b"", "headers": [("a", b"b"), ("__value_schema_id", one)]} for one in names),
        {"value": b"\1" + was}])
    found = read(stack.servers.target, topic, 5)
    ids = {text: b"\0" + number.to_bytes(4, "big") for number, text in two.schemas.items()}
    wanted = [ids[same], ids[other], b"\1" + kept, b"\1" + becomes]
    assert ids[same] != names[0] and ids[other] != names[1]
    assert [record.headers for record in found] == [*([("a", b"b"), ("__value_schema_id", w)] for w in wanted), []]
    assert values(found) == [b""] * 4 + [b"\1" + becomes]
    renamed = read(stack.servers.target, name, 5)
    assert [record.headers for record in renamed[:4]] == [[("a", b"b"), ("named", w), ("x", b"y")] for w in wanted]


@pytest.mark.parametrize("by", ["record_name", "topic_record_name"])
def test_subject_strategies(stack, topics, registries, by):
    """Several record types in one topic, each in a subject of its own; filtered and mapped on the way."""
    one, two = registries
    put_cluster(stack, "avro-one", stack.servers.source, one.url)
    put_cluster(stack, "avro-two", stack.servers.target, two.url)
    topic, target = topics("names-from", partitions=1), topics("names-to", partitions=1)
    kinds = [{"type": "record", "name": f"K{n}", "namespace": by + topic.replace("-", "_"), "fields": [
        {"name": f"f{n}", "type": "string"}]} for n in range(2)]
    names = [f"{kind['namespace']}.{kind['name']}" for kind in kinds]
    prefix = {"record_name": ("", ""), "topic_record_name": (f"{topic}-", f"{target}-")}[by]
    ids = [one.register(prefix[0] + name, kind) for name, kind in zip(names, kinds)]
    two.register(f"{topic}-other", {"type": "record", "name": "Y", "fields": []})
    stack.put_mapping(target, copy_spec(topic, target, schemas={"copy": "value", "subjects": by}, value_format="avro",
                                        valid_jmespath="value.f0 != 'out'", value_map={"value.f1": {"b": "c"}}))
    send(stack.servers.source, topic, [{"value": framed(ids[n], datum(kinds[n], {f"f{n}": text}))}
                                       for n, text in [(0, "a"), (0, "out"), (1, "b"), (0, "z")]])
    found = read(stack.servers.target, target, 3)
    theirs = [two.versions(prefix[1] + name)[0]["id"] for name in names]
    assert [unframed(record.value) for record in found] == [
        (theirs[n], datum(kinds[n], {f"f{n}": text})) for n, text in [(0, "a"), (1, "c"), (0, "z")]]


def test_what_the_target_registry_refuses_waits(stack, topics, registries):
    """An incompatible schema holds the task up and says so; when the target's rule is gone it goes on by itself."""
    one, two = registries
    put_cluster(stack, "avro-one", stack.servers.source, one.url)
    put_cluster(stack, "avro-two", stack.servers.target, two.url)
    topic = topics("copy-refused", partitions=1)
    number, text = ({"type": "record", "name": "R", "fields": [{"name": "f", "type": kind}]} for kind in ("int", "string"))
    two.register(f"{topic}-value", number)
    two.call("PUT", f"/config/{topic}-value", {"compatibility": "BACKWARD"})
    schema_id = one.register(f"{topic}-value", text)
    stack.put_mapping(topic, copy_spec(topic, topic, schemas={"copy": "value"}, on_error="skip"))
    send(stack.servers.source, topic, [{"value": framed(schema_id, datum(text, {"f": "x"}))}])
    stack._wait(lambda: "refuses" in str(stack.status(topic)["tasks"]), 20, "the status to say that it is refused",
                lambda: stack.status(topic)["tasks"])
    two.call("PUT", f"/config/{topic}-value", {"compatibility": "NONE"})
    assert unframed(read(stack.servers.target, topic, 1)[0].value) == (
        two.versions(f"{topic}-value")[-1]["id"], datum(text, {"f": "x"}))
    wait_totals(stack, topic, out=1, error=0)


def test_a_slow_registry_slows_only_its_own(stack, topics, fake):
    """Two seconds for an answer: a raw mapping of the same topic and lane does not wait, a transaction survives it,
    and each schema is asked for once."""
    topic = topics("avro-slow", partitions=1)
    one = fake().start()
    one.schemas.update({1: SALE, 2: SALE})
    one.delay = 2
    put_cluster(stack, "avro-slow", stack.servers.source, one.url)
    names = {}
    for delivery in ("at_least_once", "exactly_once"):
        names[delivery] = topics(f"avro-slow-{delivery[:5]}", partitions=1, on=[stack.servers.target])
        stack.put_mapping(names[delivery], {
            **spec(topic, "avro-slow", value_format="avro", valid_jmespath="value.id >= `0`", delivery=delivery),
            "target": {"cluster": "target", "topic": names[delivery]}})
    stack.put_mapping(topic, spec(topic, "avro-slow"))
    sent = [framed(1 + n // 20 % 2, datum(SALE, sale(n))) for n in range(80)]
    send(stack.servers.source, topic, [{"value": one} for one in sent])
    assert values(read(stack.servers.target, topic, 80)) == sent
    assert not one.asked, "the raw one was not faster than the first answer"
    for name in names.values():
        assert values(read(stack.servers.target, name, 80, settle=0.2)) == sent
    assert sorted(path for _, path in one.asked) == ["/schemas/ids/1", "/schemas/ids/2"]


def test_a_target_registry_that_is_killed_and_comes_back_empty(stack, topics, registries):
    """A new schema waits while it is away, and what is behind it; nothing is written with an id that is not the
    target's. Empty again, it is given all versions anew: the ids of before mean other schemas there."""
    one, two = registries
    put_cluster(stack, "avro-one", stack.servers.source, one.url)
    put_cluster(stack, "avro-two", stack.servers.target, two.url)
    topic = topics("lost", partitions=1)
    targets = {delivery: topics(f"lost-{delivery[:5]}", partitions=1) for delivery in ("at_least_once", "exactly_once")}
    refers = [{"name": "shop.Line", "subject": f"{topic}-line", "version": 1}]
    one.register(f"{topic}-line", LINE)
    first = one.register(f"{topic}-value", ORDER, refers)
    data = [framed(first, datum(WHOLE, {"id": n, "lines": [{"sku": "a"}]})) for n in range(20)]
    for delivery, target in targets.items():
        stack.put_mapping(target, copy_spec(topic, target, schemas={"copy": "value"}, delivery=delivery))
    send(stack.servers.source, topic, [{"value": value} for value in data[:10]])
    for target in targets.values():
        read(stack.servers.target, target, 10)
    two.kill9()
    second = one.register(f"{topic}-value", ORDER_2, refers)
    data[10] = framed(second, datum(WHOLE_2, {"id": 10, "lines": [], "note": "new"}))
    send(stack.servers.source, topic, [{"value": value} for value in data[10:]])
    for target in targets.values():
        stack._wait(lambda name=target: two.url in str(stack.status(name)["tasks"]), 20,
                    "the status to say what is waited for", lambda name=target: stack.status(name)["tasks"])
        assert stack.task_states(target) == ["RUNNING"]
        assert len(read(stack.servers.target, target, 10, settle=0.3)) == 10
    two.start().wait_ready()
    for number in range(3):     # an id of before means something else now
        two.register(f"{topic}-other-{number}", {"type": "record", "name": f"Z{number}", "fields": []})
    for target in targets.values():
        found = read(stack.servers.target, target, 20, settle=0.3)
        assert [unframed(record.value)[1] for record in found] == [unframed(value)[1] for value in data]
        now = [version["id"] for version in two.versions(f"{target}-value")]
        assert [unframed(record.value)[0] for record in found[10:]] == [now[1]] + [now[0]] * 9
        wait_totals(stack, target, out=20, error=0)
