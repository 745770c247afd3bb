/* A tensor of a merge: any range of its bytes is computed from the same range of the sources. */
#include <string.h>

#include "base/ctx.h"
#include "copy/merge.h"
#include "kernel/convert.h"
#include "tensor/chunks.h"

/* What the pieces of all sources together may take where they can't be used where they lie. */
static const int64_t PIECES_BYTES = 8 << 20;

/* ---- Walking ---- */

/* What it takes to read the sources on a thread: tensors over their buffers, in its context, and
 * two readers of each where the next piece is read while one is computed. */
typedef struct reader {
    const graft__merge_job *job;
    graft_ctx *g;
    int64_t count, begun;  /* sources with the base; readers that were begun */
    bool ahead;            /* there are two of each */
    graft__chunks *chunks; /* of all sources, then those of every second piece */
    graft_tensor **tensor;
    const void **raw; /* as chunks: the pieces */
    char *scratch;
    size_t block_size, scratch_size;
} reader;

static size_t wide(const graft__merge_job *job)
{
    return job->f64 ? sizeof(double) : sizeof(float);
}

static size_t array_bytes(const graft__merge_job *job)
{
    return GRAFT__MERGE_BLOCK * (job->method->in_dtype ? sizeof(double) : wide(job));
}

static void reader_end(reader *r)
{
    for (int64_t i = 0; i < r->begun; i++) {
        graft__chunks_end(&r->chunks[i]);
        graft__tensor_unref(r->tensor[i]);
    }
    graft__free(r->g, r->chunks, r->block_size);
    graft__free(r->g, r->scratch, r->scratch_size);
}

static bool reader_add(reader *r, const graft__merge_source *s)
{
    const graft__storage over = {.buffer = s->buffer};
    graft__storage *storage = graft__storage_share(&over, r->g);
    graft_tensor *t =
        storage ? graft__tensor_over(storage, s->dtype, s->ndim, s->size, s->stride, s->offset)
                : NULL;
    if (!t)
        return false;
    r->tensor[r->begun] = t;
    return graft__chunks_begin(&r->chunks[r->begun++], r->g, t);
}

static bool reader_begin(reader *r)
{
    const graft__merge_job *job = r->job;
    const int64_t readers = r->count * (r->ahead ? 2 : 1);
    r->block_size = (size_t)readers * (sizeof *r->chunks + sizeof *r->tensor + sizeof *r->raw);
    r->scratch_size =
        (size_t)graft__pool_threads(r->g->pool) * GRAFT__MERGE_ARRAYS * array_bytes(job);
    r->chunks = graft__alloc(r->g, r->block_size);
    r->scratch = graft__alloc(r->g, r->scratch_size);
    if (!r->chunks || !r->scratch) {
        graft__fail_memory(r->g, r->scratch_size, "merge");
        return false;
    }
    r->tensor = (graft_tensor **)(r->chunks + readers);
    r->raw = (const void **)(r->tensor + readers);
    for (int64_t i = 0; i < readers; i++)
        if (!reader_add(r, &job->source[i % r->count]))
            return false;
    return true;
}

typedef struct walk {
    reader *r;
    int64_t first, count; /* of the piece at hand */
    int64_t next;         /* elements of the one behind it */
    int64_t place;        /* of its readers: 0, or count */
    bool failed;          /* to read the next */
    graft__merge_visit *visit;
    void *user;
} walk;

static void visit_block(void *arg, int part, int thread)
{
    const walk *w = arg;
    const int64_t skip = (int64_t)part * GRAFT__MERGE_BLOCK;
    const int64_t left = w->count - skip;
    const graft__merge_block b = {
        .job = w->r->job,
        .first = w->first + skip,
        .count = left < GRAFT__MERGE_BLOCK ? left : GRAFT__MERGE_BLOCK,
        .raw = w->r->raw + w->place,
        .skip = skip,
        .thread = thread,
        .scratch = w->r->scratch + (size_t)thread * GRAFT__MERGE_ARRAYS * array_bytes(w->r->job),
    };
    w->visit(w->user, &b);
}

static bool read_piece(const reader *r, int64_t place, int64_t first, int64_t count)
{
    for (int64_t i = place; i < place + r->count; i++) {
        r->raw[i] = graft__chunks_at(&r->chunks[i], first, count);
        if (!r->raw[i])
            return false;
    }
    return true;
}

static void read_or_visit(void *arg, int part, int thread)
{
    walk *w = arg;
    if (part > 0)
        visit_block(arg, part - 1, thread);
    else
        w->failed = !read_piece(w->r, w->r->count - w->place, w->first + w->count, w->next);
}

/* The part that reads is the only one that knows the context, which lends its pool away for so
 * long: what it calls must not run parts on the pool that runs it. */
