# SPDX-License-Identifier: Apache-2.0
"""The demo's live feed: python -m czdeploy.feed --bootstrap HOST:PORT --topic T --rate N.

Sends in bursts of 50 ms, so 200 orders a second cost about one per cent of a core.
"""
import argparse
import json
import random
import signal
import threading
import time

import confluent_kafka

from .orders import order

_PERIOD = 0.05


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--rate", type=float, default=200.0)
    args = parser.parse_args()

    stop = threading.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: stop.set())
    producer = confluent_kafka.Producer({
        "bootstrap.servers": args.bootstrap, "partitioner": "murmur2_random",
        "enable.idempotence": True, "linger.ms": 20, "compression.type": "lz4",
        # While the broker is away the queue fills and the feed waits: no order is skipped.
        "message.timeout.ms": 0, "queue.buffering.max.messages": 20000,
    })
    _run(producer, args.topic, args.rate, stop)
    producer.flush(10)


def _run(producer, topic, rate, stop):
    rng = random.Random()
    number = int(time.time() * 1000) % 1_000_000_000
    begin, sent = time.monotonic(), 0
    while not stop.is_set():
        due = int((time.monotonic() - begin) * rate) - sent
        for _ in range(min(due, 1000)):
            key, document = order(rng, number)
            try:
                producer.produce(topic, key=key, value=json.dumps(document, ensure_ascii=False))
            except BufferError:
                begin, sent = time.monotonic(), 0       # do not catch up in one burst
                break
            number += 1
            sent += 1
        producer.poll(0)
        stop.wait(_PERIOD)


if __name__ == "__main__":
    main()
