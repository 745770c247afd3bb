/* Elements: a piece of both at a time, whose runs are shared by the threads. What the runs give is
 * added up in their order, so that the number of threads changes nothing. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/ctx.h"
#include "copy/diff_parts.h"
#include "kernel/difference.h"
#include "kernel/widen.h"
#include "tensor/chunks.h"
#include "tensor/dtype.h"

enum { RUN = GRAFT__DIFFERENCE_RUN, RUNS = 64 };

static const uint64_t TELL = 8 << 20; /* bytes between two calls of the progress */

graft_status graft__diff_tell(graft__diff_work *w, uint64_t done)
{
    w->done += done;
    if (!w->options.progress || (w->done - w->told < TELL && w->done != w->total))
        return GRAFT_OK;
    w->told = w->done;
    if (w->options.progress(w->options.progress_user, w->done, w->total))
        return GRAFT_OK;
    return graft__fail(w->g, GRAFT_ERR_CANCELLED, "diff: cancelled after %llu of %llu bytes",
                       (unsigned long long)w->done, (unsigned long long)w->total);
}

/* ---- A piece ---- */

typedef struct piece {
    const graft__difference_how *how;
    const char *a, *b;
    int64_t first, count;
    size_t run_a, run_b; /* bytes of a run */
    graft__difference *out;
    int64_t *row; /* room for the rows of each run; NULL: none are listed */
    int64_t room;
} piece;

static void run_part(void *arg, int part)
{
    const piece *p = arg;
    const int64_t begin = (int64_t)part * RUN, left = p->count - begin;
    graft__difference_run(p->how, p->first + begin, left < RUN ? left : RUN,
                          p->a + (size_t)part * p->run_a, p->b + (size_t)part * p->run_b,
                          &p->out[part], p->row ? p->row + part * p->room : NULL, p->room);
}

static bool add_row(graft_ctx *g, graft__diff_entry *e, int64_t row, size_t most)
{
    if (e->rows == most || (e->rows > 0 && e->row[e->rows - 1] == row))
        return true;
    if (e->rows == e->row_room) {
        const size_t room = e->row_room ? 2 * e->row_room : 16;
        int64_t *grown =
            graft__realloc(g, e->row, e->row_room * sizeof *e->row, room * sizeof *e->row);
        if (!grown) {
            graft__fail_memory(g, room * sizeof *e->row, "diff");
            return false;
        }
        e->row = grown;
        e->row_room = room;
    }
    e->row[e->rows++] = row;
    return true;
}

/* What the runs of a piece gave. */
static bool add_runs(graft__diff_work *w, const piece *p, int runs, graft__diff_entry *e,
                     graft__difference *total)
{
    const size_t most = (size_t)w->options.max_rows;
    for (int i = 0; i < runs; i++) {
        const int64_t listed = p->out[i].rows < p->room ? p->out[i].rows : p->room;
        for (int64_t k = 0; p->row && k < listed; k++)
            if (!add_row(w->g, e, p->row[i * p->room + k], most))
                return false;
        graft__difference_add(total, &p->out[i]);
    }
    return true;
}

/* ---- A pair ---- */

typedef struct pair {
    graft__chunks a, b;
    const graft_tensor *x, *y;
    graft__difference_how how;
    int64_t step;
} pair;

static size_t bytes_of(graft_dtype dtype, int64_t n)
{
    uint64_t bytes = 0;
    graft__dtype_bytes(dtype, n, &bytes);
    return (size_t)bytes;
}

/* A whole number of runs, of as many bytes as readers like. */
static int64_t step_of(const pair *p)
{
    const int64_t a = graft__chunks_step(p->x), b = graft__chunks_step(p->y);
    const int64_t runs = (a < b ? a : b) / RUN;
    return (runs < 1 ? 1 : runs > RUNS ? RUNS : runs) * RUN;
}

static const void *read_piece(graft__diff_work *w, graft__chunks *c, int64_t first, int64_t count,
                              const graft__diff_entry *e, const char *side)
{
    const void *bytes = graft__chunks_at(c, first, count);
    if (!bytes)
        graft__error_append(w->g, " (\"%s\" of %s)", e->name, side);
    return bytes;
}

/* One piece from element first on. false with the error set. */
static bool compare_piece(graft__diff_work *w, pair *q, int64_t first, int64_t count,
                          graft__diff_entry *e, graft__difference *total, int64_t *row,
                          int64_t room)
{
    graft__difference out[RUNS];
    piece p = {.how = &q->how, .first = first, .count = count, .out = out, .room = room};
    p.a = read_piece(w, &q->a, first, count, e, "a");
    p.b = p.a ? read_piece(w, &q->b, first, count, e, "b") : NULL;
    if (!p.b)
        return false;
    p.run_a = bytes_of(q->how.a, RUN);
    p.run_b = bytes_of(q->how.b, RUN);
    p.row = e->rows < (size_t)w->options.max_rows ? row : NULL;
    const int runs = (int)((count + RUN - 1) / RUN);
    if (runs == 1)
        run_part(&p, 0);
    else
        graft__pool_run(w->g->pool, runs, run_part, &p);
    return add_runs(w, &p, runs, e, total);
}

