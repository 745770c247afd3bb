#include "copy/moments.h"

#include <string.h>

#include "base/error.h"
#include "optim/optimizer.h"

#define OP GRAFT__MOMENTS_OP

/* ---- What is known of values ---- */

const char *graft__moments_key(size_t i, bool *square)
{
    static const struct {
        const char *key;
        bool square;
    } keys[] = {
        {"exp_avg", false},  {"exp_avg_sq", true}, {"max_exp_avg_sq", true},
        {"exp_inf", false},  {"square_avg", true}, {"momentum_buffer", false},
        {"grad_avg", false}, {"sum", true},        {"acc_delta", true},
    };
    if (i >= sizeof keys / sizeof *keys)
        return NULL;
    *square = keys[i].square;
    return keys[i].key;
}

static bool is_known(const char *key, bool *square)
{
    const char *known;
    for (size_t i = 0; (known = graft__moments_key(i, square)); i++)
        if (strcmp(known, key) == 0)
            return true;
    return false;
}

static bool is_moment(const graft_dict *entry, int64_t i, const graft__node *parameter)
{
    graft_tensor_info info;
    return graft__moments_is_shape(entry, i, parameter) &&
           graft_dict_tensor_info(entry, i, &info) && graft_dtype_is_floating(info.dtype);
}

/* A number, a flag, None, ...: of the parameter as a whole. */
static bool is_single(const graft_dict *entry, int64_t i)
{
    graft_tensor_info info;
    if (graft_dict_tensor_info(entry, i, &info))
        return graft__shape_numel(info.shape.ndim, info.shape.size) == 1;
    return !graft__is_nested(graft_dict_kind(entry, i));
}

/* ---- Reading ---- */

/* Entry i with its bytes there. NULL, with the error set, which names it. */
static graft_tensor *take(const graft__moments *m, const graft__node *source, int64_t i)
{
    const graft_dict *entry = graft__moments_of(m, source)->entry;
    graft_tensor *t = graft_dict_tensor_at(entry, i);
    if (t)
        return t;
    const graft_ctx *from = graft_dict_ctx(entry);
    if (!graft_error(m->g) && graft_error(from))
        graft__fail(m->g, graft_error_status(from), "%s", graft_error(from));
    if (graft_error_status(m->g) != GRAFT_ERR_MEMORY)
        graft__error_append(m->g, " (%s of \"%s\")", graft_dict_key(entry, i),
                            m->items.source[source->place]);
    return NULL;
}

typedef struct lookup {
    const graft__moments *m;
    const char *key;
    graft_dtype dtype; /* of the first source's: that of all */
} lookup;

static graft_tensor *moment_of(void *user, const graft__node *source, graft_ctx *g)
{
    const lookup *l = user;
    const graft_dict *entry = graft__moments_of(l->m, source)->entry;
    const int64_t i = graft_dict_find(entry, l->key);
    if (!is_moment(entry, i, source))
        return NULL;
    const graft_tensor *t = take(l->m, source, i);
    if (!t || t->dtype == l->dtype)
        return t ? graft__tensor_snapshot(t, g) : NULL;
    graft_tensor *copy = graft__tensor_carried(g, OP, t->ndim, t->size, l->dtype);
    if (!copy || graft__tensor_assign(copy, t) == GRAFT_OK)
        return copy;
    graft__tensor_unref(copy);
    return NULL;
}

/* ---- What drops a state ---- */

/* The first source beneath without state, or NULL. */
static const graft__node *lacking(const graft__moments *m, const graft__node *n)
{
    if (!n->step)
        return n->dict && !graft__moments_of(m, n)->entry ? n : NULL;
    const graft__node *found = NULL;
    for (int i = 0; i < n->inputs && !found; i++)
        found = lacking(m, n->input[i]);
    return found;
}

