/* Merging dicts: what they must have in common, and the dict of what they will become. */
#include "copy/merge.h"

#include <stdio.h>
#include <string.h>

#include "base/ctx.h"
#include "base/sort.h"
#include "base/text.h"
#include "copy/same.h"
#include "tensor/dict.h"

enum { SOURCES_MAX = 65536, LINES_MAX = 10 };

typedef struct merging {
    graft_ctx *g;
    const graft_merge_options *o;
    const graft__merge_method *method;
    graft_dict **flat; /* the sources, and behind them the base */
    graft_tensor **tensor;
    int64_t n, count; /* sources; with the base */
    size_t block_size;
    uint32_t *tie; /* of each of the first's entries: the first entry that is the same view */
    size_t tie_size;
    graft_dict *result;
} merging;

/* ---- Sources ---- */

static const char *source_text(const merging *m, int64_t i, char out[32])
{
    if (i == m->n)
        return "the base";
    snprintf(out, 32, "source %lld", (long long)i);
    return out;
}

static bool flatten(merging *m, const graft_dict *d, int64_t i)
{
    char text[32];
    if (!d) {
        if (!graft_error(m->g)) /* a source that failed has its error already */
            graft__fail(m->g, GRAFT_ERR_ARGUMENT, "merge: %s is NULL", source_text(m, i, text));
        return false;
    }
    if (d->object.ctx != m->g) {
        graft__fail(m->g, GRAFT_ERR_ARGUMENT, "merge: %s belongs to another context",
                    source_text(m, i, text));
        return false;
    }
    m->flat[i] = graft_dict_keep(graft_dict_flatten(d));
    return m->flat[i] != NULL;
}

static bool take_sources(merging *m, const graft_dict *const *sources)
{
    m->block_size = (size_t)m->count * (sizeof *m->flat + sizeof *m->tensor);
    m->flat = graft__alloc_zero(m->g, m->block_size);
    if (!m->flat) {
        graft__fail_memory(m->g, m->block_size, "merge");
        return false;
    }
    m->tensor = (graft_tensor **)(m->flat + m->count);
    for (int64_t i = 0; i < m->count; i++)
        if (!flatten(m, i < m->n ? sources[i] : m->o->base, i))
            return false;
    return true;
}

/* The tensors of entry i of the first, in all sources; NULL where there is none. */
static void find(merging *m, size_t i)
{
    const graft__entry *e = &m->flat[0]->entry[i];
    m->tensor[0] = e->value.tensor;
    for (int64_t s = 1; s < m->count; s++) {
        const int64_t at = i < m->flat[s]->count && m->flat[s]->entry[i].key.kind == e->key.kind &&
                                   strcmp(graft__entry_name(m->flat[s], i), e->key.text.data) == 0
                               ? (int64_t)i
                               : graft__dict_find_value(m->flat[s], &e->key);
        m->tensor[s] = at < 0 ? NULL : m->flat[s]->entry[at].value.tensor;
    }
}

/* ---- What differs ---- */

typedef struct differences {
    const merging *m;
    graft__text text;
    int64_t count;
    bool names;
} differences;

static bool listed(differences *d)
{
    if (d->count++ >= LINES_MAX)
        return false;
    graft__text_add(&d->text, d->count > 1 ? "; " : "");
    return true;
}

static void note(differences *d, const char *name, int64_t s)
{
    const merging *m = d->m;
    const graft_tensor *a = m->tensor[0], *b = m->tensor[s];
    char of_a[GRAFT__SHAPE_TEXT], of_b[GRAFT__SHAPE_TEXT], who[32];
    if (!b) {
        d->names = true;
        if (listed(d))
            graft__text_addf(&d->text, "%s lacks '%s'", source_text(m, s, who), name);
    } else if (!graft__same_shape(a, b) && listed(d)) {
        graft__text_addf(&d->text, "'%s' has shape %s in source 0, %s in %s", name,
                         graft__tensor_shape_text(a, of_a), graft__tensor_shape_text(b, of_b),
                         source_text(m, s, who));
    }
}

static void note_extra(differences *d, int64_t s)
{
    const merging *m = d->m;
    const graft_dict *flat = m->flat[s];
    char who[32];
    for (size_t i = 0; i < flat->count; i++) {
        if (graft__dict_find_value(m->flat[0], &flat->entry[i].key) >= 0)
            continue;
        d->names = true;
        if (listed(d))
            graft__text_addf(&d->text, "%s has '%s', which source 0 lacks", source_text(m, s, who),
                             flat->entry[i].key.text.data);
    }
}

