"""What graft writes as .pt, read by torch.load."""

import collections
import io
import pickletools
import zipfile

import graft
import pytest
import torch
from graft import ffi, lib

TENSORS = {
    dtype: torch.tensor(values, dtype=dtype) for dtype, values in {
        torch.float32: [1.5, -0.0, float("nan"), float("inf"), 1e-40],
        torch.float64: [1.1, -2.2, 3e300],
        torch.float16: [0.1, 65504, -1e-7],
        torch.bfloat16: [1.0, -3.14, 1e38],
        torch.int64: [2**63 - 1, -2**63, 0],
        torch.int32: [2**31 - 1, -2**31, 5],
        torch.int16: [-32768, 32767],
        torch.int8: [-128, 127],
        torch.uint8: [0, 255, 7],
        torch.bool: [True, False, True],
        torch.complex64: [1 + 2j, -1j],
        torch.complex128: [1 + 2j, -1j, 0],
    }.items()
}

# What torch.load(weights_only=True) of PyTorch 2.x lets a file name, as far as graft writes it.
WEIGHTS_ONLY = {
    "collections.OrderedDict", "collections.Counter", "torch.nn.parameter.Parameter",
    "torch.serialization._get_layout", "torch.Size", "torch.Tensor", "torch.device",
    "_codecs.encode", "__builtin__.set", "__builtin__.complex", "torch.storage.UntypedStorage",
    *("torch._utils." + name for name in (
        "_rebuild_parameter", "_rebuild_parameter_with_state", "_rebuild_qtensor",
        "_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_tensor_v3", "_rebuild_sparse_tensor",
        "_rebuild_meta_tensor_no_storage", "_rebuild_nested_tensor",
        "_rebuild_wrapper_subclass", "_rebuild_device_tensor_from_numpy",
        "_rebuild_sparse_csr_tensor")),
    *("torch." + name + "Storage" for name in (
        "Float Double Half BFloat16 Long Int Short Char Byte Bool ComplexDouble ComplexFloat QInt8 "
        "QUInt8 QInt32 QUInt4x2 QUInt2x4").split()),
    *(str(value) for value in vars(torch).values() if isinstance(value, (torch.dtype, torch.qscheme))),
    "torch.uint16", "torch.uint32", "torch.uint64", "torch.float8_e4m3fn", "torch.float8_e5m2",
}


def check_file(path, weights_only=True):
    """The archive and the pickle are well-formed; returns the pickle's opcodes."""
    with zipfile.ZipFile(path) as z:
        assert z.testzip() is None
        names = z.namelist()
        storages = [name for name in names if name.startswith("archive/data/")]
        assert names == ["archive/data.pkl", "archive/byteorder", *storages, "archive/version",
                         "archive/.data/serialization_id"]
        assert storages == [f"archive/data/{i}" for i in range(len(storages))]
        assert z.read("archive/byteorder") == b"little"
        assert z.read("archive/version") == b"3\n"
        assert z.read("archive/.data/serialization_id").isdigit()
        assert len(z.read("archive/.data/serialization_id")) == 40
        data = z.read("archive/data.pkl")
    with open(path, "rb") as file:
        content = file.read()
    for info in zipfile.ZipFile(path).infolist():
        name, extra = (int.from_bytes(content[info.header_offset + at:][:2], "little")
                       for at in (26, 28))
        assert (info.header_offset + 30 + name + extra) % 64 == 0
    pickletools.dis(data, io.StringIO())
    ops = list(pickletools.genops(data))
    assert ops[0][0].name == "PROTO" and ops[0][1] == 2
    if weights_only:
        named = {arg.replace(" ", ".") for op, arg, _ in ops if op.name == "GLOBAL"}
        assert named <= WEIGHTS_ONLY, named - WEIGHTS_ONLY
    return ops


def loaded(g, d, path, weights_only=True, **options):
    """What torch.load makes of the dict as graft writes it."""
    g.save_as(path, d, graft.options("write", sync=False, **options), None)
    check_file(path, weights_only)
    return torch.load(path)


