#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "graft/layers.h"
#include "graft/ops.h"

typedef struct dropout {
    graft_module base;
    double p;
} dropout;

static graft_tensor *forward(graft_module *self, graft_tensor *x)
{
    return graft_dropout(x, ((const dropout *)self)->p, graft_is_training(self));
}

/* Python's repr of a number of 0 to 1: the shortest digits that read back as p, in any locale. */
static void write_probability(double p, char *out, size_t size)
{
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(out, size, "%.*g", digits, p);
        if (strtod(out, NULL) == p)
            break;
    }
    char *point = strstr(out, localeconv()->decimal_point);
    if (point && strlen(localeconv()->decimal_point) == 1)
        *point = '.';
    if (!strpbrk(out, ".e"))
        strcat(out, ".0");
}

static void extra_repr(const graft_module *self, char *out, size_t size)
{
    char p[64];
    write_probability(((const dropout *)self)->p, p, sizeof p - 2);
    snprintf(out, size, "p=%s, inplace=False", p);
}

static const graft_module_class dropout_class = {
    .name = "Dropout", .size = sizeof(dropout), .forward = forward, .extra_repr = extra_repr};

graft_module *graft_dropout_layer(graft_ctx *g, double p)
{
    if (!(p >= 0 && p <= 1)) {
        graft__fail(g, GRAFT_ERR_ARGUMENT, "dropout: p is %g: expected a probability, 0 to 1", p);
        return NULL;
    }
    dropout *m = graft_module_new(g, &dropout_class);
    if (!m)
        return NULL;
    m->p = p;
    return &m->base;
}