/* All have the same names and shapes; or the error lists what differs. */
static bool compare(merging *m)
{
    differences d = {.m = m};
    graft__text_init(&d.text, m->g);
    graft__text_add(&d.text, "");
    for (size_t i = 0; i < m->flat[0]->count; i++) {
        find(m, i);
        for (int64_t s = 1; s < m->count; s++)
            note(&d, m->flat[0]->entry[i].key.text.data, s);
    }
    for (int64_t s = 1; s < m->count; s++)
        note_extra(&d, s);
    if (d.count > LINES_MAX)
        graft__text_addf(&d.text, "; and %lld more", (long long)(d.count - LINES_MAX));
    if (d.text.failed)
        graft__fail_memory(m->g, d.text.length, "merge");
    else if (d.count > 0)
        graft__fail(m->g, d.names ? GRAFT_ERR_NAME : GRAFT_ERR_SHAPE,
                    "merge: the sources differ: %s", d.text.data);
    const bool ok = d.count == 0 && !d.text.failed;
    graft__text_free(&d.text);
    return ok;
}

/* ---- Ties ---- */

static int order(const graft_tensor *a, const graft_tensor *b)
{
    if (a->storage != b->storage)
        return (uintptr_t)a->storage < (uintptr_t)b->storage ? -1 : 1;
    if (a->offset != b->offset)
        return a->offset < b->offset ? -1 : 1;
    if (a->dtype != b->dtype)
        return a->dtype < b->dtype ? -1 : 1;
    if (a->ndim != b->ndim)
        return a->ndim < b->ndim ? -1 : 1;
    const int sizes = memcmp(a->size, b->size, (size_t)a->ndim * sizeof *a->size);
    return sizes ? sizes : memcmp(a->stride, b->stride, (size_t)a->ndim * sizeof *a->stride);
}

static bool before(const void *user, uint32_t a, uint32_t b)
{
    const graft_dict *d = user;
    const int o = order(d->entry[a].value.tensor, d->entry[b].value.tensor);
    return o < 0 || (o == 0 && a < b);
}

static bool find_ties(merging *m)
{
    const graft_dict *d = m->flat[0];
    m->tie_size = (d->count ? d->count : 1) * sizeof *m->tie;
    m->tie = graft__alloc(m->g, m->tie_size);
    uint32_t *sorted = graft__alloc(m->g, 2 * m->tie_size);
    if (!m->tie || !sorted) {
        graft__free(m->g, sorted, 2 * m->tie_size);
        graft__fail_memory(m->g, m->tie_size, "merge");
        return false;
    }
    for (size_t i = 0; i < d->count; i++)
        sorted[i] = (uint32_t)i;
    graft__sort(sorted, sorted + d->count, d->count, before, d);
    for (size_t k = 0; k < d->count; k++) {
        const uint32_t i = sorted[k];
        const bool tied =
            k > 0 && order(d->entry[sorted[k - 1]].value.tensor, d->entry[i].value.tensor) == 0;
        m->tie[i] = tied ? m->tie[sorted[k - 1]] : i;
    }
    graft__free(m->g, sorted, 2 * m->tie_size);
    return true;
}

/* ---- One tensor ---- */

static bool refuse_dtype(const merging *m, const char *name, int64_t s, const char *expected)
{
    char who[32];
    graft__fail(m->g, GRAFT_ERR_DTYPE, "merge: '%s' is %s in source 0 and %s in %s: expected %s",
                name, graft_dtype_name(m->tensor[0]->dtype), graft_dtype_name(m->tensor[s]->dtype),
                source_text(m, s, who), expected);
    return false;
}

static bool check_dtypes(const merging *m, const char *name, int64_t count)
{
    const graft_tensor *first = m->tensor[0];
    const bool floating = graft_dtype_is_floating(first->dtype);
    for (int64_t s = 1; s < count; s++) {
        const graft_dtype other = m->tensor[s]->dtype;
        if (floating ? !graft_dtype_is_floating(other) : other != first->dtype)
            return refuse_dtype(m, name, s, floating ? "a floating dtype" : "one dtype");
    }
    return true;
}

