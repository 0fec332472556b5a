# SPDX-License-Identifier: Apache-2.0
"""`rate`: a cap holds the mapping back and nobody else, changes at once, and what happens to a copy
that takes its time: it keeps its end, and notices what its source loses meanwhile."""
import time

from .copying import read, send, spec, values, wait_totals, wait_until
from .test_bounded import progress, wait_finished
from .test_gaps import delete_records, gaps, numbered


def out(stack, name):
    return int(stack.status(name)["totals"]["out"])


def test_cap_of_records(servers, stack, topics):
    topic, free = topics("capped", partitions=4), topics("free", partitions=4)
    send(servers.source, topic, [{"value": b"%d" % n, "partition": n % 4} for n in range(8000)])
    wanted = spec(topic, tasks=2, rate={"records_per_second": 200})
    stack.put_mapping(topic, wanted)
    began, before = time.monotonic(), out(stack, topic)
    stack.put_mapping(free, spec(topic, free))
    assert len(read(servers.target, free, 8000)) == 8000     # through the same lane, as fast as it can
    wait_until(lambda: time.monotonic() - began > 4, 10, "some time")
    seconds = time.monotonic() - began
    some = len(read(servers.target, topic, before)) - before
    assert 100 * (seconds - 2) <= some <= 200 * (seconds + 2.5), (some, seconds)
    status = stack.status(topic)
    assert status["held"] is True or int(status["held_ms"]) > 0
    assert int(status["held_ms"]) > 1000 and int(status["lag"]) > 0
    progressing = next(c for c in status["conditions"] if c["type"] == "Progressing")
    assert (progressing["status"], progressing["reason"]) == ("True", "HeldByRate")
    since = [task["since"] for task in status["tasks"]]
    stack.put_mapping(topic, {**wanted, "rate": {}})
    found = read(servers.target, topic, 8000, timeout=10, settle=0.3)
    assert sorted(int(one.value) for one in found) == list(range(8000))
    assert all(int(a.value) < int(b.value) for a, b in zip(found, found[1:], strict=False)
               if a.partition == b.partition), "in order"
    assert [task["since"] for task in stack.status(topic)["tasks"]] == since, "changed live"


def test_cap_of_bytes_at_this_hour(servers, stack, topics):
    """The window holds, not the general cap; a record larger than the cap passes, and is paid for."""
    topic = topics("bytes", partitions=1)
    send(servers.source, topic, [{"value": b"x" * 20_000} for _ in range(12)])
    hour = time.gmtime(time.time() - 3600)
    window = {"from": f"{hour.tm_hour:02}:00", "to": f"{(hour.tm_hour + 3) % 24:02}:00", "bytes_per_second": 10_000}
    stack.put_mapping(topic, spec(topic, rate={"records_per_second": 1_000_000, "windows": [window]}))
    began = time.monotonic()
    read(servers.target, topic, 3)
    assert time.monotonic() - began > 2
    stack.put_mapping(topic, spec(topic, rate={"records_per_second": 1_000_000}))
    assert len(read(servers.target, topic, 12, timeout=5)) == 12


def test_a_slow_copy_keeps_its_end_through_a_kill(servers, make_stack, topics):
    stack = make_stack(workers=2)
    topic = topics("slow", partitions=2)
    send(servers.source, topic, [{"value": b"%d" % n, "partition": n % 2} for n in range(1000)])
    wanted = spec(topic, end="now", rate={"records_per_second": 100})
    stack.put_mapping(topic, wanted)
    wait_until(lambda: (progress(stack, topic) or (0, 0))[0] >= 50, 20, "some of it")
    send(servers.source, topic, [{"value": b"late", "partition": n % 2} for n in range(100)])
    owner = next(w for w in stack.workers if w.process.name == stack.status(topic)["tasks"][0]["worker"])
    owner.kill9()
    owner.start()
    wait_until(lambda: (progress(stack, topic) or (0, 0))[0] < 1000, 20, "the rest to be under way")
    stack.put_mapping(topic, {**wanted, "rate": {}}, wait=False)      # live: the end stays
    wait_finished(stack, topic, timeout=60)
    found = values(read(servers.target, topic, 1000, settle=0.5))
    assert b"late" not in found and {int(value) for value in found} == set(range(1000))
    wait_until(lambda: progress(stack, topic) == (1000, 1000), 10, "the progress")


def test_truncated_while_it_is_held(servers, stack, topics):
    """The reader itself is refused, and the start after that finds out why."""
    topic = topics("held", partitions=1)
    send(servers.source, topic, [{"value": b"%d" % n, "partition": 0} for n in range(500)])
    wanted = spec(topic, on_gap="skip", rate={"records_per_second": 20})
    stack.put_mapping(topic, wanted)
    wait_until(lambda: out(stack, topic) >= 10, 20, "some records")
    delete_records(servers, servers.source, topic, 450)
    wait_until(lambda: gaps(stack, topic), 20, "the gap to be found")
    stack.put_mapping(topic, {**wanted, "rate": {}})
    kind, action, _, to, missing = gaps(stack, topic)[0]
    assert (kind, action, to) == ("truncated", "skip", "450")
    found = values(read(servers.target, topic, 500 - int(missing), settle=0.3))
    assert found == [b"%d" % n for n in [*range(450 - int(missing)), *range(450, 500)]]
    wait_totals(stack, topic, gap=int(missing))
    send(servers.source, topic, numbered(500, 501))
    assert len(read(servers.target, topic, len(found) + 1, settle=0.3)) == len(found) + 1
