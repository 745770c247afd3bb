/* `graft cat`: the elements of a tensor. Files: cat.c (the command), cat_slice.c, cat_write.c
 * (bytes and npy), cat_text.c (CSV and JSON). */
#ifndef CLI_CAT_H
#define CLI_CAT_H

#include "cli/cli.h"

/* Where a slice begins in "fc.weight[0:3,:,2]": its '['; NULL if there is none at the end. */
const char *cat_slice_of(const char *name);

/* The part of t that slice, "[0:3,:,2]", names, in the current scope. NULL after telling why. */
graft_tensor *cat_slice(cli_call *call, graft_tensor *t, const char *slice);

/* Calls each with the elements of t in C order, in pieces of a few megabytes, in t's own dtype.
 * false if memory ran out (the context has the error) or if each returned false. */
typedef bool cat_each(void *user, const void *elements, int64_t count);
bool cat_pieces(graft_tensor *t, cat_each *each, void *user);

/* Write t to stdout. CLI_OK, or CLI_TROUBLE after telling why. */
int cat_raw(cli_call *call, graft_tensor *t);
int cat_npy(cli_call *call, graft_tensor *t);
int cat_csv(cli_call *call, graft_tensor *t);
int cat_json(cli_call *call, graft_tensor *t, const char *file, const char *name);

#endif
