"""graft cp: between formats, through rules, into a model, as a delta."""

import json
import os
import signal
import subprocess
import time

import pytest
import torch

from cli import COMMAND, PLAIN, graft, safetensors, skip_without


def state(seed=0, **shapes):
    torch.manual_seed(seed)
    shapes = shapes or {"fc1.weight": (5, 4), "fc1.bias": (5,), "fc2.weight": (3, 5)}
    return {name.replace("__", "."): torch.randn(shape) for name, shape in shapes.items()}


def check_equal(path, expected, folder):
    """Whether a file of any format holds these tensors, by PyTorch's eyes. safetensors has an order
    of its own."""
    if path.suffix != ".pt":
        pt = folder / "as.pt"
        assert graft("cp", "-f", path, pt).returncode == 0
        path = pt
    found = torch.load(path)
    assert sorted(found) == sorted(expected)
    for name, value in expected.items():
        assert found[name].dtype == value.dtype and torch.equal(found[name], value), name


@pytest.mark.parametrize("to", ["pt", "safetensors", "npz"])
@pytest.mark.parametrize("source", ["pt", "safetensors", "npz"])
def test_between_formats(tmp_path, source, to):
    expected = state()
    torch.save(expected, tmp_path / "a.pt")
    first, second = tmp_path / f"b.{source}", tmp_path / f"c.{to}"
    assert graft("cp", tmp_path / "a.pt", first).returncode == 0
    done = graft("cp", first, second)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    check_equal(second, expected, tmp_path)


def test_format_goes_before_the_extension(tmp_path):
    torch.save(state(), tmp_path / "a.pt")
    assert graft("cp", "--format", "safetensors", tmp_path / "a.pt", tmp_path / "b.pt").returncode == 0
    assert json.loads(graft("ls", "--json", tmp_path / "b.pt").stdout)["format"] == "safetensors"
    done = graft("cp", tmp_path / "a.pt", tmp_path / "b.unknown")
    assert done.returncode == 2 and "b.unknown" in done.stderr
    assert not (tmp_path / "b.unknown").exists()


def test_all_values_of_a_checkpoint(tmp_path):
    model = torch.nn.Linear(3, 2)
    adam = torch.optim.Adam(model.parameters())
    model(torch.ones(1, 3)).sum().backward()
    adam.step()
    torch.save({"epoch": 7, "model": model.state_dict(), "adam": adam.state_dict()}, tmp_path / "a.pt")
    assert graft("cp", tmp_path / "a.pt", tmp_path / "b.pt").returncode == 0
    whole = torch.load(tmp_path / "b.pt")
    assert whole["epoch"] == 7 and list(whole) == ["epoch", "model", "adam"]
    adam.load_state_dict(whole["adam"])

    done = graft("cp", tmp_path / "a.pt", tmp_path / "b.safetensors")
    assert done.returncode == 0 and "left out" in done.stderr
    names = [t["name"] for t in json.loads(graft("ls", "--json", tmp_path / "b.safetensors").stdout)["tensors"]]
    assert "model.weight" in names and "adam.state.0.exp_avg" in names

    assert graft("cp", "--root", "model", tmp_path / "a.pt", tmp_path / "c.pt").returncode == 0
    check_equal(tmp_path / "c.pt", model.state_dict(), tmp_path)
    done = graft("cp", "--root", "nothing", tmp_path / "a.pt", tmp_path / "d.pt")
    assert done.returncode == 2 and "nothing" in done.stderr and not (tmp_path / "d.pt").exists()


def test_ties_and_views_stay(tmp_path):
    weight = torch.randn(6, 4)
    torch.save({"a": weight, "b": weight, "c": weight[2:4]}, tmp_path / "a.pt")
    for rules in [(), ("--add", "m.")]:
        assert graft("cp", "-f", *rules, tmp_path / "a.pt", tmp_path / "b.pt").returncode == 0
        a, b, c = torch.load(tmp_path / "b.pt").values()
        assert torch.equal(a, weight) and torch.equal(c, weight[2:4])
        assert a.data_ptr() == b.data_ptr() and c.storage().data_ptr() == a.storage().data_ptr()


