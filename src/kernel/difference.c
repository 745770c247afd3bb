#include "kernel/difference.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "kernel/array.h"
#include "kernel/target.h"
#include "kernel/widen.h"

enum { BLOCK = 512, LANES = 4 }; /* elements of a block: all that is made of them stays in cache */

typedef double reals __attribute__((vector_size(8 * LANES), aligned(8), may_alias));
typedef int64_t whole __attribute__((vector_size(8 * LANES), aligned(8), may_alias));

/* Lanes are added up at the end of a run. */
typedef struct sums {
    reals absolute, square, dot, square_a, square_b, max_abs, max_rel;
    whole finite; /* pairs */
} sums;

typedef struct block {
    double x[BLOCK], y[BLOCK], d[BLOCK]; /* a, b, |a - b|; zeros behind up to a whole vector */
    uint8_t differs[BLOCK];
} block;

/* The loops that are compiled for each kind of processor. */
typedef struct loops {
    void (*sums)(const block *k, int64_t n, sums *s);
    void (*squares)(const block *k, int64_t n, sums *s);
    void (*widen)(int64_t n, const void *in, graft_dtype dtype, double *out);
    void (*distance)(int64_t n, const double *x, const double *y, double *d);
    int64_t (*differ[4])(int64_t n, const void *a, const void *b, uint8_t *differs);
    uint64_t (*ulps[3])(int64_t n, const void *a, const void *b, uint64_t infinite);
} loops;

#define NAME(x) x##_portable
#define TARGET
#include "kernel/difference_body.h"
#undef NAME
#undef TARGET

#if GRAFT__X86
#define NAME(x) x##_avx2
#define TARGET GRAFT__TARGET_AVX2
#include "kernel/difference_body.h"
#undef NAME
#undef TARGET
#endif

static const loops *loops_at_hand(void)
{
#if GRAFT__X86
    if (graft__processor() != GRAFT__PORTABLE)
        return &loops_avx2;
#endif
    return &loops_portable;
}

static size_t bytes_of(graft_dtype dtype, int64_t n)
{
    int64_t elements = 1;
    size_t bytes = 0;
    graft_dtype_block(dtype, &elements, &bytes);
    return (size_t)(n / elements) * bytes;
}

/* ---- Which elements differ ---- */

/* Elements of 16 bytes, and whole blocks of elements: all of a block differ, or none. */
static int64_t differ_wide(graft_dtype dtype, int64_t n, const char *a, const char *b,
                           uint8_t *differs)
{
    int64_t elements = 1, count = 0;
    size_t bytes = 0;
    graft_dtype_block(dtype, &elements, &bytes);
    for (int64_t i = 0; i + elements <= n; i += elements, a += bytes, b += bytes) {
        const bool differ = memcmp(a, b, bytes) != 0;
        memset(differs + i, differ, (size_t)elements);
        count += differ ? elements : 0;
    }
    return count;
}

static int64_t differ_bits(const loops *l, graft_dtype dtype, int64_t n, const void *a,
                           const void *b, uint8_t *differs)
{
    switch (graft__width(dtype)) {
    case 1:
        return l->differ[0](n, a, b, differs);
    case 2:
        return l->differ[1](n, a, b, differs);
    case 4:
        return l->differ[2](n, a, b, differs);
    case 8:
        return l->differ[3](n, a, b, differs);
    default:
        return differ_wide(dtype, n, a, b, differs);
    }
}

static bool is_long(graft_dtype dtype)
{
    return dtype == GRAFT_I64 || dtype == GRAFT_U64;
}

/* Element i of a run of 64-bit integers is exactly x. */
static bool is_exactly(const void *run, graft_dtype dtype, int64_t i, double x)
{
    if (dtype == GRAFT_I64)
        return x < 0x1p63 && ((const int64_t *)run)[i] == (int64_t)x;
    return x < 0x1p64 && ((const uint64_t *)run)[i] == (uint64_t)x;
}

/* Two that are the same as doubles are not the same if a 64-bit integer was rounded on the way. */
static bool same_value(const graft__difference_how *how, const void *a, const void *b, int64_t i,
                       double x)
{
    if (is_long(how->a) &&
        is_long(how->b)) /* one signed, one not: the same bits, but for the sign */
        return x >= 0 && ((const uint64_t *)a)[i] == ((const uint64_t *)b)[i];
    return is_long(how->a) ? is_exactly(a, how->a, i, x) : is_exactly(b, how->b, i, x);
}

