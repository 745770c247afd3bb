/* The product by blocks, for one type: what the file that includes this defines
 *   TYPE, KERNELS and BLOCK (of gemm_kernels.h), GEMM_BLOCKED (the function to define).
 *
 * Two plans. With few rows on the left, parts are columns, and each packs its own panel of R and
 * uses it while it is warm. With many, all of R is packed first, once for all, and parts are areas
 * of the result. The order of the sums is the same in both. */

#include <stdatomic.h>
#include <stddef.h>

/* LEFT_ROWS packed rows of L and a panel of R stay in a second-level cache. On the stack, for small
 * products and where no other memory is to be had, it is a tile's rows and less of a panel. */
enum {
    K_MAX = GRAFT__GEMM_K_BYTES / sizeof(TYPE),
    LEFT_ROWS = 96,
    LEFT_WIDTH = 12,
    RIGHT_COLS = 32,
    SLACK = 256 / sizeof(TYPE),
    SLOT_LEFT = LEFT_ROWS * 4 / 3 * K_MAX + SLACK,
    SLOT = SLOT_LEFT + RIGHT_COLS * K_MAX + SLACK,
    STACK_LEFT = LEFT_WIDTH * K_MAX + SLACK,
    STACK_RIGHT = 32768 / sizeof(TYPE),
    SHARED_COLS = 2048,
    SHARED = 4194304 / sizeof(TYPE),
};

/* Fewer multiplications than SHARE_MIN are not worth a second thread; a part has PART_MIN. */
static const double SHARE_MIN = 1e6, PART_MIN = 250e3;

/* A product as the kernels see it. */
typedef struct job {
    const KERNELS *kernels;
    int64_t m, n, k;
    const TYPE *l;
    int64_t l_row, l_step; /* one of the two is 1 */
    const TYPE *r;
    int64_t r_step, r_col; /* likewise */
    TYPE *d;
    int64_t d_row;
    bool d_transposed;
    TYPE alpha, beta;

    bool pack_l, pack_r;
    int64_t parts, row_parts;
    TYPE *slots;               /* a SLOT for each thread; or NULL */
    atomic_uint_fast64_t used; /* a bit for each */
    TYPE *shared;              /* panels of the columns and steps [begin, end) below */
    int64_t col_begin, col_end, step_begin, step_end;
} job;

/* Where a part packs to. */
typedef struct room {
    TYPE *left, *right;
    int64_t left_rows, right_elements;
} room;

/* A part of one of the sides, or the caller's matrix. */
typedef struct side {
    const TYPE *at;
    int64_t row, step, panel;
} side;

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t divide_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

/* Where part `part` of `parts` of `count` things in groups of `group` begins. */
static int64_t part_begin(int64_t count, int64_t group, int64_t parts, int64_t part)
{
    return smaller(count, divide_up(count, group) * part / parts * group);
}

/* k goes in even blocks of at most K_MAX, whatever the threads: the order of the sums hangs on it.
 */
static int64_t k_block(int64_t k)
{
    return divide_up(k, divide_up(k, K_MAX));
}

static side left_in_place(const job *j, int64_t row, int64_t p)
{
    return (side){j->l + row * j->l_row + p * j->l_step, j->l_row, j->l_step, 0};
}

static side pack_left(const job *j, int64_t row, int64_t m, int64_t p, int64_t k, TYPE *to)
{
    const int64_t count = divide_up(m, j->kernels->rows);
    const int64_t width = divide_up(j->kernels->rows, 4) * 4;
    for (int64_t i = 0, begin = 0, end; i < count; i++, begin = end) {
        end = m * (i + 1) / count;
        j->kernels->pack(end - begin, k, left_in_place(j, row + begin, p).at, j->l_row, j->l_step,
                         to + i * width * k, width);
    }
    return (side){to, 1, width, width * k};
}

static side right_in_place(const job *j, int64_t col, int64_t p)
{
    return (side){j->r + p * j->r_step + col * j->r_col, j->r_col, j->r_step, j->kernels->cols};
}

