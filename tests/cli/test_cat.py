"""graft cat beside what PyTorch and numpy say of the same elements."""

import csv
import io
import json
import subprocess

import numpy as np
import pytest
import torch

from cli import COMMAND, PLAIN, graft, on_terminal, safetensors

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32,
          torch.int16, torch.int8, torch.uint8, torch.bool]


def name_of(dtype):
    return str(dtype).removeprefix("torch.")


@pytest.fixture(scope="module")
def state():
    torch.manual_seed(0)
    base = torch.randn(3, 4, 5)
    made = {"a": base, "turned": base.permute(2, 0, 1), "part": base[1:, ::2], "scalar": base[0, 0, 0],
            "row": base[0, 0], "empty": torch.zeros(2, 0, 3),
            "many": torch.arange(3000.).reshape(60, 50),
            "odd[0]": torch.arange(4), "odd": torch.arange(10, 12),
            "extremes": torch.tensor([float("nan"), float("inf"), -float("inf"), -0.0, 1e-45, 3.4e38])}
    for dtype in DTYPES:
        made[f"of.{name_of(dtype)}"] = (torch.randn(2, 3) * 100).to(dtype)
    return made


@pytest.fixture(scope="module")
def file(state, tmp_path_factory):
    file = tmp_path_factory.mktemp("cat") / "m.pt"
    torch.save(state, file)
    return file


def cat(*arguments, **options):
    done = graft("cat", *arguments, **options)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout


def npy(*arguments):
    return np.load(io.BytesIO(cat("--npy", *arguments, text=False)))


NAMES = ["a", "turned", "part", "scalar", "row", "empty", "many", "extremes",
         *(f"of.{name_of(d)}" for d in DTYPES)]


# ---- Formats ----


@pytest.mark.parametrize("name", NAMES)
def test_text_is_what_pytorch_prints(file, state, name):
    assert cat(file, name) == str(state[name]) + "\n"


@pytest.mark.parametrize("name", NAMES)
def test_npy(file, state, name):
    if state[name].dtype == torch.bfloat16:
        done = graft("cat", "--npy", file, name)
        assert (done.returncode, done.stdout) == (2, "") and "--dtype f32" in done.stderr
        assert np.array_equal(npy("--dtype", "f32", file, name), state[name].float().numpy())
        return
    found, wanted = npy(file, name), state[name].numpy()
    assert found.dtype == wanted.dtype and found.shape == wanted.shape
    assert found.tobytes() == np.ascontiguousarray(wanted).tobytes()


def test_npy_is_numpys_to_the_byte(file, state):
    for name in ("a", "row", "scalar", "many", "empty", "turned"):
        theirs = io.BytesIO()
        np.save(theirs, state[name].contiguous().numpy())
        assert cat("--npy", file, name, text=False) == theirs.getvalue()


@pytest.mark.parametrize("name", NAMES)
def test_raw(file, state, name):
    tensor = state[name].contiguous().reshape(-1)
    wanted = bytes(tensor.view(torch.uint8).numpy()) if tensor.numel() else b""
    assert cat("--format", "raw", file, name, text=False) == wanted


