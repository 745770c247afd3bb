"""Softmax and losses."""

import math

import torch
import torch.nn.functional as F

from case import BF16, F16, F32, F64, INTEGERS, Case, Input
from graft import lib, options

CASES = []

LAYOUTS = ("contiguous", "transposed", "sliced", "stepped", "expanded")
SPECIAL = (1.0, -2.0, 0.5, math.inf, -1.5, math.nan, 3.0, -math.inf)

for _name, _function in (("softmax", torch.softmax), ("log_softmax", torch.log_softmax)):
    def _row(what, dim, x, name=_name, function=_function, **more):
        CASES.append(Case(f"{name} {what}", lambda g, x: getattr(g, name)(x, dim),
                          lambda x: function(x, dim), (x,), **{"rtol": 2e-6, **more}))

    for _shape, _dims in (((), (0, -1)), ((1,), (0,)), ((5,), (0, -1)), ((0,), (0,)),
                          ((3, 4), (0, 1, -1, -2)), ((0, 3), (0, 1)), ((3, 0), (0, 1)),
                          ((2, 3, 4, 5), (0, 1, 2, 3)), ((32, 2), (1,)), ((3, 100), (0, 1)),
                          ((2, 17, 3), (1,))):
        for _dim in _dims:
            _row(f"{_shape} {_dim}", _dim, Input(_shape, low=-3, high=3))
    for _layout in LAYOUTS:
        for _dim in (0, 1, 2):
            _row(f"{_layout} {_dim}", _dim, Input((5, 7, 9), _layout), gradcheck=False)
    for _dim in (0, 1):
        _row(f"special values {_dim}", _dim, Input((8, 3), values=SPECIAL), gradcheck=False,
             dtypes=(F32, F64))
        _row(f"far apart {_dim}", _dim, Input((6, 30), low=-200, high=200), gradcheck=False,
             dtypes=(F32, F64), rtol=2e-5)
        _row(f"far out {_dim}", _dim, Input((6, 30), low=9990, high=10000), gradcheck=False,
             dtypes=(F32, F64))
    _row("of minus infinities", 1, Input((3, 20), values=(-math.inf,)), gradcheck=False,
         dtypes=(F32, F64))
    for _shape, _dim in (((300, 1000), 1), ((1000, 300), 0), ((20, 30, 40), 1), ((3, 50000), 1),
                         ((40, 5000, 3), 1), ((2, 1500, 300), 1)):
        _row(f"large {_shape}", _dim, Input(_shape, low=-5, high=5), dtypes=(F32, F64),
             gradcheck=False, bench=True, rtol=5e-6, atol=2e-6)

REDUCTIONS = {"mean": lib.GRAFT_REDUCTION_MEAN, "sum": lib.GRAFT_REDUCTION_SUM,
              "none": lib.GRAFT_REDUCTION_NONE}
LOSSES = {"cross_entropy": (lambda g, *a: g.cross_entropy_with(*a), F.cross_entropy),
          "nll_loss": (lambda g, *a: g.nll_loss(*a), F.nll_loss)}


def classes(name, what, shape, target=None, weighted=False, layout="contiguous", reduction="mean",
            target_layout="contiguous", low=-3.0, high=3.0, more=(), **options_of_case):
    """A row of cross_entropy_with or nll_loss: input [C], [N, C], [N, C, d1, ...]."""
    mine, theirs = LOSSES[name]
    number = shape[0] if len(shape) == 1 else shape[1]
    target_shape = () if len(shape) == 1 else (shape[0], *shape[2:])
    target = target or Input(target_shape, target_layout, low=0, high=number, dtype=torch.int64)
    inputs = [Input(shape, layout, low=low, high=high), target]
    if weighted:
        inputs.append(Input((number,), low=0.2, high=2, grad=False))
    more = dict(more)

    def graft(g, x, t, w=None):
        fields = dict(more, reduction=REDUCTIONS[reduction])
        if w is not None:
            fields["weight"] = w
        return mine(g, x, t, options("loss", **fields))

    def pytorch(x, t, w=None):
        return theirs(x, t.long(), weight=None if w is None else w.to(x.dtype),
                      reduction=reduction, **more)

    title = "cross_entropy_with" if name == "cross_entropy" else name
    CASES.append(Case(f"{title} {what} {shape} {reduction}", graft, pytorch, tuple(inputs),
                      **{"rtol": 2e-6, "atol": 2e-6, **options_of_case}))


