"""Five hundred steps of training follow PyTorch's losses, from the same seed on the same images.

The network is the demo's: Linear, ReLU, Linear on the Fashion-MNIST subset of the tree. In f64 the losses
agree to 1e-9. In f32 rounding errors grow with the steps in any library, so the yardstick is how far
PyTorch departs from itself: with one thread and with two, and, since its products give the same bits for
both, with each batch in another order, which changes nothing but the order in which it adds."""

import functools
import gzip

import numpy
import pytest
import torch
from graft import ROOT, Context, lib, options

STEPS, BATCH, HIDDEN = 500, 64, 128


def idx(name, header):
    with gzip.open(ROOT / "data/fashion-mnist" / name) as f:
        return torch.from_numpy(numpy.frombuffer(f.read(), numpy.uint8, offset=header).copy())


IMAGES = idx("train-images-idx3-ubyte.gz", 16).reshape(-1, 784)
LABELS = idx("train-labels-idx1-ubyte.gz", 8).long()
ROWS = torch.randint(0, len(LABELS), (STEPS, BATCH), generator=torch.Generator().manual_seed(5))

OPTIMIZERS = {
    "sgd_momentum": (
        lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9),
        lambda g, p: g.sgd(p, options("sgd", lr=0.05, momentum=0.9)),
    ),
    "adam": (
        lambda p: torch.optim.Adam(p, lr=0.01),
        lambda g, p: g.adam(p, options("adam", lr=0.01)),
    ),
    "adamw_amsgrad": (
        lambda p: torch.optim.AdamW(p, lr=0.01, amsgrad=True),
        lambda g, p: g.adamw(p, options("adamw", lr=0.01, amsgrad=True)),
    ),
}


@functools.lru_cache
def torch_losses(dtype, name, threads, shift=0):
    """shift: how far each batch is rotated."""
    make = OPTIMIZERS[name][0]
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    nn = torch.nn
    layers = [nn.Linear(784, HIDDEN, dtype=dtype), nn.ReLU(), nn.Linear(HIDDEN, 10, dtype=dtype)]
    model = nn.Sequential(*layers)
    optimizer, losses = make(model.parameters()), []
    for rows in ROWS:
        rows = rows.roll(shift)
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(IMAGES[rows].to(dtype) / 255), LABELS[rows])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    torch.set_num_threads(before)
    return numpy.array(losses)


def graft_losses(dtype, name, threads):
    make = OPTIMIZERS[name][1]
    code = {torch.float32: lib.GRAFT_F32, torch.float64: lib.GRAFT_F64}[dtype]
    losses = []
    with Context(threads=threads) as g:
        g.manual_seed(0)
        model = g.sequential()
        g.sequential_add(model, g.linear_dtype(784, HIDDEN, True, code))
        g.sequential_add(model, g.relu_layer())
        g.sequential_add(model, g.linear_dtype(HIDDEN, 10, True, code))
        optimizer = make(g, g.parameters(model))
        for rows in ROWS:
            g.scope_begin()
            g.zero_grad(optimizer)
            loss = g.cross_entropy(g.forward(model, IMAGES[rows].to(dtype) / 255), LABELS[rows])
            g.backward(loss)
            g.step(optimizer)
            losses.append(g.item(loss))
            g.scope_end()
    return numpy.array(losses)


def relative(a, b):
    return numpy.abs(a - b) / numpy.abs(b)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_f64_follows_to_1e_9(name, threads):
    want = torch_losses(torch.float64, name, 1)
    got = graft_losses(torch.float64, name, threads)
    assert relative(got, want).max() < 1e-9
    assert want[-50:].mean() < want[0] / 2  # it did learn


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_f32_follows_as_closely_as_pytorch_follows_itself(name, threads):
    want = torch_losses(torch.float32, name, 1)
    others = [torch_losses(torch.float32, name, 2)]
    others += [torch_losses(torch.float32, name, 1, shift) for shift in (1, 32)]
    own = max(relative(other, want).mean() for other in others)
    got = graft_losses(torch.float32, name, threads)
    assert 0 < own
    assert relative(got, want).mean() < 3 * own
