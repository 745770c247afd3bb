"""What rules do to single tensors, beside PyTorch, numpy and the published layouts of ggml."""

import itertools
import math

import graft
import numpy
import pytest
import torch
import values
from graft import ffi, lib
from test_gguf import BLOCKS, gguf

FLOATS = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
DTYPES = FLOATS + [torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool]


class Moved:
    """What the rules make of a dict, by name: torch tensors, or numpy arrays of what torch lacks."""

    def __init__(self, g, root, *lines):
        self.g = g
        rules = g.rules_parse("\n".join(lines))
        self.plan = g.plan_into_dict(None, root, rules, None)
        self.result = g.plan_result(self.plan)
        g.rules_free(rules)

    def __getitem__(self, name):
        return self.g.torch(self.g.dict_tensor(self.result, name))

    def carried(self, name):
        t = self.g.dict_tensor(self.result, name)
        return bytes(ffi.buffer(lib.graft_data(t), self.bytes_of(name)))

    def bytes_of(self, name):
        info = ffi.new("graft_tensor_info *")
        place = self.g.dict_find(self.result, name)
        assert lib.graft_dict_tensor_info(self.result, place, info)
        return info.bytes

    def losses(self, name):
        names = [self.g.plan_name(self.plan, i) for i in range(self.g.plan_len(self.plan))]
        i = names.index(name)
        return self.g.plan_overflows(self.plan, i), self.g.plan_cast_error(self.plan, i)

    def how(self, name):
        names = [self.g.plan_name(self.plan, i) for i in range(self.g.plan_len(self.plan))]
        return self.g.plan_how(self.plan, names.index(name))


@pytest.fixture
def move(g):
    def move(tensors, *lines):
        root = g.dict_new()
        for name, t in tensors.items():
            g.dict_set_tensor(root, name, t)
        return Moved(g, root, *lines)
    return move


@pytest.fixture
def move_file(g, tmp_path):
    def move_file(name, write, *lines):
        write(tmp_path / name)
        checkpoint = g.checkpoint_open(tmp_path / name, None)
        try:
            return Moved(g, g.checkpoint_root(checkpoint), *lines)
        finally:
            g.checkpoint_free(checkpoint)
    return move_file


def some(dtype, *shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    if dtype.is_floating_point:
        return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)
    return torch.randint(0, 2 if dtype == torch.bool else 100, shape, generator=generator).to(dtype)


def same(got, want):
    graft.assert_close(got, want.contiguous())


SHAPES = [(5,), (4, 6), (6, 1, 3), (2, 3, 4, 2), (0, 3), (1,)]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_layout(move, dtype, shape):
    for x in [some(dtype, *shape), some(dtype, *reversed(shape)).permute(*reversed(range(len(shape))))]:
        for dims in itertools.islice(itertools.permutations(range(len(shape))), 6):
            line = "permute w " + " ".join(map(str, dims))
            same(move({"w": x}, line)["w"], x.permute(dims))
        if x.numel():
            same(move({"w": x}, "reshape w 1,-1")["w"], x.reshape(1, -1))
        for dim, size in enumerate(shape):
            a, b = size // 3, size - size // 4
            same(move({"w": x}, f"slice w {dim} {a} {b}")["w"], x.narrow(dim, a, b - a))
            same(move({"w": x}, f"slice w {dim} {a} end")["w"], x.narrow(dim, a, size - a))
            front = x.new_zeros([2 if d == dim else s for d, s in enumerate(shape)])
            back = x.new_full([1 if d == dim else s for d, s in enumerate(shape)], 1)
            same(move({"w": x}, f"pad w {dim} 2 0")["w"], torch.cat([front, x], dim))
            same(move({"w": x}, f"pad w {dim} 0 1 1")["w"], torch.cat([x, back], dim))
            same(move({"w": x}, f"repeat w {dim} 3")["w"], torch.cat([x] * 3, dim))
            same(move({"w": x}, f"inflate w {dim} 3")["w"], torch.stack([x] * 3, dim))
            same(move({"w": x}, f"resize w dim={dim} size={size + 2}")["w"],
                 torch.cat([x, torch.zeros_like(front)], dim))
            if size:
                same(move({"w": x}, f"resize w dim={dim} size={size - 1}")["w"],
                     x.narrow(dim, 0, size - 1))


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("shape", [(5,), (4, 6), (6, 1, 3), (2, 3, 4, 2), (300, 70)], ids=str)
def test_sums(move, dtype, shape):
    x = some(dtype, *shape)
    wide = x.double()
    for dim in range(len(shape)):
        # in double, rounded once: a sum in another order may differ in its last bits
        tolerance = dict(atol=1e-13, rtol=torch.finfo(dtype).eps)
        for op, want in [("sum", wide.sum(dim, True)), ("mean", wide.mean(dim, keepdim=True))]:
            graft.assert_close(move({"w": x}, f"reduce w {dim} {op}")["w"], want.to(dtype),
                               **tolerance)
        third = (wide / 3).to(dtype)
        same(move({"w": x}, f"repeat w {dim} 3 divide")["w"], torch.cat([third] * 3, dim))
        same(move({"w": x}, f"inflate w {dim} 3 divide")["w"], torch.stack([third] * 3, dim))
        size = shape[dim] + 2
        mean = wide.mean(dim, keepdim=True).to(dtype)
        graft.assert_close(move({"w": x}, f"resize w dim={dim} size={size} new=mean")["w"],
                           torch.cat([x, mean, mean], dim), **tolerance)


