/* The content hash: SHA-256 over tensors, the same for the same tensors in any format. */
#ifndef GRAFT__FILE_HASH_H
#define GRAFT__FILE_HASH_H

#include "tensor/dict.h"

enum { GRAFT__HASH_TEXT = 65 };

/* Over the tensors of a dict by their dotted names in the order of strcmp: for each, name, 0, dtype
 * name, 0, the number of dimensions and the sizes as u64 little-endian, then the elements in C
 * order as little-endian bytes. Lower-case hexadecimal into out. */
graft_status graft__content_hash(const graft_dict *d, const char *op, char out[GRAFT__HASH_TEXT]);

#endif
