/* The largest element, of one type; no include guard: included once for each. Expects TYPE,
 * NAME(x), MEMBER (of a slot) and IS_NAN(x). */

/* Whether b takes the place of a: NaN is larger than all, and the first NaN stays. */
GRAFT__INLINE bool NAME(beats)(TYPE b, TYPE a)
{
    return b > a || (IS_NAN(b) && !IS_NAN(a));
}

/* Several at a time, so that none waits for the one before. */
static TYPE NAME(run)(const TYPE *x, int64_t n, int64_t stride)
{
    enum { LANES = 64 / sizeof(TYPE) };
    TYPE most = x[0];
    if (stride == 1 && n >= LANES) {
        TYPE lane[LANES];
        for (int i = 0; i < LANES; i++)
            lane[i] = x[i];
        for (x += LANES, n -= LANES; n >= LANES; n -= LANES, x += LANES)
            for (int i = 0; i < LANES; i++)
                lane[i] = x[i] > lane[i] || IS_NAN(x[i]) ? x[i] : lane[i];
        most = lane[0];
        for (int i = 1; i < LANES; i++)
            most = NAME(beats)(lane[i], most) ? lane[i] : most;
    }
    for (; n > 0; n--, x += stride)
        most = NAME(beats)(*x, most) ? *x : most;
    return most;
}

static TYPE NAME(row)(const graft__reduce_plan *p, const TYPE *base, int64_t r0, int64_t r1)
{
    const graft__walk *w = &p->reduced;
    const int64_t stride = w->ndim ? w->src[w->ndim - 1] : 1;
    TYPE most = base[0];
    graft__walker at;
    graft__walker_start(w, r0, &at);
    for (bool first = true; r0 < r1; first = false) {
        const int64_t n = graft__min_i64(graft__walker_left(w, &at), r1 - r0);
        const TYPE value = NAME(run)(base + at.src, n, stride);
        most = first || NAME(beats)(value, most) ? value : most;
        graft__walker_advance(w, &at, n);
        r0 += n;
    }
    return most;
}

static void NAME(by_rows)(const graft__reduce_plan *p, int64_t begin, int64_t end, int64_t r0,
                          int64_t r1, graft__reduce_slot *slots)
{
    graft__walker at;
    graft__walker_start(&p->kept, begin, &at);
    for (int64_t i = 0; i < end - begin; i++) {
        slots[i].MEMBER = NAME(row)(p, (const TYPE *)p->src + at.src, r0, r1);
        graft__walker_advance(&p->kept, &at, 1);
    }
}

static void NAME(columns)(const graft__reduce_plan *p, const TYPE *base, int64_t cols, int64_t r0,
                          int64_t r1, graft__reduce_slot *slots)
{
    TYPE most[GRAFT__REDUCE_BLOCK];
    graft__walker at;
    graft__walker_start(&p->reduced, r0, &at);
    for (int64_t i = 0; i < cols; i++)
        most[i] = base[at.src + i];
    while (++r0 < r1) {
        graft__walker_advance(&p->reduced, &at, 1);
        const TYPE *x = base + at.src;
        for (int64_t i = 0; i < cols; i++)
            most[i] = x[i] > most[i] || IS_NAN(x[i]) ? x[i] : most[i];
    }
    for (int64_t i = 0; i < cols; i++)
        slots[i].MEMBER = most[i];
}

static void NAME(by_columns)(const graft__reduce_plan *p, int64_t begin, int64_t end, int64_t r0,
                             int64_t r1, graft__reduce_slot *slots)
{
    graft__walker at;
    graft__walker_start(&p->kept, begin, &at);
    while (begin < end) {
        const int64_t left = graft__min_i64(graft__walker_left(&p->kept, &at), end - begin);
        const int64_t n = graft__min_i64(left, GRAFT__REDUCE_BLOCK);
        NAME(columns)(p, (const TYPE *)p->src + at.src, n, r0, r1, slots);
        graft__walker_advance(&p->kept, &at, n);
        slots += n;
        begin += n;
    }
}

static void NAME(combine)(const graft__reduce_plan *p, int64_t n, graft__reduce_slot *into,
                          const graft__reduce_slot *from)
{
    (void)p;
    for (int64_t i = 0; i < n; i++)
        if (NAME(beats)(from[i].MEMBER, into[i].MEMBER))
            into[i] = from[i];
}

static void NAME(store)(const graft__reduce_plan *p, int64_t begin, int64_t n,
                        const graft__reduce_slot *slots)
{
    graft__walker at;
    graft__walker_start(&p->kept, begin, &at);
    for (int64_t i = 0; i < n; i++) {
        ((TYPE *)p->dst)[at.dst] = slots[i].MEMBER;
        graft__walker_advance(&p->kept, &at, 1);
    }
}

/* Where the first of the largest is. */
static int64_t NAME(find)(const void *data, int64_t n, int64_t stride)
{
    const TYPE *x = data;
    const TYPE most = NAME(run)(x, n, stride);
    int64_t i = 0;
    while (i < n - 1 && !(IS_NAN(most) ? IS_NAN(x[i * stride]) : x[i * stride] == most))
        i++;
    return i;
}

/* Whether element j is larger than element i. */
static bool NAME(is_larger)(const void *data, int64_t j, int64_t i)
{
    const TYPE *x = data;
    return NAME(beats)(x[j], x[i]);
}

#undef TYPE
#undef NAME
#undef MEMBER
#undef IS_NAN
