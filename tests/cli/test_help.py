"""Help in all its forms, and how arguments are read."""

import os
import pty
import re
import select
import shutil
import signal
import subprocess
import time

import pytest

from cli import BUILD, COMMAND, PLAIN, PYTHON, ROOT, commands, graft, make_examples, on_terminal, skip_without

TABLES = commands()
NAMES = [table["name"] for table in TABLES]
EXAMPLES = [(table["name"], example) for table in TABLES for example in table["examples"]]


def needs(program):
    return pytest.mark.skipif(not shutil.which(program), reason=f"there is no {program}")


def run(*command, **options):
    return subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=PLAIN, **options)


# ---- Help ----


def test_overview():
    for arguments in [("help",), ("--help",), ("-h",)]:
        done = graft(*arguments)
        assert (done.returncode, done.stderr) == (0, "")
        for table in TABLES:
            assert re.search(rf"^  {table['name']} +{re.escape(table['summary'])}$", done.stdout,
                             re.MULTILINE)
    assert graft().returncode == 2 and graft().stderr == graft("help").stdout


@pytest.mark.parametrize("table", TABLES, ids=NAMES)
def test_of_a_command(table):
    name = table["name"]
    done = graft("help", name)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == graft(name, "--help").stdout == graft(name, "-h").stdout
    assert done.stdout.startswith(f"usage: graft {name} [OPTION]...")
    examples = done.stdout.split("\nexamples:\n")[-1].split("\nexit status:\n")[0]
    for line in done.stdout.splitlines():
        assert len(line) <= 80 or line.strip() in examples or line.startswith("   "), line
        assert line == line.rstrip()
    for option in table["options"]:
        assert re.search(rf"^  (-\w, |    )--{option['name']}( |$)", done.stdout, re.MULTILINE)
    for status, text in table["statuses"].items():
        assert f"\n  {status} " in done.stdout


@pytest.mark.parametrize("table", TABLES, ids=NAMES)
def test_tables_are_whole(table):
    letters = [option["letter"] for option in table["options"] if option["letter"]]
    names = [option["name"] for option in table["options"]]
    assert len(set(letters)) == len(letters) and len(set(names)) == len(names)
    assert table["summary"] and not table["summary"].endswith(".")
    assert table["description"].endswith(".") and table["examples"]
    for option in table["options"]:
        assert option["help"] and not option["help"].endswith(".")
        assert (option["argument"] is None) == (option["type"] == "flag")
    assert {"0", "2", "130"} <= set(table["statuses"]) <= {"0", "1", "2", "130"}


def test_of_no_command():
    for arguments in [("help", "nope"), ("help", "--man", "nope"), ("help", "ls", "cat")]:
        done = graft(*arguments)
        assert (done.returncode, done.stdout) == (2, "") and done.stderr


def test_of_a_command_that_is_mistyped():
    assert graft("help", "sl").returncode == 2
    assert graft("help", "lss").stderr == (
        "graft help: no command is called lss: did you mean ls?\n")


@pytest.fixture(scope="module")
def example_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("examples")
    make_examples(folder)
    return folder


@pytest.mark.parametrize("name, example", EXAMPLES, ids=[e["line"] for _, e in EXAMPLES])
def test_example(name, example, example_files, tmp_path):
    if "| man " in example["line"] and not shutil.which("man"):
        pytest.skip("there is no man")
    folder = tmp_path / "folder"
    shutil.copytree(example_files, folder)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/graft").symlink_to(COMMAND)
    (tmp_path / "bin/python3").symlink_to(PYTHON)
    done = subprocess.run(["bash", "-c", "set -o pipefail; " + example["line"]], cwd=folder,
                          text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE,
                          env=PLAIN | {"PATH": f"{tmp_path}/bin:{PLAIN['PATH']}"})
    if "gunzip it first" in done.stderr:
        pytest.skip("this build has no libdeflate")
    skip_without(done)
    assert (done.returncode, done.stderr) == (example["status"], ""), done.stdout


