#include "copy/moments.h"

#include <string.h>

#include "base/error.h"
#include "copy/both.h"

#define OP "transplant_optimizer"

/* ---- One value of one parameter ---- */

/* Values that stand for squares of gradients: what scales a gradient scales them twice. */
static bool is_square(const char *key)
{
    static const char *const keys[] = {"exp_avg_sq", "max_exp_avg_sq", "square_avg", "sum",
                                       "acc_delta"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strcmp(key, keys[i]) == 0)
            return true;
    return false;
}

typedef struct lookup {
    const graft__moments *m;
    const char *key;
} lookup;

/* The moment of a source under the key: a copy-on-write copy. */
static graft_tensor *moment_of(void *user, const graft__node *source, graft_ctx *g)
{
    const lookup *l = user;
    const graft_dict *entry = l->m->source[source->place].entry;
    const int64_t i = graft_dict_find(entry, l->key);
    if (i < 0)
        return NULL;
    graft_tensor *t = graft_dict_tensor_at(entry, i);
    if (t)
        return graft__tensor_snapshot(t, g);
    graft__tell_both(g, graft_dict_ctx(entry));
    return NULL;
}

static bool has_shape(const graft_dict *d, int64_t i, const graft__node *n)
{
    graft_tensor_info info;
    return graft_dict_tensor_info(d, i, &info) && info.shape.ndim == n->shape.ndim &&
           memcmp(info.shape.size, n->shape.size, (size_t)n->shape.ndim * sizeof *n->shape.size) ==
               0;
}

static bool is_single(const graft_dict *d, int64_t i)
{
    graft_tensor_info info;
    if (!graft_dict_tensor_info(d, i, &info))
        return !graft__is_nested(graft_dict_kind(d, i));
    return info.shape.ndim == 0;
}

static graft_status put_tensor(graft_dict *out, const char *key, graft_tensor *t)
{
    if (!t)
        return GRAFT_ERR_MEMORY;
    const graft_status st = graft_dict_set_tensor(out, key, t);
    graft__tensor_unref(t);
    return st;
}

/* A number (a step), or something that goes along with a parameter that is only renamed. */
static graft_status copy_value(const graft__moments *m, const graft_dict *from, int64_t i,
                               graft_dict *out)
{
    const char *key = graft_dict_key(from, i);
    if (graft_dict_kind(from, i) == GRAFT_VALUE_TENSOR) {
        const graft_tensor *t = graft_dict_tensor_at(from, i);
        if (!t)
            graft__tell_both(m->g, graft_dict_ctx(from));
        return t ? put_tensor(out, key, graft__tensor_snapshot(t, m->g)) : GRAFT_ERR_FORMAT;
    }
    graft__value value;
    if (graft__is_nested(graft_dict_kind(from, i))) {
        graft_dict *copy = graft_dict_clone(graft_dict_dict_at(from, i), m->g);
        const graft_status st = copy ? graft_dict_set_dict(out, key, copy) : GRAFT_ERR_MEMORY;
        graft_dict_free(copy);
        return st;
    }
    if (!graft__value_copy(m->g, OP, &from->entry[i].value, &value))
        return GRAFT_ERR_MEMORY;
    const graft__value name = graft__text_value(m->g, OP, GRAFT_VALUE_STRING, key, strlen(key));
    if (name.kind == GRAFT_VALUE_NONE) {
        graft__value_drop(m->g, &value);
        return GRAFT_ERR_MEMORY;
    }
    return graft__dict_put(out, OP, name, value);
}

/* ---- All values of one parameter ---- */

/* Steps that change elements, and not only their dtype. */
static bool changes(const graft__node *n)
{
    for (; n->step; n = n->input[0])
        if (n->inputs != 1 || strcmp(n->step->verb, "cast") != 0)
            return true;
    return false;
}

/* *dropped: a step that a moment can't take, or a source without one. */
static graft_status carry_value(const graft__moments *m, const graft__plan_target *t,
                                const graft_dict *entry, int64_t i, graft_dict *out, bool *dropped)
{
    const char *key = graft_dict_key(entry, i);
    const graft__node *origin = graft__node_origin(t->node);
    const bool is_moment =
        has_shape(entry, i, origin) && (origin->shape.ndim > 0 || strcmp(key, "step") != 0);
    if (!is_moment || !changes(t->node)) {
        if (is_moment || is_single(entry, i) || !changes(t->node))
            return copy_value(m, entry, i, out);
        *dropped = true;
        return GRAFT_OK;
    }
    lookup l = {m, key};
    graft_tensor *moment = graft__node_moment(t->node, m->g, moment_of, &l, is_square(key));
    if (!moment && graft_error(m->g))
        return graft_error_status(m->g);
    *dropped = !moment;
    return moment ? put_tensor(out, key, moment) : GRAFT_OK;
}

static graft_status carry_entry(const graft__moments *m, const graft__plan_target *t,
                                const graft_dict *entry, graft_dict *out, bool *dropped)
{
    graft_status st = GRAFT_OK;
    for (int64_t i = 0; i < graft_dict_len(entry) && st == GRAFT_OK && !*dropped; i++)
        st = carry_value(m, t, entry, i, out, dropped);
    return st;
}

/* What is said of a state that stays behind. */
static const char *why_dropped(const graft__plan_target *t, const graft_dict *entry)
{
    if (!graft__plan_fits(t->action))
        return "the parameter keeps its initial value";
    return entry ? "no step count and moments can go through what is done to the parameter"
                 : "the source's optimizer has none for it";
}

graft_status graft__moments_carry(graft__moments *m, size_t i, graft_dict *states, int64_t position)
{
    const graft__plan_target *t = &m->plan->target[i];
    const bool fits = graft__plan_fits(t->action) && t->node;
    const graft_dict *entry = fits ? m->source[graft__node_origin(t->node)->place].entry : NULL;
    bool dropped = !entry;
    graft_dict *out = entry ? graft__dict_new(m->g) : NULL;
    graft_status st = !entry || out ? GRAFT_OK : GRAFT_ERR_MEMORY;
    if (st == GRAFT_OK && out)
        st = carry_entry(m, t, entry, out, &dropped);
    if (st == GRAFT_OK && !dropped)
        st = graft_dict_set_int_key_dict(states, position, out);
    graft__dict_unref(out);
    if (st != GRAFT_OK)
        return st;
    const bool changed = !dropped && changes(t->node);
    const graft_moment_action action = dropped   ? GRAFT_MOMENT_DROPPED
                                       : changed ? GRAFT_MOMENT_CHANGED
                                                 : GRAFT_MOMENT_COPIED;
    return graft__moment_report_add(m->report, t->name, action,
                                    dropped             ? why_dropped(t, entry)
                                    : changed && t->how ? t->how
                                                        : "");
}
