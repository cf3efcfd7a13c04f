"""Schema evolution as python3-avro, an independent implementation, sees it.

A random writer schema is changed into a reader's: fields are dropped, added
with a default, moved, promoted, made nullable, at every depth. Records the
writer wrote are resolved by both. Aliases and the default of an enum are not
compared: python3-avro does not know them (tests/unit/test_decode_evolution.c
has them by hand). Decimals are compared with python's.
"""

import base64
import copy
import decimal
import io
import json
import random
import struct
import subprocess

import avro.io
import avro.schema

from support import cprogram

SCALARS = ["null", "boolean", "int", "long", "float", "double", "bytes",
           "string"]
PROMOTIONS = {"int": ["long", "float", "double"], "long": ["float", "double"],
              "float": ["double"]}
# None of bytes: python3-avro hands out the text as it stands in the schema.
DEFAULTS = {"null": None, "boolean": True, "int": -7, "long": 1 << 40,
            "float": 0.5, "double": 1.25, "string": "n\u00fc"}


class Maker:
    """Random schemas, values, and readers of the same data."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.names = 0

    def name(self):
        self.names += 1
        return f"N{self.names}"

    def schema(self, depth=0):
        pick = self.rng.randrange(10 if depth < 3 else 6)
        if pick < 5:
            return self.rng.choice(SCALARS)
        if pick == 5:
            return {"type": "enum", "name": self.name(),
                    "symbols": ["A", "B", "C"][:self.rng.randint(1, 3)]}
        if pick == 6:
            return {"type": "array", "items": self.schema(depth + 1)}
        if pick == 7:
            return {"type": "map", "values": self.schema(depth + 1)}
        if pick == 8:
            return ["null", self.not_union(depth + 1)]
        return self.record(depth + 1)

    def not_union(self, depth):
        while True:
            schema = self.schema(depth)
            if schema != "null" and not isinstance(schema, list):
                return schema

    def record(self, depth=0):
        return {"type": "record", "name": self.name(), "fields": [
            {"name": f"f{i}", "type": self.schema(depth)}
            for i in range(self.rng.randint(1, 5))]}

    def value(self, schema):
        rng = self.rng
        if isinstance(schema, list):
            return self.value(rng.choice(schema))
        if isinstance(schema, str):
            return {
                "null": lambda: None,
                "boolean": lambda: rng.random() < 0.5,
                "int": lambda: rng.randint(-(1 << 20), 1 << 20),
                "long": lambda: rng.randint(-(1 << 24), 1 << 24),
                "float": lambda: rng.randint(-999, 999) / 8,
                "double": lambda: rng.random() * 1e6,
                "bytes": lambda: bytes(rng.randrange(256) for _ in
                                       range(rng.randrange(6))),
                "string": lambda: "".join(rng.choice("ab \u00fc\u20ac")
                                          for _ in range(rng.randrange(8))),
            }[schema]()
        kind = schema["type"]
        if kind == "enum":
            return rng.choice(schema["symbols"])
        if kind == "array":
            return [self.value(schema["items"])
                    for _ in range(rng.randrange(4))]
        if kind == "map":
            return {f"k{i}": self.value(schema["values"])
                    for i in range(rng.randrange(4))}
        return {f["name"]: self.value(f["type"]) for f in schema["fields"]}

    def evolve(self, schema, may_wrap=True):
        rng = self.rng
        if isinstance(schema, list):
            branches = [self.evolve(s, False) for s in schema]
            return branches if rng.random() < 0.7 else branches[::-1]
        if may_wrap and schema != "null" and rng.random() < 0.15:
            return ["null", self.evolve(schema, False)]
        if isinstance(schema, str):
            return rng.choice([schema] + PROMOTIONS.get(schema, []))
        kind = schema["type"]
        if kind == "enum":
            schema["symbols"] = schema["symbols"] + ["Z"]
        elif kind in ("array", "map"):
            # python3-avro wants elements of the same type.
            key = "items" if kind == "array" else "values"
            if not isinstance(schema[key], (str, list)):
                schema[key] = self.evolve(schema[key], False)
        elif kind == "record":
            self.evolve_fields(schema)
        return schema

    def evolve_fields(self, schema):
        rng = self.rng
        fields = [dict(f, type=self.evolve(f["type"]))
                  for f in schema["fields"] if rng.random() < 0.85]
        for i in range(rng.randrange(3)):
            added = rng.choice(list(DEFAULTS))
            fields.append({"name": f"new{i}", "type": added,
                           "default": DEFAULTS[added]})
        if rng.random() < 0.3:
            fields.append({"name": "deep", "default": {"x": [1, 2], "y": {}},
                           "type": {"type": "record", "name": self.name(),
                                    "fields": [
                {"name": "x", "type": {"type": "array", "items": "long"}},
                {"name": "y", "type": {"type": "map", "values": "int"}},
                {"name": "z", "type": ["null", "int"], "default": None}]}})
        rng.shuffle(fields)
        schema["fields"] = fields


def plain(value):
    """A datum as JSON has it: bytes are base64."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, list):
        return [plain(v) for v in value]
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    return value


