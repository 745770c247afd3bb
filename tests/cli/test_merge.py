"""graft merge: options into formulas; tests/parity/test_merge.py has the formulas themselves."""

import json
import os
import signal
import subprocess
import time

import pytest
import torch

from cli import COMMAND, PLAIN, graft, safetensors, skip_without


@pytest.fixture
def files(tmp_path):
    """Two tuned models and their base, in two formats."""
    torch.manual_seed(0)
    base = {"body.weight": torch.randn(30, 7), "head.weight": torch.randn(5, 7),
            "steps": torch.tensor([3])}
    made = []
    for _ in range(2):
        made.append({n: t + torch.randn(t.shape) if t.is_floating_point() else t
                     for n, t in base.items()})
    torch.save(base, tmp_path / "base.pt")
    torch.save(made[0], tmp_path / "a.pt")
    safetensors(tmp_path / "b.safetensors", made[1])
    return tmp_path, base, made


def merged(folder, *arguments, out="out.pt", **options):
    done = graft("merge", *arguments, "-o", out, cwd=folder, **options)
    assert (done.returncode, done.stderr) == (0, "")
    return torch.load(folder / out)


def close(got, want):
    assert list(got) == list(want)
    for name in want:
        torch.testing.assert_close(got[name], want[name].to(got[name].dtype))


def test_mean(files):
    folder, _, (a, b) = files
    got = merged(folder, "a.pt", "b.safetensors")
    close(got, {n: (a[n] + b[n]) / 2 for n in a})
    assert got["steps"].dtype == torch.int64


def test_weights_and_layers(files):
    folder, _, (a, b) = files
    got = merged(folder, "-m", "weighted", "--weights", "3,1", "--layer", "head.* 0,2",
                 "--layer=*.bias 1,1", "a.pt", "b.safetensors")
    close(got, {"body.weight": (3 * a["body.weight"] + b["body.weight"]) / 4,
                "head.weight": b["head.weight"], "steps": a["steps"]})
    got = merged(folder, "-m", "weighted", "-w", "0.5,-2", "--plain-sum", "--f64", "--force",
                 "a.pt", "b.safetensors")
    close(got, {n: 0.5 * a[n] - 2 * b[n] if n != "steps" else a[n] for n in a})


def test_base(files):
    folder, base, (a, b) = files
    got = merged(folder, "--method=task", "--base", "base.pt", "--scale", "0.5",
                 "-l", "head.* scale=2 1,0", "a.pt", "b.safetensors")
    deltas = [{n: x[n] - base[n] for n in base} for x in (a, b)]
    close(got, {"body.weight": base["body.weight"] + 0.5 * sum(d["body.weight"] for d in deltas),
                "head.weight": base["head.weight"] + 2 * deltas[0]["head.weight"],
                "steps": base["steps"]})


def test_ends_of_methods(files):
    """Where a method comes to one of its sources."""
    folder, base, (a, b) = files
    for out, arguments, want in (
            ("1.pt", ["-m", "slerp", "-t", "1"], b), ("2.pt", ["-m", "slerp", "-t", "0"], a),
            ("3.pt", ["-m", "slerp", "-t", "0", "-l", "* t=1"], b),
            ("4.pt", ["-m", "ema", "--decay", "0"], b),
            ("5.pt", ["-m", "ties", "-b", "base.pt", "--density", "1", "-w", "1,0"], a),
            ("6.pt", ["-m", "dare", "-b", "base.pt", "--density", "1", "-w", "0,1"], b),
            ("7.pt", ["-m", "dare", "-b", "base.pt", "--density", "0"], base)):
        close(merged(folder, *arguments, "a.pt", "b.safetensors", out=out), want)


def test_seed(files):
    folder, _, _ = files
    one, again, other = (merged(folder, "-m", "dare", "-b", "base.pt", "--seed", seed, "a.pt",
                                "b.safetensors", out=f"{i}.pt")["body.weight"]
                         for i, seed in enumerate((7, 7, 8)))
    assert torch.equal(one, again) and not torch.equal(one, other)


