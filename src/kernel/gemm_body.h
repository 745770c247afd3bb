/* The kernels of one type on one kind of processor: what the file that includes this defines
 *   TYPE, KERNELS and BLOCK (of gemm_kernels.h), TABLE (the table to define), TARGET (an attribute
 *   for every function, or nothing), ROWS (of a tile, at most 12), LANES (of a vector),
 *   MASKED: which tiles are masked where a vector is not whole (ALWAYS: all, as a masked load costs
 *   no more than another; BOTH: they come in both kinds; NEVER: none, as there are no such loads);
 *   vec, mask, and vec_zero, vec_all, vec_load, vec_store, vec_add, vec_mul, vec_fma (a * b + c),
 *   vec_sum, vec_first (the mask of the first n lanes, n >= 1), vec_load_first, vec_store_first,
 *   and transpose_4x4 (four rows, to rows of a given distance). */

#define NEVER 0
#define BOTH 1
#define ALWAYS 2

#define COLS (2 * LANES)
#define K_MAX (GRAFT__GEMM_K_BYTES / (int)sizeof(TYPE))

typedef BLOCK block;

typedef struct tile {
    int64_t k;
    const TYPE *l;
    int64_t l_row, l_step;
    const TYPE *r;
    int64_t r_step;
    TYPE *d;
    int64_t d_row;
    TYPE alpha, beta;
    int last; /* lanes in use of the last vector */
} tile;

/* The arguments before `t` are constants wherever this is expanded. */
TARGET GRAFT__INLINE void run_tile(const int rows, const int vectors, const bool by_row,
                                   const bool masked, const tile *t)
{
    vec acc[ROWS][2];
    GRAFT__UNROLL
    for (int i = 0; i < rows; i++)
        acc[i][0] = acc[i][1] = vec_zero();
    const int tail = (vectors - 1) * LANES;
    const mask last = vec_first(t->last);
    TYPE *d = t->d;
    GRAFT__UNROLL
    for (int i = 0; i < rows; i++) {
        __builtin_prefetch(d + i * t->d_row, 1);
        if (vectors > 1)
            __builtin_prefetch(d + i * t->d_row + tail, 1);
    }
    /* A pointer for every four rows, which the compiler must not take for one and a dozen of
     * distances: it would run out of registers. */
    const int64_t l_row = by_row ? t->l_row : 1;
    const int64_t l_step = by_row && vectors > 1 ? 1 : t->l_step;
    const TYPE *l[3] = {t->l, rows > 4 ? t->l + 4 * l_row : t->l,
                        rows > 8 ? t->l + 8 * l_row : t->l};
    const TYPE *r = t->r;
    if (by_row)
        __asm__("" : "+r"(l[0]), "+r"(l[1]), "+r"(l[2]));
    for (int64_t p = t->k; p > 0; p--, r += t->r_step) {
        const vec r1 = masked ? vec_load_first(r + tail, last) : vec_load(r + tail);
        const vec r0 = vectors > 1 ? vec_load(r) : r1;
        GRAFT__UNROLL
        for (int i = 0; i < rows; i++) {
            const vec left = vec_all(by_row ? l[i / 4][i % 4 * l_row] : l[0][i]);
            if (vectors > 1)
                acc[i][0] = vec_fma(left, r0, acc[i][0]);
            acc[i][1] = vec_fma(left, r1, acc[i][1]);
        }
        l[0] += l_step;
        l[1] += l_step;
        l[2] += l_step;
    }
    if (t->alpha != 1) {
        const vec alpha = vec_all(t->alpha);
        GRAFT__UNROLL
        for (int i = 0; i < rows; i++) {
            acc[i][0] = vec_mul(alpha, acc[i][0]);
            acc[i][1] = vec_mul(alpha, acc[i][1]);
        }
    }
    if (t->beta != 0) {
        const vec beta = vec_all(t->beta);
        GRAFT__UNROLL
        for (int i = 0; i < rows; i++) {
            const TYPE *from = d + i * t->d_row;
            if (vectors > 1)
                acc[i][0] = vec_fma(beta, vec_load(from), acc[i][0]);
            const vec old = masked ? vec_load_first(from + tail, last) : vec_load(from + tail);
            acc[i][1] = vec_fma(beta, old, acc[i][1]);
        }
    }
    GRAFT__UNROLL
    for (int i = 0; i < rows; i++) {
        TYPE *to = d + i * t->d_row;
        if (vectors > 1)
            vec_store(to, acc[i][0]);
        if (masked)
            vec_store_first(to + tail, last, acc[i][1]);
        else
            vec_store(to + tail, acc[i][1]);
    }
}

