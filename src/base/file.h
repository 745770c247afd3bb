/* Whole files, and what all who read one do alike. */
#ifndef GRAFT__BASE_FILE_H
#define GRAFT__BASE_FILE_H

#include "graft/base.h"

/* Reads a regular file into a block of *size bytes, freed by graft__free. op is for errors. */
graft_status graft__file_read(graft_ctx *g, const char *op, const char *path, unsigned char **bytes,
                              size_t *size);

/* Fills block with size bytes of an open file from where it stands; a file that ends before is an
 * error. */
graft_status graft__file_fill(graft_ctx *g, const char *op, const char *path, int fd,
                              unsigned char *block, size_t size);

/* GRAFT_ERR_IO with what errno says of the path. */
graft_status graft__file_fail(graft_ctx *g, const char *op, const char *path);

#endif
