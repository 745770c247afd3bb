"""The same jobs in PyTorch: peer_moving.py make|ls|cp|cast|diff|merge|hash FILE..."""

import hashlib
import sys

import torch

LAYERS, WIDTH = 32, 1024  # a transformer's layers: 2 GB in all


def model(seed):
    torch.manual_seed(seed)
    state = {"embed.weight": torch.randn(32000, WIDTH)}
    for i in range(LAYERS):
        for name, shape in {"attn.q": (WIDTH, WIDTH), "attn.k": (WIDTH, WIDTH), "attn.v": (WIDTH, WIDTH),
                            "attn.o": (WIDTH, WIDTH), "mlp.up": (4 * WIDTH, WIDTH),
                            "mlp.down": (WIDTH, 4 * WIDTH), "mlp.gate": (2 * WIDTH, WIDTH)}.items():
            state[f"layers.{i}.{name}.weight"] = torch.randn(*shape) * 0.02
        state[f"layers.{i}.norm.weight"] = torch.ones(WIDTH)
    return state


def make(a, b):
    state = model(0)
    torch.save(state, a)
    torch.save({name: value + 0.001 * torch.randn_like(value) for name, value in state.items()}, b)


def ls(a):
    for name, value in torch.load(a).items():
        print(name, value.dtype, tuple(value.shape))


def cp(a, out):
    torch.save(torch.load(a), out)


def cast(a, out):
    torch.save({name: value.bfloat16() for name, value in torch.load(a).items()}, out)


def diff(a, b):
    first, second = torch.load(a), torch.load(b)
    for name, x in first.items():
        y = second[name]
        if torch.equal(x, y):
            continue
        d = (x - y).abs()
        cosine = torch.nn.functional.cosine_similarity(x.flatten(), y.flatten(), dim=0)
        print(name, int((d > 0).sum()), float(d.max()), float((d / y.abs()).max()), float(d.mean()), float(cosine))


def merge(a, b, out):
    first, second = torch.load(a), torch.load(b)
    torch.save({name: (x + second[name]) / 2 for name, x in first.items()}, out)


def hash_(a):
    for name, value in torch.load(a).items():
        print(name, hashlib.sha256(memoryview(value.numpy()).cast("B")).hexdigest())


if __name__ == "__main__":
    jobs = {"make": make, "ls": ls, "cp": cp, "cast": cast, "diff": diff, "merge": merge, "hash": hash_}
    jobs[sys.argv[1]](*sys.argv[2:])
