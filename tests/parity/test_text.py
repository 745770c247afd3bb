"""graft_tensor_text against PyTorch's repr, character for character."""

import math
import random

import pytest
import torch

FLOATS = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
INTEGERS = [torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8]
# Below, at and above the 1,000 elements from which on PyTorch leaves out the middle.
SIZES = [(), (1,), (3,), (0,), (0, 3), (2, 0), (3, 0, 2), (1, 1), (2, 3), (30,), (2, 30), (7, 7),
         (2, 3, 4), (2, 2, 2, 2), (1, 2, 1, 3), (1000,), (1001,), (20, 60), (6, 200), (7, 143),
         (100, 11), (10, 10, 11), (3, 400, 1), (2, 6, 7, 20), (1, 1, 1, 1, 1, 2), (2000, 1)]


def elements(generator, sizes, dtype, kind):
    count = math.prod(sizes)
    if dtype == torch.bool:
        return torch.tensor([generator.random() < 0.5 for _ in range(count)]).view(sizes)
    if dtype in INTEGERS:
        info = torch.iinfo(dtype)
        low, high = (info.min, info.max) if kind == "wide" else (0 if info.min == 0 else -9, 100)
        return torch.tensor([generator.randint(low, high) for _ in range(count)],
                            dtype=dtype).view(sizes)
    draw = {
        "unit": lambda: generator.random(),
        "normal": lambda: generator.gauss(0, 1),
        "whole": lambda: float(generator.randint(-50, 50)),
        "whole large": lambda: float(generator.randint(1, 10**9)),
        "wide": lambda: generator.gauss(0, 1) * 10 ** generator.uniform(-12, 12),
        "large": lambda: generator.uniform(-99999, 99999),
        "small": lambda: generator.uniform(-3e-4, 3e-4),
        "special": lambda: generator.choice([0.0, -0.0, math.nan, math.inf, -math.inf, 1.0, -2.5]),
        "nothing finite": lambda: generator.choice([0.0, -0.0, math.nan, math.inf, -math.inf]),
    }[kind]
    return torch.tensor([draw() for _ in range(count)], dtype=torch.float64).to(dtype).view(sizes)


KINDS = ["unit", "normal", "whole", "whole large", "wide", "large", "small", "special",
         "nothing finite"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("sizes", SIZES)
def test_floats(g, sizes, dtype, kind):
    x = elements(random.Random(f"{sizes} {dtype} {kind}"), sizes, dtype, kind)
    assert g.tensor_text(x) == repr(x)


@pytest.mark.parametrize("kind", ["narrow", "wide"])
@pytest.mark.parametrize("dtype", [*INTEGERS, torch.bool])
@pytest.mark.parametrize("sizes", SIZES)
def test_integers(g, sizes, dtype, kind):
    x = elements(random.Random(f"{sizes} {dtype} {kind}"), sizes, dtype, kind)
    assert g.tensor_text(x) == repr(x)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("sizes", SIZES)
def test_leaves_that_require_grad(g, sizes, dtype):
    x = elements(random.Random(0), sizes, dtype, "normal").requires_grad_()
    assert g.tensor_text(x) == repr(x)


# Where the suffix goes to a line of its own depends on what is left of the last.
@pytest.mark.parametrize("count", range(1, 31))
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_suffixes_break_lines(g, count, dtype):
    x = (torch.arange(count) * 1.25).to(dtype)
    assert g.tensor_text(x) == repr(x)
    x.requires_grad_()
    assert g.tensor_text(x) == repr(x)
    x = x.detach().double().requires_grad_()
    assert g.tensor_text(g.mul(x, x)) == repr(x * x)


@pytest.mark.parametrize("value", [1e-4, 0.9999e-4, 1.0, 1000.0, 1000.4, 1e8, 1.0001e8, 99999999.5,
                                   1e-45, 5e-324, 3.4e38, 1.7e308, 0.00005, 0.99995, 9.99995])
@pytest.mark.parametrize("other", [0.0, 1.0, -1.5, 1e5, math.inf])
def test_the_bounds_of_the_formats(g, value, other):
    for dtype in [torch.float32, torch.float64]:
        x = torch.tensor([value, other], dtype=dtype)
        assert g.tensor_text(x) == repr(x)


def test_views(g):
    x = torch.arange(60.0).view(3, 4, 5)
    for y in [x.permute(2, 0, 1), x[:, 1:3], x[1], x.transpose(0, 2), x[:, :, :1].expand(3, 4, 7),
              torch.arange(4000.0).view(50, 80).t()]:
        assert g.tensor_text(y) == repr(y)


def test_operations(g):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    for name in ["add", "mul", "sub", "div"]:
        y = getattr(torch, name)(x, x)
        assert g.tensor_text(getattr(g, name)(x, x)) == repr(y)
    for name in ["exp", "relu", "sigmoid", "tanh"]:
        assert g.tensor_text(getattr(g, name)(x)) == repr(getattr(torch, name)(x))