def assert_same(got, want):
    """The same types, values, dtypes, strides, classes and keys in the same order."""
    assert type(got) is type(want)
    if isinstance(want, torch.Tensor):
        assert (got.dtype, got.shape, got.layout) == (want.dtype, want.shape, want.layout)
        assert got.requires_grad == want.requires_grad
        if want.layout != torch.strided or want.is_quantized:
            assert repr(got) == repr(want)
            return
        assert got.stride() == want.stride()
        assert (got.is_conj(), got.is_neg()) == (want.is_conj(), want.is_neg())
        as_bytes = []
        for t in (got, want):
            flat = t.detach().resolve_conj().resolve_neg().reshape(-1)
            packed = torch.empty(flat.shape, dtype=t.dtype).copy_(flat)
            packed = packed.view(torch.int8) if t.dtype == torch.bool else packed
            as_bytes.append(packed.view(torch.uint8).tolist() if packed.numel() else [])
        assert as_bytes[0] == as_bytes[1]
    elif isinstance(want, dict):
        assert list(got) == list(want)
        assert [type(key) for key in got] == [type(key) for key in want]
        for key in want:
            assert_same(got[key], want[key])
        if isinstance(want, collections.OrderedDict):
            assert vars(got) == vars(want)
        if isinstance(want, collections.defaultdict):
            assert got.default_factory is want.default_factory
    elif isinstance(want, (list, tuple)):
        assert len(got) == len(want)
        for pair in zip(got, want):
            assert_same(*pair)
    elif isinstance(want, (float, complex)):
        assert repr(got) == repr(want)
    else:
        assert got == want


# ---- Dicts that are made with the functions ----


def test_values(g, tmp_path):
    d = g.dict_new()
    want = {}
    ints = [0, 1, 255, 256, 65535, 65536, -1, 2**31 - 1, -2**31, 2**31, -2**31 - 1, 2**39, -2**39,
            2**47 - 1, 2**63 - 1, -2**63]
    for i, number in enumerate(ints):
        g.dict_set_int(d, f"int{i}", number)
        want[f"int{i}"] = number
    for i, number in enumerate([0.0, -0.0, 0.1, 1e-320, float("inf"), float("nan"), -1e308]):
        g.dict_set_float(d, f"float{i}", number)
        want[f"float{i}"] = number
    for i, text in enumerate(["", "a", "ä€𝄞\n'\"\\", "x" * 100000, "int0"]):
        g.dict_set_string(d, f"text{i}", text)
        want[f"text{i}"] = text
    for i, data in enumerate([b"", b"\0\xff\x80abc", bytes(range(256)) * 50]):
        g.dict_set_bytes(d, f"bytes{i}", data, len(data))
        want[f"bytes{i}"] = data
    g.dict_set_none(d, "none")
    g.dict_set_bool(d, "yes", True)
    g.dict_set_bool(d, "no", False)
    want.update(none=None, yes=True, no=False)
    for key in (3, -1, 2**40):
        g.dict_set_int_key_string(d, key, str(key))
        want[key] = str(key)
    g.dict_set_string(d, "3", "text")
    want["3"] = "text"
    assert_same(loaded(g, d, tmp_path / "a.pt"), want)


def test_containers(g, tmp_path):
    d = g.dict_new()
    want = {}
    for count in (0, 1, 2, 3, 4, 999, 1000, 1001, 2500):
        a, b, c = g.list_new(), g.tuple_new(), g.dict_new()
        for i in range(count):
            g.list_push_int(a, i)
            g.list_push_string(b, str(i))
            g.dict_set_int_key_int(c, i, -i)
        for name, part in (("list", a), ("tuple", b), ("dict", c)):
            g.dict_set_dict(d, f"{name}{count}", part)
        want[f"list{count}"] = list(range(count))
        want[f"tuple{count}"] = tuple(map(str, range(count)))
        want[f"dict{count}"] = {i: -i for i in range(count)}
    got = loaded(g, d, tmp_path / "a.pt")
    assert_same(got, want)


def test_identity(g, tmp_path):
    """What is one object stays one."""
    d, inner, pair = g.dict_new(), g.dict_new(), g.tuple_new()
    t = g.tensor(torch.arange(6.0))
    g.dict_set_tensor(inner, "t", t)
    g.list_push_dict(pair, inner)
    for name in "ab":
        g.dict_set_tensor(d, name, t)
        g.dict_set_dict(d, name * 2, inner)
        g.dict_set_dict(d, name * 3, pair)
    got = loaded(g, d, tmp_path / "a.pt")
    assert got["a"] is got["b"] and got["aa"] is got["bb"] and got["aaa"] is got["bbb"]
    assert got["aa"]["t"] is got["a"] and got["aaa"][0] is got["aa"]