def test_carried_dtypes(move_file):
    """What graft has no arithmetic for is moved as bytes, and refused by arithmetic."""
    for dtype in [torch.complex64, torch.complex128]:
        x = torch.view_as_complex(some(torch.float64, 4, 6, 2)).to(dtype)
        wide = x.to(torch.complex128)

        def moved(*lines):
            return move_file("a.pt", lambda path: torch.save({"w": x}, path), *lines)

        def raw(t):
            return torch.view_as_real(t).to(torch.view_as_real(x).dtype).contiguous().numpy().tobytes()

        assert moved("permute w 1 0").carried("w") == raw(wide.t())
        assert moved("slice w 1 2 4").carried("w") == raw(wide[:, 2:4])
        assert moved("pad w 0 1 0").carried("w") == raw(torch.cat([torch.zeros_like(wide[:1]), wide]))
        assert moved("split w 0 a b groups=2", "fuse w 1 a b").carried("w") == raw(
            torch.cat([wide[[0, 2]], wide[[1, 3]]], 1))
        for line in ["pad w 0 1 0 1", "reduce w 0 sum", "repeat w 0 2 divide",
                     "resize w size=7 new=mean", "cast w float32"]:
            with pytest.raises(graft.GraftError, match="w: "):
                moved(line)


def interpolated(x, prefix, old, new, mode, antialias):
    """timm's resample_abs_pos_embed, in the dtype of x."""
    kept, grid = x[:, :prefix], x[:, prefix:]
    grid = grid.reshape(1, *old, -1).permute(0, 3, 1, 2)
    grid = torch.nn.functional.interpolate(grid, size=new, mode=mode, antialias=antialias,
                                           align_corners=False)
    return torch.cat([kept, grid.permute(0, 2, 3, 1).reshape(1, new[0] * new[1], -1)], 1)


SIZES = [((14, 14), (24, 24)), ((24, 24), (14, 14)), ((7, 5), (3, 11)), ((4, 9), (4, 2)),
         ((1, 6), (5, 1)), ((3, 3), (64, 50)), ((37, 29), (4, 3)), ((2, 2), (1, 1))]


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("old,new", SIZES)
def test_resample(move, mode, antialias, old, new):
    for dtype, prefix in itertools.product(FLOATS, [0, 1, 2]):
        x = some(dtype, 1, prefix + old[0] * old[1], 5)
        line = (f"resample w to={new[0]}x{new[1]} from={old[0]}x{old[1]} prefix={prefix} "
                f"mode={mode} antialias={'yes' if antialias else 'no'}")
        got = move({"w": x}, line)["w"]
        want = interpolated(x.double(), prefix, old, new, mode, antialias)
        if dtype == torch.float64:
            graft.assert_close(got, want, atol=1e-12)
        elif dtype == torch.float32:
            graft.assert_close(got.double(), want, atol=1e-6)
            # PyTorch in float32 places its samples in float32 too
            graft.assert_close(got, interpolated(x, prefix, old, new, mode, antialias), atol=1e-5)
        else:
            graft.assert_close(got, want.to(dtype), rtol=torch.finfo(dtype).eps, atol=1e-12)
        flat = move({"w": x[0]}, line)["w"]
        same(flat, got[0])


