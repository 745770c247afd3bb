#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/demo_story.h"

typedef struct demo_options {
    const char *data, *out;
    int model; /* which of models */
    int64_t epochs, batch, hidden, seed;
    double lr;
} demo_options;

/* Trains A and tells the story; the exit status. */
static int tell(const demo_options *o, graft_ctx *g, const terminal *t)
{
    demo_data data;
    if (!demo_data_load(g, o->data, &data))
        return CLI_TROUBLE;
    graft_manual_seed(g, (uint64_t)o->seed);
    const int64_t images = graft_size(data.train_x, 0);
    demo_story s = {.terminal = t, .g = g, .data = &data};
    s.batch = o->batch < images ? o->batch : images;
    s.hidden = o->hidden;
    s.epochs = o->epochs;
    s.out = o->out;
    s.lr = o->lr;
    s.a = demo_mlp(g, data.features, o->hidden, data.classes);
    graft_adam_options adam = graft_adam_defaults();
    adam.lr = o->lr;
    s.adam_a = graft_adam(graft_parameters(s.a), &adam);
    if (!s.a || !s.adam_a) {
        fprintf(stderr, "graft demo: %s\n", graft_error(g));
        return CLI_TROUBLE;
    }

    terminal_title(t, "Model A");
    graft_module_print(s.a, stdout);
    printf("%lld parameters; Adam, lr %g, batches of %lld, %d threads\n",
           (long long)graft_parameter_count(s.a, false), o->lr, (long long)s.batch,
           graft_num_threads(g));
    if (!demo_train(t, s.a, s.adam_a, &data, o->epochs, s.batch)) {
        fprintf(stderr, "graft demo: training failed: %s\n",
                graft_error(g) ? graft_error(g) : "the loss is not a number (lr too high?)");
        return CLI_TROUBLE;
    }
    terminal_title(t, "Every way of copying it");
    demo_tell(&s);
    terminal_title(t, "What each took");
    bool ok = demo_costs(&s);
    terminal_title(t, "Result");
    printf("  test accuracy %.1f%%; %s\n", 100 * demo_accuracy(s.a, &data),
           s.failures == 0 ? "every claim held" : "some claims did NOT hold");
    if (graft_error(g))
        fprintf(stderr, "graft demo: %s\n", graft_error(g));
    if (s.failures)
        return CLI_FOUND;
    return ok && !graft_error(g) ? CLI_OK : CLI_TROUBLE;
}

static int run(cli_call *call)
{
    const demo_options *const o = call->options;
    demo_folder folder;
    if (o->out && !demo_folder_open(o->out, &folder)) /* before it trains for nothing */
        return CLI_TROUBLE;
    return tell(o, call->g, &call->out);
}

static const char *const models[] = {"mlp", NULL};

static const cli_option options[] = {
    {.name = "out",
     .type = CLI_FILE,
     .argument = "DIR",
     .offset = offsetof(demo_options, out),
     .help = "keep the files that it saves there: a.pt, a.safetensors, checkpoint.pt (default: a "
             "temporary folder that is removed)"},
    {.name = "data",
     .type = CLI_FILE,
     .argument = "DIR",
     .offset = offsetof(demo_options, data),
     .help = "idx or idx.gz files named as MNIST's (default: the Fashion-MNIST subset that comes "
             "with graft)"},
    {.name = "model",
     .type = CLI_CHOICE,
     .argument = "NAME",
     .choices = models,
     .offset = offsetof(demo_options, model),
     .help = "mlp: Linear, ReLU, Linear"},
    {.name = "epochs",
     .type = CLI_INT,
     .argument = "N",
     .min = 1,
     .max = 1e6,
     .offset = offsetof(demo_options, epochs),
     .help = "passes over the training images"},
    {.name = "batch",
     .type = CLI_INT,
     .argument = "N",
     .min = 1,
     .max = 1e6,
     .offset = offsetof(demo_options, batch),
     .help = "images a step"},
    {.name = "hidden",
     .type = CLI_INT,
     .argument = "N",
     .min = 1,
     .max = 65536,
     .offset = offsetof(demo_options, hidden),
     .help = "width of the hidden layer"},
    {.name = "lr",
     .type = CLI_REAL,
     .argument = "X",
     .min = 1e-6,
     .max = 1e3,
     .offset = offsetof(demo_options, lr),
     .help = "Adam's learning rate"},
    {.name = "seed",
     .type = CLI_INT,
     .argument = "N",
     .min = 0,
     .max = 9e18,
     .offset = offsetof(demo_options, seed),
     .help = "seed of weights and batches"},
};

static const demo_options defaults = {.epochs = 5, .batch = 64, .hidden = 128, .lr = 0.01};

static const cli_example examples[] = {
    {"graft demo --epochs 1", "trains for a moment, and tells everything", 0},
    {"graft demo --epochs 1 --out demo", "leaves files to try the other commands on", 0},
};

const cli_command cli_demo = {
    .name = "demo",
    .summary = "train a network on Fashion-MNIST and copy it in every way",
    .description = "Trains model A on images and tells what each way of copying it does, as "
                   "measured, files too.",
    .operands = "",
    .options = options,
    .option_count = CLI_COUNT(options),
    .defaults = &defaults,
    .options_size = sizeof defaults,
    .status = {"every claim held", "a claim did not hold"},
    .examples = examples,
    .example_count = CLI_COUNT(examples),
    .run = run,
};
