# SPDX-License-Identifier: Apache-2.0
"""Made-up web-shop orders: the records of the demo feed and of the tests' oracle."""
import datetime

EVENT_TYPES = ("sale", "return", "quote")
_PRODUCTS = (
    (1001, "espresso machine", 24900), (1002, "coffee grinder", 8950), (1003, "kettle", 4490),
    (1004, "toaster", 5990), (1005, "milk frother", 2790), (1006, "french press", 3290),
)
_CITIES = ("Berlin", "Paris", "Wien", "Zürich", "Milano", "København", "Łódź", "Porto")


def order(rng, number, event_type=None, now=None):
    """One order as (key, document); @rng is a random.Random, so a seed gives the same orders."""
    customer = rng.randrange(1, 2000)
    items = [_item(rng) for _ in range(rng.randrange(1, 3))]
    when = now or datetime.datetime.now(datetime.timezone.utc)
    document = {
        "order_id": 9_007_199_254_000_000 + number,     # passes 2^53 during a long demo
        "customer": {"id": customer, "city": rng.choice(_CITIES)},
        "items": items,
        "total": {"amount": sum(item["price"] * item["count"] for item in items),
                  "currency": "EUR"},
        "event": {"type": event_type or rng.choices(EVENT_TYPES, (70, 10, 20))[0],
                  "at": when.isoformat(timespec="milliseconds")},
    }
    return f"customer-{customer}", document


def _item(rng):
    product, name, price = rng.choice(_PRODUCTS)
    return {"product_id": product, "name": name, "count": rng.randrange(1, 4), "price": price}