@pytest.mark.parametrize("name", NAMES)
def test_csv(file, state, name):
    said, tensor = cat("--format", "csv", file, name), state[name]
    rows = list(csv.reader(io.StringIO(said)))
    last = tensor.shape[-1] if tensor.dim() > 1 else 1
    assert len(rows) == (tensor.numel() // last if last else 0)
    assert all(len(row) == last for row in rows)
    texts = [text for row in rows for text in row]
    if tensor.dtype == torch.bool:
        assert [text == "True" for text in texts] == tensor.flatten().tolist()
        return
    found = torch.tensor([float(t) if tensor.is_floating_point() else int(t) for t in texts],
                         dtype=tensor.dtype if tensor.is_floating_point() else torch.int64)
    assert torch.equal(found.nan_to_num(7), tensor.flatten().to(found.dtype).nan_to_num(7))


@pytest.mark.parametrize("name", NAMES)
def test_json(file, state, name):
    one, tensor = json.loads(cat("--json", file, name)), state[name]
    assert list(one) == ["file", "name", "dtype", "shape", "data"]
    assert (one["file"], one["name"], one["shape"]) == (str(file), name, list(tensor.shape))
    if name == "extremes":
        assert one["data"][:4] == ["NaN", "Infinity", "-Infinity", 0.0]
    elif name == "empty":
        assert one["data"] == [[], []]
    else:
        assert torch.equal(torch.tensor(one["data"], dtype=tensor.dtype), tensor)


@pytest.mark.parametrize("dtype", DTYPES)
def test_conversion(file, state, dtype):
    short = {"float": "f", "bfloat": "bf", "int": "i", "uint": "u", "bool": "bool"}
    letters = name_of(dtype).rstrip("0123456789")
    for spelt in (name_of(dtype), short[letters] + name_of(dtype)[len(letters):]):
        found = cat("--dtype", spelt, "--format", "raw", file, "many[1,:9]", text=False)
        wanted = state["many"][1, :9].to(dtype)
        if dtype not in (torch.int8, torch.uint8):
            assert found == bytes(wanted.view(torch.uint8).numpy() if dtype != torch.bool
                                  else wanted.numpy())
        assert len(found) == 9 * wanted.element_size()


# ---- Slices ----


@pytest.mark.parametrize("name, slice_", [
    ("a", "[0]"), ("a", "[-1]"), ("a", "[0:2]"), ("a", "[:, 1]"), ("a", "[1:,:,2]"),
    ("a", "[0:3,:,2]"), ("a", "[-2:, :-1, -3:-1]"), ("a", "[...,0]"), ("a", "[1,...]"),
    ("a", "[1,...,2]"), ("a", "[...]"), ("a", "[1,2,3]"), ("a", "[1:1]"), ("a", "[2:1]"),
    ("a", "[:100]"), ("a", "[-100:1]"), ("a", "[ 0 : 2 , 1 ]"), ("turned", "[1:3,0]"),
    ("turned", "[:,:,-1]"), ("part", "[0,1,2:]"), ("row", "[1:]"), ("row", "[-1]"),
    ("many", "[10:20]"), ("empty", "[:,:,1]"), ("odd", "[1]"), ("of.bool", "[0,1:]"),
])
def test_slice(file, state, name, slice_):
    wanted = eval(f"t{slice_}", {"t": state[name]})
    found = npy(file, name + slice_)
    assert found.shape == tuple(wanted.shape)
    assert np.array_equal(found, wanted.numpy())


def test_a_name_with_brackets_is_a_name_first(file, state):
    assert npy(file, "odd[0]").tolist() == [0, 1, 2, 3]
    assert npy(file, "odd[0][1:3]").tolist() == [1, 2]
    assert npy(file, "odd[1]").tolist() == 11


@pytest.mark.parametrize("slice_, reason", [
    ("[3]", "index 3: expected -3 to 2"), ("[-4]", "index -4"), ("[0,0,0,0]", "4 parts for a tensor"),
    ("[0:4:2]", "expected parts"), ("[]", "expected parts"), ("[x]", "expected parts"),
    ("[1,]", "expected parts"), ("[...,...]", "expected parts"), ("[1.5]", "expected parts"),
    ("[99999999999999999999]", "expected parts"), ("[" + ",".join("0" * 12) + "]", "expected parts"),
    ("[0 0]", "expected parts"),
])
def test_wrong_slice(file, slice_, reason):
    done = graft("cat", file, "a" + slice_)
    assert (done.returncode, done.stdout) == (2, "")
    assert reason in done.stderr and done.stderr.count("\n") == 1


# ---- Files ----


def test_formats(state, tmp_path):
    some = {name: state[name].contiguous() for name in ("a", "row", "of.bfloat16")}
    safetensors(tmp_path / "m.safetensors", some)
    torch.save(some, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    np.savez(tmp_path / "m.npz", a=some["a"].numpy(), row=some["row"].numpy())
    for file in ("m.safetensors", "old.pt", "m.npz"):
        assert np.array_equal(npy(tmp_path / file, "a[1:,2]"), some["a"][1:, 2].numpy())
        assert cat(tmp_path / file, "row") == f"{some['row']}\n"
    np.save(tmp_path / "m.npy", some["a"].numpy())
    assert np.array_equal(npy(tmp_path / "m.npy"), some["a"].numpy())
    assert np.array_equal(npy(tmp_path / "m.npy", "[2,1]"), some["a"][2, 1].numpy())


def test_standard_input(file, state):
    for options in ({"stdin": open(file)}, {"input": file.read_bytes()}):
        assert cat("-", "row", text=False, **options).decode() == f"{state['row']}\n"


def test_large(tmp_path):
    """More than a piece, turned round so that pieces are needed."""
    tensor = torch.arange(3 * 1200 * 700, dtype=torch.int32).reshape(3, 1200, 700)
    torch.save({"t": tensor.permute(1, 2, 0), "u": tensor[:, :, ::7]}, tmp_path / "m.pt")
    for name, wanted in (("t", tensor.permute(1, 2, 0)), ("u", tensor[:, :, ::7])):
        assert np.array_equal(npy(tmp_path / "m.pt", name), wanted.numpy())
        assert cat("--format", "csv", tmp_path / "m.pt", f"{name}[-1,-1]") == "".join(
            f"{x}\n" for x in wanted[-1, -1].tolist())


def test_missing(file):
    for name, reason in [("b", "no tensor is called b "), ("mnay", "did you mean many?"),
                         ("manny[0]", "no tensor is called manny: did you mean many?"),
                         ("", "no tensor is called"), ("\x1b[2J", "called \\x1b[2J")]:
        done = graft("cat", file, name)
        assert (done.returncode, done.stdout) == (2, "") and reason in done.stderr
        assert "\x1b" not in done.stderr
    done = graft("cat", file.parent / "none.pt", "a")
    assert done.returncode == 2 and "none.pt: No such file" in done.stderr


def test_other_values(tmp_path):
    torch.save({"epoch": 5, "lr": 0.1, "note": "x\x1b" * 300, "opt": {"groups": [1, {"b": b"\0"}]}},
               tmp_path / "m.pt")
    assert cat(tmp_path / "m.pt", "epoch") == "5\n" and cat(tmp_path / "m.pt", "lr") == "0.1\n"
    assert cat(tmp_path / "m.pt", "note") == "'" + "x\\x1b" * 300 + "'\n"
    assert cat(tmp_path / "m.pt", "opt.groups.0") == "1\n"
    assert json.loads(cat("--json", tmp_path / "m.pt", "note"))["value"] == "x\x1b" * 300
    assert json.loads(cat("--json", tmp_path / "m.pt", "opt.groups.1.b"))["value"] == "00"
    for name, reason in [("opt", "opt is a dict"), ("opt.groups", "is a list"), ("epoch[0]", "epoch")]:
        done = graft("cat", tmp_path / "m.pt", name)
        assert (done.returncode, done.stdout) == (2, "") and reason in done.stderr
    done = graft("cat", "--npy", tmp_path / "m.pt", "epoch")
    assert (done.returncode, done.stdout) == (2, "") and "is no tensor" in done.stderr


def test_damaged(state, tmp_path):
    file = tmp_path / "m.pt"
    torch.save({"a": torch.ones(500), "b": torch.zeros(500)}, file)
    whole = bytearray(file.read_bytes())
    whole[whole.index(np.ones(500, np.float32).tobytes()) + 5] ^= 1
    file.write_bytes(whole)
    done = graft("cat", file, "a")
    assert (done.returncode, done.stdout) == (2, "") and "Checksum" in done.stderr
    assert cat(file, "b[0]") == "tensor(0.)\n"
    assert "1.0000" in cat("--no-verify", file, "a")


def test_wrong_options(file):
    for arguments, reason in [(("--dtype", "q4_0"), "--dtype q4_0: expected"),
                              (("--dtype", "x"), "--dtype x: expected"),
                              (("--format", "x"), "--format x: expected text, csv, json, npy or raw")]:
        done = graft("cat", *arguments, file, "a")
        assert (done.returncode, done.stdout) == (2, "") and reason in done.stderr


def test_bytes_are_not_for_a_terminal(file):
    for options in (("--npy",), ("--format", "raw")):
        status, said = on_terminal("cat", *options, file, "row")
        assert status == 2 and "is not for a terminal" in said and "NUMPY" not in said
    status, said = on_terminal("cat", "--format", "raw", "--force", file, "of.bool")
    assert status == 0 and len(said) == 6


def test_a_full_disk(file):
    for options in ((), ("--npy",), ("--format", "csv"), ("--json",)):
        with open("/dev/full", "w") as full:
            done = graft("cat", *options, file, "many", stdout=full)
        assert done.returncode == 2 and "could not be written" in done.stderr


def test_a_reader_that_goes(tmp_path):
    torch.save({"a": torch.zeros(2000000)}, tmp_path / "m.pt")
    for options in ("--npy", "--format=csv"):
        script = '"$0" cat "$1" "$2" a | head -c 9 >/dev/null; echo ${PIPESTATUS[0]}'
        done = subprocess.run(["bash", "-c", script, COMMAND, options, tmp_path / "m.pt"],
                              text=True, env=PLAIN, capture_output=True)
        assert (done.stdout, done.stderr) == ("141\n", "")
