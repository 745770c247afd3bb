"""Tensors from nothing, from numbers and from memory, against PyTorch."""

import itertools
import math
import random

import numpy
import pytest
import torch

from graft import DTYPES, Context, GraftError, ffi, lib

ALL = list(DTYPES)
FLOATS = [dtype for dtype in ALL if dtype.is_floating_point]
INTEGERS = [dtype for dtype in ALL if not dtype.is_floating_point and dtype != torch.bool]
SHAPES = [(), (0,), (1,), (5,), (2, 3), (3, 0, 2), (2, 3, 4, 5), (1, 1, 1, 1, 1, 1, 1, 2)]


def assert_same(got, want):
    assert got.dtype == want.dtype and got.shape == want.shape
    assert torch.equal(got.double().nan_to_num(7), want.double().nan_to_num(7))


@pytest.mark.parametrize("dtype,shape", itertools.product(ALL, SHAPES))
def test_constant(g, dtype, shape):
    assert_same(g.torch(g.zeros(shape, dtype)), torch.zeros(shape, dtype=dtype))
    assert_same(g.torch(g.ones(shape, dtype)), torch.ones(shape, dtype=dtype))
    assert_same(g.torch(g.full(shape, 2.75, dtype)), torch.full(shape, 2.75).to(dtype))
    empty = g.empty(shape, dtype)
    assert g.ndim(empty) == len(shape) and g.numel(empty) == math.prod(shape)


@pytest.mark.parametrize("value", [0.0, -0.0, 1.5, -3.7, 1e30, math.inf, -math.inf, math.nan])
@pytest.mark.parametrize("dtype", FLOATS)
def test_scalar(g, value, dtype):
    got = g.torch(g.scalar(value, dtype))
    assert_same(got, torch.tensor(value, dtype=dtype))
    assert got.signbit() == torch.tensor(value, dtype=dtype).signbit() or math.isnan(value)


@pytest.mark.parametrize("dtype", [d for d in ALL if d != torch.bfloat16])
@pytest.mark.parametrize("n,m", [(0, 0), (0, 3), (3, 0), (1, 1), (3, 3), (2, 5), (5, 2), (70, 64)])
def test_eye(g, n, m, dtype):
    assert_same(g.torch(g.eye(n, m, dtype)), torch.eye(n, m, dtype=dtype))


# ---- arange ----

RANGES = [(0, 10, 1), (0, 0, 1), (3, 3, -1), (5, 0, -1), (0, 5, 1.5), (0.5, 5, 1.5), (0.9, 5.9, 1),
          (-0.5, 5, 1), (5, 0, -1.5), (0, 300, 1), (0, 1, 0.1), (1, 2, 0.3), (0, 10, 0.1),
          (-7.3, 250.1, 0.7), (1e6, 1e6 + 30, 0.25), (0, 1e-3, 1e-5), (100, -100, -0.37)]


@pytest.mark.parametrize("start,end,step", RANGES)
@pytest.mark.parametrize("dtype", [*FLOATS, *INTEGERS])
def test_arange(g, start, end, step, dtype):
    try:
        want = torch.arange(start, end, step, dtype=dtype)
    except RuntimeError:
        with pytest.raises(GraftError, match="^arange: "):
            g.arange(start, end, step, dtype)
        return
    assert_same(g.torch(g.arange(start, end, step, dtype)), want)


@pytest.mark.parametrize("dtype", FLOATS)
def test_random_ranges(g, dtype):
    """The last bit too: PyTorch rounds the first number of each vector before it goes on."""
    generator = random.Random(f"{dtype}")
    for _ in range(200):
        start, step = generator.uniform(-10, 10), generator.uniform(0.01, 2)
        step *= generator.choice([1, -1])
        end = start + step * generator.uniform(0, 400)
        assert_same(g.torch(g.arange(start, end, step, dtype)),
                    torch.arange(start, end, step, dtype=dtype))


def test_arange_counts_in_int64(g):
    for start, end, step in [(2**53, 2**53 + 2**12, 2**10), (-2**61, 2**61, 2**59),
                             (2**62, -2**61, -2**60)]:
        assert_same(g.torch(g.arange(start, end, step, torch.int64)),
                    torch.arange(start, end, step, dtype=torch.int64))
    # A distance that fits no int64, which PyTorch refuses.
    assert (g.torch(g.arange(-2**63, 2**62, 2**61, torch.int64)).tolist() ==
            list(range(-2**63, 2**62, 2**61)))


