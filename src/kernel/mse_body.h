/* The squared error in one type; no include guard: included once for each. Expects TYPE, NAME(x)
 * and TARGET (an attribute or nothing). */

/* The elements begin..end-1, by chunks so that the sums stay alike in size. */
TARGET static double NAME(sum)(const job *j, int64_t begin, int64_t end)
{
    enum { LANES = 8 };
    const TYPE *x = j->x, *t = j->t;
    double total = 0;
    while (begin < end) {
        const int64_t stop = end - begin < CHUNK ? end : begin + CHUNK;
        double lane[LANES] = {0}, sum = 0;
        for (; begin + LANES <= stop; begin += LANES)
            for (int i = 0; i < LANES; i++) {
                const double d = (double)(x[begin + i] - t[begin + i]);
                lane[i] += d * d;
            }
        for (int i = 0; i < LANES; i++)
            sum += lane[i];
        for (; begin < stop; begin++) {
            const double d = (double)(x[begin] - t[begin]);
            sum += d * d;
        }
        total += sum;
    }
    return total;
}

TARGET static void NAME(squares)(const job *j, int64_t begin, int64_t end)
{
    const TYPE *x = j->x, *t = j->t;
    TYPE *each = j->each;
    for (; begin < end; begin++)
        each[begin] = (x[begin] - t[begin]) * (x[begin] - t[begin]);
}

TARGET static void NAME(backward)(const job *j, int64_t begin, int64_t end)
{
    const TYPE *x = j->x, *t = j->t, *dy = j->dy;
    TYPE *dx = j->dx;
    if (j->dy_each) {
        const TYPE scale = (TYPE)j->scale;
        for (; begin < end; begin++)
            dx[begin] = (j->add ? dx[begin] : 0) + scale * (x[begin] - t[begin]) * dy[begin];
        return;
    }
    const TYPE scale = (TYPE)(j->scale * (double)dy[0]);
    for (; begin < end; begin++)
        dx[begin] = (j->add ? dx[begin] : 0) + scale * (x[begin] - t[begin]);
}

#undef TYPE
#undef NAME
#undef TARGET
