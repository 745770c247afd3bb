"""graft edit, hash, check and salvage."""

import json
import os

import pytest
import torch

from cli import graft, safetensors


class Runs:
    def __reduce__(self):
        return os.system, ("touch ran",)


def state(seed=0):
    torch.manual_seed(seed)
    return {"fc1.weight": torch.randn(5, 4), "fc1.bias": torch.randn(5), "fc2.weight": torch.randn(3, 5)}


# ---- edit ----


def test_edit_a_state_dict(tmp_path):
    torch.save(state(), tmp_path / "a.pt")
    done = graft("edit", "--map", "fc1.* first.*", "--skip", "*.bias", "--cast", "first.* bf16", tmp_path / "a.pt")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    found = torch.load(tmp_path / "a.pt")
    assert list(found) == ["first.weight", "fc2.weight"]
    assert torch.equal(found["first.weight"], state()["fc1.weight"].bfloat16())
    assert torch.equal(found["fc2.weight"], state()["fc2.weight"])
    assert os.listdir(tmp_path) == ["a.pt"]


def test_edit_a_checkpoint_in_its_place(tmp_path):
    model = state()
    torch.save({"epoch": 7, "model": model, "lr": [0.1, 0.2], "secret": "x"}, tmp_path / "a.pt")
    done = graft("edit", "--drop", "secret", "--map", "model.fc1.* model.head.*", "--cast", "model.fc2.* f16",
                 "--skip", "model.head.bias", tmp_path / "a.pt")
    assert done.returncode == 0, done.stderr
    found = torch.load(tmp_path / "a.pt")
    assert list(found) == ["epoch", "model", "lr"] and found["lr"] == [0.1, 0.2]
    assert list(found["model"]) == ["head.weight", "fc2.weight"]
    assert found["model"]["fc2.weight"].dtype == torch.float16
    before = (tmp_path / "a.pt").read_bytes()
    for bad in [("--map", "model.* other.*"), ("--skip", "nothing"), ("--drop", "nothing"), ("--cast", "* nothing")]:
        done = graft("edit", *bad, tmp_path / "a.pt")
        assert done.returncode == 2 and done.stderr, bad
        assert (tmp_path / "a.pt").read_bytes() == before


def test_names_are_exchanged_and_lists_are_cast(tmp_path):
    a, b, c = torch.randn(2), torch.randn(3), torch.randn(4)
    torch.save({"model": {"a": a, "b": b}, "more": [c, 1], "epoch": 2}, tmp_path / "x.pt")
    done = graft("edit", "--rename", "^model\\.a$ model.tmp", "--map", "model.b model.a", "--map", "model.tmp model.b",
                 "--cast", "more.0 f16", tmp_path / "x.pt")
    assert done.returncode == 0, done.stderr
    found = torch.load(tmp_path / "x.pt")
    assert torch.equal(found["model"]["b"], a) and torch.equal(found["model"]["a"], b)
    assert torch.equal(found["more"][0], c.half()) and found["more"][1] == 1 and found["epoch"] == 2


def test_edit_elsewhere_and_other_formats(tmp_path):
    safetensors(tmp_path / "a.safetensors", state(), {"author": "me"})
    out = tmp_path / "b.safetensors"
    assert graft("edit", "--skip", "*.bias", "-o", out, tmp_path / "a.safetensors").returncode == 0
    assert b'"author":"me"' in out.read_bytes()[:300]
    done = graft("edit", "--skip", "*.bias", "-o", out, tmp_path / "a.safetensors")
    assert done.returncode == 2 and "--force" in done.stderr
    assert graft("edit", "-n", "--skip", "*.bias", tmp_path / "a.safetensors").returncode == 0
    assert len(json.loads(graft("ls", "--json", tmp_path / "a.safetensors").stdout)["tensors"]) == 3
    done = graft("edit", tmp_path / "a.safetensors")
    assert done.returncode == 2 and "nothing to do" in done.stderr


# ---- hash ----


def test_hash_is_of_the_content(tmp_path):
    torch.save(state(), tmp_path / "a.pt")
    for name in ["b.safetensors", "c.npz", "d.pt"]:
        assert graft("cp", tmp_path / "a.pt", tmp_path / name).returncode == 0
    torch.save(dict(reversed(state().items())), tmp_path / "d.pt")
    files = [tmp_path / name for name in ["a.pt", "b.safetensors", "c.npz", "d.pt"]]
    done = graft("hash", *files)
    hashes = {line.split()[0] for line in done.stdout.splitlines()}
    if done.returncode == 2 and "nettle" in done.stderr:
        pytest.skip("this build has no nettle")
    assert done.returncode == 0 and len(hashes) == 1 and len(done.stdout.splitlines()) == 4
    torch.save({**state(), "fc1.bias": torch.zeros(5)}, tmp_path / "e.pt")
    assert graft("hash", tmp_path / "e.pt").stdout.split()[0] not in hashes
    assert graft("hash", "--expect", hashes.pop(), tmp_path / "e.pt").returncode == 1
    one = json.loads(graft("hash", "--json", "--tensors", tmp_path / "a.pt").stdout)
    assert list(one["tensors"]) == list(state())


