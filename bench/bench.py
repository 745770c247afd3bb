#!/usr/bin/python3
"""Runs graft and PyTorch in turn and prints ms, the ratio and the share of the machine's limit.

PyTorch gets its best of {1, 2, ... threads} x {OpenBLAS, BLIS} x {plain, tuned malloc}: every
configuration is tried once, the best one is then measured in turn with graft. A table, or with --json one
object a line: workload, threads, graft_ms, peer_ms, ratio = peer_ms / graft_ms, limit_ms, limit_share."""

import argparse
import itertools
import json
import os
import signal
import statistics
import subprocess
import sys
import time

import files
import moving

HERE = os.path.dirname(os.path.abspath(__file__))
BIN = os.path.join(os.path.dirname(HERE), "build", "bin", "bench")
LIBRARIES = "/usr/lib/x86_64-linux-gnu"
BLAS = {
    "OpenBLAS": f"{LIBRARIES}/openblas-pthread/libblas.so.3",
    "BLIS": f"{LIBRARIES}/blis-openmp/libblas.so.3",
}
# Memory that is freed stays with the process, so that no step pays for page faults.
TUNED = "glibc.malloc.mmap_threshold=4294967296:glibc.malloc.trim_threshold=8589934592"
ROUNDS = 3
GB = 64 * 2048 * 2048 * 4 / 1e9  # the parameters of the big model

# Multiply-adds of a training step: forward, gradients of weights, gradients of inputs but the first.
def mlp_gflop(width, batch):
    pairs = list(zip(width, width[1:]))
    products = [i * o for i, o in pairs]
    return 2 * batch * (2 * sum(products) + sum(products[1:])) / 1e9