static bool walk_piece(walk *w)
{
    graft_ctx *g = w->r->g;
    graft__pool *pool = g->pool;
    const int blocks = (int)((w->count + GRAFT__MERGE_BLOCK - 1) / GRAFT__MERGE_BLOCK);
    if (w->r->ahead && w->next > 0) {
        g->pool = NULL;
        graft__pool_run_indexed(pool, blocks + 1, read_or_visit, w);
        g->pool = pool;
        w->place = w->r->count - w->place;
        return !w->failed;
    }
    graft__pool_run_indexed(pool, blocks, visit_block, w);
    return w->next == 0 || read_piece(w->r, w->place, w->first + w->count, w->next);
}

/* Whole blocks, so that where a piece ends changes no result. */
static int64_t piece_elements(int64_t sources)
{
    const int64_t each = PIECES_BYTES / sources / (int64_t)sizeof(double);
    const int64_t most = GRAFT__CHUNK / 4 / (int64_t)sizeof(float);
    const int64_t blocks = (each < most ? each : most) / GRAFT__MERGE_BLOCK;
    return (blocks > 0 ? blocks : 1) * GRAFT__MERGE_BLOCK;
}

bool graft__merge_walk(const graft__merge_job *job, graft_ctx *g, int64_t first, int64_t count,
                       graft__merge_visit *visit, void *user)
{
    reader r = {.job = job, .g = g, .count = job->n + job->method->base};
    const int64_t step = piece_elements(r.count);
    r.ahead = count > step && graft__pool_threads(g->pool) > 1;
    walk w = {.r = &r, .first = first, .next = count < step ? count : step};
    w.visit = visit;
    w.user = user;
    bool ok = reader_begin(&r) && read_piece(&r, 0, first, w.next);
    while (ok && w.next > 0) {
        w.count = w.next;
        count -= w.count;
        w.next = count < step ? count : step;
        ok = walk_piece(&w);
        w.first += w.count;
    }
    reader_end(&r);
    return ok;
}

/* ---- Blocks ---- */

void *graft__merge_array(const graft__merge_block *b, int place)
{
    return b->scratch + (size_t)place * array_bytes(b->job);
}

const void *graft__merge_source_of(const graft__merge_block *b, int64_t i, int place)
{
    const graft_dtype dtype = b->job->source[i].dtype;
    const char *raw = (const char *)b->raw[i] + b->skip * (int64_t)graft__element_size(dtype);
    const graft_dtype wanted = b->job->f64 ? GRAFT_F64 : GRAFT_F32;
    if (dtype == wanted)
        return raw;
    void *out = graft__merge_array(b, place);
    graft__convert(b->count, raw, dtype, out, wanted);
    return out;
}

/* ---- The result ---- */

typedef struct result {
    char *out;
    int64_t first;
} result;

static void compute_block(void *user, const graft__merge_block *b)
{
    const result *to = user;
    const graft__merge_job *job = b->job;
    const size_t width = graft_dtype_size(job->dtype);
    char *out = to->out + (size_t)(b->first - to->first) * width;
    job->method->compute(b);
    const void *made = graft__merge_array(b, GRAFT__MERGE_OUT);
    if (job->method->in_dtype)
        memcpy(out, made, (size_t)b->count * width);
    else
        graft__convert(b->count, made, job->f64 ? GRAFT_F64 : GRAFT_F32, out, job->dtype);
}

static bool compute(graft__merge_job *job, graft_ctx *g, int64_t first, int64_t count, void *out)
{
    if (!job->prepared && job->method->prepare && job->numel > 0 && !job->method->prepare(job, g))
        return false;
    job->prepared = true;
    result to = {out, first};
    return graft__merge_walk(job, g, first, count, compute_block, &to);
}

/* Ends of a range that are no whole elements go by way of one. */
static bool compute_part(graft__merge_job *job, graft_ctx *g, uint64_t begin, char *out,
                         size_t size)
{
    const size_t width = graft_dtype_size(job->dtype);
    double element = 0;
    if (!compute(job, g, (int64_t)(begin / width), 1, &element))
        return false;
    memcpy(out, (const char *)&element + begin % width, size);
    return true;
}

