"""Each check passes what is right and names what is wrong."""

import shutil
import subprocess

import pytest
from conftest import ROOT

RIGHT = [
    ("src/kernel/gemm.c", '#include <dnnl.h>\n#include "base/pool.h"\n#include "graft/base.h"\n'),
    ("src/kernel/array.h", '#include "graft/tensor.h"\n'),
    ("src/kernel/simd.c", "#include <immintrin.h>\n#include <math.h>\n"),
    ("src/ops/matmul.c", '#include "kernel/gemm.h"\n#include "tensor/shape.h"\n'),
    ("src/copy/clone.c", '#include "nn/visit.h"\n#include "optim/adam.h"\n#include "file/zip.h"\n'),
    ("src/train/fork.c", '#include "copy/clone.h"\n#include "graft/copy.h"\n'),
    ("src/file/zip.c", '#include <libdeflate.h>\n#include "tensor/dict.h"\n'),
    ("src/cli/main.c", '#include "cli/command.h"\n#include <graft/graft.h>\n#include <stdio.h>\n'),
    ("include/graft/dict.h", '#include <stdint.h>\n#include "graft/tensor.h"\n'),
    ("include/graft/graft.h", '#include "graft/copy.h"\n'),
]

WRONG = [
    ("src/base/pool.c", '#include "kernel/gemm.h"', "base does not know kernel"),
    ("src/base/pool.c", '#include "graft/tensor.h"', "base does not know tensor"),
    ("src/kernel/simd.c", '#include "tensor/shape.h"', "kernel does not know tensor"),
    ("src/kernel/simd.c", '#include "graft/dict.h"', "kernel does not know tensor"),
    ("src/tensor/view.c", "#  include <dnnl.h>", "only kernel may know <dnnl.h>"),
    ("src/tensor/view.c", "#include <oneapi/dnnl/dnnl.h>", "only kernel may know"),
    ("src/ops/exp.c", "#include <sleef.h>", "only kernel may know <sleef.h>"),
    ("src/ops/exp.c", "#include <immintrin.h>", "only kernel may know <immintrin.h>"),
    ("src/base/pool.c", "#include <omp.h>", "only kernel may know <omp.h>"),
    ("src/nn/linear.c", "#include <libdeflate.h>", "only file may know"),
    ("src/nn/linear.c", '#include "optim/adam.h"', "nn does not know optim"),
    ("src/optim/adam.c", '#include "nn/module.h"', "optim does not know nn"),
    ("src/optim/adam.c", '#include "graft/module.h"', "optim does not know nn"),
    ("src/file/zip.c", '#include "kernel/copy.h"', "file does not know kernel"),
    ("src/copy/clone.c", '#include "train/session.h"', "copy does not know train"),
    ("src/kernel/gemm.c", '#include "pool.h"', "write it from the root"),
    ("src/kernel/gemm.c", '#include "base/../ops/tape.h"', "write it from the root"),
    ("src/kernel/gemm.c", "#include HEADER", "cannot be read"),
    ("src/kernel/gemm.c", "#include <graft/graft.h>", "kernel does not know cli"),
    ("src/ops/new.c", '#include "graft/surprise.h"', "no folder is known for graft/surprise.h"),
    ("src/extra/new.c", "", "no such folder"),
    ("src/stray.c", "", "no such folder"),
    ("src/cli/main.c", '#include "base/pool.h"', "cli does not know base"),
    ("src/cli/main.c", "#include <libdeflate.h>", "only file may know"),
    ("src/cli/main.c", "#include <curses.h>", "neither libc's"),
    ("include/graft/tensor.h", '#include "tensor/shape.h"', "includes graft/ and libc only"),
    ("include/graft/tensor.h", "#include <dnnl.h>", "only kernel may know"),
    ("include/graft/optim.h", '#include "graft/module.h"', "optim does not know nn"),
    ("include/graft/surprise.h", "", "no folder is known for graft/surprise.h"),
]


def test_includes_right(write, run):
    for path, text in RIGHT:
        tree = write(path, text)
    assert run("scripts/check-includes", tree) == (0, "")


@pytest.mark.parametrize("path, line, reason", WRONG)
def test_includes_wrong(write, run, path, line, reason):
    for right, text in RIGHT:
        write(right, text)
    status, said = run("scripts/check-includes", write(path, line + "\n"))
    assert status == 1 and said.count("\n") == 1
    assert path in said and reason in said


GUARDED = "#ifndef GUARD\n#define GUARD\n{}\n#endif\n"
ALL = {"gcc", "g++", "clang", "clang++"}


def test_headers(write, run):
    tree = write("include/graft/good.h", GUARDED.format("typedef int g_int;"))
    assert run("scripts/check-headers", tree) == (0, "")


@pytest.mark.parametrize("text, compilers", [
    (GUARDED.format("typedef size_t g_size;"), ALL),  # an include is missing
    ("struct g { int a; };\n", ALL),  # the guard is missing
    (GUARDED.format("struct g { int class; };"), {"g++", "clang++"}),
    (GUARDED.format("enum g { G_A };\nstatic inline enum g f(void) { return 0; }"),
     {"g++", "clang++"}),
    (GUARDED.format("struct g {};"), {"gcc", "clang"}),  # ISO C knows no empty struct
])
def test_headers_wrong(write, run, text, compilers):
    status, said = run("scripts/check-headers", write("include/graft/bad.h", text))
    assert status == 1
    lines = [line for line in said.splitlines() if "does not compile alone: " in line]
    assert {line.split(": ")[1].split()[0] for line in lines} == compilers


def test_format(write, run):
    tree = write("src/base/a.c", "int f(void)\n{\n    return 1;\n}\n")
    shutil.copy(ROOT / ".clang-format", tree)
    assert run("scripts/check-format", tree) == (0, "")
    write("build/generated.c", "int  g ;\n")
    assert run("scripts/check-format", tree) == (0, "")
    write("src/base/b.h", "int  f(void) ;\n")
    status, said = run("scripts/check-format", tree)
    assert status != 0 and "src/base/b.h" in said


def build(folder, text, *libraries):
    (folder / "l.c").write_text(text)
    for command in (["gcc", "-fPIC", "-c", "l.c"], ["gcc", "-shared", "l.o", "-o", "l.so", *libraries],
                    ["ar", "rc", "l.a", "l.o"]):
        subprocess.run(command, cwd=folder, check=True)


@pytest.mark.parametrize("text, reason", [
    ("int graft_open(void) { return 0; }\n", ""),
    ("int graft_open(void) { return 0; }\nint stray(void) { return 0; }\n", "exported by"),
    ("int graft_open(void) { return 0; }\nint graft__in(void) { return 0; }\n", "exported by"),
    ("int graft_open(void) { return 0; }\n"
     "__attribute__((visibility(\"hidden\"))) int stray(void) { return 0; }\n", "defined by"),
    ("int graft_other(void) { return 0; }\n", "does not export graft_open"),
])
def test_symbols(tmp_path, run, text, reason):
    build(tmp_path, text)
    status, said = run("tests/symbols", tmp_path / "l.so", tmp_path / "l.a")
    assert (status != 0) == bool(reason)
    assert reason in said


@pytest.mark.parametrize("library, status", [("-lm", 0), ("-lcmocka", 1)])
def test_needs_libc_only(tmp_path, run, library, status):
    text = "double sin(double); int puts(const char *);\n" \
           "double graft_open(double x) { puts(\"\"); return sin(x); }\n"
    build(tmp_path, text, "-Wl,--no-as-needed", library)
    assert run("tests/needs-libc-only", tmp_path / "l.so")[0] == status
