"""Comparing: the numbers against numpy's in double precision, over random tensors of every dtype
and shape; files of different formats; nested dicts; any number of threads."""

import math
import random

import numpy
import pytest
import torch

import graft
from graft import ffi, lib, options, text

NUMBERS = ("elements", "changed", "not_finite", "max_abs", "max_rel", "max_ulps", "mean_abs", "rms", "cosine",
           "norm_a", "norm_b", "rows_changed", "first_changed")
CARRIED = {numpy.uint16: "U16", numpy.uint32: "U32", numpy.uint64: "U64"}
SHAPES = [(), (0,), (0, 3), (3, 0), (1,), (5,), (511,), (512,), (513,), (2, 3), (40, 1), (1, 40), (7, 64),
          (3, 4, 5), (8193,), (333, 50), (2, 3, 1, 4, 1, 2, 1, 2), (20000, 4), (70001,)]
FLOATS = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
INTEGERS = [torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool]


def same(name, got, want):
    if isinstance(want, int):
        return got == want
    size = 1 if name == "cosine" else abs(want)
    return (math.isnan(got) and math.isnan(want)) or got == want or abs(got - want) <= 1e-12 * size


class Report:
    """A graft_diff of two dicts of tensors, and what it says."""

    def __init__(self, g, a, b, **fields):
        self.g, self.report = g, g.diff(a, b, options("diff", **fields))

    def __len__(self):
        return self.g.diff_len(self.report)

    def kind(self, i):
        return text(lib.graft_diff_kind_name(self.g.diff_kind_of(self.report, i)))

    def kinds(self):
        return {self.g.diff_name(self.report, i): self.kind(i) for i in range(len(self))}

    def numbers(self, i):
        out = ffi.new("graft_diff_numbers *")
        if not self.g.diff_numbers_of(self.report, i, out):
            return None
        return {name: getattr(out, name) for name in NUMBERS}

    def rows(self, i):
        return [self.g.diff_row(self.report, i, j) for j in range(self.g.diff_rows(self.report, i))]


def made(g, array):
    """A graft tensor of a torch tensor or of a numpy array whose dtype torch has not."""
    if isinstance(array, numpy.ndarray) and array.dtype.type in CARRIED:
        held = numpy.ascontiguousarray(array)
        data = ffi.cast("void *", held.ctypes.data) if held.size else ffi.NULL
        return g.from_data(data, array.shape, getattr(lib, f"GRAFT_{CARRIED[array.dtype.type]}"))
    return g.tensor(array)


def dict_of(g, **tensors):
    d = g.dict_new()
    for name, tensor in tensors.items():
        g.dict_set_tensor(d, name, made(g, tensor))
    return d


# ---- The reference


def bits_of(x):
    """The bits of each element, as unsigned integers."""
    if isinstance(x, torch.Tensor):
        signed = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}[x.element_size()]
        x = x.contiguous().view(signed).numpy() if x.dtype != torch.bool else x.numpy().astype(numpy.int8)
    return x.view(f"u{x.dtype.itemsize}")


def wide(x):
    return x.double().numpy() if isinstance(x, torch.Tensor) else x.astype(numpy.float64)


def exact(x):
    """Elements as Python's integers or floats, for what no double holds."""
    if isinstance(x, torch.Tensor):
        x = x.double().numpy() if x.is_floating_point() else x.numpy()
    return x.reshape(-1).tolist()


def ordered(x):
    """Bits as integers that are ordered as the floats are, 0 and -0 both 0."""
    bits = bits_of(x).astype(object).reshape(-1)
    sign = 1 << (8 * x.element_size() - 1)
    return [int(b) if b < sign else -(int(b) - sign) for b in bits]