@pytest.mark.parametrize("whole", [False, True])
def test_views(g, tmp_path, whole):
    base = torch.arange(120.0).reshape(4, 5, 6)
    made = g.tensor(base)
    views = {
        "transposed": (lambda t: t.transpose(0, 2), g.transpose(made, 0, 2)),
        "permuted": (lambda t: t.permute(1, 2, 0), g.permute(made, [1, 2, 0])),
        "rows": (lambda t: t.narrow(0, 1, 2), g.narrow(made, 0, 1, 2)),
        "column": (lambda t: t.select(2, 3), g.select(made, 2, 3)),
        "empty": (lambda t: t.narrow(1, 2, 0), g.narrow(made, 1, 2, 0)),
        "expanded": (lambda t: t[1:2].expand(3, 5, 6),
                     g.expand(g.narrow(made, 0, 1, 1), (3, 5, 6))),
        "scalar": (lambda t: t[3, 4, 5],
                   g.select(g.select(g.select(made, 0, 3), 0, 4), 0, 5)),
    }
    for names in (["rows"], ["column"], ["scalar"], ["empty"], ["rows", "column"], list(views)):
        d = g.dict_new()
        for name in names:
            g.dict_set_tensor(d, name, views[name][1])
        got = loaded(g, d, tmp_path / "a.pt", whole_storages=whole)
        storages = {t.storage().data_ptr() for t in got.values()}
        assert len(storages) == 1
        for name in names:
            assert_same(got[name], views[name][0](base))
        full = [t for t in got.values() if t.numel()]
        reach = (max(t.storage_offset() + sum((n - 1) * s for n, s in zip(t.shape, t.stride()))
                     for t in full) + 1 if full else 0)
        first = min((t.storage_offset() for t in full), default=0)
        size = len(next(iter(got.values())).storage())
        assert size == 120 if whole else (first, reach) == (0, size)
        if len(names) > 1:
            got[names[0]].fill_(-7)
            assert any((got[name] == -7).any() for name in names[1:])


@pytest.mark.parametrize("dtype", graft.DTYPES)
def test_dtypes(g, tmp_path, dtype):
    for t in (TENSORS[dtype], torch.empty(0, 3, dtype=dtype), torch.ones((), dtype=dtype)):
        d = g.dict_new()
        g.dict_set_tensor(d, "t", g.tensor(t))
        assert_same(loaded(g, d, tmp_path / "a.pt")["t"], t)


def test_new_dtypes(g, tmp_path):
    """Those that 1.13 does not have are named as 2.x names them."""
    d = g.dict_new()
    t = g.empty((3,), lib.GRAFT_U16)
    g.dict_set_tensor(d, "t", t)
    g.save(tmp_path / "a.pt", d)
    ops = check_file(tmp_path / "a.pt")
    named = [arg for op, arg, _ in ops if op.name == "GLOBAL"]
    assert named == ["torch._utils _rebuild_tensor_v3", "torch.storage UntypedStorage",
                     "collections OrderedDict", "torch uint16"]
    persistent = [op.name for op, _, _ in ops].index("BINPERSID")
    assert ops[persistent - 2][1] == 6  # the numel counts bytes


def test_requires_grad(g, tmp_path):
    d = g.dict_new()
    t = g.tensor(torch.ones(3, requires_grad=True))
    g.dict_set_tensor(d, "t", t)
    assert_same(loaded(g, d, tmp_path / "a.pt")["t"], torch.ones(3, requires_grad=True))


def test_bare(g, tmp_path):
    t = torch.arange(5.0)
    d = g.dict_new()
    g.dict_set_tensor(d, "", g.tensor(t))
    assert_same(loaded(g, d, tmp_path / "a.pt"), t)
    g.dict_set_int(d, "b", 1)
    assert_same(loaded(g, d, tmp_path / "a.pt"), {"": t, "b": 1})


