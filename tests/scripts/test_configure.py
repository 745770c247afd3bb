"""CMake says which package is missing and which option does without it."""

import sysconfig

import pytest
from conftest import ROOT

MULTIARCH = sysconfig.get_config_var("MULTIARCH")
NOWHERE = ";".join(["/usr/include", f"/usr/include/{MULTIARCH}", f"/usr/lib/{MULTIARCH}",
                    f"/lib/{MULTIARCH}", "/usr/lib", "/lib", "/usr/local/lib", "/usr/local/include"])
SMALL = ["-DGRAFT_ONEDNN=OFF", "-DGRAFT_OPENMP=OFF"]


@pytest.fixture
def configure(tmp_path, run):
    """configure(option...): exit status and the words, in one line as CMake breaks them anywhere."""

    def configure_with(*options):
        status, said = run("/usr/bin/cmake", "-G", "Ninja", "-S", ROOT, "-B", tmp_path, *options)
        return status, " ".join(said.split())

    return configure_with


@pytest.mark.parametrize("options, words", [
    ([], "SLEEF was not found (sleef and sleef.h). On Debian: apt-get install libsleef-dev. "
         "To build without it: -DGRAFT_SLEEF=OFF"),
    (["-DGRAFT_SLEEF=OFF"], "libdeflate was not found (deflate and libdeflate.h). On Debian: "
                            "apt-get install libdeflate-dev. To build without it: -DGRAFT_DEFLATE=OFF"),
    ([*SMALL, "-DGRAFT_SLEEF=ON"],
     "apt-get install libsleef-dev. To build without it: -DGRAFT_SLEEF=OFF"),
    ([*SMALL, "-DGRAFT_DEFLATE=ON"],
     "apt-get install libdeflate-dev. To build without it: -DGRAFT_DEFLATE=OFF"),
    ([*SMALL, "-DGRAFT_NETTLE=ON"],
     "apt-get install nettle-dev. To build without it: -DGRAFT_NETTLE=OFF"),
    ([*SMALL, "-DGRAFT_CAIRO=ON"],
     "apt-get install libcairo2-dev. To build without it: -DGRAFT_CAIRO=OFF"),
    (SMALL, "apt-get install libcmocka-dev. To build without the tests: -DGRAFT_TESTS=OFF"),
])
def test_missing(configure, options, words):
    status, said = configure(*options, f"-DCMAKE_IGNORE_PATH={NOWHERE}")
    assert status == 1 and words in said


def test_small_misses_nothing(configure):
    status, _ = configure(*SMALL, "-DGRAFT_TESTS=OFF", f"-DCMAKE_IGNORE_PATH={NOWHERE}")
    assert status == 0


def test_the_rest_follows_onednn(configure, tmp_path):
    def defines():
        return {word for word in (tmp_path / "build.ninja").read_text().split()
                if word.startswith("-DGRAFT_")}

    assert configure()[0] == 0
    assert {"-DGRAFT_SLEEF=1", "-DGRAFT_DEFLATE=1", "-DGRAFT_NETTLE=1", "-DGRAFT_CAIRO=1"} <= defines()
    assert configure(*SMALL)[0] == 0
    assert not any(word.endswith("=1") for word in defines())
