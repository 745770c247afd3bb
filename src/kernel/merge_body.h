/* The loops for one type. The file that includes this says T, the type; U, the unsigned integer of
 * its size; SIGN, the bit of its sign; NAME(x), what is called x for it. */

static void NAME(scale)(int64_t n, T c, const T *restrict x, T *restrict out)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = c * x[i];
}

static void NAME(add)(int64_t n, T c, const T *restrict x, T *restrict out)
{
    for (int64_t i = 0; i < n; i++)
        out[i] += c * x[i];
}

static void NAME(add_delta)(int64_t n, T c, const T *restrict x, const T *restrict base,
                            T *restrict out)
{
    for (int64_t i = 0; i < n; i++)
        out[i] += c * (x[i] - base[i]);
}

static void NAME(scale_in_place)(int64_t n, T c, T *out)
{
    for (int64_t i = 0; i < n; i++)
        out[i] *= c;
}

static void NAME(divide)(int64_t n, T c, T *out)
{
    for (int64_t i = 0; i < n; i++)
        out[i] /= c;
}

static void NAME(apply)(int64_t n, T c, const T *restrict base, T *restrict out)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = base[i] + c * out[i];
}

/* Sums in lanes, so that the order is fixed and the compiler may use vectors. */
static void NAME(products)(int64_t n, const T *a, const T *b, double out[3])
{
    enum { LANES = 4 };
    double ab[LANES] = {0}, aa[LANES] = {0}, bb[LANES] = {0};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        for (int k = 0; k < LANES; k++) {
            const double x = (double)a[i + k], y = (double)b[i + k];
            ab[k] += x * y;
            aa[k] += x * x;
            bb[k] += y * y;
        }
    }
    for (; i < n; i++) {
        ab[0] += (double)a[i] * (double)b[i];
        aa[0] += (double)a[i] * (double)a[i];
        bb[0] += (double)b[i] * (double)b[i];
    }
    out[0] = (ab[0] + ab[1]) + (ab[2] + ab[3]);
    out[1] = (aa[0] + aa[1]) + (aa[2] + aa[3]);
    out[2] = (bb[0] + bb[1]) + (bb[2] + bb[3]);
}

static U NAME(magnitude)(T x)
{
    U bits;
    memcpy(&bits, &x, sizeof bits);
    return bits & (U)~SIGN;
}

static void NAME(elect_add)(int64_t n, T w, U threshold, const T *restrict x,
                            const T *restrict base, T *restrict all, T *restrict positive,
                            T *restrict negative, T *restrict positive_weight,
                            T *restrict negative_weight)
{
    for (int64_t i = 0; i < n; i++) {
        const T delta = x[i] - base[i];
        const T kept = NAME(magnitude)(delta) >= threshold ? w * delta : 0;
        all[i] += kept;
        positive[i] += kept > 0 ? kept : 0;
        negative[i] += kept < 0 ? kept : 0;
        positive_weight[i] += kept > 0 ? w : 0;
        negative_weight[i] += kept < 0 ? w : 0;
    }
}

/* A sum that is 0 (the signs are even, or nothing stayed) or NaN is the result as it is. */
static void NAME(elect_end)(int64_t n, bool normalise, T *restrict all, const T *restrict positive,
                            const T *restrict negative, const T *restrict positive_weight,
                            const T *restrict negative_weight)
{
    for (int64_t i = 0; i < n; i++) {
        if (!(all[i] < 0 || all[i] > 0))
            continue;
        const T sum = all[i] > 0 ? positive[i] : negative[i];
        const T weight = all[i] > 0 ? positive_weight[i] : negative_weight[i];
        all[i] = normalise ? sum / weight : sum;
    }
}

static void NAME(count)(int64_t n, const T *x, const T *base, int shift, U prefix, uint64_t *counts)
{
    for (int64_t i = 0; i < n; i++) {
        const U bits = NAME(magnitude)(x[i] - base[i]) >> shift;
        if (bits >> 16 == prefix)
            counts[bits & 0xffff]++;
    }
}

static void NAME(add_drawn)(int64_t n, T c, uint64_t below, const uint32_t *restrict draw,
                            const T *restrict x, const T *restrict base, T *restrict out)
{
    for (int64_t i = 0; i < n; i++)
        out[i] += draw[i] < below ? c * (x[i] - base[i]) : 0;
}
