/* The product by blocks, for one type: what the file that includes this defines
 *   TYPE, KERNELS and BLOCK (of gemm_kernels.h), GEMM_BLOCKED (the function to define). */

#include <stdatomic.h>
#include <stddef.h>

#define K_MAX (GRAFT__GEMM_K_BYTES / (int)sizeof(TYPE))

/* Elements of the buffers for packed panels of R: on the stack for small products and where no
 * other memory is to be had; one a thread that stays in its second-level cache; and of all of R,
 * where several parts share it. */
enum {
    STACK_ELEMENTS = 32768 / sizeof(TYPE),
    SLOT_ELEMENTS = 262144 / sizeof(TYPE),
    SHARED_ELEMENTS_MAX = 8388608 / sizeof(TYPE),
    SLACK_ELEMENTS = 256 / sizeof(TYPE)
};

/* Products of fewer multiplications than this are not worth a second thread, and a part is no
 * smaller than the second. */
static const double SHARE_MIN = 1e6, PART_MIN = 250e3;

/* A product as the kernels see it. */
typedef struct job {
    const KERNELS *kernels;
    int64_t m, n, k;
    const TYPE *l;
    int64_t l_row, l_step;
    const TYPE *r;
    int64_t r_row, r_col; /* of op(R): one of the two is 1 */
    TYPE *d;
    int64_t d_row;
    bool d_transposed;
    TYPE alpha, beta;

    int64_t parts;
    bool pack;                 /* R is copied into panels */
    TYPE *shared;              /* all of R, packed; or NULL */
    TYPE *slots;               /* a buffer for each thread; or NULL */
    atomic_uint_fast64_t used; /* slots: a bit each */
} job;

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t divide_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

/* k in even blocks of at most K_MAX. Depends on k alone: the order of sums hangs on it. */
static int64_t k_block(int64_t k)
{
    return divide_up(k, divide_up(k, K_MAX));
}

static TYPE *d_at(const job *j, int64_t row, int64_t col)
{
    return j->d_transposed ? j->d + row + col * j->d_row : j->d + row * j->d_row + col;
}

/* Packs columns [col, col + count) of rows [p, p + k) into panels of `width`. */
static void pack_panels(const job *j, int64_t col, int64_t count, int64_t p, int64_t k,
                        int64_t width, TYPE *to)
{
    for (int64_t done = 0; done < count; done += width, to += width * k) {
        const int64_t cols = smaller(width, count - done);
        const TYPE *from = j->r + p * j->r_row + (col + done) * j->r_col;
        if (j->r_col == 1)
            j->kernels->pack_rows(cols, k, from, j->r_row, to, width);
        else
            j->kernels->pack_transposed(cols, k, from, j->r_col, to, width);
    }
}

/* The block of rows [row, row + m) and columns [col, col + n), steps [p, p + k): R is the caller's
 * where `r` is NULL, else these panels. */
static void run_block(const job *j, int64_t row, int64_t m, int64_t col, int64_t n, int64_t p,
                      int64_t k, const TYPE *r, int64_t width)
{
    const BLOCK b = {
        .m = m,
        .n = n,
        .k = k,
        .l = j->l + row * j->l_row + p * j->l_step,
        .l_row = j->l_row,
        .l_step = j->l_step,
        .r = r ? r : j->r + p * j->r_row + col,
        .r_step = r ? width : j->r_row,
        .r_panel = r ? width * k : j->kernels->cols,
        .d = d_at(j, row, col),
        .d_row = j->d_row,
        .d_transposed = j->d_transposed,
        .alpha = j->alpha,
        .beta = p == 0 ? j->beta : 1,
    };
    j->kernels->block(&b);
}