static int64_t differ_values(const graft__difference_how *how, const block *k, int64_t n,
                             const void *a, const void *b, uint8_t *differs)
{
    const bool rounded = is_long(how->a) || is_long(how->b);
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++) {
        const double x = k->x[i], y = k->y[i];
        bool same = x == y || (isnan(x) && isnan(y));
        if (same && rounded)
            same = same_value(how, a, b, i, x);
        differs[i] = !same;
        count += !same;
    }
    return count;
}

static int64_t differ_far(const graft__difference_how *how, const block *k, int64_t n,
                          uint8_t *differs)
{
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++) {
        const double x = k->x[i], y = k->y[i];
        const bool finite = fabs(x) <= DBL_MAX && fabs(y) <= DBL_MAX;
        const bool same =
            finite ? k->d[i] <= how->atol + how->rtol * fabs(y) : x == y || (isnan(x) && isnan(y));
        differs[i] = !same;
        count += !same;
    }
    return count;
}

/* ---- Blocks ---- */

/* |a - b| of 64-bit integers, which their doubles need not show. */
static void distance_long(graft_dtype dtype, int64_t n, const uint64_t *a, const uint64_t *b,
                          double *d)
{
    const uint64_t flip = dtype == GRAFT_I64 ? UINT64_C(1) << 63 : 0; /* orders the signed */
    for (int64_t i = 0; i < n; i++) {
        const uint64_t x = a[i] ^ flip, y = b[i] ^ flip;
        d[i] = (double)(x > y ? x - y : y - x);
    }
}

static void fill_up(double *x, int64_t n)
{
    for (; n % LANES != 0; n++)
        x[n] = 0;
}

static void widen_block(const graft__difference_how *how, const loops *l, int64_t n, const void *a,
                        const void *b, block *k)
{
    l->widen(n, a, how->a, k->x);
    l->widen(n, b, how->b, k->y);
    if (how->a == how->b && is_long(how->a))
        distance_long(how->a, n, a, b, k->d);
    else
        l->distance(n, k->x, k->y, k->d);
    fill_up(k->x, n);
    fill_up(k->y, n);
    fill_up(k->d, n);
}

static uint64_t ulps(const loops *l, graft_dtype dtype, int64_t n, const void *a, const void *b)
{
    switch (dtype) {
    case GRAFT_F16:
        return l->ulps[0](n, a, b, 0x7c00);
    case GRAFT_BF16:
        return l->ulps[0](n, a, b, 0x7f80);
    case GRAFT_F32:
        return l->ulps[1](n, a, b, 0x7f800000);
    case GRAFT_F64:
        return l->ulps[2](n, a, b, UINT64_C(0x7ff0000000000000));
    default:
        return 0;
    }
}

static int64_t count_not_finite(const block *k, int64_t n)
{
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++)
        count += k->differs[i] && !(fabs(k->x[i]) <= DBL_MAX && fabs(k->y[i]) <= DBL_MAX);
    return count;
}

static int64_t finite_pairs(const sums *s)
{
    return s->finite[0] + s->finite[1] + s->finite[2] + s->finite[3];
}

/* ---- Rows ---- */

typedef struct listing {
    int64_t *row, room, count;
} listing;

static void add_row(graft__difference *out, listing *list, int64_t row)
{
    if (row == out->last_row)
        return;
    if (out->rows++ == 0)
        out->first_row = row;
    out->last_row = row;
    if (list->row && list->count < list->room)
        list->row[list->count++] = row;
}

/* Marks the rows of a block with `count` changed elements. */
static void add_rows(const graft__difference_how *how, int64_t at, int64_t n,
                     const uint8_t *differs, int64_t count, graft__difference *out, listing *list)
{
    int64_t row = at / how->row, begin = 0;
    int64_t end = how->row - at % how->row; /* of the row, counted in the block */
    while (begin < n && count > 0) {
        const int64_t stop = end < n ? end : n;
        if (count == n || memchr(differs + begin, 1, (size_t)(stop - begin)))
            add_row(out, list, row);
        row++;
        begin = stop;
        end = n - stop < how->row ? n : stop + how->row;
    }
}

