/* Numbers on the tensors of a dict, and hashes of them. */
#include <math.h>
#include <string.h>

#include "base/ctx.h"
#include "file/hash.h"
#include "graft/content.h"
#include "kernel/stats.h"
#include "kernel/widen.h"
#include "tensor/chunks.h"
#include "tensor/dict.h"

_Static_assert((int)GRAFT_HASH_TEXT == (int)GRAFT__HASH_TEXT, "the same text");

/* Entry i of d, which may wait for its bytes; NULL with the error set. */
static const graft_tensor *tensor_at(const graft_dict *d, int64_t i, const char *op)
{
    graft_ctx *g = d->object.ctx;
    if (i < 0 || (uint64_t)i >= d->count) {
        graft__fail(g, GRAFT_ERR_ARGUMENT, "%s: entry %lld of a dict that has %zu", op,
                    (long long)i, d->count);
        return NULL;
    }
    if (d->entry[i].value.kind == GRAFT_VALUE_TENSOR)
        return d->entry[i].value.tensor;
    const char *name = graft__entry_name(d, (size_t)i);
    graft__fail(g, GRAFT_ERR_ARGUMENT, "%s: '%s' is no tensor", op, name ? name : "?");
    return NULL;
}

/* ---- Hash ---- */

graft_status graft_content_hash(const graft_dict *d, char out[GRAFT_HASH_TEXT])
{
    if (!d)
        return GRAFT_ERR_ARGUMENT;
    if (!out)
        return graft__fail(d->object.ctx, GRAFT_ERR_ARGUMENT, "content_hash: out is NULL");
    return graft__content_hash(d, "content_hash", out);
}

graft_status graft_tensor_hash(const graft_dict *d, int64_t i, char out[GRAFT_HASH_TEXT])
{
    if (!d)
        return GRAFT_ERR_ARGUMENT;
    graft_ctx *g = d->object.ctx;
    if (!out)
        return graft__fail(g, GRAFT_ERR_ARGUMENT, "tensor_hash: out is NULL");
    out[0] = 0;
    if (!tensor_at(d, i, "tensor_hash"))
        return graft_error_status(g);
    if (!graft__has_sha256())
        return graft__fail(
            g, GRAFT_ERR_ARGUMENT,
            "tensor_hash: this build has no SHA-256: it needs nettle (GRAFT_NETTLE)");
    graft__tensor_list list;
    unsigned char hash[GRAFT__SHA256_SIZE];
    graft__tensor_list_init(&list, g);
    graft_status status = graft__tensor_list_add(&list, "tensor_hash", "", 0, d, (size_t)i);
    if (status == GRAFT_OK)
        status = graft__hash_tensors(&list, hash, NULL, NULL);
    if (status == GRAFT_OK)
        graft__sha256_to_text(hash, out);
    graft__tensor_list_free(&list);
    return status;
}

/* ---- Numbers ---- */

/* One pass over all elements: into s or, where s is NULL, into the histogram of out. */
static graft_status pass(graft_ctx *g, const graft_tensor *t, graft__stats *s,
                         graft_tensor_stats *out)
{
    const int64_t step = graft__chunks_step(t);
    graft__chunks c;
    graft_status status = graft__chunks_begin(&c, g, t) ? GRAFT_OK : graft_error_status(g);
    for (int64_t at = 0; at < t->numel && status == GRAFT_OK; at += step) {
        const int64_t n = t->numel - at < step ? t->numel - at : step;
        const void *part = graft__chunks_at(&c, at, n);
        if (!part)
            status = graft_error_status(g);
        else if (s)
            graft__stats_add(g->pool, s, n, part, t->dtype);
        else
            graft__stats_count(g->pool, n, part, t->dtype, out->min, out->max, GRAFT_HISTOGRAM,
                               out->histogram);
    }
    graft__chunks_end(&c);
    return status;
}

static void summarise(const graft__stats *s, const graft_tensor *t, graft_tensor_stats *out)
{
    const graft__moments m = graft__stats_moments(s);
    *out = (graft_tensor_stats){
        .elements = t->numel,
        .zeros = s->zeros,
        .nans = s->nans,
        .infinities = s->infinities,
    };
    if (m.count == 0) {
        out->min = out->max = out->mean = out->std = NAN;
        return;
    }
    out->min = s->min;
    out->max = s->max;
    out->mean = m.mean;
    out->std = sqrt(m.spread / m.count);
    out->norm = sqrt(m.spread + m.count * m.mean * m.mean);
}

graft_status graft_dict_stats(const graft_dict *d, int64_t i, graft_tensor_stats *out)
{
    if (!d)
        return GRAFT_ERR_ARGUMENT;
    graft_ctx *g = d->object.ctx;
    if (!out)
        return graft__fail(g, GRAFT_ERR_ARGUMENT, "dict_stats: out is NULL");
    memset(out, 0, sizeof *out);
    const graft_tensor *t = tensor_at(d, i, "dict_stats");
    if (!t)
        return graft_error_status(g);
    if (!graft__is_number(t->dtype)) {
        const char *name = graft__entry_name(d, (size_t)i);
        return graft__fail(g, GRAFT_ERR_ARGUMENT,
                           "dict_stats: '%s' is %s, whose elements are no real numbers",
                           name ? name : "?", graft_dtype_name(t->dtype));
    }
    graft__stats s;
    graft__stats_begin(&s);
    graft_status status = pass(g, t, &s, out);
    if (status != GRAFT_OK)
        return status;
    summarise(&s, t, out);
    if (out->min < out->max)
        return pass(g, t, NULL, out);
    out->histogram[0] = out->elements - out->nans - out->infinities;
    return GRAFT_OK;
}
