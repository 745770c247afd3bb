/* The kernels of softmax for one type on one kind of processor; no include guard: included once for
 * each. Expects TYPE, INTEGER (signed, as wide), OF(x) (x of that type), NAME(x) (of the processor,
 * too), VECTOR (bytes that the processor has in a register) and TARGET (an attribute or nothing).
 */

/* Elements that are worked on in a buffer. */
#define BUFFER (4096 / (int)sizeof(TYPE))
#define WIDTH (64 / (int)sizeof(TYPE)) /* rows that are turned at once */
#define LANES (VECTOR / (int)sizeof(TYPE))
#define NARROW GRAFT__NARROW_LANE
#define ALIGNED _Alignas(64) /* no vector lies across two cache lines */

typedef TYPE NAME(vector) __attribute__((vector_size(VECTOR), aligned(sizeof(TYPE)), may_alias));
typedef INTEGER NAME(bits) __attribute__((vector_size(VECTOR), aligned(sizeof(TYPE)), may_alias));

#define LOAD(p) (*(const NAME(vector) *)(p))
#define STORE(p, v) (*(NAME(vector) *)(p) = (v))
#define LARGER(a, b)                                                                               \
    ((NAME(vector))(((NAME(bits))(a) & ((a) > (b))) | ((NAME(bits))(b) & ~((a) > (b)))))

/* ---- Steps over one row; out may be x ---- */

/* NaN does not count. */
TARGET GRAFT__STEP TYPE NAME(row_max)(const TYPE *x, int64_t n)
{
    TYPE most = -(TYPE)INFINITY;
    if (n >= 2 * LANES) {
        NAME(vector) a = (NAME(vector)){0} + most, b = a;
        for (; n >= 2 * LANES; n -= 2 * LANES, x += 2 * LANES) {
            const NAME(vector) c = LOAD(x), d = LOAD(x + LANES);
            a = LARGER(c, a);
            b = LARGER(d, b);
        }
        a = LARGER(a, b);
        for (int i = 0; i < LANES; i++)
            most = a[i] > most ? a[i] : most;
    }
    for (int64_t i = 0; i < n; i++)
        most = x[i] > most ? x[i] : most;
    return most;
}

TARGET GRAFT__STEP TYPE NAME(row_sum)(const TYPE *x, int64_t n)
{
    TYPE sum = 0;
    if (n >= 2 * LANES) {
        NAME(vector) a = {0}, b = {0};
        for (; n >= 2 * LANES; n -= 2 * LANES, x += 2 * LANES) {
            a += LOAD(x);
            b += LOAD(x + LANES);
        }
        a += b;
        for (int i = 0; i < LANES; i++)
            sum += a[i];
    }
    for (int64_t i = 0; i < n; i++)
        sum += x[i];
    return sum;
}

TARGET GRAFT__STEP void NAME(row_minus)(int64_t n, const TYPE *x, TYPE most, TYPE *out)
{
    GRAFT__INDEPENDENT
    for (int64_t c = 0; c < n; c++)
        out[c] = x[c] - most;
}

TARGET GRAFT__STEP void NAME(row_add_times)(int64_t n, TYPE factor, const TYPE *e, TYPE *dst,
                                            bool add)
{
    if (add) {
        GRAFT__INDEPENDENT
        for (int64_t c = 0; c < n; c++)
            dst[c] += factor * e[c];
    } else {
        GRAFT__INDEPENDENT
        for (int64_t c = 0; c < n; c++)
            dst[c] = factor * e[c];
    }
}

/* ---- Steps over one element of each of m lanes ---- */

TARGET GRAFT__STEP void NAME(each_minus)(int64_t m, const TYPE *x, const TYPE *max, TYPE *out)
{
    GRAFT__INDEPENDENT
    for (int64_t j = 0; j < m; j++)
        out[j] = x[j] - max[j];
}

TARGET GRAFT__STEP void NAME(each_sum)(int64_t m, const TYPE *x, double *total)
{
    GRAFT__INDEPENDENT
    for (int64_t j = 0; j < m; j++)
        total[j] += (double)x[j];
}

