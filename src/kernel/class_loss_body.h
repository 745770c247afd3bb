/* The arithmetic of losses over classes, in one type; no include guard: included once for each.
 * Expects TYPE, NAME(x). */

/* The log probability of class k is (first[k * inner] - max) - log_sum: not first - (max +
 * log_sum), which would lose digits where x is large. max and log_sum are counted from `begin`, and
 * NULL where x holds log probabilities. */
static void NAME(losses)(const job *j, int64_t begin, int64_t count, const void *maxes,
                         const void *log_sums, partial *p)
{
    const graft__class_loss *c = j->c;
    const graft__lanes *l = &c->lanes;
    const TYPE *x = c->x, *w = c->weight, *max = maxes, *log_sum = log_sums;
    TYPE *each = j->each;
    for (int64_t i = 0; i < count; i++) {
        const int64_t lane = begin + i, t = graft__class_target(c, lane);
        double loss = 0;
        if (t != c->ignore_index) {
            const TYPE *first = x + place_of(l, lane, 0);
            const double m = max ? (double)max[i] : 0, s = log_sum ? (double)log_sum[i] : 0;
            const double wt = w ? (double)w[t] : 1;
            loss = wt * (s - ((double)first[t * l->inner] - m));
            p->loss += loss;
            p->weight += wt;
            p->count += 1;
            if (c->smoothing != 0) {
                double smooth = 0;
                for (int64_t k = 0; k < l->n; k++)
                    smooth += (w ? (double)w[k] : 1) * (s - ((double)first[k * l->inner] - m));
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

static void NAME(cross_entropy_backward)(const job *j, int64_t begin, int64_t count)
{
    TYPE factor[GRAFT__LANES_MAX], target[GRAFT__LANES_MAX], smooth[GRAFT__LANES_MAX];
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

#undef TYPE
#undef NAME
