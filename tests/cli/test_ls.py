"""graft ls beside what PyTorch and numpy say of the same files."""

import json
import os
import re
import subprocess

import numpy as np
import pytest
import torch

from cli import COMMAND, PLAIN, graft, on_terminal, safetensors

SHORT = {torch.float32: "f32", torch.float64: "f64", torch.float16: "f16", torch.bfloat16: "bf16",
         torch.int64: "i64", torch.int32: "i32", torch.int16: "i16", torch.int8: "i8",
         torch.uint8: "u8", torch.bool: "bool", torch.complex64: "c64", torch.complex128: "c128"}


def state():
    """Tensors of all dtypes and odd shapes."""
    torch.manual_seed(0)
    made = {"layers.0.weight": torch.randn(3, 4), "layers.0.bias": torch.randn(3),
            "layers.10.weight": torch.randn(2, 3, 1), "layers.2.weight": torch.randn(5),
            "empty": torch.zeros(0, 7), "scalar": torch.tensor(3)}
    for dtype in SHORT:
        if not dtype.is_complex:
            made[f"of.{SHORT[dtype]}"] = torch.ones(2, 2, dtype=dtype)
    return made


def objects(*arguments, status=0, **options):
    done = graft("ls", "--json", *arguments, **options)
    assert done.returncode == status, done.stderr
    if status == 0:
        assert done.stderr == ""
    return [json.loads(line) for line in done.stdout.splitlines()]


def listed(*arguments, **options):
    one, = objects(*arguments, **options)
    assert set(one) == {"file", "format", "tensors", "findings"}
    for tensor in one["tensors"]:
        assert list(tensor) == ["name", "dtype", "shape", "bytes", "storage"]
    return one


def expected(tensors):
    return [{"name": name, "dtype": SHORT[t.dtype], "shape": list(t.shape),
             "bytes": t.numel() * t.element_size()} for name, t in tensors.items()]


def without_storage(tensors):
    return [{key: t[key] for key in t if key != "storage"} for t in tensors]


# ---- Formats ----


def write_pt(path, tensors):
    torch.save(tensors, path)


def write_legacy(path, tensors):
    torch.save(tensors, path, _use_new_zipfile_serialization=False)


def write_npz(path, tensors):
    with open(path, "wb") as file:
        np.savez(file, **{name: t.numpy() for name, t in tensors.items()})


def write_npz_deflated(path, tensors):
    with open(path, "wb") as file:
        np.savez_compressed(file, **{name: t.numpy() for name, t in tensors.items()})


def write_shards(path, tensors):
    names = list(tensors)
    parts = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
    for file, part in parts.items():
        safetensors(path.parent / file, {name: tensors[name] for name in part})
    path.write_text(json.dumps({"weight_map": {n: f for f, part in parts.items() for n in part}}))


WRITERS = {"pt": write_pt, "pt-legacy": write_legacy, "safetensors": safetensors, "npz": write_npz,
           "safetensors-index": write_shards}


@pytest.mark.parametrize("name", WRITERS)
def test_format(name, tmp_path):
    tensors = state()
    if name == "npz":
        tensors = {n: t for n, t in tensors.items() if t.dtype != torch.bfloat16}
    file = tmp_path / "model.safetensors.index.json"
    WRITERS[name](file, tensors)
    one = listed(file)
    assert one["file"] == str(file) and one["findings"] == []
    assert one["format"].replace("_", "-").replace(" ", "-") == name or name in one["format"]
    found = {t["name"]: t for t in without_storage(one["tensors"])}
    assert found == {t["name"]: t for t in expected(tensors)}
    if name in ("pt", "pt-legacy", "npz"):
        assert list(found) == list(tensors)
    storages = [t["storage"] for t in one["tensors"]]
    assert storages == list(range(len(tensors)))


def test_deflated(tmp_path):
    tensors = {"a": torch.ones(500)}
    write_npz_deflated(tmp_path / "a.npz", tensors)
    done = graft("ls", "--json", tmp_path / "a.npz")
    if "Unsupported" in done.stderr:
        pytest.skip("this build has no libdeflate")
    assert without_storage(json.loads(done.stdout)["tensors"]) == expected(tensors)


