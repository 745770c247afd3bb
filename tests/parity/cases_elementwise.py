"""Operations element by element."""

import math

import torch

from case import ALL, BF16, F16, F32, F64, FLOATS, INTEGERS, Case, Input

CASES = []

# Shapes of two tensors that broadcast, and layouts.
PAIRS = [
    ((3, 4), (3, 4)),
    ((), ()),
    ((1,), (1,)),
    ((3, 4), ()),
    ((), (5,)),
    ((3, 4), (4,)),
    ((4,), (3, 4)),
    ((3, 1), (1, 4)),
    ((2, 1, 3), (4, 1)),
    ((0, 3), (3,)),
    ((2, 0, 3), (1, 3)),
    ((0,), ()),
    ((2, 1, 2, 1, 2, 1, 2, 3), (2, 2, 1, 2, 1, 3)),
    ((9, 37), (9, 37)),
    ((9, 37), (9, 1)),
]
LAYOUT_PAIRS = [
    ((5, 7), "transposed", (5, 7), "contiguous"),
    ((5, 7), "sliced", (5, 7), "stepped"),
    ((5, 7), "expanded", (5, 7), "transposed"),
    ((2, 3, 4), "transposed", (3, 1), "stepped"),
    ((4,), "expanded", (3, 4), "sliced"),
]
SPECIAL = (0.0, -0.0, 1.0, -1.5, math.inf, -math.inf, math.nan)


def binary(name, reference, first=None, second=None, gradcheck=True, **options):
    """Rows over all shapes and layouts; first and second say what numbers the inputs have."""
    first, second = first or {}, second or first or {}

    def row(what, a, b, **more):
        more.setdefault("gradcheck", gradcheck)
        CASES.append(Case(f"{name} {what}", lambda g, x, y: getattr(g, name)(x, y), reference,
                          (Input(**{**first, **a}), Input(**{**second, **b})),
                          **{**options, **more}))

    for a, b in PAIRS:
        row(f"{a} {b}", {"shape": a}, {"shape": b})
    for a, la, b, lb in LAYOUT_PAIRS:
        row(f"{a} {la} {b} {lb}", {"shape": a, "layout": la}, {"shape": b, "layout": lb},
            gradcheck=False)
    row("special values", {"shape": (7, 1), "values": SPECIAL}, {"shape": (7,), "values": SPECIAL},
        gradcheck=False, dtypes=(F32, F64))
    row("by a constant", {"shape": (3, 4)}, {"shape": (3, 4), "grad": False}, dtypes=(F32, F64))
    row("of a constant", {"shape": (3, 4), "grad": False}, {"shape": (4,)}, dtypes=(F32, F64))
    for a, b in ((F32, F64), (F64, F32), (F16, F32), (F16, BF16), (torch.int64, F32),
                 (F64, torch.bool), (torch.uint8, F64)):
        if torch.bool in (a, b) and name in ("sub", "pow"):  # PyTorch's gradient refuses it
            continue
        row(f"{a} and {b}", {"shape": (3, 4), "dtype": a}, {"shape": (4,), "dtype": b},
            dtypes=(F64,), gradcheck=False, rtol=1e-3 if F16 in (a, b) else 1e-6)
    row("a 0-d f64 yields", {"shape": (3, 4)}, {"shape": (), "dtype": F64}, dtypes=(F32,),
        gradcheck=False)
    row("large", {"shape": (300, 700)}, {"shape": (300, 700)}, gradcheck=False,
        dtypes=(F32,), bench=True)
    row("small", {"shape": (32, 16)}, {"shape": (32, 16)}, gradcheck=False, dtypes=(F32,),
        bench=True)


POSITIVE = {"low": 0.3, "high": 3.0}
TIES = {"low": -3, "high": 3, "ties": True}

binary("add", torch.add, rtol=0, atol=0)
binary("sub", torch.sub, rtol=0, atol=0)
binary("mul", torch.mul, rtol=0, atol=0)
binary("div", torch.div, {"low": -2, "high": 2}, POSITIVE, atol=1e-5)
binary("pow", torch.pow, POSITIVE, {"low": -2, "high": 3}, rtol=5e-6)
binary("maximum", torch.maximum, rtol=0, atol=0)
binary("minimum", torch.minimum, rtol=0, atol=0)
for _name in ("maximum", "minimum"):
    CASES.append(Case(f"{_name} ties", lambda g, x, y, n=_name: getattr(g, n)(x, y),
                      getattr(torch, _name),
                      (Input((40, 9), **TIES), Input((40, 1), **TIES)), gradcheck=False))