static graft_status compare_pieces(graft__diff_work *w, pair *q, graft__diff_entry *e,
                                   graft__difference *total)
{
    const int64_t room = w->options.max_rows < RUN ? w->options.max_rows : RUN;
    const size_t block = (size_t)room * RUNS * sizeof(int64_t);
    const bool listed = room > 0 && !w->options.only_bits;
    int64_t *row = listed ? graft__alloc(w->g, block) : NULL;
    if (listed && !row)
        return graft__fail_memory(w->g, block, "diff");
    graft_status status = GRAFT_OK;
    for (int64_t first = 0; first < q->x->numel && !status; first += q->step) {
        const int64_t left = q->x->numel - first, count = left < q->step ? left : q->step;
        if (!compare_piece(w, q, first, count, e, total, row, room)) {
            status = graft_error_status(w->g);
            break;
        }
        if (w->options.only_bits && total->changed > 0) {
            status = graft__diff_tell(w, bytes_of(q->how.a, q->x->numel - first) +
                                             bytes_of(q->how.b, q->y->numel - first));
            break;
        }
        status = graft__diff_tell(w, bytes_of(q->how.a, count) + bytes_of(q->how.b, count));
    }
    graft__free(w->g, row, block);
    return status;
}

static double root(double x)
{
    return x > 0 ? sqrt(x) : x;
}

static void fill_numbers(const pair *q, const graft__difference *d, graft_diff_numbers *out)
{
    const bool real = q->how.numbers;
    const bool ulps = q->how.a == q->how.b && graft_dtype_is_floating(q->how.a);
    const int64_t n = q->x->numel - d->left_out;
    *out = (graft_diff_numbers){
        .elements = q->x->numel,
        .changed = d->changed,
        .not_finite = d->not_finite,
        .max_ulps = !ulps                     ? -1
                    : d->max_ulps > INT64_MAX ? INT64_MAX
                                              : (int64_t)d->max_ulps,
        .rows_changed = d->rows,
        .first_changed = d->first,
    };
    out->max_abs = real ? d->max_abs : NAN;
    out->max_rel = real ? d->max_rel : NAN;
    out->mean_abs = !real ? NAN : n > 0 ? d->sum_abs / (double)n : 0;
    out->rms = !real ? NAN : n > 0 ? root(d->sum_square / (double)n) : 0;
    out->norm_a = real ? root(d->square_a) : NAN;
    out->norm_b = real ? root(d->square_b) : NAN;
    const double norms = out->norm_a * out->norm_b;
    out->cosine = norms > 0 ? d->dot / norms : NAN;
}

static graft_status compare_pair(graft__diff_work *w, pair *q, graft__diff_entry *e)
{
    const graft_diff_options *o = &w->options;
    int64_t rest = 1; /* elements of a row */
    for (int i = 1; i < q->x->ndim; i++)
        rest *= q->x->size[i];
    q->how.row = rest;
    const bool real = graft__is_number(q->x->dtype) && graft__is_number(q->y->dtype);
    q->how.numbers = real && !o->only_bits;
    q->how.tolerant = real && (o->rtol > 0 || o->atol > 0);
    q->how.rtol = o->rtol;
    q->how.atol = o->atol;
    q->step = step_of(q);
    graft__difference total;
    graft__difference_begin(&total);
    const graft_status status =
        graft__chunks_begin(&q->a, w->g, q->x) && graft__chunks_begin(&q->b, w->g, q->y)
            ? compare_pieces(w, q, e, &total)
            : graft_error_status(w->g);
    graft__chunks_end(&q->a);
    graft__chunks_end(&q->b);
    if (total.changed > 0 && e->kind == GRAFT_DIFF_EQUAL)
        e->kind = GRAFT_DIFF_CHANGED;
    e->has_numbers = !o->only_bits;
    if (e->has_numbers)
        fill_numbers(q, &total, &e->numbers);
    return status;
}

/* Whether both are the same bytes of one buffer: what a copy on write shares. */
static bool is_one_memory(const graft_tensor *x, const graft_tensor *y)
{
    const size_t bytes = (size_t)x->ndim * sizeof *x->stride;
    return x->storage->buffer == y->storage->buffer && x->offset == y->offset &&
           memcmp(x->stride, y->stride, bytes) == 0;
}

static bool can_compare(const graft_tensor *x, const graft_tensor *y)
{
    return x->dtype == y->dtype || (graft__is_number(x->dtype) && graft__is_number(y->dtype));
}

static graft_status compare(graft__diff_work *w, const graft_tensor *x, const graft_tensor *y,
                            graft__diff_entry *e)
{
    const bool one = x->dtype == y->dtype && is_one_memory(x, y);
    e->kind = x->dtype == y->dtype ? GRAFT_DIFF_EQUAL : GRAFT_DIFF_DTYPE;
    const bool bits_told = w->options.only_bits && x->dtype != y->dtype;
    if (x->numel == 0 || one || bits_told || !can_compare(x, y))
        return graft__diff_tell(w, graft__tensor_bytes(x) + graft__tensor_bytes(y));
    pair q = {.x = x, .y = y, .how = {.a = x->dtype, .b = y->dtype}};
    return compare_pair(w, &q, e);
}

/* The tensor of a place, which one that is computed is promised: a reference. */
static graft_tensor *take(graft__diff_work *w, const graft__diff_place *p)
{
    graft_tensor *t = graft__diff_tensor(p);
    return t ? graft__tensor_ref(t) : graft__node_promise(p->node, w->g);
}

graft_status graft__diff_compare(graft__diff_work *w, const graft__diff_place *a,
                                 const graft__diff_place *b, graft__diff_entry *e)
{
    graft_tensor *x = take(w, a), *y = x ? take(w, b) : NULL;
    const graft_status status = y ? compare(w, x, y, e) : graft_error_status(w->g);
    graft__tensor_unref(x);
    graft__tensor_unref(y);
    return status;
}
