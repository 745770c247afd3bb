"""Conversions between all dtypes: against PyTorch where it rounds once, else against exact
arithmetic."""

import fractions
import itertools
import math
import random

import numpy
import pytest
import torch

from graft import DTYPES

ALL = list(DTYPES)
HALVES = [torch.float16, torch.bfloat16]
WIDTH = {torch.float32: 4, torch.float64: 8, torch.float16: 2, torch.bfloat16: 2, torch.int64: 8,
         torch.int32: 4, torch.int16: 2, torch.int8: 1, torch.uint8: 1, torch.bool: 1}
VALUES = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -2.5, 126.9, 127.5, -128.9, 255.0, 255.9, 256.0,
          257.0, 2047.5, 2049.0, 32767.0, -32768.9, 65504.0, 65519.0, 65520.0, 65536.0, 2.0**24 + 1,
          2.0**31 - 1, -2.0**31, 2.0**53 + 2, 2.0**62, -2.0**63, 1e30, -1e30, 2.0**-14, 2.0**-24,
          2.0**-25, 1.5 * 2.0**-25, 2.0**-126, 2.0**-133, 2.0**-134, 2.0**-149, 5e-324, math.inf,
          -math.inf, math.nan]


def random_bits(dtype, count, seed):
    generator = numpy.random.RandomState(seed)
    if dtype == torch.bool:
        return torch.from_numpy(generator.randint(0, 2, count).astype(bool))
    kind = {8: numpy.int64, 4: numpy.int32, 2: numpy.int16, 1: numpy.int8}[WIDTH[dtype]]
    bits = torch.from_numpy(generator.randint(0, 256, count * WIDTH[dtype]).astype(numpy.uint8)
                            .view(kind))
    return bits.view(dtype) if dtype.is_floating_point or dtype == torch.uint8 else bits


def samples(dtype, seed=0):
    """Random bits, numbers of every size, and what is special."""
    generator = random.Random(seed)
    values = VALUES + [generator.gauss(0, 1) * 2.0 ** generator.randint(-40, 40)
                       for _ in range(500)] + [float(i) for i in range(-300, 300)]
    if dtype.is_floating_point:
        special = torch.tensor(values, dtype=torch.float64).to(dtype)
    else:
        info = torch.iinfo(dtype) if dtype != torch.bool else None
        whole = [int(v) for v in values if math.isfinite(v)]
        special = torch.tensor([v % 2 == 1 if info is None else max(info.min, min(info.max, v))
                                for v in whole], dtype=dtype)
    return torch.cat([random_bits(dtype, 1003, seed), special])


def in_range(x, to):
    """Where a float's integral part is one that the integer dtype holds."""
    info = torch.iinfo(to)
    whole = x.double().trunc()
    return (whole >= float(info.min)) & (whole < float(info.max) + 1.0)


def same(got, want):
    """Bit for bit, but for the payload of a NaN."""
    if not got.dtype.is_floating_point:
        return torch.equal(got, want)
    nan = want.isnan()
    return (torch.equal(got.isnan(), nan) and torch.equal(got[~nan].double(), want[~nan].double())
            and torch.equal(got[~nan].signbit(), want[~nan].signbit()))


def round_to(value, bits, smallest, largest):
    """A fraction rounded to nearest even: `bits` of mantissa, 2^smallest the last bit of all."""
    if value == 0:
        return 0.0
    magnitude = abs(value)
    exponent = math.floor(math.log2(magnitude)) if magnitude < 2**1000 else 1000
    while fractions.Fraction(2) ** (exponent + 1) <= magnitude:
        exponent += 1
    while fractions.Fraction(2) ** exponent > magnitude:
        exponent -= 1
    unit = fractions.Fraction(2) ** max(exponent - bits + 1, smallest)
    rounded = round(magnitude / unit) * unit  # Python's round takes ties to even
    result = math.inf if rounded > largest else float(rounded)
    return math.copysign(result, value)


def exact_half(x, to):
    """x (f64 or an integer dtype) as a half, rounded once."""
    bits, smallest, largest = ((11, -24, 65504) if to == torch.float16 else
                               (8, -133, fractions.Fraction(2) ** 128 - 2**120))
    rows = []
    for value in x.tolist():
        if isinstance(value, float) and (not math.isfinite(value) or value == 0):
            rows.append(value)
        else:
            rows.append(round_to(fractions.Fraction(value), bits, smallest, largest))
    return torch.tensor(rows, dtype=torch.float64).to(to)


