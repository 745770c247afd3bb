"""The same numbers as PyTorch's CPU generator gives, call for call."""

import random

import pytest
import torch

from graft import Context, GraftError, assert_close

SEEDS = [0, 1, 42, 2**31, 2**32 + 5, 2**63 + 11, 2**64 - 1]
SIZES = [(), (0,), (1,), (2,), (7,), (15,), (16,), (17,), (31,), (3, 5), (4, 4), (2, 0, 3),
         (623,), (624,), (625,), (1000,), (7, 11, 13), (100001,)]
# Ranges of 2^32 and more take 64 bits a number.
RANGES = [(0, 1), (0, 2), (0, 10), (-5, 7), (0, 2**31), (0, 2**32 - 1), (0, 2**32),
          (-2**31 - 3, 2**31), (-2**40, 2**41), (-2**63, 2**63 - 1), (2**62, 2**63 - 1)]
NORMALS = {torch.float32: {"rtol": 1e-6, "atol": 1e-6},
           torch.float64: {"rtol": 1e-13, "atol": 1e-13}}
FLOATS = list(NORMALS)


def seed(g, number):
    torch.manual_seed(number - 2**64 if number >= 2**63 else number)
    g.manual_seed(number)


def assert_in_step(g):
    """Neither has drawn more than the other, nor holds another normal back."""
    assert_close(g.torch(g.randn((1,), torch.float64)), torch.randn(1, dtype=torch.float64), 1e-13,
                 1e-13)
    assert torch.equal(g.torch(g.randint(0, 2**32 - 1, (3,), torch.int64)),
                       torch.randint(0, 2**32 - 1, (3,)))


def test_a_new_context_is_seeded_as_pytorch(g):
    generator = torch.Generator()
    assert g.initial_seed() == generator.initial_seed()
    assert torch.equal(g.torch(g.rand((100,), torch.float32)), torch.rand(100, generator=generator))


@pytest.mark.parametrize("number", SEEDS)
def test_seed(g, number):
    g.rand((10,), torch.float32)
    seed(g, number)
    assert g.initial_seed() == number
    assert torch.equal(g.torch(g.rand((100,), torch.float32)), torch.rand(100))


def test_seed_forgets_the_normal_held_back(g):
    seed(g, 1)
    g.randn((1,), torch.float32)
    seed(g, 2)
    assert_close(g.torch(g.randn((3,), torch.float32)), torch.randn(3), 1e-6, 1e-6)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", FLOATS)
def test_rand(g, size, dtype):
    seed(g, 3)
    assert torch.equal(g.torch(g.rand(size, dtype)), torch.rand(size, dtype=dtype))
    assert_in_step(g)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", FLOATS)
def test_randn(g, size, dtype):
    seed(g, 4)
    assert_close(g.torch(g.randn(size, dtype)), torch.randn(size, dtype=dtype), **NORMALS[dtype])
    assert_in_step(g)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_16_bits(g, size, dtype):
    seed(g, 5)
    assert torch.equal(g.torch(g.rand(size, dtype)), torch.rand(size, dtype=dtype))
    assert torch.equal(g.torch(g.uniform_(g.zeros(size, dtype), -0.3, 1.1)),
                       torch.empty(size, dtype=dtype).uniform_(-0.3, 1.1))
    assert torch.equal(g.torch(g.randn(size, dtype)), torch.randn(size, dtype=dtype))
    assert torch.equal(g.torch(g.normal_(g.zeros(size, dtype), 0.3, 2.7)),
                       torch.empty(size, dtype=dtype).normal_(0.3, 2.7))
    assert_in_step(g)


@pytest.mark.parametrize("low, high", RANGES)
@pytest.mark.parametrize("size", SIZES)
def test_randint(g, size, low, high):
    seed(g, 6)
    assert torch.equal(g.torch(g.randint(low, high, size, torch.int64)),
                       torch.randint(low, high, size))
    assert_in_step(g)


@pytest.mark.parametrize("dtype, low, high", [
    (torch.int32, -2**31, 2**31 - 1), (torch.int16, -2**15, 2**15), (torch.int8, -128, 128),
    (torch.uint8, 0, 256), (torch.bool, 0, 2), (torch.float32, -100, 100),
    (torch.float64, 0, 2**40), (torch.float16, -9, 9), (torch.bfloat16, -9, 9)])
def test_randint_in_other_dtypes(g, dtype, low, high):
    seed(g, 7)
    assert torch.equal(g.torch(g.randint(low, high, (1000,), dtype)),
                       torch.randint(low, high, (1000,), dtype=dtype))
    assert_in_step(g)


