#!/usr/bin/python3
"""check.py [FOLDER]: what README.md and docs/*.md show is true.

FOLDER is a tree of graft with a finished build in FOLDER/build. In the documents

- a ```c block with a main is a program, and compiles and links;
- any other ```c block stands, word for word, in the file that the comment above it names
  (<!-- from examples/x.c -->), or else in some file of examples/; it may be indented less;
- in a ```sh block each line that begins with build/bin/graft, ./build/bin/graft or cmake succeeds
  in a copy of the tree. A line may say `# exits with N`. Lines that begin otherwise are for the
  reader's machine and are not run.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap

FENCE = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
FROM = re.compile(r"<!-- from (\S+) -->\s*\Z")
RUN = re.compile(r"(\./)?build/bin/graft\b|cmake\b")
EXITS = re.compile(r"#\s*exits with (\d+)\s*$")
KNOWN = {"", "c", "sh", "text", "python", "cmake", "json"}
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
SECONDS = 600


class Lie(Exception):
    pass


def blocks(document):
    """(place, language, text, named file or None) of each fenced block."""
    text = document.read_text()
    if len(re.findall(r"^ *```", text, re.MULTILINE)) != 2 * len(FENCE.findall(text)):
        raise Lie("a block is not closed, or not as it was opened")
    for match in FENCE.finditer(text):
        place = f"{document.name}:{text.count(chr(10), 0, match.start()) + 1}"
        named = FROM.search(text[: match.start()])
        body = textwrap.dedent(match[3])
        yield place, match[2], body, named and named[1]


def stands_in(fragment, text):
    """Whether the lines stand in the text one after another, all indented by as much or more."""
    wanted, lines = fragment.rstrip().splitlines(), text.splitlines()
    for start in range(len(lines) - len(wanted) + 1):
        found = textwrap.dedent("\n".join(lines[start : start + len(wanted)]))
        if found.splitlines() == wanted:
            return True
    return False


def check_fragment(root, fragment, named):
    files = [root / named] if named else sorted((root / "examples").glob("*.c"))
    for file in files:
        if not file.is_file():
            raise Lie(f"there is no {named}")
        if stands_in(fragment, file.read_text()):
            return
    raise Lie(f"these lines do not stand in {named or 'any file of examples/'}:\n{fragment}")


def check_program(root, program, work):
    source = work / "program.c"
    source.write_text(program)
    command = ["cc", "-std=c17", *WARNINGS, f"-I{root}/include", source, "-o", work / "program",
               f"-L{root}/build/lib", "-lgraft", "-lm"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise Lie(f"the program does not compile:\n{done.stderr}")


def commands(script):
    """The lines of a shell block that are to be run, continued lines joined."""
    for line in script.replace("\\\n", " ").splitlines():
        if RUN.match(line.strip()):
            yield line.strip()


def check_command(tree, line):
    expected = EXITS.search(line)
    # Where a document installs, it shall not be into this machine.
    environment = dict(os.environ, DESTDIR=str(tree / "build-destdir"))
    try:
        done = subprocess.run(["bash", "-c", line], cwd=tree, env=environment, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise Lie(f"not done after {SECONDS} seconds: {line}") from None
    if done.returncode != int(expected[1] if expected else 0):
        raise Lie(f"exit status {done.returncode} from: {line}\n{done.stdout[-4000:]}")


def copy_tree(root, tree):
    """A copy to run commands in, with what was built but not where it was configured."""
    shutil.copytree(root, tree, symlinks=True, ignore=lambda folder, names: [
        name for name in names
        if folder == str(root) and (name in (".git", "build") or name.startswith("build-"))])
    for part in ("bin", "lib"):
        if (root / "build" / part).is_dir():
            shutil.copytree(root / "build" / part, tree / "build" / part, symlinks=True)


def check_block(root, tree, work, language, body, named):
    """Checks one block; returns what it was and how many things were checked in it."""
    if language not in KNOWN:
        raise Lie(f"a block of an unknown kind, which nobody checks: {language}")
    if language == "c" and re.search(r"\bmain\s*\(", body):
        check_program(root, body, work)
        if named:
            check_fragment(root, body, named)
        return "programs", 1
    if language == "c":
        check_fragment(root, body, named)
        return "fragments", 1
    if language == "sh":
        lines = list(commands(body))
        for line in lines:
            check_command(tree, line)
        return "commands", len(lines)
    return "others", 0


def check_document(root, tree, work, document, counts):
    """Yields what is wrong in a document and counts what was checked."""
    try:
        for place, language, body, named in list(blocks(document)):
            try:
                kind, count = check_block(root, tree, work, language, body, named)
                counts[kind] += count
            except Lie as lie:
                yield f"{place}: {lie}"
    except Lie as lie:
        yield f"{document.name}: {lie}"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2])
    root = root.resolve()
    counts = dict.fromkeys(("programs", "fragments", "commands", "others"), 0)
    lies = []
    with tempfile.TemporaryDirectory() as folder:
        work, tree = pathlib.Path(folder), pathlib.Path(folder) / "tree"
        copy_tree(root, tree)
        for document in [root / "README.md", *sorted((root / "docs").glob("*.md"))]:
            lies += check_document(root, tree, work, document, counts)
    print(*lies, sep="\n")
    del counts["others"]
    print(", ".join(f"{count} {kind}" for kind, count in counts.items()) + " found true")
    if not any(counts.values()):
        print("nothing was found to check")
    return 1 if lies or not any(counts.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
