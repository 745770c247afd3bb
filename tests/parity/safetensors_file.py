"""safetensors as its rules say, written and read in a few lines of Python, without graft."""

import hashlib
import json
import math
import struct

# By the reference implementation's order: bits of an element, and graft's name.
DTYPES = {
    "BOOL": (8, "bool"), "F4": (4, "float4_e2m1"), "F6_E2M3": (6, "float6_e2m3"),
    "F6_E3M2": (6, "float6_e3m2"), "U8": (8, "uint8"), "I8": (8, "int8"),
    "F8_E5M2": (8, "float8_e5m2"), "F8_E4M3": (8, "float8_e4m3fn"),
    "F8_E8M0": (8, "float8_e8m0fnu"), "F8_E4M3FNUZ": (8, "float8_e4m3fnuz"),
    "F8_E5M2FNUZ": (8, "float8_e5m2fnuz"), "I16": (16, "int16"), "U16": (16, "uint16"),
    "F16": (16, "float16"), "BF16": (16, "bfloat16"), "I32": (32, "int32"), "U32": (32, "uint32"),
    "F32": (32, "float32"), "C64": (64, "complex64"), "F64": (64, "float64"), "I64": (64, "int64"),
    "U64": (64, "uint64"),
}
RANKS = list(DTYPES)


def dump(tensors, metadata=None):
    """A file's bytes; tensors: {name: (dtype, shape, bytes)}. In the reference writer's order."""
    header, data = {}, b""
    if metadata:
        header["__metadata__"] = metadata
    for name in sorted(tensors, key=lambda n: (-RANKS.index(tensors[n][0]), n.encode())):
        dtype, shape, elements = tensors[name]
        header[name] = {"dtype": dtype, "shape": list(shape),
                        "data_offsets": [len(data), len(data) + len(elements)]}
        data += elements
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return wrap(text) + data


def wrap(header):
    return struct.pack("<Q", len(header)) + header


def load(data):
    """({name: (dtype, shape, bytes)} in the header's order, metadata)"""
    length, = struct.unpack("<Q", data[:8])
    header, data = json.loads(data[8:8 + length]), data[8 + length:]
    metadata = header.pop("__metadata__", {})
    tensors, end = {}, 0
    for name, info in header.items():
        begin, stop = info["data_offsets"]
        assert begin == end
        end = stop
        tensors[name] = info["dtype"], tuple(info["shape"]), data[begin:stop]
        assert math.prod(info["shape"]) * DTYPES[info["dtype"]][0] == 8 * (stop - begin)
    assert end == len(data)
    return tensors, metadata


def hashes(tensors):
    """The content hash, and those of the tensors in the order of their names."""
    everything, each = hashlib.sha256(), ""
    for name, (dtype, shape, elements) in sorted(tensors.items(), key=lambda item: item[0].encode()):
        own = hashlib.sha256(elements)
        everything.update(name.encode() + b"\0" + DTYPES[dtype][1].encode() + b"\0")
        everything.update(struct.pack(f"<{len(shape) + 1}Q", len(shape), *shape) + own.digest())
        each += own.hexdigest()
    return everything.hexdigest(), each
