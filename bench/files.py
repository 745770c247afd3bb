"""Checkpoint files beside PyTorch: opening and listing, loading into a model, verifying, saving."""

import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
NEEDED = 6 << 30
KINDS = ("few", "many", "tiny")
ROUNDS = 2


def run(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def ours(action, kind, path, *sync):
    return run([os.path.join(ROOT, "build", "bin", "bench", "files"), action, kind, path, *sync])


def theirs(action, kind, path):
    return run(["/usr/bin/python3", os.path.join(HERE, "peer_files.py"), action, kind, path])


def median(figures, key="ms"):
    return statistics.median(f[key] for f in figures)


def copy_synced_ms(source, target):
    """What the disk takes for these bytes: dd's own writing and fsync."""
    best = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        subprocess.run(["dd", f"if={source}", f"of={target}", "bs=4M", "conv=fsync", "status=none"], check=True)
        best.append(1e3 * (time.perf_counter() - start))
    return min(best)


def write_ms(bytes_, target):
    """What the kernel takes to take these bytes from memory."""
    best = []
    for _ in range(ROUNDS):
        if os.path.exists(target):
            os.unlink(target)
        start = time.perf_counter()
        with open(target, "wb", buffering=0) as f:
            view = memoryview(bytes_)
            while view:
                view = view[f.write(view[: 4 << 20]):]
        best.append(1e3 * (time.perf_counter() - start))
    return min(best)


def kind_workloads(report, kind, folder, copy_gbs):
    a, b = os.path.join(folder, "a.pt"), os.path.join(folder, "b.pt")
    theirs("make", kind, a)
    gb = os.path.getsize(a) / 1e9
    copy_ms = gb / copy_gbs * 1e3
    peers = {"list": "load", "verify": None, "load": "load_model", "read": None}
    limits = {"list": None, "verify": gb / copy_gbs / 2 * 1e3, "load": copy_ms, "read": copy_ms}
    into_model = []
    for action, limit in limits.items():
        mine, peer = [], []
        for _ in range(ROUNDS):
            mine.append(ours(action, kind, a))
            if peers[action]:
                peer.append(theirs(peers[action], kind, a))
        if action == "load":
            into_model = peer
        elif action == "read":
            peer = into_model
        note = f"{gb:.2f} GB" + (f", {gb / median(mine) * 1e3:.1f} GB/s" if action != "list" else "")
        report.row(f"file_{action}_{kind}", 1, median(mine), median(peer) if peer else None, limit,
                   f"{note}; peak graft {median(mine, 'mb'):.0f} MB"
                   + (f", PyTorch {median(peer, 'mb'):.0f} MB" if peer else ""))
    peer = [theirs("save", kind, b) for _ in range(ROUNDS)]
    with open(a, "rb") as f:
        bytes_ = f.read()
    kernel_ms, disk_ms = write_ms(bytes_, b), copy_synced_ms(a, b)
    del bytes_
    for sync, limit, what in ((False, kernel_ms, "write(2) alone"), (True, disk_ms, "dd conv=fsync")):
        mine = [ours("save", kind, b, *["sync"] * sync) for _ in range(ROUNDS)]
        report.row(f"file_save_{kind}" + "_synced" * sync, 1, median(mine), None if sync else median(peer), limit,
                   f"limit: {what}; {gb / median(mine) * 1e3:.1f} GB/s (copy: {copy_gbs:.1f});"
                   f" memory beyond the dict: {median(mine, 'mb'):.1f} MB")


def workloads(report, limits):
    folder = tempfile.mkdtemp(dir=os.path.join(ROOT, "build"))
    try:
        if shutil.disk_usage(folder).free < NEEDED:
            print(f"files: left out: {folder} has less than {NEEDED >> 30} GiB free")
            return
        for kind in KINDS:
            kind_workloads(report, kind, folder, limits[1]["copy_gbs"])
    finally:
        shutil.rmtree(folder)
