"""The data in the tree is what the script cuts out of the original."""

import gzip
import struct
from collections import Counter

import pytest
from conftest import ROOT

KEPT = ROOT / "data/fashion-mnist"


def test_again(tmp_path, run):
    original = "/usr/share/datasets/fashion-mnist"
    assert run("scripts/make-fashion-subset", original, tmp_path) == (0, "")
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    kept = {path.name: path.read_bytes() for path in KEPT.glob("*.gz")}
    assert made.keys() == kept.keys()
    assert all(made[name] == kept[name] for name in kept)


@pytest.mark.parametrize("part, count", [("train", 2500), ("t10k", 500)])
def test_content(part, count):
    images = gzip.decompress((KEPT / f"{part}-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((KEPT / f"{part}-labels-idx1-ubyte.gz").read_bytes())
    assert struct.unpack_from(">4I", images) == (0x803, count, 28, 28)
    assert struct.unpack_from(">2I", labels) == (0x801, count)
    assert len(images) == 16 + count * 784 and len(labels) == 8 + count
    assert set(Counter(labels[8:]).values()) == {count // 10}


def small(folder, labels):
    for part in ("train", "t10k"):
        pixels = bytes(range(len(labels)))
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(
            gzip.compress(struct.pack(">4I", 0x803, len(labels), 1, 1) + pixels))
        (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(
            gzip.compress(struct.pack(">2I", 0x801, len(labels)) + bytes(labels)))


def test_refuses(tmp_path, run):
    small(tmp_path, [0, 1, 2])
    status, said = run("scripts/make-fashion-subset", tmp_path, tmp_path / "out")
    assert status == 1 and "too few images" in said
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(b"\0\0\x08\x01\0\0\0\x09."))
    status, said = run("scripts/make-fashion-subset", tmp_path, tmp_path / "out")
    assert status == 1 and "train-labels-idx1-ubyte.gz: not the idx file" in said
