# SPDX-License-Identifier: Apache-2.0
"""Avro records as a client of a schema registry writes them, by fastavro."""
import datetime
import decimal
import io
import json
import struct

import fastavro

SALE = {
    "type": "record", "name": "Sale", "namespace": "shop", "fields": [
        {"name": "id", "type": "long"},
        {"name": "event", "type": {"type": "record", "name": "Event", "fields": [
            {"name": "type", "type": {"type": "enum", "name": "Kind", "symbols": ["SALE", "REFUND", "VOID"]}},
            {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}}]}},
        {"name": "customer", "type": ["null", "string"], "default": None},
        {"name": "amount", "type": {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}},
        {"name": "place", "type": ["int", "long", "string", "Event"]},
        {"name": "lines", "type": {"type": "array", "items": {"type": "record", "name": "Line", "fields": [
            {"name": "sku", "type": "string"}, {"name": "n", "type": "int"}]}}},
        {"name": "tags", "type": {"type": "map", "values": ["null", "string", "double"]}},
        {"name": "raw", "type": {"type": "fixed", "name": "Raw", "size": 4}},
        {"name": "note", "type": "string", "default": "-"},
    ]}


def sale(n, kind="SALE", customer="anna", place=7):
    return {"id": n, "event": {"type": kind, "at": datetime.datetime.fromtimestamp(1_700_000_000 + n, datetime.UTC)},
            "customer": customer, "amount": decimal.Decimal(n) / 4 - 3, "place": place,
            "lines": [{"sku": f"s{i}é", "n": i} for i in range(n % 4)],
            "tags": {"a": None, "b": "x", "c": n / 3}, "raw": struct.pack(">i", n), "note": "n" * (n % 9)}


def datum(schema, value):
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(json.loads(json.dumps(schema))), value)
    return out.getvalue()


def framed(schema_id, data):
    return struct.pack(">bI", 0, schema_id) + data


def unframed(data):
    """(schema id, datum)"""
    magic, schema_id = struct.unpack_from(">bI", data)
    assert magic == 0
    return schema_id, data[5:]


def undatum(schema, data):
    source = io.BytesIO(data)
    value = fastavro.schemaless_reader(source, fastavro.parse_schema(json.loads(json.dumps(schema))))
    assert not source.read(), "bytes follow the datum"
    return value