def test_npy_and_other_values_alone(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((2, 3), np.int16))
    torch.save(torch.ones(4), tmp_path / "t.pt")
    one, two = objects(tmp_path / "a.npy", tmp_path / "t.pt")
    assert one["tensors"] == [{"name": "", "dtype": "i16", "shape": [2, 3], "bytes": 12,
                               "storage": 0}]
    assert two["tensors"][0]["name"] == "" and two["tensors"][0]["bytes"] == 16
    assert graft("ls", tmp_path / "t.pt").stdout.startswith('""  f32  [4]')


def test_torchscript(tmp_path):
    model = torch.jit.script(torch.nn.Linear(3, 2))
    model.save(str(tmp_path / "s.pt"))
    one = listed(tmp_path / "s.pt")
    assert {(t["name"], tuple(t["shape"])) for t in one["tensors"]} >= {("weight", (2, 3)),
                                                                        ("bias", (2,))}


def test_onnx(tmp_path):
    onnx = pytest.importorskip("onnx")
    numpy_helper = pytest.importorskip("onnx.numpy_helper")
    weight = numpy_helper.from_array(np.ones((2, 3), np.float32), "w")
    graph = onnx.helper.make_graph([], "g", [], [], [weight])
    onnx.save(onnx.helper.make_model(graph), str(tmp_path / "m.onnx"))
    assert without_storage(listed(tmp_path / "m.onnx")["tensors"]) == [
        {"name": "w", "dtype": "f32", "shape": [2, 3], "bytes": 24}]


def test_complex_and_nested(tmp_path):
    tensors = {"c": torch.ones(2, dtype=torch.complex64), "d": torch.ones(2, dtype=torch.complex128)}
    torch.save({"x": [tensors["c"], {"y": tensors["d"], 7: torch.zeros(1)}]}, tmp_path / "n.pt")
    assert [(t["name"], t["dtype"], t["bytes"]) for t in listed(tmp_path / "n.pt")["tensors"]] == [
        ("x.0", "c64", 16), ("x.1.y", "c128", 32), ("x.1.7", "f32", 4)]


# ---- Ties, storages, findings ----


@pytest.fixture(scope="module")
def tied(tmp_path_factory):
    file = tmp_path_factory.mktemp("tied") / "tied.pt"
    a = torch.randn(4, 5)
    big = torch.randn(100)
    torch.save({"a": a, "b": torch.zeros(2), "same": a, "rows": a[1:3], "turned": a.t(),
                "again": a[1:3], "part": big[10:30], "rest": big[20:40]}, file)
    return file


def test_ties(tied):
    one = listed(tied)
    assert [t["storage"] for t in one["tensors"]] == [0, 1, 0, 0, 0, 0, 2, 2]
    finding, = one["findings"]
    assert finding["kind"] == "wasted" and finding["count"] == 4 * (100 - 30)
    lines = graft("ls", tied).stdout.splitlines()
    ends = {line.split()[0]: re.search(r"(?:B|B  (.*))$", line)[1] for line in lines[:8]}
    assert ends == {"a": None, "b": None, "same": "= a", "rows": "shares a", "turned": "shares a",
                    "again": "= rows", "part": None, "rest": "shares part"}
    assert lines[8].startswith(f"{tied}: pt, 8 tensors (2 tied), ")
    assert lines[9] == "finding: wasted: 280 B of storages belong to no tensor"


class Hostile:
    def __reduce__(self):
        return os.system, ("touch /tmp/should-not-be",)


def test_code(tmp_path):
    torch.save({"w": torch.ones(2), "x": Hostile(), "y": Hostile()}, tmp_path / "h.pt")
    finding, = listed(tmp_path / "h.pt")["findings"]
    assert finding["kind"] == "code" and finding["count"] == 2 and "posix.system" in finding["message"]
    assert not os.path.exists("/tmp/should-not-be")
    assert "finding: code: " in graft("ls", tmp_path / "h.pt").stdout
    # The same through a pipe, where there is no path to look at again.
    done = graft("ls", "-", input=(tmp_path / "h.pt").read_bytes(), text=False)
    assert done.returncode == 0 and b"posix.system" in done.stdout


