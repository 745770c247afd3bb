/* Whole files. */
#ifndef GRAFT__BASE_FILE_H
#define GRAFT__BASE_FILE_H

#include "graft/base.h"

/* Reads a regular file into a block of *size bytes, freed by graft__free. op is for errors. */
graft_status graft__file_read(graft_ctx *g, const char *op, const char *path, unsigned char **bytes,
                              size_t *size);

#endif
