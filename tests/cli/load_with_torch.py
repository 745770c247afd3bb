#!/usr/bin/python3
"""load_with_torch.py FOLDER DATA HIDDEN: what PyTorch makes of the files that `graft demo` saved.

For each of FOLDER's files a line: its name, its epoch (or -) and, in percent, how many of the test
images in DATA the network with its weights names right. safetensors is read by its published rules,
with nothing of graft.
"""

import json
import pathlib
import struct
import sys

import numpy
import torch


def read_safetensors(path):
    whole = path.read_bytes()
    (length,) = struct.unpack_from("<Q", whole)
    header = json.loads(whole[8 : 8 + length])
    header.pop("__metadata__", None)
    tensors = {}
    for name, info in header.items():
        assert info["dtype"] == "F32"
        start, end = info["data_offsets"]
        values = numpy.frombuffer(whole[8 + length + start : 8 + length + end], "<f4")
        tensors[name] = torch.from_numpy(values.reshape(info["shape"]).copy())
    return tensors


def read_idx(path):
    whole = path.read_bytes()
    sizes = struct.unpack_from(f">{whole[3]}I", whole, 4)
    values = numpy.frombuffer(whole, numpy.uint8, offset=4 + 4 * whole[3])
    return torch.from_numpy(values.reshape(sizes).copy())


def mlp(hidden, images, classes):
    model = torch.nn.Sequential()
    model.add_module("flatten", torch.nn.Flatten())
    model.add_module("fc1", torch.nn.Linear(images[0].numel(), hidden))
    model.add_module("relu", torch.nn.ReLU())
    model.add_module("fc2", torch.nn.Linear(hidden, classes))
    return model


def main():
    folder, data, hidden = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3])
    images = read_idx(data / "t10k-images-idx3-ubyte").float() / 255
    labels = read_idx(data / "t10k-labels-idx1-ubyte").long()
    checkpoint = torch.load(folder / "checkpoint.pt")
    assert list(checkpoint) == ["model", "optimizer", "epoch"]
    states = {"a.pt": torch.load(folder / "a.pt"),
              "a.safetensors": read_safetensors(folder / "a.safetensors"),
              "checkpoint.pt": checkpoint["model"]}
    for file, state in states.items():
        model = mlp(hidden, images, len(state["fc2.bias"]))
        model.load_state_dict(state)
        epoch = "-"
        if file == "checkpoint.pt":
            epoch = checkpoint["epoch"]
            torch.optim.Adam(model.parameters()).load_state_dict(checkpoint["optimizer"])
        with torch.no_grad():
            right = (model(images).argmax(1) == labels).sum().item()
        print(file, epoch, f"{100 * right / len(labels):.1f}")


if __name__ == "__main__":
    main()
