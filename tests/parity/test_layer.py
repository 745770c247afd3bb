"""The layer under the other tests: tensors come through it as they were, errors as exceptions."""

import numpy
import pytest
import torch

import graft
from graft import DTYPES, GraftError, ffi, lib

# by name, so that a failure names the layout
LAYOUTS = {
    "scalar": lambda x: x[0, 0, 0],
    "empty": lambda x: x[:, :0],
    "contiguous": lambda x: x,
    "transposed": lambda x: x.transpose(0, 2),
    "permuted": lambda x: x.permute(1, 2, 0),
    "narrowed": lambda x: x[1:3, :, 2:4],
    "stepped": lambda x: x[::2, :, ::3],
    "stepped and transposed": lambda x: x[::2, ::2].transpose(0, 2),
    "selected": lambda x: x[:, 1],
    "column": lambda x: x[:, 1, 2],
    "expanded": lambda x: x[:, :1, None].expand(-1, -1, 5, -1),
    "expanded scalar": lambda x: x[0, 0, 0].expand(2, 3),
    "one row transposed": lambda x: x[:1].transpose(0, 2),
}


def example(dtype):
    x = torch.arange(-30, 90).reshape(4, 5, 6) % 23
    return x % 2 == 0 if dtype == torch.bool else x.to(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_there_and_back(g, dtype, layout):
    x = LAYOUTS[layout](example(dtype))
    t = g.tensor(x)
    assert g.tensor_dtype(t) == DTYPES[dtype]
    assert graft.sizes(g.tensor_shape(t)) == tuple(x.shape)
    assert torch.equal(g.torch(t), x)
    if x.numel() > 0:
        significant = [d for d in range(x.dim()) if x.size(d) != 1]
        strides = g.strides(t)
        assert [strides[d] for d in significant] == [x.stride(d) for d in significant]


def test_strides_that_overlap_become_contiguous(g):
    x = torch.arange(10.0).unfold(0, 4, 2)
    t = g.tensor(x)
    assert torch.equal(g.torch(t), x)
    assert g.is_contiguous(t)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint8", "bool"])
def test_numpy(g, dtype):
    x = (numpy.arange(12).reshape(3, 4) % 2).astype(dtype)
    back = g.numpy(g.tensor(x))
    assert back.dtype == x.dtype
    assert numpy.array_equal(back, x)


def test_requires_grad_comes_along(g):
    x = torch.ones(3, 4, requires_grad=True)
    assert g.requires_grad(g.tensor(x))
    assert g.requires_grad(g.tensor(x.t()))
    assert g.is_leaf(g.tensor(x.t()))
    assert not g.requires_grad(g.tensor(x, requires_grad=False))
    assert g.grad(g.tensor(x)) is None


def test_an_error_is_raised_once(g):
    with pytest.raises(GraftError, match="zeros") as caught:
        g.zeros((-1,), torch.float32)
    assert caught.value.status == "GRAFT_ERR_SHAPE"
    assert lib.graft_error(g.ptr) == ffi.NULL
    g.zeros((1,), torch.float32)


def test_a_status_is_raised(g):
    with pytest.raises(GraftError) as caught:
        g.scope_end()
    assert caught.value.status == "GRAFT_ERR_STATE"


def test_a_wrong_number_of_arguments_is_an_error_of_the_test(g):
    with pytest.raises(TypeError, match="graft_zeros takes 2 arguments"):
        g.zeros((1,))
    with pytest.raises(AttributeError, match="graft_nothing"):
        g.nothing()


def test_options():
    options = graft.options("options", threads=3)
    assert options.threads == 3
    assert options.cache_limit == lib.graft_options_defaults().cache_limit


def test_texts(g):
    assert g.dtype_name(torch.bfloat16) == "bfloat16"
    assert g.tensor_text(torch.zeros(2)) == str(torch.zeros(2))
