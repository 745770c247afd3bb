"""Dropout's mask is PyTorch's, bit for bit, whatever the strides."""

import pytest
import torch

from graft import DTYPES, assert_close

CASES = {
    "contiguous": ((40, 50), lambda x: x),
    "one": ((1,), lambda x: x),
    "0-d": ((), lambda x: x),
    "transposed": ((4, 6, 8), lambda x: x.transpose(0, 2)),
    "permuted": ((4, 6, 8), lambda x: x.permute(2, 0, 1)),
    "narrowed": ((4, 6, 8), lambda x: x[:, 1:4]),
    "narrowed and transposed": ((4, 6, 8), lambda x: x.transpose(0, 2)[:, 1:4]),
    "selected": ((4, 6, 8), lambda x: x.permute(2, 1, 0)[:, 3]),
    "expanded": ((6, 1), lambda x: x.expand(4, 6, 5)),
    "expanded and transposed": ((6, 1), lambda x: x.expand(4, 6, 5).transpose(0, 1)),
    "expanded in front": ((1, 6, 5), lambda x: x.expand(4, 6, 5).transpose(1, 2)),
    "of size one": ((4, 1, 5), lambda x: x.transpose(0, 1)),
    "of equal strides": ((1, 6, 1), lambda x: x.transpose(0, 2).expand(1, 6, 3)),
}


@pytest.mark.parametrize("dtype", (torch.float32, torch.float64))
@pytest.mark.parametrize("p", (0.1, 0.5, 0.9, 1 / 3, 1.0, 0.0))
@pytest.mark.parametrize("name", CASES)
def test_dropout(g, name, p, dtype):
    shape, view = CASES[name]
    x = view(torch.randn(shape, dtype=dtype)).requires_grad_(True)
    ours = g.tensor(x.detach(), requires_grad=True)
    assert [s for s, n in zip(g.strides(ours), x.shape) if n != 1] == [
        s for s, n in zip(x.stride(), x.shape) if n != 1]
    torch.manual_seed(7)
    g.manual_seed(7)
    for _ in range(2):  # the second draws on from the first
        theirs = torch.nn.functional.dropout(x, p)
        mine = g.dropout(ours, p, True)
        assert_close(g.torch(mine), theirs.detach())
        grad = torch.arange(1, x.numel() + 1, dtype=dtype).reshape(x.shape)
        theirs.backward(grad)
        g.backward_with(mine, grad, False)
    assert_close(g.torch(g.grad(ours)), x.grad, rtol=1e-6)
    assert_close(g.torch(g.rand((5,), DTYPES[dtype])), torch.rand(5, dtype=dtype))


@pytest.mark.parametrize("dtype", (torch.float16, torch.bfloat16))
def test_halves_get_the_same_mask(g, dtype):
    x = torch.rand(100, dtype=torch.float32).to(dtype) + 1
    torch.manual_seed(7)
    g.manual_seed(7)
    theirs = torch.nn.functional.dropout(x.float(), 0.25).to(dtype)
    assert_close(g.torch(g.dropout(x, 0.25, True)), theirs)
