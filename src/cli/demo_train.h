/* The demo's network and its training. */
#ifndef CLI_DEMO_TRAIN_H
#define CLI_DEMO_TRAIN_H

#include "cli/demo_data.h"
#include "cli/terminal.h"

/* A multilayer perceptron: Linear(features, hidden), ReLU, Linear(hidden, classes). */
graft_module *demo_mlp(graft_ctx *g, int64_t features, int64_t hidden, int64_t classes);

/* One step over the images that index names. The loss; NaN on failure. */
double demo_step(graft_module *model, graft_optimizer *opt, const demo_data *data,
                 graft_tensor *index);

/* steps steps over batches that depend on the seed alone. false on failure. */
bool demo_steps(graft_module *model, graft_optimizer *opt, const demo_data *data, int64_t batch,
                int steps, uint64_t seed);

/* Trains for some epochs, and prints loss and test accuracy of each. false on failure. */
bool demo_train(const terminal *t, graft_module *model, graft_optimizer *opt, const demo_data *data,
                long long epochs, int64_t batch);

/* The share of test images that the model names right; NaN on failure. */
double demo_accuracy(graft_module *model, const demo_data *data);

double demo_seconds(void);

#endif