@pytest.mark.parametrize("n", [0, 1, 2, 10, 512, 513, 514, 100000])
def test_randperm(g, n):
    seed(g, 8)
    assert torch.equal(g.torch(g.randperm(n)), torch.randperm(n))
    assert_in_step(g)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("low, high", [(0, 1), (-1, 1), (-0.3, 1.1), (1e-3, 1e3), (0.1, 0.1)])
def test_uniform_(g, size, dtype, low, high):
    seed(g, 9)
    assert torch.equal(g.torch(g.uniform_(g.zeros(size, dtype), low, high)),
                       torch.empty(size, dtype=dtype).uniform_(low, high))
    assert_in_step(g)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("mean, std", [(0, 1), (0, 0.02), (-5, 3), (3, 0)])
def test_normal_(g, size, dtype, mean, std):
    seed(g, 10)
    assert_close(g.torch(g.normal_(g.zeros(size, dtype), mean, std)),
                 torch.empty(size, dtype=dtype).normal_(mean, std), **NORMALS[dtype])
    assert_in_step(g)


@pytest.mark.parametrize("fill", ["uniform_", "normal_"])
@pytest.mark.parametrize("dtype", [*FLOATS, torch.bfloat16])
@pytest.mark.parametrize("layout", [
    lambda x: x.transpose(0, 2), lambda x: x.permute(1, 0, 2), lambda x: x[1:, 2:4],
    lambda x: x[:, :, 2].t(), lambda x: x[:1].transpose(1, 2), lambda x: x[:1, :2].transpose(1, 2)],
    ids=["transposed", "permuted", "narrowed", "selected", "one matrix", "few"])
def test_layouts(g, fill, dtype, layout):
    """PyTorch draws in the order of memory, and normals one by one."""
    seed(g, 11)
    x = layout(torch.zeros(4, 5, 6, dtype=dtype))
    got = g.torch(getattr(g, fill)(g.tensor(x), 1, 2))
    assert_close(got, getattr(x, fill)(1, 2), **NORMALS.get(dtype, {}))
    assert_in_step(g)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("p", [0.1, 0.5, 1 / 3, 0.99])
def test_the_mask_of_dropout(g, size, dtype, p):
    seed(g, 12)
    x = torch.ones(size, dtype=dtype)
    assert torch.equal(g.torch(g.dropout(x, p, True)) != 0,
                       torch.nn.functional.dropout(x, p) != 0)
    assert_in_step(g)


@pytest.mark.parametrize("number", range(20))
def test_calls_in_any_order(g, number):
    choose = random.Random(number)
    seed(g, number)
    for _ in range(50):
        size, dtype = choose.choice(SIZES), choose.choice(FLOATS)
        kind = choose.choice(["rand", "randn", "randn", "randint", "randperm"])
        if kind == "randint":
            low, high = choose.choice(RANGES)
            got = g.randint(low, high, size, torch.int64)
            want = torch.randint(low, high, size)
        elif kind == "randperm":
            n = choose.choice([0, 1, 2, 30, 700])
            got, want = g.randperm(n), torch.randperm(n)
        else:
            got = getattr(g, kind)(size, dtype)
            want = getattr(torch, kind)(size, dtype=dtype)
        tolerance = NORMALS[dtype] if kind == "randn" else {}
        assert_close(g.torch(got), want, **tolerance)
    assert_in_step(g)


@pytest.mark.parametrize("status, call", [
    ("GRAFT_ERR_ARGUMENT", lambda g: g.randint(5, 5, (3,), torch.int64)),
    ("GRAFT_ERR_ARGUMENT", lambda g: g.randint(5, 4, (0,), torch.int64)),
    ("GRAFT_ERR_DTYPE", lambda g: g.rand((3,), torch.int64)),
    ("GRAFT_ERR_DTYPE", lambda g: g.randn((3,), torch.bool)),
    ("GRAFT_ERR_SHAPE", lambda g: g.rand((-3,), torch.float32)),
])
def test_refusals_draw_nothing(g, status, call):
    seed(g, 13)
    with pytest.raises(GraftError) as caught:
        call(g)
    assert caught.value.status == status
    assert_in_step(g)


def test_two_contexts_have_two_streams(g):
    with Context() as other:
        seed(g, 14)
        other.manual_seed(14)
        g.randn((5,), torch.float32)
        torch.manual_seed(14)
        assert torch.equal(other.torch(other.rand((5,), torch.float32)), torch.rand(5))
