"""Modules and layers beside torch.nn: initial numbers, names, text, forward and gradients."""

import math

import pytest
import torch
from torch import nn

import graft
from graft import Context, GraftError, assert_close, lib

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]


def build(g, module):
    """The graft module for a torch module, its parameters initialised by graft's own generator."""
    kind = type(module).__name__
    if kind == "Linear":
        return g.linear_dtype(module.in_features, module.out_features, module.bias is not None,
                              module.weight.dtype)
    if kind == "Sequential":
        made = g.sequential()
        for child in module:
            g.sequential_add(made, build(g, child))
        return made
    make = {
        "ReLU": lambda: g.relu_layer(),
        "Tanh": lambda: g.tanh_layer(),
        "Sigmoid": lambda: g.sigmoid_layer(),
        "Identity": lambda: g.identity(),
        "Softmax": lambda: g.softmax_layer(module.dim),
        "LogSoftmax": lambda: g.log_softmax_layer(module.dim),
        "Dropout": lambda: g.dropout_layer(module.p),
        "Flatten": lambda: g.flatten_layer(module.start_dim, module.end_dim),
    }
    return make[kind]()


def pair(g, make, seed=0):
    torch.manual_seed(seed)
    module = make()
    g.manual_seed(seed)
    return module, build(g, module)


def items(g, d):
    return {g.dict_key(d, i): g.dict_tensor_at(d, i) for i in range(g.dict_len(d))}


def assert_same_state(g, module, made):
    want = module.state_dict()
    got = items(g, g.state_dict(made))
    assert list(got) == list(want)
    for name, value in want.items():
        assert torch.equal(g.torch(got[name]), value), name


def mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(12, 7), nn.Tanh(), nn.Linear(7, 5, bias=False),
                         nn.Sequential(nn.ReLU(), nn.Linear(5, 3)), nn.LogSoftmax(dim=-1))


MODULES = {
    "linear": lambda: nn.Linear(12, 5),
    "linear without bias": lambda: nn.Linear(12, 5, bias=False),
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "identity": nn.Identity,
    "softmax": lambda: nn.Softmax(dim=1),
    "softmax over the last": lambda: nn.Softmax(dim=-1),
    "log_softmax": lambda: nn.LogSoftmax(dim=0),
    "dropout": nn.Dropout,
    "dropout 0.1": lambda: nn.Dropout(0.1),
    "dropout 1/3": lambda: nn.Dropout(1 / 3),
    "dropout 0.0": lambda: nn.Dropout(0.0),
    "dropout 1e-5": lambda: nn.Dropout(1e-5),
    "flatten": nn.Flatten,
    "flatten all": lambda: nn.Flatten(0, 2),
    "empty": nn.Sequential,
    "mlp": mlp,
    "nested": lambda: nn.Sequential(nn.Sequential(nn.Sequential(mlp())), nn.Sequential()),
}


@pytest.mark.parametrize("name", MODULES)
def test_text_and_state(g, name):
    module, made = pair(g, MODULES[name])
    assert g.module_text(made) == str(module)
    assert_same_state(g, module, made)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sizes", [(1, 1), (784, 512), (3, 1000), (0, 4), (4, 0), (17, 33)])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
def test_linear_starts_with_pytorchs_numbers(g, sizes, bias, dtype):
    module, made = pair(g, lambda: nn.Linear(*sizes, bias=bias, dtype=dtype), seed=7)
    assert_same_state(g, module, made)
    assert torch.equal(g.torch(g.rand((3,), torch.float32)), torch.rand(3))


def inits():
    yield "uniform", lambda t: nn.init.uniform_(t, -2, 3), lambda g, t: g.init_uniform(t, -2, 3)
    yield "normal", lambda t: nn.init.normal_(t, 1, 2), lambda g, t: g.init_normal(t, 1, 2)
    yield "constant", lambda t: nn.init.constant_(t, 0.3), lambda g, t: g.init_constant(t, 0.3)
    for a in (0, 1, math.sqrt(5)):
        yield (f"kaiming {a}", lambda t, a=a: nn.init.kaiming_uniform_(t, a=a),
               lambda g, t, a=a: g.init_kaiming_uniform(t, a))
    for gain in (1, 5 / 3):
        yield (f"xavier {gain}", lambda t, gain=gain: nn.init.xavier_uniform_(t, gain),
               lambda g, t, gain=gain: g.init_xavier_uniform(t, gain))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(4, 5), (16, 3, 2, 2), (1, 100)])
