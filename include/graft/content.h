/* graft/content.h: what a checkpoint holds, looked at as a whole: a hash of it, numbers on each
 * tensor, findings, and checkpoints that hold only what differs from another. */
#ifndef GRAFT_CONTENT_H
#define GRAFT_CONTENT_H

#include "graft/dict.h"
#include "graft/file.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Hash ---- */

enum { GRAFT_HASH_TEXT = 65 };

/* SHA-256 of all tensors below d by their dotted names, in hexadecimal: the same for the same
 * names, dtypes, shapes and elements in any format. docs/safetensors.md says how it is made.
 * GRAFT_ERR_NAME if two names are the same; GRAFT_ERR_ARGUMENT in a build without nettle. */
GRAFT_API graft_status graft_content_hash(const graft_dict *d, char out[GRAFT_HASH_TEXT]);

/* The hash of one tensor's elements alone (entry i of d). */
GRAFT_API graft_status graft_tensor_hash(const graft_dict *d, int64_t i, char out[GRAFT_HASH_TEXT]);

/* ---- Numbers ---- */

enum { GRAFT_HISTOGRAM = 64 };

/* Of one tensor. NaN and infinite elements are counted and left out of everything else; where no
 * other is left, min, max, mean and std are NaN. */
typedef struct graft_tensor_stats {
    int64_t elements, zeros, nans, infinities;
    double min, max, mean;
    double std;                         /* of the population: divided by n */
    double norm;                        /* L2 */
    int64_t histogram[GRAFT_HISTOGRAM]; /* equal steps from min to max; all in the first if min is
                                           max */
} graft_tensor_stats;

/* Entry i of d, read in bounded memory. GRAFT_ERR_ARGUMENT if it is no tensor, or of a dtype whose
 * elements are no numbers (blocks, bits, complex). */
GRAFT_API graft_status graft_dict_stats(const graft_dict *d, int64_t i, graft_tensor_stats *out);

/* ---- Delta checkpoints ---- */

/* Writes to path, as safetensors, the tensors of d that differ from base (bit for bit, or in dtype
 * or shape, or that base lacks), the names that d lacks, base_name (for people: where it lies) and
 * the content hash of base and of d. options and report may be NULL. GRAFT_ERR_ARGUMENT in a build
 * without nettle, for another format and for shards. */
GRAFT_API graft_status graft_save_delta(graft_ctx *g, const char *path, const graft_dict *d,
                                        const graft_dict *base, const char *base_name,
                                        const graft_write_options *options,
                                        graft_write_report *report);

/* Whether an open checkpoint is a delta, and the name that its base was given; NULL if not. */
GRAFT_API const char *graft_delta_base(const graft_checkpoint *c);

/* The whole: base with the delta's tensors. base's content hash is compared with the delta's
 * (GRAFT_ERR_ARGUMENT tells both), and what comes out with the hash of the whole
 * (GRAFT_ERR_FORMAT). Flat, in the order of the dict that was saved; freed by graft_dict_free. */
GRAFT_API graft_dict *graft_load_delta(const graft_checkpoint *delta, const graft_dict *base);

#ifdef __cplusplus
}
#endif

#endif
