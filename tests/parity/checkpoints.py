"""What torch.load gives and what graft_checkpoint_open gives of the same file, compared."""

import collections

import graft
import torch
from graft import ffi, lib

DTYPES = {
    "float32": torch.float32, "float64": torch.float64, "float16": torch.float16,
    "bfloat16": torch.bfloat16, "int64": torch.int64, "int32": torch.int32,
    "int16": torch.int16, "int8": torch.int8, "uint8": torch.uint8, "bool": torch.bool,
    "complex64": torch.complex64, "complex128": torch.complex128,
}
KINDS = {getattr(lib, f"GRAFT_VALUE_{kind}"): kind.lower() for kind in (
    "NONE", "BOOL", "INT", "FLOAT", "STRING", "TENSOR", "DICT", "LIST", "TUPLE", "SET", "RECORD",
    "BYTES", "BIG_INT", "COMPLEX")}
QUANTIZED = {torch.qint8: torch.int8, torch.quint8: torch.uint8, torch.qint32: torch.int32}


def dtype_name(dtype):
    return str(dtype).removeprefix("torch.")


def raw(tensor):
    """The bytes of all of a strided tensor's storage."""
    storage = tensor.detach().storage()
    size = storage.nbytes()
    return bytes(ffi.buffer(ffi.cast("char *", storage.data_ptr()), size)) if size else b""


class Difference(AssertionError):
    pass