def test_a_model_pickled_whole(tmp_path):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "w.pt")
    one = listed(tmp_path / "w.pt")
    assert [t["name"] for t in one["tensors"]] == ["weight", "bias"]
    assert one["findings"][0]["kind"] == "code"
    assert "torch.nn.modules.linear.Linear" in one["findings"][0]["message"]


def test_a_delta(tmp_path):
    safetensors(tmp_path / "d.safetensors", {"w": torch.ones(2)}, {
        "graft.delta": "1", "graft.delta.base": "base.pt", "graft.delta.names": '["w", "v"]',
        "graft.delta.removed": "[]", "graft.delta.sha256": "0" * 64,
        "graft.delta.base.sha256": "0" * 64})
    assert listed(tmp_path / "d.safetensors")["findings"] == [
        {"kind": "delta", "message": "holds only what differs from base.pt"}]


# ---- Order and choice ----


def names(*arguments):
    return [t["name"] for t in listed(*arguments)["tensors"]]


@pytest.fixture(scope="module")
def sorted_file(tmp_path_factory):
    file = tmp_path_factory.mktemp("sorted") / "m.pt"
    torch.save({"l.10": torch.zeros(2, 2), "l.9": torch.zeros(7), "l.010": torch.zeros(3, 1),
                "m": torch.zeros(1, 1, 1)}, file)
    return file


@pytest.mark.parametrize("options, wanted", [
    ((), ["l.10", "l.9", "l.010", "m"]),
    (("--reverse",), ["m", "l.010", "l.9", "l.10"]),
    (("--sort", "name"), ["l.9", "l.10", "l.010", "m"]),
    (("--sort", "size"), ["l.9", "l.10", "l.010", "m"]),
    (("--sort", "size", "--reverse"), ["m", "l.010", "l.10", "l.9"]),
    (("--sort", "shape"), ["l.9", "l.10", "l.010", "m"]),
    (("--name", "l.*"), ["l.10", "l.9", "l.010"]),
    (("--name", "?.9", "-n", "m"), ["l.9", "m"]),
    (("--name", "l.{9,10}"), ["l.10", "l.9"]),
    (("--name", "l.[!0]*"), ["l.10", "l.9"]),
    (("--name", "*[0-8]"), ["l.10", "l.010"]),
    (("--name", "{l.{9,1?},m}"), ["l.10", "l.9", "m"]),
    (("--name", "l[.]9"), ["l.9"]),
])
def test_order(sorted_file, options, wanted):
    assert names(*options, sorted_file) == wanted


def test_no_name_matches(sorted_file):
    done = graft("ls", "--name", "x*", sorted_file)
    assert done.returncode == 0 and "no name matches" in done.stderr
    assert ": pt, 0 tensors of 4, 0 elements, 0 B" in done.stdout
    assert graft("ls", "-q", "--name", "x*", sorted_file).stderr == ""


def test_a_backslash_is_itself_as_in_rules(sorted_file):
    assert "no name matches" in graft("ls", "--name", "l\\.9", sorted_file).stderr


def test_a_glob_does_not_take_forever(sorted_file):
    done = graft("ls", "-q", "--name", "*a" * 200, sorted_file)
    assert done.returncode == 0


def test_totals(tmp_path):
    torch.save(state(), tmp_path / "m.pt")
    last = graft("ls", tmp_path / "m.pt").stdout.splitlines()[-1]
    tensors = state().values()
    elements = sum(t.numel() for t in tensors)
    size = sum(t.numel() * t.element_size() for t in tensors)
    assert last == f"{tmp_path}/m.pt: pt, {len(tensors)} tensors, {elements} elements, {size} B"


# ---- The tree ----


TREE = """\
├── l             120 B  26  4 tensors
│   ├── 0          72 B  18  2 tensors
│   │   ├── w      60 B  15  f32 [3, 5]
│   │   └── b      12 B   3  f32 [3]
│   └── 1          48 B   8  2 tensors
│       ├── w      16 B   4  f32 [4]
│       └── d      32 B   4  f64 [4]
├── l               4 B   1  f32 []
└── head            0 B   0  1 tensor
    └── w           0 B   0  f32 [3, 5] = l.0.w
"""


