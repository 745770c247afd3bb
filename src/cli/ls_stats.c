#include "cli/ls_stats.h"

#include <math.h>
#include <string.h>

#include "cli/dtype.h"
#include "cli/progress.h"
#include "cli/say.h"
#include "cli/signal.h"
#include "cli/sizes.h"
#include "cli/table.h"

enum { BARS = 16, STEPS = 8, BARS_TEXT = 3 * BARS + 1 };

static const char columns[] = "lllrrrrrrrrl";
static const char *const heads[] = {"name", "dtype", "shape", "min", "max", "mean",
                                    "std",  "norm",  "zeros", "NaN", "Inf", "histogram"};

typedef enum outcome { READ, NO_NUMBERS, FAILED } outcome;

static outcome read_stats(cli_call *call, const ls_file *f, const ls_entry *e,
                          graft_tensor_stats *out)
{
    if (graft_dict_stats(f->flat, e->index, out) == GRAFT_OK)
        return READ;
    if (graft_error_status(call->g) == GRAFT_ERR_ARGUMENT) {
        graft_clear_error(call->g);
        return NO_NUMBERS;
    }
    say(call, "%s: %s: %s", open_name(f->path), ls_name(e), graft_error(call->g));
    graft_clear_error(call->g);
    return FAILED;
}

/* Bars as high as there are elements in each of BARS equal steps from the least to the largest;
 * every bar that is not empty can be seen. */
static const char *draw(const terminal *t, const graft_tensor_stats *s, char out[BARS_TEXT])
{
    static const char *const blocks[] = {" ",      "\u2581", "\u2582", "\u2583", "\u2584",
                                         "\u2585", "\u2586", "\u2587", "\u2588"};
    static const char *const ascii[] = {" ", ".", ",", ":", "-", "=", "+", "*", "#"};
    int64_t bars[BARS] = {0}, highest = 1;
    for (int i = 0; i < GRAFT_HISTOGRAM; i++)
        bars[i * BARS / GRAFT_HISTOGRAM] += s->histogram[i];
    for (int i = 0; i < BARS; i++)
        highest = bars[i] > highest ? bars[i] : highest;
    *out = 0;
    for (int i = 0; i < BARS; i++) {
        const int height = (int)ceil((double)bars[i] / (double)highest * STEPS);
        strcat(out, t->utf8 ? blocks[height] : ascii[height]);
    }
    return out;
}

static void add_number(table *rows, double x, bool whole)
{
    if (whole && fabs(x) < 1e15)
        table_cellf(rows, "%.0f", x);
    else
        table_cellf(rows, "%.4g", x);
}

static bool is_whole(graft_dtype dtype)
{
    char name[DTYPE_TEXT];
    dtype_short(dtype, name);
    return strchr("iub", *name) && dtype != GRAFT_BF16;
}

static void add_row(table *rows, const terminal *t, const ls_entry *e, outcome got,
                    const graft_tensor_stats *s)
{
    char dtype[DTYPE_TEXT], shape[SHAPE_TEXT], count[SIZE_TEXT], bars[BARS_TEXT];
    table_styled(rows, TERMINAL_BOLD, ls_name(e));
    table_cell(rows, dtype_short(e->info.dtype, dtype));
    table_cell(rows, shape_text(&e->info.shape, shape));
    const bool some = got == READ && s->elements > s->nans + s->infinities;
    const double numbers[] = {s->min, s->max, s->mean, s->std, s->norm};
    for (size_t i = 0; i < 5; i++) {
        if (some)
            add_number(rows, numbers[i], i < 2 && is_whole(e->info.dtype));
        else
            table_cell(rows, "-");
    }
    const int64_t counts[] = {s->zeros, s->nans, s->infinities};
    for (size_t i = 0; i < 3; i++)
        table_styled(rows, i && got == READ && counts[i] ? TERMINAL_RED : TERMINAL_PLAIN,
                     got == READ ? count_text((uint64_t)counts[i], count) : "-");
    table_cell(rows, some ? draw(t, s, bars) : "");
}

bool ls_stats_text(cli_call *call, const ls_file *f)
{
    table *const rows = table_new(columns);
    progress p = progress_of(call, "reading");
    uint64_t done = 0, total = 0;
    bool ok = true;
    for (size_t i = 0; i < CLI_COUNT(heads); i++)
        table_styled(rows, TERMINAL_DIM, heads[i]);
    for (size_t i = 0; i < f->listed_count; i++)
        total += f->entries[f->listed[i]].info.bytes;
    for (size_t i = 0; i < f->listed_count && !signal_caught(); i++) {
        const ls_entry *const e = &f->entries[f->listed[i]];
        graft_tensor_stats s = {0};
        const outcome got = read_stats(call, f, e, &s);
        ok = ok && got != FAILED;
        add_row(rows, &call->out, e, got, &s);
        progress_tick(&p, done += e->info.bytes, total);
    }
    progress_end(&p);
    if (!table_print(rows, &call->out, 0))
        ok = (say(call, "%s: out of memory", open_name(f->path)), false);
    table_free(rows);
    return ok;
}

bool ls_stats_json(cli_call *call, json *j, const ls_file *f, const ls_entry *e)
{
    graft_tensor_stats s;
    const outcome got = read_stats(call, f, e, &s);
    json_key(j, "stats");
    if (got != READ) {
        json_null(j);
        return got == NO_NUMBERS;
    }
    json_open_object(j);
    json_key_int(j, "elements", s.elements);
    json_key_int(j, "zeros", s.zeros);
    json_key_int(j, "nans", s.nans);
    json_key_int(j, "infinities", s.infinities);
    json_key_real(j, "min", s.min);
    json_key_real(j, "max", s.max);
    json_key_real(j, "mean", s.mean);
    json_key_real(j, "std", s.std);
    json_key_real(j, "norm", s.norm);
    json_key_array(j, "histogram");
    for (int i = 0; i < GRAFT_HISTOGRAM; i++)
        json_int(j, s.histogram[i]);
    json_close_array(j);
    json_close_object(j);
    return true;
}