@pytest.mark.parametrize("dtype", [torch.qint8, torch.quint8, torch.qint32], ids=str)
def test_quantised_by_torch(move_file, dtype):
    x = some(torch.float32, 6, 4, 3)
    made = {"whole": torch.quantize_per_tensor(x, 0.0371, 3, dtype),
            "turned": torch.quantize_per_tensor(x, 0.05, 0, dtype).transpose(0, 2)}
    for axis, size in enumerate(x.shape):
        scales = torch.rand(size, dtype=torch.float64) * 0.1 + 0.01
        zeros = torch.arange(size)
        made[f"axis{axis}"] = torch.quantize_per_channel(x, scales, zeros, axis, dtype)
        if dtype == torch.quint8:
            made[f"float{axis}"] = torch.quantize_per_channel(
                x, scales.float(), zeros.float() + 0.5, axis, dtype)
    moved = move_file("a.pt", lambda path: torch.save(made, path), "dequantise *")
    for name, t in made.items():
        # PyTorch's vectors multiply and add in float32
        graft.assert_close(moved[name], t.dequantize().contiguous(), rtol=3e-7, atol=1e-6)


def test_quantised_in_half_bytes(move_file):
    x = some(torch.float32, 6, 8)
    scales, zeros = torch.rand(6) * 0.1 + 0.01, torch.rand(6) * 4
    made = {name: torch.quantize_per_channel(x, scales, zeros, 0, getattr(torch, name))
            for name in ["quint4x2", "quint2x4"]}
    moved = move_file("a.pt", lambda path: torch.save(made, path), "dequantise *")
    for name, bits in [("quint4x2", 4), ("quint2x4", 2)]:
        raw = made[name].int_repr().reshape(-1).numpy()  # of PyTorch, the bytes as they are
        q = numpy.stack([raw >> s & (1 << bits) - 1 for s in range(0, 8, bits)], 1).reshape(6, 8)
        want = (torch.from_numpy(q).double() - zeros[:, None].double()) * scales[:, None].double()
        same(moved[name], want.float())
        if bits == 4:
            graft.assert_close(moved[name], made[name].dequantize(), rtol=3e-7, atol=1e-6)


# ---- ggml's blocks, after their published layouts ----

def halves(raw, at):
    return raw[:, at:at + 2].copy().view("<f2").astype("f8")


def bits(raw, shift, mask):
    return (raw >> shift & mask).astype("f8")


def simple(raw, low_at, *, less=0, offset_at=None, high_at=None):
    d, q = halves(raw, 0), raw[:, low_at:low_at + 16]
    x = numpy.concatenate([q & 15, q >> 4], 1).astype("i8")
    if high_at is not None:
        high = raw[:, high_at:high_at + 4].copy().view("<u4")
        x = x | ((high >> numpy.arange(32, dtype="u4") & 1) << 4).astype("i8")
    return d * (x.astype("f8") - less) + (halves(raw, offset_at) if offset_at else 0)


def q2_k(raw):
    scales, q, d, dmin = raw[:, :16], raw[:, 16:80], halves(raw, 80), halves(raw, 82)
    x = numpy.stack([bits(q[:, 32 * h:32 * h + 32], 2 * s, 3) for h in range(2) for s in range(4)], 1)
    x = x.reshape(len(raw), 16, 16)
    return ((d * (scales & 15))[:, :, None] * x - (dmin * (scales >> 4))[:, :, None]).reshape(-1, 256)


