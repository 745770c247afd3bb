/* The loops of a block for one kind of processor; no include guard: included once for each.
 * Expects NAME(x) and TARGET (an attribute or nothing). */

/* |x - y|, and both counted where they are finite. What is behind n up to a whole vector is 0. */
TARGET static void NAME(sums)(const block *k, int64_t n, sums *s)
{
    const whole magnitude = {INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX};
    const reals largest = {DBL_MAX, DBL_MAX, DBL_MAX, DBL_MAX};
    reals absolute = s->absolute, square = s->square, dot = s->dot;
    reals square_a = s->square_a, square_b = s->square_b;
    reals max_abs = s->max_abs, max_rel = s->max_rel;
    whole counted = s->finite;
    for (int64_t i = 0; i < n; i += LANES) {
        reals x = *(const reals *)(k->x + i), y = *(const reals *)(k->y + i);
        reals d = *(const reals *)(k->d + i);
        const reals ax = (reals)((whole)x & magnitude), ay = (reals)((whole)y & magnitude);
        const whole finite = (ax <= largest) & (ay <= largest);
        counted -= finite;
        x = (reals)((whole)x & finite);
        y = (reals)((whole)y & finite);
        d = (reals)((whole)d & finite);
        absolute += d;
        square += d * d;
        dot += x * y;
        square_a += x * x;
        square_b += y * y;
        const whole larger = d > max_abs;
        max_abs = (reals)(((whole)d & larger) | ((whole)max_abs & ~larger));
        const reals relative = (reals)((whole)(d / ay) & ((y != 0) & finite));
        const whole further = relative > max_rel;
        max_rel = (reals)(((whole)relative & further) | ((whole)max_rel & ~further));
    }
    *s = (sums){absolute, square, dot, square_a, square_b, max_abs, max_rel, counted};
}

/* The same of a block whose two sides are one. */
TARGET static void NAME(squares)(const block *k, int64_t n, sums *s)
{
    const whole magnitude = {INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX};
    const reals largest = {DBL_MAX, DBL_MAX, DBL_MAX, DBL_MAX};
    reals dot = s->dot, square_a = s->square_a, square_b = s->square_b;
    whole counted = s->finite;
    for (int64_t i = 0; i < n; i += LANES) {
        reals x = *(const reals *)(k->x + i);
        const whole finite = (reals)((whole)x & magnitude) <= largest;
        counted -= finite;
        x = (reals)((whole)x & finite);
        const reals square = x * x;
        dot += square;
        square_a += square;
        square_b += square;
    }
    s->dot = dot;
    s->square_a = square_a;
    s->square_b = square_b;
    s->finite = counted;
}

TARGET static void NAME(widen)(int64_t n, const void *in, graft_dtype dtype, double *restrict out)
{
    if (dtype != GRAFT_F32) {
        graft__widen(n, in, dtype, out);
        return;
    }
    const float *restrict from = in;
    for (int64_t i = 0; i < n; i++)
        out[i] = from[i];
}

TARGET static void NAME(distance)(int64_t n, const double *restrict x, const double *restrict y,
                                  double *restrict d)
{
    for (int64_t i = 0; i < n; i++)
        d[i] = fabs(x[i] - y[i]);
}

/* Whether elements are not the same bits. The answers are counted. */
#define DIFFER(name, type)                                                                         \
    TARGET static int64_t NAME(name)(int64_t n, const void *a, const void *b,                      \
                                     uint8_t *restrict differs)                                    \
    {                                                                                              \
        const type *x = a, *y = b;                                                                 \
        int64_t count = 0;                                                                         \
        for (int64_t i = 0; i < n; i++)                                                            \
            differs[i] = x[i] != y[i];                                                             \
        for (int64_t i = 0; i < n; i++)                                                            \
            count += differs[i];                                                                   \
        return count;                                                                              \
    }
DIFFER(differ_8, uint8_t)
DIFFER(differ_16, uint16_t)
DIFFER(differ_32, uint32_t)
DIFFER(differ_64, uint64_t)
#undef DIFFER

/* The most values that lie between two of a pair, both less than infinite. Bits of floats as
 * integers that are ordered as the floats are, with 0 and -0 one value. */
#define ULPS(name, type, wide, wide_unsigned, magnitude)                                           \
    TARGET static uint64_t NAME(name)(int64_t n, const void *a, const void *b, uint64_t infinite)  \
    {                                                                                              \
        const type *x = a, *y = b;                                                                 \
        const wide limit = (wide)infinite;                                                         \
        wide_unsigned most = 0;                                                                    \
        for (int64_t i = 0; i < n; i++) {                                                          \
            const wide p = (wide)(x[i] & magnitude), q = (wide)(y[i] & magnitude);                 \
            const wide s = -(wide)(x[i] > magnitude), t = -(wide)(y[i] > magnitude);               \
            const wide v = (p ^ s) - s, w = (q ^ t) - t;                                           \
            const wide less = v < w ? v : w, more = v < w ? w : v;                                 \
            const wide counts = -(wide)((p < limit) & (q < limit));                                \
            const wide_unsigned u =                                                                \
                ((wide_unsigned)more - (wide_unsigned)less) & (wide_unsigned)counts;               \
            most = u > most ? u : most;                                                            \
        }                                                                                          \
        return most;                                                                               \
    }
ULPS(ulps_16, uint16_t, int32_t, uint32_t, 0x7fffU)
ULPS(ulps_32, uint32_t, int32_t, uint32_t, 0x7fffffffU)
ULPS(ulps_64, uint64_t, int64_t, uint64_t, INT64_MAX)
#undef ULPS

static const loops NAME(loops) = {
    .sums = NAME(sums),
    .squares = NAME(squares),
    .widen = NAME(widen),
    .distance = NAME(distance),
    .differ = {NAME(differ_8), NAME(differ_16), NAME(differ_32), NAME(differ_64)},
    .ulps = {NAME(ulps_16), NAME(ulps_32), NAME(ulps_64)},
};