/* Columns [begin, end), all rows, with a buffer for as many columns as it holds. */
static void run_columns_in(const job *j, int64_t begin, int64_t end, TYPE *buffer, int64_t capacity)
{
    const int64_t step = k_block(j->k), cols = j->kernels->cols;
    int64_t count = capacity / step / cols * cols;
    if (count == 0)
        count = capacity / step / j->kernels->lanes * j->kernels->lanes;
    const int64_t width = smaller(count, cols);
    for (int64_t col = begin; col < end; col += count) {
        const int64_t n = smaller(count, end - col);
        for (int64_t p = 0; p < j->k; p += step) {
            const int64_t k = smaller(step, j->k - p);
            pack_panels(j, col, n, p, k, width, buffer);
            if (width == cols)
                run_block(j, 0, j->m, col, n, p, k, buffer, width);
            else
                for (int64_t done = 0; done < n; done += width)
                    run_block(j, 0, j->m, col + done, smaller(width, n - done), p, k,
                              buffer + done * k, width);
        }
    }
}

static __attribute__((noinline)) void run_columns_on_stack(const job *j, int64_t begin, int64_t end)
{
    _Alignas(64) TYPE buffer[STACK_ELEMENTS + SLACK_ELEMENTS];
    run_columns_in(j, begin, end, buffer, STACK_ELEMENTS);
}

static int take_slot(job *j)
{
    uint_fast64_t used = atomic_load(&j->used);
    for (;;) {
        int slot = 0;
        while (used >> slot & 1)
            slot++;
        if (atomic_compare_exchange_weak(&j->used, &used, used | (uint_fast64_t)1 << slot))
            return slot;
    }
}

static void run_columns(job *j, int64_t begin, int64_t end)
{
    if (!j->pack) {
        const int64_t step = k_block(j->k);
        for (int64_t p = 0; p < j->k; p += step)
            run_block(j, 0, j->m, begin, end - begin, p, smaller(step, j->k - p), NULL, 0);
    } else if (j->slots) {
        const int slot = take_slot(j);
        run_columns_in(j, begin, end, j->slots + (int64_t)slot * (SLOT_ELEMENTS + SLACK_ELEMENTS),
                       SLOT_ELEMENTS);
        atomic_fetch_and(&j->used, ~((uint_fast64_t)1 << slot));
    } else {
        run_columns_on_stack(j, begin, end);
    }
}

/* The bounds of part `part` of `count` things that go in groups of `group`. */
static int64_t part_begin(int64_t count, int64_t group, int64_t parts, int64_t part)
{
    return smaller(count, divide_up(count, group) * part / parts * group);
}

static void run_column_part(void *arg, int part)
{
    job *j = arg;
    const int64_t group = j->kernels->cols;
    run_columns(j, part_begin(j->n, group, j->parts, part),
                part_begin(j->n, group, j->parts, part + 1));
}

static void pack_shared_part(void *arg, int part)
{
    const job *j = arg;
    const int64_t step = k_block(j->k), cols = j->kernels->cols;
    const int64_t begin = part_begin(j->n, cols, j->parts, part);
    const int64_t end = part_begin(j->n, cols, j->parts, part + 1);
    const int64_t width = divide_up(j->n, cols) * cols;
    for (int64_t p = 0; p < j->k; p += step) {
        const int64_t k = smaller(step, j->k - p);
        pack_panels(j, begin, end - begin, p, k, cols, j->shared + p * width + begin * k);
    }
}

static void run_row_part(void *arg, int part)
{
    const job *j = arg;
    const int64_t group = j->kernels->rows, step = k_block(j->k), cols = j->kernels->cols;
    const int64_t begin = part_begin(j->m, group, j->parts, part);
    const int64_t end = part_begin(j->m, group, j->parts, part + 1);
    const int64_t width = divide_up(j->n, cols) * cols;
    for (int64_t p = 0; p < j->k; p += step)
        run_block(j, begin, end - begin, 0, j->n, p, smaller(step, j->k - p),
                  j->pack ? j->shared + p * width : NULL, cols);
}

/* What a choice of sides costs, in multiplications of vectors: the tiles, the packing of R and the
 * transposed way out. */
