"""A small file of each format, cut off at every byte and with every bit flipped.

What opens must be sound: every tensor is as large as its shape says and can be read. Where a format
has checksums, what opens is what was written; else a file may well say something else after a
flip, and still be a file.
"""

import hashlib
import io
import json
import pickle
import struct
import tarfile
import zipfile

import graft
import numpy
import pytest
import torch
from graft import ffi, lib
from test_gguf import gguf

OPTIONS = ffi.new("graft_read_options *", lib.graft_read_defaults())
OPTIONS.verify = lib.GRAFT_VERIFY_OPEN


# ---- Files ----

def state():
    return {"fc.weight": torch.arange(6.0).view(2, 3), "n": torch.tensor([1, 2]), "epoch": 3}


def saved(**options):
    out = io.BytesIO()
    torch.save(state(), out, **options)
    return out.getvalue()


def pt_deflated():
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(saved())) as old, \
            zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return out.getvalue()


class Scale(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.w = torch.nn.Parameter(torch.ones(2))

    def forward(self, x):
        return x * self.w


def torchscript():
    """Without the code and its debugging, which are nine tenths of it."""
    whole, out = io.BytesIO(), io.BytesIO()
    torch.jit.save(torch.jit.script(Scale()), whole)
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            if "/code/" not in name:
                new.writestr(name, old.read(name))
    return out.getvalue()


def tar():
    def member(obj):
        return pickle.dumps(obj, 2)

    members = {
        "sys_info": member({"little_endian": True}),
        "storages": member(1) + b"\x80\x02(K\x00X\x03\0\0\0cpuctorch\nFloatStorage\ntq\0."
        + struct.pack("<q4f", 4, 1, 2, 3, 4) + member([]),
        "tensors": member(1) + b"\x80\x02(K\x01K\x00ctorch\nFloatTensor\ntq\0."
        + struct.pack("<i4x2q2qq", 2, 2, 2, 2, 1, 0),
        "pickle": b"\x80\x02}q\0X\x01\0\0\0wq\1K\x01Qs."}
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()[:512 * 2 * len(members) + 1024]


def safetensors(names=("a", "b.c")):
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name in names:
        header[name] = {"dtype": "F32", "shape": [2, 3], "data_offsets": [len(data), len(data) + 24]}
        data += struct.pack("<6f", *range(6))
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def index():
    return json.dumps({"metadata": {"total_size": 48}, "weight_map": {
        "a": "model-1.safetensors", "b.c": "model-2.safetensors"}}).encode()


def npy():
    out = io.BytesIO()
    numpy.save(out, numpy.arange(6, dtype="f4").reshape(2, 3))
    return out.getvalue()


def npz(save):
    out = io.BytesIO()
    save(out, a=numpy.arange(6, dtype="f4").reshape(2, 3), b=numpy.array([1, 2]))
    return out.getvalue()


def small_gguf():
    data = struct.pack("<6f", *range(6))
    return gguf([("a", (2, 3), 0, data), ("b", (6,), 0, data)],
                [("general.name", "str", "tiny"), ("list", ("list", "str"), ["a", "b"])])


def field(number, data):
    return bytes([number << 3 | 2, len(data)]) + data


def onnx():
    """Written here, so that this test needs no package: an initializer of raw data."""
    tensor = b"\x08\x02\x08\x03\x10\x01" + field(8, b"w") + field(9, struct.pack("<6f", *range(6)))
    return b"\x08\x08" + field(2, b"maker") + field(7, field(2, b"graph") + field(5, tensor))


# What is written, whether checksums cover what the dict holds, and the cuts that may open.
NO_CUT = range(0)
FILES = {
    "pt": (saved, True, NO_CUT),
    "pt-deflated": (pt_deflated, True, NO_CUT),
    "torchscript": (torchscript, True, NO_CUT),
    "legacy": (lambda: saved(_use_new_zipfile_serialization=False), False, NO_CUT),
    # the two blocks of zeros at its end, and those behind the 18 bytes of the last member
    "tar": (tar, False, range(7 * 512 + 18, 10 * 512)),
    "safetensors": (safetensors, False, NO_CUT),
    "npy": (npy, False, NO_CUT),
    "npz": (lambda: npz(numpy.savez), True, NO_CUT),
    "npz-deflated": (lambda: npz(numpy.savez_compressed), True, NO_CUT),
    "gguf": (small_gguf, False, NO_CUT),
    # a message that ends between two of its fields is one
    "onnx": (onnx, False, range(0, 16)),
}


# ---- Reading ----

class Damage:
    """Opens bytes, or a file where the format needs a folder; a sound result or a fault."""

    def __init__(self, ctx, path=None):
        self.ctx, self.path, self.options = ctx, path, OPTIONS

    def fault(self):
        """Whether there is an error; then it is a fault of the file."""
        message = graft.text(lib.graft_error(self.ctx))
        if message is None:
            return False
        assert lib.graft_error_status(self.ctx) == lib.GRAFT_ERR_FORMAT, message
        assert lib.graft_error_fault(self.ctx) != lib.GRAFT_FAULT_NONE, message
        lib.graft_clear_error(self.ctx)
        return True

    def open(self, data):
        """None for a fault, else what is in it as (name, dtype, shape, hash of the bytes)."""
        if self.path:
            self.path.write_bytes(data)
            c = lib.graft_checkpoint_open(self.ctx, str(self.path).encode(),
                                            self.options)
        else:
            c = lib.graft_checkpoint_open_memory(self.ctx, data, len(data), self.options)
        if not c:
            assert self.fault(), "it does not open, and there is no error"
            return None
        assert not self.fault()
        lib.graft_scope_begin(self.ctx)
        flat = lib.graft_dict_flatten(lib.graft_checkpoint_root(c))
        found = self.tensors(flat)
        lib.graft_scope_end(self.ctx)
        lib.graft_checkpoint_free(c)
        return found

    def tensors(self, flat):
        found, info = [], ffi.new("graft_tensor_info *")
        for i in range(lib.graft_dict_len(flat)):
            assert lib.graft_dict_tensor_info(flat, i, info)
            shape = graft.sizes(info.shape)
            elements, bytes_ = ffi.new("int64_t *"), ffi.new("size_t *")
            assert lib.graft_dtype_block(info.dtype, elements, bytes_)
            size = bytes_[0]
            for n in shape:
                assert n >= 0
                size *= n
            assert size // elements[0] == info.bytes
            t = lib.graft_dict_tensor_at(flat, i)
            if not t and self.options.verify == lib.GRAFT_VERIFY_USE:
                assert self.fault()
                return None
            assert t, "opened with everything verified, and yet it can't be taken"
            out = bytearray(info.bytes) if info.bytes < 1 << 20 else None
            if out is not None:
                assert lib.graft_copy_out(t, ffi.from_buffer(out) if out else ffi.NULL, len(out),
                                          info.dtype) == lib.GRAFT_OK
            name = ffi.string(lib.graft_dict_key(flat, i))
            found.append((name, info.dtype, shape, hashlib.sha1(out or b"").digest()))
        return found


@pytest.fixture
def damage():
    ctx = lib.graft_open(graft.options("options", threads=1))
    yield Damage(ctx)
    lib.graft_close(ctx)


def flips(data):
    for i in range(len(data)):
        for bit in range(8):
            yield data[:i] + bytes([data[i] ^ 1 << bit]) + data[i + 1:]


@pytest.mark.parametrize("name", FILES)
def test_cuts(damage, name):
    make, _, may_open = FILES[name]
    data = make()
    assert damage.open(data)
    for size in range(len(data)):
        found = damage.open(data[:size])
        assert found is None or size in may_open, f"{size} of {len(data)} bytes open"


@pytest.mark.parametrize("name", FILES)
def test_flips(damage, name):
    make, checked, _ = FILES[name]
    data = make()
    whole = damage.open(data)
    assert whole
    failed = 0
    for i, flipped in enumerate(flips(data)):
        found = damage.open(flipped)
        failed += found is None
        if checked and found is not None:
            assert found == whole, f"byte {i // 8}, bit {i % 8}"
    assert failed > len(data)


@pytest.mark.parametrize("name", ["pt", "pt-deflated", "torchscript"])
def test_flips_of_mapped_files(damage, name, tmp_path):
    """Much is looked at when it is used only: what is handed out is what was written all the same."""
    data = FILES[name][0]()
    damage.path, damage.options = tmp_path / "file.pt", ffi.new("graft_read_options *",
                                                                lib.graft_read_defaults())
    whole = damage.open(data)
    assert whole
    found = [damage.open(flipped) for flipped in flips(data)]
    assert all(f in (None, whole) for f in found)
    assert sum(f is None for f in found) > len(data)


@pytest.fixture
def index_damage(damage, tmp_path):
    for i, name in enumerate(("a", "b.c")):
        (tmp_path / f"model-{i + 1}.safetensors").write_bytes(safetensors([name]))
    damage.path = tmp_path / "model.safetensors.index.json"
    return damage


def test_index(index_damage):
    data = index()
    whole = index_damage.open(data)
    assert [name for name, *_ in whole] == [b"a", b"b.c"]
    for size in range(len(data)):
        assert index_damage.open(data[:size]) is None, size
    for i, flipped in enumerate(flips(data)):
        found = index_damage.open(flipped)
        assert found in (None, whole), f"byte {i // 8}, bit {i % 8}"


@pytest.mark.parametrize("shard", [1, 2])
def test_shards(index_damage, tmp_path, shard):
    index_damage.path.write_bytes(index())
    data = (tmp_path / f"model-{shard}.safetensors").read_bytes()
    for flipped in flips(data):
        (tmp_path / f"model-{shard}.safetensors").write_bytes(flipped)
        index_damage.open(index())