@pytest.mark.parametrize("name,torch_init,graft_init", inits())
def test_init(g, name, torch_init, graft_init, shape, dtype):
    torch.manual_seed(3)
    g.manual_seed(3)
    want = torch_init(torch.empty(shape, dtype=dtype))
    got = g.set_requires_grad(g.empty(shape, dtype), True)
    graft_init(g, got)
    assert g.is_leaf(got)
    tolerance = 1e-6 if name == "normal" else 0
    assert_close(g.torch(got), want, tolerance, tolerance)


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("dtype,tolerance", [(torch.float64, 1e-12), (torch.float32, 1e-5)])
@pytest.mark.parametrize("name", [name for name in MODULES if name != "empty"])
def test_forward_and_gradients(g, name, dtype, tolerance, train):
    module = MODULES[name]().to(dtype)
    module.train(train)
    made = build(g, module)
    (g.train if train else g.eval)(made)
    for key, value in items(g, g.state_dict(made)).items():
        g.copy_(value, module.state_dict()[key])
    x = torch.randn(4, 3, 2, 2, dtype=dtype) if "flatten" in name else torch.randn(
        4, 12, dtype=dtype)
    x.requires_grad_()
    torch.manual_seed(1)
    g.manual_seed(1)
    want = module(x)
    weights = torch.randn(want.shape, dtype=dtype)
    (want * weights).sum().backward()

    torch.manual_seed(1)
    g.manual_seed(1)
    tx = g.tensor(x)
    got = g.forward(made, tx)
    g.randn(want.shape, dtype)
    g.backward(g.sum(g.mul(got, weights)))
    assert_close(g.torch(got), want.detach(), tolerance, tolerance)
    assert_close(g.torch(g.grad(tx)), x.grad, tolerance, tolerance)
    parameters = items(g, g.parameters(made))
    assert list(parameters) == [name for name, _ in module.named_parameters()]
    for key, parameter in module.named_parameters():
        assert_close(g.torch(g.grad(parameters[key])), parameter.grad, tolerance, tolerance)


def test_parameter_count(g):
    module, made = pair(g, mlp)
    assert g.parameter_count(made, False) == sum(p.numel() for p in module.parameters())
    g.module_requires_grad(g.get_module(made, "1"), False)
    module[1].requires_grad_(False)
    assert g.parameter_count(made, True) == sum(
        p.numel() for p in module.parameters() if p.requires_grad)


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(3, 3)
        self.shared = nn.Sequential(self.encoder)
        self.decoder = nn.Linear(3, 3)
        self.decoder.weight = self.encoder.weight


def test_tied_names(g):
    torch.manual_seed(0)
    g.manual_seed(0)
    module = Tied()
    root = g.sequential()
    encoder = g.linear(3, 3, True)
    shared = g.sequential()
    g.child(root, "encoder", None, encoder)
    g.child(root, "shared", None, shared)
    g.child(shared, "0", None, encoder)
    g.child(root, "decoder", None, g.linear(3, 3, True))
    g.set_parameter(root, "decoder.weight", g.get_parameter(root, "encoder.weight"))
    assert_same_state(g, module, root)
    assert list(items(g, g.parameters(root))) == [name for name, _ in module.named_parameters()]
    assert g.module_text(root) == str(module).replace("Tied", "Sequential")
    assert g.parameter_count(root, False) == sum(p.numel() for p in module.parameters())


def test_a_failed_forward_names_the_modules(g):
    _, made = pair(g, mlp)
    with pytest.raises(GraftError, match=r"\(in Linear\) \(as '1' of Sequential\)$"):
        g.forward(made, torch.randn(4, 13))


def test_a_context_without_room():
    with Context() as g:
        with pytest.raises(GraftError):
            g.linear(2**40, 2**40, True)
        assert lib.graft_error(g.ptr) == graft.ffi.NULL
