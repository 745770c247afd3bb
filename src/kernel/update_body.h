/* The loops of update.c, for an element type T and an instruction set TARGET; NAME(x) is x with a
 * suffix for both, SQRT the root of T. All flags are constants where the loops are expanded. There
 * are no fused operations, so that every instruction set gives the same bits. from and to are the
 * same memory or apart: iterations are independent. */

TARGET GRAFT__INLINE void NAME(sgd_loop)(const graft__update *u, const graft__sgd_rule *r,
                                         bool decay, bool momentum, bool nesterov)
{
    const T lr = (T)-r->lr, mu = (T)r->momentum, share = (T)(1 - r->dampening);
    const T wd = (T)r->weight_decay, sign = r->maximize ? -1 : 1;
    const T *p_from = u->param.from, *grad = u->grad, *b_from = u->state[0].from;
    T *p_to = u->param.to, *b_to = u->state[0].to;
    const int64_t n = u->n;
    GRAFT__INDEPENDENT
    for (int64_t i = 0; i < n; i++) {
        const T p = p_from[i];
        T d = sign * grad[i];
        if (decay)
            d = d + wd * p;
        if (momentum) {
            const T b = b_from[i] * mu + share * d;
            b_to[i] = b;
            d = nesterov ? d + mu * b : b;
        }
        p_to[i] = p + lr * d;
    }
}

/* The first step with momentum: the buffer becomes the gradient. Once only, so that one loop does.
 */
TARGET static void NAME(sgd_first_loop)(const graft__update *u, const graft__sgd_rule *r,
                                        bool decay)
{
    const T lr = (T)-r->lr, mu = (T)r->momentum;
    const T wd = (T)r->weight_decay, sign = r->maximize ? -1 : 1;
    const T *p_from = u->param.from, *grad = u->grad;
    T *p_to = u->param.to, *b_to = u->state[0].to;
    const int64_t n = u->n;
    const bool nesterov = r->nesterov;
    GRAFT__INDEPENDENT
    for (int64_t i = 0; i < n; i++) {
        const T p = p_from[i];
        T d = sign * grad[i];
        d = decay ? d + wd * p : d;
        b_to[i] = d;
        d = nesterov ? d + mu * d : d;
        p_to[i] = p + lr * d;
    }
}

TARGET static void NAME(sgd)(const graft__update *u, const void *rule)
{
    const graft__sgd_rule *r = rule;
    const bool decay = r->weight_decay != 0, momentum = r->momentum != 0;
    if (momentum && r->first) {
        NAME(sgd_first_loop)(u, r, decay);
    } else if (momentum) {
        if (decay && r->nesterov)
            NAME(sgd_loop)(u, r, true, true, true);
        else if (decay)
            NAME(sgd_loop)(u, r, true, true, false);
        else if (r->nesterov)
            NAME(sgd_loop)(u, r, false, true, true);
        else
            NAME(sgd_loop)(u, r, false, true, false);
    } else if (decay) {
        NAME(sgd_loop)(u, r, true, false, false);
    } else {
        NAME(sgd_loop)(u, r, false, false, false);
    }
}

TARGET GRAFT__INLINE void NAME(adam_loop)(const graft__update *u, const graft__adam_rule *r,
                                          bool decay, bool amsgrad)
{
    const T beta1 = (T)r->beta1, beta2 = (T)r->beta2, keep = (T)r->keep, eps = (T)r->eps;
    const T share1 = (T)(1 - r->beta1), share2 = (T)(1 - r->beta2);
    const T wd = (T)r->weight_decay, sign = r->maximize ? -1 : 1;
    const T size = (T)-r->size;
    const T *p_from = u->param.from, *grad = u->grad;
    const T *m_from = u->state[0].from, *v_from = u->state[1].from, *x_from = u->state[2].from;
    T *p_to = u->param.to, *m_to = u->state[0].to, *v_to = u->state[1].to, *x_to = u->state[2].to;
    const int64_t n = u->n;
    GRAFT__INDEPENDENT
    for (int64_t i = 0; i < n; i++) {
        const T p = p_from[i];
        T g = sign * grad[i];
        if (decay)
            g = g + wd * p;
        const T m = m_from[i] * beta1 + share1 * g;
        const T v = v_from[i] * beta2 + share2 * g * g;
        m_to[i] = m;
        v_to[i] = v;
        T top = v;
        if (amsgrad) {
            const T x = x_from[i];
            top = v <= x ? x : v;   /* v where either is NaN, */
            top = x != x ? x : top; /* and NaN stays */
            x_to[i] = top;
        }
        p_to[i] = p * keep + size * m / (SQRT(top) + eps);
    }
}

TARGET static void NAME(adam)(const graft__update *u, const void *rule)
{
    const graft__adam_rule *r = rule;
    const bool decay = r->weight_decay != 0;
    if (decay && r->amsgrad)
        NAME(adam_loop)(u, r, true, true);
    else if (decay)
        NAME(adam_loop)(u, r, true, false);
    else if (r->amsgrad)
        NAME(adam_loop)(u, r, false, true);
    else
        NAME(adam_loop)(u, r, false, false);
}
