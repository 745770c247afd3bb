/* What a file names, put into a dict: checked, charged for, counted. */
#ifndef GRAFT__FILE_NAMED_H
#define GRAFT__FILE_NAMED_H

#include "file/reading.h"

/* A name in a file, not 0-terminated, and where it stands. */
typedef struct graft__name {
    const char *text;
    uint64_t length;
    int64_t offset;
} graft__name;

/* What messages print of a name: "%.*s" with these two. */
int graft__name_length(const graft__name *name);
#define GRAFT__NAME(name) graft__name_length(name), (name)->text

/* That a name is UTF-8 without 0 bytes and not empty: NAME. what is it: "tensor". */
graft_status graft__check_name(graft__reading *r, const char *what, const graft__name *name);

/* Checks the name, that d lacks it (DUPLICATE) and that d may have one more (LIMIT), and puts the
 * value, which it takes over also on failure. */
graft_status graft__put_named(graft__reading *r, graft_dict *d, const char *what,
                              const graft__name *name, graft__value value);

/* The same under a name of the reader's own, which d lacks. */
graft_status graft__put_own(graft__reading *r, graft_dict *d, const char *name, graft__value value);

/* A string that a file holds; bytes if it is not UTF-8. Kind NONE with the error set. */
graft__value graft__file_text(graft__reading *r, const void *bytes, uint64_t size);

/* That there can be such a tensor, and the bytes of its elements: SHAPE for sizes that make no
 * tensor, or that fill no whole blocks of the dtype; OVERFLOW. */
graft_status graft__check_tensor(graft__reading *r, const graft__name *name, graft_dtype dtype,
                                 int ndim, const int64_t *size, uint64_t *bytes);

/* A tensor over a piece that has exactly its bytes. stride NULL: contiguous. NULL with the error
 * set. */
graft_tensor *graft__piece_tensor(graft__reading *r, const graft__piece *piece, graft_dtype dtype,
                                  int ndim, const int64_t *size, const int64_t *stride);

#endif
