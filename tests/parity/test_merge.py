"""Merging beside the formulas of the papers, written here in numpy with float64."""

import fnmatch

import graft
import numpy
import pytest
import torch
from graft import ffi, lib

METHODS = ["mean", "weighted", "ema", "slerp", "task", "ties", "dare"]
DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]

# What an array of options points to lives as long as the options.
_held = []


@pytest.fixture(autouse=True)
def let_go():
    yield
    _held.clear()


def hold(value):
    _held.append(value)
    return value


# ---- The formulas; all take lists of float64 arrays


def mean(xs, **_):
    return sum(xs) / len(xs)


def weighted(xs, weights=None, normalise=True, **_):
    weights = weights or [1] * len(xs)
    total = sum(w * x for w, x in zip(weights, xs))
    return total / sum(weights) if normalise else total


def ema(xs, decay=0.999, **_):
    average = xs[0]
    for x in xs[1:]:
        average = decay * average + (1 - decay) * x
    return average


def slerp(xs, t=0.5, **_):
    a, b = (x.ravel() for x in xs)
    norms = numpy.linalg.norm(a) * numpy.linalg.norm(b)
    cosine = a @ b / norms if norms > 0 else 1
    if abs(cosine) > 0.9995:
        return (1 - t) * xs[0] + t * xs[1]
    angle = numpy.arccos(cosine)
    return (numpy.sin((1 - t) * angle) * xs[0] + numpy.sin(t * angle) * xs[1]) / numpy.sin(angle)


def task(xs, base, weights=None, scale=1, **_):
    return base + scale * sum(w * (x - base) for w, x in zip(weights or [1] * len(xs), xs))


def trim(delta, density):
    """The largest by magnitude: as many as density says, and what is as large as the last."""
    count = int(numpy.floor(density * delta.size + 0.5))
    count = min(max(count, 1 if density > 0 else 0), delta.size)
    if count == 0:
        return numpy.zeros_like(delta)
    smallest = numpy.sort(abs(delta).ravel())[::-1][count - 1]
    return numpy.where(abs(delta) >= smallest, delta, 0)


def ties(xs, base, weights=None, scale=1, density=0.2, normalise=True, **_):
    weights = weights or [1] * len(xs)
    deltas = [w * trim(x - base, density) for w, x in zip(weights, xs)]
    elected = numpy.sign(sum(deltas))
    chosen = [(numpy.sign(d) == elected) & (elected != 0) for d in deltas]
    total = sum(numpy.where(c, d, 0) for c, d in zip(chosen, deltas))
    if normalise:
        weight = sum(numpy.where(c, w, 0.0) for c, w in zip(chosen, weights))
        total = numpy.divide(total, weight, out=numpy.zeros_like(total), where=weight > 0)
    return base + scale * total


def philox(key, counter):
    """Philox4x32-10 over arrays of counters [4, n]."""
    c = [numpy.array(x, numpy.uint64) for x in counter]
    low, high, word = key & 0xffffffff, key >> 32, numpy.uint64(0xffffffff)
    for _ in range(10):
        first, second = c[0] * numpy.uint64(0xD2511F53), c[2] * numpy.uint64(0xCD9E8D57)
        shift = numpy.uint64(32)
        c = [(second >> shift) ^ c[1] ^ numpy.uint64(low), second & word,
             (first >> shift) ^ c[3] ^ numpy.uint64(high), first & word]
        low, high = (low + 0x9E3779B9) & 0xffffffff, (high + 0xBB67AE85) & 0xffffffff
    return numpy.stack(c)


