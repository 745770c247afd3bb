"""Checkpoints that PyTorch writes, as graft reads them: names, kinds, shapes, strides, offsets, bytes
and which tensors share a storage."""

import collections
import itertools
import struct
import sys
import types
import zipfile
from typing import Dict, List, Optional, Tuple

import checkpoints
import graft
import pytest
import torch
from graft import lib

FLOATING = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
COMPLEX = [torch.complex64, torch.complex128]
INTEGERS = [torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool]
FORMS = [(new, protocol) for new in (True, False) for protocol in (1, 2, 3, 4, 5)]


def save(obj, path, new=True, protocol=2):
    torch.save(obj, path, pickle_protocol=protocol, _use_new_zipfile_serialization=new)


def check(g, path, obj, new=True, protocol=2, safe=True):
    """Saves, and compares with what torch makes of the file. safe: it has nothing to run."""
    save(obj, path, new, protocol)
    assert safe is None or (g.audit_len(g.audit(path, None)) == 0) == safe
    tensors, form = checkpoints.compare_with_torch(g, path)
    assert form == ("pt" if new else "pt-legacy")
    return tensors


def filled(shape, dtype, seed=0):
    generator = torch.Generator().manual_seed(seed)
    values = torch.randint(-100, 100, shape, generator=generator)
    return (values % 2 == 0) if dtype == torch.bool else values.abs().to(dtype)


def views():
    base = torch.arange(120.0).reshape(4, 5, 6)
    return {
        "base": base, "row": base[2], "column": base[:, 3], "step": base[1::2, ::3],
        "transposed": base.permute(2, 0, 1), "expanded": base[0, 0].expand(3, 2, 6),
        "diagonal": base[0].diagonal(), "scalar": base[3, 4, 5], "empty": base[2:2],
        "narrow": base.narrow(2, 1, 2), "eight": base.reshape(2, 2, 1, 5, 1, 2, 1, 3),
        "window": base.flatten().unfold(0, 10, 3), "empty_far": torch.empty(3, 0)[2:],
    }


def shared():
    bytes_ = torch.arange(64, dtype=torch.uint8)
    a = torch.randn(10)
    return {"a": a, "again": a, "b": a[3:], "c": {"inner": [a, (a[:2], a.reshape(2, 5))]},
            "bytes": bytes_, "other": torch.randn(10)}


def nested():
    return {
        "none": None, "true": True, "false": False, "zero": 0, "small": 17, "negative": -5,
        "two_bytes": 40000, "four_bytes": 1 << 30, "long": 1 << 62, "min": -(1 << 63),
        "big": 1 << 63, "bigger": -(10 ** 40), "float": 0.1, "inf": float("inf"),
        "nan": float("nan"), "minus_zero": -0.0, "text": "héllo\n\t\u20ac \U0001f600", "": "empty",
        "zero byte": "a\0b", "bytes": b"\0\1\xff", "no bytes": b"", "list": [1, [2, [3, []]]],
        "tuple": (), "one": (1,), "four": (1, 2, 3, 4), 5: "int key", -7: "negative key",
        "5": "text key", "set": {1, 2, 3}, "complex": 1.5 - 2j,
        "ordered": collections.OrderedDict(b=1, a=2), "counter": collections.Counter("abca"),
        "default": collections.defaultdict(list, x=[1]), "size": torch.Size([2, 3]),
        "dtype": torch.float16, "device": torch.device("cuda:1"), "cpu": torch.device("cpu"),
        "layout": torch.strided, "many": list(range(300)), "wide": {str(i): i for i in range(300)},
        "dotted.key": torch.zeros(2),
    }


def parameters():
    module = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    return {"parameter": torch.nn.Parameter(torch.randn(2, 3)),
            "frozen": torch.nn.Parameter(torch.randn(3), requires_grad=False),
            "leaf": torch.randn(3, requires_grad=True),
            "of_ints": torch.nn.Parameter(torch.arange(3), requires_grad=False),
            "complex": torch.nn.Parameter(torch.randn(3, dtype=torch.complex64)),
            "state_dict": module.state_dict(),
            "vars": module.state_dict(keep_vars=True)}