/* ---- Lanes that are narrow rows (inner == 1, n <= NARROW): turned, so that a vector holds an
 * element of each of several rows. ---- */

/* Rows of two are the most common, and turned best by the widest vectors. */
TARGET GRAFT__STEP void NAME(turn)(int64_t n, int64_t rows, const TYPE *x, TYPE *turned)
{
    if (n != 2 || rows < WIDTH) {
        OF(turn_rows)(n, rows, x, turned);
        return;
    }
    GRAFT__INDEPENDENT
    for (int64_t i = 0; i < WIDTH; i++) {
        turned[i] = x[2 * i];
        turned[WIDTH + i] = x[2 * i + 1];
    }
}

TARGET GRAFT__STEP void NAME(turn_back)(int64_t n, int64_t rows, const TYPE *turned, TYPE *y)
{
    if (n != 2 || rows < WIDTH) {
        OF(turn_back)(n, rows, turned, y);
        return;
    }
    GRAFT__INDEPENDENT
    for (int64_t i = 0; i < WIDTH; i++) {
        y[2 * i] = turned[i];
        y[2 * i + 1] = turned[WIDTH + i];
    }
}

/* e -= the largest of its lane */
TARGET GRAFT__STEP void NAME(narrow_minus_max)(int64_t n, TYPE *e, TYPE *max)
{
    for (int i = 0; i < WIDTH; i += LANES) {
        NAME(vector) most = (NAME(vector)){0} - (TYPE)INFINITY;
        for (int64_t c = 0; c < n; c++)
            most = LARGER(LOAD(e + c * WIDTH + i), most);
        for (int64_t c = 0; c < n; c++)
            STORE(e + c * WIDTH + i, LOAD(e + c * WIDTH + i) - most);
        STORE(max + i, most);
    }
}

TARGET GRAFT__STEP void NAME(narrow_sum)(int64_t n, const TYPE *e, TYPE *total)
{
    for (int i = 0; i < WIDTH; i += LANES) {
        NAME(vector) sum = {0};
        for (int64_t c = 0; c < n; c++)
            sum += LOAD(e + c * WIDTH + i);
        STORE(total + i, sum);
    }
}

/* e -= the number of its lane */
TARGET GRAFT__STEP void NAME(narrow_minus)(int64_t n, TYPE *e, const TYPE *by)
{
    for (int64_t c = 0; c < n; c++)
        for (int i = 0; i < WIDTH; i += LANES)
            STORE(e + c * WIDTH + i, LOAD(e + c * WIDTH + i) - LOAD(by + i));
}

/* e *= the factor of its lane */
TARGET GRAFT__STEP void NAME(narrow_times)(int64_t n, TYPE *e, const TYPE *factor)
{
    for (int64_t c = 0; c < n; c++)
        for (int i = 0; i < WIDTH; i += LANES)
            STORE(e + c * WIDTH + i, LOAD(e + c * WIDTH + i) * LOAD(factor + i));
}

TARGET static void NAME(exps_narrow)(const graft__vmath *v, int64_t n, int64_t rows, const TYPE *x,
                                     TYPE *max, TYPE *sum)
{
    ALIGNED TYPE e[NARROW * WIDTH], most[WIDTH], total[WIDTH];
    for (int64_t r = 0; r < rows; r += WIDTH) {
        const int64_t m = rows - r < WIDTH ? rows - r : WIDTH;
        NAME(turn)(n, m, x + r * n, e);
        NAME(narrow_minus_max)(n, e, most);
        v->OF(exp)(n * WIDTH, e, e);
        NAME(narrow_sum)(n, e, total);
        memcpy(max + r, most, (size_t)m * sizeof(TYPE));
        memcpy(sum + r, total, (size_t)m * sizeof(TYPE));
    }
}

