/* The product by blocks, for one type: what the file that includes this defines
 *   TYPE, KERNELS and BLOCK (of gemm_kernels.h), GEMM_BLOCKED (the function to define).
 *
 * Parts are rows or columns of the result, whichever come in more tiles. The other side is packed
 * whole, by each thread for itself: what one core has just written is slow to reach another, and
 * slower still to be written again. The order of the sums is the same for every partition. */

#include <stddef.h>

#include "kernel/gemm_sizes.h"

enum {
    K_MAX = GRAFT__GEMM_K_BYTES / sizeof(TYPE),
    SLACK = 256 / sizeof(TYPE), /* what packing may fill after its end */
    GROUP_ROWS = 48,            /* that many packed rows of L leave room in a second-level cache */
    WHOLE = 4194304 / sizeof(TYPE), /* of the side that is packed whole, at most */
    NEAR = 393216 / sizeof(TYPE),   /* a second-level cache holds that of R */
    STACK_LEFT = 12 * K_MAX + SLACK,
    STACK_RIGHT = 32768 / sizeof(TYPE),
    THREADS = 64,
};

/* Fewer multiplications than SHARE_MIN are not worth a second thread; a part has PART_MIN. */
static const double SHARE_MIN = 1e6, PART_MIN = 400e3;

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

    bool by_rows;         /* parts are rows, and R is the side packed whole; else columns and L */
    int64_t parts, chunk; /* parts for each `chunk` columns (or rows) of the whole side */
    int64_t begin, end;   /* the steps of k of this run */
    TYPE *rooms;          /* for each thread: whole, then the packed part of the other side */
    int64_t room, whole;
    int64_t packed[THREADS]; /* the chunk that a thread's room holds */
} job;

/* A part of one of the sides, packed or in place. */
typedef struct side {
    const TYPE *at;
    int64_t row, step, panel;
} side;

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

/* Rows of a packed tile. */
static int64_t left_width(const job *j)
{
    return divide_up(j->kernels->rows, 4) * 4;
}

static side left_in_place(const job *j, int64_t row, int64_t p)
{
    return (side){j->l + row * j->l_row + p * j->l_step, j->l_row, j->l_step, 0};
}

