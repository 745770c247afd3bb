"""GGUF files, written here after ggml's description of the format."""

import struct

import graft
import numpy
import pytest
import values

NUMPY = {0: "f4", 1: "f2", 24: "i1", 25: "i2", 26: "i4", 27: "i8", 28: "f8"}
# name, elements and bytes of a block, by ggml's number of the type
BLOCKS = {
    30: ("bfloat16", 1, 2), 2: ("q4_0", 32, 18), 3: ("q4_1", 32, 20), 6: ("q5_0", 32, 22),
    7: ("q5_1", 32, 24), 8: ("q8_0", 32, 34), 9: ("q8_1", 32, 36), 10: ("q2_k", 256, 84),
    11: ("q3_k", 256, 110), 12: ("q4_k", 256, 144), 13: ("q5_k", 256, 176),
    14: ("q6_k", 256, 210), 15: ("q8_k", 256, 292), 16: ("iq2_xxs", 256, 66),
    17: ("iq2_xs", 256, 74), 18: ("iq3_xxs", 256, 98), 19: ("iq1_s", 256, 50),
    20: ("iq4_nl", 32, 18), 21: ("iq3_s", 256, 110), 22: ("iq2_s", 256, 82),
    23: ("iq4_xs", 256, 136), 29: ("iq1_m", 256, 56), 34: ("tq1_0", 256, 54),
    35: ("tq2_0", 256, 66), 39: ("mxfp4", 32, 17)}
SCALARS = {"u8": (0, "B"), "i8": (1, "b"), "u16": (2, "H"), "i16": (3, "h"), "u32": (4, "I"),
           "i32": (5, "i"), "f32": (6, "f"), "bool": (7, "?"), "u64": (10, "Q"), "i64": (11, "q"),
           "f64": (12, "d")}


def string(text):
    data = text if isinstance(text, bytes) else text.encode()
    return struct.pack("<Q", len(data)) + data


def encoded(kind, value):
    """A value's type and bytes. ("list", "u8"): an array of u8."""
    if kind == "str":
        return 8, string(value)
    if isinstance(kind, tuple):
        items = [encoded(kind[1], item) for item in value]
        inner = items[0][0] if items else encoded("u8", 0)[0]
        return 9, struct.pack("<IQ", inner, len(items)) + b"".join(data for _, data in items)
    number, letter = SCALARS[kind]
    return number, struct.pack("<" + letter, value)


def gguf(tensors, keys=(), version=3, alignment=32):
    """tensors: (name, shape as torch has it, type, data); keys: (key, kind, value)."""
    out = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(keys))
    for key, kind, value in keys:
        number, data = encoded(kind, value)
        out += string(key) + struct.pack("<I", number) + data
    offset = 0
    for name, shape, kind, data in tensors:
        out += string(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *reversed(shape), kind,
                                          offset)
        offset += -(-len(data) // alignment) * alignment
    for *_, data in tensors:
        out += bytes(-len(out) % alignment) + data
    return out


@pytest.fixture
def load(g, tmp_path):
    def load(data):
        (tmp_path / "a.gguf").write_bytes(data)
        return values.load(g, tmp_path / "a.gguf")
    return load


@pytest.mark.parametrize("version", [2, 3])
def test_arrays(load, version):
    random = numpy.random.default_rng(1)
    arrays = {}
    for kind, dtype in NUMPY.items():
        for shape in [(), (1,), (7,), (2, 3), (3, 0), (2, 3, 4), (2, 1, 3, 2)]:
            data = random.integers(0, 256, int(numpy.prod(shape)) * numpy.dtype(dtype).itemsize, "u1")
            arrays[f"{dtype}.{len(arrays)}"] = kind, data.view("<" + dtype).reshape(shape)
    c = load(gguf([(name, a.shape, kind, a.tobytes()) for name, (kind, a) in arrays.items()],
                  version=version))
    assert c.format == "gguf"
    assert list(c.root) == list(arrays)
    for name, (_, array) in arrays.items():
        values.assert_array(c.root[name], array)
    assert c.metadata == {"GGUF.version": version}


def test_blocks(load):
    random = numpy.random.default_rng(2)
    tensors, want = [], {}
    for kind, (name, block, size) in BLOCKS.items():
        shape = (3, 2 * block)
        data = random.bytes(6 * size)
        tensors.append((name, shape, kind, data))
        want[name] = values.Carried(name, shape, data)
    assert load(gguf(tensors)).root == want


def test_values(load):
    keys = [("general.architecture", "str", "llama"), ("general.alignment", "u32", 128),
            ("u8", "u8", 255), ("i8", "i8", -128), ("u16", "u16", 65535), ("i16", "i16", -32768),
            ("u32", "u32", 2**32 - 1), ("i32", "i32", -2**31), ("u64", "u64", 2**64 - 1),
            ("u63", "u64", 2**63 - 1), ("i64", "i64", -2**63), ("f32", "f32", 0.5),
            ("f64", "f64", 0.1), ("yes", "bool", True), ("no", "bool", False),
            ("text", "str", "grün 🦙"), ("raw", "str", b"\xff\0"), ("empty", "str", ""),
            ("tokens", ("list", "str"), ["<s>", "</s>", "a"]),
            ("scores", ("list", "f32"), [0.0, -1.5]), ("none", ("list", "u8"), []),
            ("nested", ("list", ("list", "u64")), [[1, 2**64 - 1], [], [3]])]
    # an empty list inside is of u8
    c = load(gguf([("t", (2,), 0, struct.pack("<2f", 1, 2))], keys, alignment=128))
    assert c.metadata == {"GGUF.version": 3, **{key: value for key, _, value in keys}}
    values.assert_array(c.root["t"], numpy.float32([1, 2]))


def test_many_tokens(load):
    tokens = [f"token {i}" for i in range(50000)]
    c = load(gguf([], [("tokenizer.ggml.tokens", ("list", "str"), tokens)]))
    assert c.metadata["tokenizer.ggml.tokens"] == tokens


def test_a_file_of_other_byte_order(g, tmp_path):
    (tmp_path / "a.gguf").write_bytes(b"GGUF" + struct.pack(">IQQ", 3, 0, 0))
    with pytest.raises(graft.GraftError, match=r"a\.gguf: byte 4: a big-endian file"):
        g.checkpoint_open(tmp_path / "a.gguf", None)