def changed_mask(a, b, rtol, atol):
    x, y = wide(a).reshape(-1), wide(b).reshape(-1)
    both_nan = numpy.isnan(x) & numpy.isnan(y)
    if rtol or atol:
        finite = numpy.isfinite(x) & numpy.isfinite(y)
        with numpy.errstate(all="ignore"):
            near = numpy.abs(x - y) <= atol + rtol * numpy.abs(y)
        return ~numpy.where(finite, near, (x == y) | both_nan)
    if a.dtype == b.dtype:
        return bits_of(a).reshape(-1) != bits_of(b).reshape(-1)
    return numpy.array([not (p == q or (p != p and q != q)) for p, q in zip(exact(a), exact(b))], dtype=bool)


def reference(a, b, rtol=0.0, atol=0.0):
    shape = tuple(a.shape)
    x, y = wide(a).reshape(-1), wide(b).reshape(-1)
    mask = changed_mask(a, b, rtol, atol)
    finite = numpy.isfinite(x) & numpy.isfinite(y)
    long = a.dtype == b.dtype and a.dtype in (torch.int64, numpy.dtype(numpy.uint64))
    with numpy.errstate(all="ignore"):
        d = (numpy.array([float(abs(p - q)) for p, q in zip(exact(a), exact(b))]) if long else numpy.abs(x - y))
    d, x, y = d[finite], x[finite], y[finite]
    n = len(d)
    norm = lambda v: math.sqrt(math.fsum(v * v))
    with numpy.errstate(over="ignore"):
        relative = d[y != 0] / numpy.abs(y[y != 0])
    ulps = -1
    if isinstance(a, torch.Tensor) and a.dtype == b.dtype and a.is_floating_point():
        pairs = zip(ordered(a), ordered(b), finite)
        ulps = min(max((abs(p - q) for p, q, f in pairs if f), default=0), 2**63 - 1)
    rows = numpy.flatnonzero(mask.reshape(shape[0] if shape else 1, -1).any(axis=1))
    norms = norm(x) * norm(y)
    return {
        "elements": mask.size, "changed": int(mask.sum()), "not_finite": int((mask & ~finite).sum()),
        "max_abs": float(d.max(initial=0)), "max_rel": float(relative.max(initial=0)), "max_ulps": ulps,
        "mean_abs": math.fsum(d) / n if n else 0.0, "rms": math.sqrt(math.fsum(d * d) / n) if n else 0.0,
        "cosine": math.fsum(x * y) / norms if norms else math.nan, "norm_a": norm(x), "norm_b": norm(y),
        "rows_changed": len(rows), "first_changed": int(numpy.flatnonzero(mask)[0]) if mask.any() else -1,
    }, rows.tolist()


# ---- Random tensors


def random_tensor(generator, shape, dtype):
    if dtype in CARRIED:
        return numpy.random.default_rng(generator.getrandbits(32)).integers(
            0, numpy.iinfo(dtype).max, shape, dtype, endpoint=True)
    if dtype == torch.bool:
        return torch.rand(shape) < 0.5
    if not dtype.is_floating_point:
        info = torch.iinfo(dtype)
        low, high = generator.choice([(info.min, info.max), (max(info.min, -3), 3)])
        return torch.randint(low, high, shape, dtype=dtype)
    x = (torch.randn(shape, dtype=torch.float64) * generator.choice([1, 1e-3, 1e4])).to(dtype)
    if generator.random() < 0.5:
        special = [0.0, -0.0, math.nan, math.inf, -math.inf, torch.finfo(dtype).tiny / 4, -torch.finfo(dtype).tiny / 8,
                   min(torch.finfo(dtype).max / 4, 1e150)]
        where = torch.rand(shape) < 0.1
        x = torch.where(where, torch.tensor(special, dtype=dtype)[torch.randint(len(special), shape)], x)
    return x


def changed_a_little(generator, x):
    """A copy in which some elements are others; all, a few, or none."""
    other = random_tensor(generator, tuple(x.shape), x.dtype.type if isinstance(x, numpy.ndarray) else x.dtype)
    share = generator.choice([0, 0.001, 0.5, 1])
    if isinstance(x, numpy.ndarray):
        return numpy.where(numpy.random.default_rng(generator.getrandbits(32)).random(x.shape) < share, other, x)
    return torch.where(torch.rand(x.shape) < share, other, x)