static bool read_range(graft__supply *supply, graft_ctx *g, uint64_t begin, void *to, size_t size)
{
    graft__merge_job *job = (graft__merge_job *)supply;
    const size_t width = graft_dtype_size(job->dtype);
    char *out = to;
    size_t head = (size_t)((width - begin % width) % width);
    head = head < size ? head : size;
    if (head > 0 && !compute_part(job, g, begin, out, head))
        return false;
    const size_t whole = (size - head) / width * width, tail = size - head - whole;
    begin += head;
    if (whole > 0 && (uintptr_t)(out + head) % width != 0) {
        /* Elements are stored as such: memory that they do not fit goes by way of one each. */
        for (size_t at = 0; at < whole; at += width)
            if (!compute_part(job, g, begin + at, out + head + at, width))
                return false;
    } else if (whole > 0 &&
               !compute(job, g, (int64_t)(begin / width), (int64_t)(whole / width), out + head)) {
        return false;
    }
    return tail == 0 || compute_part(job, g, begin + whole, out + head + whole, tail);
}

static void let_go(graft__merge_job *job, graft_ctx *g)
{
    for (int64_t i = 0; i < job->held; i++)
        graft__buffer_unref(g, job->source[i].buffer);
    job->held = 0;
}

static void *fetch(graft__supply *supply, graft_ctx *g)
{
    graft__merge_job *job = (graft__merge_job *)supply;
    const size_t bytes = (size_t)job->numel * graft_dtype_size(job->dtype);
    const size_t size = graft__arena_block_size(bytes > 0 ? bytes : 1);
    void *out = size ? job->allocator.alloc(job->allocator.user, size, GRAFT__ALIGN) : NULL;
    if (!out) {
        graft__fail_memory(g, bytes, "merge");
        return NULL;
    }
    if (!compute(job, g, 0, job->numel, out)) {
        job->allocator.free(job->allocator.user, out, size);
        return NULL;
    }
    job->data_size = size;
    let_go(job, g);
    return out;
}

static void release(void *supply, void *data)
{
    graft__merge_job *job = supply;
    const graft_allocator allocator = job->allocator;
    if (data)
        allocator.free(allocator.user, data, job->data_size);
    let_go(job, job->supply.leaving);
    pthread_mutex_destroy(&job->supply.lock);
    allocator.free(allocator.user, job, job->block_size);
}

/* ---- Making ---- */

static bool job_bytes(size_t count, size_t *out)
{
    return graft__mul_size(count, sizeof(graft__merge_source) + sizeof(double) + sizeof(uint64_t),
                           out) &&
           graft__add_size(*out, sizeof(graft__merge_job), out);
}

static bool hold(graft_ctx *g, graft__merge_job *job, const graft_tensor *t)
{
    graft__merge_source *s = &job->source[job->held];
    *s = (graft__merge_source){.buffer = graft__storage_hold(t->storage, g),
                               .dtype = t->dtype,
                               .ndim = t->ndim,
                               .offset = t->offset};
    if (!s->buffer)
        return false;
    job->held++;
    for (int d = 0; d < t->ndim; d++) {
        s->size[d] = t->size[d];
        s->stride[d] = t->stride[d];
    }
    return true;
}

graft__merge_job *graft__merge_job_new(graft_ctx *g, const graft__merge_method *method, int64_t n,
                                       graft_tensor *const *tensor, graft_tensor *base)
{
    const size_t count = (size_t)n + method->base;
    const graft_allocator allocator = g->arena.allocator;
    size_t bytes = 0;
    const size_t size = job_bytes(count, &bytes) ? graft__arena_block_size(bytes) : 0;
    graft__merge_job *job = size ? allocator.alloc(allocator.user, size, GRAFT__ALIGN) : NULL;
    if (!job) {
        graft__fail_memory(g, bytes, "merge");
        return NULL;
    }
    *job = (graft__merge_job){
        .supply = {.fetch = fetch, .release = release, .read = read_range},
        .allocator = allocator,
        .block_size = size,
        .method = method,
        .dtype = tensor[0]->dtype,
        .numel = tensor[0]->numel,
        .n = n,
        .source = (graft__merge_source *)(job + 1),
    };
    job->weight = (double *)(job->source + count);
    job->threshold = (uint64_t *)(job->weight + count);
    pthread_mutex_init(&job->supply.lock, NULL);
    for (int64_t i = 0; i < n; i++) {
        job->weight[i] = 1;
        job->threshold[i] = 0;
    }
    bool ok = true;
    for (int64_t i = 0; i < (int64_t)count && ok; i++)
        ok = hold(g, job, i < n ? tensor[i] : base);
    if (ok)
        return job;
    job->supply.leaving = g;
    release(job, NULL);
    return NULL;
}

graft_tensor *graft__merge_promise(graft_ctx *g, graft__merge_job *job, const graft_tensor *like)
{
    const size_t bytes = (size_t)job->numel * graft_dtype_size(job->dtype);
    graft__storage *s = graft__storage_promise(g, bytes, &job->supply);
    if (!s) {
        job->supply.leaving = g;
        release(job, NULL);
        return NULL;
    }
    return graft__tensor_over(s, job->dtype, like->ndim, like->size, NULL, 0);
}
