/* Writing a file so that its name always leads to the old or to the new one, whole: a temporary
 * file in the same folder, data, fsync, rename, fsync of the folder. */
#ifndef GRAFT__BASE_SAVE_H
#define GRAFT__BASE_SAVE_H

#include "graft/base.h"

/* One file in the making. A save that ends in any way but graft__save_commit leaves the old file as
 * it was and, unless the process was killed, no temporary file. */
typedef struct graft__save graft__save;

/* op is for errors and must outlive the save. A path that is a symbolic link is followed: the file
 * behind it is replaced. The file that is there must be a regular one that may be written to; its
 * mode and, as far as allowed, owner and group are kept; a new file's mode follows the umask. What
 * a killed process left of a save to the same path goes. NULL with the error set. */
graft__save *graft__save_begin(graft_ctx *g, const char *op, const char *path);

/* Appends. Small pieces are gathered; large ones go to the system at once. After a failure, the
 * same failure. */
graft_status graft__save_write(graft__save *s, const void *bytes, size_t size);

/* Appends zeros. */
graft_status graft__save_zeros(graft__save *s, size_t count);

/* Where the next byte goes. */
uint64_t graft__save_offset(const graft__save *s);

/* Hands what was gathered to the system and gives back the memory for it (1 MiB): for a save that
 * waits until others are written. More may follow. */
graft_status graft__save_flush(graft__save *s);

/* Replaces the target by what was written; sync: waits for the disk. Frees s in any case. */
graft_status graft__save_commit(graft__save *s, bool sync);

/* Commits several files in order, the last one being what makes the others count (an index):
 * all data is synced before the first rename. Frees all in any case. Stops at the first failure. */
graft_status graft__save_commit_all(graft__save **saves, size_t count, bool sync);

/* Throws away what was written and frees s. NULL is ignored. */
void graft__save_abort(graft__save *s);

#endif