@pytest.mark.parametrize("alignment", [64, 128, 4096, 1 << 16, 1 << 20])
def test_alignment(g, tmp_path, alignment):
    d = g.dict_new()
    for i in range(4):
        g.dict_set_tensor(d, str(i), g.tensor(torch.arange(i * 10.0)))
    got = loaded(g, d, tmp_path / "a.pt", alignment=alignment)
    assert_same(got, {str(i): torch.arange(i * 10.0) for i in range(4)})
    content = (tmp_path / "a.pt").read_bytes()
    for info in zipfile.ZipFile(tmp_path / "a.pt").infolist():
        if info.filename.startswith("archive/data/"):
            sizes = content[info.header_offset + 26:][:4]
            start = info.header_offset + 30 + sizes[0] + sizes[2] + 256 * (sizes[1] + sizes[3])
            assert start % alignment == 0


def test_many_tensors(g, tmp_path):
    d = g.dict_new()
    want = {}
    for i in range(3000):
        want[f"layer.{i}.weight"] = torch.full((i % 7,), float(i))
        with g.scope():
            g.dict_set_tensor(d, f"layer.{i}.weight", g.tensor(want[f"layer.{i}.weight"]))
    assert_same(loaded(g, d, tmp_path / "a.pt"), want)


# ---- What PyTorch wrote, through graft and back ----


def through(g, path, obj, protocol=2, weights_only=True, **options):
    """What torch.load makes of what torch.save wrote, graft read and graft wrote."""
    torch.save(obj, path, pickle_protocol=protocol)
    d = g.load(path, None)
    try:
        return loaded(g, d, path.with_suffix(".out.pt"), weights_only, **options)
    finally:
        lib.graft_dict_free(d)


def check_through(g, path, obj, **options):
    got = through(g, path, obj, **options)
    assert_same(got, obj)
    return got


class Plain:
    """A class that graft does not know."""

    def __init__(self, *fields):
        self.fields = fields

    def __eq__(self, other):
        return type(other) is Plain and self.fields == other.fields


class Called(Plain):
    def __reduce__(self):
        return Plain, self.fields


class Listing(list):
    pass


def test_every_value(g, tmp_path):
    check_through(g, tmp_path / "a.pt", {
        "numbers": [0, -1, 2**31, 2**63, -2**63 - 1, 10**40, -10**40, 2**2000, -2**2039, 2**2040],
        "floats": [0.1, -0.0, float("inf"), float("nan")],
        "complex": [1 + 2j, complex("nan+infj"), -0j],
        "texts": ["", "a", "häß€𝄞", "\ud800 alone"], "bytes": [b"", b"\0\x80\xff"],
        "tuples": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), ((), ((),))],
        "sets": [set(), {1}, {1, "a", (2, 3)}, frozenset({4}), frozenset()],
        True: "a bool", 1.5: "a float", None: "none", (1, "a"): "a tuple", b"b": "bytes",
        -7: "an int", 2**70: "a large int", 2j: "a complex number",
    }, weights_only=False)


def test_classes_of_dicts(g, tmp_path):
    ordered = collections.OrderedDict(a=1, b=torch.ones(2))
    ordered._metadata = {"": {"version": 1}, "b": {"version": 2}}
    check_through(g, tmp_path / "a.pt", {
        "ordered": ordered, "empty": collections.OrderedDict(),
        "counter": collections.Counter("hello"), "size": torch.Size([2, 3]),
        "sizes": [torch.Size([]), torch.ones(4, 5).shape]})
    default = collections.defaultdict(list, a=[1])
    check_through(g, tmp_path / "a.pt", {"default": default, "none": collections.defaultdict()},
                  weights_only=False)


def test_torch_values(g, tmp_path):
    check_through(g, tmp_path / "a.pt", {
        "dtypes": [torch.float32, torch.int64, torch.bool, torch.complex128, torch.qint8],
        "devices": [torch.device("cpu"), torch.device("cuda", 1)],
    }, weights_only=False)
    check_through(g, tmp_path / "a.pt", {
        "schemes": [torch.per_tensor_affine, torch.per_channel_symmetric],
    }, weights_only=False)


@pytest.mark.parametrize("dtype", TENSORS)
def test_every_dtype(g, tmp_path, dtype):
    t = TENSORS[dtype]
    check_through(g, tmp_path / "a.pt", {
        "t": t, "empty": torch.empty(0, 2, dtype=dtype), "scalar": t[0], "step": t[::2]})