/* ---- Runs ---- */

void graft__difference_begin(graft__difference *d)
{
    *d = (graft__difference){.first = -1, .first_row = -1, .last_row = -1};
}

static double add_lanes(const reals *v)
{
    return ((*v)[0] + (*v)[1]) + ((*v)[2] + (*v)[3]);
}

static double largest_lane(const reals *v)
{
    return fmax(fmax((*v)[0], (*v)[1]), fmax((*v)[2], (*v)[3]));
}

static void add_sums(const sums *s, int64_t n, graft__difference *out)
{
    out->max_abs = largest_lane(&s->max_abs);
    out->max_rel = largest_lane(&s->max_rel);
    out->sum_abs = add_lanes(&s->absolute);
    out->sum_square = add_lanes(&s->square);
    out->dot = add_lanes(&s->dot);
    out->square_a = add_lanes(&s->square_a);
    out->square_b = add_lanes(&s->square_b);
    out->left_out = n - finite_pairs(s);
}

/* A block whose bytes differ. */
static void changed_block(const graft__difference_how *how, const loops *l, int64_t at, int64_t n,
                          const void *a, const void *b, block *k, sums *s, graft__difference *out,
                          listing *list)
{
    const bool same_dtype = how->a == how->b;
    if (how->numbers || how->tolerant || !same_dtype)
        widen_block(how, l, n, a, b, k);
    const int64_t count = how->tolerant ? differ_far(how, k, n, k->differs)
                          : same_dtype  ? differ_bits(l, how->a, n, a, b, k->differs)
                                        : differ_values(how, k, n, a, b, k->differs);
    if (count > 0 && out->first < 0)
        out->first = at + ((const uint8_t *)memchr(k->differs, 1, (size_t)n) - k->differs);
    out->changed += count;
    add_rows(how, at, n, k->differs, count, out, list);
    if (!how->numbers)
        return;
    const int64_t before = finite_pairs(s);
    const int64_t padding = (LANES - n % LANES) % LANES;
    l->sums(k, n, s);
    s->finite[0] -= padding;
    if (finite_pairs(s) - before != n)
        out->not_finite += count_not_finite(k, n);
    if (same_dtype) {
        const uint64_t most = ulps(l, how->a, n, a, b);
        out->max_ulps = most > out->max_ulps ? most : out->max_ulps;
    }
}

void graft__difference_run(const graft__difference_how *how, int64_t at, int64_t n, const void *a,
                           const void *b, graft__difference *out, int64_t *row, int64_t room)
{
    const loops *l = loops_at_hand();
    listing list = {row, room, 0};
    sums s = {.finite = {0}};
    block k;
    graft__difference_begin(out);
    for (int64_t i = 0; i < n; i += BLOCK) {
        const int64_t count = n - i < BLOCK ? n - i : BLOCK;
        const char *x = (const char *)a + bytes_of(how->a, i);
        const char *y = (const char *)b + bytes_of(how->b, i);
        if (how->a != how->b || memcmp(x, y, bytes_of(how->a, count)) != 0) {
            changed_block(how, l, at + i, count, x, y, &k, &s, out, &list);
        } else if (how->numbers) {
            l->widen(count, x, how->a, k.x);
            fill_up(k.x, count);
            l->squares(&k, count, &s);
            s.finite[0] -= (LANES - count % LANES) % LANES;
        }
    }
    if (how->numbers)
        add_sums(&s, n, out);
}

void graft__difference_add(graft__difference *d, const graft__difference *next)
{
    d->changed += next->changed;
    d->not_finite += next->not_finite;
    d->left_out += next->left_out;
    d->max_ulps = next->max_ulps > d->max_ulps ? next->max_ulps : d->max_ulps;
    d->max_abs = fmax(d->max_abs, next->max_abs);
    d->max_rel = fmax(d->max_rel, next->max_rel);
    d->sum_abs += next->sum_abs;
    d->sum_square += next->sum_square;
    d->dot += next->dot;
    d->square_a += next->square_a;
    d->square_b += next->square_b;
    if (d->first < 0)
        d->first = next->first;
    if (next->rows == 0)
        return;
    d->rows += next->rows - (d->last_row == next->first_row);
    if (d->first_row < 0)
        d->first_row = next->first_row;
    d->last_row = next->last_row;
}