TARGET static void NAME(softmax_narrow)(const graft__vmath *v, int64_t n, int64_t rows,
                                        const void *data, void *result)
{
    const TYPE *x = data;
    TYPE *y = result;
    ALIGNED TYPE e[NARROW * WIDTH], total[WIDTH];
    for (int64_t r = 0; r < rows; r += WIDTH) {
        const int64_t m = rows - r < WIDTH ? rows - r : WIDTH;
        NAME(turn)(n, m, x + r * n, e);
        NAME(narrow_minus_max)(n, e, total);
        v->OF(exp)(n * WIDTH, e, e);
        NAME(narrow_sum)(n, e, total);
        for (int i = 0; i < WIDTH; i += LANES)
            STORE(total + i, 1 / LOAD(total + i));
        NAME(narrow_times)(n, e, total);
        NAME(turn_back)(n, m, e, y + r * n);
    }
}

TARGET static void NAME(log_softmax_narrow)(const graft__vmath *v, int64_t n, int64_t rows,
                                            const void *data, void *result)
{
    const TYPE *x = data;
    TYPE *y = result;
    ALIGNED TYPE e[NARROW * WIDTH], exp[NARROW * WIDTH], total[WIDTH];
    for (int64_t r = 0; r < rows; r += WIDTH) {
        const int64_t m = rows - r < WIDTH ? rows - r : WIDTH;
        NAME(turn)(n, m, x + r * n, e);
        NAME(narrow_minus_max)(n, e, total);
        v->OF(exp)(n * WIDTH, e, exp);
        NAME(narrow_sum)(n, exp, total);
        v->OF(log)(WIDTH, total, total);
        NAME(narrow_minus)(n, e, total);
        NAME(turn_back)(n, m, e, y + r * n);
    }
}

TARGET static void NAME(add_exps_narrow)(const graft__vmath *v, int64_t n, int64_t rows,
                                         const TYPE *x, const TYPE *max, const TYPE *factor,
                                         TYPE *dst, bool add)
{
    ALIGNED TYPE e[NARROW * WIDTH], most[WIDTH] = {0}, by[WIDTH] = {0};
    for (int64_t r = 0; r < rows; r += WIDTH) {
        const int64_t m = rows - r < WIDTH ? rows - r : WIDTH;
        NAME(turn)(n, m, x + r * n, e);
        memcpy(most, max + r, (size_t)m * sizeof(TYPE));
        memcpy(by, factor + r, (size_t)m * sizeof(TYPE));
        NAME(narrow_minus)(n, e, most);
        v->OF(exp)(n * WIDTH, e, e);
        NAME(narrow_times)(n, e, by);
        if (!add) {
            NAME(turn_back)(n, m, e, dst + r * n);
            continue;
        }
        for (int64_t i = 0; i < m; i++)
            for (int64_t c = 0; c < n; c++)
                dst[(r + i) * n + c] += e[c * WIDTH + i];
    }
}

TARGET static double NAME(losses)(const graft__vmath *v, int64_t n, int64_t rows, const void *data,
                                  const int64_t *target, double part, void *gradient)
{
    ALIGNED TYPE e[NARROW * WIDTH], total[WIDTH], log_total[WIDTH], chosen[WIDTH];
    const TYPE *x = data, share = (TYPE)part;
    double loss[WIDTH] = {0}, sum = 0;
    for (int64_t r = 0; r < rows; r += WIDTH, target += WIDTH) {
        const int64_t m = rows - r < WIDTH ? rows - r : WIDTH;
        NAME(turn)(n, m, x + r * n, e);
        NAME(narrow_minus_max)(n, e, total);
        for (int64_t i = 0; i < m; i++)
            chosen[i] = e[target[i] * WIDTH + i];
        v->OF(exp)(n * WIDTH, e, e);
        NAME(narrow_sum)(n, e, total);
        v->OF(log)(WIDTH, total, log_total);
        for (int64_t i = 0; i < m; i++)
            loss[i] += (double)log_total[i] - (double)chosen[i];
        if (!gradient)
            continue;
        for (int i = 0; i < WIDTH; i += LANES)
            STORE(total + i, share / LOAD(total + i));
        NAME(narrow_times)(n, e, total);
        for (int64_t i = 0; i < m; i++)
            e[target[i] * WIDTH + i] -= share;
        NAME(turn_back)(n, m, e, (TYPE *)gradient + r * n);
    }
    for (int i = 0; i < WIDTH; i++)
        sum += loss[i];
    return sum;
}

