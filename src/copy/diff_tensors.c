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

/* ---- A pair ---- */

/* One of the two tensors. Where it is read, one reader has the piece that is compared while the
 * other has the next. */
typedef struct stream {
    const graft_tensor *tensor;
    const char *name; /* "a" or "b" */
    graft__chunks chunks[2];
    int readers;
    const char *piece, *next;
} stream;

typedef struct pair {
    graft__diff_work *work;
    graft__diff_entry *entry;
    stream a, b;
    graft__difference_how how;
    size_t run_a, run_b;  /* bytes of a run */
    int64_t step;         /* elements of a piece: a whole number of runs */
    bool ahead;           /* the next piece is read while one is compared */
    bool failed;          /* to read it */
    int64_t first, count; /* the piece at hand */
    graft__difference out[RUNS];
    int64_t *row; /* room for the rows of each run; NULL: none are listed */
    int64_t room;
} pair;

static size_t bytes_of(graft_dtype dtype, int64_t n)
{
    uint64_t bytes = 0;
    graft__dtype_bytes(dtype, n, &bytes);
    return (size_t)bytes;
}

static bool read_piece(const pair *q, stream *s, int64_t first)
{
    const int64_t left = s->tensor->numel - first, count = left < q->step ? left : q->step;
    graft__chunks *c = &s->chunks[s->readers == 2 && first / q->step % 2 == 1];
    s->next = graft__chunks_at(c, first, count);
    if (!s->next)
        graft__error_append(q->work->g, " (\"%s\" of %s)", q->entry->name, s->name);
    return s->next != NULL;
}

static void read_both(pair *q, int64_t first)
{
    q->failed = !read_piece(q, &q->a, first) || !read_piece(q, &q->b, first);
}

static void run_part(pair *q, int part)
{
    const int64_t begin = (int64_t)part * RUN, left = q->count - begin;
    graft__difference_run(&q->how, q->first + begin, left < RUN ? left : RUN,
                          q->a.piece + (size_t)part * q->run_a,
                          q->b.piece + (size_t)part * q->run_b, &q->out[part],
                          q->row ? q->row + part * q->room : NULL, q->room);
}

static void part_of_piece(void *arg, int part)
{
    run_part(arg, part);
}

static void part_and_next(void *arg, int part)
{
    pair *q = arg;
    if (part == 0)
        read_both(q, q->first + q->count);
    else
        run_part(q, part - 1);
}

/* All runs of the piece at hand. The part that reads is the only one that knows the context; as
 * what it calls must not run parts on the pool that runs it, the context lends its pool away. */
static void run_piece(pair *q, int runs)
{
    graft_ctx *g = q->work->g;
    graft__pool *pool = g->pool;
    const bool last = q->first + q->count == q->a.tensor->numel;
    if (q->ahead && !last) {
        g->pool = NULL;
        graft__pool_run(pool, runs + 1, part_and_next, q);
        g->pool = pool;
        return;
    }
    if (runs == 1)
        run_part(q, 0);
    else
        graft__pool_run(pool, runs, part_of_piece, q);
    if (!last)
        read_both(q, q->first + q->count);
}

/* ---- What came of a piece ---- */

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

static bool add_runs(const pair *q, int runs, graft__difference *total)
{
    const size_t most = (size_t)q->work->options.max_rows;
    for (int i = 0; i < runs; i++) {
        const int64_t listed = q->out[i].rows < q->room ? q->out[i].rows : q->room;
        for (int64_t k = 0; q->row && k < listed; k++)
            if (!add_row(q->work->g, q->entry, q->row[i * q->room + k], most))
                return false;
        graft__difference_add(total, &q->out[i]);
    }
    return true;
}

/* ---- All pieces ---- */