def lightning():
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 1))
    adam = torch.optim.AdamW(model.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, 10)
    model(torch.randn(2, 3)).sum().backward()
    adam.step()
    schedule.step()
    return {"epoch": 3, "global_step": 1200, "pytorch-lightning_version": "2.1.0",
            "state_dict": collections.OrderedDict(
                (f"model.{key}", value) for key, value in model.state_dict().items()),
            "loops": {"fit_loop": {"state_dict": {}, "epoch_progress": {"total": {"ready": 1}}}},
            "callbacks": {"ModelCheckpoint{'monitor': 'val'}": {"best_model_score":
                                                                torch.tensor(0.25)}},
            "optimizer_states": [adam.state_dict()], "lr_schedulers": [schedule.state_dict()],
            "hparams_name": "kwargs", "hyper_parameters": {"lr": 1e-3, "betas": (0.9, 0.99)}}


@pytest.mark.parametrize("new, protocol", FORMS)
@pytest.mark.parametrize("make", [views, shared, nested, parameters, lightning])
def test_values(g, tmp_path, make, new, protocol):
    check(g, tmp_path / "a.pt", make(), new, protocol)


@pytest.mark.parametrize("new", [True, False])
@pytest.mark.parametrize("dtype", FLOATING + COMPLEX + INTEGERS, ids=str)
def test_dtypes(g, tmp_path, dtype, new):
    shapes = [(), (0,), (1,), (5,), (2, 3), (0, 4), (2, 0, 3), (1, 1, 1, 1), (3, 1, 2, 5)]
    tensors = check(g, tmp_path / "a.pt",
                    {str(shape): filled(shape, dtype) for shape in shapes}, new)
    assert tensors == len(shapes)


@pytest.mark.parametrize("new, protocol", FORMS)
@pytest.mark.parametrize("obj", [torch.randn(3, 4), torch.tensor(1.5), 7, "text", None, 0.5, True,
                                 torch.nn.Parameter(torch.ones(2))], ids=lambda o: type(o).__name__)
def test_a_value_alone(g, tmp_path, obj, new, protocol):
    check(g, tmp_path / "a.pt", obj, new, protocol)


@pytest.mark.parametrize("new", [True, False])
@pytest.mark.parametrize("obj", [[], (), {}, [torch.ones(2)], (torch.ones(2), 1),
                                 torch.Size([1, 2])], ids=str)
def test_roots_that_are_containers(g, tmp_path, obj, new):
    check(g, tmp_path / "a.pt", obj, new)


def optimizers():
    for name in ("Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "ASGD", "LBFGS", "NAdam",
                 "RAdam", "RMSprop", "Rprop", "SGD", "SparseAdam"):
        yield name, {"lr": 0.1}
    yield "SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}
    yield "Adam", {"lr": 0.1, "amsgrad": True}
    yield "RMSprop", {"lr": 0.1, "centered": True, "momentum": 0.5}


@pytest.mark.parametrize("new", [True, False])
@pytest.mark.parametrize("name, arguments", optimizers(), ids=str)
def test_state_of_every_optimizer(g, tmp_path, name, arguments, new):
    torch.manual_seed(1)
    sparse = name == "SparseAdam"
    model = torch.nn.Embedding(10, 3, sparse=True) if sparse else torch.nn.Linear(3, 2)
    optimizer = getattr(torch.optim, name)(model.parameters(), **arguments)

    def closure():
        optimizer.zero_grad()
        x = torch.tensor([1, 2, 5]) if sparse else torch.randn(4, 3)
        loss = model(x).square().sum()
        loss.backward()
        return loss

    for _ in range(3):
        optimizer.step(closure)
    check(g, tmp_path / "a.pt", {"optimizer": optimizer.state_dict()}, new)


@pytest.mark.parametrize("new", [True, False])
def test_quantized(g, tmp_path, new):
    x = torch.randn(4, 6)
    scales, zeros = torch.rand(4).double() + 0.1, torch.arange(4)
    check(g, tmp_path / "a.pt", {
        "qint8": torch.quantize_per_tensor(x, 0.1, 3, torch.qint8),
        "quint8": torch.quantize_per_tensor(x, 0.2, 128, torch.quint8),
        "qint32": torch.quantize_per_tensor(x, 0.01, 0, torch.qint32),
        "channel": torch.quantize_per_channel(x, scales, zeros, 0, torch.qint8),
        "view": torch.quantize_per_tensor(x, 0.1, 3, torch.qint8)[1:3],
        "transposed": torch.quantize_per_tensor(x, 0.1, 3, torch.qint8).t(),
    }, new)


