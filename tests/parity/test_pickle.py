"""Pickles that Python makes, as graft reads them; and pickles that would do harm, of which nothing is
run."""

import collections
import io
import os
import pickle
import random
import struct
import zipfile

import graft
import numpy
import pytest
import torch
import values
from graft import ffi, lib

PROTOCOLS = range(6)


def pt(path, data):
    """The least that is a .pt file."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", data)
        archive.writestr("archive/version", "3\n")
    return path


# ---- Values ----

def bits(number):
    return struct.pack("<d", number)


def tree_of(value):
    """A Python value as `tree` has what graft made of its pickle."""
    if isinstance(value, (bool, numpy.bool_)):
        return "bool", bool(value)
    if isinstance(value, numpy.generic):
        return tree_of(value.item())
    if value is None:
        return ("none",)
    if isinstance(value, int):
        return "int", value
    if isinstance(value, float):
        return "float", bits(value)
    if isinstance(value, complex):
        return "complex", bits(value.real), bits(value.imag)
    if isinstance(value, str):
        return "string", value.encode("utf-8", "surrogatepass")
    if isinstance(value, (bytes, bytearray)):
        return "bytes", bytes(value)
    if isinstance(value, numpy.ndarray):
        native = value.astype(value.dtype.newbyteorder("="))
        return "tensor", native.dtype.name, native.shape, native.tobytes()
    if isinstance(value, (set, frozenset)):
        return "set", type(value).__name__, sorted(map(tree_of, value))
    if isinstance(value, (list, tuple)):
        return type(value).__name__, [tree_of(v) for v in value]
    return "dict", type(value).__name__, [(key_of(k), tree_of(v)) for k, v in value.items()]


def key_of(key):
    if isinstance(key, str):
        return "string", key
    kind = {bool: "bool", int: "int", float: "float", bytes: "bytes", tuple: "tuple",
            type(None): "none"}[type(key)]
    return ("big_int" if kind == "int" and not -2**63 <= key < 2**63 else kind), repr(key)


def tree(g, d, i):
    kind = values.KINDS[lib.graft_dict_kind(d, i)]
    if kind == "none":
        return ("none",)
    if kind in ("bool", "int"):
        return kind, getattr(lib, f"graft_dict_{kind}_at")(d, i)
    if kind == "big_int":
        return "int", int(graft.text(lib.graft_dict_string_at(d, i)))
    if kind == "float":
        return kind, bits(lib.graft_dict_float_at(d, i))
    if kind == "complex":
        parts = ffi.new("double[2]")
        assert lib.graft_dict_complex_at(d, i, parts, parts + 1)
        return kind, bits(parts[0]), bits(parts[1])
    if kind in ("string", "bytes"):
        size = ffi.new("size_t *")
        data = lib.graft_dict_bytes_at(d, i, size)
        return kind, bytes(ffi.buffer(data, size[0])) if size[0] else b""
    if kind == "tensor":
        array = values.tensor(g, d, i)
        return kind, array.dtype.name, array.shape, array.tobytes()
    return container(g, lib.graft_dict_dict_at(d, i))


def container(g, d):
    kind = values.KINDS[lib.graft_dict_container(d)]
    name = graft.text(lib.graft_dict_class(d))
    size = lib.graft_dict_len(d)
    inside = [tree(g, d, i) for i in range(size)]
    if kind == "set":
        return kind, name.split(".")[1] if name else "set", sorted(inside)
    if kind in ("list", "tuple"):
        assert name is None
        return kind, inside
    assert kind == "dict", name
    keys = [(values.KINDS[lib.graft_dict_key_kind(d, i)], graft.text(lib.graft_dict_key(d, i)))
            for i in range(size)]
    return kind, name.split(".")[1] if name else "dict", list(zip(keys, inside))


def read(g, path):
    c = g.checkpoint_open(path, None)
    root = lib.graft_checkpoint_root(c)
    made = tree(g, root, 0) if lib.graft_checkpoint_is_bare(c) else container(g, root)
    lib.graft_checkpoint_free(c)
    return made


def some_int(r):
    width = r.choice([4, 8, 9, 16, 17, 31, 32, 33, 63, 64, 65, 200, 2000])
    return r.choice([1, -1]) * (r.choice([2**width, r.getrandbits(width)]) - r.randint(0, 1))


def some_float(r):
    return r.choice([0.0, -0.0, 1.5, float("nan"), float("inf"), -float("inf"), 5e-324, 1e308,
                     r.uniform(-1, 1), r.random() * 10.0**r.randint(-300, 300)])


def some_text(r):
    letters = "az 09\\\n\r\t\0\x1a'\"\x7f\x80\xff\u0100\u20ac\ud800\udc00\uffff\U0001f600\U0010ffff"
    return "".join(r.choice(letters) for _ in range(r.choice([0, 1, 3, 10, 300])))


def some_scalar(r):
    return r.choice([
        lambda: None, lambda: r.random() < 0.5, lambda: some_int(r), lambda: r.randint(-300, 300),
        lambda: some_float(r), lambda: complex(some_float(r), some_float(r)),
        lambda: some_text(r), lambda: r.randbytes(r.choice([0, 1, 5, 255, 256, 300])),
    ])()


def some_key(r):
    return r.choice([
        lambda: r.choice(["", "a", "b.c", "\u20ac", "x" * 300]), lambda: r.randint(-3, 300),
        lambda: 2**70, lambda: None, lambda: 1.5, lambda: b"\xff", lambda: (1, "a", (None,)),
    ])()


def some_array(r):
    dtype = numpy.dtype(r.choice("<>") + r.choice(
        ["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16"]))
    shape = r.choice([(), (0,), (3,), (2, 3), (2, 1, 3)])
    count = int(numpy.prod(shape, dtype=int))
    data = r.randbytes(count * dtype.itemsize)
    if dtype == bool:
        data = bytes(b & 1 for b in data)
    return numpy.asarray(numpy.frombuffer(data, dtype).reshape(shape), order=r.choice("CF"))


def some_number_of_numpy(r):
    dtype = r.choice(["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8",
                      "c16"])
    return numpy.dtype(dtype).type(r.choice([0, 1, 100]))


def some_value(r, depth, before):
    """before: what was made already, and may stand here again."""
    if before and r.random() < 0.1:
        return r.choice(before)
    if depth == 0 or r.random() < 0.3:
        return some_scalar(r)
    inner = lambda: some_value(r, depth - 1, before)
    count = r.choice([0, 1, 2, 3, 5])
    hashable = lambda: r.choice([r.randint(0, 9), some_text(r)])
    made = r.choice([
        lambda: [inner() for _ in range(count)],
        lambda: tuple(inner() for _ in range(count)),
        lambda: {some_key(r): inner() for _ in range(count)},
        lambda: {hashable() for _ in range(count)},
        lambda: frozenset(hashable() for _ in range(count)),
        lambda: collections.OrderedDict((some_key(r), inner()) for _ in range(count)),
        lambda: collections.defaultdict(list, {some_key(r): inner() for _ in range(count)}),
        lambda: collections.Counter({some_key(r): r.randint(0, 9) for _ in range(count)}),
        lambda: bytearray(r.randbytes(count)),
        lambda: some_array(r),
        lambda: some_number_of_numpy(r),
    ])()
    before.append(made)
    return made


def pickled(value, protocol, pure):
    out = io.BytesIO()
    (pickle._Pickler if pure else pickle.Pickler)(out, protocol).dump(value)
    return out.getvalue()


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("pure", [False, True])
def test_values(g, tmp_path, protocol, pure):
    for seed in range(150):
        r = random.Random(seed)
        value = [some_value(r, 4, []) for _ in range(3)]
        got = read(g, pt(tmp_path / "a.pt", pickled(value, protocol, pure)))
        assert got == tree_of(value), f"seed {seed}"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_large(g, tmp_path, protocol):
    """More than a batch of APPENDS, more than 256 memo entries, frames of more than 64 KiB."""
    value = [list(range(2500)), {str(i): [i] for i in range(2500)}, set(range(1500)),
             "x" * 70000, b"y" * 70000, "\u20ac" * 30000]
    value.append(value[1]["7"])
    assert read(g, pt(tmp_path / "a.pt", pickle.dumps(value, protocol))) == tree_of(value)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_is_one_object_stays_one(g, tmp_path, protocol):
    one = [1]
    path = pt(tmp_path / "a.pt", pickle.dumps({"a": one, "b": (one, {"c": one})}, protocol))
    c = g.checkpoint_open(path, None)
    root = lib.graft_checkpoint_root(c)
    places = [g.dict_dict(root, name) for name in ("a", "b.0", "b.1.c")]
    assert places[0] == places[1] == places[2]
    lib.graft_checkpoint_free(c)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_contains_itself_is_refused(g, tmp_path, protocol):
    for make in (lambda a: a.append(a), lambda a: a.append({"x": [a]}), lambda a: a.append((a,))):
        value = []
        make(value)
        with pytest.raises(graft.GraftError, match="PickleRecursive"):
            g.checkpoint_open(pt(tmp_path / "a.pt", pickle.dumps(value, protocol)), None)


# ---- Objects ----

class Plain:
    pass


class Slots:
    __slots__ = ("a", "b")


class List(list):
    pass


class Dict(dict):
    pass


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_objects(g, tmp_path, protocol):
    plain, items, table = Plain(), List([1, 2]), Dict({"k": 3})
    plain.x, plain.y, items.z, table.z = 1, [plain.__class__], 5, 6
    value = {"plain": plain, "items": items, "table": table}
    if protocol >= 2:
        value["slots"] = Slots()
        value["slots"].a = 7
    c = g.checkpoint_open(pt(tmp_path / "a.pt", pickle.dumps(value, protocol)), None)
    root = lib.graft_checkpoint_root(c)

    def at(path):
        i = ffi.new("int64_t *")
        d = g.dict_find_path(root, path, i)
        return tree(g, d, i[0])

    for name, cls in zip(value, ("Plain", "List", "Dict", "Slots")):
        d = g.dict_dict(root, name)
        assert lib.graft_dict_container(d) == lib.GRAFT_VALUE_RECORD
        assert g.dict_class(d) == f"{__name__}.{cls}"
    assert (at("plain.x"), at("items.1"), at("items.z"), at("table.k"), at("table.z")) == (
        ("int", 1), ("int", 2), ("int", 5), ("int", 3), ("int", 6))
    assert g.dict_class(g.dict_dict(root, "plain.y.0")) == f"{__name__}.Plain"
    if protocol >= 2:
        assert at("slots.a") == ("int", 7)
    lib.graft_checkpoint_free(c)


# ---- Harm ----

class Calls:
    """An object whose pickle calls a function."""

    def __init__(self, function, *args, state=None):
        self.call = (function, args) if state is None else (function, args, state)

    def __reduce__(self):
        return self.call


def audit(g, path):
    a = g.audit(path, None)
    lines = [(g.audit_global(a, i), g.audit_args(a, i), bool(g.audit_is_call(a, i)))
             for i in range(g.audit_len(a))]
    members = {g.audit_member(a, i) for i in range(g.audit_len(a))}
    assert all("data.pkl" in member for member in members)
    text, error = g.audit_text(a), g.audit_error(a)
    g.audit_free(a)
    return lines, text, error


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_nothing_is_run(g, tmp_path, protocol):
    canary = tmp_path / "canary"
    code = f"open({str(canary)!r}, 'w').write('x')"
    value = {"a": Calls(os.system, f"touch {canary}"), "b": [Calls(eval, code)],
             "c": Calls(exec, code), "d": Calls(getattr, Calls(__import__, "os"), "system"),
             "w": torch.nn.Linear}
    path = pt(tmp_path / "a.pt", pickle.dumps(value, protocol))
    c = g.checkpoint_open(path, None)
    lib.graft_checkpoint_free(c)
    lines, text, error = audit(g, path)
    assert not canary.exists()
    names = {name.replace("__builtin__", "builtins").replace("nt.", "posix."): (args, call)
             for name, args, call in lines}
    assert names["posix.system"] == (f"('touch {canary}',)", True)
    assert names["builtins.eval"][1] and "canary" in names["builtins.eval"][0]
    assert names["builtins.exec"][1] and names["builtins.getattr"][1]
    assert names["builtins.__import__"] == ("('os',)", True)
    assert names["torch.nn.modules.linear.Linear"] == ("", False)
    assert (error, len(text.splitlines())) == (None, len(lines))
    pickle.loads(pickle.dumps(value["c"], protocol))  # that it would have been
    assert canary.exists()


HANDMADE = {
    "INST": (b"(S'touch CANARY'\nios\nsystem\n.", "os.system", "('touch CANARY',)"),
    "OBJ": (b"(cos\nsystem\nS'touch CANARY'\no.", "os.system", "('touch CANARY',)"),
    "result": (b"cbuiltins\ngetattr\n(cos\nsystem\nS'__call__'\ntR(S'touch CANARY'\ntR.",
               "builtins.getattr(os.system, '__call__')", "('touch CANARY',)"),
    "popped": (b"cos\nsystem\n(S'touch CANARY'\ntR0N.", "os.system", "('touch CANARY',)"),
    "in an argument": (b"c__builtin__\nlist\n((lcos\nsystem\n(S'touch CANARY'\ntRatR.",
                       "os.system", "('touch CANARY',)"),
    "base": (b"ccopy_reg\n_reconstructor\n(c__builtin__\nobject\ncsubprocess\nPopen\n(lS'touch'\n"
             b"aS'CANARY'\natR.", "copy_reg._reconstructor",
             "(__builtin__.object, subprocess.Popen, ['touch', 'CANARY'])"),
    "persistent id": (b"cos\nsystem\n(S'touch CANARY'\ntRQ.", "os.system", "('touch CANARY',)"),
}


@pytest.mark.parametrize("name", HANDMADE)
def test_handmade_harm(g, tmp_path, name):
    canary = tmp_path / "canary"
    data, function, args = HANDMADE[name]
    put = lambda text: text.replace("CANARY", str(canary))
    path = pt(tmp_path / "a.pt", data.replace(b"CANARY", os.fsencode(canary)))
    lines, _, error = audit(g, path)
    assert (put(function), put(args), True) in lines
    assert (error is not None) == (name == "persistent id")
    assert not canary.exists()


class State:
    def __setstate__(self, state):
        os.system(state)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_state_is_no_call(g, tmp_path, protocol):
    state = State()
    data = pickle.dumps(Calls(State, state="touch canary"), protocol)
    lines, text, _ = audit(g, pt(tmp_path / "a.pt", data))
    assert lines == [(f"{__name__}.State", "()", True),
                     (f"{__name__}.State.__setstate__", "('touch canary')", False)]
    assert "calls" in text.splitlines()[0] and "changes" in text.splitlines()[1]
    assert state is not None


def test_audit_as_far_as_it_goes(g, tmp_path):
    data = b"cos\nsystem\n(S'id'\ntR(S'"
    lines, text, error = audit(g, pt(tmp_path / "a.pt", data))
    assert lines == [("os.system", "('id',)", True)]
    assert "Truncated" in error and error in text.splitlines()[-1]
    with pytest.raises(graft.GraftError):  # but that it is no file at all
        g.audit(tmp_path / "none.pt", None)


def test_harmless(g, tmp_path):
    """State dicts of PyTorch's, and plain values, have nothing to be listed."""
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    adam = torch.optim.Adam(model.parameters())
    model(torch.randn(4, 2)).sum().backward()
    adam.step()
    torch.save({"model": model.state_dict(), "adam": adam.state_dict(), "list": [1, 2.0, None],
                "numpy": numpy.arange(3), "scalar": numpy.float32(1), "set": {1},
                "counter": collections.Counter("aab"), "size": torch.Size([1, 2])},
               tmp_path / "a.pt")
    assert audit(g, tmp_path / "a.pt")[0] == []
    r = random.Random(0)
    for protocol in PROTOCOLS:
        value = [some_value(r, 4, []) for _ in range(20)]
        lines = audit(g, pt(tmp_path / "b.pt", pickle.dumps(value, protocol)))[0]
        assert lines == []