def test_does_not_overwrite(tmp_path):
    torch.save(state(0), tmp_path / "a.pt")
    torch.save(state(1), tmp_path / "b.pt")
    before = (tmp_path / "b.pt").read_bytes()
    done = graft("cp", tmp_path / "a.pt", tmp_path / "b.pt")
    assert done.returncode == 2 and "--force" in done.stderr
    assert (tmp_path / "b.pt").read_bytes() == before
    assert graft("cp", "--force", tmp_path / "a.pt", tmp_path / "b.pt").returncode == 0
    check_equal(tmp_path / "b.pt", state(0), tmp_path)
    assert graft("cp", "-f", "--cast", "* f16", tmp_path / "b.pt", tmp_path / "b.pt").returncode == 0
    check_equal(tmp_path / "b.pt", {k: v.half() for k, v in state(0).items()}, tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["a.pt", "b.pt"]


def test_rules_in_order(tmp_path):
    torch.save(state(), tmp_path / "a.pt")
    (tmp_path / "rules").write_text("# names\nrename ^x\\.fc(.)\\. 'y.layer\\1.'\n")
    done = graft("cp", "--add", "x.", "--rules", tmp_path / "rules", "--skip", "*.bias", "--transpose",
                 "*.weight", tmp_path / "a.pt", tmp_path / "b.pt")
    assert done.returncode == 0, done.stderr
    a = state()
    check_equal(tmp_path / "b.pt", {"y.layer1.weight": a["fc1.weight"].T.contiguous(),
                                    "y.layer2.weight": a["fc2.weight"].T.contiguous()}, tmp_path)
    done = graft("cp", "--slice", "fc1.weight 3 0 1", tmp_path / "a.pt", tmp_path / "c.pt")
    assert done.returncode == 2 and "fc1.weight" in done.stderr and not (tmp_path / "c.pt").exists()
    done = graft("cp", "--rename", "(", tmp_path / "a.pt", tmp_path / "c.pt")
    assert done.returncode == 2 and "rename" in done.stderr


def test_into_a_model(tmp_path):
    torch.save(state(0), tmp_path / "a.pt")
    model = {**state(1), "fc3.bias": torch.ones(2)}
    torch.save(model, tmp_path / "m.pt")
    into = ("--into", tmp_path / "m.pt", tmp_path / "a.pt", tmp_path / "out.pt")
    assert graft("cp", *into).returncode == 0
    check_equal(tmp_path / "out.pt", {**state(0), "fc3.bias": torch.ones(2)}, tmp_path)
    os.unlink(tmp_path / "out.pt")
    done = graft("cp", "--strict", *into)
    assert done.returncode == 1 and "fc3.bias" in done.stderr and not (tmp_path / "out.pt").exists()
    done = graft("cp", "--max-initial", "1", *into)
    assert done.returncode == 0
    torch.save({**model, "fc2.weight": torch.ones(4, 5)}, tmp_path / "m.pt")
    os.unlink(tmp_path / "out.pt")
    done = graft("cp", *into)
    assert done.returncode == 1 and "[4, 5]" in done.stderr and "[3, 5]" in done.stderr
    assert not (tmp_path / "out.pt").exists()


def test_into_a_training_checkpoint(tmp_path):
    torch.save(state(0), tmp_path / "a.pt")
    torch.save({"epoch": 3, "model": state(1)}, tmp_path / "m.pt")
    done = graft("cp", "--add", "model.", "--into", tmp_path / "m.pt", tmp_path / "a.pt", tmp_path / "out.pt")
    assert done.returncode == 0, done.stderr
    out = torch.load(tmp_path / "out.pt")
    assert out["epoch"] == 3
    assert all(torch.equal(out["model"][name], value) for name, value in state(0).items())


def test_dry_run(tmp_path):
    torch.save({"module." + name: value for name, value in state().items()}, tmp_path / "a.pt")
    torch.save(state(1), tmp_path / "m.pt")
    command = ("cp", "--dry-run", "--strict", "--into", tmp_path / "m.pt", tmp_path / "a.pt", tmp_path / "b.pt")
    done = graft(*command)
    assert done.returncode == 1 and "strip module." in done.stdout
    plan = json.loads(graft(*command, "--json").stdout)
    assert [t["action"] for t in plan["targets"]] == ["initial"] * 3
    assert [s["use"] for s in plan["sources"]] == ["left"] * 3
    assert plan["suggestions"][0]["rule"] == "strip module."
    done = graft(*command, "--strip", "module.", "--json")
    assert done.returncode == 0
    plan = json.loads(done.stdout)
    assert {t["action"] for t in plan["targets"]} == {"copied"}
    assert plan["rules"] == [{"rule": "strip module.", "matches": 3}]
    assert not (tmp_path / "b.pt").exists()


def test_casts_tell_what_they_lose(tmp_path):
    torch.save({"x": torch.tensor([1.0, 1e30, 0.1])}, tmp_path / "a.pt")
    done = graft("cp", "--json", "--cast", "* f16", tmp_path / "a.pt", tmp_path / "b.pt")
    entry = json.loads(done.stdout)["targets"][0]
    assert done.returncode == 0 and entry["overflows"] == 1
    done = graft("cp", "-f", "--cast", "* f16", tmp_path / "a.pt", tmp_path / "b.pt")
    assert "x: 1 elements" in done.stderr


def test_shards(tmp_path):
    expected = state(a=(300, 10), b=(300, 10), c=(300, 10))
    torch.save(expected, tmp_path / "a.pt")
    done = graft("cp", "--shards", "20kB", tmp_path / "a.pt", tmp_path / "s.safetensors")
    assert done.returncode == 0, done.stderr
    index = tmp_path / "s.safetensors.index.json"
    assert index.exists() and len(list(tmp_path.glob("s-0*.safetensors"))) == 3
    assert graft("cp", index, tmp_path / "b.pt").returncode == 0
    check_equal(tmp_path / "b.pt", expected, tmp_path)


def test_metadata_goes_along(tmp_path):
    safetensors(tmp_path / "a.safetensors", state(), {"format": "pt", "author": "me"})
    done = skip_without(graft("cp", "--hash", tmp_path / "a.safetensors", tmp_path / "b.safetensors"))
    assert done.returncode == 0
    assert graft("cp", tmp_path / "b.safetensors", tmp_path / "c.safetensors").returncode == 0
    assert (tmp_path / "a.safetensors").read_bytes()[8:40].count(b"__metadata__") == 1
    head = (tmp_path / "c.safetensors").read_bytes()[:400]
    assert b'"author":"me"' in head and b"graft." not in head


def test_deltas(tmp_path):
    base = state(a=(400, 10), b=(400, 10), c=(4,))
    tuned = {**base, "b": base["b"] + 1}
    torch.save(base, tmp_path / "base.pt")
    torch.save(tuned, tmp_path / "tuned.pt")
    delta = tmp_path / "d.safetensors"
    done = skip_without(graft("cp", "--delta", tmp_path / "base.pt", tmp_path / "tuned.pt", delta))
    assert done.returncode == 0, done.stderr
    assert delta.stat().st_size < 20000
    done = graft("cp", delta, tmp_path / "out.pt")
    assert done.returncode == 2 and "base.pt" in done.stderr
    assert graft("cp", "--base", tmp_path / "base.pt", delta, tmp_path / "out.pt").returncode == 0
    check_equal(tmp_path / "out.pt", tuned, tmp_path)
    done = graft("cp", "--base", tmp_path / "tuned.pt", delta, tmp_path / "out2.pt")
    assert done.returncode == 2 and not (tmp_path / "out2.pt").exists()


def test_streams(tmp_path):
    torch.save(state(), tmp_path / "a.pt")
    data = (tmp_path / "a.pt").read_bytes()
    done = graft("cp", "--format", "safetensors", "-", "-", input=data, text=False)
    assert done.returncode == 0
    (tmp_path / "b.safetensors").write_bytes(done.stdout)
    check_equal(tmp_path / "b.safetensors", state(), tmp_path)
    done = graft("cp", tmp_path / "a.pt", "-")
    assert done.returncode == 2 and "--format" in done.stderr
    with open("/dev/full", "w") as full:
        done = graft("cp", "--format", "pt", tmp_path / "a.pt", "-", stdout=full)
    assert done.returncode == 2


@pytest.mark.parametrize("source", ["missing.pt", "folder", "empty", "text"])
def test_bad_sources(tmp_path, source):
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "text").write_text("This is no checkpoint.\n")
    done = graft("cp", tmp_path / source, tmp_path / "out.pt")
    assert done.returncode == 2 and source in done.stderr and not (tmp_path / "out.pt").exists()


