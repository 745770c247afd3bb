/* The arithmetic of losses over classes, in one type; no include guard: included once for each.
 * Expects TYPE, NAME(x). */

/* The log probability of class k is (first[k * inner] - max) - log_sum: not first - (max +
 * log_sum), which would lose digits where x is large. max and log_sum are counted from `begin`, and
 * NULL where x holds log probabilities. */
static double NAME(log_probability)(const TYPE *x, int64_t place, const TYPE *max,
                                    const TYPE *log_sum, int64_t i)
{
    if (!max)
        return (double)x[place];
    return ((double)x[place] - (double)max[i]) - (double)log_sum[i];
}

/* All lanes count, with weight 1. Two loops, so that the first does not wait for sums. */
static void NAME(plain_losses)(const job *j, int64_t begin, int64_t count, const TYPE *max,
                               const TYPE *log_sum, partial *p)
{
    const graft__lanes *l = &j->c->lanes;
    const int64_t *target = (const int64_t *)j->c->target + begin;
    const TYPE *x = (const TYPE *)j->c->x + begin * l->n;
    double loss[GRAFT__LANES_MAX], sum[4] = {0};
    for (int64_t i = 0; i < count; i++)
        loss[i] = -NAME(log_probability)(x, i * l->n + target[i], max, log_sum, i);
    int64_t i = 0;
    for (; i + 4 <= count; i += 4)
        for (int k = 0; k < 4; k++)
            sum[k] += loss[i + k];
    for (; i < count; i++)
        sum[0] += loss[i];
    p->loss += (sum[0] + sum[1]) + (sum[2] + sum[3]);
    p->weight += (double)count;
    p->count += (double)count;
}

static double NAME(smooth_loss)(const job *j, int64_t lane, const TYPE *max, const TYPE *log_sum,
                                int64_t i)
{
    const graft__lanes *l = &j->c->lanes;
    const TYPE *w = j->c->weight;
    double smooth = 0;
    for (int64_t k = 0; k < l->n; k++)
        smooth -= (w ? (double)w[k] : 1) *
                  NAME(log_probability)(j->c->x, place_of(l, lane, k), max, log_sum, i);
    return smooth;
}

static void NAME(losses)(const job *j, int64_t begin, int64_t count, const void *maxes,
                         const void *log_sums, partial *p)
{
    const graft__class_loss *c = j->c;
    const graft__lanes *l = &c->lanes;
    const TYPE *w = c->weight, *max = maxes, *log_sum = log_sums;
    TYPE *each = j->each;
    if (p->plain) {
        NAME(plain_losses)(j, begin, count, max, log_sum, p);
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        const int64_t lane = begin + i, t = graft__class_target(c, lane);
        double loss = 0;
        if (t != c->ignore_index) {
            const double wt = w ? (double)w[t] : 1;
            loss = -wt * NAME(log_probability)(c->x, place_of(l, lane, t), max, log_sum, i);
            p->loss += loss;
            p->weight += wt;
            p->count += 1;
            if (c->smoothing != 0) {
                const double smooth = NAME(smooth_loss)(j, lane, max, log_sum, i);
                p->smooth += smooth;
                loss = (1 - c->smoothing) * loss + c->smoothing / (double)l->n * smooth;
            }
        }
        if (each)
            each[lane] = (TYPE)loss;
    }
}

/* The gradient of x[k] is factor * exp(x[k] - max), less `target` at the target and less
 * smooth * w[k]. */
static void NAME(find_shares)(const job *j, int64_t begin, int64_t count, TYPE *factor,
                              TYPE *target, TYPE *smooth)
{
    const graft__class_loss *c = j->c;
    const TYPE *w = c->weight, *sum = j->sum, *dy = j->dy;
    const bool each = c->reduction == GRAFT__LOSS_EACH;
    for (int64_t i = 0; i < count; i++) {
        const int64_t lane = begin + i, t = graft__class_target(c, lane);
        factor[i] = target[i] = smooth[i] = 0;
        if (t == c->ignore_index)
            continue;
        const double g = (double)dy[each ? lane : 0];
        const double of_target = g * j->target_scale * (w ? (double)w[t] : 1);
        const double of_smooth = g * j->smooth_scale;
        target[i] = (TYPE)of_target;
        smooth[i] = (TYPE)of_smooth;
        factor[i] = (TYPE)((of_target + of_smooth * j->weights) / (sum ? (double)sum[lane] : 1));
    }
}

static void NAME(subtract)(const job *j, int64_t begin, int64_t count, const TYPE *target,
                           const TYPE *smooth)
{
    const graft__class_loss *c = j->c;
    const graft__lanes *l = &c->lanes;
    const TYPE *w = c->weight;
    TYPE *dx = j->dx;
    for (int64_t i = 0; i < count; i++) {
        const int64_t lane = begin + i, t = graft__class_target(c, lane);
        if (t == c->ignore_index)
            continue;
        TYPE *first = dx + place_of(l, lane, 0);
        first[t * l->inner] -= target[i];
        for (int64_t k = 0; c->smoothing != 0 && k < l->n; k++)
            first[k * l->inner] -= smooth[i] * (w ? w[k] : 1);
    }
}

/* All lanes count, with weight 1 and the same gradient. */
static void NAME(plain_backward)(const job *j, int64_t begin, int64_t count)
{
    const graft__lanes *l = &j->c->lanes;
    const int64_t *target = (const int64_t *)j->c->target + begin;
    const TYPE *sum = (const TYPE *)j->sum + begin;
    const TYPE share = (TYPE)((double)*(const TYPE *)j->dy * j->target_scale);
    TYPE *dx = (TYPE *)j->dx + begin * l->n, factor[GRAFT__LANES_MAX];
    factor[0] = 0; /* gcc does not know that count > 0 */
    for (int64_t i = 0; i < count; i++)
        factor[i] = share / sum[i];
    j->kernels->add_exps(j->vmath, l, begin, count, j->c->x, (const TYPE *)j->max + begin, factor,
                         j->dx, j->beta);
    for (int64_t i = 0; i < count; i++)
        dx[i * l->n + target[i]] -= share;
}

static void NAME(cross_entropy_backward)(const job *j, int64_t begin, int64_t count)
{
    TYPE factor[GRAFT__LANES_MAX], target[GRAFT__LANES_MAX], smooth[GRAFT__LANES_MAX];
    if (j->plain) {
        NAME(plain_backward)(j, begin, count);
        return;
    }
    NAME(find_shares)(j, begin, count, factor, target, smooth);
    j->kernels->add_exps(j->vmath, &j->c->lanes, begin, count, j->c->x,
                         (const TYPE *)j->max + begin, factor, j->dx, j->beta);
    NAME(subtract)(j, begin, count, target, smooth);
}

static void NAME(nll_backward)(const job *j, int64_t begin, int64_t count)
{
    TYPE factor[GRAFT__LANES_MAX], target[GRAFT__LANES_MAX], smooth[GRAFT__LANES_MAX];
    NAME(find_shares)(j, begin, count, factor, target, smooth);
    NAME(subtract)(j, begin, count, target, smooth);
}

/* dst = (dst +) by * x */
static void NAME(add_scaled)(int64_t n, const TYPE *x, TYPE by, TYPE *dst, bool add)
{
    if (add)
        for (int64_t i = 0; i < n; i++)
            dst[i] += by * x[i];
    else
        for (int64_t i = 0; i < n; i++)
            dst[i] = by * x[i];
}

#undef TYPE
#undef NAME
