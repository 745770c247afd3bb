"""The command on checkpoints of 2 GB, as whole processes: ls, cp between formats, diff and merge, each
beside the same job in PyTorch and beside what reading or copying the bytes takes."""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
GRAFT = os.path.join(ROOT, "build", "bin", "graft")
NEEDED = 16 << 30
ROUNDS = 3
PEER = ["/usr/bin/python3", os.path.join(HERE, "peer_moving.py")]


def process(command, target=None):
    """Wall time in ms and the largest resident memory in MB of a command whose output goes nowhere."""
    if target and os.path.exists(target):
        os.unlink(target)
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    ms = 1e3 * (time.perf_counter() - start)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in (0, 1):
        sys.exit(f"exit status {child.returncode} from: {' '.join(command)}")
    return ms, usage.ru_maxrss / 1e3


def median(command, target=None, rounds=ROUNDS):
    runs = [process(command, target) for _ in range(rounds)]
    return statistics.median(ms for ms, _ in runs), max(mb for _, mb in runs)


def rows(report, folder):
    a, b, out = (os.path.join(folder, name) for name in ("a.safetensors", "b.safetensors", "out.safetensors"))
    a_pt, out_pt = os.path.join(folder, "a.pt"), os.path.join(folder, "out.pt")
    process([*PEER, "make", a_pt, os.path.join(folder, "b.pt")])
    for name in ("a", "b"):
        process([GRAFT, "cp", "--no-sync", os.path.join(folder, f"{name}.pt"),
                 os.path.join(folder, f"{name}.safetensors")])
    gb = os.path.getsize(a) / 1e9
    read, _ = median(["cat", a, b])
    copy, _ = median(["cp", a_pt, out_pt], out_pt)

    def row(name, command, peer, limit, target=None, peer_target=None):
        ms, mb = median(command, target)
        peer_ms, peer_mb = median([*PEER, *peer], peer_target, 1)
        report.row(name, 2, ms, peer_ms, limit,
                   f"{gb:.2f} GB a file; peak graft {mb:.0f} MB, PyTorch {peer_mb:.0f} MB")

    row("move_ls_pt", [GRAFT, "ls", a_pt], ["ls", a_pt], None)
    row("move_ls_safetensors", [GRAFT, "ls", a], ["ls", a_pt], None)
    row("move_cp_pt_safetensors", [GRAFT, "cp", "--no-sync", a_pt, out], ["cp", a_pt, out_pt], copy, out, out_pt)
    row("move_cp_safetensors_pt", [GRAFT, "cp", "--no-sync", a, out_pt], ["cp", a_pt, out_pt], copy, out_pt, out_pt)
    row("move_cp_cast", [GRAFT, "cp", "--no-sync", "--cast", "* bf16", a, out], ["cast", a_pt, out_pt], copy,
        out, out_pt)
    row("move_diff", [GRAFT, "diff", a, b], ["diff", a_pt, os.path.join(folder, "b.pt")], read)
    shutil.copyfile(a, out)
    row("move_diff_equal", [GRAFT, "diff", a, out], ["diff", a_pt, a_pt], read)
    row("move_merge", [GRAFT, "merge", "--no-sync", "-f", "-o", out, a, b],
        ["merge", a_pt, os.path.join(folder, "b.pt"), out_pt], read + copy, out, out_pt)
    row("move_hash", [GRAFT, "hash", a], ["hash", a_pt], read / 2)


def workloads(report):
    folder = tempfile.mkdtemp(dir=os.path.join(ROOT, "build"))
    try:
        if shutil.disk_usage(folder).free < NEEDED:
            print(f"moving: left out: {folder} has less than {NEEDED >> 30} GiB free")
            return
        rows(report, folder)
    finally:
        shutil.rmtree(folder)
