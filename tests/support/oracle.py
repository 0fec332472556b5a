# SPDX-License-Identifier: Apache-2.0
"""The oracle: puts known records into the source and states what became of them on the target.

    oracle = Oracle(source.bootstrap, "in", target.bootstrap, "out", seed=7)
    oracle.produce(10_000)                      # or: with oracle.producing(rate=500): break things
    oracle.verdict().assert_at_least_once()

Records are seeded.  By default they are a mix that a copy must keep as it is: JSON orders, tombstones,
empty values, binary keys and values, null keys, repeated and null headers, odd timestamps.  What a
mapping is to make of them is told with `expect`, a function from Record to Record, or to None for
a record that must not arrive.
"""
import contextlib
import dataclasses
import datetime
import json
import random
import threading
import time
import uuid

import confluent_kafka

from czdeploy.orders import order

from .verdict import Delivered, Sent, fingerprint, judge, same_partition

ID_HEADER = "oracle-id"
STALLED_S = 20      # a client that made no progress for so long is replaced
SEED = 1            # of an oracle that is given none; --seed of the tests


@dataclasses.dataclass(frozen=True)
class Record:
    key: bytes | None
    value: bytes | None
    headers: tuple          # of (name, bytes or None), the id's header not among them
    timestamp: int          # milliseconds
    matches: bool           # is an order with event type sale

    def document(self):
        return json.loads(self.value)


@dataclasses.dataclass
class Mix:
    """Shares of the odd records; plain() for mappings that must be able to decode everything."""
    sale: float = 0.7
    tombstone: float = 0.02
    empty: float = 0.01
    binary: float = 0.02
    null_key: float = 0.05
    binary_key: float = 0.05
    keys: int = 200

    @classmethod
    def plain(cls, sale=0.7, keys=200):
        return cls(sale=sale, tombstone=0, empty=0, binary=0, null_key=0, binary_key=0, keys=keys)


def only_matching(record):
    """For a mapping with the filter value.event.type == 'sale'."""
    return record if record.matches else None


class RecordMaker:
    """The same seed gives the same records, whatever their rate."""

    def __init__(self, seed, mix, first_timestamp):
        self.rng = random.Random(seed)
        self.mix = mix
        self.clock = first_timestamp
        self.number = 0

    def make(self):
        rng = self.rng
        self.number += 1
        self.clock += rng.choice((0, 1, 1, 3))
        value, matches = self._value()
        # Now and then out of order and far back, but inside any topic's retention.
        back = rng.randrange(1, 3_600_000) if rng.random() < 0.02 else 0
        return Record(self._key(), value, self._headers(), self.clock - back, matches)

    def _key(self):
        kind, mix = self.rng.random(), self.mix
        number = self.rng.randrange(mix.keys)
        if kind < mix.null_key:
            return None
        if kind < mix.null_key + mix.binary_key:
            return b"\x00\xff\xfe" + number.to_bytes(3, "big")
        return b"customer-%d" % number

    def _value(self):
        kind, mix = self.rng.random(), self.mix
        if kind < mix.tombstone:
            return None, False
        if kind < mix.tombstone + mix.empty:
            return b"", False
        if kind < mix.tombstone + mix.empty + mix.binary:
            return self.rng.randbytes(self.rng.randrange(1, 400)), False
        sale = self.rng.random() < mix.sale
        now = datetime.datetime.fromtimestamp(self.clock / 1000, datetime.timezone.utc)
        _, document = order(self.rng, self.number, "sale" if sale else "return", now)
        return json.dumps(document, ensure_ascii=False).encode(), sale

    def _headers(self):
        kind = self.rng.random()
        if kind < 0.5:
            return ()
        trace = ("trace", b"%016x" % self.rng.getrandbits(64))
        if kind < 0.8:
            return (trace,)
        return (trace, ("tag", b"one"), ("tag", b"\x00\xff"), ("none", None), ("empty", b""))


