#include "cli/plot_rows.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Names ---- */

size_t plot_prefix(const char *name, int depth)
{
    size_t length = 0;
    for (; name[length]; length++)
        if (name[length] == '.' && --depth == 0)
            break;
    return length;
}

static bool begins_alike(const char *a, const char *b, int depth)
{
    const size_t length = plot_prefix(a, depth);
    return plot_prefix(b, depth) == length && memcmp(a, b, length) == 0;
}

static int64_t rows_of(const char *const *name, int64_t count, int depth)
{
    int64_t rows = count > 0;
    for (int64_t i = 1; i < count; i++)
        rows += !begins_alike(name[i - 1], name[i], depth);
    return rows;
}

static int components(const char *name)
{
    int n = 1;
    for (; *name; name++)
        n += *name == '.';
    return n;
}

int plot_depth(const char *const *name, int64_t count, int most)
{
    if (count <= most)
        return INT_MAX;
    int depth = 1;
    for (int64_t i = 0; i < count; i++)
        depth = components(name[i]) > depth ? components(name[i]) : depth;
    while (depth > 1 && rows_of(name, count, depth) > most)
        depth--;
    return depth;
}

/* ---- Adding up ---- */

/* Spreads each step evenly over the new range, which holds the old one. */
static void rebin(double *histogram, double min, double max, double new_min, double new_max)
{
    double moved[GRAFT_HISTOGRAM] = {0};
    const double step = (max - min) / GRAFT_HISTOGRAM;
    const double new_step = (new_max - new_min) / GRAFT_HISTOGRAM;
    for (int i = 0; i < GRAFT_HISTOGRAM; i++) {
        const double begin = (min + step * i - new_min) / new_step;
        const double end = begin + step / new_step;
        const int first = begin > 0 ? (int)fmin(begin, GRAFT_HISTOGRAM - 1) : 0;
        const int last = (int)fmin(ceil(end), GRAFT_HISTOGRAM);
        for (int j = first; j < last || j == first; j++) {
            const double share = end > begin ? (fmin(end, j + 1) - fmax(begin, j)) / (end - begin)
                                             : (double)(j == first);
            moved[j] += histogram[i] * fmax(share, 0);
        }
    }
    memcpy(histogram, moved, sizeof moved);
}

static void widen(double *histogram, double min, double max, double new_min, double new_max)
{
    if ((min > new_min || max < new_max) && new_max > new_min)
        rebin(histogram, min, max, new_min, new_max);
}

static void add_stats(plot_row *r, const graft_tensor_stats *s)
{
    const int64_t finite = s->elements - s->nans - s->infinities;
    const int64_t before = r->elements - r->nans - r->infinities;
    r->tensors++;
    r->elements += s->elements;
    r->zeros += s->zeros;
    r->nans += s->nans;
    r->infinities += s->infinities;
    if (finite == 0)
        return;
    double added[GRAFT_HISTOGRAM];
    for (int i = 0; i < GRAFT_HISTOGRAM; i++)
        added[i] = (double)s->histogram[i];
    const double min = before ? fmin(r->min, s->min) : s->min;
    const double max = before ? fmax(r->max, s->max) : s->max;
    if (before)
        widen(r->histogram, r->min, r->max, min, max);
    widen(added, s->min, s->max, min, max);
    for (int i = 0; i < GRAFT_HISTOGRAM; i++)
        r->histogram[i] += added[i];
    r->min = min;
    r->max = max;
    r->sum += s->mean * (double)finite;
    r->squares += s->norm * s->norm;
}

static double finite_elements(const plot_row *r)
{
    return (double)(r->elements - r->nans - r->infinities);
}

double plot_row_norm(const plot_row *r)
{
    return sqrt(r->squares);
}

double plot_row_mean(const plot_row *r)
{
    return r->sum / finite_elements(r);
}

double plot_row_std(const plot_row *r)
{
    const double mean = plot_row_mean(r);
    if (r->min == r->max)
        return 0; /* what the difference of two sums would leave of it is noise */
    return sqrt(fmax(r->squares / finite_elements(r) - mean * mean, 0));
}

