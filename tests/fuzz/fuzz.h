/* What the fuzz targets share. Each is a file with LLVMFuzzerTestOneInput; scripts/fuzz builds and
 * runs it. What a target looks for, beside what the sanitizers see: a reader that fails says why,
 * with a fault of the file; what it gives can be read to the last byte and lies within the file;
 * nothing is left when it is freed; nothing takes memory or time that the size does not explain. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include "file/reading.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the process with a message: a finding. */
_Noreturn void fuzz_die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* One run: a context whose allocator counts. */
typedef struct fuzz_run {
    graft_ctx *g;
    size_t live;        /* bytes handed out */
    size_t calls;       /* of alloc */
    size_t fail_at;     /* the call, counted from 1, that fails, as all later ones; 0: none does */
    bool failed;        /* it came to that */
    size_t begin_live;  /* of the context alone */
    size_t values_left; /* that the walk may look at: one dict may stand in many places */
} fuzz_run;

void fuzz_open(fuzz_run *f, size_t fail_at);

/* Dies if anything is left that the context did not have at first. */
void fuzz_close(fuzz_run *f);

/* That there is an error, that it is a fault of the file (or of memory, where that was made to
 * fail) and that its text can be shown; forgets it. */
void fuzz_expect_fault(fuzz_run *f, const char *what);

/* That there is no error, or memory was made to fail. */
void fuzz_expect_none(fuzz_run *f, const char *what);

/* Looks at every value below d and reads every tensor. */
void fuzz_walk(fuzz_run *f, const graft_dict *d);

/* Reads the bytes as a file of exactly that format: with and without its checksums, and, for some
 * inputs, out of memory somewhere. folder: where the file is said to lie, NULL: in memory alone. */
void fuzz_format(const graft__format *format, const char *folder, const uint8_t *data, size_t size);

/* The same, and lists what Python would have run. */
void fuzz_pickled(const graft__format *format, const uint8_t *data, size_t size);

/* A folder that goes away at exit, and a file in it. */
const char *fuzz_folder(void);
void fuzz_put_file(const char *name, const void *bytes, size_t size);

/* A number that depends on the input alone: which of several ways it is read. */
uint64_t fuzz_hash(const uint8_t *data, size_t size);

#endif