/* The number under the key in a source's state; *is one: there is. */
static graft_status read_number(const graft__moments *m, const graft__node *source, const char *key,
                                double *number, bool *is_one)
{
    const graft_dict *entry = graft__moments_of(m, source)->entry;
    const int64_t i = graft_dict_find(entry, key);
    if (graft_dict_kind(entry, i) == GRAFT_VALUE_TENSOR && !take(m, source, i))
        return graft_error_status(m->g);
    *is_one = graft__optim_read_number(entry, i, number);
    return GRAFT_OK;
}

/* The first source beneath of which the value is another than the origin's in *other, or NULL. */
static graft_status differing(const graft__moments *m, const graft__node *origin,
                              const graft__node *n, const char *key, const graft__node **other)
{
    graft_status st = GRAFT_OK;
    for (int i = 0; i < n->inputs && st == GRAFT_OK && !*other; i++)
        st = differing(m, origin, n->input[i], key, other);
    if (n->step || !n->dict || graft__moments_of(m, n) == graft__moments_of(m, origin))
        return st;
    double a = 0, b = 0;
    bool is_a = false, is_b = false;
    st = read_number(m, origin, key, &a, &is_a);
    if (st == GRAFT_OK)
        st = read_number(m, n, key, &b, &is_b);
    const graft_dict *mine = graft__moments_of(m, n)->entry;
    const bool none =
        !is_a && graft_dict_kind(mine, graft_dict_find(mine, key)) == GRAFT_VALUE_NONE;
    if (st == GRAFT_OK && !(is_a && is_b && a == b) && !none)
        *other = n;
    return st;
}

/* Steps that change elements, and not only their dtype. */
static bool changes(const graft__node *n)
{
    for (; n->step; n = n->input[0])
        if (n->inputs != 1 || strcmp(n->step->verb, "cast") != 0)
            return true;
    return false;
}

/* ---- One value of one parameter ---- */

static graft_status put_tensor(graft_dict *out, const char *key, graft_tensor *t)
{
    if (!t)
        return GRAFT_ERR_MEMORY;
    const graft_status st = graft_dict_set_tensor(out, key, t);
    graft__tensor_unref(t);
    return st;
}

/* As it is; a tensor's bytes may wait. */
static graft_status copy_value(const graft__moments *m, const graft__node *source, int64_t i,
                               graft_dict *out)
{
    const graft_dict *entry = graft__moments_of(m, source)->entry;
    const graft__value *v = &entry->entry[i].value;
    const char *key = graft_dict_key(entry, i);
    if (v->kind == GRAFT_VALUE_TENSOR) {
        if (!graft__covers_storage(v->tensor) && !take(m, source, i))
            return graft_error_status(m->g);
        return put_tensor(out, key, graft__tensor_snapshot(v->tensor, m->g));
    }
    if (graft__is_nested(v->kind)) {
        graft_dict *copy = graft_dict_clone(v->dict, m->g);
        const graft_status st = copy ? graft_dict_set_dict(out, key, copy) : GRAFT_ERR_MEMORY;
        graft_dict_free(copy);
        return st;
    }
    graft__value name, value;
    if (!graft__value_copy(m->g, OP, &entry->entry[i].key, &name))
        return GRAFT_ERR_MEMORY;
    if (graft__value_copy(m->g, OP, v, &value))
        return graft__dict_put(out, OP, name, value);
    graft__value_drop(m->g, &name);
    return GRAFT_ERR_MEMORY;
}

static graft_status change_moment(graft__moments *m, const graft__node *n, const char *key,
                                  bool square, graft_dict *out)
{
    const graft__node *origin = graft__node_origin(n);
    const graft_dict *entry = graft__moments_of(m, origin)->entry;
    graft_tensor_info info;
    graft_dict_tensor_info(entry, graft_dict_find(entry, key), &info);
    lookup l = {m, key, info.dtype};
    graft_tensor *moment = graft__node_moment(n, m->g, moment_of, &l, square);
    if (moment)
        return put_tensor(out, key, moment);
    if (graft_error(m->g))
        return graft_error_status(m->g);
    graft__text_addf(&m->why, "%s can't go through what is done to the parameter", key);
    return GRAFT_OK;
}

