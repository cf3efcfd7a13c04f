"""Avro as an independent reader and writer sees it: python3-avro.

Framings: bare, Confluent (00, 4-byte id) and single-object (C3 01, CRC-64-AVRO
of the schema's canonical form). The canonical form and the checksum are
written here from the Avro specification, on purpose not shared with segmentd.
"""

import io
import json
import struct

import avro.io
import avro.schema

PRIMITIVES = {"null", "boolean", "int", "long", "float", "double", "bytes",
              "string"}


def canonical_form(schema):
    """Parsing canonical form of a schema given as JSON text."""
    return _canonical(json.loads(schema), "")


def _fullname(node, namespace):
    name = node["name"]
    if "." in name:
        return name
    namespace = node.get("namespace", namespace)
    return f"{namespace}.{name}" if namespace else name


def _canonical(node, namespace):
    if isinstance(node, list):
        return "[" + ",".join(_canonical(n, namespace) for n in node) + "]"
    if isinstance(node, str):
        if node not in PRIMITIVES and "." not in node and namespace:
            node = f"{namespace}.{node}"
        return json.dumps(node)
    kind = node["type"]
    if isinstance(kind, (dict, list)):
        return _canonical(kind, namespace)
    if kind in PRIMITIVES:
        return json.dumps(kind)
    parts = []
    if "name" in node:
        fullname = _fullname(node, namespace)
        namespace = fullname.rpartition(".")[0]
        parts.append(f'"name":{json.dumps(fullname)}')
    parts.append(f'"type":{json.dumps(kind)}')
    if kind == "record":
        fields = ",".join(
            f'{{"name":{json.dumps(f["name"])},'
            f'"type":{_canonical(f["type"], namespace)}}}'
            for f in node["fields"])
        parts.append(f'"fields":[{fields}]')
    elif kind == "enum":
        symbols = ",".join(json.dumps(s) for s in node["symbols"])
        parts.append(f'"symbols":[{symbols}]')
    elif kind == "array":
        parts.append(f'"items":{_canonical(node["items"], namespace)}')
    elif kind == "map":
        parts.append(f'"values":{_canonical(node["values"], namespace)}')
    elif kind == "fixed":
        parts.append(f'"size":{int(node["size"])}')
    else:
        # A name of a type that was defined before.
        return _canonical(kind, namespace)
    return "{" + ",".join(parts) + "}"


_EMPTY = 0xC15D213AA4D7A795


def _crc_table():
    table = []
    for n in range(256):
        for _ in range(8):
            n = (n >> 1) ^ (_EMPTY if n & 1 else 0)
        table.append(n)
    return table


_TABLE = _crc_table()


def crc64(data):
    crc = _EMPTY
    for byte in data:
        crc = (crc >> 8) ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc


def fingerprint(schema):
    """CRC-64-AVRO of a schema given as JSON text."""
    return crc64(canonical_form(schema).encode())


class Codec:
    """Writes and reads one schema, given as JSON text."""

    def __init__(self, text):
        self.text = text
        self.schema = avro.schema.parse(text)
        self.fingerprint = fingerprint(text)

    @classmethod
    def of_file(cls, path):
        with open(path, encoding="utf-8") as f:
            return cls(f.read())

    def bare(self, value):
        out = io.BytesIO()
        avro.io.DatumWriter(self.schema).write(
            value, avro.io.BinaryEncoder(out))
        return out.getvalue()

    def confluent(self, value, schema_id):
        return b"\0" + struct.pack(">I", schema_id) + self.bare(value)

    def single_object(self, value):
        return (b"\xc3\x01" + struct.pack("<Q", self.fingerprint)
                + self.bare(value))

    def read_bare(self, data):
        """The value; every byte must be used."""
        source = io.BytesIO(data)
        value = avro.io.DatumReader(self.schema).read(
            avro.io.BinaryDecoder(source))
        rest = source.read()
        assert rest == b"", f"{len(rest)} bytes after the value"
        return value

    def read_confluent(self, data):
        """(schema id, value)."""
        assert data[:1] == b"\0", data[:5]
        return struct.unpack(">I", data[1:5])[0], self.read_bare(data[5:])

    def read_single_object(self, data):
        assert data[:2] == b"\xc3\x01", data[:10]
        (found,) = struct.unpack("<Q", data[2:10])
        assert found == self.fingerprint, (
            f"fingerprint {found:016x}, schema's is {self.fingerprint:016x}")
        return self.read_bare(data[10:])
