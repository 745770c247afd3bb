"""The check of the documents finds what is true and what is not."""

import subprocess

import pytest

EXAMPLE = """#include <graft/graft.h>

int main(void)
{
    int a = graft_one();

    return a - 1;
}
"""


@pytest.fixture
def tree(write):
    """A tree with the smallest graft: a library of one function, a command that is a script."""
    write("include/graft/graft.h", "int graft_one(void);\n")
    write("examples/x.c", EXAMPLE)
    write("examples/other.c", "int other(void);\n")
    write("build/lib/l.c", "int graft_one(void);\nint graft_one(void) { return 1; }\n")
    folder = write("build/bin/graft", '#!/bin/sh\necho "$@" >>ran; exit "${2:-0}"\n')
    (folder / "build/bin/graft").chmod(0o755)
    subprocess.run(["gcc", "-shared", "-fPIC", "l.c", "-o", "libgraft.so"], check=True,
                   cwd=folder / "build/lib")
    return folder


def fence(language, text):
    return f"Words.\n\n```{language}\n{text}```\n\nMore words.\n"


TRUE = [
    (fence("c", EXAMPLE), "1 programs"),
    ("<!-- from examples/x.c -->\n" + fence("c", EXAMPLE).removeprefix("Words.\n\n"), "1 programs"),
    (fence("c", "int a = graft_one();\n\nreturn a - 1;\n"), "1 fragments"),
    (fence("c", "    int a = graft_one();\n"), "1 fragments"),
    ("<!-- from include/graft/graft.h -->\n```c\nint graft_one(void);\n```\n", "1 fragments"),
    ("- a list:\n\n  ```c\n  int a = graft_one();\n  ```\n", "1 fragments"),
    (fence("sh", "build/bin/graft look 0\nsudo rm -rf /\n./build/bin/graft look \\\n  0\n"),
     "2 commands"),
    (fence("sh", "build/bin/graft diff 3 # exits with 3\n"), "1 commands"),
    (fence("sh", "cmake -E true\n./scripts/demo\n"), "1 commands"),
    (fence("sh", "build/bin/graft a 0 && test -f ran\nbuild/bin/graft b 0; grep -q a ran\n"),
     "2 commands"),
]

LIES = [
    (fence("c", EXAMPLE.replace("graft_one", "graft_two")), "does not compile"),
    (fence("c", EXAMPLE.replace("a - 1", "b - 1")), "does not compile"),
    (fence("c", "int a = graft_two();\n"), "do not stand in any file of examples/"),
    (fence("c", "int a = graft_one();\nreturn a - 1;\n"), "do not stand"),
    ("<!-- from examples/other.c -->\n```c\nint a = graft_one();\n```\n", "examples/other.c"),
    ("<!-- from examples/none.c -->\n```c\nint a = graft_one();\n```\n", "no examples/none.c"),
    ("<!-- from examples/other.c -->\n```c\n" + EXAMPLE + "```\n", "examples/other.c"),
    (fence("sh", "build/bin/graft look 2\n"), "exit status 2"),
    (fence("sh", "build/bin/graft look 0 # exits with 1\n"), "exit status 0"),
    (fence("sh", "build/bin/graft look 0\nbuild/bin/graft look 4\n"), "exit status 4"),
    (fence("sh", "cmake --preset none\n"), "exit status 1"),
    (fence("bash", "build/bin/graft look 2\n"), "unknown kind"),
    ("```c\nint a = graft_one();\n", "not closed"),
    ("Words alone.\n", "nothing was found to check"),
]


@pytest.mark.parametrize("text, found", TRUE)
@pytest.mark.parametrize("document", ["README.md", "docs/page.md"])
def test_true(tree, write, run, document, text, found):
    write("README.md", "graft\n")
    write(document, text)
    status, said = run("tests/docs/check.py", tree)
    assert status == 0 and found in said
    assert not (tree / "ran").exists()  # commands run in a copy


@pytest.mark.parametrize("text, reason", LIES)
@pytest.mark.parametrize("document", ["README.md", "docs/page.md"])
def test_lies(tree, write, run, document, text, reason):
    write("README.md", "graft\n")
    write(document, text)
    status, said = run("tests/docs/check.py", tree)
    assert status == 1 and reason in said


def test_one_lie_among_truths(tree, write, run):
    write("README.md", fence("c", EXAMPLE) + fence("sh", "cmake -E false\n") + fence("c", EXAMPLE))
    status, said = run("tests/docs/check.py", tree)
    assert status == 1 and "README.md:17:" in said and "2 programs" in said