def kept(name, seed, source, size, density):
    """Which elements DARE keeps, as docs/merging.md says."""
    stream = 0xcbf29ce484222325
    for byte in name.encode():
        stream = (stream ^ byte) * 0x100000001b3 % 2**64
    stream ^= source << 32
    groups = numpy.arange((size + 3) // 4, dtype=numpy.uint64)
    counter = [groups, groups * 0, groups * 0 + numpy.uint64(stream & 0xffffffff),
               groups * 0 + numpy.uint64(stream >> 32)]
    draws = philox(seed, counter).T.ravel()[:size]
    return draws < numpy.uint64(int(numpy.ceil(density * 2**32)))


def dare(xs, base, name, weights=None, scale=1, density=0.2, seed=0, **_):
    total = numpy.zeros_like(base)
    for i, (w, x) in enumerate(zip(weights or [1] * len(xs), xs)):
        mask = kept(name, seed, i, x.size, density).reshape(x.shape)
        if density > 0:
            total = total + numpy.where(mask, w * (x - base) / density, 0)
    return base + scale * total


FORMULAS = {f.__name__: f for f in (mean, weighted, ema, slerp, task, ties, dare)}

# ---- Calling


def make_options(method, base=None, weights=None, layers=(), **fields):
    if weights is not None:
        fields["weights"] = hold(ffi.new("double[]", weights))
    made = []
    for glob, changes in layers:
        layer = {"glob": hold(ffi.new("char[]", glob.encode())),
                 "t": changes.get("t", float("nan")), "scale": changes.get("scale", float("nan"))}
        if "weights" in changes:
            layer["weights"] = hold(ffi.new("double[]", changes["weights"]))
        made.append(layer)
    if made:
        fields["layers"] = hold(ffi.new("graft_merge_layer[]", made))
    return graft.options("merge", method=METHODS.index(method), layer_count=len(made),
                         base=base or ffi.NULL, **fields)


def to_dict(g, tensors):
    d = g.dict_new()
    for name, tensor in tensors.items():
        g.dict_set_tensor(d, name, tensor)
    return d


def merge(g, sources, method, base=None, **fields):
    """The result's tensors by name, read one by one."""
    dicts = [to_dict(g, s) for s in sources]
    base = to_dict(g, base) if base is not None else None
    r = g.merge(dicts, len(dicts), make_options(method, base=base, **fields))
    return {g.dict_key(r, i): g.torch(g.dict_tensor_at(r, i)) for i in range(g.dict_len(r))}


def expected(method, name, sources, base, layers=(), **fields):
    matching = [changes for glob, changes in layers if fnmatch.fnmatchcase(name, glob)]
    if matching:
        fields.update(matching[-1])
    return FORMULAS[method]([s[name].double().numpy() for s in sources],
                            base=base[name].double().numpy(), name=name, **fields)


def drawn(seed, sizes, dtype, count):
    generator = torch.Generator().manual_seed(seed)
    made = [{name: torch.randn(size, generator=generator, dtype=torch.float64)
             for name, size in sizes.items()} for _ in range(count + 1)]
    # fine-tuned models: near their base, and many elements not touched
    for source in made[1:]:
        for name in sizes:
            step = 0.1 * source[name] * (source[name] > -0.5)
            source[name] = made[0][name] + step
    made = [{name: x.to(dtype) for name, x in source.items()} for source in made]
    return made[0], made[1:]


SIZES = {"fc.weight": (37, 61), "fc.bias": (5,), "scalar": (), "none": (0, 3), "long": (9001,)}

# Of each method: options to merge with.
CASES = [("mean", 1, {}), ("mean", 5, {}),
         ("weighted", 3, {"weights": [0.2, 0.5, 1.7]}),
         ("weighted", 3, {"weights": [0.2, -0.5, 1.7], "normalise": False}),
         ("weighted", 2, {"weights": [1, 1], "layers": [("fc.*", {"weights": [0.9, 0.1]}),
                                                        ("*.bias", {"weights": [0.0, 1.0]})]}),
         ("ema", 1, {}), ("ema", 4, {"decay": 0.9}), ("ema", 2, {"decay": 0.0}),
         ("task", 1, {}), ("task", 3, {"weights": [0.5, 1, -1], "scale": 0.7}),
         ("task", 2, {"layers": [("fc.*", {"scale": 0.1}), ("long", {"weights": [2, 0]})]}),
         *[("slerp", 2, {"t": t}) for t in (0.0, 0.25, 0.5, 1.0)],
         ("slerp", 2, {"layers": [("long", {"t": 0.9})]}),
         *[(m, 3, {"density": d}) for m in ("ties", "dare") for d in (0.0, 0.01, 0.2, 0.5, 0.99, 1.0)],
         ("ties", 4, {"weights": [1, 2, 0, 0.5], "scale": 1.3}),
         ("ties", 3, {"normalise": False, "density": 0.6}),
         ("ties", 1, {"density": 0.3, "layers": [("fc.*", {"scale": 2.0})]}),
         ("dare", 2, {"weights": [1, -2], "scale": 0.5, "seed": 2**63 + 5, "density": 0.1})]


def base_of(method, base):
    return {"base": base} if METHODS.index(method) >= METHODS.index("task") else {}


@pytest.mark.parametrize("method, count, fields", CASES)
def test_formula(g, method, count, fields):
    """To 1e-12 in float64."""
    base, sources = drawn(count, SIZES, torch.float64, count)
    got = merge(g, sources, method, f64=True, **base_of(method, base), **fields)
    assert list(got) == list(SIZES)
    for name, size in SIZES.items():
        assert got[name].shape == size
        want = expected(method, name, sources, base, **fields)
        numpy.testing.assert_allclose(got[name].numpy(), want, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("method, count, fields", CASES)
def test_formula_in_f32(g, method, count, fields, dtype):
    """In float32 to its rounding, and once more to that of the dtype. Deltas whose signs cancel all
    but a rounding error may elect either sign in TIES; the sources' bits say none does here."""
    base, sources = drawn(count + 10, SIZES, dtype, count)
    got = merge(g, sources, method, **base_of(method, base), **fields)
    for name in SIZES:
        if dtype is torch.float64:  # computed in float32 all the same
            rounded = [{name: s[name].float().double()} for s in sources]
            base = {n: x.float().double() for n, x in base.items()}
        else:
            rounded = sources
        want = torch.from_numpy(numpy.asarray(expected(method, name, rounded, base, **fields)))
        assert got[name].dtype == dtype
        eps = max(torch.finfo(dtype).eps, 2**-23)
        largest = max([1.0] + [float(abs(x[name]).max()) for x in sources if x[name].numel()])
        scale = 1 / fields["density"] if method == "dare" and fields.get("density") else 1
        torch.testing.assert_close(got[name].double(), want, rtol=eps / 2,
                                   atol=8 * 2**-23 * largest * max(scale, 1)
                                   + torch.finfo(dtype).smallest_normal)


def to_half(x, dtype):
    """The nearest of the dtype, halves to even: torch itself rounds twice, by way of float32."""
    digits, least = (11, -24) if dtype is torch.float16 else (8, -133)
    step = 2.0 ** numpy.maximum(numpy.frexp(x)[1] - digits, least)
    with numpy.errstate(invalid="ignore"):
        return torch.from_numpy(numpy.where(numpy.isfinite(x), numpy.round(x / step) * step, x))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_rounded_once(g, dtype):
    """The mean of halves, which is exact in float64."""
    bits = torch.arange(-2**15, 2**15, dtype=torch.int32).to(torch.int16)
    x, y = bits.view(dtype), bits.flip(0).roll(77).view(dtype)
    got = merge(g, [{"x": x}, {"x": y}], "mean", f64=True)["x"]
    want = to_half(((x.double() + y.double()) / 2).numpy(), dtype)
    numpy.testing.assert_array_equal(got.double().numpy(), want.numpy())


def test_mixed_dtypes(g):
    """The dtype is the first's, whatever the others' and the base's."""
    base, sources = drawn(0, SIZES, torch.float64, 3)
    for source, dtype in zip(sources, (torch.float16, torch.float64, torch.float32)):
        source.update({n: x.to(dtype) for n, x in source.items()})
    got = merge(g, sources, "task", base=base, f64=True)["long"]
    want = expected("task", "long", sources, base)
    assert torch.equal(got.double(), to_half(want, torch.float16))


def test_ties_of_magnitudes(g):
    """Those that are as large as the last that stays, stay too."""
    base = {"w": torch.zeros(8)}
    source = {"w": torch.tensor([1.0, -2, 2, 3, -3, 0.5, 2, 0])}
    got = merge(g, [source], "ties", base=base, density=3 / 8)["w"]
    assert got.tolist() == [0, -2, 2, 3, -3, 0, 2, 0]
    got = merge(g, [source], "ties", base=base, density=2 / 8)["w"]
    assert got.tolist() == [0, 0, 0, 3, -3, 0, 0, 0]


def test_signs_that_are_even(g):
    base = {"w": torch.tensor([10.0, 10, 10])}
    sources = [{"w": torch.tensor([11.0, 12, 9])}, {"w": torch.tensor([9.0, 9, 9])}]
    got = merge(g, sources, "ties", base=base, density=1.0)["w"]
    assert got.tolist() == [10, 12, 9]


@pytest.mark.parametrize("f64", [False, True])
def test_threshold_beside_sort(g, f64):
    """Over all exponents, so that every digit of the selection matters."""
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(30000, generator=generator, dtype=torch.float64) * 10.0 ** torch.randint(
        -30, 30, (30000,), generator=generator)
    x = x if f64 else x.float()
    for density in (1 / 30000, 0.001, 0.3, 0.5, 0.9, 29999 / 30000):
        got = merge(g, [{"w": x}], "ties", base={"w": x * 0}, density=density, f64=f64)["w"]
        assert torch.equal(got, torch.from_numpy(trim(x.numpy(), density)))


@pytest.mark.parametrize("method", METHODS)
def test_nan_and_infinity(g, method):
    """A NaN stays where it is, and what is finite elsewhere stays finite. (SLERP: no angle, so a
    straight line.)"""
    base, sources = drawn(5, {"w": (500,)}, torch.float32, 2)
    sources[0]["w"][7] = float("nan")
    sources[1]["w"][9] = float("inf")
    got = merge(g, sources, method, density=1.0, **base_of(method, base))["w"]
    assert got[7].isnan()
    assert not got[9].isfinite()
    rest = torch.ones(500, dtype=torch.bool)
    rest[7] = rest[9] = False
    assert got[rest].isfinite().all()


def test_slerp_of_what_has_no_angle(g):
    x = torch.linspace(-1, 1, 11)
    for a, b in ((x, 3 * x), (x, -x), (x * 0, x), (x * 0, x * 0)):
        got = merge(g, [{"w": a}, {"w": b}], "slerp", t=0.25, f64=True)["w"]
        torch.testing.assert_close(got, 0.75 * a + 0.25 * b)


def test_same_seed_same_bits(g):
    base, sources = drawn(6, {"w": (10007,), "v": (10007,)}, torch.float32, 2)
    sources[1]["v"] = sources[1]["w"]
    base["v"] = base["w"]
    one, again, other = (merge(g, sources, "dare", base=base, seed=s)["w"] for s in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    # names draw for themselves, and so do sources
    same = {"w": base["w"] + 1, "v": base["w"] + 1}
    got = merge(g, [same], "dare", base=base, seed=1)
    assert not torch.equal(got["w"], got["v"])
    moved = (got["w"] != base["w"]).double().mean()
    assert abs(moved - 0.2) < 0.02
    two = merge(g, [same, same], "dare", base=base, seed=1, density=0.5)["w"] - base["w"]
    assert {round(float(x)) for x in two.unique()} == {0, 2, 4}


def test_integers(g):
    a = {"n": torch.tensor([1, 5]), "b": torch.tensor([True, False])}
    b = {"n": torch.tensor([4, 2]), "b": torch.tensor([False, False])}
    with pytest.raises(graft.GraftError, match="'n' .int64. differs between source 0 and source 1"):
        merge(g, [a, b], "mean")
    first = merge(g, [a, b], "mean", integers=lib.GRAFT_MERGE_FIRST)
    assert torch.equal(first["n"], a["n"]) and torch.equal(first["b"], a["b"])
    most = merge(g, [a, b], "mean", integers=lib.GRAFT_MERGE_MAX)
    assert most["n"].tolist() == [4, 5] and most["b"].tolist() == [True, False]
    assert torch.equal(merge(g, [a, a], "mean")["n"], a["n"])


@pytest.mark.parametrize("form", ["pt", "safetensors"])
def test_files(g, tmp_path, form):
    """From files that wait to be read, into a file that torch reads: two layers of a model."""
    _, sources = drawn(8, {"a.weight": (300, 200), "a.bias": (300,)}, torch.float16, 2)
    dicts = []
    for i, source in enumerate(sources):
        source["tied"] = source["a.weight"]
        source["turned"] = source["a.weight"].t()
        torch.save(source, tmp_path / f"{i}.pt")
        path = tmp_path / f"{i}.{form}"
        if form != "pt":
            g.save(path, g.load(tmp_path / f"{i}.pt", None))
        dicts.append(g.load(path, None))
    merged = g.merge(dicts, 2, make_options("weighted", weights=[1, 3], f64=True))
    g.save(tmp_path / "out.pt", merged)
    got = torch.load(tmp_path / "out.pt")
    names = list if form == "pt" else sorted  # safetensors files have an order of their own
    assert names(got) == names(sources[0])
    for name in got:
        want = expected("weighted", name, sources, sources[0], weights=[1, 3])
        assert torch.equal(got[name].double(), to_half(want, torch.float16))
    if form == "pt":
        assert got["tied"].data_ptr() == got["a.weight"].data_ptr()
    g.save(tmp_path / "out.safetensors", g.merge(dicts, 2, None))
    root = g.load(tmp_path / "out.safetensors", None)
    want = to_half(expected("mean", "turned", sources, sources[0]), torch.float16)
    got = g.torch(g.dict_tensor(root, "turned"))
    torch.testing.assert_close(got.double(), want, rtol=2**-10, atol=0)  # a mean in float32