# ---- Models that were pickled whole ----

class Inner(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(2))
        self.register_parameter("none", None)
        self.register_buffer("count", torch.tensor(3))
        self.register_buffer("scratch", torch.zeros(1), persistent=False)
        self.register_buffer("nothing", None)


class Outer(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first = Inner()
        self.list = torch.nn.ModuleList([torch.nn.Linear(2, 3), self.first])
        self.again = self.first
        self.none = None
        self.norm = torch.nn.BatchNorm1d(3)


@pytest.mark.parametrize("protocol", [2, 4])
def test_whole_models(g, tmp_path, protocol):
    model = Outer()
    torch.save(model, tmp_path / "a.pt", pickle_protocol=protocol)
    c = g.checkpoint_open(tmp_path / "a.pt", None)
    with g.scope():
        d = g.pickled_state_dict(lib.graft_checkpoint_root(c))
        names = [g.dict_key(d, i) for i in range(g.dict_len(d))]
        want = model.state_dict()
        assert names == list(want)
        for i, name in enumerate(names):
            assert torch.equal(g.torch(g.dict_tensor_at(d, i)), want[name].detach())
        # what stands in two places is one tensor
        assert g.dict_tensor(d, "first.weight") == g.dict_tensor(d, "list.1.weight")
        with pytest.raises(graft.GraftError, match="not a pickled model"):
            g.pickled_state_dict(d)
    lib.graft_checkpoint_free(c)
    lines = audit(g, tmp_path / "a.pt")[0]
    assert {f"{__name__}.Outer", f"{__name__}.Inner"} <= {name for name, _, _ in lines}


def test_deep_models(g, tmp_path):
    """As deep as the reader's limit lets them be; and one that is 2^40 names of one tensor."""
    model = torch.nn.Identity()
    model.weight = torch.nn.Parameter(torch.ones(1))
    for _ in range(40):
        outer = torch.nn.Module()
        outer.a, outer.b = model, model
        model = outer
    torch.save(model, tmp_path / "a.pt")
    c = g.checkpoint_open(tmp_path / "a.pt", None)
    with pytest.raises(graft.GraftError, match="more than 10000000"):
        g.pickled_state_dict(lib.graft_checkpoint_root(c))
    lib.graft_checkpoint_free(c)