def test_interrupted(tmp_path):
    """^C leaves neither the file nor a part of it."""
    torch.save({f"t{i}": torch.zeros(1 << 20) for i in range(100)}, tmp_path / "a.pt")
    for wait in [0.01, 0.05, 0.1]:
        child = subprocess.Popen([COMMAND, "cp", tmp_path / "a.pt", tmp_path / "b.pt"], env=PLAIN,
                                 stderr=subprocess.PIPE)
        time.sleep(wait)
        child.send_signal(signal.SIGINT)
        child.communicate()
        left = sorted(os.listdir(tmp_path))
        assert left == (["a.pt", "b.pt"] if child.returncode == 0 else ["a.pt"])
        if child.returncode == 0:
            os.unlink(tmp_path / "b.pt")
        else:
            assert child.returncode in (130, -signal.SIGINT)


def test_an_optimizer_with_groups(tmp_path):
    """Its order is not the model's: the names say which is which."""
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.LayerNorm(4), torch.nn.Linear(4, 4))
    decay = [name for name, p in model.named_parameters() if p.ndim > 1]
    rest = [name for name, p in model.named_parameters() if p.ndim == 1]
    byname = dict(model.named_parameters())
    adam = torch.optim.AdamW([{"params": [byname[n] for n in decay], "weight_decay": 0.1},
                              {"params": [byname[n] for n in rest], "weight_decay": 0.0}])
    model(torch.randn(3, 4)).square().sum().backward()
    adam.step()
    torch.save({"model": model.state_dict(), "adam": adam.state_dict()}, tmp_path / "a.pt")
    command = ("cp", "--root", "model", "--optimizer", "adam", "--pad", "0.bias 0 0 2", tmp_path / "a.pt",
               tmp_path / "b.pt")
    done = graft(*command)
    assert done.returncode == 2 and "order" in done.stderr and not (tmp_path / "b.pt").exists()
    (tmp_path / "names").write_text("\n".join(decay + rest) + "\n")
    done = graft(*command, "--optimizer-names", tmp_path / "names")
    assert done.returncode == 0, done.stderr
    before, after = adam.state_dict(), torch.load(tmp_path / "b.pt")["adam"]
    assert [g["weight_decay"] for g in after["param_groups"]] == [0.1, 0.0]
    assert [g["param_names"] for g in after["param_groups"]] == [decay, rest]
    for position, name in enumerate(decay + rest):
        old, new = before["state"][position]["exp_avg"], after["state"][position]["exp_avg"]
        assert torch.equal(new[:4], old) and (name != "0.bias" or not new[4:].any())
    for bad in ["missing", "names2"]:
        (tmp_path / "names2").write_text("nobody\n")
        os.unlink(tmp_path / "b.pt") if (tmp_path / "b.pt").exists() else None
        done = graft(*command, "--optimizer-names", tmp_path / bad)
        assert done.returncode == 2 and not (tmp_path / "b.pt").exists()


