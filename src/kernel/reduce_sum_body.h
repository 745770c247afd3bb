/* Sums of one type on one kind of processor; no include guard: included once for each. Expects
 * TYPE, NAME(x), TARGET (an attribute or nothing), LANES and LOAD(p), a vector of LANES doubles
 * from as many neighbours. */

typedef double NAME(vd) __attribute__((vector_size(8 * LANES), aligned(8), may_alias));

TARGET static double NAME(run)(const void *data, int64_t n)
{
    const TYPE *x = data;
    NAME(vd) a = {0}, b = {0}, c = {0}, d = {0};
    for (; n >= 4 * LANES; n -= 4 * LANES, x += 4 * LANES) {
        a += LOAD(x);
        b += LOAD(x + LANES);
        c += LOAD(x + 2 * LANES);
        d += LOAD(x + 3 * LANES);
    }
    for (; n >= LANES; n -= LANES, x += LANES)
        a += LOAD(x);
    double rest = 0;
    for (; n > 0; n--)
        rest += (double)*x++;
    a = (a + b) + (c + d);
    double lane[LANES];
    for (int i = 0; i < LANES; i++)
        lane[i] = a[i];
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int i = 0; i < half; i++)
            lane[i] += lane[i + half];
    return lane[0] + rest;
}

/* Rows that follow each other, a vector holding several: lane i sums column i % cols. */
TARGET static void NAME(narrow_columns)(const TYPE *x, int64_t rows, int64_t cols, double *out)
{
    NAME(vd) a = {0}, b = {0}, c = {0}, d = {0};
    int64_t n = rows * cols;
    for (; n >= 4 * LANES; n -= 4 * LANES, x += 4 * LANES) {
        a += LOAD(x);
        b += LOAD(x + LANES);
        c += LOAD(x + 2 * LANES);
        d += LOAD(x + 3 * LANES);
    }
    for (; n >= LANES; n -= LANES, x += LANES)
        a += LOAD(x);
    a = (a + b) + (c + d);
    for (int64_t i = 0; i < cols; i++)
        out[i] = i < n ? (double)x[i] : 0;
    for (int64_t i = cols; i < n; i++)
        out[i % cols] += (double)x[i];
    for (int64_t i = 0; i < LANES; i++)
        out[i % cols] += a[i];
}

/* Wide rows: four at a time, along them, as memory likes it. */
TARGET static void NAME(wide_columns)(const TYPE *x, int64_t rows, int64_t stride, int64_t cols,
                                      double *out)
{
    for (int64_t c = 0; c < cols; c++)
        out[c] = 0;
    int64_t r = 0;
    for (; r + 4 <= rows; r += 4, x += 4 * stride)
        for (int64_t c = 0; c + LANES <= cols; c += LANES) {
            NAME(vd) *o = (NAME(vd) *)(out + c);
            *o += (LOAD(x + c) + LOAD(x + stride + c)) +
                  (LOAD(x + 2 * stride + c) + LOAD(x + 3 * stride + c));
        }
    for (; r < rows; r++, x += stride)
        for (int64_t c = 0; c + LANES <= cols; c += LANES)
            *(NAME(vd) *)(out + c) += LOAD(x + c);
}

TARGET static void NAME(columns)(const void *data, int64_t rows, int64_t stride, int64_t cols,
                                 double *out)
{
    const TYPE *x = data;
    if (stride == cols && (cols == 1 || cols == 2 || cols == 4)) { /* what divides LANES */
        NAME(narrow_columns)(x, rows, cols, out);
        return;
    }
    if (cols >= 4 * LANES) {
        const int64_t whole = cols - cols % LANES;
        NAME(wide_columns)(x, rows, stride, whole, out);
        x += whole;
        out += whole;
        cols -= whole;
    }
    for (; cols >= LANES; cols -= LANES, x += LANES, out += LANES) {
        NAME(vd) a = {0}, b = {0}, c = {0}, d = {0};
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
        ((NAME(vd) *)out)[0] = (a + b) + (c + d);
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

#undef TYPE
#undef NAME
#undef TARGET
#undef LANES
#undef LOAD
