"""`graft demo` as a person, a pipe and a script meet it, and `graft` around it.

The build under test is $GRAFT_BUILD, or build/.
"""

import fcntl
import gzip
import os
import pathlib
import pty
import re
import shutil
import struct
import subprocess
import termios

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("GRAFT_BUILD", "build"))
COMMAND = (ROOT / BUILD / "bin/graft").resolve()
SUBSET = ROOT / "data/fashion-mnist"
DEBIAN = pathlib.Path("/usr/share/datasets/fashion-mnist")
NAMES = [f"{part}-{kind}-ubyte" for part in ("train", "t10k")
         for kind in ("images-idx3", "labels-idx1")]

PLAIN = {"PATH": os.environ["PATH"], "TERM": "xterm-256color"}
EPOCH = re.compile(r"^  epoch (\d+)/(\d+)  loss (\d+\.\d+)  test accuracy (\d+\.\d)%  \d+\.\d\d s$",
                   re.MULTILINE)
CLAIM = re.compile(r"^  (\S.*?) +(yes|NO ) +(\S.*)$", re.MULTILINE)
COST = re.compile(r"^  (\S.*?) +\d+\.\d us +[+-]\d+\.\d KiB$", re.MULTILINE)


def graft(*arguments, cwd="/", command=COMMAND, **options):
    return subprocess.run([command, *map(str, arguments)], cwd=cwd, env=PLAIN, text=True,
                          stdin=subprocess.DEVNULL,
                          **({"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options))


def on_terminal(*arguments, columns=80, **environment):
    """Exit status and all that a terminal of this width was sent."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 24, columns, 0, 0))
    process = subprocess.Popen([COMMAND, *map(str, arguments)], cwd="/", env=PLAIN | environment,
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
    return process.wait(), said.decode()


def without_newlines(said):
    # The terminal writes \r\n for \n; the \r that are left are the command's own.
    return said.replace("\r\n", "\n")


def reads_gzip():
    return "no libdeflate" not in graft("demo", "--epochs", 1).stderr


needs_gzip = pytest.mark.skipif(not reads_gzip(), reason="this build has no libdeflate")


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """The subset as plain idx files."""
    folder = tmp_path_factory.mktemp("plain")
    for name in NAMES:
        (folder / name).write_bytes(gzip.decompress((SUBSET / f"{name}.gz").read_bytes()))
    return folder


@pytest.fixture
def copy(plain, tmp_path):
    """A copy of it to spoil."""
    folder = tmp_path / "data"
    shutil.copytree(plain, folder)
    return folder


# ---- What it tells ----


def check_told(said, epochs):
    assert "\x1b" not in said and "\r" not in said and said.endswith("\n")
    found = EPOCH.findall(said)
    assert [(int(e), int(n)) for e, n, _, _ in found] == [(e + 1, epochs) for e in range(epochs)]
    story = said.split("Every way of copying it\n")[1].split("What each took\n")
    claims = CLAIM.findall(story[0])
    assert len(claims) == len(story[0].strip().splitlines()) >= 8
    assert all(holds == "yes" for _, holds, _ in claims)
    costs = COST.findall(story[1].split("Result\n")[0])
    assert {"assignment", "clone", "load into a fresh model"} <= set(costs)
    assert "every claim held" in said.splitlines()[-1]
    return found


def test_piped(plain):
    done = graft("demo", "--data", plain)
    assert (done.returncode, done.stderr) == (0, "")
    told = check_told(done.stdout, 5)
    losses = [float(loss) for _, _, loss, _ in told]
    assert losses[-1] < losses[0] / 2 and float(told[-1][3]) > 75


def test_columns_stand_under_each_other(plain):
    said = graft("demo", "--data", plain, "--epochs", 1).stdout
    story = said.split("Every way of copying it\n")[1].split("\n\nWhat each took")[0]
    assert len({line.index(" yes ") for line in story.splitlines()}) == 1


def without_times(said):
    said = re.sub(r"\d+\.\d\d s$", "", said, flags=re.MULTILINE)
    said = re.sub(r"saved in \d+\.\d\d ms, loaded in \d+\.\d\d ms$", "", said, flags=re.MULTILINE)
    return re.sub(r"What each took\n.*\n\n", "", said, flags=re.DOTALL)


def test_same_seed_same_numbers(plain):
    first, again, other = (graft("demo", "--data", plain, "--epochs", 1, "--threads", 1,
                                 "--seed", seed).stdout for seed in (7, 7, 8))
    assert without_times(first) == without_times(again) != without_times(other)


@pytest.mark.parametrize("options", [
    ("--batch", 1000000), ("--batch=2500",), ("--hidden", 1), ("--hidden=300", "--lr=0.001"),
    ("--threads", 1), ("--threads", 7), ("--lr", 1000), ("--lr", 1e-6), ("--seed", 2**62),
    ("--model", "mlp"),
])
def test_options(plain, options):
    done = graft("demo", "--data", plain, "--epochs", 1, *options)
    assert (done.returncode, done.stderr) == (0, "")
    check_told(done.stdout, 1)


@pytest.mark.skipif(str(BUILD) != "build", reason="scripts/demo is of build/")
def test_script_from_anywhere(copy):
    done = graft("--epochs", 2, "--data", "data", cwd=copy.parent, command=ROOT / "scripts/demo")
    assert done.returncode == 0
    check_told(done.stdout, 2)
    assert done.stdout.startswith("data: data: 2500 training")


# ---- The files that it saves ----

FILES = ["a.pt", "a.safetensors", "checkpoint.pt"]


def torch_says(folder, data, hidden):
    """{file: (epoch, accuracy)} of what another program reads there."""
    script = pathlib.Path(__file__).with_name("load_with_torch.py")
    python = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable
    said = subprocess.run([python, script, folder, data, str(hidden)], check=True, text=True,
                          stdout=subprocess.PIPE).stdout
    return {file: rest for file, *rest in map(str.split, said.splitlines())}


@pytest.mark.parametrize("hidden", [128, 31])
def test_other_programs_read_its_files(plain, tmp_path, hidden):
    out = tmp_path / "out"
    done = graft("demo", "--data", plain, "--epochs", 2, "--hidden", hidden, "--out", out)
    assert (done.returncode, done.stderr) == (0, "")
    check_told(done.stdout, 2)
    assert sorted(file.name for file in out.iterdir()) == FILES
    printed = re.search(r"^  test accuracy (\d+\.\d)%;", done.stdout, re.MULTILINE)[1]
    assert torch_says(out, plain, hidden) == {
        "a.pt": ["-", printed], "a.safetensors": ["-", printed], "checkpoint.pt": ["2", printed]}


def test_again_over_its_files(plain, tmp_path):
    told = []
    for _ in range(2):
        done = graft("demo", "--data", plain, "--epochs", 1, "--threads", 1, "--out", tmp_path)
        assert done.returncode == 0
        told.append([(tmp_path / file).read_bytes() for file in FILES])
    assert sorted(file.name for file in tmp_path.iterdir()) == FILES
    assert told[0] == told[1]


@pytest.mark.parametrize("arguments", [("--epochs", 1), ("--epochs", 1, "--lr", 1000)])
def test_its_own_folder_is_removed(plain, tmp_path, arguments):
    done = subprocess.run([COMMAND, "demo", "--data", plain, *map(str, arguments)], cwd="/",
                          env=PLAIN | {"TMPDIR": str(tmp_path)}, capture_output=True)
    assert done.returncode == 0 and list(tmp_path.iterdir()) == []


def test_no_place_for_its_own_folder(plain, tmp_path):
    done = subprocess.run([COMMAND, "demo", "--data", plain, "--epochs", "1"], cwd="/", text=True,
                          env=PLAIN | {"TMPDIR": str(tmp_path / "none")}, capture_output=True)
    assert done.returncode == 1 and "every claim held" not in done.stdout
    assert f"{tmp_path}/none: nothing can be saved there: No such file" in done.stderr


def test_out_that_cannot_be(plain, tmp_path):
    (tmp_path / "file").write_text("")
    for out, reason in [("none/out", "No such file or directory"), ("file", "Not a directory"),
                        ("file/out", "Not a directory"), ("x" * 300, "File name too long"),
                        ("y/" * 3000, "File name too long")]:
        refused(graft("demo", "--data", plain, "--epochs", 1, "--out", tmp_path / out),
                "nothing can be saved there", reason)


@pytest.mark.parametrize("file", FILES)
def test_a_file_of_its_names_cannot_be_written(plain, tmp_path, file):
    (tmp_path / file).mkdir()
    done = graft("demo", "--data", plain, "--epochs", 1, "--out", tmp_path)
    assert done.returncode == 1 and "some claims did NOT hold" in done.stdout
    assert f"graft demo: save: {tmp_path}/{file}: expected a regular file" in done.stderr


# ---- On a terminal ----

BAR = re.compile(r"\[([#.]{30})\]")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def check_width(progress, columns):
    assert progress.count("\r") > 20
    assert all(len(part) < columns for part in COLOUR.sub("", progress).split("\r"))


def check_bar(said, columns):
    """That a bar grows and is gone before the line of its epoch."""
    before = said.split("threads\n")[1].split("  epoch 1/2")[0]
    full = [len(bar.rstrip(".")) for bar in BAR.findall(COLOUR.sub("", before))]
    assert full == sorted(full) and full[-1] == 30 and len(set(full)) > 20
    assert before.endswith("\r") and before.split("\r")[-2].strip() == ""
    check_width(before, columns)


def test_terminal(plain):
    status, said = on_terminal("demo", "--data", plain, "--epochs", 2)
    said = without_newlines(said)
    assert status == 0
    check_bar(said, 80)
    codes = COLOUR.findall(said)
    assert codes and codes.count("\x1b[0m") * 2 == len(codes)
    assert said.count("\x1b") == len(codes)  # there are no others
    assert "every claim held" in said


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {"TERM": ""}])
def test_terminal_without_colour(plain, environment):
    status, said = on_terminal("demo", "--data", plain, "--epochs", 2, **environment)
    assert status == 0 and "\x1b" not in said
    check_bar(without_newlines(said), 80)


def test_no_color_wants_a_value(plain):
    assert "\x1b" in on_terminal("demo", "--data", plain, "--epochs", 1, NO_COLOR="")[1]


@pytest.mark.parametrize("columns", [20, 33, 40])
def test_narrow_terminal(plain, columns):
    status, said = on_terminal("demo", "--data", plain, "--epochs", 2, columns=columns)
    assert status == 0
    check_width(without_newlines(said).split("threads\n")[1].split("  epoch 1/2")[0], columns)


# ---- Its data ----


@needs_gzip
def test_its_own_data_from_anywhere(plain):
    by_itself, by_name = graft("demo", "--epochs", 1), graft("demo", "--epochs", 1, "--data", plain)
    assert by_itself.returncode == by_name.returncode == 0
    assert by_itself.stdout.startswith(f"data: {SUBSET}: 2500 training and 500 test images of 28 x")
    numbers = [without_times(done.stdout).split("\n", 1)[1] for done in (by_itself, by_name)]
    assert numbers[0] == numbers[1]


@needs_gzip
def test_full_set():
    done = graft("demo", "--data", DEBIAN, "--epochs", 1)
    assert (done.returncode, done.stderr) == (0, "")
    assert "60000 training and 10000 test images of 28 x 28, 10 classes" in done.stdout
    assert float(check_told(done.stdout, 1)[0][3]) > 80


@needs_gzip
@pytest.mark.parametrize("length", [0, 1, 10, 17, 5000, -1])
def test_cut_off_gzip(copy, length):
    name = "train-images-idx3-ubyte"
    (copy / name).unlink()
    (copy / f"{name}.gz").write_bytes((SUBSET / f"{name}.gz").read_bytes()[:length])
    refused(graft("demo", "--data", copy), f"{name}.gz")


@needs_gzip
def test_damaged_gzip(copy):
    name = "t10k-images-idx3-ubyte"
    (copy / name).unlink()
    spoilt = bytearray((SUBSET / f"{name}.gz").read_bytes())
    spoilt[len(spoilt) // 2] ^= 1
    (copy / f"{name}.gz").write_bytes(spoilt)
    refused(graft("demo", "--data", copy), f"{name}.gz", "damaged gzip data")


@pytest.mark.skipif(reads_gzip(), reason="this build reads gzip")
def test_gzip_without_libdeflate():
    refused(graft("demo"), "train-images-idx3-ubyte.gz", "gunzip it first")


def refused(done, *reasons):
    """One line on stderr that holds the reasons, and nothing else."""
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("graft demo: ") and done.stderr.count("\n") == 1
    for reason in reasons:
        assert reason in done.stderr


def test_no_such_directory(tmp_path):
    refused(graft("demo", "--data", tmp_path / "none"), f"{tmp_path}/none: no train-images")


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_missing(copy, name):
    (copy / name).unlink()
    refused(graft("demo", "--data", copy), f"{copy}: no {name} or {name}.gz there")


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_a_folder(copy, name):
    (copy / name).unlink()
    (copy / name).mkdir()
    refused(graft("demo", "--data", copy), name)


def with_header(magic, *sizes):
    return lambda whole: struct.pack(f">{1 + len(sizes)}I", magic, *sizes) + whole[16:]


SPOILERS = [
    ("empty", lambda whole: b"", "not an idx file"),
    ("a text", lambda whole: b"label,pixel\n" * 99, "not an idx file"),
    ("cut within the sizes", lambda whole: whole[:9], "cut off"),
    ("cut within the images", lambda whole: whole[:-1], "expected those of shape [2500, 28, 28]"),
    ("a byte too many", lambda whole: whole + b"\0", "expected those of shape [2500, 28, 28]"),
    ("more than memory", with_header(0x803, 2**32 - 1, 2**32 - 1, 2**32 - 1), "expected those of"),
    ("an unknown type", with_header(0x703, 2500, 28, 28), "unknown element type"),
    ("too many dimensions", with_header(0x8FF, 2500, 28, 28), "dimensions"),
    ("one image", lambda whole: with_header(0x803, 1, 28, 28)(whole[:16 + 784]), "N labels"),
    ("no image", lambda whole: with_header(0x803, 0, 28, 28)(b""), "N images"),
    ("rows of images", with_header(0x802, 2500 * 28, 28), "N images of H x W"),
    ("of another kind", lambda whole: with_header(0x903, 2500, 28, 28)(whole), "H x W bytes"),
    ("of another size", with_header(0x803, 2500, 14, 56), None),
    ("of another area", lambda whole: with_header(0x803, 2500, 28, 27)(whole[:16 + 2500 * 756]),
     "differ in size"),
]


@pytest.mark.parametrize("spoil, reason", [s[1:] for s in SPOILERS], ids=[s[0] for s in SPOILERS])
def test_spoilt_images(copy, spoil, reason):
    file = copy / "train-images-idx3-ubyte"
    file.write_bytes(spoil(file.read_bytes()))
    done = graft("demo", "--data", copy, "--epochs", 1)
    if reason is None:
        assert done.returncode == 0
    else:
        refused(done, reason, str(copy))


def test_labels_that_the_test_set_alone_has(copy):
    file = copy / "t10k-labels-idx1-ubyte"
    file.write_bytes(file.read_bytes()[:-1] + b"\xff")
    done = graft("demo", "--data", copy, "--epochs", 1)
    assert done.returncode == 0 and "256 classes" in done.stdout


# ---- Options and commands ----


@pytest.mark.parametrize("arguments, reason", [
    (("--epoch", 1), "unknown argument --epoch"),
    (("5",), "unknown argument 5"),
    (("-e",), "unknown argument -e"),
    (("--epochs",), "a value must follow --epochs"),
    (("--epochs", 0), "--epochs wants a whole number"),
    (("--epochs", -1), "--epochs wants a whole number"),
    (("--epochs", "1.5"), "--epochs wants a whole number"),
    (("--epochs=",), "--epochs wants a whole number"),
    (("--epochs", "5x"), "got 5x"),
    (("--epochs", 10**30), "--epochs wants a whole number"),
    (("--batch", 0), "--batch wants"),
    (("--hidden", 10**9), "--hidden wants"),
    (("--lr", 0), "--lr wants a number"),
    (("--lr", "nan"), "--lr wants a number"),
    (("--lr", "inf"), "--lr wants a number"),
    (("--lr", "fast"), "--lr wants a number"),
    (("--seed", -1), "--seed wants"),
    (("--threads", 0), "--threads wants"),
    (("--threads", 65), "--threads wants"),
    (("--model", "resnet"), "--model resnet: expected mlp"),
    (("--data", ""), "--data must not be empty"),
    (("--data=",), "--data must not be empty"),
    (("--out=",), "--out must not be empty"),
])
def test_bad_options(arguments, reason):
    done = graft("demo", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert reason in done.stderr


def test_help():
    for arguments in [("--help",), ("-h",), ("--epochs", 3, "--help")]:
        done = graft("demo", *arguments)
        assert (done.returncode, done.stderr) == (0, "")
    for option in ("--data", "--model", "--epochs", "--batch", "--hidden", "--lr", "--seed",
                   "--threads", "--out"):
        assert f"  {option} " in done.stdout


def test_commands():
    for arguments in [("--help",), ("-h",)]:
        done = graft(*arguments)
        assert (done.returncode, done.stderr) == (0, "") and "  demo " in done.stdout
    assert re.fullmatch(r"graft \d+\.\d+\.\d+\n", graft("--version").stdout)
    for arguments, reason in [((), "usage:"), (("",), "no command"), (("dmo",), "called dmo")]:
        done = graft(*arguments)
        assert (done.returncode, done.stdout) == (2, "") and reason in done.stderr


@pytest.mark.parametrize("arguments", [("demo", "--epochs", 1), ("--version",), ("demo", "--help")])
def test_a_full_disk(plain, arguments):
    data = ("--data", plain) if arguments[0] == "demo" else ()
    with open("/dev/full", "w") as full:
        done = graft(arguments[0], *data, *arguments[1:], stdout=full)
    assert done.returncode == 2 and "could not be written" in done.stderr
