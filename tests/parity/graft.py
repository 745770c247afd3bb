"""graft beside PyTorch: every public function through cffi, and tensors to and fro.

    with Context() as g:
        g.manual_seed(0)
        y = g.relu(torch.randn(3, 4))        # lib.graft_relu; y is a graft_tensor *
        assert_close(g.torch(y), ...)

A Context turns `g.name(...)` into `graft_name(...)`: it puts itself in front where the function
wants a graft_ctx, converts what Python has (torch tensors and numpy arrays to graft_tensor *,
tuples to graft_shape, torch dtypes to graft_dtype, str to char *, None to NULL), and raises
GraftError where graft keeps an error. What comes back as char const * is a str, a NULL is None.
For a call without any of this there is `lib`.
"""

import contextlib
import os
import pathlib
import re
import subprocess

import cffi
import numpy
import torch

ROOT = pathlib.Path(__file__).resolve().parents[2]


def library_path():
    path = pathlib.Path(os.environ.get("GRAFT_LIBRARY") or ROOT / "build/lib/libgraft.so")
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is not there. Build it (cmake --preset release && cmake --build --preset "
            "release) or say in GRAFT_LIBRARY where it is.")
    return path


CDEF = subprocess.run([ROOT / "scripts/make-cdef"], check=True, text=True,
                      stdout=subprocess.PIPE).stdout
ffi = cffi.FFI()
ffi.cdef(CDEF)
lib = ffi.dlopen(str(library_path()))

# The texts that the caller frees; cffi itself forgets the const.
OWNED_TEXTS = set(re.findall(r"^char \*graft_(\w+)\(", CDEF, re.MULTILINE))

DTYPES = {
    torch.float32: lib.GRAFT_F32,
    torch.float64: lib.GRAFT_F64,
    torch.float16: lib.GRAFT_F16,
    torch.bfloat16: lib.GRAFT_BF16,
    torch.int64: lib.GRAFT_I64,
    torch.int32: lib.GRAFT_I32,
    torch.int16: lib.GRAFT_I16,
    torch.int8: lib.GRAFT_I8,
    torch.uint8: lib.GRAFT_U8,
    torch.bool: lib.GRAFT_BOOL,
}
TORCH_DTYPES = {number: dtype for dtype, number in DTYPES.items()}