for _name in LOSSES:
    for _reduction in REDUCTIONS:
        for _shape in ((4,), (1,), (5, 4), (1, 1), (32, 2), (3, 4, 5), (2, 3, 2, 2), (2, 3, 1, 4, 2),
                       (7, 130), (0, 3), (2, 3, 0), (3, 5, 300)):
            classes(_name, "plain", _shape, reduction=_reduction, gradcheck=len(_shape) < 3)
            classes(_name, "weighted", _shape, reduction=_reduction, weighted=True,
                    gradcheck=len(_shape) < 3)
        for _shape in ((6, 4), (3, 4, 5)):
            for _layout in LAYOUTS:
                classes(_name, _layout, _shape, layout=_layout, reduction=_reduction,
                        gradcheck=False)
                classes(_name, f"target {_layout}", _shape, target_layout=_layout,
                        reduction=_reduction, gradcheck=False, dtypes=(F32, F64))
            for _weighted in (False, True):
                classes(_name, f"ignoring {_weighted}", _shape, reduction=_reduction,
                        weighted=_weighted, more={"ignore_index": 2})
                classes(_name, f"ignoring -100 {_weighted}", _shape, reduction=_reduction,
                        weighted=_weighted,
                        target=Input((_shape[0], *_shape[2:]), values=(1, -100, 0, 3, -100),
                                     dtype=torch.int64))
        for _dtype in INTEGERS:
            classes(_name, f"{_dtype}", (9, 4), reduction=_reduction, gradcheck=False,
                    target=Input((9,), low=0, high=4, dtype=_dtype), dtypes=(F32,))
        classes(_name, "nothing counts", (5, 4), reduction=_reduction, gradcheck=False,
                target=Input((5,), values=(-100,), dtype=torch.int64), dtypes=(F32, F64))
        classes(_name, "large", (1000, 500), reduction=_reduction, gradcheck=False,
                dtypes=(F32, F64), bench=True, rtol=1e-5)
        classes(_name, "wide", (3, 60000), reduction=_reduction, gradcheck=False,
                dtypes=(F32, F64), rtol=1e-5)
        classes(_name, "pictures", (4, 21, 60, 70), reduction=_reduction, gradcheck=False,
                dtypes=(F32, F64), bench=True, rtol=1e-5)
    classes(_name, "special values", (8, 3), reduction="none", gradcheck=False, dtypes=(F32, F64),
            target=Input((8,), low=0, high=3, dtype=torch.int64))
for _reduction in REDUCTIONS:
    for _smoothing in (0.1, 0.5, 1.0):
        for _weighted in (False, True):
            for _shape in ((4,), (6, 4), (3, 4, 5), (0, 3)):
                classes("cross_entropy", f"smoothed {_smoothing} {_weighted}", _shape,
                        reduction=_reduction, weighted=_weighted,
                        more={"label_smoothing": _smoothing})
            classes("cross_entropy", f"smoothed {_smoothing} ignoring {_weighted}", (9, 4),
                    reduction=_reduction, weighted=_weighted,
                    more={"label_smoothing": _smoothing, "ignore_index": 1})
    classes("cross_entropy", "far out", (6, 30), reduction=_reduction, gradcheck=False,
            low=9990.0, high=10000.0, dtypes=(F32, F64))
    classes("cross_entropy", "far apart", (6, 30), reduction=_reduction, gradcheck=False,
            low=-200.0, high=200.0, dtypes=(F32, F64), rtol=2e-5)
CASES.append(Case("cross_entropy defaults", lambda g, x, t: g.cross_entropy(x, t), F.cross_entropy,
                  (Input((32, 2)), Input((32,), low=0, high=2, dtype=torch.int64)), bench=True))
CASES.append(Case("nll_loss of log_softmax",
                  lambda g, x, t: g.nll_loss(g.log_softmax(x, 1), t, None),
                  lambda x, t: F.nll_loss(torch.log_softmax(x, 1), t),
                  (Input((32, 5)), Input((32,), low=0, high=5, dtype=torch.int64))))

for _reduction, _number in REDUCTIONS.items():
    def _row(what, *inputs, reduction=_reduction, number=_number, **more):
        CASES.append(Case(f"mse_loss {what} {reduction}", lambda g, x, t: g.mse_loss(x, t, number),
                          lambda x, t: F.mse_loss(x, t, reduction=reduction), inputs,
                          **{"atol": 2e-6, **more}))

    for _shape in ((), (1,), (0,), (5,), (3, 4), (2, 0, 3), (2, 3, 4, 5), (9, 37)):
        _row(f"{_shape}", Input(_shape), Input(_shape))
    for _layout in LAYOUTS:
        _row(_layout, Input((5, 7), _layout), Input((5, 7), "transposed"), gradcheck=False)
    _row("of a constant", Input((3, 4), grad=False), Input((3, 4)), dtypes=(F32, F64))
    _row("to a constant", Input((3, 4)), Input((3, 4), grad=False), dtypes=(F32, F64))
    _row("special values", Input((8,), values=SPECIAL), Input((8,)), gradcheck=False,
         dtypes=(F32, F64))
    _row("large", Input((700, 900)), Input((700, 900)), dtypes=(F32, F64), gradcheck=False,
         bench=True, atol=1e-5)
    for _a, _b in ((F32, F64), (BF16, F16)):
        # PyTorch's backward fails where its forward promoted.
        CASES.append(Case(f"mse_loss {_a} and {_b} {_reduction}",
                          lambda g, x, t, n=_number: g.mse_loss(x, t, n),
                          lambda x, t, r=_reduction: F.mse_loss(
                              x.to(torch.promote_types(x.dtype, t.dtype)),
                              t.to(torch.promote_types(x.dtype, t.dtype)), reduction=r),
                          (Input((9,), dtype=_a), Input((9,), dtype=_b)), dtypes=(F64,),
                          gradcheck=False))
