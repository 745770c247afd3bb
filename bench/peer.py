"""The workloads in PyTorch: peer.py NAME THREADS prints its figures as JSON, one object a line."""

import sys
import time

STARTED = time.perf_counter()
ROUNDS = 15


def median_ms(step, seconds):
    start, calls = time.perf_counter(), 0
    while time.perf_counter() - start < seconds / 10 or calls < 3:
        step()
        calls += 1
    per_call = (time.perf_counter() - start) / calls
    per_round = int(seconds / ROUNDS / per_call) + 1
    ms = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(per_round):
            step()
        ms.append(1e3 * (time.perf_counter() - start) / per_round)
    return sorted(ms)[ROUNDS // 2]


def mlp_step(torch, width, batch):
    """One training step of Linear, ReLU, ..., Linear with cross entropy and Adam."""
    nn = torch.nn
    torch.manual_seed(0)
    layers = []
    for i, o in zip(width, width[1:]):
        layers += [nn.Linear(i, o), nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    adam = torch.optim.Adam(model.parameters())
    x = torch.randn(batch, width[0])
    y = torch.randint(0, width[-1], (batch,))

    def step():
        adam.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(model(x), y).backward()
        adam.step()

    return step


def best_ms(action, repeats=5):
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        keep = action()
        best = min(best, 1e3 * (time.perf_counter() - start))
        del keep
    return best


def big_model(torch):
    import copy

    def make():
        return torch.nn.Sequential(*[torch.nn.Linear(2048, 2048, bias=False) for _ in range(64)])

    model, other = make(), make()
    yield "clone_1gb", best_ms(lambda: copy.deepcopy(model))
    yield "load_state_dict_1gb", best_ms(lambda: other.load_state_dict(model.state_dict()))
    for p in other.parameters():
        p.grad = torch.ones_like(p)
    sgd = torch.optim.SGD(other.parameters(), lr=0.001)

    def clone_and_step():
        clone = copy.deepcopy(other)
        for p, q in zip(clone.parameters(), other.parameters()):
            p.grad = q.grad
        torch.optim.SGD(clone.parameters(), lr=0.001).step()
        return clone

    yield "clone_1gb_first_step", best_ms(clone_and_step)
    yield "clone_1gb_second_step", best_ms(sgd.step)


def peak_mb():
    with open("/proc/self/status") as f:
        return next(int(line.split()[1]) * 1024 / 1e6 for line in f if line.startswith("VmHWM"))


def main(name, threads):
    import torch

    torch.set_num_threads(threads)

    def say(workload, **figures):
        import json

        print(json.dumps({"workload": workload, "threads": threads, **figures}), flush=True)

    if name == "mlp_tiny":
        say(name, ms=median_ms(mlp_step(torch, [10, 16, 2], 32), 3))
    elif name == "mlp":
        say(name, ms=median_ms(mlp_step(torch, [784, 512, 512, 10], 64), 3))
    elif name == "first_step":
        mlp_step(torch, [10, 16, 2], 32)()
        say(name, ms_in_main=1e3 * (time.perf_counter() - STARTED), peak_mb=peak_mb())
    elif name == "big_model":
        for workload, ms in big_model(torch):
            say(workload, ms=ms)
    elif name == "version":
        say(name, version=torch.__version__)
    else:
        sys.exit(f"peer.py: no workload is called {name}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
