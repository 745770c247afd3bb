/* Tensors as PyTorch prints them (torch/_tensor_str.py has the rules; the constants are those of
 * torch.set_printoptions' default profile). */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/ctx.h"
#include "base/number.h"
#include "base/text.h"
#include "kernel/copy.h"
#include "tensor/history.h"
#include "tensor/tensor.h"

enum { THRESHOLD = 1000, EDGE = 3, LINE_WIDTH = 80, ELEMENT_MAX = 64 };

typedef struct printer {
    graft__array array;
    bool floating, summarised;
    bool whole;               /* all finite numbers are integers: "3." */
    bool scientific;          /* "1.0000e-05" */
    double smallest, largest; /* magnitudes of what is finite and not 0; 0 if nothing is */
    int width;
    graft__text text;
} printer;

static const char *element_at(const printer *p, int64_t offset)
{
    return (const char *)p->array.data + offset * (int64_t)graft_dtype_size(p->array.dtype);
}

static int format_number(const printer *p, double x, char out[ELEMENT_MAX])
{
    if (!isfinite(x))
        return snprintf(out, ELEMENT_MAX, "%s", isnan(x) ? "nan" : x > 0 ? "inf" : "-inf");
    if (p->scientific)
        snprintf(out, ELEMENT_MAX, "%.4e", x);
    else
        snprintf(out, ELEMENT_MAX, p->whole ? "%.0f" : "%.4f", x);
    graft__use_point(out);
    if (p->whole && !p->scientific)
        strcat(out, ".");
    return (int)strlen(out);
}

static int format_element(const printer *p, int64_t offset, char out[ELEMENT_MAX])
{
    const void *const element = element_at(p, offset);
    if (p->floating)
        return format_number(p, graft__get_f64(element, p->array.dtype), out);
    const int64_t x = graft__get_i64(element, p->array.dtype);
    if (p->array.dtype == GRAFT_BOOL)
        return snprintf(out, ELEMENT_MAX, "%s", x ? "True" : "False");
    return snprintf(out, ELEMENT_MAX, "%lld", (long long)x);
}

/* ---- What the elements that are shown have in common ---- */

static bool skips(const printer *p, int dim)
{
    return p->summarised && p->array.size[dim] > 2 * EDGE;
}

static void each_shown(printer *p, int dim, int64_t offset, void (*visit)(printer *p, int64_t at))
{
    if (dim == p->array.ndim) {
        visit(p, offset);
        return;
    }
    const int64_t size = p->array.size[dim];
    for (int64_t i = 0; i < size; i++) {
        if (i == EDGE && skips(p, dim))
            i = size - EDGE;
        each_shown(p, dim + 1, offset + i * p->array.stride[dim], visit);
    }
}

static bool counts(double x)
{
    return isfinite(x) && x != 0;
}

static void measure_number(printer *p, int64_t offset)
{
    const double x = graft__get_f64(element_at(p, offset), p->array.dtype);
    if (!counts(x))
        return;
    const double magnitude = fabs(x);
    if (p->largest == 0 || magnitude < p->smallest)
        p->smallest = magnitude;
    if (magnitude > p->largest)
        p->largest = magnitude;
    if (x != ceil(x))
        p->whole = false;
}

static void measure_width(printer *p, int64_t offset)
{
    char out[ELEMENT_MAX];
    if (p->floating && !counts(graft__get_f64(element_at(p, offset), p->array.dtype)))
        return;
    const int width = format_element(p, offset, out);
    if (width > p->width)
        p->width = width;
}

static void choose_format(printer *p)
{
    p->width = 1;
    p->whole = true;
    if (p->floating)
        each_shown(p, 0, 0, measure_number);
    if (p->largest > 0)
        p->scientific = p->largest / p->smallest > 1000.0 || p->largest > 1.0e8 ||
                        (!p->whole && p->smallest < 1.0e-4);
    each_shown(p, 0, 0, measure_width);
}

/* ---- The brackets ---- */

static void add_spaces(printer *p, int n)
{
    graft__text_addf(&p->text, "%*s", n, "");
}

static void add_element(printer *p, int64_t offset)
{
    char out[ELEMENT_MAX];
    format_element(p, offset, out);
    graft__text_addf(&p->text, "%*s", p->width, out);
}

static void add_row(printer *p, int dim, int64_t offset, int indent)
{
    const int64_t size = p->array.size[dim];
    const int fit = (LINE_WIDTH - indent) / (p->width + 2);
    const int per_line = fit > 1 ? fit : 1;
    int shown = 0;
    graft__text_add(&p->text, "[");
    for (int64_t i = 0; i < size; i++, shown++) {
        if (shown > 0 && shown % per_line == 0) {
            graft__text_add(&p->text, ",\n");
            add_spaces(p, indent + 1);
        } else if (shown > 0) {
            graft__text_add(&p->text, ", ");
        }
        if (i == EDGE && skips(p, dim)) {
            graft__text_add(&p->text, " ...");
            i = size - EDGE - 1;
        } else {
            add_element(p, offset + i * p->array.stride[dim]);
        }
    }
    graft__text_add(&p->text, "]");
}

