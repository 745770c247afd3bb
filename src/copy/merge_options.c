/* Options of a merge: whether they make sense, and what they say of one tensor. */
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "copy/merge.h"
#include "copy/rules.h"

graft_merge_options graft_merge_defaults(void)
{
    return (graft_merge_options){
        .method = GRAFT_MERGE_MEAN,
        .normalise = true,
        .decay = 0.999,
        .t = 0.5,
        .scale = 1,
        .density = 0.2,
        .integers = GRAFT_MERGE_AGREE,
    };
}

/* ---- Checking ---- */

/* What is checked, for messages: the options, or those of the layers that a glob names. */
typedef struct place {
    graft_ctx *g;
    const char *method, *glob;
} place;

static bool refuse(const place *p, const char *what, double value, const char *expected)
{
    if (p->glob)
        graft__fail(p->g, GRAFT_ERR_ARGUMENT, "merge: %s: %s %g of layers '%s': expected %s",
                    p->method, what, value, p->glob, expected);
    else
        graft__fail(p->g, GRAFT_ERR_ARGUMENT, "merge: %s: %s %g: expected %s", p->method, what,
                    value, expected);
    return false;
}

static bool check_range(const place *p, const char *what, double value)
{
    return (value >= 0 && value <= 1) || refuse(p, what, value, "0 to 1");
}

static bool check_finite(const place *p, const char *what, double value)
{
    return isfinite(value) || refuse(p, what, value, "a finite number");
}

static bool check_weights(const place *p, const graft_merge_options *o, const double *weights,
                          int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        if (!check_finite(p, "weight", weights[i]))
            return false;
        if (o->method == GRAFT_MERGE_TIES && weights[i] < 0)
            return refuse(p, "weight", weights[i], "0 or more");
        sum += weights[i];
    }
    if (o->method == GRAFT_MERGE_WEIGHTED && o->normalise && (sum == 0 || !isfinite(sum)))
        return refuse(p, "a sum of weights of", sum, "one that can be divided by");
    return true;
}

static bool check_layers(graft_ctx *g, const graft_merge_options *o, const graft__merge_method *m,
                         int64_t n)
{
    if (o->layer_count < 0 || (o->layer_count > 0 && !o->layers)) {
        graft__fail(g, GRAFT_ERR_ARGUMENT, "merge: %lld layers at %s", (long long)o->layer_count,
                    o->layers ? "an address: expected 0 or more" : "NULL");
        return false;
    }
    if (o->layer_count > 0 && !m->weights && !m->t && !m->scale) {
        graft__fail(g, GRAFT_ERR_ARGUMENT,
                    "merge: %s has no weights, t or scale that could differ between layers",
                    m->name);
        return false;
    }
    for (int64_t k = 0; k < o->layer_count; k++) {
        const graft_merge_layer *layer = &o->layers[k];
        const place p = {g, m->name, layer->glob};
        if (!layer->glob) {
            graft__fail(g, GRAFT_ERR_ARGUMENT, "merge: the glob of layers %lld is NULL",
                        (long long)k);
            return false;
        }
        if ((m->weights && layer->weights && !check_weights(&p, o, layer->weights, n)) ||
            (m->t && !isnan(layer->t) && !check_range(&p, "t", layer->t)) ||
            (m->scale && !isnan(layer->scale) && !check_finite(&p, "scale", layer->scale)))
            return false;
    }
    return true;
}

static bool check_own(graft_ctx *g, const graft_merge_options *o, const graft__merge_method *m,
                      int64_t n)
{
    const place p = {g, m->name, NULL};
    if (o->weights && !m->weights) {
        graft__fail(g, GRAFT_ERR_ARGUMENT, "merge: %s takes no weights", m->name);
        return false;
    }
    if (!o->base == m->base) {
        graft__fail(g, GRAFT_ERR_ARGUMENT, "merge: %s %s", m->name,
                    m->base ? "needs a base" : "takes no base");
        return false;
    }
    return (!o->weights || check_weights(&p, o, o->weights, n)) &&
           (o->method != GRAFT_MERGE_EMA || check_range(&p, "decay", o->decay)) &&
           (!m->t || check_range(&p, "t", o->t)) &&
           (!m->scale || check_finite(&p, "scale", o->scale)) &&
           (!m->density || check_range(&p, "density", o->density));
}

const graft__merge_method *graft__merge_check(graft_ctx *g, const graft_merge_options *o, int64_t n)
{
    const graft__merge_method *m = graft__merge_method_of(o->method);
    if (!m) {
        graft__fail(g, GRAFT_ERR_ARGUMENT, "merge: %d is no method", (int)o->method);
        return NULL;
    }
    if ((unsigned)o->integers > GRAFT_MERGE_MAX) {
        graft__fail(g, GRAFT_ERR_ARGUMENT, "merge: %d is no policy for integers", (int)o->integers);
        return NULL;
    }
    if (m->sources && n != m->sources) {
        graft__fail(g, GRAFT_ERR_ARGUMENT, "merge: %s of %lld sources: expected %lld", m->name,
                    (long long)n, (long long)m->sources);
        return NULL;
    }
    return check_own(g, o, m, n) && check_layers(g, o, m, n) ? m : NULL;
}

/* ---- One tensor ---- */

/* FNV-1a: two names draw differently. */
static uint64_t hash_name(const char *name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
    return hash;
}

static const graft_merge_layer *layer_of(const graft_merge_options *o, const char *name)
{
    for (int64_t k = o->layer_count; k-- > 0;)
        if (graft_glob(o->layers[k].glob, name))
            return &o->layers[k];
    return NULL;
}

void graft__merge_tell(const graft_merge_options *o, const char *name, graft__merge_job *job)
{
    const graft_merge_layer *layer = layer_of(o, name);
    const double *weights = layer && layer->weights ? layer->weights : o->weights;
    if (weights && job->method->weights)
        memcpy(job->weight, weights, (size_t)job->n * sizeof *weights);
    job->t = layer && !isnan(layer->t) ? layer->t : o->t;
    job->scale = layer && !isnan(layer->scale) ? layer->scale : o->scale;
    job->f64 = o->f64;
    job->normalise = o->normalise;
    job->decay = o->decay;
    job->density = o->density;
    job->seed = o->seed;
    job->stream = hash_name(name);
}