@pytest.fixture(scope="module")
def tree_file(tmp_path_factory):
    file = tmp_path_factory.mktemp("tree") / "m.pt"
    w = torch.zeros(3, 5)
    torch.save({"l.0.w": w, "l.0.b": torch.zeros(3), "l.1.w": torch.zeros(4), "l": torch.tensor(1.),
                "l.1.d": torch.zeros(4, dtype=torch.float64), "head.w": w}, file)
    return file


def squeezed(text):
    return [re.sub(r" {2,}", "  ", line) for line in text.splitlines()]


def test_tree(tree_file):
    lines = graft("ls", "--tree", tree_file).stdout.splitlines()
    assert squeezed("\n".join(lines[:-1])) == squeezed(TREE)
    assert lines[-1].endswith("pt, 6 tensors (1 tied), 27 elements, 124 B")


def test_tree_to_a_depth(tree_file):
    lines = squeezed(graft("ls", "--tree", "--depth", 1, tree_file).stdout)
    assert lines[:-1] == ["├── l  120 B  26  4 tensors", "├── l  4 B  1  f32 []",
                          "└── head  0 B  0  1 tensor"]
    assert len(graft("ls", "-td2", tree_file).stdout.splitlines()) == 7


def test_tree_in_ascii(tree_file):
    said = graft("ls", "--tree", tree_file, env={"LC_ALL": "C"}).stdout
    assert said.isascii() and "|   |   `-- b" in said


def test_tree_of_strange_names(tmp_path):
    names = [".", "..", "a.", ".a", "a..b", "x" * 5000, ".".join("y" * 1500)]
    torch.save({name: torch.zeros(1) for name in names}, tmp_path / "m.pt")
    done = graft("ls", "--tree", tmp_path / "m.pt")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) > 1000 and "7 tensors, 7 elements" in done.stdout


# ---- Other values ----


def test_all(tmp_path):
    model = torch.nn.Linear(2, 2)
    torch.save({"model": model.state_dict(), "epoch": 5, "lr": 0.1, "nan": float("nan"),
                "name": "hä\n", "flag": True, "none": None, "big": 2**80, "raw": b"\x00\xff",
                "z": 1 - 2j, "betas": (0.9, 0.999), "many": list(range(20)), "set": {3},
                "groups": [{"params": [0, 1]}]}, tmp_path / "m.pt")
    one, = objects("--all", tmp_path / "m.pt")
    assert list(one) == ["file", "format", "tensors", "findings", "values", "metadata"]
    values = {v["name"]: (v["kind"], v["value"]) for v in one["values"]}
    assert values["model"] == ("dict", "collections.OrderedDict")
    assert values["model._metadata..version"] == ("int", 1)
    for name, kind, value in [
            ("epoch", "int", 5), ("lr", "float", 0.1), ("nan", "float", "NaN"), ("flag", "bool", True),
            ("name", "str", "hä\n"), ("none", "none", None), ("big", "big int", str(2**80)),
            ("raw", "bytes", "00ff"), ("z", "complex", [1.0, -2.0]), ("set", "set", [3]),
            ("betas", "tuple", [0.9, 0.999]), ("many", "list", list(range(20))),
            ("groups.0.params", "list", [0, 1])]:
        assert values[name] == (kind, value)
    said = graft("ls", "--all", tmp_path / "m.pt").stdout
    for name, text in [("epoch", "int      5"), ("name", "str      'hä\\n'"), ("lr", "float    0.1"),
                       ("many", "list     [0, 1, 2, 3, 4, 5, 6, 7, ...] (20)"),
                       ("raw", "bytes    2 bytes"), ("flag", "bool     True")]:
        assert re.search(rf"^  {name} +{re.escape(text)}$", said, re.MULTILINE), said


def test_metadata(tmp_path):
    safetensors(tmp_path / "m.safetensors", {"a": torch.zeros(1)}, {"format": "pt", "x": "\x1b[31m"})
    one, = objects("--all", tmp_path / "m.safetensors")
    assert one["metadata"] == [{"name": "format", "kind": "str", "value": "pt"},
                               {"name": "x", "kind": "str", "value": "\x1b[31m"}]
    assert "'\\x1b[31m'" in graft("ls", "--all", tmp_path / "m.safetensors").stdout