@pytest.mark.parametrize("arguments,message", [
    ((0, 5, 0, torch.float32), "arange: step is 0: expected one that is not 0"),
    ((0, 5, 0.5, torch.int64),
     "arange: step is 0.5: expected one that is not 0 without its fraction"),
    ((0, 5, -1, torch.float32),
     "arange: step -1 does not lead from 0 to 5: expected the other sign"),
    ((5, 0, 1, torch.int32), "arange: step 1 does not lead from 5 to 0: expected the other sign"),
    ((0, math.inf, 1, torch.float64), "arange: from 0 to inf by 1: expected finite numbers"),
    ((math.nan, 1, 1, torch.float64), "arange: from nan to 1 by 1: expected finite numbers"),
    ((0, 1e30, 1, torch.int64),
     "arange: from 0 to 1e+30 by 1: expected numbers that fit an int64"),
    ((0, 1e30, 1, torch.float32), "arange: from 0 to 1e+30 by 1: too many elements"),
])
def test_arange_refuses(g, arguments, message):
    with pytest.raises(RuntimeError):
        torch.arange(*arguments[:3], dtype=arguments[3])
    with pytest.raises(GraftError) as error:
        g.arange(*arguments)
    assert str(error.value) == message


# ---- randint ----

BOUNDS = [(0, 1), (0, 2), (0, 10), (-5, 5), (0, 255), (0, 256), (0, 257), (-128, 128), (-129, 0),
          (0, 65504), (0, 65505), (0, 65506), (-65504, 0), (-70000, 70000), (0, 2**24),
          (0, 2**24 + 2), (-2**25 - 1, 2**25 + 1), (0, 2**31), (0, 2**33 + 1), (-2**62, 2**62),
          (2**63 - 2, 2**63 - 1)]


@pytest.mark.filterwarnings("ignore:.*is out of bounds")
@pytest.mark.parametrize("low,high", BOUNDS)
@pytest.mark.parametrize("dtype", ALL)
def test_randint(g, low, high, dtype):
    g.manual_seed(5)
    torch.manual_seed(5)
    try:
        want = torch.randint(low, high, (3, 700), dtype=dtype)
    except RuntimeError:
        with pytest.raises(GraftError, match=f"^randint: {low} to {high - 1} do not fit"):
            g.randint(low, high, (3, 700), dtype)
        return
    assert_same(g.torch(g.randint(low, high, (3, 700), dtype)), want)
    assert g.torch(g.rand((1,), torch.float32)) == torch.rand(1)  # as many were drawn


def test_randint_refuses(g):
    with pytest.raises(GraftError) as error:
        g.randint(5, 5, (2,), torch.int64)
    assert str(error.value) == "randint: low 5 and high 5: expected low < high"
    with pytest.raises(GraftError) as error:
        g.randint(0, 300, (2,), torch.uint8)
    assert str(error.value) == "randint: 0 to 299 do not fit uint8: expected 0 to 255"


# ---- The caller's memory ----

@pytest.mark.parametrize("dtype", ALL)
def test_from_data(g, dtype):
    x = (torch.arange(24).view(2, 3, 4) % 7).to(dtype)
    t = g.from_data(ffi.cast("void *", x.data_ptr()), x.shape, dtype)
    want = x.clone()
    x.zero_()
    assert_same(g.torch(t), want)


@pytest.mark.parametrize("dtype", ALL)
def test_from_borrowed(g, dtype):
    x = (torch.arange(24).view(2, 3, 4) % 7).to(dtype)
    t = g.from_borrowed(ffi.cast("void *", x.data_ptr()), x.shape, dtype, None, None)
    assert g.data(t) == ffi.cast("void *", x.data_ptr())
    x.fill_(1)
    assert_same(g.torch(t), x)