/* ---- Lanes that are rows ---- */

/* Whole rows at a time, so that a call of exp has a buffer full of work. */
TARGET static void NAME(exps_short)(const graft__vmath *v, int64_t n, int64_t rows, const TYPE *x,
                                    TYPE *y, TYPE *max, TYPE *sum)
{
    ALIGNED TYPE buffer[BUFFER];
    const int64_t block = n > 0 ? BUFFER / n : rows;
    for (int64_t r = 0; r < rows; r += block) {
        const int64_t end = rows - r < block ? rows : r + block, elements = (end - r) * n;
        TYPE *to = y ? y + r * n : buffer;
        TYPE *out = to;
        for (int64_t i = r; i < end; i++, x += n, out += n) {
            max[i] = NAME(row_max)(x, n);
            NAME(row_minus)(n, x, max[i], out);
        }
        v->OF(exp)(elements, to, to);
        for (int64_t i = r; i < end; i++, to += n)
            sum[i] = NAME(row_sum)(to, n);
    }
}

TARGET static void NAME(exps_long)(const graft__vmath *v, int64_t n, const TYPE *x, TYPE *y,
                                   TYPE *max, TYPE *sum)
{
    ALIGNED TYPE buffer[BUFFER];
    double total = 0;
    const TYPE most = NAME(row_max)(x, n);
    for (int64_t i = 0; i < n; i += BUFFER) {
        const int64_t m = n - i < BUFFER ? n - i : BUFFER;
        TYPE *out = y ? y + i : buffer;
        NAME(row_minus)(m, x + i, most, out);
        v->OF(exp)(m, out, out);
        total += (double)NAME(row_sum)(out, m);
    }
    *max = most;
    *sum = (TYPE)total;
}

TARGET static void NAME(exps_rows)(const graft__vmath *v, int64_t n, int64_t rows, const TYPE *x,
                                   TYPE *y, TYPE *max, TYPE *sum)
{
    if (n <= NARROW) {
        NAME(exps_narrow)(v, n, rows, x, max, sum);
        return;
    }
    if (n <= BUFFER) {
        NAME(exps_short)(v, n, rows, x, y, max, sum);
        return;
    }
    for (int64_t r = 0; r < rows; r++)
        NAME(exps_long)(v, n, x + r * n, y ? y + r * n : NULL, max + r, sum + r);
}

TARGET static void NAME(add_exps_rows)(const graft__vmath *v, int64_t n, int64_t rows,
                                       const TYPE *x, const TYPE *max, const TYPE *factor,
                                       TYPE *dst, bool add)
{
    if (n <= NARROW) {
        NAME(add_exps_narrow)(v, n, rows, x, max, factor, dst, add);
        return;
    }
    ALIGNED TYPE buffer[BUFFER];
    const int64_t cols = n < BUFFER ? n : BUFFER, block = BUFFER / cols;
    for (int64_t r = 0; r < rows; r += block) {
        const int64_t m = rows - r < block ? rows - r : block;
        for (int64_t c = 0; c < n; c += cols) {
            /* m > 1 rows only where they are whole: m x now elements in the buffer. */
            const int64_t now = n - c < cols ? n - c : cols;
            for (int64_t i = 0; i < m; i++)
                NAME(row_minus)(now, x + (r + i) * n + c, max[r + i], buffer + i * now);
            v->OF(exp)(m * now, buffer, buffer);
            for (int64_t i = 0; i < m; i++)
                NAME(row_add_times)
            (now, factor[r + i], buffer + i * now, dst + (r + i) * n + c, add);
        }
    }
}

/* ---- Lanes side by side: m neighbours, whose elements lie inner apart ---- */