def run(command, env=None):
    done = subprocess.run(command, env={**os.environ, **(env or {})}, stdout=subprocess.PIPE, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def graft(workload, threads):
    return run([os.path.join(BIN, "workloads"), workload, str(threads)])


def peer_env(blas, malloc):
    env = {"LD_PRELOAD": BLAS[blas]} if blas in BLAS else {}
    if malloc == "tuned malloc":
        env["GLIBC_TUNABLES"] = TUNED
    return env


def peer(workload, threads, blas="OpenBLAS", malloc="tuned malloc"):
    env = peer_env(blas, malloc)
    return run(["/usr/bin/python3", os.path.join(HERE, "peer.py"), workload, str(threads)], env)


def thread_counts(limit):
    return [n for n in (1, 2, 4, 8, 16) if n <= limit]


def best_peer(workload, threads):
    """The fastest configuration of PyTorch, tried once each."""
    blas = [name for name, path in BLAS.items() if os.path.exists(path)] or ["the system's BLAS"]
    tried = itertools.product(thread_counts(threads), blas, ["plain malloc", "tuned malloc"])
    return min(tried, key=lambda c: peer(workload, *c)[0]["ms"])


class Report:
    def __init__(self, as_json):
        self.as_json = as_json
        if not as_json:
            print(f"{'workload':32} {'threads':>7} {'graft ms':>10} {'PyTorch ms':>11} {'ratio':>8}"
                  f" {'limit ms':>9} {'of limit':>8}  PyTorch with")

    def row(self, workload, threads, graft_ms, peer_ms=None, limit_ms=None, note="", **more):
        ratio = peer_ms / graft_ms if peer_ms else None
        share = limit_ms / graft_ms if limit_ms else None
        if self.as_json:
            print(json.dumps({"workload": workload, "threads": threads, "graft_ms": graft_ms,
                              "peer_ms": peer_ms, "ratio": ratio, "limit_ms": limit_ms,
                              "limit_share": share, "note": note, **more}), flush=True)
            return

        def number(x, form):
            return format(x, form) if x is not None else "-"

        print(f"{workload:32} {threads:7d} {graft_ms:10.4f} {number(peer_ms, '11.4f'):>11}"
              f" {number(ratio, '8.2f'):>8} {number(limit_ms, '9.4f'):>9}"
              f" {number(share, '8.0%'):>8}  {note}", flush=True)


def step_workload(report, name, gflop, limits, threads):
    config = best_peer(name, threads)
    graft_ms = {n: [] for n in thread_counts(threads)}
    peer_ms, extra = [], {}
    for _ in range(ROUNDS):
        for n in graft_ms:
            figures = graft(name, n)[0]
            graft_ms[n].append(figures["ms"])
            extra[n] = {"system_allocations": figures["system_allocations"]}
        peer_ms.append(peer(name, *config)[0]["ms"])
    for n in graft_ms:
        report.row(name, n, statistics.median(graft_ms[n]), statistics.median(peer_ms),
                   gflop / limits[n]["matmul_gflops"] * 1e3,
                   f"{config[0]} threads, {config[1]}, {config[2]}", **extra[n])


def copy_workloads(report, limits, threads):
    """Limits: a copy of 1 GB; for the first step the three streams that it has (read parameter and gradient,
    write parameter), at the bytes a second that the copy's two streams reach."""
    copy_ms = GB / limits[threads]["copy_gbs"] * 1e3
    limit = {"clone_1gb_first_step_fresh": GB / limits[threads]["fresh_copy_gbs"] * 1e3 + copy_ms / 2,
             "clone_1gb_first_step": 1.5 * copy_ms, "clone_1gb_second_step": 1.5 * copy_ms,
             "load_state_dict_1gb": copy_ms, "load_state_dict_1gb_separated": copy_ms}
    theirs = {f["workload"]: f["ms"] for f in peer("big_model", threads)}
    theirs["clone_1gb_first_step_fresh"] = theirs["clone_1gb_first_step"]
    theirs["load_state_dict_1gb_separated"] = theirs["load_state_dict_1gb"]
    for figures in graft("big_model", threads):
        name = figures["workload"]
        report.row(name, threads, figures["ms"], theirs.get(name), limit.get(name),
                   "OpenBLAS, tuned malloc", new_mb=figures["new_mb"])


def whole_process_ms(command, env=None):
    start = time.perf_counter()
    figures = run(command, env)[0]
    return 1e3 * (time.perf_counter() - start), figures["peak_mb"]


def first_step(report):
    ours, theirs = [], []
    for _ in range(5):
        ours.append(whole_process_ms([os.path.join(BIN, "workloads"), "first_step", "2"]))
        theirs.append(whole_process_ms(["/usr/bin/python3", os.path.join(HERE, "peer.py"), "first_step", "2"]))
    (ms, mb), (peer_ms, peer_mb) = (map(statistics.median, zip(*runs)) for runs in (ours, theirs))
    report.row("process_start_to_first_step", 2, ms, peer_ms,
               note=f"peak memory: graft {mb:.1f} MB, PyTorch {peer_mb:.0f} MB", graft_mb=mb, peer_mb=peer_mb)


def busy_core(report):
    """How two threads fare beside one while another process keeps a core busy."""
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        os.sched_setaffinity(busy.pid, {0})
        one = statistics.median(graft("mlp", 1)[0]["ms"] for _ in range(ROUNDS))
        two = statistics.median(graft("mlp", 2)[0]["ms"] for _ in range(ROUNDS))
        theirs = statistics.median(peer("mlp", 2)[0]["ms"] for _ in range(ROUNDS))
    finally:
        busy.send_signal(signal.SIGKILL)
        busy.wait()
    report.row("mlp, one core kept busy", 1, one)
    report.row("mlp, one core kept busy", 2, two, theirs, note=f"{two / one:.2f} times one thread's",
               two_over_one=two / one)


def library_size(report_json):
    library = os.path.realpath(os.path.join(os.path.dirname(BIN), "..", "lib", "libgraft.so"))
    stripped = library + ".stripped"
    subprocess.run(["strip", "-o", stripped, library], check=True)
    size = os.path.getsize(stripped)
    os.unlink(stripped)
    if report_json:
        print(json.dumps({"workload": "library_size", "bytes": size}))
    else:
        print(f"libgraft.so, stripped: {size / 1024:.0f} KiB")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--threads", type=int, default=min(2, len(os.sched_getaffinity(0))))
    parser.add_argument("--only", help="tiny, mlp, copy, files, moving, start, busy or size")
    args = parser.parse_args()
    wanted = {args.only} if args.only else {"tiny", "mlp", "copy", "files", "moving", "start", "busy",
                                                   "size"}
    limits = {n: run([os.path.join(BIN, "limits"), str(n)])[0] for n in thread_counts(args.threads)}
    if not args.json:
        with open("/proc/cpuinfo") as f:
            cpu = next(line.split(":")[1].strip() for line in f if line.startswith("model name"))
        print(f"{cpu}, PyTorch {peer('version', 1)[0]['version']}")
        for n, limit in limits.items():
            print(f"limits, {n} threads: matrix product {limit['matmul_gflops']} GFLOP/s,"
                  f" copy {limit['copy_gbs']} GB/s, into fresh memory {limit['fresh_copy_gbs']} GB/s")
    report = Report(args.json)
    if "tiny" in wanted:
        step_workload(report, "mlp_tiny", mlp_gflop([10, 16, 2], 32), limits, args.threads)
    if "mlp" in wanted:
        step_workload(report, "mlp", mlp_gflop([784, 512, 512, 10], 64), limits, args.threads)
    if "copy" in wanted:
        copy_workloads(report, limits, args.threads)
    if "files" in wanted:
        files.workloads(report, limits)
    if "moving" in wanted:
        moving.workloads(report)
    if "start" in wanted:
        first_step(report)
    if "busy" in wanted and args.threads >= 2:
        busy_core(report)
    if "size" in wanted:
        library_size(args.json)


if __name__ == "__main__":
    main()
