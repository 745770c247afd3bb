/* Opening a checkpoint, for those who do it on others' behalf. */
#ifndef GRAFT__FILE_LOAD_H
#define GRAFT__FILE_LOAD_H

#include "file/reading.h"

typedef struct graft__open_args {
    const char *op;
    const char *path; /* NULL: bytes */
    const void *bytes;
    size_t size;
    graft_read_options options;
    struct graft_audit_report *audit; /* NULL: none */
    bool lenient;                     /* reading.h */
} graft__open_args;

/* All give a checkpoint with one reference, the caller's; NULL with the error set. The last two
 * check their arguments first. */
graft_checkpoint *graft__open(graft_ctx *g, const graft__open_args *args);
graft_checkpoint *graft__open_path(graft_ctx *g, const char *op, const char *path,
                                   const graft_read_options *options,
                                   struct graft_audit_report *audit);
graft_checkpoint *graft__open_bytes(graft_ctx *g, const char *op, const void *bytes, size_t size,
                                    const graft_read_options *options,
                                    struct graft_audit_report *audit);
void graft__checkpoint_unref(graft_checkpoint *c); /* NULL is ignored */

/* Whether text ends so, whatever the case. */
bool graft__ends_with(const char *text, const char *end);

#endif
