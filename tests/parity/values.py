"""A checkpoint as Python has it: dicts, lists, tuples, numpy arrays."""

import collections

import graft
import numpy
from graft import ffi, lib

KINDS = {getattr(lib, f"GRAFT_VALUE_{kind}"): kind.lower() for kind in (
    "NONE", "BOOL", "INT", "FLOAT", "STRING", "TENSOR", "DICT", "LIST", "TUPLE", "SET", "RECORD",
    "BYTES", "BIG_INT", "COMPLEX")}

Checkpoint = collections.namedtuple("Checkpoint", "root metadata format bare")

# A tensor that numpy has no dtype for.
Carried = collections.namedtuple("Carried", "dtype shape bytes")


def tensor(g, d, i):
    """A numpy array with the strides of the tensor, or a Carried."""
    info = ffi.new("graft_tensor_info *")
    assert lib.graft_dict_tensor_info(d, i, info)
    shape = tuple(info.shape.size)[:info.shape.ndim]
    name = graft.text(lib.graft_dtype_name(info.dtype))
    t = g.dict_tensor_at(d, i)
    data = bytes(ffi.buffer(lib.graft_data(t), info.bytes)) if info.bytes else b""
    try:
        dtype = numpy.dtype(name)
    except TypeError:
        return Carried(name, shape, data)
    strides = [stride * dtype.itemsize for stride in tuple(info.stride)[:len(shape)]]
    return numpy.ndarray(shape, dtype, data, 0, strides) if data else numpy.empty(shape, dtype)


def value(g, d, i):
    kind = KINDS[lib.graft_dict_kind(d, i)]
    if kind == "tensor":
        return tensor(g, d, i)
    if kind in ("string", "bytes"):
        size = ffi.new("size_t *")
        data = lib.graft_dict_bytes_at(d, i, size)
        data = bytes(ffi.buffer(data, size[0])) if size[0] else b""
        return data.decode() if kind == "string" else data
    if kind == "big_int":
        return int(graft.text(lib.graft_dict_string_at(d, i)))
    if kind in ("bool", "int", "float"):
        return getattr(lib, f"graft_dict_{kind}_at")(d, i)
    return None if kind == "none" else container(g, lib.graft_dict_dict_at(d, i))


def container(g, d):
    kind = KINDS[lib.graft_dict_container(d)]
    values = [value(g, d, i) for i in range(lib.graft_dict_len(d))]
    if kind in ("dict", "record"):
        return {graft.text(lib.graft_dict_key(d, i)): v for i, v in enumerate(values)}
    return {"list": list, "tuple": tuple, "set": set}[kind](values)


def load(g, path, **options):
    c = g.checkpoint_open(path, graft.options("read", **options))
    try:
        return Checkpoint(container(g, lib.graft_checkpoint_root(c)),
                          container(g, lib.graft_checkpoint_metadata(c)),
                          graft.text(lib.graft_format_name(lib.graft_checkpoint_format(c))),
                          lib.graft_checkpoint_is_bare(c))
    finally:
        lib.graft_checkpoint_free(c)


def assert_array(got, want):
    """The same dtype (in native byte order), shape and bits."""
    want = numpy.asarray(want)
    native = want.astype(want.dtype.newbyteorder("="))
    assert (got.dtype, got.shape) == (native.dtype, native.shape)
    assert got.tobytes() == native.tobytes()
