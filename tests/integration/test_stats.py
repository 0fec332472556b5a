# SPDX-License-Identifier: Apache-2.0
"""The counters: shown within two seconds, equal to what was produced, and in Prometheus' form.  And
the history, which shows what was changed by whom."""
import json
import re
import time

import pytest

from .copying import mapping_path, read, send, spec, wait_lag, wait_totals, wait_until

SHOWN_WITHIN_S = 2
FILTER = "value.n >= `0`"


def counted_records(good=60, filtered=30, dropped=10, broken=4):
    """(records, what the counters must say)."""
    records = [{"key": b"k", "value": b'{"n":%d}' % n} for n in range(good)]
    records += [{"key": b"k", "value": b'{"n":-1}'}] * filtered
    records += [{"key": b"gone", "value": b'{"n":1}'}] * dropped
    records += [{"key": b"k", "value": b"broken"}] * broken
    size = sum(len(one["key"]) + len(one["value"]) for one in records)
    passed = sum(len(one["key"]) + len(one["value"]) for one in records[:good])
    for number, one in enumerate(records := [dict(one) for one in records]):
        one["partition"] = number % 2
    return records, {"in": good + filtered + dropped + broken, "out": good, "filter": filtered,
                     "partition": dropped, "error": broken, "bytes_in": size, "bytes_out": passed}


@pytest.fixture(scope="module")
def counting(_started_servers, stack):
    """A mapping that has counted everything that there is to count; how long it took to be shown."""
    topic = "counting"
    for broker in (_started_servers.source, _started_servers.target):
        _started_servers.create_topic(broker, topic, 2)
    stack.put_mapping(topic, spec(topic, valid_jmespath=FILTER, on_error="skip",
                                  value_map={"key:partition": {"gone": -1000}}))
    records, wanted = counted_records()
    send(_started_servers.source, topic, records)
    began = time.monotonic()
    read(_started_servers.target, topic, wanted["out"])
    wait_totals(stack, topic, **wanted)
    return topic, wanted, time.monotonic() - began


def samples(text):
    """{(name, frozenset of labels): value} and {name: type} of a Prometheus text."""
    found, types = {}, {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            types[name] = kind
        elif line and not line.startswith("#"):
            name, labels, value = re.fullmatch(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)", line).groups()
            pairs = re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels or "")
            found[name, frozenset(pairs)] = float(value)
    return found, types


def of_mapping(found, name, mapping, **more):
    labels = {"team": "default", "mapping": mapping, **more}
    return found[f"citizenk_mapping_{name}", frozenset(labels.items())]


def item_of(stack, name, path="/api/v1/stats"):
    return next(item for item in stack.rest.get(path)["items"] if item["name"] == name)


@pytest.mark.alone
def test_counters_are_shown_within_two_seconds(counting):
    assert counting[2] < SHOWN_WITHIN_S, f"it took {counting[2]:.1f} s"


def test_stats_agree_with_what_was_produced(stack, counting):
    topic, wanted, _ = counting
    for path in ("/api/v1/stats", "/api/v1/teams/default/stats"):
        item = item_of(stack, topic, path)
        assert {name: int(item[name]) for name in ("in", "out", "bytes_in", "bytes_out")} == {
            name: wanted[name] for name in ("in", "out", "bytes_in", "bytes_out")}
        dropped = {reason: int(count) for reason, count in item["dropped"].items() if int(count)}
        assert dropped == {reason: wanted[reason] for reason in ("filter", "partition", "error")}
        assert item["state"] == "RUNNING"
        assert int(item["lag"]) == 0
        assert 0 <= item["delay_ms"]["p50"] <= item["delay_ms"]["p99"] < 60_000
    status = stack.status(topic)
    assert sum(int(one["in"]) for one in status["partitions"]) == wanted["in"]
    assert sum(int(one["out"]) for one in status["partitions"]) == wanted["out"]
    for one in status["partitions"]:
        assert int(one["position"]) == int(one["end"]) == wanted["in"] // 2
        assert one["worker"] == stack.workers[0].process.name


def test_totals_are_the_sum_of_the_items(stack, counting):
    stats = stack.rest.get("/api/v1/stats")
    assert stats["totals"]["mappings"] == len(stats["items"])
    for name in ("in", "out", "bytes_in", "bytes_out"):
        assert int(stats["totals"][name]) == sum(int(item[name]) for item in stats["items"])


def test_metrics_agree_with_what_was_produced(stack, counting):
    topic, wanted, _ = counting
    found, types = samples(stack.rest.call("GET", "/metrics").text)
    for name, key in (("records_in_total", "in"), ("records_out_total", "out"),
                      ("bytes_in_total", "bytes_in"), ("bytes_out_total", "bytes_out")):
        assert of_mapping(found, name, topic) == wanted[key]
        assert types[f"citizenk_mapping_{name}"] == "counter"
    for reason in ("filter", "partition", "error"):
        assert of_mapping(found, "records_dropped_total", topic, reason=reason) == wanted[reason]
    assert of_mapping(found, "lag_records", topic) == 0
    assert of_mapping(found, "state", topic, state="RUNNING") == 1
    assert of_mapping(found, "generation", topic) == of_mapping(found, "observed_generation", topic) == 1
    assert of_mapping(found, "delay_seconds_count", topic) == wanted["out"]
    assert types["citizenk_mapping_delay_seconds"] == "histogram"


