"""Every recipe of docs/recipes is carried out in an empty folder, from top to bottom.

- a ```python block is run by /usr/bin/python3;
- a ```sh block is run line by line, `graft` being the one that was built; a line may say
  `# exits with N`;
- a ```text block behind a ```sh block is what its lines print, word for word but that a line of
  `...` stands for any lines, and `...` within a line for any words.
"""

import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).parents[2]
BUILD = pathlib.Path(os.environ.get("GRAFT_BUILD", "build"))
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXITS = re.compile(r"\s*#\s*exits with (\d+)\s*$")
SECONDS = 300

RECIPES = sorted(path for path in (ROOT / "docs" / "recipes").glob("*.md")
                 if path.name != "README.md")


def environment():
    command = (ROOT / BUILD / "bin").resolve()
    return dict(os.environ, PATH=f"{command}:{os.environ['PATH']}", NO_COLOR="1", LC_ALL="C.UTF-8")


def run(command, folder, expected=0):
    done = subprocess.run(command, cwd=folder, env=environment(), text=True, timeout=SECONDS,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == expected, (
        f"exit status {done.returncode} from {command[-1]}\n{done.stdout[-2000:]}"
        f"\n{done.stderr[-2000:]}")
    return done.stdout


def run_shell(script, folder):
    said = ""
    for line in script.replace("\\\n", " ").splitlines():
        if not line.strip():
            continue
        expected = EXITS.search(line)
        said += run(["bash", "-c", EXITS.sub("", line)], folder,
                    int(expected[1]) if expected else 0)
    return said


def pattern(expected):
    """`...` is any text within a line; alone in a line, any lines."""
    parts = []
    for line in expected.splitlines():
        if line.strip() == "...":
            parts.append(r"(?:[^\n]*\n)*")
        else:
            parts.append(".*".join(re.escape(part.rstrip()) for part in line.split("...")) + r" *\n")
    return re.compile("".join(parts))


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_recipe(recipe, tmp_path):
    said, ran = None, 0
    for language, body in FENCE.findall(recipe.read_text()):
        if language == "python":
            run(["/usr/bin/python3", "-c", body], tmp_path)
        elif language == "sh":
            said = run_shell(body, tmp_path)
        elif language == "text":
            assert said is not None, "a block of output that follows no command"
            assert pattern(body).fullmatch(said), f"expected\n{body}\nbut it printed\n{said}"
        else:
            pytest.fail(f"a block that nobody checks: {language!r}")
        ran += language != "text"
    assert ran >= 2


def test_there_are_recipes():
    assert len(RECIPES) >= 8
    index = (ROOT / "docs" / "recipes" / "README.md").read_text()
    for recipe in RECIPES:
        assert f"({recipe.name})" in index