TARGET static void NAME(exps_beside)(const graft__vmath *v, int64_t n, int64_t inner, int64_t m,
                                     const TYPE *x, TYPE *y, TYPE *max, TYPE *sum)
{
    ALIGNED TYPE buffer[BUFFER];
    double total[GRAFT__LANES_MAX];
    for (int64_t j = 0; j < m; j++) {
        max[j] = -(TYPE)INFINITY;
        total[j] = 0;
    }
    for (int64_t c = 0; c < n; c++)
        GRAFT__INDEPENDENT
    for (int64_t j = 0; j < m; j++)
        max[j] = x[c * inner + j] > max[j] ? x[c * inner + j] : max[j];
    const int64_t block = BUFFER / m;
    for (int64_t c = 0; c < n; c += block) {
        const int64_t now = n - c < block ? n - c : block;
        for (int64_t i = 0; i < now; i++)
            NAME(each_minus)(m, x + (c + i) * inner, max, buffer + i * m);
        v->OF(exp)(now * m, buffer, buffer);
        for (int64_t i = 0; i < now; i++)
            NAME(each_sum)(m, buffer + i * m, total);
        for (int64_t i = 0; y && i < now; i++)
            memcpy(y + (c + i) * inner, buffer + i * m, (size_t)m * sizeof(TYPE));
    }
    for (int64_t j = 0; j < m; j++)
        sum[j] = (TYPE)total[j];
}

TARGET static void NAME(add_exps_beside)(const graft__vmath *v, int64_t n, int64_t inner, int64_t m,
                                         const TYPE *x, const TYPE *max, const TYPE *factor,
                                         TYPE *dst, bool add)
{
    ALIGNED TYPE buffer[BUFFER];
    const int64_t block = BUFFER / m;
    for (int64_t c = 0; c < n; c += block) {
        const int64_t now = n - c < block ? n - c : block;
        for (int64_t i = 0; i < now; i++)
            NAME(each_minus)(m, x + (c + i) * inner, max, buffer + i * m);
        v->OF(exp)(now * m, buffer, buffer);
        for (int64_t i = 0; i < now; i++) {
            TYPE *out = dst + (c + i) * inner;
            const TYPE *e = buffer + i * m;
            GRAFT__INDEPENDENT
            for (int64_t j = 0; j < m; j++)
                out[j] = (add ? out[j] : 0) + factor[j] * e[j];
        }
    }
}

/* ---- Lanes as they come ---- */

/* How many lanes from lane `at` lie side by side, and in *first their first element. */
TARGET GRAFT__INLINE int64_t NAME(run_length)(const graft__lanes *l, int64_t at, int64_t end,
                                              int64_t *first)
{
    const int64_t o = at / l->inner, j = at % l->inner;
    const int64_t left = l->inner - j < end - at ? l->inner - j : end - at;
    *first = o * l->n * l->inner + j;
    return left;
}

TARGET static void NAME(exps)(const graft__vmath *v, const graft__lanes *l, int64_t begin,
                              int64_t count, const void *x, void *y, void *max, void *sum)
{
    const TYPE *from = x;
    TYPE *to = y, *m0 = max, *s0 = sum;
    if (l->inner == 1) {
        NAME(exps_rows)(v, l->n, count, from + begin * l->n, to ? to + begin * l->n : NULL, m0, s0);
        return;
    }
    for (int64_t at = begin, m, first; at < begin + count; at += m) {
        m = NAME(run_length)(l, at, begin + count, &first);
        NAME(exps_beside)
        (v, l->n, l->inner, m, from + first, to ? to + first : NULL, m0 + (at - begin),
         s0 + (at - begin));
    }
}

TARGET static void NAME(add_exps)(const graft__vmath *v, const graft__lanes *l, int64_t begin,
                                  int64_t count, const void *x, const void *max, const void *factor,
                                  void *dst, double beta)
{
    const TYPE *from = x, *m0 = max, *f0 = factor;
    TYPE *to = dst;
    if (l->inner == 1) {
        NAME(add_exps_rows)
        (v, l->n, count, from + begin * l->n, m0, f0, to + begin * l->n, beta != 0);
        return;
    }
    for (int64_t at = begin, m, first; at < begin + count; at += m) {
        m = NAME(run_length)(l, at, begin + count, &first);
        NAME(add_exps_beside)
        (v, l->n, l->inner, m, from + first, m0 + (at - begin), f0 + (at - begin), to + first,
         beta != 0);
    }
}