def q3_k(raw):
    mask, q, packed, d = raw[:, :32], raw[:, 32:96], raw[:, 96:108], halves(raw, 108)
    low = numpy.concatenate([packed[:, :8] & 15, packed[:, :8] >> 4], 1)
    high = numpy.concatenate([packed[:, 8:] >> s & 3 for s in (0, 2, 4, 6)], 1)
    scales = (low | high << 4).astype("f8") - 32
    rows = []
    for h, s in itertools.product(range(2), range(4)):
        third = bits(mask, 4 * h + s, 1)
        rows.append(bits(q[:, 32 * h:32 * h + 32], 2 * s, 3) - 4 * (1 - third))
    x = numpy.stack(rows, 1).reshape(len(raw), 16, 16)
    return ((d * scales)[:, :, None] * x).reshape(-1, 256)


def six_bits(packed):
    """Scales and minima of q4_k and q5_k."""
    a, b, c = packed[:, :4], packed[:, 4:8], packed[:, 8:]
    scales = numpy.concatenate([a & 63, c & 15 | a >> 6 << 4], 1)
    least = numpy.concatenate([b & 63, c >> 4 | b >> 6 << 4], 1)
    return scales.astype("f8"), least.astype("f8")


def q45_k(raw, high):
    d, dmin, (scales, least) = halves(raw, 0), halves(raw, 2), six_bits(raw[:, 4:16])
    q = raw[:, 48 if high else 16:]
    x = numpy.stack([bits(q[:, 32 * (p // 2):32 * (p // 2) + 32], p % 2 * 4, 15) for p in range(8)], 1)
    if high:
        x += numpy.stack([bits(raw[:, 16:48], p, 1) * 16 for p in range(8)], 1)
    return ((d * scales)[:, :, None] * x - (dmin * least)[:, :, None]).reshape(-1, 256)


def q6_k(raw):
    low, high, d = raw[:, :128], raw[:, 128:192], halves(raw, 208)
    scales = raw[:, 192:208].copy().view("i1").astype("f8")
    runs = []
    for h, k in itertools.product(range(2), range(4)):
        at = 64 * h + 32 * (k % 2)
        runs.append(bits(low[:, at:at + 32], k // 2 * 4, 15)
                    + 16 * bits(high[:, 32 * h:32 * h + 32], 2 * k, 3) - 32)
    x = numpy.stack(runs, 1).reshape(len(raw), 16, 16)
    return ((d * scales)[:, :, None] * x).reshape(-1, 256)


LINEAR = {
    "q4_0": lambda raw: simple(raw, 2, less=8),
    "q4_1": lambda raw: simple(raw, 4, offset_at=2),
    "q5_0": lambda raw: simple(raw, 6, less=16, high_at=2),
    "q5_1": lambda raw: simple(raw, 8, offset_at=2, high_at=4),
    "q8_0": lambda raw: halves(raw, 0) * raw[:, 2:].copy().view("i1"),
    "q8_1": lambda raw: halves(raw, 0) * raw[:, 4:].copy().view("i1"),
    "q2_k": q2_k,
    "q3_k": q3_k,
    "q4_k": lambda raw: q45_k(raw, False),
    "q5_k": lambda raw: q45_k(raw, True),
    "q6_k": q6_k,
    "q8_k": lambda raw: raw[:, :4].copy().view("<f4").astype("f8") * raw[:, 4:260].copy().view("i1"),
}
SCALES = {"q2_k": (80, 82), "q3_k": (108,), "q6_k": (208,), "q4_0": (0,), "q5_0": (0,), "q8_0": (0,),
          "q8_1": (0, 2)}  # where a block's half floats are; of the others 0 and 2


def block_bytes(name, count, size):
    """Random blocks whose scales are numbers."""
    random = numpy.random.default_rng(3)
    raw = random.integers(0, 256, (count, size), "u1")
    if name == "q8_k":
        raw[:, :4] = random.standard_normal((count, 1)).astype("<f4").view("u1")
    else:
        for at in SCALES.get(name, (0, 2)):
            raw[:, at:at + 2] = random.standard_normal((count, 1)).astype("<f2").view("u1")
    return raw


def test_blocks_of_ggml(move_file):
    tensors, want = [], {}
    for kind, (name, block, size) in BLOCKS.items():
        if name not in LINEAR:
            continue
        raw = block_bytes(name, 6, size)
        tensors.append((name, (3, 2 * block), kind, raw.tobytes()))
        want[name] = LINEAR[name](raw).reshape(3, 2 * block).astype("f4")
    assert len(want) == len(LINEAR)

    def write(path):
        path.write_bytes(gguf(tensors))

    moved = move_file("a.gguf", write, "dequantise *")
    rows = move_file("a.gguf", write, "slice * 0 1 3", "dequantise *", "cast * float64")
    parts = move_file("a.gguf", write, "split *_* 0 *_*.a *_*.b sizes=1,2",
                      "fuse *_* 0 *_*.b *_*.a sizes=any", "dequantise *")
    for name, array in want.items():
        same(moved[name], torch.from_numpy(array))
        same(rows[name], torch.from_numpy(array[1:]).double())
        same(parts[name], torch.from_numpy(array[[1, 2, 0]]))


@pytest.mark.parametrize("kind", [k for k, (name, *_) in BLOCKS.items() if name not in LINEAR
                                  and name != "bfloat16"], ids=lambda k: BLOCKS[k][0])
def test_blocks_that_are_not_linear(move_file, kind):
    name, block, size = BLOCKS[kind]
    with pytest.raises(graft.GraftError, match=f"w: dequantise: {name}: expected"):
        move_file("a.gguf", lambda path: path.write_bytes(
            gguf([("w", (block,), kind, bytes(size))])), "dequantise w")


# ---- Fusing and splitting ----

def test_in_proj(move):
    """The fused projection of nn.MultiheadAttention, to and fro, and interleaved by heads."""
    for dim, heads in [(8, 2), (12, 3)]:
        attention = torch.nn.MultiheadAttention(dim, heads)
        whole = attention.in_proj_weight.detach()
        q, k, v = whole.chunk(3)
        parts = move({"in_proj_weight": whole}, "split in_proj_weight 0 q k v")
        for name, part in [("q", q), ("k", k), ("v", v)]:
            same(parts[name], part)
        same(move({"q": q, "k": k, "v": v}, "fuse w 0 q k v")["w"], whole)
        mixed = torch.stack([t.reshape(heads, -1, dim) for t in (q, k, v)], 1).reshape(3 * dim, dim)
        same(move({"q": q, "k": k, "v": v}, f"fuse w 0 q k v groups={heads}")["w"], mixed)
        parts = move({"w": mixed}, f"split w 0 q k v groups={heads}")
        for name, part in [("q", q), ("k", k), ("v", v)]:
            same(parts[name], part)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_parts_of_any_size(move, dtype):
    for dim in range(3):
        shape = [4, 6, 2]
        shape[dim] = 12
        x = some(dtype, *shape)
        sizes = [4, 2, 6]
        moved = move({"w": x}, f"split w {dim} a b c sizes=4,2,6")
        for name, part in zip("abc", x.split(sizes, dim)):
            same(moved[name], part)
        same(move(dict(zip("abc", x.split(sizes, dim))), f"fuse w {dim} a b c sizes=any")["w"], x)
        grouped = move({"w": x}, f"split w {dim} a b c sizes=4,2,6 groups=2",
                       f"fuse w {dim} a b c groups=2 sizes=any")
        same(grouped["w"], x)


# ---- Casts ----

@pytest.mark.parametrize("source,target", itertools.permutations(DTYPES, 2), ids=str)
def test_cast(move, source, target):
    x = some(source, 40, 30) * (1 if source == torch.bool else 3)
    x = x.to(source)
    if not source.is_floating_point and source not in (torch.bool, torch.int64):
        x[0, :2] = torch.tensor([torch.iinfo(source).min, torch.iinfo(source).max])
    moved = move({"w": x}, f"cast w {str(target)[6:]}")
    same(moved["w"], x.to(target))
    wide, back = x.double(), x.to(target).double()
    error = (wide - back).abs()
    if target.is_floating_point:
        lost = back.isinf() & wide.isfinite()
    else:
        lost = error >= 1
    assert moved.losses("w") == (int(lost.sum()), float(error[~lost].max()) if (~lost).any() else 0)


def test_cast_overflows(move):
    x = torch.tensor([1, 65519, 65520, -1e6, math.inf, math.nan, 2.0**-30])
    moved = move({"w": x}, "cast w float16")
    same(moved["w"], x.half())
    assert moved.losses("w") == (2, 15.0)
    moved = move({"w": torch.tensor([2**53 + 1, 2**63 - 1, -2**63, 5])}, "cast w float64")
    assert moved["w"].tolist() == [2.0**53, 2.0**63, -2.0**63, 5]
    assert moved.losses("w") == (0, 1.0)


def test_cast_in_pieces(move):
    """More than one piece: what is counted is counted once."""
    x = some(torch.float32, 1000, 333) * 50000
    moved = move({"w": x}, "cast w float16")
    same(moved["w"], x.half())
    same(moved["w"], x.half())
    lost = int((x.half().isinf()).sum())
    assert moved.losses("w")[0] == lost > 1000


def test_threads_change_nothing():
    x = some(torch.float32, 1000, 333) * 50000
    results = []
    for threads in [1, 4]:
        with graft.Context(threads=threads) as g:
            root = g.dict_new()
            g.dict_set_tensor(root, "w", x)
            for line in ["cast w float16", "cast w float64", "reduce w 0 mean",
                         "resize w size=1010 new=normal"]:
                moved = Moved(g, root, line)
                results.append((moved["w"], moved.losses("w")))
    for (a, lost), (b, other) in zip(results[:4], results[4:]):
        same(a, b)
        assert lost == other


def test_parts_of_a_cast_know_what_they_lost(move):
    x = torch.tensor([[1e6, 1], [2, 1e6], [3, 3.001]])
    moved = move({"w": x}, "cast w float16", "split w 0 a b c")
    same(moved["b"], x.half()[1:2])
    same(moved["c"], x.half()[2:])
    assert [moved.losses(name)[0] for name in "abc"] == [0, 1, 0]  # a was not wanted yet
    assert moved.losses("c")[1] == float((x[2].double() - x[2].half().double()).abs().max())


# ---- Through a file: values are computed a piece at a time, where they can be ----

PIECEWISE = ["cast w float16", "slice w 0 100 900", "slice w 0 1 end", "reshape w -1",
             "permute w 1 0", "resize w size=1001", "repeat w 0 2", "pad w 1 1 1 2"]


@pytest.mark.parametrize("lines", [*itertools.permutations(PIECEWISE, 1),
                                   *itertools.permutations(PIECEWISE[:3], 2),
                                   ("split w 0 a b c d", "fuse w 0 d b c a"),
                                   ("cast w bfloat16", "split w 0 a b c d", "fuse w 0 d b c a")])
@pytest.mark.parametrize("source,target", [("pt", "safetensors"), ("safetensors", "pt")])
def test_through_files(g, move, move_file, tmp_path, lines, source, target):
    x = some(torch.float32, 1000, 333) * 50000
    want = move({"w": x}, *lines)

    def write(path):
        root = g.dict_new()
        g.dict_set_tensor(root, "w", x)
        g.save(path, root)

    moved = move_file(f"a.{source}", write, *lines)
    g.save(tmp_path / f"b.{target}", moved.result)
    same(g.torch(g.dict_tensor(g.load(tmp_path / f"b.{target}", None), "w")), want["w"])
    assert moved.losses("w") == want.losses("w")


# ---- New rows as Hugging Face draws them ----

def test_new_rows_around_the_mean(move):
    for dtype, tolerance in [(torch.float64, 0), (torch.float32, 1e-6)]:
        x = some(dtype, 200, 4) @ some(dtype, 4, 4, seed=1) + 3 * (dtype == torch.float64)
        new = 5000
        moved = move({"w": x}, f"resize w size={200 + new} new=normal seed=5")["w"]
        same(moved[:200], x)
        rows, old = moved[200:].double(), x.double()
        again = move({"w": x}, f"resize w size={200 + new} new=normal seed=5")["w"]
        same(again, moved)
        other = move({"w": x}, f"resize w size={200 + new} new=normal seed=6")["w"]
        assert not torch.equal(other, moved)
        want = 1e-9 * torch.cov(old.t(), correction=0)
        deviation = want.diag().sqrt()
        assert ((rows.mean(0) - old.mean(0)).abs() < 5 * deviation / new**0.5 + tolerance).all()
        if dtype == torch.float64:
            got = torch.cov(rows.t(), correction=0)
            assert ((got - want).abs() < 0.1 * deviation[:, None] * deviation).all()