def decode_lines(lines):
    done = subprocess.run([cprogram.build("decode_lines")],
                          input="".join(lines), capture_output=True,
                          text=True, timeout=600, check=True)
    answers = done.stdout.splitlines()
    assert len(answers) == len(lines)
    return answers


def test_evolved_schemas_resolve_as_in_python():
    lines, wants = [], []
    for seed in range(400):
        maker = Maker(seed)
        writer = maker.record()
        reader = maker.evolve(copy.deepcopy(writer), may_wrap=False)
        writer_json, reader_json = json.dumps(writer), json.dumps(reader)
        writer_schema = avro.schema.parse(writer_json)
        reader_schema = avro.schema.parse(reader_json)
        for _ in range(5):
            out = io.BytesIO()
            avro.io.DatumWriter(writer_schema).write(
                maker.value(writer), avro.io.BinaryEncoder(out))
            got = avro.io.DatumReader(writer_schema, reader_schema).read(
                avro.io.BinaryDecoder(io.BytesIO(out.getvalue())))
            wants.append(plain(got))
            lines.append(
                f"{writer_json}\t{reader_json}\t{out.getvalue().hex()}\n")
    for line, want, answer in zip(lines, wants, decode_lines(lines)):
        assert not answer.startswith("!"), (line, answer)
        assert json.loads(answer) == want, line


def test_a_decimal_is_the_double_nearest_to_it():
    rng = random.Random(1)
    lines, wants = [], []
    for _ in range(3000):
        scale = rng.choice([0, 1, 2, 4, 9, 18, 22, 23, 38, 100, 300, 330, 400])
        bits = rng.choice([1, 8, 31, 53, 54, 63, 64, 65, 128, 400, 1000])
        n = rng.getrandbits(bits) * rng.choice([1, -1])
        if rng.random() < 0.2:  # half way between two doubles, or beside it
            n = ((rng.getrandbits(53) | 1 << 52) * 2 + 1) * 10 ** min(
                scale, 20) + rng.choice([-1, 0, 1])
        raw = n.to_bytes(n.bit_length() // 8 + 1, "big", signed=True)
        schema = json.dumps({"type": "record", "name": "R", "fields": [
            {"name": "d", "type": {"type": "bytes", "logicalType": "decimal",
                                   "precision": 1000, "scale": scale}}]})
        out = io.BytesIO()
        avro.io.BinaryEncoder(out).write_bytes(raw)
        lines.append(f"{schema}\t{schema}\t{out.getvalue().hex()}\n")
        with decimal.localcontext() as context:
            context.prec = 2000
            wants.append(float(decimal.Decimal(n).scaleb(-scale)))
    for line, want, answer in zip(lines, wants, decode_lines(lines)):
        got = float(json.loads(answer)["d"])
        assert struct.pack("<d", got) == struct.pack("<d", want) or (
            got == want == 0), line