def test_histograms_are_ones(stack, counting):
    """Buckets rise, +Inf is the count; what a promtool would say."""
    found, types = samples(stack.rest.call("GET", "/metrics").text)
    checked = 0
    for base in (name for name, kind in types.items() if kind == "histogram"):
        series = {}
        for (name, labels), value in found.items():
            if name == f"{base}_bucket":
                labels = dict(labels)
                edge = float(labels.pop("le").replace("+Inf", "inf"))
                series.setdefault(frozenset(labels.items()), []).append((edge, value))
        for labels, buckets in series.items():
            buckets.sort()
            counts = [count for _, count in buckets]
            assert counts == sorted(counts) and buckets[-1][0] == float("inf")
            assert counts[-1] == found[f"{base}_count", labels]
            assert found[f"{base}_sum", labels] >= 0
            checked += 1
    assert checked >= 2
    for name, kind in types.items():
        assert name.startswith(("citizenk_", "process_")), name
        assert (kind == "counter") == name.endswith("_total"), name


def test_a_quoted_name_is_escaped(stack, servers, topics):
    topic, name = topics("quoted"), 'quo"ted \\ n\u00e4me'
    stack.rest.put(mapping_path(name), {"spec": spec(topic, enabled=False)})
    found, _ = samples(stack.rest.call("GET", "/metrics").text)
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    assert of_mapping(found, "state", escaped, state="STOPPED") == 1
    stack.rest.delete(mapping_path(name), {"If-Match": stack.rest.call("GET", mapping_path(name)).etag})
    found, _ = samples(stack.rest.call("GET", "/metrics").text)
    assert not [labels for _, labels in found if ("mapping", escaped) in labels], "a deleted mapping is gone"


def test_lag_of_a_paused_mapping_and_delay_of_old_records(servers, stack, topics):
    topic = topics("lagging", partitions=2)
    stack.put_mapping(topic, spec(topic))
    send(servers.source, topic, [{"value": b"%d" % n, "partition": n % 2} for n in range(10)])
    wait_totals(stack, topic, **{"in": 10, "out": 10})
    stack.rest.post(f"{mapping_path(topic, 'pause')}?wait=applied", {"reason": "to see its lag"})
    stack.wait_state(topic, "PAUSED")
    old = int(time.time() * 1000) - 100_000
    send(servers.source, topic, [{"value": b"x", "partition": n % 2, "timestamp": old} for n in range(40)])
    assert int(item_of(stack, topic)["out"]) == 10
    stack.rest.post(f"{mapping_path(topic, 'resume')}?wait=applied")
    wait_totals(stack, topic, **{"in": 50, "out": 50})
    wait_lag(stack, topic)
    assert item_of(stack, topic)["delay_ms"]["p99"] >= 90_000
    found, _ = samples(stack.rest.call("GET", "/metrics").text)
    assert of_mapping(found, "delay_seconds_sum", topic) > 40 * 90


def test_counters_survive_changes_and_a_restart_of_the_worker(servers, stack, counting):
    topic, wanted, _ = counting
    stack.rest.post(f"{mapping_path(topic, 'restart')}?wait=applied")
    stack.workers[0].restart()
    stack.wait_state(topic, "RUNNING")
    send(servers.source, topic, [{"key": b"k", "value": b'{"n":1}', "partition": 0}] * 5)
    wait_totals(stack, topic, timeout=20, **{"in": wanted["in"] + 5, "out": wanted["out"] + 5,
                                             "filter": wanted["filter"], "error": wanted["error"]})


def test_rates_are_shown_and_fall_to_nothing(servers, stack, topics):
    topic = topics("rates", partitions=1)
    stack.put_mapping(topic, spec(topic))
    rates, began = [], time.monotonic()
    for _ in range(20):
        send(servers.source, topic, [{"value": b"x" * 100}] * 50)
        rates.append(item_of(stack, topic)["in_per_second"])
        time.sleep(0.1)
    real = 20 * 50 / (time.monotonic() - began)
    assert real / 3 < max(rates) < real * 3, (real, rates)
    wait_until(lambda: item_of(stack, topic)["in_per_second"] < 1, 30, "the rate to fall")


# ---- history ---------------------------------------------------------------------------------------

def test_history_shows_who_changed_what(stack, topics):
    topic = topics("history", partitions=1)
    before = int(stack.rest.get("/api/v1/changes")["seq"])
    path = mapping_path(topic)
    made = stack.rest.put(f"{path}?comment=made%20it", {"spec": spec(topic, enabled=False)})
    changed = stack.rest.put(f"{path}?comment=only%20sales", {
        "spec": spec(topic, enabled=False, valid_jmespath="value.a")}, {"If-Match": made.etag})
    stack.rest.delete(f"{path}?comment=over", {"If-Match": changed.etag})
    history = stack.rest.get(f"/api/v1/changes?after={before}")["items"]
    assert [one["comment"] for one in history] == ["made it", "only sales", "over"]
    assert [int(one["seq"]) for one in history] == list(range(before + 1, before + 4))
    for one, what in zip(history, ("created", "updated", "deleted"), strict=True):
        assert int(one[what]) == 1 and one["actor"] and one["via"] and one["team"] == "default"
    detail = stack.rest.get(f"/api/v1/changes/{before + 2}")
    assert "only sales" == detail["comment"] and "valid_jmespath" in json.dumps(detail["objects"])