# ---- check ----


def findings(*arguments):
    done = graft("check", "--json", *arguments)
    kinds = [f["kind"] for f in json.loads(done.stdout)["findings"]]
    assert done.returncode == (1 if kinds else 0), done.stderr
    return kinds


def test_check(tmp_path):
    torch.save(state(), tmp_path / "good.pt")
    assert findings(tmp_path / "good.pt") == []
    done = graft("check", tmp_path / "good.pt")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

    torch.save({**state(), "extra": Runs()}, tmp_path / "code.pt")
    assert findings(tmp_path / "code.pt") == ["code"]
    assert findings("--ignore", "code", tmp_path / "code.pt") == []
    assert "touch ran" in graft("check", tmp_path / "code.pt").stdout and not (tmp_path / "ran").exists()

    bad = state()
    bad["fc1.bias"][2] = float("nan")
    bad["fc2.weight"][0, 0] = float("inf")
    torch.save(bad, tmp_path / "nan.pt")
    assert findings(tmp_path / "nan.pt") == ["nan", "infinite"]
    assert findings("--quick", tmp_path / "nan.pt") == []

    base = torch.randn(100, 100)
    torch.save({"a": base[:60], "b": base[40:90]}, tmp_path / "overlap.pt")
    assert findings(tmp_path / "overlap.pt") == ["overlap"]
    torch.save({"a": base[3]}, tmp_path / "waste.pt")
    assert findings(tmp_path / "waste.pt") == ["waste"]
    assert findings("--waste", "1MB", tmp_path / "waste.pt") == []

    data = bytearray((tmp_path / "good.pt").read_bytes())
    at = data.index(state()["fc1.weight"].numpy().tobytes())
    data[at + 5] ^= 1
    (tmp_path / "flipped.pt").write_bytes(data)
    assert findings(tmp_path / "flipped.pt") == ["damaged"]
    (tmp_path / "cut.pt").write_bytes(data[: len(data) // 2])
    assert findings(tmp_path / "cut.pt") == ["damaged"]


def test_check_like(tmp_path):
    tied = torch.randn(4, 3)
    torch.save({"a": tied, "b": tied, "c": torch.zeros(2)}, tmp_path / "model.pt")
    torch.save({"a": tied, "b": tied + 1, "c": torch.zeros(3), "d": torch.zeros(1)}, tmp_path / "x.pt")
    assert sorted(findings("--like", tmp_path / "model.pt", tmp_path / "x.pt")) == ["tie", "unlike", "unlike"]
    torch.save({"a": tied, "b": tied.clone(), "c": torch.zeros(2)}, tmp_path / "y.pt")
    assert findings("--like", tmp_path / "model.pt", tmp_path / "y.pt") == []


def test_check_trouble(tmp_path):
    done = graft("check", tmp_path / "missing.pt")
    assert done.returncode == 2 and "missing.pt" in done.stderr
    torch.save(state(), tmp_path / "good.pt")
    assert graft("check", tmp_path / "missing.pt", tmp_path / "good.pt").returncode == 2
    done = graft("check", "--ignore", "nothing", tmp_path / "good.pt")
    assert done.returncode == 2 and "overlap" in done.stderr


# ---- salvage ----


def test_salvage(tmp_path):
    whole = {f"t{i}": torch.randn(1000) for i in range(10)}
    torch.save(whole, tmp_path / "whole.pt")
    data = (tmp_path / "whole.pt").read_bytes()
    (tmp_path / "cut.pt").write_bytes(data[: len(data) // 2])
    done = graft("salvage", "--json", tmp_path / "cut.pt", tmp_path / "out.pt")
    assert done.returncode == 1, done.stderr
    told, found = json.loads(done.stdout), torch.load(tmp_path / "out.pt")
    assert list(found) == told["saved"] and 3 <= len(found) <= 5
    assert all(torch.equal(value, whole[name]) for name, value in found.items())
    assert len(told["lost"]) == 10 - len(found) and all(lost["reason"] for lost in told["lost"])
    done = graft("salvage", tmp_path / "cut.pt", tmp_path / "out.pt")
    assert done.returncode == 2 and "--force" in done.stderr
    assert graft("salvage", tmp_path / "whole.pt", tmp_path / "all.safetensors").returncode == 0
    (tmp_path / "nothing").write_bytes(b"PK\x03\x04")
    assert graft("salvage", tmp_path / "nothing", tmp_path / "no.pt").returncode in (1, 2)
    assert not (tmp_path / "no.pt").exists()
