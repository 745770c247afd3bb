/* Gzipped bytes in memory. */
#ifndef GRAFT__FILE_GZIP_H
#define GRAFT__FILE_GZIP_H

#include "graft/base.h"

bool graft__is_gzip(const unsigned char *bytes, size_t size);

/* Inflates a file of one gzip member into a block of *out_size bytes, freed by graft__free. The
 * size that the file claims is believed only as far as deflate can stretch its bytes. op and path
 * are for errors. In a build without libdeflate: GRAFT_ERR_FORMAT, and the error says so. */
graft_status graft__gunzip(graft_ctx *g, const char *op, const char *path,
                           const unsigned char *bytes, size_t size, unsigned char **out,
                           size_t *out_size);

#endif