def check(report, i, a, b, **tolerance):
    got = report.numbers(i)
    if 0 in a.shape:
        assert got is None and report.kind(i) == "equal"
        return
    want, rows = reference(a, b, **tolerance)
    wrong = {name: (got[name], want[name]) for name in NUMBERS if not same(name, got[name], want[name])}
    assert not wrong, (tuple(a.shape), a.dtype, b.dtype, tolerance, wrong)
    assert report.rows(i) == rows[:16]
    if a.dtype == b.dtype:
        assert report.kind(i) == ("changed" if want["changed"] else "equal")
    else:
        assert report.kind(i) == "dtype"


@pytest.mark.parametrize("dtype", [*FLOATS, *INTEGERS, *CARRIED], ids=str)
def test_numbers(dtype):
    generator = random.Random(str(dtype))
    torch.manual_seed(0)
    with graft.Context(threads=2) as g:
        for shape in SHAPES:
            a = random_tensor(generator, shape, dtype)
            b = changed_a_little(generator, a)
            check(Report(g, dict_of(g, t=a), dict_of(g, t=b)), 0, a, b)


@pytest.mark.parametrize("rtol, atol", [(1e-3, 0), (0, 0.1), (0.01, 1e-6)])
def test_tolerances(rtol, atol):
    generator = random.Random(rtol)
    torch.manual_seed(1)
    with graft.Context(threads=2) as g:
        for dtype in [*FLOATS, torch.int8, torch.int32]:
            for shape in [(), (513,), (333, 50)]:
                a = random_tensor(generator, shape, dtype)
                b = changed_a_little(generator, a)
                report = Report(g, dict_of(g, t=a), dict_of(g, t=b), rtol=rtol, atol=atol)
                check(report, 0, a, b, rtol=rtol, atol=atol)


def test_two_dtypes():
    generator = random.Random(2)
    torch.manual_seed(2)
    dtypes = [*FLOATS, *INTEGERS, *CARRIED]
    with graft.Context(threads=2) as g:
        for first in dtypes:
            for second in dtypes:
                if first == second:
                    continue
                shape = generator.choice([(7,), (3, 200), (9000,)])
                a = random_tensor(generator, shape, first)
                b = random_tensor(generator, shape, second)
                if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor) and generator.random() < 0.7:
                    b = a.to(second)
                check(Report(g, dict_of(g, t=a), dict_of(g, t=b)), 0, a, b)


def test_strides():
    torch.manual_seed(3)
    x = torch.randn(300, 200)
    views = [(x.t(), x.t() + 1e-3), (x[::3, 10:90], x[::3, 10:90].clone()), (x[:, :1].expand(300, 50), x[:, :50])]
    with graft.Context(threads=2) as g:
        for a, b in views:
            check(Report(g, dict_of(g, t=a), dict_of(g, t=b)), 0, a, b)


def test_threads_give_the_same_bits():
    torch.manual_seed(4)
    a, b = torch.randn(1000, 1003), torch.randn(1000, 1003)
    said = []
    for threads in (1, 2, 3, 8):
        with graft.Context(threads=threads) as g:
            numbers = Report(g, dict_of(g, t=a), dict_of(g, t=b)).numbers(0)
            said.append([float(n).hex() for n in numbers.values()])
    assert all(one == said[0] for one in said)


# ---- Files


def open_root(g, path, **fields):
    return g.checkpoint_root(g.checkpoint_open(path, options("read", **fields)))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("map_", [False, True])
