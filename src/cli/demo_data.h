/* The images that the demo trains on. */
#ifndef CLI_DEMO_DATA_H
#define CLI_DEMO_DATA_H

#include <stdbool.h>

#include "graft/graft.h"

typedef struct demo_data {
    graft_tensor *train_x, *test_x; /* [N, H, W] f32 in [0, 1] */
    graft_tensor *train_y, *test_y; /* [N] i64 */
    int64_t features;               /* H * W */
    int64_t classes;
} demo_data;

/* Loads the four idx or idx.gz files of an MNIST-like directory; NULL: the Fashion-MNIST subset
 * that comes with graft. false after saying on stderr what is wrong. */
bool demo_data_load(graft_ctx *g, const char *directory, demo_data *out);

#endif