def test_examples_name_their_command():
    for name, example in EXAMPLES:
        assert f"graft {name}" in example["line"]


# ---- Man pages ----


@pytest.mark.parametrize("name", [None, *NAMES])
def test_man_page(name, tmp_path):
    done = graft("help", "--man", *([name] if name else []))
    assert (done.returncode, done.stderr) == (0, "")
    page = done.stdout
    assert page.startswith(f'.TH "GRAFT{f"{chr(92)}-{name.upper()}" if name else ""}" 1 ')
    assert re.search(r"^\.SH NAME\ngraft(\\-\w+)? \\- \S", page, re.MULTILINE)
    sections = re.findall(r"^\.SH (.*)$", page, re.MULTILINE)
    assert sections[:2] == ["NAME", "SYNOPSIS"]
    if not name:
        assert all(f"graft\\-{command}" in page for command in NAMES)
        return
    assert {"DESCRIPTION", "OPTIONS", "EXAMPLES", "EXIT STATUS"} <= set(sections)
    table = TABLES[NAMES.index(name)]
    for option in table["options"]:
        assert "\\fB\\-\\-" + option["name"].replace("-", "\\-") + "\\fR" in page


@needs("groff")
@pytest.mark.parametrize("name", NAMES)
def test_man_page_is_sound(name):
    page = graft("help", "--man", name).stdout
    done = run("groff", "-man", "-Tutf8", "-ww", "-rLL=78n", input=page)
    assert (done.returncode, done.stderr) == (0, "")
    text = re.sub(r"\x1b\[[0-9;]*m|.\x08", "", done.stdout)
    for example in TABLES[NAMES.index(name)]["examples"]:
        assert re.sub(r"\s+", "", example["line"]) in re.sub(r"\s+", "", text)


def test_built_to_be_installed():
    folder = ROOT / BUILD / "help"
    if not folder.is_dir():
        pytest.skip("this build makes none")
    assert (folder / "man/graft.1").read_text() == graft("help", "--man").stdout
    for name in NAMES:
        assert (folder / f"man/graft-{name}.1").read_text() == graft("help", "--man", name).stdout
    for shell, file in [("bash", "graft"), ("zsh", "_graft"), ("fish", "graft.fish")]:
        made = graft("help", "--completion", shell).stdout
        assert (folder / shell / file).read_text() == made


# ---- Completions ----