def test_nothing_is_refused(tmp_path):
    """Where nothing meets, or nothing is left, nothing is written."""
    torch.save(state(), tmp_path / "a.pt")
    torch.save({"other.x": torch.ones(7)}, tmp_path / "m.pt")
    for command in [("--into", tmp_path / "m.pt"), ("--take", "zzz*")]:
        done = graft("cp", *command, tmp_path / "a.pt", tmp_path / "out.pt")
        assert done.returncode == 1 and done.stderr and not (tmp_path / "out.pt").exists(), command
    done = graft("cp", "--shards", "1MB", tmp_path / "a.pt", tmp_path / "out.pt")
    assert done.returncode == 2 and "safetensors" in done.stderr and not (tmp_path / "out.pt").exists()
    torch.save({}, tmp_path / "empty.pt")
    assert graft("cp", tmp_path / "empty.pt", tmp_path / "out.pt").returncode == 0


def test_a_module_pickled_whole(tmp_path):
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    torch.save(model, tmp_path / "whole.pt")
    torch.save({"epoch": 1, "net": model}, tmp_path / "nested.pt")
    torch.save(model.state_dict(), tmp_path / "state.pt")
    assert graft("cp", tmp_path / "whole.pt", tmp_path / "a.safetensors").returncode == 0
    check_equal(tmp_path / "a.safetensors", model.state_dict(), tmp_path)
    assert graft("cp", "--root", "net", tmp_path / "nested.pt", tmp_path / "b.pt").returncode == 0
    check_equal(tmp_path / "b.pt", model.state_dict(), tmp_path)
    assert graft("diff", tmp_path / "whole.pt", tmp_path / "state.pt").returncode == 0
    assert graft("diff", "--add", "net.", tmp_path / "state.pt", tmp_path / "nested.pt").returncode in (0, 1)
    done = graft("cp", tmp_path / "state.pt", tmp_path, "--format", "pt", "-f")
    assert done.returncode == 2 and "folder" in done.stderr
