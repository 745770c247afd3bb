"""A training run beside PyTorch's: the same seed, the same model, the same losses."""

import pytest
import torch
from torch import nn

import graft
from graft import assert_close


def step(g, made, opt, x, y):
    with g.scope():
        g.zero_grad(opt)
        loss = g.cross_entropy(g.forward(made, x), y)
        g.backward(loss)
        g.step(opt)
        return g.item(loss)


@pytest.mark.parametrize("dtype,tolerance", [(torch.float64, 1e-11), (torch.float32, 1e-4)])
@pytest.mark.parametrize("kind,options", [("SGD", dict(lr=0.1, momentum=0.9)),
                                          ("Adam", dict(lr=0.01)),
                                          ("AdamW", dict(lr=0.01, weight_decay=0.1))])
@pytest.mark.parametrize("threads", [1, 2])
def test_losses(kind, options, dtype, tolerance, threads):
    with graft.Context(threads=threads) as g:
        torch.manual_seed(0)
        g.manual_seed(0)
        model = nn.Sequential(nn.Linear(20, 32, dtype=dtype), nn.ReLU(), nn.Dropout(0.2),
                              nn.Linear(32, 5, dtype=dtype))
        made = g.sequential()
        g.sequential_add(made, g.linear_dtype(20, 32, True, dtype))
        g.sequential_add(made, g.relu_layer())
        g.sequential_add(made, g.dropout_layer(0.2))
        g.sequential_add(made, g.linear_dtype(32, 5, True, dtype))
        opt = getattr(torch.optim, kind)(model.parameters(), **options)
        adam = getattr(g, kind.lower())(g.parameters(made),
                                        graft.options(kind.lower(), **options))
        x, y = torch.randn(16, 20, dtype=dtype), torch.randint(0, 5, (16,))
        gx, gy = g.randn((16, 20), dtype), g.randint(0, 5, (16,), torch.int64)
        assert torch.equal(g.torch(gy), y)
        g.copy_(gx, x)  # normals agree to 1e-6 only in float32
        losses, got = [], []
        for _ in range(30):
            opt.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            opt.step()
            losses.append(loss.item())
            got.append(step(g, made, adam, gx, gy))
        assert losses[-1] < 0.5 * losses[0]
        assert_close(torch.tensor(got, dtype=dtype), torch.tensor(losses, dtype=dtype), tolerance,
                     tolerance)