static double cost(const job *j)
{
    const double lanes = j->kernels->lanes, m = (double)j->m, n = (double)j->n, k = (double)j->k;
    const double tiles = m * (double)divide_up(j->n, j->kernels->lanes) * k;
    const double packing = n * k * (j->r_col == 1 ? 2 / lanes : 0.4);
    return tiles + packing + (j->d_transposed ? m * n : 0);
}

/* op(A) on the left, broadcast, and op(B) in vectors. */
static job straight(const KERNELS *kernels, const graft__gemm *p, const TYPE *a, const TYPE *b,
                    TYPE *c)
{
    return (job){
        .kernels = kernels,
        .m = p->m,
        .n = p->n,
        .k = p->k,
        .l = a,
        .l_row = p->trans_a ? 1 : p->lda,
        .l_step = p->trans_a ? p->lda : 1,
        .r = b,
        .r_row = p->trans_b ? 1 : p->ldb,
        .r_col = p->trans_b ? p->ldb : 1,
        .d = c,
        .d_row = p->ldc,
        .alpha = (TYPE)p->alpha,
        .beta = (TYPE)p->beta,
    };
}

/* The same product transposed: op(B)' on the left. */
static job swapped(const job *s)
{
    job j = *s;
    j.m = s->n;
    j.n = s->m;
    j.l = s->r;
    j.l_row = s->r_col;
    j.l_step = s->r_row;
    j.r = s->l;
    j.r_row = s->l_step;
    j.r_col = s->l_row;
    j.d_transposed = true;
    return j;
}

/* Rows of R as the caller stored them will do for a few tiles; more of them pay for a copy. */
static bool worth_packing(const job *j)
{
    return j->r_col != 1 || (j->m > 3 * j->kernels->rows && j->n > j->kernels->cols);
}

/* Shares the rows of L, all of R being packed first. False: there is no memory for that. */
static bool share_rows(job *j, graft__pool *pool, int64_t parts)
{
    const int64_t cols = j->kernels->cols, panels = divide_up(j->n, cols);
    if (j->pack) {
        const int64_t elements = panels * cols * j->k + SLACK_ELEMENTS;
        if (panels * cols > SHARED_ELEMENTS_MAX / j->k)
            return false;
        j->shared = graft__pool_scratch(pool, (size_t)elements * sizeof(TYPE));
        if (!j->shared)
            return false;
        j->parts = smaller(panels, graft__pool_threads(pool));
        /* Less than that is packed before another thread has woken up. */
        if (elements < 32768)
            j->parts = 1;
        graft__pool_run(pool, (int)j->parts, pack_shared_part, j);
    }
    j->parts = parts;
    graft__pool_run(pool, (int)parts, run_row_part, j);
    return true;
}

void GEMM_BLOCKED(const KERNELS *kernels, graft__pool *pool, const graft__gemm *p, const TYPE *a,
                  const TYPE *b, TYPE *c)
{
    job j = straight(kernels, p, a, b, c);
    const job other = swapped(&j);
    if (cost(&other) < cost(&j))
        j = other;
    j.pack = worth_packing(&j);

    const int threads = graft__pool_threads(pool);
    const double work = (double)j.m * (double)j.n * (double)j.k;
    int64_t most = 1;
    if (threads > 1 && work >= SHARE_MIN)
        most = work < 4 * PART_MIN * threads ? (int64_t)(work / PART_MIN) : 4 * threads;
    const int64_t panels = divide_up(j.n, kernels->cols), tiles = divide_up(j.m, kernels->rows);
    if (most > 1 && panels < 2 * threads && tiles > panels &&
        share_rows(&j, pool, smaller(tiles, most)))
        return;
    j.parts = smaller(panels, most);
    if (j.pack && panels * kernels->cols * smaller(j.k, K_MAX) > STACK_ELEMENTS)
        j.slots = graft__pool_scratch(pool, (size_t)threads * (SLOT_ELEMENTS + SLACK_ELEMENTS) *
                                                sizeof(TYPE));
    atomic_init(&j.used, 0);
    graft__pool_run(pool, (int)j.parts, run_column_part, &j);
}
