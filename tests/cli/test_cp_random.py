"""graft cp through random rules beside the same done by hand in PyTorch; and back again."""

import random
import re

import pytest
import torch

from cli import graft

ROUNDS = 25


def pattern(text):
    return re.compile("".join("(.*?)" if c == "*" else re.escape(c) for c in text), re.DOTALL)


def matches(glob, name):
    return re.fullmatch(".*".join(map(re.escape, glob.split("*"))), name, re.DOTALL) is not None


def random_state(r):
    width = r.choice([4, 6, 8])
    state = {"embed.weight": torch.randn(r.randint(5, 9), width)}
    for i in range(r.randint(1, 3)):
        for part in "qkv":
            state[f"h.{i}.attn.{part}.weight"] = torch.randn(width, width)
            state[f"h.{i}.attn.{part}.bias"] = torch.randn(width)
        state[f"h.{i}.norm.weight"] = torch.randn(width)
    state["head.weight"] = torch.randn(3, width)
    return state


def rename(state, function):
    return {function(name): value for name, value in state.items()}


def change(state, glob, function):
    return {name: function(value) if matches(glob, name) else value for name, value in state.items()}


def fuse(state):
    out = {}
    for name, value in state.items():
        part = re.fullmatch(r"(.*)\.attn\.([qkv])\.(.*)", name)
        if not part:
            out[name] = value
        elif part[2] == "q":
            out[f"{part[1]}.attn.qkv.{part[3]}"] = torch.cat(
                [state[f"{part[1]}.attn.{p}.{part[3]}"] for p in "qkv"])
    return out


FUSE = "*.attn.qkv.* 0 *.attn.q.* *.attn.k.* *.attn.v.*"

# name: arguments, what it does by hand, and the option that undoes it
STEPS = {
    "add": ("net.", lambda s: rename(s, lambda n: "net." + n), ("strip", "net.")),
    "map": ("h.* block.*", lambda s: rename(s, lambda n: re.sub(r"\Ah\.", "block.", n)), ("map", "block.* h.*")),
    "rename": (r"^h\.([0-9]+)\. 'h\1_'", lambda s: rename(s, lambda n: re.sub(r"^h\.([0-9]+)\.", r"h\1_", n)),
               ("rename", r"^h([0-9]+)_ 'h.\1.'")),
    "transpose": ("*embed.weight", lambda s: change(s, "*embed.weight", lambda t: t.T.contiguous()),
                  ("transpose", "*embed.weight")),
    "pad": ("*head.weight 0 1 2", lambda s: change(
        s, "*head.weight", lambda t: torch.nn.functional.pad(t, (0, 0, 1, 2))), ("slice", "*head.weight 0 1 -2")),
    "fuse": (FUSE, fuse, ("split", FUSE)),
    "cast": ("*norm.weight f64", lambda s: change(s, "*norm.weight", lambda t: t.double()),
             ("cast", "*norm.weight f32")),
    "slice": ("*.q.weight 1 0 3", lambda s: change(s, "*.q.weight", lambda t: t[:, :3]), None),
    "skip": ("*.bias", lambda s: {n: t for n, t in s.items() if not n.endswith(".bias")}, None),
    "resize": ("*head.weight size=5 new=zeros", lambda s: change(
        s, "*head.weight", lambda t: torch.nn.functional.pad(t[:5], (0, 0, 0, max(0, 5 - len(t))))), None),
}


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_random(tmp_path, seed):
    r = random.Random(seed)
    torch.manual_seed(seed)
    state = random_state(r)
    steps = r.sample(list(STEPS), r.randint(1, 5))
    if "rename" in steps and ("map" in steps or "fuse" in steps):  # names that the other would not find
        steps.remove("rename")
    if "slice" in steps and "fuse" in steps:  # parts of one size
        steps.remove("slice")
    expected, options, back = dict(state), [], []
    for step in steps:
        arguments, by_hand, undo = STEPS[step]
        expected = by_hand(expected)
        options += [f"--{step}", arguments]
        back.insert(0, undo)
    torch.save(state, tmp_path / "a.pt")
    done = graft("cp", *options, tmp_path / "a.pt", tmp_path / "b.safetensors")
    assert done.returncode == 0, (options, done.stderr)
    assert graft("cp", tmp_path / "b.safetensors", tmp_path / "b.pt").returncode == 0
    found = torch.load(tmp_path / "b.pt")
    assert sorted(found) == sorted(expected), options
    for name, value in expected.items():
        assert found[name].dtype == value.dtype and torch.equal(found[name], value), (options, name)
    if None in back:
        return
    undo = [word for rule, arguments in back for word in (f"--{rule}", arguments)]
    done = graft("cp", *undo, tmp_path / "b.pt", tmp_path / "c.pt")
    assert done.returncode == 0, (undo, done.stderr)
    again = torch.load(tmp_path / "c.pt")
    assert sorted(again) == sorted(state) and all(torch.equal(again[n], t) for n, t in state.items()), (options, undo)