static bool check_agree(const merging *m, const char *name)
{
    char who[32];
    for (int64_t s = 1; s < m->n; s++) {
        const graft_tensor *a = m->tensor[0], *b = m->tensor[s];
        const int same = a == b ? 1 : graft__same_elements(m->g, a, b);
        if (same == 0)
            graft__fail(m->g, GRAFT_ERR_ARGUMENT,
                        "merge: '%s' (%s) differs between source 0 and %s: expected the same, or "
                        "another policy for what is not floating",
                        name, graft_dtype_name(a->dtype), source_text(m, s, who));
        if (same != 1)
            return false;
    }
    return true;
}

/* The first source's, sharing its memory until one of the two is written to. */
static graft_tensor *share_first(const merging *m)
{
    const graft_tensor *t = m->tensor[0];
    graft__storage *s = graft__storage_share(t->storage, m->g);
    return s ? graft__tensor_over(s, t->dtype, t->ndim, t->size, t->stride, t->offset) : NULL;
}

static graft_tensor *promise(const merging *m, const graft__merge_method *method, const char *name)
{
    graft__merge_job *job =
        graft__merge_job_new(m->g, method, m->n, m->tensor, method->base ? m->tensor[m->n] : NULL);
    if (!job)
        return NULL;
    graft__merge_tell(m->o, name, job);
    return graft__merge_promise(m->g, job, m->tensor[0]);
}

static graft_tensor *merge_one(const merging *m, const char *name)
{
    const graft_dtype dtype = m->tensor[0]->dtype;
    if (graft_dtype_is_floating(dtype))
        return check_dtypes(m, name, m->count) ? promise(m, m->method, name) : NULL;
    if (m->o->integers == GRAFT_MERGE_FIRST)
        return share_first(m);
    if (!check_dtypes(m, name, m->n))
        return NULL;
    if (m->o->integers == GRAFT_MERGE_AGREE)
        return check_agree(m, name) ? share_first(m) : NULL;
    if (graft__has_max(dtype))
        return promise(m, &graft__merge_largest, name);
    graft__fail(m->g, GRAFT_ERR_DTYPE, "merge: '%s' is %s, of which there is no largest", name,
                graft_dtype_name(dtype));
    return NULL;
}

static bool merge_all(merging *m)
{
    static const char name[] = "collections.OrderedDict";
    m->result = graft__dict_new(m->g);
    if (!m->result ||
        !graft__dict_set_class(m->result, "merge", name, sizeof name - 1, sizeof "collections" - 1))
        return false;
    for (size_t i = 0; i < m->flat[0]->count; i++) {
        const char *key = m->flat[0]->entry[i].key.text.data;
        graft_tensor *t = NULL;
        if (m->tie[i] != i) {
            t = graft__tensor_ref(m->result->entry[m->tie[i]].value.tensor);
        } else {
            find(m, i);
            t = merge_one(m, key);
        }
        const bool ok = t && graft__dict_append_tensor(m->result, key, t) == GRAFT_OK;
        graft__tensor_unref(t);
        if (!ok)
            return false;
    }
    return true;
}

graft_dict *graft_merge(graft_ctx *g, const graft_dict *const *sources, int64_t n,
                        const graft_merge_options *options)
{
    if (!g)
        return NULL;
    const graft_merge_options defaults = graft_merge_defaults();
    merging m = {.g = g, .o = options ? options : &defaults, .n = n};
    if (n < 1 || n > SOURCES_MAX || !sources) {
        graft__fail(g, GRAFT_ERR_ARGUMENT, "merge: %lld sources at %s: expected 1 to %d",
                    (long long)n, sources ? "an address" : "NULL", SOURCES_MAX);
        return NULL;
    }
    m.method = graft__merge_check(g, m.o, n);
    if (!m.method)
        return NULL;
    m.count = n + m.method->base;
    const bool ok = take_sources(&m, sources) && compare(&m) && find_ties(&m) && merge_all(&m);
    for (int64_t i = 0; m.flat && i < m.count; i++)
        graft_dict_free(m.flat[i]);
    graft__free(g, m.flat, m.block_size);
    graft__free(g, m.tie, m.tie_size);
    if (!ok) {
        graft__dict_unref(m.result);
        return NULL;
    }
    graft__own_by_context(&m.result->object);
    return m.result;
}
