"""graft diff: what it prints, what it exits with, and what it refuses."""

import json

import numpy as np
import pytest
import torch

from cli import graft, make_examples, on_terminal, safetensors


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("diff")
    make_examples(made)
    torch.manual_seed(1)
    w = torch.randn(4, 5)
    torch.save({"same": w, "changed": w.clone(), "type": w.clone(), "form": w.clone(), "gone": w.clone(),
                "epoch": 3, "p": w, "q": w}, made / "a.pt")
    other = w.clone()
    other[2, 3] += 0.5
    torch.save({"same": w, "changed": other, "type": w.half(), "form": w.reshape(5, 4), "new": w.clone(), "epoch": 4,
                "p": w, "q": w.clone()}, made / "b.pt")
    return made


def diff(*arguments, status=1, **options):
    done = graft("diff", *arguments, **options)
    assert (done.returncode, done.stderr) == (status, ""), done
    return done.stdout


def objects(*arguments, **options):
    return json.loads(diff("--json", *arguments, **options))


def test_equal(folder):
    assert diff("model.pt", "model.safetensors", status=0, cwd=folder) == "6 equal\n"
    one = objects("model.pt", "model.safetensors", status=0, cwd=folder)
    assert one["equal"] and one["entries"] == [] and one["counts"]["equal"] == 6
    assert diff("--quiet", "model.pt", "model.pt", status=0, cwd=folder) == ""


def test_every_kind(folder):
    lines = diff("a.pt", "b.pt", cwd=folder).splitlines()
    words = {line.split()[1]: line for line in lines[:-2]}
    assert {name: line.split()[0] for name, line in words.items()} == {
        "same": "ties", "changed": "changed", "type": "dtype", "form": "shape", "gone": "missing",
        "epoch": "changed", "p": "ties", "q": "ties", "new": "extra"}
    assert "1 of 20, max 0.5, rel" in words["changed"]
    assert "f32 [4, 5] -> f16 [4, 5]" in words["type"]
    assert "f32 [4, 5] -> f32 [5, 4]" in words["form"]
    assert words["epoch"].endswith("3 in a, 4 in b")
    assert "tied with same, p in a only" in words["q"]
    assert lines[-1] == "2 changed, 1 dtype, 1 shape, 1 missing, 1 extra, 3 ties"


def test_json_is_what_numpy_says(folder):
    one = objects("--all", "a.pt", "b.pt", cwd=folder)
    assert (one["a"], one["b"], one["equal"]) == ("a.pt", "b.pt", False)
    entries = {entry["name"]: entry for entry in one["entries"]}
    a, b = (torch.load(folder / name) for name in ("a.pt", "b.pt"))
    assert list(entries) == [*a, "new"]
    x, y = (side["changed"].double().numpy() for side in (a, b))
    got = entries["changed"]
    assert got["a"] == got["b"] == {"dtype": "f32", "shape": [4, 5], "bytes": 80}
    numbers = got["numbers"]
    assert (numbers["elements"], numbers["changed"], numbers["rows_changed"]) == (20, 1, 1)
    assert (numbers["first_changed"], got["rows"]) == (13, [2])
    np.testing.assert_allclose(
        [numbers[name] for name in ("max_abs", "rms", "mean_abs", "norm_a", "norm_b", "cosine")],
        [np.abs(x - y).max(), np.sqrt(((x - y) ** 2).mean()), np.abs(x - y).mean(), np.linalg.norm(x),
         np.linalg.norm(y), (x * y).sum() / np.linalg.norm(x) / np.linalg.norm(y)], rtol=1e-12)
    assert entries["gone"]["b"] is None and entries["gone"]["numbers"] is None
    assert entries["epoch"]["a"] is None and entries["epoch"]["note"] == "3 in a, 4 in b"


