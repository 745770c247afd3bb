"""What the headers declare is what the library exports, and the other way round."""

import subprocess

from graft import lib, library_path

DECLARED = {name for name in dir(lib) if name.startswith("graft_")}


def exported():
    listing = subprocess.run(["nm", "-D", "--defined-only", "-f", "posix", library_path()],
                             check=True, text=True, stdout=subprocess.PIPE).stdout
    return {line.split()[0] for line in listing.splitlines()}


def test_every_declared_function_is_exported():
    assert len(DECLARED) > 100
    assert sorted(DECLARED - exported()) == []


def test_nothing_else_is_exported():
    assert sorted(exported() - DECLARED) == []