@pytest.mark.parametrize("source,to", itertools.product(ALL, ALL))
def test_pairs(g, source, to):
    x = samples(source)
    if to in HALVES and source in (torch.float64, torch.int64, torch.int32):
        want = exact_half(x, to)  # PyTorch goes by f32, and rounds twice
    else:
        want = x.to(to)
    got = g.torch(g.to(x, to))
    assert got.dtype == to
    if source.is_floating_point and to not in (torch.bool, *HALVES) and not to.is_floating_point:
        fits = in_range(x, to)
        if to == torch.uint8:
            fits = in_range(x, torch.int64)
        got, want = got[fits], want[fits]
    assert same(got, want)


@pytest.mark.parametrize("to", [torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8])
@pytest.mark.parametrize("source", [torch.float32, torch.float64, *HALVES])
def test_what_does_not_fit_is_x86s(g, source, to):
    x = torch.tensor([math.nan, math.inf, -math.inf, 3e38, -3e38, 1e10, -1e10, 300, -200],
                     dtype=torch.float64).to(source)
    # One by one: PyTorch's vectors and its single elements differ here.
    want = torch.stack([x[i].clone().to(to) for i in range(len(x))])
    assert torch.equal(g.torch(g.to(x, to)), want)


@pytest.mark.parametrize("to", HALVES)
def test_every_half(g, to):
    bits = torch.arange(-2**15, 2**15, dtype=torch.int16)
    x = bits.view(to)
    assert same(g.torch(g.to(x, torch.float32)), x.float())
    assert same(g.torch(g.to(x.float(), to)), x)
    assert same(g.torch(g.to(x.double(), to)), x)


@pytest.mark.parametrize("to", HALVES)
def test_ties_and_what_is_beside_them(g, to):
    """In f64: each half, the middle to the next, and the doubles on both sides of it."""
    bits = torch.arange(0, 0x7c00 if to == torch.float16 else 0x7f80, 7, dtype=torch.int16)
    a, b = bits.view(to).double(), (bits + 1).view(to).double()
    b[~b.isfinite()] = 65536.0 if to == torch.float16 else 2.0**128
    middle = a / 2 + b / 2
    up = torch.nextafter(middle, b)
    down = torch.nextafter(middle, a)
    even = torch.where(bits % 2 == 0, a, b)
    for sign in [1.0, -1.0]:
        assert same(g.torch(g.to(sign * up, to)), (sign * b).to(to))
        assert same(g.torch(g.to(sign * down, to)), (sign * a).to(to))
        assert same(g.torch(g.to(sign * middle, to)), (sign * even).to(to))


@pytest.mark.parametrize("source,to", [
    (torch.float32, torch.float32), (torch.float32, torch.float16), (torch.uint8, torch.float32),
    (torch.int64, torch.int16), (torch.float64, torch.bool), (torch.bfloat16, torch.float64)])
def test_layouts(g, source, to):
    x = samples(source)[:1440].reshape(4, 5, 6, 12)
    if source.is_floating_point:
        x = torch.where(x.double().abs() < 1e4, x, torch.ones((), dtype=source))
    for y in [x.permute(3, 1, 0, 2), x[:, 1:4], x[:, :, ::2, 3], x.transpose(1, 3), x[:, :1],
              x[0, 0, 0].expand(7, 3, 12), x[:, :, :, :1].expand(4, 5, 6, 9), x[3, 2, 1, 0]]:
        assert same(g.torch(g.to(g.contiguous(y), to)), y.to(to).contiguous())
        assert same(g.torch(g.to(y, to)), y.to(to).contiguous())


def test_out_of_step_matrices(g):
    for rows, columns in [(1, 1), (3, 1000), (1000, 3), (16, 32), (17, 33), (129, 65), (700, 900)]:
        for dtype in [torch.float32, torch.float64, torch.float16, torch.uint8]:
            x = random_bits(dtype, rows * columns, 1).view(rows, columns)
            got = g.torch(g.contiguous(x.t()))
            assert same(got, x.t().contiguous())


def test_items(g):
    for dtype in ALL:
        x = torch.tensor(1, dtype=dtype)
        assert g.item(x) == 1.0 and g.item_i64(x) == 1
    assert g.item_i64(torch.tensor(2**62 + 1)) == 2**62 + 1
    assert g.item_i64(torch.tensor(-2.9)) == -2