# ---- Hostile names ----


EVIL = ["\x1b[31mred", "new\nline", "tab\t", "back\\slash", "\x07bell", "\x9b31m", "right\u202eleft",
        "del\x7f", "\u2028", "wide漢字", "é", "quote\"", "\U000e0041tag", "nul\0inside"]
SHOWN = ["\\x1b[31mred", "new\\nline", "tab\\t", "back\\\\slash", "\\x07bell", "\\x9b31m",
         "right\\u202eleft", "del\\x7f", "\\u2028", "wide漢字", "é", "quote\"", "\\U000e0041tag"]


def check_clean(said):
    for character in said:
        assert character == "\n" or (character.isprintable() and character not in "\u202e\u2028")


def test_names_that_a_terminal_would_obey(tmp_path):
    evil = EVIL[:-1]
    torch.save({name: torch.zeros(1) for name in evil}, tmp_path / "m.pt")
    for options in [(), ("--tree",), ("--all",), ("--sort", "name")]:
        said = graft("ls", *options, tmp_path / "m.pt").stdout
        check_clean(said)
        for name in SHOWN:
            assert name in said
    raw = graft("ls", "--json", tmp_path / "m.pt").stdout
    check_clean(raw)
    assert [t["name"] for t in json.loads(raw)["tensors"]] == evil
    status, said = on_terminal("ls", tmp_path / "m.pt")
    assert status == 0
    check_clean(re.sub(r"\x1b\[[0-9;]*m", "", said))


def test_columns_stand_under_each_other(tmp_path):
    torch.save({name: torch.zeros(1) for name in ["a", "漢字", "é", "e\u0301", "\x1b"]}, tmp_path / "m.pt")
    lines = graft("ls", tmp_path / "m.pt").stdout.splitlines()[:-1]
    assert [line[:-len("  f32  [1]  4 B")] for line in lines] == ["a   ", "漢字", "é   ", "e\u0301   ",
                                                                  "\\x1b"]


def test_paths_that_a_terminal_would_obey(tmp_path):
    file = tmp_path / "\x1b[31m\n.pt"
    torch.save({}, file)
    said = graft("ls", file).stdout
    check_clean(said)
    assert "\\x1b[31m\\n.pt: pt, 0 tensors, 0 elements, 0 B" in said
    missing = graft("ls", tmp_path / "\x1b[2J")
    assert missing.returncode == 2 and "\\x1b[2J: No such file" in missing.stderr
    assert "\x1b" not in missing.stderr


# ---- What can't be read ----


def bad_files(folder):
    whole = folder / "whole.pt"
    torch.save({"a": torch.zeros(1000)}, whole)
    cut, empty, text = folder / "cut.pt", folder / "empty.pt", folder / "text.pt"
    cut.write_bytes(whole.read_bytes()[:-300])
    empty.write_bytes(b"")
    text.write_text("no checkpoint\n" * 10)
    return {"none": folder / "none.pt", "folder": folder, "null": "/dev/null", "cut": cut,
            "empty": empty, "text": text}


REASONS = {"none": "No such file or directory", "folder": "expected a regular file",
           "null": "expected a regular file", "cut": "cut off", "empty": "UnknownFormat",
           "text": "UnknownFormat"}


@pytest.mark.parametrize("which", REASONS)
def test_bad_file(which, tmp_path):
    file = bad_files(tmp_path)[which]
    done = graft("ls", file)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"graft ls: {file}: ") and done.stderr.count("\n") == 1
    assert REASONS[which] in done.stderr
    one, = objects(file, status=2)
    assert one["format"] is None and one["tensors"] == []
    assert one["findings"][0]["kind"] == "fault" and REASONS[which] in one["findings"][0]["message"]


def test_names_that_are_one_path(tmp_path):
    file = tmp_path / "m.pt"
    torch.save({3: torch.zeros(1), "3": torch.zeros(1)}, file)
    done = graft("ls", file)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f'graft ls: {file}: two tensors have the path "3"\n'
    one, = objects(file, status=2)
    assert one["tensors"] == [] and one["findings"] == [
        {"kind": "fault", "message": 'two tensors have the path "3"'}]