/* One that stands for the whole parameter: all that it is made of must agree. */
static graft_status keep_single(graft__moments *m, const graft__node *n, int64_t i, graft_dict *out)
{
    const graft__node *origin = graft__node_origin(n), *other = NULL;
    const char *key = graft_dict_key(graft__moments_of(m, origin)->entry, i);
    const graft_status st = differing(m, origin, n, key, &other);
    if (st != GRAFT_OK)
        return st;
    if (!other)
        return copy_value(m, origin, i, out);
    graft__text_addf(&m->why, "%s of %s and %s differ", key, m->items.source[origin->place],
                     m->items.source[other->place]);
    return GRAFT_OK;
}

static graft_status carry_value(graft__moments *m, const graft__node *n, int64_t i, graft_dict *out)
{
    const graft__node *origin = graft__node_origin(n);
    const graft_dict *entry = graft__moments_of(m, origin)->entry;
    const char *key = graft_dict_key(entry, i);
    bool square = false;
    if (!key)
        return graft__fail_memory(m->g, 0, OP);
    if (!changes(n))
        return copy_value(m, origin, i, out);
    if (is_known(key, &square) && is_moment(entry, i, origin))
        return change_moment(m, n, key, square, out);
    if (is_single(entry, i))
        return keep_single(m, n, i, out);
    graft__text_addf(&m->why, "no way is known for %s through what is done to the parameter", key);
    return GRAFT_OK;
}

/* ---- All values of one parameter ---- */

static graft_status carry_entry(graft__moments *m, const graft__node *n, graft_dict *out)
{
    const graft_dict *entry = graft__moments_of(m, graft__node_origin(n))->entry;
    graft_status st = GRAFT_OK;
    for (int64_t i = 0; i < graft_dict_len(entry) && st == GRAFT_OK && m->why.length == 0; i++)
        st = carry_value(m, n, i, out);
    return st;
}

/* Why there is nothing to carry. */
static bool has_none(graft__moments *m, const graft__node *n)
{
    const graft__node *missing = n ? lacking(m, n) : NULL;
    if (!n)
        graft__text_add(&m->why, "the parameter keeps its initial value");
    else if (missing)
        graft__text_addf(&m->why, "the source's optimizer has none for %s",
                         m->items.source[missing->place]);
    return !n || missing;
}

static graft_status report(graft__moments *m, const graft__plan_target *t, const char *name)
{
    if (m->why.failed)
        return graft__fail_memory(m->g, 0, OP);
    if (m->why.length > 0)
        return graft__moment_report_add(m->report, name, GRAFT_MOMENT_DROPPED, m->why.data);
    if (changes(t->node))
        return graft__moment_report_add(m->report, name, GRAFT_MOMENT_CHANGED,
                                        t->how ? t->how : "");
    return graft__moment_report_add(m->report, name, GRAFT_MOMENT_COPIED, "");
}

graft_status graft__moments_carry(graft__moments *m, size_t i, const char *name, graft_dict *states,
                                  int64_t position, bool *carried)
{
    const size_t carrier = m->target[graft__moments_leader(m->plan, i)].carrier;
    const graft__plan_target *t = &m->plan->target[carrier == GRAFT__PLAN_NONE ? i : carrier];
    const graft__node *n = carrier == GRAFT__PLAN_NONE ? NULL : t->node;
    graft_status st = GRAFT_OK;
    graft__text_cut(&m->why, 0);
    if (!has_none(m, n)) {
        graft_dict *out = graft__dict_new(m->g);
        st = out ? carry_entry(m, n, out) : GRAFT_ERR_MEMORY;
        if (st == GRAFT_OK && m->why.length == 0)
            st = graft_dict_set_int_key_dict(states, position, out);
        graft__dict_unref(out);
    }
    if (carried)
        *carried = m->why.length == 0;
    return st == GRAFT_OK ? report(m, t, name) : st;
}