TARGET static void NAME(scale)(const graft__lanes *l, int64_t begin, int64_t count, void *y,
                               const void *factor)
{
    const TYPE *f = factor;
    TYPE *to = y;
    if (l->inner == 1) {
        for (int64_t r = 0; r < count; r++) {
            TYPE *row = to + (begin + r) * l->n;
            const TYPE by = f[r];
            for (int64_t c = 0; c < l->n; c++)
                row[c] *= by;
        }
        return;
    }
    for (int64_t at = begin, m, first; at < begin + count; at += m) {
        m = NAME(run_length)(l, at, begin + count, &first);
        for (int64_t c = 0; c < l->n; c++) {
            TYPE *row = to + first + c * l->inner;
            GRAFT__INDEPENDENT
            for (int64_t j = 0; j < m; j++)
                row[j] *= f[at - begin + j];
        }
    }
}

TARGET static void NAME(shift)(const graft__lanes *l, int64_t begin, int64_t count, const void *x,
                               void *y, const void *max, const void *shift)
{
    const TYPE *from = x, *m0 = max, *s0 = shift;
    TYPE *to = y;
    if (l->inner == 1) {
        for (int64_t r = 0; r < count; r++) {
            const int64_t row = (begin + r) * l->n;
            const TYPE most = m0[r], less = s0[r];
            GRAFT__INDEPENDENT
            for (int64_t c = 0; c < l->n; c++)
                to[row + c] = (from[row + c] - most) - less;
        }
        return;
    }
    for (int64_t at = begin, m, first; at < begin + count; at += m) {
        m = NAME(run_length)(l, at, begin + count, &first);
        for (int64_t c = 0; c < l->n; c++) {
            const int64_t row = first + c * l->inner, k = at - begin;
            GRAFT__INDEPENDENT
            for (int64_t j = 0; j < m; j++)
                to[row + j] = (from[row + j] - m0[k + j]) - s0[k + j];
        }
    }
}

/* ---- Backward ---- */

