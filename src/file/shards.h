/* Sets of shards: an index of JSON beside files of safetensors. */
#ifndef GRAFT__FILE_SHARDS_H
#define GRAFT__FILE_SHARDS_H

#include "file/reading.h"

/* What an index says. */
typedef struct graft__shard_index {
    graft_ctx *g;
    graft_dict *names;  /* of tensors, in the order of the weight_map; their values are None */
    graft_dict *shards; /* file names; their values are None */
    uint32_t *shard_of; /* beside names: which */
    size_t count, capacity;
    bool has_total_size;
    uint64_t total_size;
} graft__shard_index;

/* Reads r->source as an index; what its "metadata" says goes to r->metadata. Names of shards that
 * leave the folder are refused. */
graft_status graft__shard_index_read(graft__reading *r, graft__shard_index *out);
void graft__shard_index_free(graft__shard_index *x);

/* Whether the path of a shard stays below the folder of the index: relative, without "..". */
bool graft__shard_name_is_safe(const char *name, size_t length);

/* "folder/name" as a text of the context; NULL with the error set. path is any file of the folder.
 */
char *graft__beside(graft_ctx *g, const char *path, const char *name);

#endif