class QuickMaker:
    """Orders from a small pool, each with its own number: for rates that RecordMaker cannot make."""

    def __init__(self, seed, first_timestamp):
        maker = RecordMaker(seed, Mix.plain(), first_timestamp)
        self.pool = [maker.make() for _ in range(997)]
        self.clock, self.number = first_timestamp, 0

    def make(self):
        self.number += 1
        one = self.pool[self.number % len(self.pool)]
        value = b'{"number":%d,%s' % (self.number, one.value[1:])
        return Record(one.key, value, (), self.clock + self.number // 10, one.matches)


class Oracle:
    def __init__(self, source, source_topic, target, target_topic, *, seed=None, mix=None,
                 expect=None, partition_of=same_partition, reader=None, quick=False):
        """@param reader  more settings for the consumer of the target
        @param quick   records that are quickly made, for some 10,000 a second"""
        self.source_topic, self.target, self.target_topic = source_topic, target, target_topic
        self.expect = expect or (lambda record: record)
        self.partition_of = partition_of
        self.run = uuid.uuid4().hex[:8]
        seed, begin = SEED if seed is None else seed, int(time.time() * 1000) - 60_000
        self.maker = QuickMaker(seed, begin) if quick else RecordMaker(seed, mix or Mix(), begin)
        self.sent, self.uncertain, self.pending = [], set(), 0
        self.reader = dict(reader or {})
        self.delivered, self._seen = [], set()
        self._consumer, self._next = None, {}
        self.source, self._acknowledged_at = source, time.monotonic()
        self._open_producer()

    # ---- producing ------------------------------------------------------------------------

    def _open_producer(self):
        self.producer = confluent_kafka.Producer({
            "bootstrap.servers": self.source, "enable.idempotence": True, "linger.ms": 5,
            "compression.type": "lz4", "partitioner": "murmur2_random",
            "message.timeout.ms": 300_000, "topic.metadata.refresh.interval.ms": 1000, "queue.buffering.max.messages": 200_000,
        })

    def _look_at_producer(self):
        """librdkafka may never come back from a broker's restart (its issue 5301).  What such a client
        still holds stays uncertain: it may or may not arrive."""
        if time.monotonic() - self._acknowledged_at < STALLED_S or len(self.producer) == 0:
            return
        print(f"oracle: the producer does not come back, {len(self.producer)} records given up")
        self.producer.purge()
        self.producer.flush(10)
        self._acknowledged_at = time.monotonic()
        self._open_producer()

    def produce(self, count, rate=None):
        """Writes @count records, at @rate per second or as fast as possible, and waits for acks."""
        begin = time.monotonic()
        for done in range(count):
            self._produce_one()
            if rate and (ahead := begin + done / rate - time.monotonic()) > 0.01:
                self.producer.poll(ahead)
        self.flush()

    @contextlib.contextmanager
    def producing(self, rate):
        """Produces at @rate in the background while the body of the `with` runs."""
        stop, failure = threading.Event(), []

        def run():
            begin, done = time.monotonic(), 0
            try:
                while not stop.is_set():
                    while done < (time.monotonic() - begin) * rate and not stop.is_set():
                        self._produce_one()
                        done += 1
                    self.producer.poll(0.01)
            except Exception as error:      # noqa: BLE001 (raised again below, in the test's thread)
                failure.append(error)

        thread = threading.Thread(target=run, name="oracle", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            stop.set()
            thread.join()
        if failure:
            raise failure[0]
        self.flush()

    def flush(self, timeout=120):
        deadline = time.monotonic() + timeout
        while left := self.producer.flush(2):
            assert time.monotonic() < deadline, \
                f"{left} records were not acknowledged by the source in {timeout} s"
            self._look_at_producer()

    def _produce_one(self):
        record = self.maker.make()
        ident = f"{self.run}-{self.maker.number}"
        self.uncertain.add(ident)
        headers = [(ID_HEADER, ident.encode()), *record.headers]

        def acknowledged(error, message, ident=ident, record=record):
            if error is None:
                self._acknowledged_at = time.monotonic()
                self.uncertain.discard(ident)
                self.sent.append(self._expectation(ident, record, message))

        while True:
            try:
                self.producer.produce(self.source_topic, key=record.key, value=record.value,
                                      headers=headers, timestamp=record.timestamp,
                                      on_delivery=acknowledged)
                return
            except BufferError:
                self.producer.poll(0.1)
                self._look_at_producer()

    def _expectation(self, ident, record, message):
        want = self.expect(record)
        kept = want or record
        headers = [(ID_HEADER, ident.encode()), *kept.headers]
        return Sent(ident, kept.key, fingerprint(kept.key, kept.value, headers, kept.timestamp),
                    message.partition(), message.offset(), want is not None)

    # ---- reading and judging --------------------------------------------------------------

    def verdict(self, timeout=60, settle=1.0):
        """Reads the target to its end until everything expected is there, or @timeout is over;
        then @settle seconds more, in which a late double would come."""
        deadline = time.monotonic() + timeout
        wanted = {record.id for record in self.sent if record.expected}
        self._read_to_end()
        while not wanted <= self._seen and time.monotonic() < deadline:
            time.sleep(0.1)
            self._read_to_end()
        time.sleep(settle)
        self._read_to_end()
        return judge(self.sent, self.delivered, uncertain=self.uncertain,
                     partition_of=self.partition_of)

    def arrived(self):
        """How many different records of ours are on the target by now."""
        self._read_to_end()
        return len(self._seen)

    def wait_arrived(self, count, timeout=60):
        deadline = time.monotonic() + timeout
        while self.arrived() < count:
            assert time.monotonic() < deadline, \
                f"{len(self._seen)} of {count} records on {self.target_topic} after {timeout} s"
            time.sleep(0.05)

    def close(self):
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None

    def _open(self):
        self._consumer = confluent_kafka.Consumer({
            "bootstrap.servers": self.target, "group.id": f"oracle-{self.run}",
            "enable.auto.commit": False, "isolation.level": "read_committed",
            "enable.partition.eof": True, "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 50, **self.reader})
        topic = self._consumer.list_topics(self.target_topic, 30).topics[self.target_topic]
        if topic.error:
            raise confluent_kafka.KafkaException(topic.error)
        self._next = {number: self._next.get(number, 0) for number in topic.partitions}

    def _read_to_end(self, timeout=90):
        """Several clients: one may never come back from a broker's restart, see _look_at_producer()."""
        deadline = time.monotonic() + timeout
        while not self._read_with_one(deadline):
            print("oracle: the consumer does not come back, taking a new one")
            self.close()

    def _read_with_one(self, deadline):
        if self._consumer is None:
            self._open()
        # librdkafka tells a partition's end once per assignment, so each reading assigns anew, at the
        # offsets that are counted here: the client's own position() forgets them with each assign.
        self._consumer.assign([
            confluent_kafka.TopicPartition(self.target_topic, number, offset)
            for number, offset in self._next.items()])
        ended, progress = set(), time.monotonic()
        while len(ended) < len(self._next):
            before = len(self.delivered), len(ended)
            for message in self._consumer.consume(5000, 0.2):
                self._take(message, ended)
            if (len(self.delivered), len(ended)) != before:
                progress = time.monotonic()
            if progress + STALLED_S < time.monotonic() < deadline:
                return False
            assert progress + STALLED_S > time.monotonic(), f"cannot read {self.target_topic} to its end"
        return True

    def _take(self, message, ended):
        error = message.error()
        if error is not None:
            if error.code() == confluent_kafka.KafkaError._PARTITION_EOF:
                ended.add(message.partition())
            elif error.code() > 0 and not error.retriable():    # < 0: the client's own, it reconnects
                raise confluent_kafka.KafkaException(error)
            return
        if message.offset() < self._next[message.partition()]:
            return      # fetched for the assignment before
        self._next[message.partition()] = message.offset() + 1
        headers = message.headers() or []
        ident = next((value.decode(errors="replace") for name, value in headers
                      if name == ID_HEADER and value), None)
        self._seen.add(ident)
        self.delivered.append(Delivered(
            ident, message.key(),
            fingerprint(message.key(), message.value(), headers, message.timestamp()[1]),
            message.partition(), message.offset()))
