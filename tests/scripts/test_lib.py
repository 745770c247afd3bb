"""scripts/lib.sh installs what is missing, and only that; scripts/stage.sh counts honestly."""

import shutil
import subprocess

import pytest
from conftest import ROOT

# A machine that has package "here" installed and none other; each tool notes how it was called.
TOOLS = {
    "dpkg-query": 'case "$*" in *" here") echo installed;; *" removed") echo config-files;;'
                  " *) exit 1;; esac",
    "apt-get": 'echo "apt-get $*" >>"$CALLS"; echo "frontend $DEBIAN_FRONTEND" >>"$CALLS"',
    "id": "echo 0",
}


@pytest.fixture
def machine(tmp_path):
    """machine(tools, package...): calls need_packages there; status, said, calls of apt-get."""

    def call(tools, *packages):
        folder = tmp_path / "bin"
        folder.mkdir()
        for name in ("bash", "env", "dirname"):
            (folder / name).symlink_to(shutil.which(name))
        for name, body in tools.items():
            (folder / name).write_text(f"#!/bin/bash\n{body}\n")
            (folder / name).chmod(0o755)
        calls = tmp_path / "calls"
        calls.write_text("")
        done = subprocess.run(
            [folder / "bash", "-euc", '. "$0"; need_packages "to test" "$@"; echo went on',
             ROOT / "scripts/lib.sh", *packages],
            env={"PATH": str(folder), "CALLS": str(calls)}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert done.stdout == ("went on\n" if done.returncode == 0 else "")
        return done.returncode, done.stderr, calls.read_text()

    return call


def test_all_there(machine):
    assert machine(TOOLS, "here", "here") == (0, "", "")


def test_all_there_without_apt(machine):
    assert machine({"dpkg-query": TOOLS["dpkg-query"]}, "here") == (0, "", "")


def test_missing(machine):
    status, said, calls = machine(TOOLS, "gone", "here", "removed")
    assert status == 0 and "to test: gone removed" in said
    update, frontend, install, _ = calls.splitlines()
    assert update.endswith(" update") and frontend == "frontend noninteractive"
    assert install.endswith(" install -y --no-install-recommends gone removed")


def test_no_apt(machine):
    status, said, _ = machine({name: TOOLS[name] for name in ("dpkg-query", "id")}, "gone")
    assert status == 1 and "apt-get, which is not here" in said and "gone" in said


def test_no_root(machine):
    status, said, calls = machine({**TOOLS, "id": "echo 1000"}, "gone")
    assert status == 1 and "As root, run:" in said and "recommends gone" in said and calls == ""


def test_sudo_wants_a_password(machine):
    tools = {**TOOLS, "id": "echo 1000", "sudo": "exit 1"}
    status, said, calls = machine(tools, "gone")
    assert status == 1 and "As root, run:" in said and calls == ""


def test_sudo(machine):
    status, _, calls = machine({**TOOLS, "id": "echo 1000", "sudo": '[ "$1" = -n ]; shift; "$@"'},
                               "gone")
    assert status == 0 and "install -y --no-install-recommends gone" in calls
    assert "frontend noninteractive" in calls


def test_apt_fails(machine):
    status, said, _ = machine({**TOOLS, "apt-get": "exit 100"}, "gone")
    assert status == 1 and "apt-get could not install" in said


def stages(*lines):
    script = "\n".join(["set -u -o pipefail", f". {ROOT}/scripts/stage.sh", *lines])
    done = subprocess.run(["bash", "-c", script], stdout=subprocess.PIPE, text=True)
    return done.returncode, done.stdout.splitlines()


CTEST = 'results() { printf "<testsuite name=\\"x\\"\\n\\t%s\\n>\\n" "$1" >"$results"; return "$2"; }'


def test_stages_pass():
    status, said = stages(CTEST, 'stage one true',
                          'stage two results \'tests="5" failures="0" skipped="2"\' 0', "finish")
    assert status == 0 and said[-1] == "4 passed, 0 failed"
    assert said[0].startswith("ok     one ") and "2 skipped" in said[1]


@pytest.mark.parametrize("command, last", [
    ("false", "1 passed, 1 failed"),
    ("bash -c 'echo why it failed; exit 3'", "1 passed, 1 failed"),
    ('results \'tests="5" failures="2"\' 8', "4 passed, 2 failed"),
    ('results \'errors="1" failures="1" tests="9"\' 1', "8 passed, 2 failed"),
    ('results \'tests="5" failures="2"\' 0', "4 passed, 2 failed"),
    ('results \'tests="5" failures="0"\' 1', "5 passed, 1 failed"),
])
def test_stage_fails(command, last):
    status, said = stages(CTEST, "stage one true", f"stage two {command}", "stage three true", "finish")
    assert status == 1 and said[-1] == last
    assert any(line.startswith("FAILED two ") for line in said)
    assert not any("three" in line for line in said)
    assert ("why it failed" in said) == ("why" in command)