def test_integers(files):
    folder, _, (a, b) = files
    torch.save({**b, "steps": torch.tensor([9])}, folder / "c.pt")
    done = graft("merge", "a.pt", "c.pt", "-o", "out.pt", cwd=folder)
    assert done.returncode == 2
    assert "'steps' (int64) differs between source 0 and source 1" in done.stderr
    assert not (folder / "out.pt").exists()
    for policy, value in (("first", 3), ("max", 9)):
        got = merged(folder, "--integers", policy, "a.pt", "c.pt", out=f"{policy}.pt")
        assert got["steps"].tolist() == [value]


def test_root(files):
    folder, _, (a, _) = files
    torch.save({"epoch": 3, "model": a}, folder / "whole.pt")
    close(merged(folder, "--root", "model", "whole.pt"), a)
    done = graft("merge", "--root", "state", "whole.pt", "-o", "x.pt", cwd=folder)
    assert (done.returncode, done.stderr) == (2, "graft merge: whole.pt: there is nothing at state\n")


def test_what_is_said(files):
    folder, _, _ = files
    done = skip_without(graft("merge", "a.pt", "b.safetensors", "-o", "out.safetensors", "--json", "--hash",
                              cwd=folder))
    size = (folder / "out.safetensors").stat().st_size
    assert json.loads(done.stdout) == {
        "method": "mean", "sources": ["a.pt", "b.safetensors"], "base": None,
        "file": "out.safetensors", "tensors": 3, "files": 1, "bytes": size}
    assert b"graft.sha256" in (folder / "out.safetensors").read_bytes()
    done = graft("merge", "a.pt", "-o", "out.pt", cwd=folder)
    assert done.stdout.startswith("out.pt: mean of 1 files, 3 tensors, ")
    done = graft("merge", "a.pt", "-o", "out.pt", cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "graft merge: out.pt is there already: --force replaces it\n"


@pytest.mark.parametrize("arguments, words", [
    (["a.pt"], "expected --output FILE"),
    (["-o", "x.pt"], "FILE"),
    (["a.pt", "-o", "x.pt", "-m", "median"], "median"),
    (["a.pt", "-o", "x.pt", "-m", "weighted", "-w", "1,2"], "expected 1 numbers"),
    (["a.pt", "-o", "x.pt", "-m", "weighted", "-w", "1x"], "expected 1 numbers"),
    (["a.pt", "-o", "x.pt", "-m", "weighted", "-w", "nan"], "expected 1 numbers"),
    (["a.pt", "-o", "x.pt", "-m", "weighted", "-l", "*"], "expected 'GLOB WEIGHTS'"),
    (["a.pt", "-o", "x.pt", "-m", "weighted", "-l", "* t="], "expected a number behind ="),
    (["a.pt", "-o", "x.pt", "-w", "1"], "mean takes no weights"),
    (["a.pt", "-o", "x.pt", "-m", "slerp"], "slerp of 1 sources: expected 2"),
    (["a.pt", "-o", "x.pt", "-m", "ties"], "ties needs a base"),
    (["a.pt", "-o", "x.pt", "-b", "base.pt"], "mean takes no base"),
    (["a.pt", "missing.pt", "-o", "x.pt"], "missing.pt"),
    (["a.pt", "-o", "x.unknown"], "x.unknown"),
    (["a.pt", "other.pt", "-o", "x.pt"], "source 1 lacks 'body.weight'"),
])
def test_refused(files, arguments, words):
    folder, _, _ = files
    torch.save({"x": torch.ones(2)}, folder / "other.pt")
    before = sorted(os.listdir(folder))
    done = graft("merge", *arguments, cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert sorted(os.listdir(folder)) == before


def test_interrupted(tmp_path):
    """^C in the middle leaves nothing behind."""
    x = {f"{i}": torch.full((2 ** 22,), float(i)) for i in range(8)}
    for name in "abc":
        torch.save(x, tmp_path / f"{name}.pt")
    for delay in (0.02, 0.1, 0.2):
        process = subprocess.Popen(
            [COMMAND, "merge", "-m", "ties", "--f64", "-b", "c.pt", "a.pt", "b.pt", "-o", "out.pt"],
            cwd=tmp_path, env=PLAIN, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(delay)
        process.send_signal(signal.SIGINT)
        process.communicate()
        if process.returncode == 0:
            (tmp_path / "out.pt").unlink()
        assert sorted(os.listdir(tmp_path)) == ["a.pt", "b.pt", "c.pt"]
