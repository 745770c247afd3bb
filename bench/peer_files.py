"""The same in PyTorch: peer_files.py make|load|load_model|save KIND PATH."""

import json
import sys
import time

import torch

KINDS = {"few": (16, 16 << 20), "many": (4096, 64 << 10), "tiny": (100000, 16)}
REPEATS = 3


def state(kind):
    tensors, elements = KINDS[kind]
    return {f"t{i}": torch.full((elements,), i + 0.5) for i in range(tensors)}


class Model(torch.nn.Module):
    def __init__(self, kind):
        super().__init__()
        for name, tensor in state(kind).items():
            self.register_parameter(name, torch.nn.Parameter(torch.zeros_like(tensor)))


def best_ms(action):
    best = float("inf")
    for _ in range(REPEATS):
        start = time.perf_counter()
        keep = action()
        best = min(best, 1e3 * (time.perf_counter() - start))
        del keep
    return best


def peak_mb():
    with open("/proc/self/status") as f:
        return next(int(line.split()[1]) * 1024 / 1e6 for line in f if line.startswith("VmHWM"))


def main(action, kind, path):
    torch.set_num_threads(1)
    if action == "make":
        torch.save(state(kind), path)
        ms = 0
    elif action == "load":
        ms = best_ms(lambda: torch.load(path))
    elif action == "load_model":
        model = Model(kind)
        ms = best_ms(lambda: model.load_state_dict(torch.load(path)))
    else:
        d = state(kind)
        ms = best_ms(lambda: torch.save(d, path))
    print(json.dumps({"ms": ms, "mb": peak_mb()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