static graft_status compare_pieces(pair *q, graft__difference *total)
{
    graft__diff_work *w = q->work;
    const int64_t n = q->a.tensor->numel;
    int64_t *const rows = q->row;
    read_both(q, 0);
    for (q->first = 0; !q->failed; q->first += q->count) {
        const int64_t left = n - q->first;
        if (left == 0)
            return GRAFT_OK;
        q->count = left < q->step ? left : q->step;
        q->a.piece = q->a.next;
        q->b.piece = q->b.next;
        q->row = q->entry->rows < (size_t)w->options.max_rows ? rows : NULL;
        const int runs = (int)((q->count + RUN - 1) / RUN);
        run_piece(q, runs);
        if (!add_runs(q, runs, total))
            return GRAFT_ERR_MEMORY;
        const bool enough = w->options.only_bits && total->changed > 0 && !q->failed;
        const int64_t done = enough ? left : q->count;
        if (graft__diff_tell(w, bytes_of(q->how.a, done) + bytes_of(q->how.b, done)))
            return GRAFT_ERR_CANCELLED;
        if (enough)
            return GRAFT_OK;
    }
    return graft_error_status(w->g);
}

/* Ready to be read; ahead needs the bytes of one piece to stay while the next comes. */
static bool open_stream(stream *s, graft_ctx *g, bool *ahead)
{
    if (!graft__chunks_begin(&s->chunks[0], g, s->tensor))
        return false;
    const bool pieces = !s->chunks[0].whole && graft__storage_can_read(s->tensor->storage);
    s->readers = pieces ? 2 : 1;
    *ahead = *ahead && (pieces || s->tensor->contiguous);
    return !pieces || graft__chunks_begin(&s->chunks[1], g, s->tensor);
}

static void close_stream(stream *s, graft_ctx *g)
{
    for (int i = 0; i < 2; i++) {
        s->chunks[i].g = g;
        graft__chunks_end(&s->chunks[i]);
    }
}

static graft_status compare_streams(pair *q, graft__difference *total)
{
    const graft_diff_options *o = &q->work->options;
    graft_ctx *g = q->work->g;
    q->room = o->only_bits ? 0 : o->max_rows < RUN ? o->max_rows : RUN;
    const size_t bytes = (size_t)q->room * RUNS * sizeof *q->row;
    int64_t *rows = q->room > 0 ? graft__alloc(g, bytes) : NULL;
    if (q->room > 0 && !rows)
        return graft__fail_memory(g, bytes, "diff");
    q->row = rows;
    q->ahead = true;
    const graft_status status = open_stream(&q->a, g, &q->ahead) && open_stream(&q->b, g, &q->ahead)
                                    ? compare_pieces(q, total)
                                    : graft_error_status(g);
    close_stream(&q->a, g);
    close_stream(&q->b, g);
    graft__free(g, rows, bytes);
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
    const int64_t n = q->a.tensor->numel - d->left_out;
    *out = (graft_diff_numbers){
        .elements = q->a.tensor->numel,
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

/* A whole number of runs, of as many bytes as readers like. */
static int64_t step_of(const graft_tensor *x, const graft_tensor *y)
{
    const int64_t a = graft__chunks_step(x), b = graft__chunks_step(y);
    const int64_t runs = (a < b ? a : b) / RUN;
    return (runs < 1 ? 1 : runs > RUNS ? RUNS : runs) * RUN;
}

static graft_status compare_pair(graft__diff_work *w, const graft_tensor *x, const graft_tensor *y,
                                 graft__diff_entry *e)
{
    const graft_diff_options *o = &w->options;
    const bool real = graft__is_number(x->dtype) && graft__is_number(y->dtype);
    pair q = {.work = w,
              .entry = e,
              .a = {.tensor = x, .name = "a"},
              .b = {.tensor = y, .name = "b"},
              .how = {.a = x->dtype,
                      .b = y->dtype,
                      .numbers = real && !o->only_bits,
                      .tolerant = real && (o->rtol > 0 || o->atol > 0),
                      .rtol = o->rtol,
                      .atol = o->atol,
                      .row = 1},
              .run_a = bytes_of(x->dtype, RUN),
              .run_b = bytes_of(y->dtype, RUN),
              .step = step_of(x, y)};
    for (int i = 1; i < x->ndim; i++)
        q.how.row *= x->size[i];
    graft__difference total;
    graft__difference_begin(&total);
    const graft_status status = compare_streams(&q, &total);
    if (total.changed > 0 && e->kind == GRAFT_DIFF_EQUAL)
        e->kind = GRAFT_DIFF_CHANGED;
    e->has_numbers = !o->only_bits;
    if (e->has_numbers)
        fill_numbers(&q, &total, &e->numbers);
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
    return compare_pair(w, x, y, e);
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