def test_quantized_to_less_than_a_byte(g, tmp_path):
    scales, zeros = torch.rand(4) + 0.1, torch.rand(4)
    x = torch.quantize_per_channel(torch.randn(4, 6), scales, zeros, 0, torch.quint4x2)
    save({"x": x}, tmp_path / "a.pt")
    root = g.load(tmp_path / "a.pt", None)
    assert g.torch(g.dict_tensor(root, "x.packed")).numel() == x.untyped_storage().nbytes() if (
        hasattr(x, "untyped_storage")) else 12
    assert g.dict_tensor(root, "x.int_repr") is None


@pytest.mark.parametrize("new", [True, False])
def test_sparse(g, tmp_path, new):
    x = torch.randn(4, 6).relu()
    check(g, tmp_path / "a.pt", {
        "coo": x.to_sparse(), "csr": x.to_sparse_csr(),
        "hybrid": torch.sparse_coo_tensor([[0, 2]], torch.randn(2, 3), (4, 3)),
        "uncoalesced": torch.sparse_coo_tensor([[1, 1]], torch.ones(2), (3,)),
        "empty": torch.sparse_coo_tensor(size=(2, 3)),
    }, new)


class Attention(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = torch.nn.LayerNorm(4)
        self.lstm = torch.nn.LSTM(4, 3, 2)
        self.heads = torch.nn.ModuleList(torch.nn.Linear(4, 2) for _ in range(3))
        self.heads[2].weight = self.heads[0].weight
        self.register_buffer("mask", torch.ones(2, 2).tril())
        self.register_buffer("scratch", torch.zeros(3), persistent=False)
        self.options = {"dropout": 0.5, "names": ["a", "b"], "device": torch.device("cpu")}


@pytest.fixture
def importable(monkeypatch):
    """The class under a module that pickles may name."""
    module = types.ModuleType("models_of_somebody")
    module.Attention = Attention
    monkeypatch.setattr(Attention, "__module__", module.__name__)
    monkeypatch.setitem(sys.modules, module.__name__, module)


@pytest.mark.parametrize("new, protocol", FORMS)
def test_modules_that_were_pickled_whole(g, tmp_path, importable, new, protocol):
    model = Attention()
    assert check(g, tmp_path / "a.pt", {"model": model}, new, protocol, False) == 26
    root = g.load(tmp_path / "a.pt", None)
    found = g.dict_tensor(root, "model._modules.heads._modules.1._parameters.weight")
    assert torch.equal(g.torch(found), model.heads[1].weight)


@pytest.mark.parametrize("new", [True, False])
def test_bits_of_conjugates_stay_records(g, tmp_path, new):
    x = torch.randn(3, dtype=torch.complex64)
    storage = x.storage()

    class Conjugate:
        def __reduce__(self):
            return (torch._utils._rebuild_tensor_v2,
                    (storage, 0, (3,), (1,), False, collections.OrderedDict(), {"conj": True}))

    save({"x": Conjugate()}, tmp_path / "a.pt", new)
    root = g.load(tmp_path / "a.pt", None)
    assert g.dict_tensor(root, "x") is None
    record = g.dict_dict(root, "x")
    assert g.dict_class(record) == "torch._utils._rebuild_tensor_v2"
    data = g.dict_tensor(root, "x.data")
    assert bytes(graft.ffi.buffer(graft.ffi.cast("char *", lib.graft_data(data)), 24)) == (
        checkpoints.raw(x))


# ---- Archives that others made ----

def rezip(source, target, method=zipfile.ZIP_STORED, root=None, align=0, zip64=False, skip=(),
          change=None):
    with zipfile.ZipFile(source) as z, zipfile.ZipFile(target, "w", method) as out:
        for name in z.namelist():
            folder, _, rest = name.partition("/")
            if rest in skip:
                continue
            data = z.read(name)
            if change:
                data = change(rest, data)
            name = rest if root == "" else f"{root or folder}/{rest}"
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            if align and rest.startswith("data/"):
                start = out.fp.tell() + 30 + len(name.encode()) + 4
                padding = -start % align
                info.extra = struct.pack("<HH", 0x4246, padding) + b"Z" * padding
            with out.open(info, "w", force_zip64=zip64) as f:
                f.write(data)


@pytest.mark.parametrize("how", [
    {"method": zipfile.ZIP_DEFLATED}, {"root": "some/deeper/folder"}, {"root": ""},
    {"root": "été"}, {"align": 4096}, {"align": 64}, {"zip64": True},
    {"zip64": True, "method": zipfile.ZIP_DEFLATED}, {"skip": ("version",)}],
    ids=str)
@pytest.mark.parametrize("verify", ["USE", "OPEN", "NEVER"])
@pytest.mark.parametrize("mapped", [True, False])
def test_archives_of_others(g, tmp_path, how, verify, mapped):
    if how.get("method") == zipfile.ZIP_DEFLATED and not has_deflate(g, tmp_path):
        pytest.skip("this build has no libdeflate")
    obj = shared() | views() | {"ordered": parameters()["state_dict"]}
    save(obj, tmp_path / "a.pt")
    rezip(tmp_path / "a.pt", tmp_path / "b.pt", **how)
    want = torch.load(tmp_path / "a.pt")
    checkpoints.compare(g, tmp_path / "b.pt", want, map=mapped,
                        verify=getattr(lib, f"GRAFT_VERIFY_{verify}"))


def has_deflate(g, tmp_path):
    path = tmp_path / "deflated.pt"
    save({"x": torch.zeros(1000)}, tmp_path / "plain.pt")
    rezip(tmp_path / "plain.pt", path, method=zipfile.ZIP_DEFLATED)
    try:
        g.load(path, options_of(verify=lib.GRAFT_VERIFY_OPEN))
    except graft.GraftError as error:
        assert "libdeflate" in str(error)
        return False
    return True


def options_of(**fields):
    return checkpoints.options(**fields)


def test_big_endian(g, tmp_path):
    def tensors():
        torch.manual_seed(3)
        return {str(dtype): torch.randn(7).mul(20).to(dtype).reshape(7)
                for dtype in FLOATING + COMPLEX + INTEGERS}

    want = tensors()
    save(want, tmp_path / "a.pt")
    widths = [(t.element_size() // (2 if t.is_complex() else 1)) for t in want.values()]

    def swap(name, data):
        folder, _, key = name.partition("/")
        if folder != "data" or not key.isdigit():
            return data
        width = widths[int(key)]
        return b"".join(data[i:i + width][::-1] for i in range(0, len(data), width))

    rezip(tmp_path / "a.pt", tmp_path / "b.pt", change=swap)
    with zipfile.ZipFile(tmp_path / "b.pt", "a") as z:
        z.writestr("archive/byteorder" if "archive/data.pkl" in z.namelist() else "a/byteorder",
                   "big")
    checkpoints.compare(g, tmp_path / "b.pt", want)


def test_metadata(g, tmp_path):
    save({"x": torch.ones(2)}, tmp_path / "a.pt")
    rezip(tmp_path / "a.pt", tmp_path / "b.pt", root="model")
    with zipfile.ZipFile(tmp_path / "b.pt", "a") as z:
        z.writestr("model/byteorder", "little")
        z.writestr("model/.format_version", "1")
        z.writestr("model/.storage_alignment", "64")
        z.writestr("model/.data/serialization_id", "0123456789" * 4)
    c = g.checkpoint_open(tmp_path / "b.pt", None)
    metadata = g.checkpoint_metadata(c)
    got = {g.dict_key(metadata, i): g.dict_string_at(metadata, i)
           for i in range(lib.graft_dict_len(metadata))}
    assert got == {"root": "model", "version": "3", "byteorder": "little", "format_version": "1",
                   "storage_alignment": "64", "serialization_id": "0123456789" * 4}


def test_many_storages(g, tmp_path):
    want = {f"layers.{i}.weight": torch.full((2,), float(i)) for i in range(5000)}
    assert check(g, tmp_path / "a.pt", want) == 5000
    assert check(g, tmp_path / "b.pt", want, new=False) == 5000


# ---- Legacy streams and tars ----

def test_legacy_with_something_behind(g, tmp_path):
    obj = shared()
    save(obj, tmp_path / "a.pt", new=False)
    data = (tmp_path / "a.pt").read_bytes()
    (tmp_path / "a.pt").write_bytes(data + b"whatever")
    checkpoints.compare_with_torch(g, tmp_path / "a.pt")


def test_the_byte_order_that_a_legacy_stream_claims_is_ignored(g, tmp_path):
    save({"x": torch.arange(5)}, tmp_path / "a.pt", new=False)
    data = (tmp_path / "a.pt").read_bytes()
    at = data.index(b"little_endian")
    claim = data.index(b"\x88", at)
    (tmp_path / "a.pt").write_bytes(data[:claim] + b"\x89" + data[claim + 1:])
    assert checkpoints.compare_with_torch(g, tmp_path / "a.pt") == (1, "pt-legacy")


class Container(torch.nn.Module):
    pass


def test_sources_of_modules_in_a_legacy_stream(g, tmp_path, importable):
    # torch.save writes ('module', class, file, source) for each class whose source it finds.
    torch.save({"m": Container()}, tmp_path / "a.pt", _use_new_zipfile_serialization=False)
    data = (tmp_path / "a.pt").read_bytes()
    assert b"module" in data
    checkpoints.compare_with_torch(g, tmp_path / "a.pt")


# ---- TorchScript ----

class Scripted(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 2))
        self.norm = torch.nn.BatchNorm1d(2)
        self.scale = torch.nn.Parameter(torch.randn(2))
        self.register_buffer("shift", torch.randn(2).double())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.layers(x)) * self.scale + self.shift


@pytest.mark.parametrize("how", ["script", "trace", "freeze"])
def test_torchscript(g, tmp_path, how):
    model = Scripted().eval()
    made = torch.jit.trace(model, torch.randn(2, 3)) if how == "trace" else torch.jit.script(model)
    if how == "freeze":
        made = torch.jit.freeze(made)
    made.save(str(tmp_path / "a.pt"))
    loaded = torch.jit.load(str(tmp_path / "a.pt"))
    c = g.checkpoint_open(tmp_path / "a.pt", None)
    assert g.format_name(g.checkpoint_format(c)) == "torchscript"
    root = g.checkpoint_root(c)
    state = loaded.state_dict()
    assert (len(state) == 0) == (how == "freeze")
    for name, want in state.items():
        got = g.torch(g.dict_tensor(root, name))
        assert got.dtype == want.dtype and torch.equal(got, want), name
    constants = g.dict_dict(root, "constants")
    if how == "freeze":
        assert lib.graft_dict_len(constants) > 0
    assert g.audit_len(g.audit(tmp_path / "a.pt", None)) == 0
    flat = g.dict_flatten(root)
    names = {g.dict_key(flat, i) for i in range(lib.graft_dict_len(flat))}
    assert {name for name in names if not name.startswith("constants.")} >= set(state)
    g.checkpoint_free(c)


class Attributes(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.ints: List[int] = [1, 2, 3]
        self.tensors: List[torch.Tensor] = [torch.ones(2), torch.zeros(3)]
        self.named: Dict[str, torch.Tensor] = {"k": torch.arange(3)}
        self.lists: List[List[float]] = [[0.5], [1.5, 2.5]]
        self.pair: Tuple[int, str] = (1, "x")
        self.nothing: Optional[int] = None
        self.half_ = torch.nn.Parameter(torch.randn(3).half())
        self.alias = self.half_

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.ints[0] + len(self.tensors) + len(self.named) + self.pair[0]


def test_attributes_of_torchscript(g, tmp_path):
    torch.jit.script(Attributes()).save(str(tmp_path / "a.pt"))
    root = g.load(tmp_path / "a.pt", None)
    model = torch.jit.load(str(tmp_path / "a.pt"))
    for path, want in {"tensors.0": model.tensors[0], "tensors.1": model.tensors[1],
                       "named.k": model.named["k"], "half_": model.half_,
                       "alias": model.alias}.items():
        assert torch.equal(g.torch(g.dict_tensor(root, path)), want)
    assert g.shares_storage(g.dict_tensor(root, "half_"), g.dict_tensor(root, "alias"))
    comparison = checkpoints.Comparison(g)
    attributes = g.dict_attributes(root)
    for name in ("ints", "lists", "pair", "nothing"):
        comparison.value(name, attributes, lib.graft_dict_find(attributes, name.encode()),
                         getattr(Attributes(), name))


# ---- Cut off ----

@pytest.mark.parametrize("new", [True, False])
def test_every_truncation_fails(g, tmp_path, new):
    save({"x": torch.arange(10), "y": [torch.ones(3)]}, tmp_path / "a.pt", new)
    data = (tmp_path / "a.pt").read_bytes()
    for size in itertools.chain(range(0, len(data), 7), range(len(data) - 40, len(data))):
        with pytest.raises(graft.GraftError):
            g.checkpoint_open_memory(data[:size], size, None)