class Comparison:
    """Compares values in step, and which tensors share which storage."""

    def __init__(self, g, slices=False):
        self.g = g
        self.slices = slices  # of storages stand for storages: torch makes them ones of their own
        self.storages = {}  # of graft by those of torch
        self.backwards = {}
        self.tensors = 0

    def fail(self, path, got, want):
        raise Difference(f"{path or 'the root'}: graft has {got!r:.300}, torch {want!r:.300}")

    def same(self, path, got, want):
        if type(got) is not type(want) or (got != want and not (got != got and want != want)):
            self.fail(path, got, want)

    def checkpoint(self, c, want):
        root = lib.graft_checkpoint_root(c)
        if lib.graft_checkpoint_is_bare(c):
            self.same("", self.keys(root), [""])
            self.value("", root, 0, want)
        else:
            self.container("", root, want)

    # -- graft's side

    def keys(self, d):
        keys = []
        for i in range(lib.graft_dict_len(d)):
            number = ffi.new("int64_t *")
            is_int = lib.graft_dict_key_is_int(d, i, number)
            keys.append(number[0] if is_int else graft.text(lib.graft_dict_key(d, i)))
        return keys

    def bytes_at(self, d, i):
        size = ffi.new("size_t *")
        data = lib.graft_dict_bytes_at(d, i, size)
        return bytes(ffi.buffer(data, size[0])) if size[0] else b""

    # -- values

    def value(self, path, d, i, want):
        kind = KINDS[lib.graft_dict_kind(d, i)]
        if kind in ("dict", "list", "tuple", "set", "record"):
            return self.container(path, lib.graft_dict_dict_at(d, i), want)
        if isinstance(want, torch.storage.TypedStorage):
            want = torch.tensor([], dtype=want.dtype).set_(want)
        if kind == "tensor":
            if not isinstance(want, torch.Tensor):
                self.fail(path, kind, want)
            return self.tensor(path, d, i, want)
        if kind == "complex":
            parts = ffi.new("double[2]")
            lib.graft_dict_complex_at(d, i, parts, parts + 1)
            got = complex(parts[0], parts[1])
        else:
            got = {
                "none": lambda: None,
                "bool": lambda: lib.graft_dict_bool_at(d, i),
                "int": lambda: lib.graft_dict_int_at(d, i),
                "float": lambda: lib.graft_dict_float_at(d, i),
                "string": lambda: self.bytes_at(d, i).decode("utf-8", "surrogatepass"),
                "bytes": lambda: self.bytes_at(d, i),
                "big_int": lambda: int(graft.text(lib.graft_dict_string_at(d, i))),
            }[kind]()
        return self.same(path, got, want)

    def tensor(self, path, d, i, want):
        info = ffi.new("graft_tensor_info *")
        assert lib.graft_dict_tensor_info(d, i, info)
        n = info.shape.ndim
        empty = want.numel() == 0
        got = (graft.text(lib.graft_dtype_name(info.dtype)), list(info.shape.size)[:n],
               list(info.stride)[:n], info.requires_grad, info.parameter)
        self.same(path, got, (dtype_name(want.dtype), list(want.shape), list(want.stride()),
                              want.requires_grad, isinstance(want, torch.nn.Parameter)))
        if self.slices:
            return self.contents(path, d, i, want)
        if not empty:
            self.same(path, info.storage_offset, want.storage_offset())
        self.same(path, info.storage_bytes, want.detach().storage().nbytes())
        t = self.g.dict_tensor_at(d, i)
        if info.storage_bytes and not empty:
            start = ffi.cast("char *", lib.graft_data(t)) - info.storage_offset * want.element_size()
            if bytes(ffi.buffer(start, info.storage_bytes)) != raw(want):
                self.fail(path, self.g.torch(t), want)
        self.shared(path, info.storage, want)
        self.tensors += 1

    def shared(self, path, storage, want):
        there = want.detach().storage().data_ptr()
        if there == 0:
            return
        here = int(ffi.cast("uintptr_t", storage))
        self.same(f"{path} (storage)", self.storages.setdefault(there, here), here)
        self.same(f"{path} (storage)", self.backwards.setdefault(here, there), there)

    # -- containers

    def container(self, path, d, want):
        container = KINDS[lib.graft_dict_container(d)]
        name = graft.text(lib.graft_dict_class(d))
        if container == "record":
            return self.record(path, d, name, want)
        if isinstance(want, collections.OrderedDict):
            self.same(path, (container, name), ("dict", "collections.OrderedDict"))
            return self.ordered(path, d, want)
        if isinstance(want, torch.Size):
            self.same(path, (container, name), ("tuple", "torch.Size"))
            return self.sequence(path, d, list(want))
        if isinstance(want, (set, frozenset)):
            self.same(path, container, "set")
            got = {self.plain(d, i) for i in range(lib.graft_dict_len(d))}
            return self.same(path, got, set(want))
        if isinstance(want, (collections.Counter, collections.defaultdict)):
            self.same(path, container, "dict")
            return self.mapping(path, d, want)
        self.same(path, container, type(want).__name__)
        return (self.mapping if container == "dict" else self.sequence)(path, d, want)

    def plain(self, d, i):
        kind = KINDS[lib.graft_dict_kind(d, i)]
        return (lib.graft_dict_int_at(d, i) if kind == "int"
                else self.bytes_at(d, i).decode() if kind == "string" else kind)

    def ordered(self, path, d, want):
        self.mapping(path, d, want)
        attributes = lib.graft_dict_attributes(d)
        self.mapping(f"{path}.__dict__", attributes, vars(want))

    def mapping(self, path, d, want):
        self.same(f"{path} (keys)", self.keys(d) if d else [],
                  [key if isinstance(key, (int, str)) and not isinstance(key, bool) else repr(key)
                   for key in want])
        for i, (key, value) in enumerate(want.items()):
            self.value(f"{path}.{key}", d, i, value)

    def sequence(self, path, d, want):
        self.same(f"{path} (length)", lib.graft_dict_len(d), len(want))
        for i, value in enumerate(want):
            self.value(f"{path}.{i}", d, i, value)

    def record(self, path, d, name, want):
        attributes = lib.graft_dict_attributes(d)
        if isinstance(want, torch.Tensor):
            return self.special(path, d, name, want)
        if isinstance(want, torch.dtype) or isinstance(want, torch.qscheme):
            return self.same(path, name, str(want))
        if isinstance(want, torch.device):
            self.same(path, name, "torch.device")
            args = [want.type] + [want.index] * (want.index is not None)
            return self.sequence(path, lib.graft_dict_args(d), args)
        if isinstance(want, torch.layout):
            self.same(path, name, "torch.serialization._get_layout")
            return self.sequence(path, lib.graft_dict_args(d), [str(want)])
        if isinstance(want, type) or callable(want) and not isinstance(want, torch.nn.Module):
            return self.same(path, name, f"{want.__module__}.{want.__qualname__}")
        kind = type(want)
        self.same(path, name, f"{kind.__module__}.{kind.__qualname__}")
        if isinstance(want, dict):
            self.mapping(path, d, want)
        elif isinstance(want, (list, set)):
            self.sequence(path, d, list(want))
        state = {key: value for key, value in vars(want).items()}
        if isinstance(want, torch.nn.Module):
            # Module.__setstate__ adds what older versions did not have.
            there = set(self.keys(attributes))
            state = {key: value for key, value in state.items() if key in there}
        return self.mapping(path, attributes, state)

    def special(self, path, d, name, want):
        """Tensors that graft has as records with attributes."""
        a = lib.graft_dict_attributes(d)
        keys = self.keys(a)

        def field(key, value):
            if key not in keys:
                self.fail(path, keys, key)
            self.value(f"{path}.{key}", a, keys.index(key), value)

        if isinstance(want, torch.nn.Parameter) and want.is_quantized is False and name.endswith(
                "_rebuild_parameter_with_state"):
            i = keys.index("data")
            return self.value(f"{path}.data", a, i, want)
        if want.is_quantized:
            self.same(path, name, "torch._utils._rebuild_qtensor")
            field("dtype", str(want.dtype))
            field("scheme", str(want.qscheme()))
            if want.qscheme() == torch.per_tensor_affine:
                field("scale", want.q_scale())
                field("zero_point", want.q_zero_point())
            else:
                field("axis", want.q_per_channel_axis())
                for key in ("scales", "zero_points"):
                    self.contents(f"{path}.{key}", a, keys.index(key),
                                  getattr(want, f"q_per_channel_{key}")())
            if "packed" in keys:
                return self.same(path, lib.graft_dict_kind(a, keys.index("packed")),
                                 lib.GRAFT_VALUE_TENSOR)
            info = ffi.new("graft_tensor_info *")
            lib.graft_dict_tensor_info(a, keys.index("int_repr"), info)
            self.same(path, list(info.stride)[:info.shape.ndim], list(want.stride()))
            return self.contents(f"{path}.int_repr", a, keys.index("int_repr"), want.int_repr())
        self.same(path, graft.text(lib.graft_dict_string_at(a, keys.index("layout"))),
                  str(want.layout))
        field("size", want.shape)
        parts = (["_indices", "_values"] if want.layout == torch.sparse_coo else
                 ["crow_indices", "col_indices", "values"])
        for part in parts:
            self.contents(f"{path}.{part}", a, keys.index(part.lstrip("_")), getattr(want, part)())
        return None

    def contents(self, path, d, i, want):
        """Equal elements, wherever they lie."""
        t = self.g.dict_tensor_at(d, i)
        if t is None:
            self.fail(path, KINDS[lib.graft_dict_kind(d, i)], want)
        got = self.g.torch(t)
        if got.dtype != want.dtype or not torch.equal(got, want.detach()):
            self.fail(path, got, want)
        self.tensors += 1


def options(**fields):
    return graft.options("read", **fields)


def compare(g, path, want, slices=False, **fields):
    """Raises where graft's value of a file is not `want`. Returns how many tensors it has and the
    format."""
    c = g.checkpoint_open(str(path), options(**fields))
    try:
        comparison = Comparison(g, slices)
        comparison.checkpoint(c, want)
        return comparison.tensors, graft.text(
            lib.graft_format_name(lib.graft_checkpoint_format(c)))
    finally:
        lib.graft_checkpoint_free(c)


def compare_with_torch(g, path, **fields):
    return compare(g, path, torch.load(path, map_location="cpu"), **fields)
