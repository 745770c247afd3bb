/* Files made byte by byte, and what every reader has to stand. */
#ifndef TESTS_UNIT_FILE_BYTES_H
#define TESTS_UNIT_FILE_BYTES_H

#include "failing_allocator.h"
#include "test.h"

typedef struct file_bytes {
    unsigned char data[1 << 15];
    size_t size;
} file_bytes;

void put_bytes(file_bytes *f, const void *bytes, size_t size);
void put_text(file_bytes *f, const char *text);                  /* without its 0 */
void put_number(file_bytes *f, uint64_t number, unsigned width); /* little-endian */
void put_floats(file_bytes *f, const float *x, size_t count);

/* Opens it; asserts that there is no error. Freed by graft_checkpoint_free. */
graft_checkpoint *open_bytes(graft_ctx *g, const file_bytes *f);

/* That opening fails with this fault at this offset, with words that contain `words`. */
void assert_bytes_fault(graft_ctx *g, const file_bytes *f, graft_fault fault, int64_t offset,
                        const char *words);

/* That no cut opens, and that each says GRAFT_ERR_FORMAT; `shortest` is the first size that may
 * open. */
void truncate_everywhere(const file_bytes *f, size_t shortest);

/* That no flip of a bit does worse than an error: what opens is read to its last byte. */
void flip_everywhere(const file_bytes *f);

/* Opens it with each allocation failing in turn. */
void fail_everywhere(const file_bytes *f);

#endif
