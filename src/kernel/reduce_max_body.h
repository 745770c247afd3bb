/* The largest element, of one type on one kind of processor; no include guard: included once for
 * each. Expects TYPE, INTEGER (signed, as wide), NAME(x), VECTOR (bytes
 * that the processor has in a register), MEMBER (of a slot), TARGET (an attribute
 * or nothing), IS_NAN(x) (of a number or a vector) and A_NAN. */

#define LANES (VECTOR / (int)sizeof(TYPE))

typedef TYPE NAME(vector) __attribute__((vector_size(VECTOR), aligned(sizeof(TYPE)), may_alias));
typedef INTEGER NAME(bits) __attribute__((vector_size(VECTOR), aligned(sizeof(TYPE)), may_alias));

#define LOAD(p) (*(const NAME(vector) *)(p))
#define SELECT(mask, a, b)                                                                         \
    ((NAME(vector))(((NAME(bits))(a) & (mask)) | ((NAME(bits))(b) & ~(mask))))

/* Whether b takes the place of a: NaN is larger than all, and the first NaN stays. */
GRAFT__INLINE bool NAME(beats)(TYPE b, TYPE a)
{
    return b > a || (IS_NAN(b) && !IS_NAN(a));
}

/* Of n neighbours, n >= 2 * LANES. NaN is looked for beside: the comparison that finds the largest
 * then takes one step. */
TARGET static TYPE NAME(run)(const TYPE *x, int64_t n)
{
    NAME(vector) a = LOAD(x), b = LOAD(x + LANES);
    NAME(bits) nan = IS_NAN(a) | IS_NAN(b);
    for (; n >= 2 * LANES; n -= 2 * LANES, x += 2 * LANES) {
        const NAME(vector) c = LOAD(x), d = LOAD(x + LANES);
        nan |= IS_NAN(c) | IS_NAN(d);
        a = SELECT(c > a, c, a);
        b = SELECT(d > b, d, b);
    }
    a = SELECT(a > b, a, b);
    TYPE most = a[0];
    bool any_nan = false;
    for (int i = 0; i < LANES; i++) {
        most = a[i] > most ? a[i] : most;
        any_nan |= nan[i] != 0;
    }
    for (; n > 0; n--, x++) {
        most = *x > most ? *x : most;
        any_nan |= IS_NAN(*x);
    }
    return any_nan ? A_NAN : most;
}

TARGET static TYPE NAME(run_strided)(const TYPE *x, int64_t n, int64_t stride)
{
    if (stride == 1 && n >= 2 * LANES)
        return NAME(run)(x, n);
    TYPE most = x[0];
    bool any_nan = IS_NAN(most);
    for (x += stride; --n > 0; x += stride) {
        most = *x > most ? *x : most;
        any_nan |= IS_NAN(*x);
    }
    return any_nan ? A_NAN : most;
}

static TYPE NAME(row)(const graft__reduce_plan *p, const TYPE *base, int64_t r0, int64_t r1)
{
    const graft__walk *w = &p->reduced;
    if (w->ndim <= 1)
        return NAME(run_strided)(base + (w->ndim ? r0 * w->src[0] : 0), r1 - r0,
                                 w->ndim ? w->src[0] : 1);
    TYPE most = base[0];
    graft__walker at;
    graft__walker_start(w, r0, &at);
    for (bool first = true; r0 < r1; first = false) {
        const int64_t n = graft__min_i64(graft__walker_left(w, &at), r1 - r0);
        const TYPE value = NAME(run_strided)(base + at.src, n, w->src[w->ndim - 1]);
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

TARGET static void NAME(columns)(const graft__reduce_plan *p, const TYPE *base, int64_t cols,
                                 int64_t r0, int64_t r1, graft__reduce_slot *slots)
{
    TYPE most[GRAFT__REDUCE_BLOCK];
    graft__walker at;
    graft__walker_start(&p->reduced, r0, &at);
    for (int64_t i = 0; i < cols; i++)
        most[i] = base[at.src + i];
    while (++r0 < r1) {
        graft__walker_advance(&p->reduced, &at, 1);
        const TYPE *x = base + at.src;
        int64_t i = 0;
        for (; i + LANES <= cols; i += LANES) {
            const NAME(vector) a = LOAD(most + i), b = LOAD(x + i);
            *(NAME(vector) *)(most + i) = SELECT((b > a) | IS_NAN(b), b, a);
        }
        for (; i < cols; i++)
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

/* ---- Where ---- */

/* Where the first of the largest of n elements is. */
TARGET static int64_t NAME(find)(const void *data, int64_t n, int64_t stride)
{
    const TYPE *x = data;
    const TYPE most = NAME(run_strided)(x, n, stride);
    int64_t i = 0;
    if (stride == 1 && !IS_NAN(most))
        for (bool found = false; i + LANES <= n; i += LANES) {
            for (int k = 0; k < LANES; k++)
                found |= x[i + k] == most;
            if (found)
                break;
        }
    while (i < n - 1 && !(x[i * stride] == most || (IS_NAN(most) && IS_NAN(x[i * stride]))))
        i++;
    return i;
}

/* The same for `cols` neighbours at once, in rows that lie stride apart; counted from r0. */
TARGET static void NAME(find_columns)(const void *data, int64_t cols, int64_t r0, int64_t r1,
                                      int64_t stride, graft__reduce_slot *slots)
{
    const TYPE *x = data;
    TYPE most[GRAFT__REDUCE_BLOCK];
    for (int64_t i = 0; i < cols; i++) {
        most[i] = x[i];
        slots[i].i64 = r0;
    }
    for (int64_t r = r0 + 1; r < r1; r++) {
        x += stride;
        for (int64_t i = 0; i < cols; i++) {
            const bool better = (x[i] > most[i]) | (IS_NAN(x[i]) & !IS_NAN(most[i]));
            most[i] = better ? x[i] : most[i];
            slots[i].i64 = better ? r : slots[i].i64;
        }
    }
}

/* Whether element j is larger than element i. */
static bool NAME(is_larger)(const void *data, int64_t j, int64_t i)
{
    const TYPE *x = data;
    return NAME(beats)(x[j], x[i]);
}

static const kernels NAME(kernels) = {
    .by_rows = NAME(by_rows),
    .by_columns = NAME(by_columns),
    .combine = NAME(combine),
    .store = NAME(store),
    .find = NAME(find),
    .find_columns = NAME(find_columns),
    .is_larger = NAME(is_larger),
};

#undef LANES
#undef LOAD
#undef SELECT
#undef TYPE
#undef VECTOR
#undef INTEGER
#undef NAME
#undef MEMBER
#undef TARGET
#undef IS_NAN
#undef A_NAN