CASES.append(Case("pow at zero", lambda g, x, y: g.pow(x, y), torch.pow,
                  (Input((9, 1), values=(0.0, 1.0, -1.0, 2.0, -2.0)),
                   Input((9,), values=(0.0, 1.0, 2.0, -1.0, 3.0))), gradcheck=False,
                  dtypes=(F32, F64)))
CASES.append(Case("mul itself", lambda g, x: g.mul(x, x), lambda x: x * x, (Input((3, 4)),)))
CASES.append(Case("add itself", lambda g, x: g.add(x, x), lambda x: x + x, (Input((3, 4)),)))

SHAPES = [(), (1,), (0,), (7,), (3, 4), (0, 3), (2, 3, 4, 5), (2, 1, 2, 1, 2, 1, 2, 3), (9, 37)]


def unary(name, function, reference, numbers=None, gradcheck=True, **options):
    """Rows over all shapes and layouts of one tensor."""
    numbers = numbers or {}

    def row(what, a, **more):
        more.setdefault("gradcheck", gradcheck)
        CASES.append(Case(f"{name} {what}", function, reference, (Input(**{**numbers, **a}),),
                          **{**options, **more}))

    for shape in SHAPES:
        row(f"{shape}", {"shape": shape})
    for layout in ("transposed", "sliced", "stepped", "expanded"):
        row(f"{layout}", {"shape": (5, 7, 3), "layout": layout}, gradcheck=False)
    row("special values", {"shape": (14,), "values": SPECIAL}, gradcheck=False, dtypes=(F32, F64))
    row("large", {"shape": (300, 700)}, gradcheck=False, dtypes=(F32, F64), bench=True)
    row("small", {"shape": (32, 16)}, gradcheck=False, dtypes=(F32,), bench=True)


AWAY_FROM_ZERO = {"low": 0.1, "high": 2.0}

unary("neg", lambda g, x: g.neg(x), torch.neg, rtol=0, atol=0)
unary("abs", lambda g, x: g.abs(x), torch.abs, rtol=0, atol=0)
unary("relu", lambda g, x: g.relu(x), torch.relu, rtol=0, atol=0)
unary("tanh", lambda g, x: g.tanh(x), torch.tanh, {"low": -4, "high": 4})
unary("sigmoid", lambda g, x: g.sigmoid(x), torch.sigmoid, {"low": -9, "high": 9})
unary("exp", lambda g, x: g.exp(x), torch.exp, {"low": -5, "high": 5})
unary("log", lambda g, x: g.log(x), torch.log, AWAY_FROM_ZERO)
unary("sqrt", lambda g, x: g.sqrt(x), torch.sqrt, AWAY_FROM_ZERO)
unary("copy", lambda g, x: g.copy(x), torch.clone, rtol=0, atol=0)

for _value in (0.0, 1.0, -2.5, 0.1):
    unary(f"add_scalar {_value}", lambda g, x, v=_value: g.add_scalar(x, v),
          lambda x, v=_value: x + v, rtol=0, atol=0)
    unary(f"sub_scalar {_value}", lambda g, x, v=_value: g.sub_scalar(x, v),
          lambda x, v=_value: x - v, rtol=0, atol=0)
    unary(f"mul_scalar {_value}", lambda g, x, v=_value: g.mul_scalar(x, v),
          lambda x, v=_value: x * v, rtol=0, atol=0)
for _value in (1.0, -2.5, 0.1):
    unary(f"div_scalar {_value}", lambda g, x, v=_value: g.div_scalar(x, v),
          lambda x, v=_value: x / v)
for _value in (0.0, 1.0, 2.0, 3.0, -1.0, -2.0, 0.5, -0.5, 2.5, -1.7, 7.0):
    unary(f"pow_scalar {_value}", lambda g, x, v=_value: g.pow_scalar(x, v),
          lambda x, v=_value: x**v, POSITIVE, rtol=5e-6)
for _value in (0.0, 2.0, 3.0, -1.0, 7.0, 0.5):
    CASES.append(Case(f"pow_scalar {_value} at zero and below",
                      lambda g, x, v=_value: g.pow_scalar(x, v), lambda x, v=_value: x**v,
                      (Input((9,), values=(0.0, -1.0, -2.0, 3.0)),), gradcheck=False,
                      dtypes=(F32, F64)))

# ---- Comparisons ----