static void add_elements(printer *p, int dim, int64_t offset, int indent)
{
    if (p->array.ndim == 0) {
        add_element(p, offset);
        return;
    }
    if (dim == p->array.ndim - 1) {
        add_row(p, dim, offset, indent);
        return;
    }
    const int64_t size = p->array.size[dim];
    graft__text_add(&p->text, "[");
    for (int64_t i = 0; i < size; i++) {
        if (i > 0) {
            graft__text_add(&p->text, ",");
            for (int d = dim + 1; d < p->array.ndim; d++)
                graft__text_add(&p->text, "\n");
            add_spaces(p, indent + 1);
        }
        if (i == EDGE && skips(p, dim)) {
            graft__text_add(&p->text, "...");
            i = size - EDGE - 1;
        } else {
            add_elements(p, dim + 1, offset + i * p->array.stride[dim], indent + 1);
        }
    }
    graft__text_add(&p->text, "]");
}

/* ---- What stands behind them ---- */

static const char prefix[] = "tensor(";
enum { INDENT = sizeof prefix - 1 };

/* The characters of the last line, as PyTorch counts them: one too many. */
static int last_line(const graft__text *t)
{
    const char *newline = t->data ? strrchr(t->data, '\n') : NULL;
    return (int)(newline ? t->data + t->length - newline : (ptrdiff_t)t->length + 1) + 1;
}

/* line: the length of the last line so far, which is updated. */
static void add_suffix(printer *p, const char *suffix, int *line)
{
    const int length = (int)strlen(suffix);
    if (*line + length + 2 > LINE_WIDTH) {
        graft__text_add(&p->text, ",\n");
        add_spaces(p, INDENT);
        *line = INDENT + length;
    } else {
        graft__text_add(&p->text, ", ");
        *line += length + 2;
    }
    graft__text_add(&p->text, suffix);
}

/* "log_softmax" as "grad_fn=<LogSoftmaxBackward0>". */
static void write_grad_fn(const char *op, char *out, size_t size)
{
    size_t at = (size_t)snprintf(out, size, "grad_fn=<");
    bool upper = true;
    for (; *op && at + 1 < size; op++) {
        if (*op != '_')
            out[at++] = (char)(upper ? toupper((unsigned char)*op) : *op);
        upper = *op == '_';
    }
    snprintf(out + at, size - at, "Backward0>");
}

static void add_suffixes(printer *p, const graft_tensor *t)
{
    char suffix[GRAFT__SHAPE_TEXT + 32];
    int line = last_line(&p->text);
    const bool empty = t->numel == 0;
    if (empty && t->ndim != 1) {
        char shape[GRAFT__SHAPE_TEXT];
        graft__tensor_shape_text(t, shape);
        snprintf(suffix, sizeof suffix, "size=(%.*s)", (int)strlen(shape) - 2, shape + 1);
        add_suffix(p, suffix, &line);
    }
    const bool obvious =
        t->dtype == GRAFT_F32 || (!empty && (t->dtype == GRAFT_I64 || t->dtype == GRAFT_BOOL));
    if (!obvious) {
        snprintf(suffix, sizeof suffix, "dtype=torch.%s", graft_dtype_name(t->dtype));
        add_suffix(p, suffix, &line);
    }
    if (t->history) {
        write_grad_fn(graft__history_name(t->history), suffix, sizeof suffix);
        add_suffix(p, suffix, &line);
    } else if (t->requires_grad) {
        add_suffix(p, "requires_grad=True", &line);
    }
}

/* Elements that have no arithmetic have no numbers to show. */
static char *carried_text(const graft_tensor *t)
{
    char shape[GRAFT__SHAPE_TEXT];
    graft__text text;
    graft__text_init(&text, t->object.ctx);
    graft__text_addf(&text, "%s..., size=%s, dtype=%s)", prefix, graft__tensor_shape_text(t, shape),
                     graft_dtype_name(t->dtype));
    return graft__text_take(&text);
}

char *graft_tensor_text(const graft_tensor *t)
{
    if (!t)
        return NULL;
    if (!graft_dtype_computes(t->dtype))
        return carried_text(t);
    printer p = {.array = graft__read(t),
                 .floating = graft_dtype_is_floating(t->dtype),
                 .summarised = t->numel > THRESHOLD};
    graft__text_init(&p.text, t->object.ctx);
    graft__text_add(&p.text, prefix);
    if (t->numel == 0) {
        graft__text_add(&p.text, "[]");
    } else {
        choose_format(&p);
        add_elements(&p, 0, 0, INDENT);
    }
    add_suffixes(&p, t);
    graft__text_add(&p.text, ")");
    return graft__text_take(&p.text);
}

graft_status graft_print(const graft_tensor *t, FILE *stream)
{
    if (!t)
        return GRAFT_ERR_ARGUMENT;
    graft_ctx *g = t->object.ctx;
    if (!stream)
        return graft__fail(g, GRAFT_ERR_ARGUMENT, "print: the stream is NULL");
    char *text = graft_tensor_text(t);
    if (!text)
        return GRAFT_ERR_MEMORY;
    const bool ok = fputs(text, stream) >= 0 && fputc('\n', stream) >= 0;
    graft_text_free(g, text);
    return ok ? GRAFT_OK
              : graft__fail(g, GRAFT_ERR_IO, "print: the stream does not take the tensor's text");
}
