/* Sums of one type on one kind of processor; no include guard: included once for each. Expects
 * TYPE, NAME(x) and TARGET (an attribute or nothing). */

typedef TYPE NAME(lanes)
    __attribute__((vector_size(8 * sizeof(TYPE)), aligned(sizeof(TYPE)), may_alias));

#define LOAD(p) __builtin_convertvector(*(const NAME(lanes) *)(p), vd)

TARGET static double NAME(run)(const void *data, int64_t n)
{
    const TYPE *x = data;
    vd a = {0}, b = {0}, c = {0}, d = {0};
    for (; n >= 32; n -= 32, x += 32) {
        a += LOAD(x);
        b += LOAD(x + 8);
        c += LOAD(x + 16);
        d += LOAD(x + 24);
    }
    for (; n >= 8; n -= 8, x += 8)
        a += LOAD(x);
    double rest = 0;
    for (; n > 0; n--)
        rest += (double)*x++;
    a = (a + b) + (c + d);
    return (((a[0] + a[4]) + (a[2] + a[6])) + ((a[1] + a[5]) + (a[3] + a[7]))) + rest;
}

TARGET static void NAME(columns)(const void *data, int64_t rows, int64_t stride, int64_t cols,
                                 double *out)
{
    const TYPE *x = data;
    for (; cols >= 32; cols -= 32, x += 32, out += 32) {
        vd a = {0}, b = {0}, c = {0}, d = {0};
        const TYPE *row = x;
        for (int64_t r = 0; r < rows; r++, row += stride) {
            a += LOAD(row);
            b += LOAD(row + 8);
            c += LOAD(row + 16);
            d += LOAD(row + 24);
        }
        ((vd_any *)out)[0] = a;
        ((vd_any *)out)[1] = b;
        ((vd_any *)out)[2] = c;
        ((vd_any *)out)[3] = d;
    }
    for (; cols >= 8; cols -= 8, x += 8, out += 8) {
        vd a = {0}, b = {0}, c = {0}, d = {0};
        const TYPE *row = x;
        int64_t r = 0;
        for (; r + 4 <= rows; r += 4, row += 4 * stride) {
            a += LOAD(row);
            b += LOAD(row + stride);
            c += LOAD(row + 2 * stride);
            d += LOAD(row + 3 * stride);
        }
        for (; r < rows; r++, row += stride)
            a += LOAD(row);
        ((vd_any *)out)[0] = (a + b) + (c + d);
    }
    for (; cols > 0; cols--, x++, out++) {
        double a = 0, b = 0, c = 0, d = 0;
        const TYPE *row = x;
        int64_t r = 0;
        for (; r + 4 <= rows; r += 4, row += 4 * stride) {
            a += (double)row[0];
            b += (double)row[stride];
            c += (double)row[2 * stride];
            d += (double)row[3 * stride];
        }
        for (; r < rows; r++, row += stride)
            a += (double)row[0];
        *out = (a + b) + (c + d);
    }
}

#undef LOAD
#undef TYPE
#undef NAME
#undef TARGET
