"""Views, casts and copies."""

import torch

from case import ALL, BF16, F16, F32, F64, Case, Input

CASES = []


def view(name, function, reference, shapes, layouts=("contiguous",), **options):
    """A row for each shape and layout; what is compared is elements, so all must be equal."""
    for shape in shapes:
        for layout in layouts:
            CASES.append(Case(f"{name} of {shape} {layout}", function, reference,
                              (Input(shape, layout),), rtol=0, atol=0,
                              gradcheck=layout == "contiguous", **options))


EVERY = ("contiguous", "transposed", "sliced", "stepped", "expanded")

for _shape in ((12,), (2, 6), (-1, 4), (2, -1), (1, 3, 1, 4, 1), (2, 1, 2, 3)):
    view(f"view {_shape}", lambda g, x, s=_shape: g.view(x, s), lambda x, s=_shape: x.view(s),
         [(3, 4), (12,), (2, 3, 2)])
    view(f"reshape {_shape}", lambda g, x, s=_shape: g.reshape(x, s),
         lambda x, s=_shape: x.reshape(s), [(3, 4), (2, 3, 2)], EVERY)
view("view ()", lambda g, x: g.view(x, ()), lambda x: x.view(()), [(1,), (1, 1), ()])
view("view (0, 3)", lambda g, x: g.view(x, (0, 3)), lambda x: x.view(0, 3), [(0,), (2, 0)])
view("view (-1, 3)", lambda g, x: g.view(x, (-1, 3)), lambda x: x.view(-1, 3), [(0, 3)])
view("view joins what lies together", lambda g, x: g.view(x, (2, 12)), lambda x: x.view(2, 12),
     [(2, 3, 4)], ("contiguous",))
view("view splits a stepped dimension", lambda g, x: g.view(x, (3, 2, 2)),
     lambda x: x.view(3, 2, 2), [(3, 4)], ("contiguous", "sliced", "stepped"))
view("view splits a repeated dimension", lambda g, x: g.view(x, (2, 2, 3)),
     lambda x: x.view(2, 2, 3), [(4, 3)], ("expanded",))

for _dims in ((0, 1, 2), (2, 0, 1), (1, 0, 2), (-1, 0, 1)):
    view(f"permute {_dims}", lambda g, x, d=_dims: g.permute(x, d),
         lambda x, d=_dims: x.permute(d), [(2, 3, 4), (1, 0, 3)], EVERY)
view("permute ()", lambda g, x: g.permute(x, ()), lambda x: x.permute(()), [()])
for _a, _b in ((0, 1), (1, 2), (-1, 0), (1, 1)):
    view(f"transpose {_a} {_b}", lambda g, x, a=_a, b=_b: g.transpose(x, a, b),
         lambda x, a=_a, b=_b: x.transpose(a, b), [(2, 3, 4), (0, 3, 1)], EVERY)
view("transpose 0 -1", lambda g, x: g.transpose(x, 0, -1), lambda x: x.transpose(0, -1), [()])

for _dim, _start, _length in ((0, 0, 2), (0, 1, 1), (1, 1, 2), (-1, -2, 2), (2, 0, 0), (1, 3, 0)):
    view(f"narrow {_dim} {_start} {_length}",
         lambda g, x, d=_dim, s=_start, n=_length: g.narrow(x, d, s, n),
         lambda x, d=_dim, s=_start, n=_length: x.narrow(d, s, n), [(2, 3, 4)], EVERY)
view("narrow twice", lambda g, x: g.mul(g.narrow(x, 0, 0, 2), g.narrow(x, 0, 1, 2)),
     lambda x: x.narrow(0, 0, 2) * x.narrow(0, 1, 2), [(3, 4)])
for _dim, _index in ((0, 0), (0, -1), (1, 2), (2, 1), (-1, -4)):
    view(f"select {_dim} {_index}", lambda g, x, d=_dim, i=_index: g.select(x, d, i),
         lambda x, d=_dim, i=_index: x.select(d, i), [(2, 3, 4)], EVERY)
view("select 0 2", lambda g, x: g.select(x, 0, 2), lambda x: x.select(0, 2), [(3,)])
view("select twice", lambda g, x: g.mul(g.select(x, 1, 0), g.select(x, 1, 1)),
     lambda x: x[:, 0] * x[:, 1], [(3, 4), (2, 2, 5)])

for _shape in ((2, 3, 4), (5, 2, 3, 4), (-1, 3, -1), (2, 3, 4)[::1]):
    _name = f"expand {_shape}"
    if any(case.name.startswith(_name) for case in CASES):
        continue
    view(_name, lambda g, x, s=_shape: g.expand(x, s), lambda x, s=_shape: x.expand(s),
         [(2, 1, 4), (1, 1, 4), (2, 3, 4)] if -1 not in _shape else [(2, 1, 4)],
         ("contiguous", "transposed"))
view("expand 0", lambda g, x: g.expand(x, (0, 3)), lambda x: x.expand(0, 3), [(1, 3), (0, 1)])
view("expand a scalar", lambda g, x: g.expand(x, (2, 3)), lambda x: x.expand(2, 3), [(), (1,)])

for _a, _b in ((0, -1), (1, 2), (0, 1), (1, 1)):
    view(f"flatten {_a} {_b}", lambda g, x, a=_a, b=_b: g.flatten(x, a, b),
         lambda x, a=_a, b=_b: x.flatten(a, b), [(2, 3, 4), (2, 0, 3)], EVERY)
view("flatten 0 -1", lambda g, x: g.flatten(x, 0, -1), lambda x: x.flatten(0, -1), [(), (5,)])
for _dim in (0, 1, -1):
    view(f"squeeze {_dim}", lambda g, x, d=_dim: g.squeeze(x, d), lambda x, d=_dim: x.squeeze(d),
         [(1, 3), (3, 1), (1, 1), (2, 3)], ("contiguous", "transposed"))
view("squeeze_all", lambda g, x: g.squeeze_all(x), lambda x: x.squeeze(),
     [(1, 3, 1), (), (1, 1), (2, 3), (0, 1)], ("contiguous", ))
for _dim in (0, 1, -1, -3):
    view(f"unsqueeze {_dim}", lambda g, x, d=_dim: g.unsqueeze(x, d),
         lambda x, d=_dim: x.unsqueeze(d), [(2, 3), (0, 1)], ("contiguous", "transposed"))

# ---- Casts and copies ----

view("contiguous", lambda g, x: g.contiguous(x), lambda x: x.contiguous(), [(3, 4), (0, 2), (5, 1)],
     EVERY)
for _dtype in (F32, F64, F16, BF16):
    CASES.append(Case(f"to {_dtype}", lambda g, x, d=_dtype: g.to(x, d),
                      lambda x, d=_dtype: x.to(d), (Input((3, 4), "transposed"),),
                      dtypes=(F32, F64), rtol=0, atol=0, gradcheck=False))
for _dtype in ALL:
    CASES.append(Case(f"to {_dtype} of any", lambda g, x, d=_dtype: g.to(x, d),
                      lambda x, d=_dtype: x.to(d), (Input((3, 4), low=0, high=100),),
                      dtypes=tuple(d for d in ALL if d not in (F16, BF16)), gradient=False))