#define TILE(rows, vectors, by_row, masked)                                                        \
    TARGET static __attribute__((noinline)) void tile_##rows##_##vectors##_##by_row##_##masked(    \
        const tile *t)                                                                             \
    {                                                                                              \
        run_tile(rows, vectors, by_row, masked, t);                                                \
    }
/* Of one vector there is one kind, by_row, for both: the products that it is for are small. */
#define TILES_MASKED(rows, masked)                                                                 \
    TILE(rows, 1, 1, masked)                                                                       \
    TILE(rows, 2, 0, masked)                                                                       \
    TILE(rows, 2, 1, masked)
#define NAMES_MASKED(rows, masked)                                                                 \
    {                                                                                              \
        {tile_##rows##_1_1_##masked, tile_##rows##_1_1_##masked},                                  \
        {                                                                                          \
            tile_##rows##_2_0_##masked, tile_##rows##_2_1_##masked                                 \
        }                                                                                          \
    }
#if MASKED == BOTH
#define TILES(rows) TILES_MASKED(rows, 0) TILES_MASKED(rows, 1)
#define NAMES(rows)                                                                                \
    {                                                                                              \
        NAMES_MASKED(rows, 0), NAMES_MASKED(rows, 1)                                               \
    }
#elif MASKED == ALWAYS
#define TILES(rows) TILES_MASKED(rows, 1)
#define NAMES(rows)                                                                                \
    {                                                                                              \
        NAMES_MASKED(rows, 1), NAMES_MASKED(rows, 1)                                               \
    }
#else
#define TILES(rows) TILES_MASKED(rows, 0)
#define NAMES(rows)                                                                                \
    {                                                                                              \
        NAMES_MASKED(rows, 0), NAMES_MASKED(rows, 0)                                               \
    }
#endif

// clang-format off
TILES(1) TILES(2) TILES(3) TILES(4) TILES(5) TILES(6)
#if ROWS > 6
TILES(7) TILES(8) TILES(9) TILES(10) TILES(11) TILES(12)
#endif
    // clang-format on

    typedef void tile_function(const tile *t);

/* [rows - 1][masked][vectors - 1][by_row] */
static tile_function *const tiles[ROWS][2][2][2] = {
    NAMES(1), NAMES(2), NAMES(3), NAMES(4),  NAMES(5),  NAMES(6),
#if ROWS > 6
    NAMES(7), NAMES(8), NAMES(9), NAMES(10), NAMES(11), NAMES(12),
#endif
};

/* Rows of a packed tile: transposing goes by fours. */
#define TILE_WIDTH ((ROWS + 3) / 4 * 4)

/* to[j * to_ld + i] = alpha * from[i * COLS + j] + beta * to[j * to_ld + i] */
TARGET static void add_transposed(int rows, int cols, const TYPE *from, TYPE *to, int64_t to_ld,
                                  TYPE alpha, TYPE beta)
{
    _Alignas(64) TYPE turned[COLS * TILE_WIDTH + LANES];
    for (int i = 0; i < rows; i += 4)
        for (int j = 0; j < cols; j += 4) {
            const TYPE *corner = from + i * COLS + j;
            transpose_4x4(corner, corner + COLS, corner + 2 * COLS, corner + 3 * COLS,
                          turned + j * TILE_WIDTH + i, TILE_WIDTH);
        }
    const vec by = vec_all(alpha), keep = vec_all(beta);
    for (int i = 0; i < rows; i += LANES) {
        const mask some = vec_first(rows - i < LANES ? rows - i : LANES);
        TYPE *out = to + i;
        for (int j = 0; j < cols; j++, out += to_ld) {
            vec x = vec_mul(by, vec_load(turned + j * TILE_WIDTH + i));
            if (beta != 0)
                x = vec_fma(keep, vec_load_first(out, some), x);
            vec_store_first(out, some, x);
        }
    }
}

#if MASKED == NEVER
/* The first `cols` columns of R with zeros beside them, as a tile reads whole vectors. */
TARGET static void fill_up(int64_t k, int cols, const TYPE *r, int64_t r_step, TYPE *filled)
{
    const int tail = cols > LANES ? LANES : 0;
    const mask last = vec_first(cols - tail);
    for (int64_t p = 0; p < k; p++, r += r_step, filled += COLS) {
        if (tail)
            vec_store(filled, vec_load(r));
        vec_store(filled + tail, vec_load_first(r + tail, last));
    }
}

/* to[i * to_ld + j] = alpha * from[i * COLS + j] + beta * to[i * to_ld + j] */
TARGET static void add_some(int rows, int cols, const TYPE *from, TYPE *to, int64_t to_ld,
                            TYPE alpha, TYPE beta)
{
    const vec by = vec_all(alpha), keep = vec_all(beta);
    for (int i = 0; i < rows; i++, from += COLS, to += to_ld)
        for (int j = 0; j < cols; j += LANES) {
            const mask some = vec_first(cols - j < LANES ? cols - j : LANES);
            vec x = vec_mul(by, vec_load(from + j));
            if (beta != 0)
                x = vec_fma(keep, vec_load_first(to + j, some), x);
            vec_store_first(to + j, some, x);
        }
}
#endif

/* Rows [begin, end) and the panel of columns from `col`. */
TARGET static void run_one(const block *b, int64_t begin, int64_t end, int64_t col, const TYPE *l)
{
    const int rows = (int)(end - begin);
    const int cols = b->n - col < COLS ? (int)(b->n - col) : COLS;
    tile t = {.k = b->k,
              .l = l,
              .l_row = b->l_row,
              .l_step = b->l_step,
              .r = b->r + col / COLS * b->r_panel,
              .r_step = b->r_step,
              .last = (cols - 1) % LANES + 1};
    tile_function *const run = tiles[rows - 1][t.last < LANES][cols > LANES][b->l_row != 1];
    _Alignas(64) TYPE out[TILE_WIDTH * COLS];
    const bool directly = !b->d_transposed && (MASKED != NEVER || t.last == LANES);
    t.d = directly ? b->d + begin * b->d_row + col : out;
    t.d_row = directly ? b->d_row : COLS;
    t.alpha = directly ? b->alpha : 1;
    t.beta = directly ? b->beta : 0;
#if MASKED == NEVER
    _Alignas(64) TYPE filled[K_MAX * COLS];
    if (t.last < LANES) {
        fill_up(b->k, cols, t.r, t.r_step, filled);
        t.r = filled;
        t.r_step = COLS;
    }
#endif
    run(&t);
    if (b->d_transposed)
        add_transposed(rows, cols, out, b->d + col * b->d_row + begin, b->d_row, b->alpha, b->beta);
#if MASKED == NEVER
    else if (!directly)
        add_some(rows, cols, out, b->d + begin * b->d_row + col, b->d_row, b->alpha, b->beta);
#endif
}

TARGET static void run_block(const block *b)
{
    const int64_t count = (b->m + ROWS - 1) / ROWS;
    if (b->l_panel == 0) {
        /* A tile's rows of L, long and far apart, stay near while all of R passes. */
        for (int64_t i = 0, begin = 0, end; i < count; i++, begin = end) {
            end = b->m * (i + 1) / count;
            for (int64_t col = 0; col < b->n; col += COLS)
                run_one(b, begin, end, col, b->l + begin * b->l_row);
        }
        return;
    }
    /* L being packed, it is a panel of R that stays. */
    for (int64_t col = 0; col < b->n; col += COLS)
        for (int64_t i = 0, begin = 0, end; i < count; i++, begin = end) {
            end = b->m * (i + 1) / count;
            run_one(b, begin, end, col, b->l + i * b->l_panel);
        }
}

TARGET static void pack_rows(int64_t rows, int64_t k, const TYPE *from, int64_t step, TYPE *to,
                             int64_t width)
{
    const int last = (int)((rows - 1) % LANES + 1);
    const mask some = vec_first(last);
    const int64_t whole = rows - last;
    for (int64_t p = 0; p < k; p++, from += step, to += width) {
        /* The next panel begins there; that far apart, no processor guesses it. */
        __builtin_prefetch(from + width, 0, 2);
        __builtin_prefetch(from + 2 * width - 1, 0, 2);
        for (int64_t i = 0; i < whole; i += LANES)
            vec_store(to + i, vec_load(from + i));
        vec_store(to + whole, vec_load_first(from + whole, some));
    }
}

TARGET static void pack(int64_t rows, int64_t k, const TYPE *from, int64_t row, int64_t step,
                        TYPE *to, int64_t width)
{
    if (row == 1) {
        pack_rows(rows, k, from, step, to, width);
        return;
    }
    for (int64_t i = 0; i < rows; i += 4) {
        const TYPE *four[4];
        for (int64_t q = 0; q < 4; q++)
            four[q] = from + (i + q < rows ? i + q : rows - 1) * row;
        int64_t p = 0;
        for (; p + 4 <= k; p += 4) {
            /* The next four rows, which may be of the next panel. */
            if (p * (int)sizeof(TYPE) % 64 == 0)
                for (int q = 0; q < 4; q++)
                    __builtin_prefetch(four[q] + 4 * row + p, 0, 2);
            transpose_4x4(four[0] + p, four[1] + p, four[2] + p, four[3] + p, to + p * width + i,
                          width);
        }
        for (; p < k; p++)
            for (int q = 0; q < 4; q++)
                to[p * width + i + q] = four[q][p];
    }
}

/* y[j] of `rows` (a constant) rows of w. Each sum is made of two, whatever `rows` is. */
TARGET GRAFT__INLINE void run_dots(const int rows, int64_t k, const TYPE *x, const TYPE *w,
                                   int64_t ld, TYPE *sums)
{
    vec acc[4][2];
    GRAFT__UNROLL
    for (int i = 0; i < rows; i++)
        acc[i][0] = acc[i][1] = vec_zero();
    int64_t p = 0;
    for (; p + 2 * LANES <= k; p += 2 * LANES) {
        const vec x0 = vec_load(x + p), x1 = vec_load(x + p + LANES);
        GRAFT__UNROLL
        for (int i = 0; i < rows; i++) {
            acc[i][0] = vec_fma(x0, vec_load(w + i * ld + p), acc[i][0]);
            acc[i][1] = vec_fma(x1, vec_load(w + i * ld + p + LANES), acc[i][1]);
        }
    }
    for (; p < k; p += LANES) {
        const mask some = vec_first(k - p < LANES ? (int)(k - p) : LANES);
        const vec x0 = vec_load_first(x + p, some);
        GRAFT__UNROLL
        for (int i = 0; i < rows; i++)
            acc[i][0] = vec_fma(x0, vec_load_first(w + i * ld + p, some), acc[i][0]);
    }
    GRAFT__UNROLL
    for (int i = 0; i < rows; i++)
        sums[i] = vec_sum(vec_add(acc[i][0], acc[i][1]));
}

TARGET static void dots(int64_t n, int64_t k, const TYPE *x, const TYPE *w, int64_t ld, TYPE alpha,
                        TYPE beta, TYPE *y, int64_t y_step)
{
    for (int64_t j = 0; j < n; j += 4, w += 4 * ld) {
        TYPE found[4];
        const int rows = n - j < 4 ? (int)(n - j) : 4;
        switch (rows) {
        case 1:
            run_dots(1, k, x, w, ld, found);
            break;
        case 2:
            run_dots(2, k, x, w, ld, found);
            break;
        case 3:
            run_dots(3, k, x, w, ld, found);
            break;
        default:
            run_dots(4, k, x, w, ld, found);
        }
        for (int i = 0; i < rows; i++, y += y_step)
            *y = beta == 0 ? alpha * found[i] : alpha * found[i] + beta * *y;
    }
}

/* sums[j] += x[p] w[p * ld + j] of `steps` (a constant) steps: rows of w stream by side by side. */
TARGET GRAFT__INLINE void run_sums(const int steps, int64_t n, const TYPE *x, const TYPE *w,
                                   int64_t ld, TYPE *sums)
{
    vec left[4];
    GRAFT__UNROLL
    for (int p = 0; p < steps; p++)
        left[p] = vec_all(x[p]);
    int64_t j = 0;
    for (; j + LANES <= n; j += LANES) {
        vec sum = vec_load(sums + j);
        GRAFT__UNROLL
        for (int p = 0; p < steps; p++)
            sum = vec_fma(left[p], vec_load(w + p * ld + j), sum);
        vec_store(sums + j, sum);
    }
    if (j == n)
        return;
    const mask some = vec_first((int)(n - j));
    vec sum = vec_load(sums + j);
    GRAFT__UNROLL
    for (int p = 0; p < steps; p++)
        sum = vec_fma(left[p], vec_load_first(w + p * ld + j, some), sum);
    vec_store(sums + j, sum);
}

TARGET static void sums(int64_t n, int64_t k, const TYPE *x, const TYPE *w, int64_t ld, TYPE alpha,
                        TYPE beta, TYPE *y, int64_t y_step)
{
    enum { AT_ONCE = 8192 / sizeof(TYPE) };
    _Alignas(64) TYPE found[AT_ONCE];
    for (int64_t j = 0; j < n; j += AT_ONCE) {
        const int64_t count = n - j < AT_ONCE ? n - j : AT_ONCE;
        for (int64_t i = 0; i < count; i += LANES)
            vec_store(found + i, vec_zero());
        int64_t p = 0;
        for (; p + 4 <= k; p += 4)
            run_sums(4, count, x + p, w + p * ld + j, ld, found);
        for (; p < k; p++)
            run_sums(1, count, x + p, w + p * ld + j, ld, found);
        for (int64_t i = 0; i < count; i++, y += y_step)
            *y = beta == 0 ? alpha * found[i] : alpha * found[i] + beta * *y;
    }
}

const KERNELS TABLE = {
    .rows = ROWS,
    .cols = COLS,
    .lanes = LANES,
    .block = run_block,
    .pack = pack,
    .dots = dots,
    .sums = sums,
};