/* ---- Rows of a file ---- */

static plot_row *add_row(plot_rows *rows, const char *name, size_t length)
{
    plot_row *grown = realloc(rows->row, (size_t)(rows->count + 1) * sizeof *grown);
    if (!grown)
        return NULL;
    rows->row = grown;
    plot_row *r = &rows->row[rows->count];
    memset(r, 0, sizeof *r);
    r->name = malloc(length + 1);
    if (!r->name)
        return NULL;
    memcpy(r->name, name, length);
    r->name[length] = 0;
    rows->count++;
    return r;
}

static plot_row *row_of(plot_rows *rows, const char *name, int depth)
{
    const size_t length = plot_prefix(name, depth);
    plot_row *last = rows->count ? &rows->row[rows->count - 1] : NULL;
    if (last && strlen(last->name) == length && memcmp(last->name, name, length) == 0)
        return last;
    if (rows->count < PLOT_MAX_ROWS)
        return add_row(rows, name, length);
    /* Even the first components are too many. */
    if (strcmp(last->name, "(others)") != 0) {
        free(last->name);
        last->name = strdup("(others)");
    }
    return last->name ? last : NULL;
}

static bool is_number(graft_dtype dtype)
{
    return graft_dtype_computes(dtype) || dtype == GRAFT_U16 || dtype == GRAFT_U32 ||
           dtype == GRAFT_U64 || (dtype >= GRAFT_F8_E4M3FN && dtype <= GRAFT_F8_E5M2FNUZ);
}

static graft_status add_tensor(plot_rows *rows, const graft_dict *flat, int64_t i, int depth)
{
    graft_tensor_info info;
    if (!graft_dict_tensor_info(flat, i, &info))
        return GRAFT_OK;
    int64_t elements = 1;
    for (int d = 0; d < info.shape.ndim; d++)
        elements *= info.shape.size[d];
    rows->tensors++;
    rows->elements += elements;
    rows->bytes += info.bytes;
    if (!is_number(info.dtype)) {
        rows->unknown++;
        return GRAFT_OK;
    }
    graft_tensor_stats stats;
    const graft_status status = graft_dict_stats(flat, i, &stats);
    if (status != GRAFT_OK)
        return status;
    plot_row *r = row_of(rows, graft_dict_key(flat, i), depth);
    if (!r)
        return GRAFT_ERR_MEMORY;
    add_stats(r, &stats);
    return GRAFT_OK;
}

static graft_status add_all(plot_rows *rows, const graft_dict *flat, const char **names,
                            bool (*heed)(void))
{
    const int64_t count = graft_dict_len(flat);
    for (int64_t i = 0; i < count; i++) {
        names[i] = graft_dict_key(flat, i);
        if (!names[i])
            return GRAFT_ERR_MEMORY;
    }
    const int depth = plot_depth(names, count, PLOT_MAX_ROWS);
    graft_status status = GRAFT_OK;
    for (int64_t i = 0; i < count && status == GRAFT_OK; i++) {
        status = add_tensor(rows, flat, i, depth);
        if (status == GRAFT_OK && heed && !heed())
            status = GRAFT_ERR_CANCELLED;
    }
    return status;
}

graft_status plot_rows_make(plot_rows *out, const graft_dict *root, bool (*heed)(void))
{
    *out = (plot_rows){.count = 0};
    graft_ctx *g = graft_dict_ctx(root);
    graft_scope_begin(g);
    const graft_dict *flat = graft_dict_flatten(root);
    const char **names = flat ? calloc((size_t)graft_dict_len(flat) + 1, sizeof *names) : NULL;
    graft_status status = !flat    ? graft_error_status(g)
                          : !names ? GRAFT_ERR_MEMORY
                                   : add_all(out, flat, names, heed);
    free(names);
    graft_scope_end(g);
    return status;
}

void plot_rows_free(plot_rows *rows)
{
    for (int i = 0; i < rows->count; i++)
        free(rows->row[i].name);
    free(rows->row);
    *rows = (plot_rows){.count = 0};
}
