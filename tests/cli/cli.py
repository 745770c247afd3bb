"""What the tests of commands share: running graft, on a terminal too, and a folder of examples.

The build under test is $GRAFT_BUILD, or build/.
"""

import fcntl
import json
import os
import pathlib
import pty
import re
import struct
import subprocess
import termios

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("GRAFT_BUILD", "build"))
COMMAND = (ROOT / BUILD / "bin/graft").resolve()
PYTHON = "/usr/bin/python3"

PLAIN = {"PATH": os.environ["PATH"], "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}


def graft(*arguments, cwd="/", env=None, text=True, **options):
    """Runs graft; returncode, stdout and stderr of it."""
    usual = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    if "input" not in options:
        usual["stdin"] = subprocess.DEVNULL
    arguments = [a if isinstance(a, bytes) else str(a) for a in arguments]
    return subprocess.run([COMMAND, *arguments], cwd=cwd, env=PLAIN | (env or {}), text=text,
                          **(usual | options))


def skip_without(done):
    """Skips the test if what was run says that this build lacks a library."""
    lacks = re.search(r"this build of graft has no (\w+)|this build has no (\w+)", done.stderr)
    if lacks:
        pytest.skip(f"this build has no {lacks[1] or lacks[2]}")
    return done


def on_terminal(*arguments, columns=80, cwd="/", **environment):
    """Exit status and all that a terminal of this width was sent."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 24, columns, 0, 0))
    process = subprocess.Popen([COMMAND, *map(str, arguments)], cwd=cwd, env=PLAIN | environment,
                               stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    said = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # what Linux says when the last writer is gone
            break
        if not piece:
            break
        said += piece
    os.close(ours)
    return process.wait(), said.decode().replace("\r\n", "\n")


def commands():
    """The tables of all commands."""
    return json.loads(graft("help", "--json").stdout)


def safetensors(path, tensors, metadata=None):
    """Writes {name: torch tensor} by hand."""
    import torch
    names = {torch.float32: "F32", torch.float64: "F64", torch.float16: "F16",
             torch.bfloat16: "BF16", torch.int64: "I64", torch.int32: "I32", torch.int16: "I16",
             torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL"}
    header, data = {}, b""
    if metadata:
        header["__metadata__"] = metadata
    for name, tensor in tensors.items():
        raw = tensor.detach().contiguous().reshape(-1)
        raw = bytes(raw.view(torch.uint8).numpy()) if raw.numel() else b""
        header[name] = {"dtype": names[tensor.dtype], "shape": list(tensor.shape),
                        "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    pathlib.Path(path).write_bytes(struct.pack("<Q", len(text)) + text + data)


class Untrusted:
    """What Python would run."""

    def __reduce__(self):
        return os.system, ("touch ran",)


def make_examples(folder):
    """The files that the examples of help speak of. A command's own may be added here."""
    import torch
    torch.manual_seed(0)

    def model():
        return torch.nn.ModuleDict({"layers": torch.nn.ModuleList(
            [torch.nn.Linear(8, 8), torch.nn.Linear(8, 8)]), "fc": torch.nn.Linear(8, 10)})

    state = model().state_dict()
    torch.save(state, folder / "model.pt")
    safetensors(folder / "model.safetensors", state)
    torch.save({name: t + 1e-3 * (name == "fc.weight") for name, t in state.items()},
               folder / "tuned.pt")
    torch.save({f"module.{name}": t for name, t in state.items()}, folder / "wrapped.pt")
    torch.save({**state, "extra": Untrusted()}, folder / "untrusted.pt")
    whole = (folder / "model.pt").read_bytes()
    (folder / "cut.pt").write_bytes(whole[: len(whole) * 3 // 5])