static side pack_right(const job *j, int64_t col, int64_t n, int64_t p, int64_t k, int64_t width,
                       TYPE *to)
{
    for (int64_t done = 0; done < n; done += width)
        j->kernels->pack(smaller(width, n - done), k, right_in_place(j, col + done, p).at, j->r_col,
                         j->r_step, to + done * k, width);
    return (side){to, 1, width, width * k};
}

static void multiply(const job *j, int64_t row, int64_t m, side l, int64_t col, int64_t n, side r,
                     int64_t p, int64_t k)
{
    const BLOCK b = {
        .m = m,
        .n = n,
        .k = k,
        .l = l.at,
        .l_row = l.row,
        .l_step = l.step,
        .l_panel = l.panel,
        .r = r.at,
        .r_step = r.step,
        .r_panel = r.panel,
        .d = j->d_transposed ? j->d + row + col * j->d_row : j->d + row * j->d_row + col,
        .d_row = j->d_row,
        .d_transposed = j->d_transposed,
        .alpha = j->alpha,
        .beta = p == 0 ? j->beta : 1,
    };
    j->kernels->block(&b);
}

/* Rows [begin, end) of L with columns [col, col + n), whose R is at hand. */
static void run_rows(const job *j, const room *in, int64_t begin, int64_t end, int64_t col,
                     int64_t n, side r, int64_t p, int64_t k)
{
    if (!j->pack_l) {
        multiply(j, begin, end - begin, left_in_place(j, begin, p), col, n, r, p, k);
        return;
    }
    const int64_t groups = divide_up(end - begin, in->left_rows);
    for (int64_t i = 0, row = begin, next; i < groups; i++, row = next) {
        next = begin + (end - begin) * (i + 1) / groups;
        multiply(j, row, next - row, pack_left(j, row, next - row, p, k, in->left), col, n, r, p,
                 k);
    }
}

/* All rows, and columns [begin, end), with as many at a time as there is room for. */
static void run_columns(const job *j, const room *in, int64_t begin, int64_t end)
{
    const int64_t step = k_block(j->k), cols = j->kernels->cols, lanes = j->kernels->lanes;
    const int64_t fit = in->right_elements / step;
    const int64_t width = fit < cols ? fit / lanes * lanes : cols;
    const int64_t at_once = j->pack_r ? smaller(fit / width * width, end - begin) : end - begin;
    for (int64_t p = 0; p < j->k; p += step) {
        const int64_t k = smaller(step, j->k - p);
        const bool whole = j->pack_l && j->m <= in->left_rows && at_once < end - begin;
        const side left = whole ? pack_left(j, 0, j->m, p, k, in->left) : (side){0};
        for (int64_t col = begin, n; col < end; col += n) {
            n = smaller(at_once, end - col);
            const side r = j->pack_r ? pack_right(j, col, n, p, k, width, in->right)
                                     : right_in_place(j, col, p);
            if (whole)
                multiply(j, 0, j->m, left, col, n, r, p, k);
            else
                run_rows(j, in, 0, j->m, col, n, r, p, k);
        }
    }
}

