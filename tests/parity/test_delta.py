"""Delta checkpoints of models that torch saved, and their files by the rules of safetensors."""

import json

import graft
import numpy
import pytest
import safetensors_file
import torch
from graft import ffi, lib


def model(seed, **changes):
    generator = torch.Generator().manual_seed(seed)
    made = {"emb.weight": torch.randn(300, 40, generator=generator),
            "long": torch.randn(200001, generator=generator),
            "half": torch.randn(7, 3, generator=generator).half(),
            "steps": torch.tensor(5), "none": torch.zeros(0, 3),
            "mask": torch.tensor([True, False])}
    made["head.weight"] = made["emb.weight"]
    made["turned"] = made["emb.weight"].t()
    made.update(changes)
    return {name: tensor for name, tensor in made.items() if tensor is not None}


def load(g, path, tensors):
    torch.save(tensors, path)
    return g.load(path, None)


def contents(g, d):
    return {g.dict_key(d, i): g.torch(g.dict_tensor_at(d, i)) for i in range(g.dict_len(d))}


CHANGES = {
    "nothing": {},
    "a bit": {"long": model(0)["long"].index_add(0, torch.tensor([200000]), torch.tensor([1e-7]))},
    "dtype": {"half": model(0)["half"].float()},
    "shape": {"half": model(0)["half"].reshape(3, 7)},
    "added": {"b.new": torch.ones(4), "a.new": torch.zeros(())},
    "removed": {"emb.weight": None, "steps": None},
    "negative zero": {"none": model(0)["none"], "steps": torch.tensor(6), "zero": -torch.zeros(2)},
    "all": {name: (tensor.double() + 1).to(tensor.dtype) for name, tensor in model(0).items()
            if tensor.dtype != torch.bool},
}


@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES)
def test_round(g, tmp_path, changes):
    before, after = model(0), model(0, **changes)
    base, whole = load(g, tmp_path / "base.pt", before), load(g, tmp_path / "whole.pt", after)
    path = tmp_path / "delta.safetensors"
    g.save_delta(path, whole, base, "base.pt", None, None)
    c = g.checkpoint_open(path, None)
    assert g.delta_base(c) == "base.pt"
    got = contents(g, g.load_delta(c, base))
    assert list(got) == list(after)
    for name, tensor in after.items():
        assert got[name].dtype == tensor.dtype
        assert torch.equal(got[name], tensor)

    # A plain file of exactly what differs.
    tensors, metadata = safetensors_file.load(path.read_bytes())
    differ = {n for n, t in after.items() if n not in before or t.dtype != before[n].dtype
              or t.shape != before[n].shape or not torch.equal(t, before[n])}
    assert set(tensors) == differ
    assert json.loads(metadata["graft.delta.names"]) == list(after)
    assert json.loads(metadata["graft.delta.removed"]) == [n for n in before if n not in after]
    assert metadata["graft.delta"] == "1"


def test_base_in_another_format(g, tmp_path):
    """What counts is the content."""
    base = load(g, tmp_path / "base.pt", model(0))
    whole = load(g, tmp_path / "whole.pt", model(0, steps=torch.tensor(7)))
    g.save(tmp_path / "base.safetensors", base)
    g.save_delta(tmp_path / "delta.safetensors", whole, base, "base", None, None)
    c = g.checkpoint_open(tmp_path / "delta.safetensors", None)
    other = g.load(tmp_path / "base.safetensors", None)
    got = contents(g, g.load_delta(c, other))
    assert int(got["steps"]) == 7
    with pytest.raises(graft.GraftError, match="not the base that the delta was made from .'base'."):
        g.load_delta(c, whole)


def test_metadata(g, tmp_path):
    """The caller's stays; that of an older delta goes."""
    base = load(g, tmp_path / "base.pt", model(0))
    given = g.dict_new()
    for key, value in {"note": "tuned", "graft.delta.base": "old", "graft.deltas": "kept"}.items():
        g.dict_set_string(given, key, value)
    options = graft.options("write", metadata=given)
    report = ffi.new("graft_write_report *")
    path = tmp_path / "delta.safetensors"
    g.save_delta(path, base, base, "new \"ü\"", options, report)
    assert report.tensors == 0
    _, metadata = safetensors_file.load(path.read_bytes())
    assert metadata["note"] == "tuned"
    assert metadata["graft.deltas"] == "kept"
    assert g.delta_base(g.checkpoint_open(path, None)) == "new \"ü\""


def test_whole_that_was_not_saved(g, tmp_path):
    """A delta whose names or tensors were changed by someone who keeps the format's rules."""
    base = load(g, tmp_path / "base.pt", model(0))
    whole = load(g, tmp_path / "whole.pt", model(0, steps=torch.tensor(7)))
    path = tmp_path / "delta.safetensors"
    g.save_delta(path, whole, base, "base", None, None)
    tensors, metadata = safetensors_file.load(path.read_bytes())
    for key in ("graft.sha256", "graft.sha256.tensors"):
        del metadata[key]

    def refused(match, change_tensors=lambda t: t, **changes):
        changed = {**metadata, **{k.replace("_", "."): v for k, v in changes.items()}}
        changed = {k: v for k, v in changed.items() if v is not None}
        made = {n: (t[0], t[1], bytes(t[2])) for n, t in tensors.items()}
        path.write_bytes(safetensors_file.dump(change_tensors(made), changed))
        c = g.checkpoint_open(path, None)
        with pytest.raises(graft.GraftError, match=match):
            g.load_delta(c, base)

    names = json.loads(metadata["graft.delta.names"])
    refused("content hash", lambda t: {"steps": ("I64", (), bytes(8))})
    refused("content hash", graft_delta_names=json.dumps(names[:-1]))
    refused("twice", graft_delta_names=json.dumps(names + names[:1]))
    refused("neither it nor its base has 'x'", graft_delta_names=json.dumps(names + ["x"]))
    refused("which it doesn't list",
            graft_delta_names=json.dumps([n for n in names if n != "steps"]))
    for broken in ("", "[", "{}", "[1]", "[\"a\"", "[] []"):
        refused("JSON array|neither", graft_delta_names=broken)
    refused("has no graft.delta.names", graft_delta_names=None)
    refused("has no graft.delta.sha256", graft_delta_sha256=None)
    refused("version '2'", graft_delta="2")