def test_names_that_are_no_utf8(tmp_path):
    torch.save({"\udc80x": torch.zeros(1)}, tmp_path / "m.pt")
    assert graft("ls", tmp_path / "m.pt").stdout.startswith("\\xed\\xb2\\x80x  f32")
    assert listed(tmp_path / "m.pt")["tensors"][0]["name"] == "\ufffd" * 3 + "x"


def test_no_permission(tmp_path):
    file = tmp_path / "m.pt"
    torch.save({}, file)
    file.chmod(0)
    if os.access(file, os.R_OK):
        done = subprocess.run(["setpriv", "--reuid=65534", "--clear-groups", COMMAND, "ls", file],
                              text=True, env=PLAIN, capture_output=True)
        if done.returncode == 127 or "setpriv" in done.stderr or "No such file" in done.stderr:
            pytest.skip("root may read everything, and can't become another here")
    else:
        done = graft("ls", file)
    if not re.search("Permission denied", done.stderr):
        pytest.skip("the folder of the command is closed to others")
    assert done.returncode in (2, 126)


def test_one_of_several_is_bad(sorted_file, tied, tmp_path):
    done = graft("ls", sorted_file, tmp_path / "none", tied)
    assert done.returncode == 2
    assert done.stderr == f"graft ls: {tmp_path}/none: No such file or directory\n"
    assert f"{sorted_file}: pt, 4 tensors" in done.stdout
    assert f"{tied}: pt, 8 tensors" in done.stdout
    one, two, three = objects(sorted_file, tmp_path / "none", tied, status=2)
    assert (len(one["tensors"]), two["format"], len(three["tensors"])) == (4, None, 8)


def test_standard_input(sorted_file, tmp_path):
    bytes_ = sorted_file.read_bytes()
    wanted = graft("ls", sorted_file).stdout.replace(str(sorted_file), "standard input")
    assert graft("ls", "-", input=bytes_, text=False).stdout.decode() == wanted
    assert graft("ls", "-", stdin=open(sorted_file)).stdout == wanted
    assert json.loads(graft("ls", "--json", "-", input=bytes_, text=False).stdout)["file"] == "-"
    for spoilt, reason in [(b"", b"standard input: "), (bytes_[:-100], b"cut off"), (b"x" * 99, b"begin like no")]:
        done = graft("ls", "-", input=spoilt, text=False)
        assert (done.returncode, done.stdout) == (2, b"") and reason in done.stderr
        assert done.stderr.startswith(b"graft ls: standard input: ")
    done = graft("ls", "-", stdin=os.open(tmp_path, os.O_RDONLY))
    assert done.returncode == 2 and "standard input: " in done.stderr


def test_a_full_disk(sorted_file):
    with open("/dev/full", "w") as full:
        done = graft("ls", sorted_file, stdout=full)
    assert done.returncode == 2 and "could not be written" in done.stderr


def test_a_closed_output(sorted_file):
    done = subprocess.run(["bash", "-c", 'exec "$0" ls "$1" >&-', COMMAND, sorted_file], text=True,
                          env=PLAIN, capture_output=True)
    assert done.returncode == 2 and "could not be written" in done.stderr


def test_a_reader_that_goes(tmp_path):
    torch.save({f"name.{i}": torch.zeros(1) for i in range(20000)}, tmp_path / "m.pt")
    done = subprocess.run(["bash", "-c", '"$0" ls "$1" | head -n 1; echo ${PIPESTATUS[0]} >&2',
                           COMMAND, tmp_path / "m.pt"], text=True, env=PLAIN, capture_output=True)
    assert done.stdout.startswith("name.0 ") and done.stderr == "141\n"


# ---- Speed ----


