/* Thin products (vectors and a few rows) and small ones, for one type: what the file that includes
 * this defines
 *   TYPE, KERNELS and BLOCK (of gemm_kernels.h), GEMM_THIN and GEMM_SMALL (the functions to
 * define). Both say whether they did it. */

#include <stddef.h>

/* Fewer multiplications are not worth a second thread: here each reads memory of its own. */
static const double SHARE_MIN = 250e3;

/* y(i, j) of rows x_i with rows (dots) or columns (sums) w_j. */
typedef struct job {
    const KERNELS *kernels;
    bool dots;
    int64_t count, n, k;
    const TYPE *x;
    int64_t x_row;
    const TYPE *w;
    int64_t ld;
    TYPE *y;
    int64_t y_row, y_step;
    TYPE alpha, beta;
    int64_t group, parts;
} job;

static void run_part(void *arg, int part)
{
    const job *j = arg;
    const int64_t groups = (j->n + j->group - 1) / j->group;
    const int64_t begin = groups * part / j->parts * j->group;
    const int64_t limit = groups * (part + 1) / j->parts * j->group;
    const int64_t end = limit < j->n ? limit : j->n;
    if (!j->dots) {
        j->kernels->sums(end - begin, j->k, j->x, j->w + begin, j->ld, j->alpha, j->beta,
                         j->y + begin * j->y_step, j->y_step);
        return;
    }
    /* With one x, w passes by; with more of them a few rows of it stay near. */
    const int64_t at_once = j->count == 1 ? end - begin : 4;
    for (int64_t at = begin; at < end; at += at_once) {
        const int64_t n = at_once < end - at ? at_once : end - at;
        for (int64_t i = 0; i < j->count; i++)
            j->kernels->dots(n, j->k, j->x + i * j->x_row, j->w + at * j->ld, j->ld, j->alpha,
                             j->beta, j->y + i * j->y_row + at * j->y_step, j->y_step);
    }
}

/* Multiplications of vectors, as the tiles do it and as dots do; the weights are measured ones. */
static bool dots_are_cheaper(int lanes, int64_t rows, int64_t cols, int64_t inner)
{
    const double m = (double)rows, n = (double)cols, k = (double)inner;
    const double straight = m * (double)((cols + lanes - 1) / lanes) * k + 0.4 * n * k;
    const double swapped = n * (double)((rows + lanes - 1) / lanes) * k + 0.4 * m * k;
    const double dots = m * n * (1.25 * k / lanes + 8);
    return dots < straight && dots < swapped;
}

bool GEMM_THIN(const KERNELS *kernels, graft__pool *pool, const graft__gemm *p, const TYPE *a,
               const TYPE *b, TYPE *c)
{
    const bool a_along_k = !p->trans_a || (p->m == 1 && p->lda == 1);
    const bool b_along_k = p->trans_b || (p->n == 1 && p->ldb == 1);
    const int64_t a_row = p->trans_a ? p->k : p->lda, b_row = p->trans_b ? p->ldb : p->k;
    job j = {
        .kernels = kernels, .count = 1, .k = p->k, .alpha = (TYPE)p->alpha, .beta = (TYPE)p->beta};
    if (a_along_k && b_along_k && dots_are_cheaper(kernels->lanes, p->m, p->n, p->k)) {
        j.dots = true;
        const bool thin_a = p->m < p->n;
        j.count = thin_a ? p->m : p->n;
        j.n = thin_a ? p->n : p->m;
        j.x = thin_a ? a : b;
        j.x_row = thin_a ? a_row : b_row;
        j.w = thin_a ? b : a;
        j.ld = thin_a ? b_row : a_row;
        j.y_row = thin_a ? p->ldc : 1;
        j.y_step = thin_a ? 1 : p->ldc;
    } else if (p->m == 1 && a_along_k && !p->trans_b) {
        j.n = p->n;
        j.x = a;
        j.w = b;
        j.ld = p->ldb;
        j.y_step = 1;
    } else if (p->n == 1 && b_along_k && p->trans_a) {
        j.n = p->m;
        j.x = b;
        j.w = a;
        j.ld = p->lda;
        j.y_step = p->ldc;
    } else {
        return false;
    }
    j.y = c;
    j.group = j.dots ? 4 : 8 * kernels->lanes;
    const int64_t groups = (j.n + j.group - 1) / j.group;
    const int64_t most = 4 * (int64_t)graft__pool_threads(pool);
    const double work = (double)j.count * (double)j.n * (double)j.k;
    j.parts = work < SHARE_MIN ? 1 : groups < most ? groups : most;
    graft__pool_run(pool, (int)j.parts, run_part, &j);
    return true;
}

/* Whole, on the spot: what the plans of larger products cost would be the most of it. */
bool GEMM_SMALL(const KERNELS *kernels, const graft__gemm *p, const TYPE *a, const TYPE *b, TYPE *c)
{
    enum { MOST = 32768, PACKED = 8192 / sizeof(TYPE), SLACK = 256 / sizeof(TYPE) };
    if (p->m > MOST || p->n > MOST || p->k > GRAFT__GEMM_K_BYTES / (int)sizeof(TYPE) ||
        p->m * p->n > MOST || p->m * p->n * p->k > MOST)
        return false;
    const unsigned m = (unsigned)p->m, n = (unsigned)p->n, k = (unsigned)p->k;
    const unsigned lanes = (unsigned)kernels->lanes;
    const unsigned straight = 2 * m * ((n + lanes - 1) / lanes) * k + (p->trans_b ? n * k : 0);
    const unsigned swapped =
        2 * n * ((m + lanes - 1) / lanes) * k + (p->trans_a ? 0 : m * k) + m * n;
    const bool swap = swapped < straight;
    const bool pack = swap ? !p->trans_a : p->trans_b;
    const int64_t cols = swap ? m : n, r_ld = swap ? p->lda : p->ldb;
    _Alignas(64) TYPE packed[PACKED + SLACK];
    BLOCK block = {
        .m = swap ? n : m,
        .n = cols,
        .k = k,
        .l = swap ? b : a,
        .r = swap ? a : b,
        .r_step = r_ld,
        .r_panel = kernels->cols,
        .d = c,
        .d_row = p->ldc,
        .d_transposed = swap,
        .alpha = (TYPE)p->alpha,
        .beta = (TYPE)p->beta,
    };
    const bool by_row = swap ? p->trans_b : !p->trans_a;
    block.l_row = by_row ? (swap ? p->ldb : p->lda) : 1;
    block.l_step = by_row ? 1 : (swap ? p->ldb : p->lda);
    if (pack) {
        const int64_t width = kernels->cols;
        if ((cols + width - 1) / width * width * k > PACKED)
            return false;
        for (int64_t done = 0; done < cols; done += width)
            kernels->pack(cols - done < width ? cols - done : width, k, block.r + done * r_ld, r_ld,
                          1, packed + done * k, width);
        block.r = packed;
        block.r_step = width;
        block.r_panel = width * k;
    }
    kernels->block(&block);
    return true;
}