@pytest.mark.parametrize("shell", [pytest.param(s, marks=needs(s)) for s in ("bash", "zsh", "fish")])
def test_completion_is_sound(shell, tmp_path):
    file = tmp_path / "completion"
    file.write_text(graft("help", "--completion", shell).stdout)
    done = run(shell, "-n", file)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def completed(shell, lines, typed, cwd):
    """What a shell on a terminal made of what was typed and a Tab."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(cwd)
        os.execvpe(shell[0], shell, PLAIN | {"PS1": "$ ", "PATH": f"{cwd}/bin:{PLAIN['PATH']}"})

    def read_until(wanted, seconds=20):
        said, end = "", time.monotonic() + seconds
        while wanted not in said and time.monotonic() < end:
            if select.select([terminal], [], [], 0.1)[0]:
                said += os.read(terminal, 65536).decode(errors="replace")
        assert wanted in said, said
        return said

    for line in [*lines, "echo rea''dy"]:
        os.write(terminal, line.encode() + b"\n")
    read_until("ready\r\n")
    os.write(terminal, typed.encode() + b"\t")
    time.sleep(0.3)  # or the newline is taken for a part of what is completed
    os.write(terminal, b"end\n")
    said = read_until("end>\r\n")
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(terminal)
    return said


@pytest.fixture(scope="module")
def completion_folder(tmp_path_factory):
    """A folder where graft prints its arguments, but for help."""
    folder = tmp_path_factory.mktemp("completion")
    (folder / "bin").mkdir()
    (folder / "bin/graft").write_text("#!/bin/sh\nprintf '<%s>' \"$@\"; echo\n")
    (folder / "bin/graft").chmod(0o755)
    (folder / "one file.pt").touch()
    (folder / "bash").write_text(graft("help", "--completion", "bash").stdout)
    (folder / "zsh").mkdir()
    (folder / "zsh/_graft").write_text(graft("help", "--completion", "zsh").stdout)
    return folder


COMPLETED = [
    ("graft l", "<ls>"), ("graft he", "<help>"), ("graft --ver", "<--version>"),
    ("graft ls --rev", "<ls><--reverse>"), ("graft ls --sort si", "<ls><--sort><size>"),
    ("graft ls --sort=si", "<ls><--sort=size>"), ("graft ls --color nev", "<--color><never>"),
    ("graft help ca", "<help><cat>"), ("graft ls one", "<ls><one file.pt>"),
    ("graft cat --format=c", "<cat><--format=csv>"), ("graft ls -- on", "<ls><--><one file.pt>"),
]


@pytest.mark.parametrize("typed, made", COMPLETED)
def test_bash_completes(completion_folder, typed, made):
    said = completed(["bash", "--norc", "--noprofile", "-i"], ["source ./bash"], typed,
                     completion_folder)
    assert made + "<end>" in said or made[:-1] + "end>" in said


@needs("zsh")
@pytest.mark.parametrize("typed, made", COMPLETED)
def test_zsh_completes(completion_folder, typed, made):
    if typed.startswith("graft --"):
        pytest.skip("zsh completes commands only")
    said = completed(["zsh", "-f", "-i"],
                     ["fpath=($PWD/zsh $fpath)", "autoload -Uz compinit", "compinit -u -D"], typed,
                     completion_folder)
    assert made + "<end>" in said or made[:-1] + "end>" in said


@needs("fish")
@pytest.mark.parametrize("typed, offered", [
    ("graft l", "ls"), ("graft ls --rev", "--reverse"), ("graft ls --sort si", "size"),
    ("graft help ca", "cat"), ("graft ls one", "one file.pt"),
])
def test_fish_completes(completion_folder, typed, offered, tmp_path):
    script = tmp_path / "graft.fish"
    script.write_text(graft("help", "--completion", "fish").stdout)
    done = run("fish", "--no-config", "-c", f"source {script}; complete -C '{typed}'",
               cwd=completion_folder)
    offers = [line.split("\t")[0] for line in done.stdout.splitlines()]
    assert any(offered in o or offered.replace(" ", "\\ ") in o for o in offers), offers


# ---- How arguments are read ----


@pytest.fixture(scope="module")
def pt(tmp_path_factory):
    file = tmp_path_factory.mktemp("pt") / "-model.pt"
    import torch
    torch.save({"b": torch.zeros(2), "a": torch.zeros(3)}, file)
    return file


def names(done):
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return [line.split()[0] for line in done.stdout.splitlines()[:-1]]


@pytest.mark.parametrize("arguments", [
    ("-s", "name"), ("-sname",), ("--sort", "name"), ("--sort=name",), ("-rs", "size", "-r"),
    ("-qs", "name"), ("-qsname",),
])
@pytest.mark.parametrize("behind", [False, True])
def test_ways_of_writing(pt, arguments, behind):
    # In the file b is first, and a is the larger.
    wanted = ["b", "a"] if "size" in arguments else ["a", "b"]
    done = graft("ls", *([pt, *arguments] if behind else [*arguments, pt]))
    assert names(done) == wanted


def test_end_of_options(pt):
    assert names(graft("ls", "--", "-model.pt", cwd=pt.parent)) == ["b", "a"]
    assert names(graft("ls", "-s", "name", "--", "-model.pt", cwd=pt.parent)) == ["a", "b"]
    assert names(graft("ls", "--sort=name", "-", stdin=open(pt))) == ["a", "b"]
    done = graft("ls", "--", "--sort=name")
    assert done.returncode == 2 and "--sort=name: No such file" in done.stderr


@pytest.mark.parametrize("arguments, reason", [
    (("ls",), "expected FILE..."),
    (("ls", "--sort", "x", "f"), "--sort x: expected order, name, size or shape"),
    (("ls", "-sx", "f"), "-s x: expected order"),
    (("ls", "--revers", "f"), "unknown argument --revers: did you mean --reverse?"),
    (("ls", "--srot=name", "f"), "unknown argument --srot=name: did you mean --sort?"),
    (("ls", "--zzzzzz", "f"), "unknown argument --zzzzzz\n"),
    (("ls", "--json=1", "f"), "--json takes no value, but got 1"),
    (("ls", "-jx", "f"), "unknown argument -jx"),
    (("ls", "--name"), "a value must follow --name"),
    (("ls", "-n"), "a value must follow -n"),
    (("ls", "--name=", "f"), "--name must not be empty"),
    (("ls", "--depth", "0", "f"), "--depth wants a whole number of 1 to 1000, but got 0"),
    (("ls", "-dx", "f"), "-d wants a whole number"),
    (("ls", "--threads", "99", "f"), "--threads wants"),
    (("ls", "--color=maybe", "f"), "--color maybe: expected auto, always or never"),
    (("ls", "-\x1b[31m", "f"), "unknown argument -\\x1b[31m"),
    (("cat", "a", "b", "c"), "one argument too many, c: expected FILE"),
    (("help", "a", "b"), "one argument too many, b"),
])
def test_wrong_arguments(arguments, reason):
    done = graft(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert reason in done.stderr and f"try: graft {arguments[0]} --help" in done.stderr
    assert "\x1b" not in done.stderr


@pytest.mark.parametrize("typed, meant", [("lss", "ls"), ("sl", None), ("hlep", "help"),
                                          ("dem", "demo"), ("LS", None), ("", None)])
def test_wrong_command(typed, meant):
    done = graft(typed)
    assert (done.returncode, done.stdout) == (2, "")
    if meant:
        assert done.stderr == f"graft: no command is called {typed}: did you mean {meant}?\n"
    else:
        assert f"no command is called {typed}" in done.stderr


def test_a_command_with_escape_codes():
    done = graft("\x1b[2J\n")
    assert done.returncode == 2 and "\\x1b[2J\\n" in done.stderr and "\x1b" not in done.stderr


# ---- Output that nobody can have ----


@pytest.mark.parametrize("arguments", [("help",), ("help", "--json"), ("help", "--man", "ls"),
                                       ("ls", "--help"), ("--version",)])
def test_a_full_disk(arguments):
    with open("/dev/full", "w") as full:
        done = graft(*arguments, stdout=full)
    assert done.returncode == 2 and "could not be written" in done.stderr


@pytest.mark.parametrize("handling", [signal.SIG_DFL, signal.SIG_IGN])
def test_a_reader_that_has_gone(handling):
    ours, theirs = os.pipe()
    os.close(ours)
    done = graft("help", "--json", stdout=theirs, restore_signals=False,
                 preexec_fn=lambda: signal.signal(signal.SIGPIPE, handling))
    os.close(theirs)
    assert done.returncode in (-signal.SIGPIPE, 128 + signal.SIGPIPE) and done.stderr == ""


def test_colours(pt):
    assert "\x1b" in graft("ls", "--color=always", pt).stdout
    assert "\x1b" not in graft("ls", pt).stdout
    assert "\x1b" in on_terminal("ls", pt)[1]
    for arguments, environment in [(("--color=never",), {}), ((), {"NO_COLOR": "1"}),
                                   ((), {"TERM": "dumb"})]:
        assert "\x1b" not in on_terminal("ls", *arguments, pt, **environment)[1]
    assert "\x1b" in on_terminal("ls", "--color=always", pt, NO_COLOR="1")[1]
