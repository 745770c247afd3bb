/* Where a save goes, and the temporary file that it is written to. */
#ifndef GRAFT__BASE_SAVE_PLACE_H
#define GRAFT__BASE_SAVE_PLACE_H

#include <sys/stat.h>

#include "graft/base.h"

/* The file behind a path: a folder, held open, so that the file is made, renamed and removed in
 * that one even if the path comes to lead elsewhere meanwhile; and a name in it. */
typedef struct graft__place {
    int folder;
    bool can_sync; /* folder was opened for reading, which fsync needs */
    char *text;    /* folder's path, 0, name: for errors and calls */
    size_t text_size;
    const char *name; /* in text */
    bool exists;
    struct stat found; /* what is there already: a regular file that we may write to */
} graft__place;

/* Follows links. On failure the error is set and there is nothing to close. */
graft_status graft__place_open(graft_ctx *g, const char *op, const char *path, graft__place *p);
void graft__place_close(graft_ctx *g, graft__place *p);

/* ".NAME.graft-XXXXXXXX.tmp", of a NAME of more than 100 bytes those. So others know what it is,
 * and all file systems take it. */
enum { GRAFT__TEMP_STEM = 100, GRAFT__TEMP_RANDOM = 8, GRAFT__TEMP_NAME = 128 };

/* Makes a new file in the place's folder under such a name, locked, so that graft__temp_sweep
 * leaves it alone. *fd is written to. Where a file will be replaced, nobody else may read the new
 * one until it is given that one's mode. */
graft_status graft__temp_make(graft_ctx *g, const char *op, const char *path, const graft__place *p,
                              int *fd, char name[GRAFT__TEMP_NAME]);

/* Removes what killed processes left of saves to this place: files with such a name that nobody
 * holds a lock on and that nobody wrote to in the last minute. As far as it goes. */
void graft__temp_sweep(const graft__place *p);

#endif