/* The stack's room may be narrower than a panel: then it is one panel of that width at a time. */
static __attribute__((noinline)) void run_columns_on_stack(const job *j, int64_t begin, int64_t end)
{
    _Alignas(64) TYPE right[STACK_RIGHT + SLACK];
    _Alignas(64) TYPE left[STACK_LEFT];
    const room in = {left, right, j->kernels->rows, STACK_RIGHT};
    const int64_t cols = j->kernels->cols, fit = STACK_RIGHT / k_block(j->k);
    if (!j->pack_r || fit >= cols) {
        run_columns(j, &in, begin, end);
        return;
    }
    const int64_t width = fit / j->kernels->lanes * j->kernels->lanes;
    for (int64_t col = begin; col < end; col += width)
        run_columns(j, &in, col, smaller(end, col + width));
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

static void leave_slot(job *j, int slot)
{
    atomic_fetch_and(&j->used, ~((uint_fast64_t)1 << slot));
}

static room slot_room(const job *j, int slot)
{
    TYPE *at = j->slots + (ptrdiff_t)slot * SLOT;
    return (room){at, at + SLOT_LEFT, LEFT_ROWS, RIGHT_COLS * K_MAX};
}

static void run_column_part(void *arg, int part)
{
    job *j = arg;
    const int64_t begin = part_begin(j->n, j->kernels->cols, j->parts, part);
    const int64_t end = part_begin(j->n, j->kernels->cols, j->parts, part + 1);
    if (!j->slots) {
        run_columns_on_stack(j, begin, end);
        return;
    }
    const int slot = take_slot(j);
    const room in = slot_room(j, slot);
    run_columns(j, &in, begin, end);
    leave_slot(j, slot);
}

/* Of the shared panels: those of block after block of k, side by side. */
static TYPE *shared_at(const job *j, int64_t col, int64_t p, int64_t k)
{
    const int64_t cols = j->kernels->cols;
    const int64_t width = divide_up(j->col_end - j->col_begin, cols) * cols;
    return j->shared + (p - j->step_begin) * width + (col - j->col_begin) * k;
}

static void pack_shared_part(void *arg, int part)
{
    const job *j = arg;
    const int64_t step = k_block(j->k), cols = j->kernels->cols, n = j->col_end - j->col_begin;
    const int64_t begin = j->col_begin + part_begin(n, cols, j->parts, part);
    const int64_t end = j->col_begin + part_begin(n, cols, j->parts, part + 1);
    for (int64_t p = j->step_begin; p < j->step_end; p += step) {
        const int64_t k = smaller(step, j->step_end - p);
        pack_right(j, begin, end - begin, p, k, cols, shared_at(j, begin, p, k));
    }
}

static void run_area_part(void *arg, int part)
{
    job *j = arg;
    const int64_t step = k_block(j->k), cols = j->kernels->cols, n = j->col_end - j->col_begin;
    const int64_t row_part = part % j->row_parts, col_part = part / j->row_parts;
    const int64_t col_parts = j->parts / j->row_parts;
    const int64_t top = part_begin(j->m, j->kernels->rows, j->row_parts, row_part);
    const int64_t bottom = part_begin(j->m, j->kernels->rows, j->row_parts, row_part + 1);
    const int64_t begin = j->col_begin + part_begin(n, cols, col_parts, col_part);
    const int64_t end = j->col_begin + part_begin(n, cols, col_parts, col_part + 1);
    const int slot = take_slot(j);
    const room in = slot_room(j, slot);
    for (int64_t p = j->step_begin; p < j->step_end; p += step) {
        const int64_t k = smaller(step, j->step_end - p);
        const side r = j->pack_r ? (side){shared_at(j, begin, p, k), 1, cols, cols * k}
                                 : right_in_place(j, begin, p);
        run_rows(j, &in, top, bottom, begin, end - begin, r, p, k);
    }
    leave_slot(j, slot);
}

/* The plan with shared panels. False: there is no memory for them. */
static bool run_areas(job *j, graft__pool *pool, int64_t most)
{
    const int64_t step = k_block(j->k), threads = graft__pool_threads(pool);
    const int64_t cols = j->kernels->cols, at_once = smaller(j->n, SHARED_COLS);
    const int64_t width = divide_up(at_once, cols) * cols;
    const int64_t deep = smaller(divide_up(j->k, step), SHARED / (width * step)) * step;
    const size_t elements = (size_t)(j->pack_r ? width * smaller(deep, j->k) : 0) + SLACK;
    j->slots = graft__pool_scratch(pool, ((size_t)threads * SLOT + elements) * sizeof(TYPE));
    if (!j->slots)
        return false;
    j->shared = j->slots + threads * SLOT;
    j->row_parts = smaller(divide_up(j->m, j->kernels->rows), most);
    for (int64_t col = 0; col < j->n; col += at_once)
        for (int64_t p = 0; p < j->k; p += deep) {
            j->col_begin = col;
            j->col_end = smaller(j->n, col + at_once);
            j->step_begin = p;
            j->step_end = smaller(j->k, p + deep);
            const int64_t panels = divide_up(j->col_end - col, cols);
            if (j->pack_r) {
                /* Few elements are packed before another thread has woken up. */
                j->parts = most == 1 || elements < 32768 ? 1 : smaller(panels, 2 * threads);
                graft__pool_run(pool, (int)j->parts, pack_shared_part, j);
            }
            j->parts = j->row_parts * smaller(panels, most / j->row_parts);
            graft__pool_run(pool, (int)j->parts, run_area_part, j);
        }
    return true;
}

/* Rows of L that many panels use are worth a copy; so are rows that lie a multiple of a page apart,
 * which a first-level cache cannot hold side by side. */
static bool worth_packing_left(const job *j)
{
    const int64_t distance = j->l_row == 1 ? j->l_step : j->l_row;
    return (j->n > 3 * j->kernels->cols && j->k >= 16) ||
           (j->m > 4 && distance * (int64_t)sizeof(TYPE) % 4096 == 0);
}

/* Rows of R as they lie will do for a few tiles. */
static bool worth_packing_right(const job *j)
{
    return j->r_col != 1 || (j->m > 3 * j->kernels->rows && j->n > j->kernels->cols && j->k >= 16);
}

/* What a choice of sides costs, in multiplications of vectors; the weights are measured ones. */
static double cost(const job *j)
{
    const double m = (double)j->m, n = (double)j->n, k = (double)j->k;
    const int64_t far = 2048 / sizeof(TYPE);
    double sum = m * (double)divide_up(j->n, j->kernels->lanes) * k;
    if (j->pack_l)
        sum += m * k * (j->l_row != 1 ? 0.4 : j->l_step < far ? 0.2 : 1);
    if (j->pack_r)
        sum += n * k * (j->r_col != 1 ? 0.4 : j->r_step < far ? 0.1 : 0.25);
    return j->d_transposed ? sum + 0.5 * m * n : sum;
}

/* op(A) on the left, op(B) in vectors. */
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
        .r_step = p->trans_b ? 1 : p->ldb,
        .r_col = p->trans_b ? p->ldb : 1,
        .d = c,
        .d_row = p->ldc,
        .alpha = (TYPE)p->alpha,
        .beta = (TYPE)p->beta,
    };
}

