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

static bool NAME(beats)(const void *after, const void *before)
{
    const TYPE b = *(const TYPE *)after, a = *(const TYPE *)before;
    return b > a || (IS_NAN(b) && !IS_NAN(a));
}

/* Of n neighbours, n >= 2 * LANES. NaN is looked for beside: the comparison that finds the largest
 * then takes one step. */
TARGET GRAFT__STEP TYPE NAME(run)(const TYPE *x, int64_t n)
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

TARGET GRAFT__INLINE TYPE NAME(row)(const TYPE *x, int64_t n, int64_t stride)
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

TARGET static void NAME(rows)(const void *data, int64_t rows, int64_t apart, int64_t n,
                              int64_t stride, graft__reduce_slot *slots)
{
    const TYPE *x = data;
    for (; rows > 0; rows--, x += apart, slots++)
        slots->MEMBER = NAME(row)(x, n, stride);
}

TARGET static void NAME(columns)(const void *data, int64_t cols, int64_t rows, int64_t stride,
                                 void *largest)
{
    const TYPE *x = data;
    TYPE *most = largest;
    for (; rows > 0; rows--, x += stride) {
        int64_t i = 0;
        for (; i + LANES <= cols; i += LANES) {
            const NAME(vector) a = LOAD(most + i), b = LOAD(x + i);
            *(NAME(vector) *)(most + i) = SELECT((b > a) | IS_NAN(b), b, a);
        }
        for (; i < cols; i++)
            most[i] = x[i] > most[i] || IS_NAN(x[i]) ? x[i] : most[i];
    }
}

/* ---- Where ---- */

/* Where the first of the largest of n elements is. */
TARGET static int64_t NAME(find)(const void *data, int64_t n, int64_t stride)
{
    const TYPE *x = data;
    const TYPE most = NAME(row)(x, n, stride);
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

static const kernels NAME(kernels) = {
    .rows = NAME(rows),
    .columns = NAME(columns),
    .beats = NAME(beats),
    .find = NAME(find),
    .find_columns = NAME(find_columns),
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
