"""Files that newer and older PyTorch write, made by hand, and files that mean ill."""

import collections
import io
import pickle
import struct

import checkpoints
import graft
import pytest
import torch
from graft import lib
from torch_files import Id, Named, Newer, Reduced, archive, floats, rebuilt, untyped

NEWER = {"uint16": 2, "uint32": 4, "uint64": 8, "complex32": 4, "float8_e4m3fn": 1,
         "float8_e5m2": 1, "float8_e4m3fnuz": 1, "float8_e5m2fnuz": 1, "float8_e8m0fnu": 1,
         "float4_e2m1fn_x2": 1, "bits8": 1, "bits16": 2, "bits1x8": 1, "bits2x4": 1, "bits4x2": 1,
         "float32": 4, "int64": 8, "complex128": 16}


@pytest.mark.parametrize("dtype, width", NEWER.items())
def test_rebuild_tensor_v3(g, tmp_path, dtype, width):
    data = bytes(range(96)) * 2
    storage = untyped("0", len(data))
    view = Reduced("torch._utils._rebuild_tensor_v3", storage, 3, (2, 3), (1, 2), False,
                   collections.OrderedDict(), Named.get(f"torch.{dtype}"))
    all_ = Reduced("torch._utils._rebuild_tensor_v3", storage, 0, (len(data) // width,), (1,), False,
                   collections.OrderedDict(), Named.get(f"torch.{dtype}"), None)
    archive(tmp_path / "a.pt", {"view": view, "all": all_}, {"0": data})
    root = g.load(tmp_path / "a.pt", None)
    info = graft.ffi.new("graft_tensor_info *")
    assert lib.graft_dict_tensor_info(root, 0, info)
    assert graft.text(lib.graft_dtype_name(info.dtype)) == dtype
    assert (info.storage_offset, list(info.stride)[:2], list(info.shape.size)[:2]) == (
        3, [1, 2], [2, 3])
    assert info.storage_bytes == len(data)
    t = g.dict_tensor(root, "all")
    assert bytes(graft.ffi.buffer(graft.ffi.cast("char *", lib.graft_data(t)), len(data))) == data
    assert g.shares_storage(t, g.dict_tensor(root, "view"))


def test_kinds_of_newer_pytorch(g, tmp_path):
    storage, data = floats("0", [1, 2, 3, 4])
    x = rebuilt(storage, (4,))
    tensor, parameter = Named.get("torch.Tensor"), Named.get("torch.nn.parameter.Parameter")
    v2 = Named.get("torch._utils._rebuild_tensor_v2")
    arguments = (storage, 0, (4,), (1,), False, collections.OrderedDict())

    def typed(kind, state):
        return Reduced("torch._tensor._rebuild_from_type_v2", v2, kind, arguments, state)

    float32 = Named.get("torch.float32")
    archive(tmp_path / "a.pt", {
        "tensor": typed(tensor, {"note": 1}),
        "parameter": typed(parameter, {}),
        "own": typed(Named.get("somewhere.Tensor"), {"note": 1}),
        "state": Reduced("torch._utils._rebuild_parameter_with_state", x, True,
                         collections.OrderedDict(), {"note": 1}),
        "no_state": Reduced("torch._utils._rebuild_parameter_with_state", x, True,
                            collections.OrderedDict(), {}),
        "nested": Reduced("torch._utils._rebuild_nested_tensor", x, x, x, x),
        "meta": Reduced("torch._utils._rebuild_meta_tensor_no_storage", float32, (2, 3), (3, 1),
                        False),
        "wrapper": Reduced("torch._utils._rebuild_wrapper_subclass", Named.get("somewhere.T"),
                           float32, (2,), (1,), 0, None, None, False),
        "device": Reduced("torch._utils._rebuild_device_tensor_from_cpu_tensor", x, float32,
                          "mps", False),
        "bf16": Reduced("torch._utils._rebuild_device_tensor_from_numpy", x,
                        Named.get("torch.bfloat16"), "xla", True),
    }, {"0": data})
    root = g.load(tmp_path / "a.pt", None)
    want = torch.tensor([1.0, 2, 3, 4])
    for path in ("tensor", "parameter", "own.data", "state.data", "no_state", "nested.buffer",
                 "nested.sizes", "nested.strides", "nested.storage_offsets", "device"):
        assert torch.equal(g.torch(g.dict_tensor(root, path)), want), path
    assert torch.equal(g.torch(g.dict_tensor(root, "bf16")), want.bfloat16())
    info = graft.ffi.new("graft_tensor_info *")
    parameters = {}
    for i in range(lib.graft_dict_len(root)):
        if lib.graft_dict_tensor_info(root, i, info):
            parameters[g.dict_key(root, i)] = (info.parameter, info.requires_grad)
    assert parameters == {"tensor": (False, False), "parameter": (True, False),
                          "no_state": (True, True), "device": (False, False),
                          "bf16": (False, True)}
    for path, name in (("own", "torch._tensor._rebuild_from_type_v2"),
                       ("state", "torch._utils._rebuild_parameter_with_state"),
                       ("meta", "torch._utils._rebuild_meta_tensor_no_storage"),
                       ("wrapper", "torch._utils._rebuild_wrapper_subclass")):
        assert g.dict_class(g.dict_dict(root, path)) == name
    assert g.dict_dict(root, "meta.size") is not None


@pytest.mark.parametrize("layout, names", [
    ("sparse_coo", ["indices", "values"]), ("sparse_csr", ["crow_indices", "col_indices", "values"]),
    ("sparse_bsr", ["crow_indices", "col_indices", "values"]),
    ("sparse_csc", ["ccol_indices", "row_indices", "values"]),
    ("sparse_bsc", ["ccol_indices", "row_indices", "values"])])
def test_sparse_of_newer_pytorch(g, tmp_path, layout, names):
    made = [floats(str(i), [i + 1] * 4) for i in range(len(names))]
    parts = tuple(rebuilt(storage, (4,)) for storage, _ in made)
    layout = Reduced("torch.serialization._get_layout", f"torch.{layout}")
    size = Reduced("torch.Size", (3, 4))
    archive(tmp_path / "a.pt",
            {"x": Reduced("torch._utils._rebuild_sparse_tensor", layout, (*parts, size))},
            {str(i): data for i, (_, data) in enumerate(made)})
    root = g.load(tmp_path / "a.pt", None)
    for i, name in enumerate(names):
        assert torch.equal(g.torch(g.dict_tensor(root, f"x.{name}")), torch.full((4,), i + 1.0))


# ---- Older forms ----

def legacy(path, obj, storages):
    out = io.BytesIO()
    for value in (0x1950a86a20f9469cfc6c, 1001, {"little_endian": True}):
        pickle.dump(value, out, 2)
    Newer(out, 2).dump(obj)
    pickle.dump(sorted(storages), out, 2)
    for numel, data in (storages[key] for key in sorted(storages)):
        out.write(struct.pack("<q", numel) + data)
    path.write_bytes(out.getvalue())


def test_views_of_storages_in_a_legacy_stream(g, tmp_path):
    def storage(view):
        return Id("storage", Named.get("torch.FloatStorage"), "9", "cpu", 10, view)

    obj = {"whole": rebuilt(storage(None), (10,)), "view": rebuilt(storage(("v", 4, 3)), (3,)),
           "offset": rebuilt(storage(("v", 4, 3)), (2,), offset=1)}
    legacy(tmp_path / "a.pt", obj, {"9": (10, struct.pack("<10f", *range(10)))})
    tensors, _ = checkpoints.compare_with_torch(g, tmp_path / "a.pt", slices=True)
    assert tensors == 3
    root = g.load(tmp_path / "a.pt", None)
    assert g.shares_storage(g.dict_tensor(root, "whole"), g.dict_tensor(root, "view"))


def tar_member(name, data):
    header = bytearray(512)
    header[:len(name)] = name.encode()
    header[100:108] = b"0000644\0"
    header[124:136] = b"%011o\0" % len(data)
    header[136:148] = b"%011o\0" % 0
    header[148:156] = b" " * 8
    header[156:157] = b"0"
    header[257:265] = b"ustar\00000"
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + data + bytes(-len(data) % 512)


def tar(path, storages, views, tensors, obj):
    def dump(*values):
        out = io.BytesIO()
        for value in values:
            Newer(out, 2).dump(value)
        return out.getvalue()

    parts = dump(len(storages))
    for key, kind, numel, data in storages:
        parts += dump((key, "cpu", Named.get(f"torch.{kind}Storage")))
        parts += struct.pack("<q", numel) + data
    parts += dump(views)
    described = dump(len(tensors))
    for key, storage, kind, size, stride, offset in tensors:
        described += dump((key, storage, Named.get(f"torch.{kind}Tensor")))
        described += struct.pack(f"<ii{2 * len(size) + 1}q", len(size), 0, *size, *stride, offset)
    path.write_bytes(tar_member("storages", parts) + tar_member("tensors", described)
                     + tar_member("pickle", dump(obj)) + bytes(1024))


class Number:
    def __init__(self, number):
        self.id = number


@pytest.fixture
def numbered(monkeypatch):
    monkeypatch.setattr(Newer, "persistent_id",
                        lambda self, obj: obj.id if isinstance(obj, (Number, Id)) else None)


def test_tar(g, tmp_path, numbered):
    tar(tmp_path / "a.pt",
        [(11, "Float", 6, struct.pack("<6f", *range(6))),
         (12, "Long", 3, struct.pack("<3q", 7, -8, 9)), (13, "Byte", 0, b"")],
        [(21, 11, 2, 3)],
        [(31, 11, "Float", (2, 3), (3, 1), 0), (32, 11, "Float", (3, 2), (1, 3), 0),
         (33, 21, "Float", (2,), (1,), 1), (34, 12, "Long", (), (), 2),
         (35, 13, "Byte", (0,), (1,), 0)],
        {"a": Number(31), "t": Number(32), "view": Number(33), "scalar": Number(34),
         "empty": Number(35), "again": Number(31), "n": 5})
    assert checkpoints.compare_with_torch(g, tmp_path / "a.pt", slices=True) == (6, "pt-tar")
    root = g.load(tmp_path / "a.pt", None)
    assert g.shares_storage(g.dict_tensor(root, "a"), g.dict_tensor(root, "view"))


# ---- What is refused, and by which fault ----

FLOAT = Named.get("torch.FloatStorage")


def storage_of(numel=4, key="0", kind=FLOAT):
    return Id("storage", kind, key, "cpu", numel)


REFUSED = {
    "beyond the storage": (rebuilt(storage_of(), (5,)), "Tensor"),
    "offset beyond": (rebuilt(storage_of(), (4,), offset=1), "Tensor"),
    "stride beyond": (rebuilt(storage_of(), (2, 2), (3, 1)), "Tensor"),
    "negative offset": (rebuilt(storage_of(), (1,), offset=-1), "Tensor"),
    "negative stride": (rebuilt(storage_of(), (2,), (-1,)), "Tensor"),
    "negative size": (rebuilt(storage_of(), (-1,)), "Shape"),
    "more strides": (rebuilt(storage_of(), (2,), (1, 1)), "Tensor"),
    "nine dimensions": (rebuilt(storage_of(), (1,) * 9, (1,) * 9), "Shape"),
    "sizes overflow": (rebuilt(storage_of(), (1 << 40, 1 << 40), (0, 0)), "Overflow"),
    "strides overflow": (rebuilt(storage_of(), (2,), (1 << 62,)), "Overflow"),
    "places overflow": (rebuilt(storage_of(), (1 << 50, 2), (1 << 20, 1)), "Tensor"),
    "offset overflows": (rebuilt(storage_of(), (2,), (1,), (1 << 63) - 1), "Tensor"),
    "size is no integer": (rebuilt(storage_of(), (1.5,)), "Tensor"),
    "size is a big integer": (rebuilt(storage_of(), (1 << 64,)), "Tensor"),
    "no storage": (rebuilt(17), "Tensor"),
    "too few arguments": (Reduced("torch._utils._rebuild_tensor_v2", storage_of()), "Tensor"),
    "member of another size": (rebuilt(storage_of(5)), "Storage"),
    "no such member": (rebuilt(storage_of(4, "1")), "MemberMissing"),
    "unknown class": (rebuilt(storage_of(kind=Named.get("torch.FooStorage"))), "Dtype"),
    "no class": (rebuilt(storage_of(kind=5)), "Dtype"),
    "negative numel": (rebuilt(storage_of(-1)), "Storage"),
    "numel overflows": (rebuilt(storage_of(1 << 62)), "Overflow"),
    "key is no text": (rebuilt(storage_of(key=5)), "Storage"),
    "two sizes": ([rebuilt(storage_of()), rebuilt(storage_of(2))], "Storage"),
    "another kind of id": (Id("tensor", 1), "Storage"),
    "an id that is no tuple": (Id(), "Storage"),
    "five parts": (Id("storage", FLOAT, "0", "cpu"), "Storage"),
    "gradient of integers": (Reduced(
        "torch._utils._rebuild_tensor_v2",
        storage_of(2, kind=Named.get("torch.LongStorage")), 0, (1,), (1,), True, None), "Tensor"),
    "unknown dtype": (Reduced("torch._utils._rebuild_tensor_v3", untyped("0", 16), 0, (1,), (1,),
                              False, None, Named.get("torch.float3")), "Tensor"),
    "wider than the storage": (Reduced("torch._utils._rebuild_tensor_v3", storage_of(), 0, (1,),
                                       (1,), False, None, Named.get("torch.float64")), "Tensor"),
    "parameter of nothing": (Reduced("torch._utils._rebuild_parameter", 5, True, None), "Tensor"),
    "quantized over floats": (Reduced(
        "torch._utils._rebuild_qtensor", storage_of(), 0, (1,), (1,),
        (Named.get("torch.per_tensor_affine"), 1.0, 0), False, None), "Tensor"),
    "unknown layout": (Reduced("torch._utils._rebuild_sparse_tensor",
                               Reduced("torch.serialization._get_layout", "torch.round"),
                               (1, 2, 3)), "Tensor"),
}


@pytest.mark.parametrize("obj, fault", REFUSED.values(), ids=REFUSED)
def test_what_is_refused(g, tmp_path, obj, fault):
    archive(tmp_path / "a.pt", {"x": obj}, {"0": bytes(16)})
    with pytest.raises(graft.GraftError) as error:
        g.load(tmp_path / "a.pt", None)
    assert f"({fault})" in str(error.value), str(error.value)
    assert "data.pkl" in str(error.value)


@pytest.mark.parametrize("members, fault", [
    ({"version": b"11\n"}, "Unsupported"), ({"version": b"0"}, "Unsupported"),
    ({"version": b"three"}, "Unsupported"), ({"byteorder": b"middle"}, "Unsupported")], ids=str)
def test_versions_and_byte_orders_that_are_refused(g, tmp_path, members, fault):
    archive(tmp_path / "a.pt", {"x": 1}, {}, **members)
    with pytest.raises(graft.GraftError, match=rf"\({fault}\)"):
        g.load(tmp_path / "a.pt", None)


@pytest.mark.parametrize("version", range(1, 11))
def test_versions_that_are_read(g, tmp_path, version):
    archive(tmp_path / "a.pt", {"x": 1}, {}, version=str(version).encode())
    assert g.dict_int_at(g.load(tmp_path / "a.pt", None), 0) == 1
