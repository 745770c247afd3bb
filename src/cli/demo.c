#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/demo_story.h"

typedef struct demo_options {
    const char *data, *model, *out;
    long long epochs, batch, hidden, seed, threads;
    double lr;
} demo_options;

/* Trains A and tells the story; the exit status. */
static int tell(const demo_options *o, graft_ctx *g, const terminal *t)
{
    demo_data data;
    if (!demo_data_load(g, o->data, &data))
        return CLI_FAILED;
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
        return CLI_FAILED;
    }

    terminal_title(t, "Model A");
    graft_module_print(s.a, stdout);
    printf("%lld parameters; Adam, lr %g, batches of %lld, %d threads\n",
           (long long)graft_parameter_count(s.a, false), o->lr, (long long)s.batch,
           graft_num_threads(g));
    if (!demo_train(t, s.a, s.adam_a, &data, o->epochs, s.batch)) {
        fprintf(stderr, "graft demo: training failed: %s\n",
                graft_error(g) ? graft_error(g) : "the loss is not a number (lr too high?)");
        return CLI_FAILED;
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
    return ok && s.failures == 0 && !graft_error(g) ? CLI_OK : CLI_FAILED;
}

static int run(int argc, char **argv)
{
    demo_options o = {.model = "mlp", .epochs = 5, .batch = 64, .hidden = 128, .lr = 0.01};
    o.threads = graft_options_defaults().threads;
    const cli_option options[] = {
        {"--data", CLI_TEXT, &o.data, 0, 0},        {"--model", CLI_TEXT, &o.model, 0, 0},
        {"--epochs", CLI_INT, &o.epochs, 1, 1e6},   {"--batch", CLI_INT, &o.batch, 1, 1e6},
        {"--hidden", CLI_INT, &o.hidden, 1, 65536}, {"--lr", CLI_REAL, &o.lr, 1e-6, 1e3},
        {"--seed", CLI_INT, &o.seed, 0, 9e18},      {"--threads", CLI_INT, &o.threads, 1, 64},
        {"--out", CLI_TEXT, &o.out, 0, 0},
    };
    bool help;
    int status = cli_parse(&cli_demo, options, sizeof options / sizeof *options, argc, argv, &help);
    if (status != CLI_OK || help) {
        if (help)
            printf("%s", cli_demo.help);
        return status;
    }
    if (strcmp(o.model, "mlp") != 0) {
        fprintf(stderr, "graft demo: --model %s: expected mlp\n", o.model);
        return CLI_USAGE;
    }
    demo_folder folder;
    if (o.out && !demo_folder_open(o.out, &folder)) /* before it trains for nothing */
        return CLI_FAILED;
    graft_options ctx = graft_options_defaults();
    ctx.threads = (int)o.threads;
    graft_ctx *g = graft_open(&ctx);
    if (!g) {
        fprintf(stderr, "graft demo: out of memory\n");
        return CLI_FAILED;
    }
    terminal t = terminal_open();
    status = tell(&o, g, &t);
    graft_close(g);
    return status;
}

const cli_command cli_demo = {
    .name = "demo",
    .summary = "train a network on Fashion-MNIST and copy it in every way",
    .help =
        "usage: graft demo [OPTIONS]\n"
        "\n"
        "Trains model A on images and tells what each way of copying it does, as measured, files\n"
        "too. The exit status is 0 only if every claim held.\n"
        "\n"
        "  --out DIR      keep the files that it saves there: a.pt, a.safetensors, checkpoint.pt\n"
        "                 (default: a temporary folder that is removed)\n"
        "  --data DIR     idx or idx.gz files named as MNIST's (default: the Fashion-MNIST subset\n"
        "                 that comes with graft)\n"
        "  --model NAME   mlp: Linear, ReLU, Linear (default)\n"
        "  --epochs N     passes over the training images (5)\n"
        "  --batch N      images a step (64)\n"
        "  --hidden N     width of the hidden layer (128)\n"
        "  --lr X         Adam's learning rate (0.01)\n"
        "  --seed N       seed of weights and batches (0)\n"
        "  --threads N    threads (default: the machine's)\n",
    .run = run,
};
