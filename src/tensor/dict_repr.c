/* Values as Python's repr has them. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "base/text.h"
#include "tensor/dict.h"

enum { DEPTH_MAX = 4 };

typedef struct writer {
    graft__text *out;
    size_t end; /* of out: where it is cut off */
} writer;

static bool is_full(const writer *w)
{
    return w->out->failed || w->out->length >= w->end;
}

static void add_byte(const writer *w, unsigned char c, bool is_bytes)
{
    if (c == '\\' || c == '\'')
        graft__text_addf(w->out, "\\%c", c);
    else if (c == '\n')
        graft__text_add(w->out, "\\n");
    else if (c < 0x20 || c == 0x7f || (is_bytes && c >= 0x80))
        graft__text_addf(w->out, "\\x%02x", c);
    else
        graft__text_addn(w->out, (const char *)&c, 1);
}

static void add_text(const writer *w, const graft__value *v)
{
    graft__text_add(w->out, v->kind == GRAFT_VALUE_BYTES ? "b'" : "'");
    for (size_t i = 0; i < v->text.length && !is_full(w); i++)
        add_byte(w, (unsigned char)v->text.data[i], v->kind == GRAFT_VALUE_BYTES);
    graft__text_add(w->out, "'");
}

/* The shortest digits that give the number back. */
static void add_float(const writer *w, double x)
{
    if (isnan(x) || isinf(x)) {
        graft__text_add(w->out, isnan(x) ? "nan" : x > 0 ? "inf" : "-inf");
        return;
    }
    char digits[40];
    for (int precision = 1; precision <= 17; precision++) {
        snprintf(digits, sizeof digits, "%.*g", precision, x);
        if (strtod(digits, NULL) == x)
            break;
    }
    graft__use_point(digits);
    graft__text_add(w->out, digits);
    if (!strpbrk(digits, ".en"))
        graft__text_add(w->out, ".0");
}

static void add_tensor(const writer *w, const graft_tensor *t)
{
    char shape[GRAFT__SHAPE_TEXT];
    graft__text_addf(w->out, "<tensor %s %s>", graft__tensor_shape_text(t, shape),
                     graft_dtype_name(t->dtype));
}

static void add_value(const writer *w, const graft__value *v, int depth);

static void add_items(const writer *w, const graft_dict *d, const char *open, const char *close,
                      int depth)
{
    graft__text_add(w->out, open);
    for (size_t i = 0; i < d->count && !is_full(w); i++) {
        if (i > 0)
            graft__text_add(w->out, ", ");
        if (!graft__is_list(d)) {
            add_value(w, &d->entry[i].key, depth - 1);
            graft__text_add(w->out, ": ");
        }
        add_value(w, &d->entry[i].value, depth - 1);
    }
    if (d->container == GRAFT_VALUE_TUPLE && d->count == 1)
        graft__text_add(w->out, ",");
    graft__text_add(w->out, close);
}

static void add_container(const writer *w, const graft_dict *d, int depth)
{
    if (d->class_name)
        graft__text_add(w->out, d->class_name);
    if (depth == 0) {
        graft__text_add(w->out, "...");
        return;
    }
    switch (d->container) {
    case GRAFT_VALUE_LIST:
        add_items(w, d, "[", "]", depth);
        break;
    case GRAFT_VALUE_TUPLE:
        add_items(w, d, "(", ")", depth);
        break;
    case GRAFT_VALUE_RECORD:
        if (d->args)
            add_items(w, d->args, "(", ")", depth);
        break;
    default:
        add_items(w, d, "{", "}", depth);
    }
}

static void add_value(const writer *w, const graft__value *v, int depth)
{
    if (is_full(w))
        return;
    switch (v->kind) {
    case GRAFT_VALUE_NONE:
        graft__text_add(w->out, "None");
        break;
    case GRAFT_VALUE_BOOL:
        graft__text_add(w->out, v->boolean ? "True" : "False");
        break;
    case GRAFT_VALUE_INT:
        graft__text_addf(w->out, "%" PRId64, v->integer);
        break;
    case GRAFT_VALUE_FLOAT:
        add_float(w, v->real);
        break;
    case GRAFT_VALUE_COMPLEX:
        graft__text_add(w->out, "(");
        add_float(w, v->parts[0]);
        graft__text_add(w->out, v->parts[1] < 0 || signbit(v->parts[1]) ? "" : "+");
        add_float(w, v->parts[1]);
        graft__text_add(w->out, "j)");
        break;
    case GRAFT_VALUE_BIG_INT:
        graft__text_addn(w->out, v->text.data, v->text.length);
        break;
    case GRAFT_VALUE_STRING:
    case GRAFT_VALUE_BYTES:
        add_text(w, v);
        break;
    case GRAFT_VALUE_TENSOR:
        add_tensor(w, v->tensor);
        break;
    default:
        add_container(w, v->dict, depth);
    }
}

void graft__value_repr(graft__text *out, const graft__value *v, size_t limit)
{
    const writer w = {.out = out, .end = out->length + limit};
    add_value(&w, v, DEPTH_MAX);
    if (out->length > w.end) {
        graft__text_cut(out, w.end);
        graft__text_add(out, "...");
    }
}