def test_state_dicts(g, tmp_path):
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8), torch.nn.ReLU(),
                                torch.nn.Flatten(), torch.nn.Linear(8, 4), torch.nn.LSTM(4, 5))
    model[4].weight.requires_grad_(False)
    check_through(g, tmp_path / "a.pt", model.state_dict())
    got = check_through(g, tmp_path / "a.pt", {"parameters": list(model.parameters())})
    assert all(type(p) is torch.nn.Parameter for p in got["parameters"])


@pytest.mark.parametrize("kind", ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "LBFGS"])
def test_optimizers(g, tmp_path, kind):
    torch.manual_seed(1)
    model = torch.nn.Linear(4, 3)
    optimizer = getattr(torch.optim, kind)(model.parameters(), lr=0.01)

    def closure():
        optimizer.zero_grad()
        loss = model(torch.ones(2, 4)).square().sum()
        loss.backward()
        return loss

    for _ in range(3):
        optimizer.step(closure)
    got = check_through(g, tmp_path / "a.pt", {
        "epoch": 3, "model": model.state_dict(), "optimizer": optimizer.state_dict()})
    again = getattr(torch.optim, kind)(model.parameters(), lr=0.01)
    again.load_state_dict(got["optimizer"])


def test_ties_and_views(g, tmp_path):
    base = torch.arange(120.0).reshape(4, 5, 6)
    bytes_ = torch.arange(64, dtype=torch.uint8)
    want = {
        "base": base, "again": base, "row": base[2], "column": base[:, 3], "step": base[1::2, ::3],
        "transposed": base.permute(2, 0, 1), "expanded": base[0, 0].expand(3, 2, 6),
        "diagonal": base[0].diagonal(), "scalar": base[3, 4, 5], "empty": base[2:2],
        "window": base.flatten().unfold(0, 10, 3), "nested": [base, {"x": (bytes_, bytes_[3:])}],
    }
    got = check_through(g, tmp_path / "a.pt", want)
    assert got["again"] is got["base"] and got["nested"][0] is got["base"]
    start = got["base"].data_ptr()
    for name in list(want)[2:9]:
        assert got[name].data_ptr() - start == want[name].data_ptr() - base.data_ptr(), name
    inner = got["nested"][1]["x"]
    assert inner[1].data_ptr() == inner[0].data_ptr() + 3
    # Without the base, what lies between the first and the last element.
    some = check_through(g, tmp_path / "b.pt", {"row": base[2], "column": base[2:, 3]})
    assert len(some["row"].storage()) == 54
    whole = check_through(g, tmp_path / "b.pt", {"row": base[2]}, whole_storages=True)
    assert len(whole["row"].storage()) == 120


def test_identity_of_containers(g, tmp_path):
    inner = {"a": [1]}
    got = check_through(g, tmp_path / "a.pt", {"x": inner, "y": inner, "z": (inner["a"], inner)})
    assert got["x"] is got["y"] is got["z"][1] and got["z"][0] is got["x"]["a"]


def test_grad(g, tmp_path):
    want = {"leaf": torch.ones(2, requires_grad=True), "p": torch.nn.Parameter(torch.ones(3)),
            "frozen": torch.nn.Parameter(torch.zeros(2), requires_grad=False)}
    got = check_through(g, tmp_path / "a.pt", want)
    assert type(got["leaf"]) is torch.Tensor


@pytest.mark.parametrize("obj", [torch.arange(4.0), 5, "text", None, [1], (), {}, torch.Size([1])],
                         ids=repr)
def test_roots(g, tmp_path, obj):
    check_through(g, tmp_path / "a.pt", obj)


def test_conjugates(g, tmp_path, monkeypatch):
    """2.x says so in a seventh argument, which 1.13 does not know."""
    original = torch._utils._rebuild_tensor_v2

    def _rebuild_tensor_v2(*args):
        t = original(*args[:6])
        return t.conj() if args[6:] and args[6]["conj"] else t

    _rebuild_tensor_v2.__module__ = "torch._utils"
    _rebuild_tensor_v2.__qualname__ = "_rebuild_tensor_v2"
    monkeypatch.setattr(torch._utils, "_rebuild_tensor_v2", _rebuild_tensor_v2)

    class Conjugate:
        def __init__(self, t):
            self.t = t

        def __reduce__(self):
            t = self.t
            return torch._utils._rebuild_tensor_v2, (
                t.storage(), t.storage_offset(), tuple(t.shape), t.stride(), False,
                collections.OrderedDict(), {"conj": True})

    t = torch.tensor([1 + 2j, 3 - 4j, 5j])
    for plain in ({"t": t}, {}):
        got = through(g, tmp_path / "a.pt", {**plain, "conj": Conjugate(t),
                                             "part": Conjugate(t[1:])})
        assert_same(got, {**plain, "conj": t.conj(), "part": t[1:].conj()})
        assert got["conj"].storage().data_ptr() == got["part"].storage().data_ptr()