static side pack_left(const job *j, int64_t row, int64_t m, int64_t p, int64_t k, TYPE *to)
{
    const int64_t count = divide_up(m, j->kernels->rows);
    const int64_t width = left_width(j);
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

/* Rows [begin, end) with columns [col, col + n), R being at hand and L packed `at_once` rows at a
 * time. */
static void run_rows(const job *j, int64_t begin, int64_t end, int64_t col, int64_t n, side r,
                     int64_t p, int64_t k, int64_t at_once, TYPE *left)
{
    if (!j->pack_l) {
        multiply(j, begin, end - begin, left_in_place(j, begin, p), col, n, r, p, k);
        return;
    }
    const int64_t groups = divide_up(end - begin, at_once);
    for (int64_t i = 0, row = begin, next; i < groups; i++, row = next) {
        next = begin + (end - begin) * (i + 1) / groups;
        multiply(j, row, next - row, pack_left(j, row, next - row, p, k, left), col, n, r, p, k);
    }
}

/* Columns [begin, end) with rows [row, row + m), L being at hand and R packed panel by panel. */
static void run_columns(const job *j, int64_t begin, int64_t end, int64_t row, int64_t m, side l,
                        int64_t p, int64_t k, TYPE *right)
{
    if (!j->pack_r) {
        multiply(j, row, m, l, begin, end - begin, right_in_place(j, begin, p), p, k);
        return;
    }
    const int64_t cols = j->kernels->cols;
    for (int64_t col = begin; col < end; col += cols) {
        const int64_t n = smaller(cols, end - col);
        multiply(j, row, m, l, col, n, pack_right(j, col, n, p, k, cols, right), p, k);
    }
}

/* All of it in the stack's room, where R has as many columns at a time as fit. */
static __attribute__((noinline)) void run_on_stack(const job *j)
{
    _Alignas(64) TYPE right[STACK_RIGHT + SLACK];
    _Alignas(64) TYPE left[STACK_LEFT];
    const int64_t step = k_block(j->k), cols = j->kernels->cols, lanes = j->kernels->lanes;
    const int64_t fit = STACK_RIGHT / step;
    const int64_t width = fit < cols ? fit / lanes * lanes : cols;
    const int64_t at_once = j->pack_r ? fit / width * width : j->n;
    for (int64_t p = 0; p < j->k; p += step) {
        const int64_t k = smaller(step, j->k - p);
        for (int64_t col = 0; col < j->n; col += at_once) {
            const int64_t n = smaller(at_once, j->n - col);
            if (!j->pack_r || width == cols) {
                const side r = j->pack_r ? pack_right(j, col, n, p, k, width, right)
                                         : right_in_place(j, col, p);
                run_rows(j, 0, j->m, col, n, r, p, k, j->kernels->rows, left);
                continue;
            }
            /* Less than a panel: one vector's columns after the other. */
            for (int64_t done = 0; done < n; done += width) {
                const int64_t some = smaller(width, n - done);
                const side r = pack_right(j, col + done, some, p, k, width, right);
                run_rows(j, 0, j->m, col + done, some, r, p, k, j->kernels->rows, left);
            }
        }
    }
}

/* Of the packed whole side, what belongs to the block of k from p on. */
static TYPE *whole_at(const job *j, TYPE *room, int64_t p)
{
    const int64_t group = j->by_rows ? j->kernels->cols : j->kernels->rows;
    const int64_t width = j->by_rows ? group : left_width(j);
    return room + divide_up(j->chunk, group) * width * (p - j->begin);
}

static void run_row_part(const job *j, int64_t chunk, int64_t part, TYPE *room, bool fresh)
{
    const int64_t col = chunk * j->chunk, n = smaller(j->chunk, j->n - col);
    const int64_t top = part_begin(j->m, j->kernels->rows, j->parts, part);
    const int64_t bottom = part_begin(j->m, j->kernels->rows, j->parts, part + 1);
    const int64_t step = k_block(j->k), cols = j->kernels->cols;
    /* With R near, rows of tiles go through it and through rows of D; otherwise a panel of it
     * serves many rows. */
    const int64_t at_once = n * step <= NEAR ? j->kernels->rows : GROUP_ROWS;
    for (int64_t p = j->begin; p < j->end; p += step) {
        const int64_t k = smaller(step, j->end - p);
        side r = right_in_place(j, col, p);
        if (j->pack_r) {
            TYPE *at = whole_at(j, room, p);
            r = (side){at, 1, cols, cols * k};
            if (fresh)
                pack_right(j, col, n, p, k, cols, at);
        }
        run_rows(j, top, bottom, col, n, r, p, k, at_once, room + j->whole);
    }
}

static void run_column_part(const job *j, int64_t chunk, int64_t part, TYPE *room, bool fresh)
{
    const int64_t row = chunk * j->chunk, m = smaller(j->chunk, j->m - row);
    const int64_t begin = part_begin(j->n, j->kernels->cols, j->parts, part);
    const int64_t end = part_begin(j->n, j->kernels->cols, j->parts, part + 1);
    const int64_t step = k_block(j->k), width = left_width(j);
    for (int64_t p = j->begin; p < j->end; p += step) {
        const int64_t k = smaller(step, j->end - p);
        side l = left_in_place(j, row, p);
        if (j->pack_l) {
            TYPE *at = whole_at(j, room, p);
            l = (side){at, 1, width, width * k};
            if (fresh)
                pack_left(j, row, m, p, k, at);
        }
        run_columns(j, begin, end, row, m, l, p, k, room + j->whole);
    }
}

static void run_part(void *arg, int part, int thread)
{
    job *j = arg;
    const int64_t chunk = part / j->parts;
    TYPE *room = j->rooms + thread * j->room;
    const bool fresh = j->packed[thread] != chunk;
    j->packed[thread] = chunk;
    if (j->by_rows)
        run_row_part(j, chunk, part % j->parts, room, fresh);
    else
        run_column_part(j, chunk, part % j->parts, room, fresh);
}

/* Plans the parts and runs them. False: there is no memory to pack into. */
static bool run_parts(job *j, graft__pool *pool, double work)
{
    const int64_t rows = j->kernels->rows, cols = j->kernels->cols, step = k_block(j->k);
    const int64_t threads = graft__pool_threads(pool);
    const int64_t tiles = divide_up(j->m, rows), panels = divide_up(j->n, cols);
    j->by_rows = tiles >= panels;
    const int64_t units = j->by_rows ? tiles : panels, others = j->by_rows ? panels : tiles;
    const int64_t most = threads == 1 ? 1 : smaller(16 * threads, (int64_t)(work / PART_MIN) + 1);
    j->parts = smaller(units, most);
    /* With many threads packing the whole side in each would take longer than the product. */
    int64_t chunks = threads > 8 ? divide_up(threads, 8) : 1;
    if (j->parts < most && units < 2 * threads)
        chunks = smaller(divide_up(most, j->parts), chunks * 2);
    const int64_t group = j->by_rows ? cols : rows, width = j->by_rows ? cols : left_width(j);
    int64_t groups = divide_up(others, chunks);
    groups = smaller(groups, WHOLE / (width * step));
    const int64_t deep = smaller(divide_up(j->k, step), WHOLE / (groups * width * step)) * step;
    j->chunk = groups * group;
    chunks = divide_up(others, groups);
    const bool pack = j->by_rows ? j->pack_r : j->pack_l;
    j->whole = pack ? groups * width * smaller(deep, j->k) + SLACK : 0;
    j->room = j->whole + (j->by_rows ? GROUP_ROWS / rows * left_width(j) : cols) * step + SLACK;
    j->room = divide_up(j->room, 1024) * 1024;
    j->rooms = graft__pool_scratch(pool, (size_t)(threads * j->room) * sizeof(TYPE));
    if (!j->rooms)
        return false;
    for (int64_t p = 0; p < j->k; p += deep) {
        j->begin = p;
        j->end = smaller(j->k, p + deep);
        for (int i = 0; i < threads; i++)
            j->packed[i] = -1;
        graft__pool_run_indexed(pool, (int)(chunks * j->parts), run_part, j);
    }
    return true;
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

/* Rows of L that many panels use are worth a copy; so are rows that lie a multiple of a page apart,
 * which a first-level cache cannot hold side by side. */
static bool worth_packing_left(const job *j)
{
    const int64_t distance = j->l_row == 1 ? j->l_step : j->l_row;
    const int64_t panels = j->l_row == 1 ? 3 : 6;
    return (j->n > panels * j->kernels->cols && j->k >= 16) ||
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
    const double work = (double)j.m * (double)j.n * (double)j.k;
    if (work < SHARE_MIN || !run_parts(&j, pool, work))
        run_on_stack(&j);
}
