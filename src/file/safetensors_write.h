/* Writing safetensors: what one file and a set of shards share. */
#ifndef GRAFT__FILE_SAFETENSORS_WRITE_H
#define GRAFT__FILE_SAFETENSORS_WRITE_H

#include "file/sha256.h"
#include "file/tensor_list.h"
#include "file/writing.h"

/* What is to be written, checked. */
typedef struct graft__safetensors_plan {
    graft__writing *w;
    char *begin; /* of errors: "save: a.safetensors" */
    graft__tensor_list list;
    uint32_t *order;       /* as the reference writer has them: widest dtype first, then by name */
    uint32_t *shard;       /* beside list.item: the file that it goes to */
    uint32_t shards;       /* how many files */
    unsigned char *hashes; /* of the elements, beside list.item; NULL: not asked for */
} graft__safetensors_plan;

/* Lists w->dict's tensors and hashes them where the options ask for it; one file. On failure there
 * is nothing to free. */
graft_status graft__safetensors_plan_make(graft__writing *w, graft__safetensors_plan *out);
void graft__safetensors_plan_free(graft__safetensors_plan *p);

/* Spreads the tensors in the dict's order over files of at most max bytes. */
void graft__safetensors_plan_split(graft__safetensors_plan *p, uint64_t max);

/* The content hash as text of one shard's tensors; of all for shard UINT32_MAX. */
void graft__safetensors_plan_hash(const graft__safetensors_plan *p, uint32_t shard,
                                  char out[GRAFT__SHA256_TEXT]);

/* Writes the file of that shard to save. */
graft_status graft__safetensors_write_file(const graft__safetensors_plan *p, uint32_t shard,
                                           graft__save *save);

/* An index and its shards (shards_write.c). */
graft_status graft__write_shards(graft__safetensors_plan *p);

/* Appends a number in decimal. */
void graft__add_u64(graft__text *out, uint64_t number);

#endif