def test_rows(tmp_path):
    safetensors(tmp_path / "a", {"t": torch.zeros(50, 2)})
    safetensors(tmp_path / "b", {"t": torch.ones(50, 2)})
    for arguments, count in [((), 16), (("--rows", 3), 3), (("--rows", 0), 0), (("--rows", 99), 50)]:
        assert objects(*arguments, "a", "b", cwd=tmp_path)["entries"][0]["rows"] == list(range(count))


def test_tolerances(folder):
    assert diff("--atol", 1e-4, "model.pt", "tuned.pt", cwd=folder) != ""
    assert diff("--atol", 0.01, "model.pt", "tuned.pt", status=0, cwd=folder) == "6 equal\n"
    assert diff("--rtol", 1e9, "model.pt", "tuned.pt", status=0, cwd=folder) == "6 equal\n"


def test_rules(folder):
    assert diff("--strip", "module.", "wrapped.pt", "model.pt", status=0, cwd=folder) == "6 equal\n"
    out = diff("wrapped.pt", "model.pt", cwd=folder)
    assert out.endswith("6 missing, 6 extra\n")
    (folder / "rules.txt").write_text("strip module.\nskip layers.*\n")
    out = diff("--rules", "rules.txt", "wrapped.pt", "model.pt", cwd=folder)
    assert out.endswith("\n2 equal, 4 extra\n")


def test_stat(folder, tmp_path):
    lines = diff("--stat", "a.pt", "b.pt", cwd=folder).splitlines()
    assert any(line.split() == ["changed", "changed", "5%", "#"] for line in lines)
    assert any(line.split() == ["missing", "gone", "100%", "#" * 20] for line in lines)


def test_quiet(folder):
    assert diff("--quiet", "a.pt", "b.pt", cwd=folder) == ""
    assert objects("--quiet", "a.pt", "b.pt", cwd=folder)["counts"]["changed"] == 2


def test_bare_values_and_standard_input(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(5.0))
    np.save(tmp_path / "b.npy", np.arange(5.0) + [0, 0, 1, 0, 0])
    with open(tmp_path / "b.npy", "rb") as file:
        out = diff(tmp_path / "a.npy", "-", stdin=file)
    assert out.startswith("changed  (the value)  f64 [5]")
    assert out == diff(tmp_path / "a.npy", tmp_path / "b.npy")


def test_colours(folder):
    status, said = on_terminal("diff", "a.pt", "b.pt", cwd=folder)
    assert status == 1 and "\x1b[" in said
    assert "\x1b" not in diff("a.pt", "b.pt", cwd=folder)


def test_names_are_shown_safely(tmp_path):
    torch.save({"a\x1b[31m\n": torch.ones(1)}, tmp_path / "a.pt")
    torch.save({}, tmp_path / "b.pt")
    assert "a\\x1b[31m\\n" in diff("a.pt", "b.pt", cwd=tmp_path)


@pytest.mark.parametrize("arguments, said", [
    (("a.pt",), "expected A B"), (("a.pt", "no.pt"), "no.pt"), (("--json", "--stat", "a.pt", "b.pt"), "--name-only and --json"),
    (("--rtol", "-1", "a.pt", "b.pt"), "rtol"), (("--rename", "(", "a.pt", "b.pt"), "rename")])
def test_trouble(folder, arguments, said):
    done = graft("diff", *arguments, cwd=folder)
    assert done.returncode == 2 and done.stdout == "" and said in done.stderr, done


def test_damage_is_told(tmp_path):
    torch.save({"some.weight": torch.arange(1000.0)}, tmp_path / "a.pt")
    raw = bytearray((tmp_path / "a.pt").read_bytes())
    raw[raw.find(np.float32(999).tobytes())] ^= 1
    (tmp_path / "b.pt").write_bytes(raw)
    done = graft("diff", "a.pt", "b.pt", cwd=tmp_path)
    assert done.returncode == 2 and done.stdout == ""
    assert "b.pt" in done.stderr and "some.weight" in done.stderr
