"""What is got out of damaged files of torch.save."""

import itertools

import graft
import pytest
import torch
from graft import lib


def names_and_values(g, path):
    report = g.salvage(path, None)
    found = g.salvage_dict(report)
    got = {g.dict_key(found, i): g.torch(g.dict_tensor_at(found, i))
           for i in range(lib.graft_dict_len(found))}
    lost = {g.salvage_lost_name(report, i): g.salvage_lost_reason(report, i)
            for i in range(g.salvage_lost(report))}
    return got, lost


@pytest.fixture
def saved(tmp_path):
    torch.manual_seed(0)
    shared = torch.randn(50)
    want = {"a": torch.randn(100), "b": shared, "c": shared[10:20], "d": torch.arange(30),
            "e": torch.randn(7, 9).t()}
    torch.save({"model": want, "epoch": 3}, tmp_path / "whole.pt")
    data = (tmp_path / "whole.pt").read_bytes()
    ends = {name: data.index(bytes(graft.ffi.buffer(
        graft.ffi.cast("char *", t.storage().data_ptr()), t.storage().nbytes()))) +
        t.storage().nbytes() for name, t in want.items()}
    return tmp_path / "cut.pt", data, want, ends


def test_a_whole_file(g, saved):
    path, data, want, _ = saved
    path.write_bytes(data)
    got, lost = names_and_values(g, path)
    assert not lost and list(got) == [f"model.{name}" for name in want]
    assert all(torch.equal(got[f"model.{name}"], t) for name, t in want.items())


def test_a_file_that_was_cut_off_anywhere(g, saved):
    path, data, want, ends = saved
    first = min(ends.values())
    for size in itertools.chain(range(first, len(data), 97), ends.values()):
        path.write_bytes(data[:size])
        got, lost = names_and_values(g, path)
        for name, t in want.items():
            if f"model.{name}" in got:
                assert size >= ends[name]
                assert torch.equal(got[f"model.{name}"], t)
            else:
                # Behind its bytes is a descriptor of 16.
                assert size < ends[name] + 16
                assert "data/" in lost[f"model.{name}"]
        assert len(got) + len(lost) == len(want)


def test_a_storage_that_is_damaged(g, saved):
    path, data, want, ends = saved
    damaged = bytearray(data)
    damaged[ends["b"] - 3] ^= 4
    path.write_bytes(damaged)
    got, lost = names_and_values(g, path)
    assert set(lost) == {"model.b", "model.c"}
    assert all("(Checksum)" in reason for reason in lost.values())
    assert set(got) == {"model.a", "model.d", "model.e"}
    with pytest.raises(graft.GraftError, match="Checksum"):
        g.dict_tensor(g.load(path, None), "model.b")


def test_a_directory_that_is_damaged(g, saved):
    path, data, want, _ = saved
    at = data.index(b"PK\1\2")
    path.write_bytes(data[:at] + bytes(40) + data[at + 40:])
    got, lost = names_and_values(g, path)
    assert len(got) == 5 and not lost
    with pytest.raises(graft.GraftError):
        g.load(path, None)


def test_a_version_that_is_damaged(g, saved):
    path, data, want, _ = saved
    at = data.index(b"3\n", data.index(b"/version"))
    path.write_bytes(data[:at] + b"4" + data[at + 1:])
    got, lost = names_and_values(g, path)
    assert len(got) == 5 and not lost


def test_a_pickle_that_is_damaged_leaves_storages(g, saved):
    path, data, want, _ = saved
    at = data.index(b"_rebuild_tensor_v2")
    path.write_bytes(data[:at] + b"X" + data[at + 1:])
    got, lost = names_and_values(g, path)
    assert list(lost)[0] == "data.pkl" and "(Checksum)" in lost["data.pkl"]
    assert sorted(got) == ["0", "1", "2", "3"]
    assert bytes(got["0"].numpy()) == bytes(want["a"].numpy())
