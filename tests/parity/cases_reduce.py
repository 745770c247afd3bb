"""Sums, means and maxima over dimensions."""

import math

import torch

from case import ALL, F32, F64, INTEGERS, Case, Input

CASES = []

LAYOUTS = ("contiguous", "transposed", "sliced", "stepped", "expanded")
SPECIAL = (1.0, -2.0, 0.5, math.inf, -1.5, math.nan, 3.0, -math.inf)
# Shapes and the dimensions that are reduced; None: the call without dimensions.
DIMS = [
    ((), None), ((), ()), ((), (0,)), ((), (-1,)), ((5,), None), ((5,), (0,)), ((1,), (0,)),
    ((3, 4), None), ((3, 4), ()), ((3, 4), (0,)), ((3, 4), (1,)), ((3, 4), (-1,)),
    ((3, 4), (0, 1)), ((3, 4), (-1, 0)), ((1, 4), (0,)), ((3, 1), (1,)),
    ((2, 3, 4, 5), (0,)), ((2, 3, 4, 5), (1,)), ((2, 3, 4, 5), (2,)), ((2, 3, 4, 5), (3,)),
    ((2, 3, 4, 5), (0, 2)), ((2, 3, 4, 5), (1, 3)), ((2, 3, 4, 5), (3, 0)),
    ((2, 3, 4, 5), (0, 2, 3)), ((2, 3, 4, 5), (0, 1, 2, 3)), ((2, 3, 4, 5), None),
    ((2, 1, 2, 1, 2, 1, 2, 3), (0, 4, 7)), ((2, 1, 2, 1, 2, 1, 2, 3), (1, 2, 6)),
    ((40, 9), (0,)), ((9, 40), (1,)), ((7, 70), (0,)),
]
EMPTY = [((0,), None), ((0,), (0,)), ((0, 3), (0,)), ((0, 3), (1,)), ((3, 0), (0,)),
         ((2, 0, 3), (0, 2)), ((2, 0, 3), (1,))]


def reduction(name, reference, whole, dims, dtypes=ALL, **options):
    """Rows over shapes, dimensions and layouts; whole: the function without dimensions."""

    def row(what, dim, keepdim, *inputs, **more):
        if dim is None:
            mine, theirs = lambda g, x: getattr(g, name)(x), whole
            full = name
        else:
            full = f"{name}_dims"
            mine = lambda g, x: getattr(g, full)(x, dim, keepdim)  # noqa: E731
            # PyTorch takes an empty list for all dimensions in sum and amax.
            theirs = lambda x: reference(x, dim, keepdim)  # noqa: E731
        CASES.append(Case(f"{full} {what}", mine, theirs, inputs,
                          **{"dtypes": dtypes, **options, **more}))

    for shape, dim in dims:
        for keepdim in ((False,) if dim is None else (False, True)):
            row(f"{shape} {dim} {keepdim}", dim, keepdim, Input(shape))
    for layout in LAYOUTS:
        for dim in (None, (0,), (1,), (2,), (0, 1), (0, 2), (1, 2)):
            row(f"{layout} {dim}", dim, False, Input((5, 7, 9), layout), gradcheck=False)
    for dim in (None, (0,), (1,)):
        row(f"special values {dim}", dim, False, Input((8, 3), values=SPECIAL), gradcheck=False,
            dtypes=(F32, F64))


def over(function):
    """PyTorch's function for a list of dimensions that may be empty: all of them."""
    return lambda x, dim, keepdim: function(x, dim=dim or tuple(range(x.dim())), keepdim=keepdim)


reduction("sum", over(torch.sum), torch.sum, DIMS + EMPTY, atol=1e-5)
reduction("mean", over(torch.mean), torch.mean, DIMS + EMPTY, dtypes=(F32, F64, *ALL[2:4]))
# The gradient has a kink wherever the largest changes: no finite differences for full tensors.
reduction("max", over(torch.amax), torch.amax, DIMS, rtol=0, atol=0)
for _dim in (0, 1, 2, -1, -3):
    for _keepdim in (False, True):
        for _layout in LAYOUTS:
            CASES.append(Case(f"argmax {_layout} {_dim} {_keepdim}",
                              lambda g, x, d=_dim, k=_keepdim: g.argmax(x, d, k),
                              lambda x, d=_dim, k=_keepdim: torch.argmax(x, d, k),
                              (Input((5, 7, 9), _layout),), gradient=False))
    CASES.append(Case(f"argmax special values {_dim}", lambda g, x, d=_dim: g.argmax(x, d, False),
                      lambda x, d=_dim: torch.argmax(x, d), (Input((5, 7, 9), values=SPECIAL),),
                      gradient=False))
    # The first of equals; PyTorch says that it does not promise one, and gives the first.
    CASES.append(Case(f"argmax ties {_dim}", lambda g, x, d=_dim: g.argmax(x, d, False),
                      lambda x, d=_dim: torch.argmax(x, d),
                      (Input((5, 7, 30), ties=True, low=0, high=3),), gradient=False,
                      dtypes=(F32, F64, *INTEGERS)))
CASES.append(Case("argmax 0-d", lambda g, x: g.argmax(x, 0, False), lambda x: torch.argmax(x, 0),
                  (Input(()),), gradient=False))
for _dim in ((0,), (1,), (0, 1), (2,)):
    CASES.append(Case(f"max_dims ties {_dim}", lambda g, x, d=_dim: g.max_dims(x, d, False),
                      lambda x, d=_dim: torch.amax(x, d),
                      (Input((6, 7, 5), ties=True, low=0, high=3),), gradcheck=False))
CASES.append(Case("max ties", lambda g, x: g.max(x), torch.max,
                  (Input((6, 7, 5), ties=True, low=0, high=3),), gradcheck=False))
for _dim in (None, (0,), (1,)):
    for _name, _function in (("sum", torch.sum), ("mean", torch.mean), ("max", torch.amax)):
        CASES.append(Case(
            f"{_name}{'' if _dim is None else '_dims'} large {_dim}",
            lambda g, x, n=_name, d=_dim: (getattr(g, n)(x) if d is None else
                                           getattr(g, f"{n}_dims")(x, d, False)),
            lambda x, f=_function, d=_dim: f(x) if d is None else f(x, d),
            (Input((700, 900)),), dtypes=(F32, F64, torch.int64) if _name != "mean" else (F32, F64),
            gradcheck=False, bench=True, atol=1e-3))