class GraftError(Exception):
    """What graft_error() said; status is the name of the graft_status."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = text(lib.graft_status_name(status))


def text(chars):
    """A char * as str, NULL as None."""
    return ffi.string(chars).decode() if chars else None


def shape(sizes):
    """A graft_shape by value."""
    sizes = [int(size) for size in sizes]
    return ffi.new("graft_shape *", {"ndim": len(sizes), "size": sizes})[0]


def sizes(graft_shape):
    return tuple(graft_shape.size[i] for i in range(graft_shape.ndim))


def options(kind, **fields):
    """options("adam", lr=0.1): a pointer to graft_adam_defaults() with some fields changed."""
    defaults = getattr(lib, f"graft_{kind}_defaults")
    struct = ffi.new(ffi.getctype(ffi.typeof(defaults).result, "*"), defaults())
    for name, value in fields.items():
        setattr(struct, name, value)
    return struct


def assert_close(got, want, rtol=0.0, atol=0.0):
    """Same dtype, same shape, |got - want| <= atol + rtol * |want|, NaN where NaN is."""
    torch.testing.assert_close(got, want, rtol=rtol, atol=atol, equal_nan=True,
                               check_stride=False)


class Context:
    """A graft_ctx, and the functions of the library as methods."""

    def __init__(self, **fields):
        fields.setdefault("threads", 1)
        self.ptr = lib.graft_open(options("options", **fields))
        assert self.ptr, "graft_open returned NULL"
        self._methods = {}

    def close(self):
        lib.graft_close(self.ptr)
        self.ptr = ffi.NULL

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def check(self):
        """Raises the error that the context keeps, and has it forget it."""
        message = text(lib.graft_error(self.ptr))
        if message is not None:
            status = lib.graft_error_status(self.ptr)
            lib.graft_clear_error(self.ptr)
            raise GraftError(status, message)

    def __getattr__(self, name):
        if name not in self._methods:
            try:
                function = getattr(lib, f"graft_{name}")
            except AttributeError as error:
                raise AttributeError(f"graft_{name} is not there: {error}") from None
            self._methods[name] = self._method(name, function)
        return self._methods[name]

    def _method(self, name, function):
        signature = ffi.typeof(function)
        takes_context = signature.args[:1] == (ffi.typeof("graft_ctx *"),)
        types = signature.args[1:] if takes_context else signature.args

        def method(*arguments):
            if len(arguments) != len(types):
                raise TypeError(f"graft_{name} takes {len(types)} arguments: "
                                f"{ffi.getctype(signature)}")
            converted = [self._to_c(*pair) for pair in zip(arguments, types)]
            result = function(*[self.ptr] * takes_context, *converted)
            self.check()
            if signature.result.cname == "graft_status" and result != lib.GRAFT_OK:
                raise GraftError(result, f"graft_{name} keeps no reason for its status")
            if signature.result.kind != "pointer":
                return result
            if signature.result != ffi.typeof("char *"):
                return result or None
            copy = text(result)
            if name in OWNED_TEXTS:
                lib.graft_text_free(self.ptr, result)
            return copy

        return method

    def _to_c(self, value, ctype):
        if isinstance(value, Context):
            return value.ptr
        if value is None:
            return ffi.NULL
        if isinstance(value, (torch.Tensor, numpy.ndarray)):
            return self.tensor(value)
        if isinstance(value, torch.dtype):
            return DTYPES[value]
        if isinstance(value, (str, os.PathLike)):
            return ffi.new("char[]", os.fsencode(value))
        if ctype.kind == "struct" and isinstance(value, (tuple, list)):
            return shape(value)
        if ctype.kind == "pointer" and isinstance(value, (tuple, list)):
            return ffi.new(ffi.getctype(ctype.item, "[]"),
                           [self._to_c(item, ctype.item) for item in value])
        return value

    @contextlib.contextmanager
    def scope(self):
        self.scope_begin()
        try:
            yield
        finally:
            self.scope_end()

    @contextlib.contextmanager
    def no_grad(self):
        self.no_grad_begin()
        try:
            yield
        finally:
            self.no_grad_end()

    def tensor(self, source, requires_grad=None):
        """A graft tensor with the elements, the strides and the requires_grad of a torch tensor or
        a numpy array. Strides that narrowing, permuting and expanding cannot lead to (and those of
        an empty tensor) become contiguous."""
        source = torch.as_tensor(source)
        if requires_grad is None:
            requires_grad = source.requires_grad
        source = source.detach()
        if source.is_contiguous() or source.numel() == 0:
            made = self._contiguous(source)
        else:
            made = self._strided(source)
        return self.set_requires_grad(made, True) if requires_grad else made

    def _contiguous(self, source):
        # A tensor of torch's own: the clone of an expanded one may not be contiguous.
        held = torch.empty(source.shape, dtype=source.dtype).copy_(source)
        data = ffi.cast("void *", held.data_ptr()) if held.numel() else ffi.NULL
        return self.from_data(data, held.shape, held.dtype)

    def _strided(self, source):
        # Dimensions in the order of memory; each is a part of a dimension of the block around it.
        dims = [d for d in range(source.dim()) if source.stride(d) != 0 and source.size(d) != 1]
        dims.sort(key=source.stride, reverse=True)
        others = [d for d in range(source.dim()) if d not in dims]
        counts = [source.size(d) for d in dims]
        strides = [source.stride(d) for d in dims] + [1]
        block = [counts[0] if dims else 1]
        for outer, inner, count in zip(strides, strides[1:], counts[1:] + [1]):
            if outer % inner or outer // inner < count:
                return self._contiguous(source)
            block.append(outer // inner)
        # What lies between the elements must not matter: neither 0 nor NaN.
        around = torch.ones(block, dtype=source.dtype)
        around[(*map(slice, counts), 0)] = source.permute(dims + others)[
            (..., *[0] * len(others))]

        made = self.select(self._contiguous(around), len(dims), 0)
        for i, count in enumerate(counts):
            if block[i] != count:
                made = self.narrow(made, i, 0, count)
        if dims != sorted(dims):
            made = self.permute(made, [dims.index(d) for d in sorted(dims)])
        for d in others:
            made = self.unsqueeze(made, d)
        if any(source.size(d) != 1 for d in others):
            made = self.expand(made, source.shape)
        return made

    def torch(self, tensor):
        """A contiguous torch tensor with the elements of a graft tensor; None for None."""
        if tensor is None or tensor == ffi.NULL:
            return None
        made = torch.empty(sizes(self.tensor_shape(tensor)),
                           dtype=TORCH_DTYPES[self.tensor_dtype(tensor)])
        out = ffi.cast("void *", made.data_ptr()) if made.numel() else ffi.new("char[1]")
        self.copy_out(tensor, out, made.numel() * made.element_size(),
                      self.tensor_dtype(tensor))
        return made

    def numpy(self, tensor):
        return self.torch(tensor).numpy()

    def strides(self, tensor):
        return tuple(self.stride(tensor, d) for d in range(self.ndim(tensor)))