def test_files_of_two_formats(tmp_path, threads, map_):
    torch.manual_seed(5)
    state = {"w": torch.randn(600, 700), "half": torch.randn(3, 300).half(), "n": torch.tensor(7), "none": torch.empty(0, 2)}
    other = dict(state, w=state["w"] + torch.randn(600, 700) * 1e-3, half=state["half"].float())
    torch.save(state, tmp_path / "a.pt")
    torch.save(state, tmp_path / "legacy.pt", _use_new_zipfile_serialization=False)
    with graft.Context(threads=threads) as g:
        for name in ("b.safetensors", "b.npz", "b.pt"):
            if name == "b.npz":
                numpy.savez(tmp_path / name, **{k: v.numpy() for k, v in other.items()})
            else:
                g.save(tmp_path / name, dict_of(g, **other))
            for source in ("a.pt", "legacy.pt"):
                report = Report(g, open_root(g, tmp_path / source, map=map_), open_root(g, tmp_path / name, map=map_))
                kinds = report.kinds()
                assert kinds == {"w": "changed", "half": "dtype", "n": "equal", "none": "equal"}
                place = list(kinds).index
                check(report, place("w"), state["w"], other["w"])
                check(report, place("half"), state["half"], other["half"])
        same_file = Report(g, open_root(g, tmp_path / "a.pt", map=map_), open_root(g, tmp_path / "legacy.pt", map=map_))
        assert g.diff_is_equal(same_file.report), g.diff_text(same_file.report)


def test_nested_values(tmp_path):
    a = {"model": {"w": torch.ones(2)}, "epoch": 3, "lrs": [0.1, 0.2], "name": "x", "gone": None}
    b = {"model": {"w": torch.zeros(2)}, "epoch": 3, "lrs": [0.1, 0.3], "name": "y", "new": (1, 2)}
    torch.save(a, tmp_path / "a.pt")
    torch.save(b, tmp_path / "b.pt")
    with graft.Context() as g:
        report = Report(g, open_root(g, tmp_path / "a.pt"), open_root(g, tmp_path / "b.pt"))
        assert report.kinds() == {
            "model.w": "changed", "epoch": "equal", "lrs.0": "equal", "lrs.1": "changed", "name": "changed",
            "gone": "missing", "new.0": "extra", "new.1": "extra"}
        assert g.diff_note(report.report, 3) == "0.2 in a, 0.3 in b"
        assert g.diff_text(report.report).splitlines()[0] == "diff: 2 equal, 3 changed, 1 missing, 2 extra"


def test_ties_of_a_file(tmp_path):
    w = torch.randn(4, 5)
    torch.save({"encoder": w, "decoder": w}, tmp_path / "a.pt")
    torch.save({"encoder": w, "decoder": w.clone()}, tmp_path / "b.pt")
    with graft.Context() as g:
        report = Report(g, open_root(g, tmp_path / "a.pt"), open_root(g, tmp_path / "b.pt"))
        assert report.kinds() == {"encoder": "ties", "decoder": "ties"}
        assert g.diff_note(report.report, 0) == "tied with decoder in a only"


def test_rules(tmp_path):
    torch.manual_seed(6)
    q, k, v = torch.randn(3, 8, 16).unbind()
    torch.save({f"module.{name}.weight": part for name, part in zip("qkv", (q, k, v))}, tmp_path / "a.pt")
    torch.save({"qkv.weight": torch.cat([q, k, v + 1e-4])}, tmp_path / "b.pt")
    with graft.Context(threads=2) as g:
        rules = g.rules_parse("strip module.\nfuse qkv.weight 0 q.weight k.weight v.weight\n")
        report = Report(g, open_root(g, tmp_path / "a.pt"), open_root(g, tmp_path / "b.pt"), rules=rules)
        assert report.kinds() == {"qkv.weight": "changed"}
        check(report, 0, torch.cat([q, k, v]), torch.cat([q, k, v + 1e-4]))


def test_damage_names_tensor_and_file(tmp_path):
    state = {"some.weight": torch.arange(100000.0)}
    torch.save(state, tmp_path / "a.pt")
    raw = bytearray((tmp_path / "a.pt").read_bytes())
    raw[raw.find(numpy.float32(99990).tobytes())] ^= 1
    (tmp_path / "a.pt").write_bytes(raw)
    with graft.Context(threads=2) as g:
        with pytest.raises(graft.GraftError) as error:
            Report(g, dict_of(g, **state), open_root(g, tmp_path / "a.pt"))
        assert error.value.status == "GRAFT_ERR_FORMAT"
        assert str(tmp_path / "a.pt") in str(error.value) and '("some.weight" of b)' in str(error.value)