/* The same product transposed. */
static job swapped(const job *s)
{
    job j = *s;
    j.m = s->n;
    j.n = s->m;
    j.l = s->r;
    j.l_row = s->r_col;
    j.l_step = s->r_step;
    j.r = s->l;
    j.r_step = s->l_step;
    j.r_col = s->l_row;
    j.d_transposed = true;
    return j;
}

static job best_job(const KERNELS *kernels, const graft__gemm *p, const TYPE *a, const TYPE *b,
                    TYPE *c)
{
    job j = straight(kernels, p, a, b, c), other = swapped(&j);
    j.pack_l = worth_packing_left(&j);
    j.pack_r = worth_packing_right(&j);
    other.pack_l = worth_packing_left(&other);
    other.pack_r = worth_packing_right(&other);
    return cost(&other) < cost(&j) ? other : j;
}

void GEMM_BLOCKED(const KERNELS *kernels, graft__pool *pool, const graft__gemm *p, const TYPE *a,
                  const TYPE *b, TYPE *c)
{
    job j = best_job(kernels, p, a, b, c);
    atomic_init(&j.used, 0);
    const int threads = graft__pool_threads(pool);
    const double work = (double)j.m * (double)j.n * (double)j.k;
    int64_t most = 1;
    if (threads > 1 && work >= SHARE_MIN)
        most = work < 4 * PART_MIN * threads ? (int64_t)(work / PART_MIN) : 4 * threads;
    if (j.m > LEFT_ROWS && work >= SHARE_MIN && run_areas(&j, pool, most))
        return;
    j.parts = smaller(divide_up(j.n, kernels->cols), most);
    if (work >= SHARE_MIN)
        j.slots = graft__pool_scratch(pool, (size_t)threads * SLOT * sizeof(TYPE));
    graft__pool_run(pool, (int)j.parts, run_column_part, &j);
}