def test_quantized(g, tmp_path):
    t = torch.linspace(-1, 1, 12).reshape(3, 4)
    whole = torch.quantize_per_tensor(t, 0.1, 3, torch.qint8)
    channels = torch.quantize_per_channel(
        t, torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64),
        torch.tensor([1, 2, 3]), 0, torch.quint8)
    got = through(g, tmp_path / "a.pt", {"q": whole, "row": whole[1:], "c": channels,
                                         "i": torch.quantize_per_tensor(t, 0.1, 0, torch.qint32)})
    assert_same(got["q"], whole)
    assert_same(got["row"], whole[1:])
    assert_same(got["c"], channels)


def test_sparse(g, tmp_path):
    t = torch.tensor([[0, 1.5, 0], [2, 0, -3]])
    for sparse in (t.to_sparse(), t.to_sparse_csr()):  # 1.13 warns of the latter
        got = through(g, tmp_path / "a.pt", {"s": sparse, "dense": t})
        assert_same(got["s"].to_dense(), t)
        assert got["s"].layout == sparse.layout


def test_records(g, tmp_path):
    obj = {"plain": Plain(1, "b", torch.ones(2)), "list": Listing([1, 2]), "class": Plain,
           "function": check_file}
    with pytest.raises(graft.GraftError, match=r"a\.out\.pt: plain: records of a class that graft "
                       r"does not know are written only with options\.records.*: .*\.Plain"):
        through(g, tmp_path / "a.pt", obj)
    assert not (tmp_path / "a.out.pt").exists()
    got = through(g, tmp_path / "a.pt", obj, weights_only=False, records=True)
    assert got["class"] is Plain and got["function"] is check_file
    assert got["list"] == [1, 2] and type(got["list"]) is Listing
    assert got["plain"].fields[:2] == (1, "b")
    assert_same(got["plain"].fields[2], torch.ones(2))
    assert through(g, tmp_path / "a.pt", Called(4), weights_only=False, records=True).fields == (4,)


@pytest.mark.parametrize("protocol", [1, 2, 3, 4, 5])
def test_protocols(g, tmp_path, protocol):
    model = torch.nn.Linear(3, 2)
    obj = {"model": model.state_dict(), "raw": b"\0\xff", "n": 10**30, "s": {1, 2}}
    got = through(g, tmp_path / "a.pt", obj, protocol)
    assert_same(got, obj)


def test_modules(g, tmp_path):
    """A module that was pickled whole is written back so that Python makes it again."""
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.BatchNorm1d(4))
    got = through(g, tmp_path / "a.pt", model, weights_only=False, records=True)
    assert_same(got.state_dict(), model.state_dict())
    x = torch.randn(5, 3)
    assert torch.equal(got.eval()(x), model.eval()(x))


def test_again_and_again(g, tmp_path):
    """What graft wrote and read is written as the same bytes."""
    obj = {"a": torch.randn(3, 4), "b": [1, (2, {"c": 3.5})], "d": collections.OrderedDict(e=b"f")}
    torch.save(obj, tmp_path / "a.pt")
    for source, target in ("ab", "bc", "cd"):
        d = g.load(tmp_path / f"{source}.pt", None)
        g.save(tmp_path / f"{target}.pt", d)
        lib.graft_dict_free(d)
    texts = [(tmp_path / f"{name}.pt").read_bytes() for name in "bcd"]
    assert texts[0] == texts[1] == texts[2]


def test_over_the_mapped_file(g, tmp_path):
    """A file is replaced while its tensors are mapped: they stay what they are."""
    want = {"t": torch.arange(100000.0)}
    torch.save(want, tmp_path / "a.pt")
    d = g.load(tmp_path / "a.pt", None)
    g.save(tmp_path / "a.pt", d)
    assert_same(torch.load(tmp_path / "a.pt"), want)
    assert torch.equal(g.torch(g.dict_tensor(d, "t")), want["t"])