TARGET GRAFT__INLINE TYPE NAME(row_dot)(const TYPE *a, const TYPE *b, int64_t n)
{
    double lane[8] = {0}, sum = 0;
    for (; n >= 8; n -= 8, a += 8, b += 8)
        for (int i = 0; i < 8; i++)
            lane[i] += (double)a[i] * (double)b[i];
    for (int i = 0; i < 8; i++)
        sum += lane[i];
    for (int64_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return (TYPE)sum;
}

TARGET static void NAME(softmax_backward_rows)(int64_t n, int64_t rows, const TYPE *y,
                                               const TYPE *dy, TYPE *dx, bool add)
{
    for (int64_t r = 0; r < rows; r++, y += n, dy += n, dx += n) {
        const TYPE dot = NAME(row_dot)(y, dy, n);
        if (add) {
            GRAFT__INDEPENDENT
            for (int64_t c = 0; c < n; c++)
                dx[c] += y[c] * (dy[c] - dot);
        } else {
            GRAFT__INDEPENDENT
            for (int64_t c = 0; c < n; c++)
                dx[c] = y[c] * (dy[c] - dot);
        }
    }
}

TARGET static void NAME(softmax_backward_beside)(int64_t n, int64_t inner, int64_t m, const TYPE *y,
                                                 const TYPE *dy, TYPE *dx, bool add)
{
    double dot[GRAFT__LANES_MAX];
    for (int64_t j = 0; j < m; j++)
        dot[j] = 0;
    for (int64_t c = 0; c < n; c++)
        for (int64_t j = 0; j < m; j++)
            dot[j] += (double)y[c * inner + j] * (double)dy[c * inner + j];
    for (int64_t c = 0; c < n; c++)
        GRAFT__INDEPENDENT
    for (int64_t j = 0; j < m; j++) {
        const int64_t k = c * inner + j;
        dx[k] = (add ? dx[k] : 0) + y[k] * (dy[k] - (TYPE)dot[j]);
    }
}

TARGET static void NAME(softmax_backward)(const graft__lanes *l, int64_t begin, int64_t count,
                                          const void *y, const void *dy, void *dx, double beta)
{
    const TYPE *a = y, *b = dy;
    TYPE *out = dx;
    if (l->inner == 1) {
        const int64_t first = begin * l->n;
        NAME(softmax_backward_rows)(l->n, count, a + first, b + first, out + first, beta != 0);
        return;
    }
    for (int64_t at = begin, m, first; at < begin + count; at += m) {
        m = NAME(run_length)(l, at, begin + count, &first);
        NAME(softmax_backward_beside)
        (l->n, l->inner, m, a + first, b + first, out + first, beta != 0);
    }
}

TARGET static void NAME(log_softmax_backward_rows)(const graft__vmath *v, int64_t n, int64_t rows,
                                                   const TYPE *y, const TYPE *dy, TYPE *dx,
                                                   bool add)
{
    ALIGNED TYPE buffer[BUFFER];
    for (int64_t r = 0; r < rows; r++, y += n, dy += n, dx += n) {
        double total = 0;
        for (int64_t c = 0; c < n; c += BUFFER)
            total += (double)NAME(row_sum)(dy + c, n - c < BUFFER ? n - c : BUFFER);
        const TYPE sum = (TYPE)total;
        for (int64_t c = 0; c < n; c += BUFFER) {
            const int64_t now = n - c < BUFFER ? n - c : BUFFER;
            v->OF(exp)(now, y + c, buffer);
            GRAFT__INDEPENDENT
            for (int64_t k = 0; k < now; k++)
                dx[c + k] = (add ? dx[c + k] : 0) + (dy[c + k] - buffer[k] * sum);
        }
    }
}

TARGET static void NAME(log_softmax_backward_beside)(const graft__vmath *v, int64_t n,
                                                     int64_t inner, int64_t m, const TYPE *y,
                                                     const TYPE *dy, TYPE *dx, bool add)
{
    ALIGNED TYPE buffer[BUFFER];
    double sum[GRAFT__LANES_MAX];
    for (int64_t j = 0; j < m; j++)
        sum[j] = 0;
    for (int64_t c = 0; c < n; c++)
        NAME(each_sum)(m, dy + c * inner, sum);
    for (int64_t c = 0; c < n; c++) {
        v->OF(exp)(m, y + c * inner, buffer);
        GRAFT__INDEPENDENT
        for (int64_t j = 0; j < m; j++) {
            const int64_t k = c * inner + j;
            dx[k] = (add ? dx[k] : 0) + (dy[k] - buffer[j] * (TYPE)sum[j]);
        }
    }
}

TARGET static void NAME(log_softmax_backward)(const graft__vmath *v, const graft__lanes *l,
                                              int64_t begin, int64_t count, const void *y,
                                              const void *dy, void *dx, double beta)
{
    const TYPE *a = y, *b = dy;
    TYPE *out = dx;
    if (l->inner == 1) {
        const int64_t first = begin * l->n;
        NAME(log_softmax_backward_rows)
        (v, l->n, count, a + first, b + first, out + first, beta != 0);
        return;
    }
    for (int64_t at = begin, m, first; at < begin + count; at += m) {
        m = NAME(run_length)(l, at, begin + count, &first);
        NAME(log_softmax_backward_beside)
        (v, l->n, l->inner, m, a + first, b + first, out + first, beta != 0);
    }
}

static const graft__softmax_kernels NAME(kernels) = {
    .losses = NAME(losses),
    .softmax_narrow = NAME(softmax_narrow),
    .log_softmax_narrow = NAME(log_softmax_narrow),
    .exps = NAME(exps),
    .scale = NAME(scale),
    .shift = NAME(shift),
    .add_exps = NAME(add_exps),
    .softmax_backward = NAME(softmax_backward),
    .log_softmax_backward = NAME(log_softmax_backward),
};

#undef BUFFER
#undef WIDTH
#undef NARROW
#undef ALIGNED
#undef LOAD
#undef STORE
#undef LARGER
#undef TYPE
#undef VECTOR
#undef LANES
#undef INTEGER
#undef NAME
#undef TARGET
#undef OF
