"""Every operation beside PyTorch's: results, gradients, and gradients by finite differences."""

import pytest
import torch

from cases import CASES
from case import BF16, F16, F64
from graft import assert_close, ffi

HALVES = {F16, BF16}


def reference(case, inputs):
    """What PyTorch gives; for halves what it gives in f32, rounded once."""
    floats = {x.dtype for x in inputs if x.dtype.is_floating_point}
    if case.native or not floats & HALVES:
        return case.torch(*inputs)
    y = case.torch(*[x.float() if x.dtype in HALVES else x for x in inputs])
    return y.to(*floats) if len(floats) == 1 and y.dtype.is_floating_point else y


def leaves(case, dtype):
    """The inputs, requiring grad where gradients are compared."""
    made = case.make(dtype)
    wanted = [case.gradient and spec.grad and x.dtype.is_floating_point
              for spec, x in zip(case.inputs, made)]
    return [x.detach().requires_grad_(want) for x, want in zip(made, wanted)]


def params():
    for case in CASES:
        for dtype in case.dtypes:
            yield pytest.param(case, dtype, id=f"{case.name}-{str(dtype).removeprefix('torch.')}")


@pytest.mark.parametrize("case, dtype", params())
def test_results_and_gradients(g, case, dtype):
    inputs = leaves(case, dtype)
    theirs = reference(case, inputs)
    tensors = [g.tensor(x) for x in inputs]
    ours = case.graft(g, *tensors)
    assert_close(g.torch(ours), theirs.detach(), **case.tolerance(theirs.dtype))
    assert g.requires_grad(ours) == theirs.requires_grad
    if not theirs.requires_grad:
        return
    generator = torch.Generator().manual_seed(len(case.name))
    grad = torch.rand(theirs.shape, dtype=F64, generator=generator).to(theirs.dtype) - 0.3
    theirs.backward(grad)
    g.backward_with(ours, grad, False)
    for x, tensor in zip(inputs, tensors):
        if x.grad is None:
            assert g.grad(tensor) is None
        else:
            assert_close(g.torch(g.grad(tensor)), x.grad,
                         **case.gradient_tolerance([i.dtype for i in inputs]))


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES
                                  if case.gradient and case.gradcheck and F64 in case.dtypes])
def test_gradients_by_finite_differences(g, case):
    tensors = [g.tensor(x.detach().contiguous(), requires_grad=x.requires_grad)
               for x in leaves(case, F64)]
    raised = []

    @ffi.callback("graft_tensor *(void *, graft_tensor **, int)", error=ffi.NULL)
    def function(user, inputs, n):
        try:
            return case.graft(g, *[inputs[i] for i in range(n)])
        except Exception as error:  # it can't cross the C code
            raised.append(error)
            return ffi.NULL

    try:
        g.gradcheck(function, None, tensors, len(tensors), None)
    finally:
        assert not raised, raised


def test_the_table_names_every_operation():
    """A public operation without a row would go unseen."""
    from graft import CDEF, ROOT
    import re

    header = (ROOT / "include/graft/ops.h").read_text()
    operations = set(re.findall(r"GRAFT_API graft_tensor \*graft_(\w+)\(", header))
    assert operations and "graft_" in CDEF
    rows = {case.name.split()[0] for case in CASES}
    elsewhere = {"uniform_", "normal_", "dropout"}  # test_random.py
    assert operations - elsewhere <= rows, sorted(operations - elsewhere - rows)
