#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/merge.h"
#include "cli/say.h"

/* One number that ends at `end`, which is moved behind it. */
static bool read_number(const char **text, double *out)
{
    char *end;
    *out = strtod(*text, &end);
    const bool ok = end != *text && isfinite(*out);
    *text = end;
    return ok;
}

/* "0.5,0.25,0.25": exactly n. */
static bool read_list(cli_call *call, const char *option, const char *text, size_t n, double *out)
{
    const char *at = text;
    size_t count = 0;
    for (double x; read_number(&at, &x); at++) {
        if (count < n)
            out[count] = x;
        count++;
        if (*at != ',')
            break;
    }
    if (*at == 0 && count == n)
        return true;
    say_usage(call, "%s: '%s': expected %zu numbers with commas between them, one for each FILE",
              option, text, n);
    return false;
}

/* "t=0.3", "scale=0.5", or weights. */
static bool read_word(cli_call *call, const char *word, size_t n, double *weights,
                      graft_merge_layer *layer)
{
    double *const place = strncmp(word, "t=", 2) == 0       ? &layer->t
                          : strncmp(word, "scale=", 6) == 0 ? &layer->scale
                                                            : NULL;
    if (!place) {
        layer->weights = weights;
        return read_list(call, "--layer", word, n, weights);
    }
    const char *at = strchr(word, '=') + 1;
    if (read_number(&at, place) && *at == 0)
        return true;
    say_usage(call, "--layer: '%s': expected a number behind =", word);
    return false;
}

/* "GLOB WORD...": glob is a copy of the text, and is cut up. */
static bool read_layer(cli_call *call, char *glob, size_t n, double *weights,
                       graft_merge_layer *layer)
{
    char *save, *word = strtok_r(glob, " ", &save);
    *layer = (graft_merge_layer){.glob = word, .t = NAN, .scale = NAN};
    if (!word || !(word = strtok_r(NULL, " ", &save))) {
        say_usage(call, "--layer: expected 'GLOB WEIGHTS', 'GLOB t=T' or 'GLOB scale=S'");
        return false;
    }
    for (; word; word = strtok_r(NULL, " ", &save))
        if (!read_word(call, word, n, weights, layer))
            return false;
    return true;
}

bool merge_numbers_read(cli_call *call, size_t n, merge_numbers *out, graft_merge_options *m)
{
    const merge_options *o = call->options;
    out->count = o->layers.count;
    out->weights = calloc((o->layers.count + 1) * n, sizeof *out->weights);
    out->layers = calloc(o->layers.count + 1, sizeof *out->layers);
    out->globs = calloc(o->layers.count + 1, sizeof *out->globs);
    if (!out->weights || !out->layers || !out->globs) {
        say_trouble(call, "out of memory");
        return false;
    }
    if (o->weights && !read_list(call, "--weights", o->weights, n, out->weights))
        return false;
    m->weights = o->weights ? out->weights : NULL;
    for (size_t i = 0; i < out->count; i++) {
        out->globs[i] = strdup(o->layers.at[i]);
        if (!out->globs[i]) {
            say_trouble(call, "out of memory");
            return false;
        }
        if (!read_layer(call, out->globs[i], n, out->weights + (i + 1) * n, &out->layers[i]))
            return false;
    }
    m->layers = out->layers;
    m->layer_count = (int64_t)out->count;
    return true;
}

void merge_numbers_free(merge_numbers *numbers)
{
    for (size_t i = 0; numbers->globs && i < numbers->count; i++)
        free(numbers->globs[i]);
    free(numbers->globs);
    free(numbers->layers);
    free(numbers->weights);
}
