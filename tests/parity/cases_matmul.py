"""Products of matrices."""

import torch

from case import BF16, F16, F32, F64, Case, Input

CASES = []

# Sums of up to 200 products of numbers below 4: f32 rounds each.
F32_SUMS = {"rtol": 1e-5, "atol": 2e-5}


def matmul(what, a, b, **options):
    CASES.append(Case(f"matmul {what}", lambda g, x, y: g.matmul(x, y), torch.matmul, (a, b),
                      **{**F32_SUMS, **options}))


SHAPES = [
    ((5,), (5,)), ((1,), (1,)), ((0,), (0,)),
    ((3, 4), (4,)), ((1, 4), (4,)), ((3, 1), (1,)), ((0, 4), (4,)), ((3, 0), (0,)),
    ((4,), (4, 3)), ((4,), (4, 1)), ((1,), (1, 3)), ((0,), (0, 3)), ((4,), (4, 0)),
    ((3, 4), (4, 5)), ((1, 4), (4, 5)), ((3, 1), (1, 5)), ((3, 4), (4, 1)), ((1, 1), (1, 1)),
    ((0, 4), (4, 5)), ((3, 0), (0, 5)), ((3, 4), (4, 0)), ((0, 0), (0, 0)),
    ((2, 3, 4), (2, 4, 5)), ((2, 3, 4), (4, 5)), ((3, 4), (2, 4, 5)), ((2, 3, 4), (1, 4, 5)),
    ((1, 3, 4), (2, 4, 5)), ((2, 3, 4), (4,)), ((4,), (2, 4, 5)), ((2, 1, 4), (2, 4, 1)),
    ((2, 1, 3, 4), (3, 4, 5)), ((3, 4), (2, 3, 4, 5)), ((2, 3, 1, 4), (1, 3, 4, 2)),
    ((1, 2, 3, 4), (2, 1, 4, 5)), ((2, 1, 3, 4), (1, 2, 4, 5)), ((5, 1, 2, 3), (5, 4, 3, 2)),
    ((0, 3, 4), (0, 4, 5)), ((0, 3, 4), (4, 5)), ((3, 4), (0, 4, 5)), ((2, 0, 4), (2, 4, 5)),
    ((2, 3, 0), (2, 0, 5)), ((0, 1, 3, 4), (2, 4, 5)), ((1, 3, 4), (0, 4, 5)),
    ((2, 1, 1, 1, 1, 1, 2, 3), (1, 1, 2, 1, 1, 1, 3, 2)), ((2, 1, 2, 2), (1, 3, 2, 2)),
]
for _a, _b in SHAPES:
    matmul(f"{_a} {_b}", Input(_a), Input(_b))

LAYOUTS = ("contiguous", "transposed", "sliced", "stepped", "expanded")
for _la in LAYOUTS:
    for _lb in LAYOUTS:
        for _a, _b in (((6, 4), (4, 5)), ((3, 6, 4), (4, 5)), ((3, 2, 4), (3, 4, 5)),
                       ((2, 3, 4, 2), (3, 2, 4)), ((4,), (4, 5)), ((6, 4), (4,)),
                       ((5,), (2, 5, 3))):
            matmul(f"{_a} {_la} {_b} {_lb}", Input(_a, _la), Input(_b, _lb), gradcheck=False,
                   dtypes=(F32, F64))
for _perm, _name in (((0, 2, 1), "0 2 1"), ((1, 0, 2), "1 0 2"), ((2, 0, 1), "2 0 1"),
                     ((1, 2, 0), "1 2 0")):
    for _other in ("contiguous", "transposed"):
        CASES.append(Case(f"matmul permuted {_name} {_other}",
                          lambda g, x, y, p=_perm: g.matmul(g.permute(x, p), y),
                          lambda x, y, p=_perm: torch.matmul(x.permute(p), y),
                          (Input((3, 3, 3)), Input((3, 3, 3), _other)), dtypes=(F32, F64),
                          gradcheck=False, **F32_SUMS))
matmul("by a constant", Input((3, 4)), Input((4, 5), grad=False), dtypes=(F32, F64))
matmul("of a constant", Input((3, 4), grad=False), Input((4, 5)), dtypes=(F32, F64))
CASES.append(Case("matmul itself", lambda g, x: g.matmul(x, x), lambda x: x @ x, (Input((4, 4)),),
                  **F32_SUMS))
CASES.append(Case("matmul itself transposed", lambda g, x: g.matmul(x, g.transpose(x, 0, 1)),
                  lambda x: x @ x.t(), (Input((4, 3)),), **F32_SUMS))
# PyTorch wants one dtype; graft promotes as its other operations do.
for _a, _b in ((F32, F64), (torch.int64, F32), (BF16, F16)):
    CASES.append(Case(f"matmul {_a} and {_b}", lambda g, x, y: g.matmul(x, y),
                      lambda x, y: torch.matmul(x.to(torch.promote_types(x.dtype, y.dtype)),
                                                y.to(torch.promote_types(x.dtype, y.dtype))),
                      (Input((3, 4), dtype=_a), Input((4, 2), dtype=_b)), dtypes=(F64,),
                      gradcheck=False, **F32_SUMS))
for _shapes in (((33, 70), (70, 45)), ((2, 150, 40), (40, 60)), ((40, 9, 20), (40, 20, 7)),
                ((2, 100, 190), (2, 190, 130))):
    matmul(f"larger {_shapes}", *map(Input, _shapes), gradcheck=False, dtypes=(F32, F64),
           bench=True)


def linear(what, *inputs, **options):
    CASES.append(Case(f"f_linear {what}",
                      lambda g, x, w, b=None: g.f_linear(x, w, b),
                      lambda x, w, b=None: torch.nn.functional.linear(x, w, b), inputs,
                      **{**F32_SUMS, **options}))


for _x, _w in (((3, 4), (2, 4)), ((4,), (2, 4)), ((2, 3, 4), (5, 4)), ((2, 1, 3, 4), (1, 4)),
               ((0, 4), (2, 4)), ((3, 4), (0, 4)), ((3, 0), (2, 0)), ((1, 1), (1, 1)),
               ((2, 0, 4), (3, 4)), ((32, 10), (16, 10)), ((32, 16), (2, 16))):
    linear(f"{_x} {_w}", Input(_x), Input(_w))
    linear(f"{_x} {_w} bias", Input(_x), Input(_w), Input(_w[:1]))
for _lx in LAYOUTS:
    for _lw in LAYOUTS:
        for _x in ((6, 4), (2, 3, 4)):
            linear(f"{_x} {_lx} {_lw}", Input(_x, _lx), Input((5, 4), _lw),
                   Input((5,), "stepped"), dtypes=(F32, F64), gradcheck=False)
linear("constants", Input((3, 4), grad=False), Input((2, 4)), Input((2,)), dtypes=(F32, F64))
linear("a constant weight", Input((3, 4)), Input((2, 4), grad=False), Input((2,), grad=False),
       dtypes=(F32, F64))
linear("a constant bias", Input((3, 4)), Input((2, 4)), Input((2,), grad=False), dtypes=(F32, F64))
linear("larger", Input((64, 190)), Input((130, 190)), Input((130,)), dtypes=(F32, F64),
       gradcheck=False, bench=True)
linear("tall", Input((1500, 20)), Input((300, 20)), Input((300,)), dtypes=(F32, F64),
       gradcheck=False, bench=True, atol=1e-3)
linear("small", Input((32, 10)), Input((16, 10)), Input((16,)), dtypes=(F32,), gradcheck=False,
       bench=True)