def test_no_tensor_is_read(tmp_path):
    """Of a sparse file of 8 GB, which would take a second even to read its zeros."""
    file = tmp_path / "large.safetensors"
    header = {"w": {"dtype": "F32", "shape": [2**31], "data_offsets": [0, 2**33]}}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(file, "wb") as out:
        out.write(len(text).to_bytes(8, "little") + text)
        out.truncate(8 + len(text) + 2**33)
    process = subprocess.Popen([COMMAND, "ls", file], stdout=subprocess.PIPE, text=True, env=PLAIN)
    said = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    assert status == 0 and "8.59 GB" in said and used.ru_utime + used.ru_stime < 0.5


# ---- Numbers ----


@pytest.fixture(scope="module")
def numbers(tmp_path_factory):
    torch.manual_seed(1)
    made = {f"of.{SHORT[d]}": (torch.randn(300) * 50).to(d) for d in SHORT if not d.is_complex}
    made["some"] = torch.tensor([1.0, 0.0, float("nan"), float("inf"), -float("inf"), -3.0, 0.0])
    made["none"] = torch.tensor([float("nan"), float("inf")])
    made["same"] = torch.full((9,), 2.5)
    made["turned"] = torch.randn(40, 30).t()
    made["empty"] = torch.zeros(0)
    made["complex"] = torch.ones(2, dtype=torch.complex64)
    made["large"] = torch.randn(3_000_000)
    file = tmp_path_factory.mktemp("numbers") / "m.pt"
    torch.save(made, file)
    return file, made


def stats_of(*arguments, **options):
    one, = objects("--stats", *arguments, **options)
    return {t["name"]: t["stats"] for t in one["tensors"]}


def test_stats(numbers):
    file, made = numbers
    found = stats_of(file)
    assert found.pop("complex") is None
    for name, stats in found.items():
        t = made[name].double().flatten()
        finite = t[t.isfinite()]
        assert stats["elements"] == t.numel() and stats["zeros"] == int((t == 0).sum())
        assert stats["nans"] == int(t.isnan().sum()) and stats["infinities"] == int(t.isinf().sum())
        assert len(stats["histogram"]) == 64 and sum(stats["histogram"]) == finite.numel()
        if not finite.numel():
            continue
        wanted = {"min": finite.min(), "max": finite.max(), "mean": finite.mean(),
                  "std": finite.std(unbiased=False), "norm": finite.norm()}
        for key, value in wanted.items():
            assert stats[key] == pytest.approx(value.item(), rel=1e-9, abs=1e-9), (name, key)
    histogram = torch.histc(made["large"].double(), 64)
    assert sum(abs(a - int(b)) for a, b in zip(found["large"]["histogram"], histogram)) < 20


def test_stats_as_text(numbers):
    file, made = numbers
    lines = graft("ls", "--stats", file).stdout.splitlines()
    assert lines[0].split() == ["name", "dtype", "shape", "min", "max", "mean", "std", "norm",
                                "zeros", "NaN", "Inf", "histogram"]
    row = {line.split()[0]: line for line in lines[1:-1]}
    assert row["some"].split()[3:] == ["-3", "1", "-0.5", "1.5", "3.162", "2", "1", "2",
                                       *row["some"].split()[11:]]
    assert row["none"].split()[3:] == ["-"] * 5 + ["0", "1", "1"]
    assert row["complex"].split()[3:] == ["-"] * 8
    bars = row["large"][lines[0].index("histogram"):]
    assert len(bars) > 10 and set(bars) <= set(" ▁▂▃▄▅▆▇█") and "█" in bars[6:10]
    said = graft("ls", "--stats", file, env={"LC_ALL": "C"}).stdout
    assert said.isascii() and "#" in said


def test_stats_of_some(numbers):
    assert list(stats_of("--name", "s*", numbers[0])) == ["some", "same"]


def test_stats_of_what_is_damaged(tmp_path):
    file = tmp_path / "m.pt"
    torch.save({"a": torch.ones(500), "b": torch.zeros(500)}, file)
    whole = bytearray(file.read_bytes())
    whole[whole.index(np.ones(500, np.float32).tobytes()) + 5] ^= 1
    file.write_bytes(whole)
    done = graft("ls", "--stats", file)
    assert done.returncode == 2 and f"{file}: a: " in done.stderr and "Checksum" in done.stderr
    found = stats_of(file, status=2)
    assert found["a"] is None and found["b"]["zeros"] == 500
