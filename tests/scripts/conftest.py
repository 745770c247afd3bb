import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def write(tmp_path):
    """write(path, text): makes a file of a small tree under tmp_path, which is returned."""

    def write_file(path, text):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return tmp_path

    return write_file


@pytest.fixture
def run():
    """run(script, argument...): exit status and everything said."""

    def run_script(script, *arguments, **options):
        done = subprocess.run([ROOT / script, *arguments], text=True, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
        return done.returncode, done.stdout

    return run_script
