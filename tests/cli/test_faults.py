"""Whatever goes wrong while a file is made of another: the old file or the new one, whole."""

import os
import random
import resource
import signal
import subprocess
import time

import pytest
import torch

from cli import COMMAND, PLAIN, graft


def state(seed, tensors=12, size=3000):
    torch.manual_seed(seed)
    return {f"layers.{i}.weight": torch.randn(size) for i in range(tensors)}


def damage(source, target, tensor):
    data = bytearray(source.read_bytes())
    data[data.index(tensor.numpy().tobytes()) + 100] ^= 4
    target.write_bytes(data)


@pytest.mark.parametrize("k", [0, 5, 11])
def test_a_damaged_tensor(tmp_path, k):
    """Its name is told, and nothing is written or changed."""
    name = f"layers.{k}.weight"
    torch.save(state(0), tmp_path / "good.pt")
    torch.save(state(1), tmp_path / "model.pt")
    damage(tmp_path / "good.pt", tmp_path / "bad.pt", state(0)[name])
    model, bad = (tmp_path / "model.pt").read_bytes(), (tmp_path / "bad.pt").read_bytes()
    commands = [
        ("cp", "bad.pt", "out.pt"), ("cp", "bad.pt", "out.safetensors"),
        ("cp", "-f", "--into", "model.pt", "bad.pt", "model.pt"),
        ("cp", "--cast", "* f16", "bad.pt", "out.pt"), ("cp", "--pad", "* 0 1 1", "bad.pt", "out.pt"),
        ("merge", "-o", "out.pt", "model.pt", "bad.pt"), ("edit", "--map", "layers.* l.*", "bad.pt"),
        ("edit", "--cast", "* bf16", "bad.pt"), ("cp", "--delta", "model.pt", "bad.pt", "out.safetensors"),
    ]
    for command in commands:
        done = graft(*command, cwd=tmp_path)
        assert done.returncode == 2, (command, done)
        assert "CRC" in done.stderr or "nettle" in done.stderr, (command, done)
        assert sorted(os.listdir(tmp_path)) == ["bad.pt", "good.pt", "model.pt"], command
        assert (tmp_path / "model.pt").read_bytes() == model
        assert (tmp_path / "bad.pt").read_bytes() == bad


def test_no_room(tmp_path):
    """A limit on the size of files, as a full disk: the old file stays."""
    torch.save(state(0), tmp_path / "a.pt")
    torch.save(state(1), tmp_path / "b.pt")
    before = {name: (tmp_path / name).read_bytes() for name in ("a.pt", "b.pt")}

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (60000, 60000))

    for command in [("edit", "--add", "m.", "a.pt"), ("cp", "-f", "a.pt", "b.pt"), ("cp", "a.pt", "c.safetensors"),
                    ("merge", "-f", "-o", "b.pt", "a.pt", "b.pt"), ("plot", "-o", "x.png", "a.pt", "b.pt")]:
        done = graft(*command, cwd=tmp_path, preexec_fn=limit)
        if command[0] == "plot" and (done.returncode == 0 or "cairo" in done.stderr):
            (tmp_path / "x.png").unlink(missing_ok=True)  # a small picture, or none
            continue
        assert done.returncode == 2 and done.stderr, command
        assert sorted(os.listdir(tmp_path)) == ["a.pt", "b.pt"], command
        assert all((tmp_path / name).read_bytes() == data for name, data in before.items())


def test_killed(tmp_path):
    """graft edit killed at any moment: the file is the old one or the new one."""
    file = tmp_path / "a.pt"
    torch.save(state(0, 12, 100000), tmp_path / "old.pt")
    old = (tmp_path / "old.pt").read_bytes()
    file.write_bytes(old)
    command = ("edit", "--add", "m.", file)
    start = time.perf_counter()
    assert graft(*command).returncode == 0
    lasts = time.perf_counter() - start
    new = file.read_bytes()
    seen, chance = set(), random.Random(7)
    for _ in range(120):
        file.write_bytes(old)
        child = subprocess.Popen([COMMAND, *command], env=PLAIN, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(chance.random() * lasts * 1.2)
        child.kill()
        child.wait()
        found = file.read_bytes()
        assert found in (old, new)
        seen.add(found == new)
        for part in tmp_path.iterdir():
            if part.name not in ("a.pt", "old.pt"):
                part.unlink()  # what was being written
    assert False in seen or lasts < 0.01