for _name in ("eq", "ne", "lt", "le", "gt", "ge"):
    def _row(what, a, b, dtypes, name=_name):
        CASES.append(Case(f"{name} {what}", lambda g, x, y: getattr(g, name)(x, y),
                          getattr(torch, name), (a, b), dtypes=dtypes, gradient=False))

    for _a, _b in PAIRS:
        _row(f"{_a} {_b}", Input(_a, **{**TIES, "low": 0}), Input(_b, **{**TIES, "low": 0}), ALL)
    for _a, _la, _b, _lb in LAYOUT_PAIRS:
        _row(f"{_a} {_la} {_b} {_lb}", Input(_a, _la, **TIES), Input(_b, _lb, **TIES),
             (F32, F64, torch.int64))
    _row("special values", Input((7, 1), values=SPECIAL), Input((7,), values=SPECIAL), (F32, F64))
    _row("int64 that no double tells apart",
         Input((6,), low=0, high=0, dtype=torch.int64), Input((6,), values=(0, 1)), (torch.int64,))
    for _a, _b in ((torch.int64, F32), (torch.int32, torch.uint8), (F16, torch.int64), (F16, F32),
                   (BF16, F16), (torch.bool, F64), (torch.int8, torch.bool), (F64, F32)):
        _row(f"{_a} and {_b}", Input((9,), **{**TIES, "low": 0}, dtype=_a),
             Input((9,), **{**TIES, "low": 0}, dtype=_b), (F64,))

# ---- In place, on a copy so that it can be recorded ----


def inplace(name, reference, second=None, first=True, **options):
    """Rows over the shapes of the operand. first: whether what t was has a part in the result; its
    gradient is zeros in PyTorch and none in graft where it has not."""
    for shape in ((3, 4), (4,), (1, 4), ()):
        CASES.append(Case(f"{name} {shape}", lambda g, x, y: getattr(g, name)(g.copy(x), y),
                          lambda x, y: reference(x.clone(), y),
                          (Input((3, 4), grad=first), Input(shape, **(second or {}))), **options))
    CASES.append(Case(f"{name} a constant", lambda g, x, y: getattr(g, name)(g.copy(x), y),
                      lambda x, y: reference(x.clone(), y),
                      (Input((3, 4), grad=False), Input((4,), **(second or {}))), **options))
    CASES.append(Case(f"{name} converts", lambda g, x, y: getattr(g, name)(g.copy(x), y),
                      lambda x, y: reference(x.clone(), y),
                      (Input((3, 4), grad=first), Input((4,), dtype=F64, **(second or {}))),
                      dtypes=(F32,),
                      gradcheck=False, **{**options, "rtol": 1e-6, "atol": 1e-6}))
    CASES.append(Case(f"{name} not recorded", lambda g, x, y: getattr(g, name)(x, y),
                      lambda x, y: reference(x.clone(), y),
                      (Input((5, 7), "transposed", grad=False),
                       Input((5, 7), "stepped", grad=False, **(second or {}))), gradient=False,
                      **options))


inplace("add_", torch.Tensor.add_, rtol=0, atol=0)
inplace("sub_", torch.Tensor.sub_, rtol=0, atol=0)
inplace("mul_", torch.Tensor.mul_, rtol=0, atol=0)
inplace("div_", torch.Tensor.div_, POSITIVE, atol=1e-5)
inplace("copy_", torch.Tensor.copy_, first=False, native=True, rtol=0, atol=0)
unary("add_scalar_", lambda g, x: g.add_scalar_(g.copy(x), 1.25), lambda x: x.clone().add_(1.25),
      rtol=0, atol=0)
unary("mul_scalar_", lambda g, x: g.mul_scalar_(g.copy(x), -1.3), lambda x: x.clone().mul_(-1.3),
      rtol=0, atol=0)
for _dtype in ALL:
    for _value in (0.0, 1.0, 3.0, 100.0):
        CASES.append(Case(f"fill_ {_value} {_dtype}", lambda g, x, v=_value: g.fill_(x, v),
                          lambda x, v=_value: x.clone().fill_(v), (Input((3, 4), dtype=_dtype),),
                          dtypes=(F32,), gradient=False, native=True))
    CASES.append(Case(f"zero_ {_dtype}", lambda g, x: g.zero_(x), lambda x: x.clone().zero_(),
                      (Input((5, 3), "transposed", low=1, high=9, dtype=_dtype),), dtypes=(F32,),
                      gradient=False))
    for _source in ALL:
        CASES.append(Case(f"copy_ {_source} into {_dtype}", lambda g, x, y: g.copy_(x, y),
                          lambda x, y: x.clone().copy_(y),
                          (Input((3, 4), dtype=_dtype), Input((4,), low=0, high=90, dtype=_source)),
                          dtypes=(F32,), gradient=False, native=True))
