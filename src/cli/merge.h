/* graft merge in parts: merge.c (the command), merge_layers.c (numbers and layers of its options).
 */
#ifndef CLI_MERGE_H
#define CLI_MERGE_H

#include "cli/cli.h"

typedef struct merge_options {
    const char *out, *base, *root, *weights;
    cli_texts layers;
    int method, integers, format;
    double decay, t, scale, density;
    int64_t seed;
    uint64_t shards;
    bool plain_sum, f64, hash, no_sync, json, force;
} merge_options;

/* What graft_merge_options point to. */
typedef struct merge_numbers {
    double *weights;           /* of the method and of each layer, n each */
    graft_merge_layer *layers; /* one for each --layer */
    char **globs;              /* theirs */
    size_t count;
} merge_numbers;

/* Reads --weights and --layer for n sources into *out, and points m to them. false after telling
 * what is wrong. Freed by merge_numbers_free in either case. */
bool merge_numbers_read(cli_call *call, size_t n, merge_numbers *out, graft_merge_options *m);
void merge_numbers_free(merge_numbers *numbers);

#endif