def test_copy_out_converts_and_takes_any_address(g):
    x = torch.randn(5, 7).t()
    memory = numpy.zeros(7 * 5 * 8 + 1, dtype=numpy.uint8)
    for dtype in [torch.float64, torch.float32, torch.int32]:
        size = torch.zeros((), dtype=dtype).element_size() * 35
        out = ffi.cast("char *", memory.ctypes.data) + 1
        g.copy_out(x, out, size, dtype)
        got = torch.frombuffer(bytearray(memory[1:1 + size].tobytes()), dtype=dtype).view(7, 5)
        assert torch.equal(got, x.to(dtype))
    with pytest.raises(GraftError) as error:
        g.copy_out(x, ffi.NULL, 36, torch.float32)
    assert str(error.value) == "copy_out: 36 bytes for 35 elements of float32: expected 140"


# ---- Comparing ----

@pytest.mark.parametrize("a,b", itertools.product(ALL, ALL))
def test_equal(g, a, b):
    x = torch.tensor([[0, 1, 1], [1, 0, 1]])
    assert g.equal(x.to(a), x.to(b))
    y = x.clone()
    y[1, 2] = 0
    assert not g.equal(x.to(a), y.to(b))
    assert g.equal(x.to(a).t(), x.to(b).t().contiguous())
    assert not g.equal(x.to(a), x.to(b).t())


def test_equal_is_exact(g):
    big = torch.tensor([2**53, 2**62])
    assert g.equal(big, big.clone()) and not g.equal(big, big + 1)
    assert not g.equal(torch.tensor([math.nan]), torch.tensor([math.nan]))
    assert g.equal(torch.tensor([0.0]), torch.tensor([-0.0]))
    long = torch.zeros(100_003)
    for at in [0, 50_000, 100_002]:
        other = long.clone()
        other[at] = 1e-30
        assert not g.equal(long, other)


def test_allclose(g):
    generator = random.Random(1)
    for _ in range(300):
        x = torch.tensor([generator.gauss(0, 1) for _ in range(6)], dtype=torch.float64).view(2, 3)
        y = x * (1 + generator.choice([0, 1e-6, 1e-4])) + generator.choice([0, 1e-9, 1e-7])
        if generator.random() < 0.3:
            x[0, 1] = y[0, 1] = generator.choice([math.nan, math.inf, -math.inf])
        if generator.random() < 0.2:
            y[1, 2] = generator.choice([math.nan, math.inf])
        if generator.random() < 0.3:
            y = y[:1] if generator.random() < 0.5 else y[:, :1]
        rtol, atol = generator.choice([0, 1e-5, 1e-3, 0.1]), generator.choice([0, 1e-8, 1e-6])
        nan = generator.random() < 0.5
        assert (g.allclose(x, y, rtol, atol, nan) ==
                torch.allclose(*torch.broadcast_tensors(x, y), rtol=rtol, atol=atol,
                               equal_nan=nan))


def test_allclose_of_integers(g):
    big = torch.tensor([2**62, -2**62])
    assert g.allclose(big, big + 1, 0, 1, False) and not g.allclose(big, big + 2, 0, 1, False)
    assert not g.allclose(torch.tensor([-2**63]), torch.tensor([2**63 - 1]), 0.5, 0, False)
    assert g.allclose(torch.tensor([1]), torch.tensor([1.0000001]), 1e-5, 0, False)


# ---- Cloning ----

def test_clone_into_another_context(g):
    x = torch.randn(3, 4, requires_grad=True)
    with Context() as other:
        t = g.tensor(x)
        g.set_grad(t, torch.ones(3, 4))
        copy = g.tensor_clone(t, other)
        assert lib.graft_shares_memory(t, copy) and not lib.graft_shares_storage(t, copy)
        assert other.requires_grad(copy)
        assert torch.equal(other.torch(copy), x.detach())
        assert torch.equal(other.torch(other.grad(copy)), torch.ones(3, 4))
        assert lib.graft_tensor_ctx(copy) == other.ptr
        assert lib.graft_data_mut(copy) != ffi.NULL
        assert not lib.graft_shares_memory(t, copy)


def test_clone_refuses_history(g):
    x = torch.ones(2, 3, requires_grad=True)
    with pytest.raises(GraftError) as error:
        g.tensor_clone(g.mul(x, x), None)
    assert str(error.value) == (
        "tensor_clone: the tensor of shape [2, 3] is the result of mul and has a history: detach "
        "it first, or use graft_copy, which takes part in the graph")
