"""What make-cdef prints is what cffi can read, whatever the headers hold."""

import cffi

HEADER = """
#ifndef X_H
#define X_H
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#ifdef __cplusplus
extern "C" {
#endif
#define X_API __attribute__((visibility("default")))
#define X_COUNT 12
#define X_HEX (0x20U)
#define X_NEGATIVE -3
#define X_TEXT "no; { constant"
#define X_CALL(a) (a)
typedef enum x_kind { X_A = 4, X_B } x_kind;
enum { X_DIMS = 3 };
typedef struct x_shape { int ndim; int64_t size[X_DIMS]; } x_shape;
/* a comment; with { braces */
static inline int x_hidden(int a)
{
    if (a) { return 1; }
    return 2;
}
_Static_assert(sizeof(int) == 4, "an int; of 4 bytes");
X_API x_shape x_by_value(x_shape shape,
                         bool flag);
X_API double x_call(double (*fn)(void *user, x_kind kind), void *user);
X_API void x_print(FILE *stream);
#ifdef __cplusplus
}
#endif
#endif
"""


def cdef_of(run, folder):
    status, text = run("scripts/make-cdef", folder)
    assert status == 0, text
    return text


def test_cffi_reads_it(run, write):
    text = cdef_of(run, write("graft/x.h", HEADER))
    ffi = cffi.FFI()
    ffi.cdef(text)
    assert len(ffi.new("x_shape *").size) == 3
    assert ffi.sizeof("x_shape") == 32
    assert ffi.typeof("x_kind").elements == {4: "X_A", 5: "X_B"}


def test_keeps_what_is_public_and_nothing_else(run, write):
    lines = cdef_of(run, write("graft/x.h", HEADER)).splitlines()
    assert lines == [
        "#define X_COUNT 12",
        "#define X_HEX 0x20",
        "#define X_NEGATIVE -3",
        "typedef enum x_kind { X_A = 4, X_B } x_kind;",
        "enum { X_DIMS = 3 };",
        "typedef struct x_shape { int ndim; int64_t size[X_DIMS]; } x_shape;",
        "x_shape x_by_value(x_shape shape, _Bool flag);",
        "double x_call(double (*fn)(void *user, x_kind kind), void *user);",
        "void x_print(FILE *stream);",
    ]


def test_a_header_that_another_includes_comes_once(run, write):
    write("graft/x.h", HEADER)
    folder = write("graft/a.h", '#include "graft/x.h"\nint x_more(x_kind kind);\n')
    text = cdef_of(run, folder)
    assert text.count("x_by_value") == 1
    assert text.index("x_kind;") < text.index("x_more")


def test_says_what_is_wrong(run, write):
    status, text = run("scripts/make-cdef", write("empty/x.h", ""))
    assert status != 0 and "there is no header" in text
    status, text = run("scripts/make-cdef", write("graft/x.h", "#error broken"))
    assert status != 0 and "broken" in text
