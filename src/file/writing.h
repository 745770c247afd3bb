/* What every writer is given, and how it tells what it has done. */
#ifndef GRAFT__FILE_WRITING_H
#define GRAFT__FILE_WRITING_H

#include "base/ctx.h"
#include "base/save.h"
#include "graft/file.h"
#include "tensor/dict.h"

typedef struct graft__writing {
    graft_ctx *g;
    const char *op;         /* "save", for errors */
    const char *path;       /* as the caller named it */
    const graft_dict *dict; /* the root: any container */
    graft_write_options options;
    graft_write_report report; /* to be filled; the caller sees it only where all went well */
    uint64_t done, total;      /* progress, in bytes of tensors: a writer sets total first */
} graft__writing;

/* A writer per format. What it says is wrong begins "save: a.pt: " and, where it is about a value
 * of the dict, goes on with the value's dotted path. On failure and cancel nothing is left behind:
 * all its files go through base/save.h. */
graft_status graft__write_pt(graft__writing *w);
graft_status graft__write_safetensors(graft__writing *w); /* one file, or shards and an index */
graft_status graft__write_npz(graft__writing *w);
graft_status graft__write_npy(graft__writing *w);

/* Elements are passed on in chunks (file/elements.h), with graft__written after each: so a writer's
 * own memory is small, and a cancel is heard soon. */

/* Tells the progress. GRAFT_ERR_CANCELLED, with the error set, if the caller says stop. */
graft_status graft__written(graft__writing *w, uint64_t bytes);

#endif
