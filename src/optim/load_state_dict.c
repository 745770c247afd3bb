/* Loading an optimizer's state dict, as a transaction: everything is read and checked into memory
 * of its own, then taken. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "optim/optimizer.h"

#define OP "optimizer_load_state_dict"

/* What will become of one parameter's state. */
typedef struct incoming {
    graft__optim_param *param;
    int64_t step;
    graft_tensor *state[GRAFT__OPTIM_STATES];
    bool met; /* the dict has named it */
} incoming;

typedef struct load {
    graft_optimizer *opt;
    graft_ctx *ctx;
    const graft_dict *states, *groups;
    graft__optim_options *options; /* of each group */
    incoming *in;                  /* of each parameter, group after group */
    size_t params;
    int64_t used; /* entries of states that belong to a parameter */
} load;

/* ---- Groups ---- */

static bool is_number(graft_value_kind kind)
{
    return kind == GRAFT_VALUE_BOOL || kind == GRAFT_VALUE_INT || kind == GRAFT_VALUE_FLOAT;
}

bool graft__optim_read_number(const graft_dict *d, int64_t i, double *out)
{
    graft_tensor *t = graft_dict_tensor_at(d, i);
    if (!t && !is_number(graft_dict_kind(d, i)))
        return false;
    if (t && (t->numel != 1 || !graft_dtype_computes(t->dtype)))
        return false;
    *out = t ? graft_item(t) : graft_dict_float_at(d, i);
    return true;
}

graft_status graft__optim_number(graft_ctx *g, const graft_dict *group, const char *key,
                                 bool optional, double *out)
{
    const int64_t i = graft_dict_find(group, key);
    if (i < 0 && optional)
        return GRAFT_OK;
    if (i < 0)
        return graft__fail(g, GRAFT_ERR_NAME, OP ": a group has no '%s'", key);
    if (!graft__optim_read_number(group, i, out))
        return graft__fail(g, GRAFT_ERR_ARGUMENT, OP ": a group's '%s' is not a number", key);
    return GRAFT_OK;
}

static graft_status check_group_counts(const load *l)
{
    const int64_t groups = graft_dict_len(l->groups);
    if (groups != (int64_t)l->opt->groups)
        return graft__fail(l->ctx, GRAFT_ERR_ARGUMENT,
                           OP ": the dict has %lld groups, the optimizer %zu", (long long)groups,
                           l->opt->groups);
    for (size_t i = 0; i < l->opt->groups; i++) {
        const graft_dict *group = graft_dict_dict_at(l->groups, (int64_t)i);
        const graft_dict *params = graft_dict_dict(group, "params");
        if (!params)
            return graft__fail(l->ctx, GRAFT_ERR_NAME, OP ": group %zu has no list of 'params'", i);
        if (graft_dict_len(params) != (int64_t)l->opt->group[i]->count)
            return graft__fail(l->ctx, GRAFT_ERR_ARGUMENT,
                               OP ": group %zu of the dict has %lld parameters, the optimizer's "
                                  "has %zu",
                               i, (long long)graft_dict_len(params), l->opt->group[i]->count);
    }
    return GRAFT_OK;
}

static graft_status load_options(const load *l, size_t i)
{
    const graft__optim_kind *kind = l->opt->kind;
    const graft_dict *group = graft_dict_dict_at(l->groups, (int64_t)i);
    const graft_status status = kind->load(l->ctx, &l->options[i], group);
    return status ? status : kind->check(l->ctx, &l->options[i]);
}

/* ---- One parameter's state ---- */

static graft_status load_step(const load *l, const char *name, const graft_dict *entry,
                              int64_t *step)
{
    double value = 0;
    const int64_t i = graft_dict_find(entry, "step");
    if (i < 0)
        return graft__fail(l->ctx, GRAFT_ERR_NAME, OP ": the state of '%s' has no 'step'", name);
    if (!graft__optim_read_number(entry, i, &value))
        return graft__fail(l->ctx, GRAFT_ERR_ARGUMENT, OP ": the step of '%s' is not a number",
                           name);
    if (!(value >= 0 && value < 0x1p53 && value == floor(value)))
        return graft__fail(l->ctx, GRAFT_ERR_ARGUMENT,
                           OP ": the step of '%s' is %g: expected a whole number of 0 or more",
                           name, value);
    *step = (int64_t)value;
    return GRAFT_OK;
}

static graft_tensor *copy_as(const load *l, const graft_tensor *t, const graft_tensor *like)
{
    if (t->dtype == like->dtype)
        return graft__tensor_snapshot(t, l->ctx);
    graft_tensor *copy = graft__tensor_like(like, like->dtype);
    if (copy && graft__tensor_assign(copy, t)) {
        graft__tensor_unref(copy);
        return NULL;
    }
    return copy;
}

static graft_status load_tensor(const load *l, incoming *in, int k, const graft_tensor *t)
{
    const graft_tensor *like = in->param->tensor;
    const char *what = l->opt->kind->state_name[k], *name = in->param->name;
    char a[GRAFT__SHAPE_TEXT], b[GRAFT__SHAPE_TEXT];
    if (!graft__same_shape(t, like))
        return graft__fail(l->ctx, GRAFT_ERR_SHAPE, OP ": %s of '%s' has shape %s: expected %s",
                           what, name, graft__tensor_shape_text(t, a),
                           graft__tensor_shape_text(like, b));
    if (!graft_dtype_is_floating(t->dtype))
        return graft__fail(l->ctx, GRAFT_ERR_DTYPE,
                           OP ": %s of '%s' is %s: expected a floating dtype", what, name,
                           graft_dtype_name(t->dtype));
    in->state[k] = copy_as(l, t, like);
    return in->state[k] ? GRAFT_OK : GRAFT_ERR_MEMORY;
}

static int find_state(const graft__optim_kind *kind, const char *key)
{
    for (int k = 0; k < GRAFT__OPTIM_STATES && kind->state_name[k]; k++) {
        if (strcmp(kind->state_name[k], key) == 0)
            return k;
    }
    return -1;
}

/* Bytes that can't be had: the message is of the file, and doesn't know the name. */
static graft_status unreadable(const load *l, const graft_dict *entry, const char *key,
                               const char *name, bool pending)
{
    graft_ctx *from = graft_dict_ctx(entry);
    if (from != l->ctx)
        return graft__fail(l->ctx, graft_error_status(from), OP ": %s of '%s': %s", key, name,
                           graft_error(from));
    if (!pending)
        graft__error_append(l->ctx, " (%s of '%s')", key, name);
    return graft_error_status(l->ctx);
}

static graft_status load_value(const load *l, incoming *in, const graft_dict *entry, int64_t i)
{
    const graft__optim_kind *kind = l->opt->kind;
    const char *key = graft_dict_key(entry, i), *name = in->param->name;
    if (kind->has_step && strcmp(key, "step") == 0)
        return GRAFT_OK;
    const int k = find_state(kind, key);
    if (k < 0)
        return graft__fail(l->ctx, GRAFT_ERR_NAME,
                           OP ": the state of '%s' has '%s', which %s "
                              "does not keep",
                           name, key, kind->name);
    const bool pending = graft_error(l->ctx);
    const graft_tensor *t = graft_dict_tensor_at(entry, i);
    if (t)
        return load_tensor(l, in, k, t);
    if (graft_dict_kind(entry, i) == GRAFT_VALUE_TENSOR)
        return unreadable(l, entry, key, name, pending);
    if (graft_dict_kind(entry, i) == GRAFT_VALUE_NONE) /* as PyTorch's SGD without momentum */
        return GRAFT_OK;
    return graft__fail(l->ctx, GRAFT_ERR_ARGUMENT, OP ": %s of '%s' is not a tensor", key, name);
}

static graft_status load_entry(const load *l, incoming *in, const graft_dict *entry)
{
    const graft__optim_kind *kind = l->opt->kind;
    if (!entry)
        return graft__fail(l->ctx, GRAFT_ERR_ARGUMENT, OP ": the state of '%s' is not a dict",
                           in->param->name);
    graft_status status = GRAFT_OK;
    if (kind->has_step)
        status = load_step(l, in->param->name, entry, &in->step);
    for (int64_t i = 0; i < graft_dict_len(entry) && !status; i++)
        status = load_value(l, in, entry, i);
    for (int k = 0; k < GRAFT__OPTIM_STATES && !status; k++) {
        if (kind->needed >> k & 1 && !in->state[k])
            status = graft__fail(l->ctx, GRAFT_ERR_NAME, OP ": the state of '%s' has no '%s'",
                                 in->param->name, kind->state_name[k]);
    }
    return status;
}

/* ---- Whose state it is ---- */

/* The group's parameter that stands at place j of the dict's group: by its name if there are names,
 * else the one that stands there too. */
static graft_status match(const load *l, size_t group, incoming *first, const graft_dict *names,
                          int64_t j, incoming **out)
{
    const size_t count = l->opt->group[group]->count;
    *out = &first[j];
    if (names) {
        const char *name = graft_dict_string_at(names, j);
        if (!name)
            return graft__fail(l->ctx, GRAFT_ERR_ARGUMENT,
                               OP ": name %lld of group %zu is not a string", (long long)j, group);
        size_t i = (size_t)j; /* where it is in a model that is the same */
        for (size_t tried = 0; strcmp(first[i].param->name, name) != 0; tried++) {
            if (tried == count)
                return graft__fail(l->ctx, GRAFT_ERR_NAME,
                                   OP ": the optimizer's group %zu has no parameter '%s'", group,
                                   name);
            i = i + 1 < count ? i + 1 : 0;
        }
        *out = &first[i];
    }
    if ((*out)->met)
        return graft__fail(l->ctx, GRAFT_ERR_NAME, OP ": group %zu names '%s' twice", group,
                           (*out)->param->name);
    (*out)->met = true;
    return GRAFT_OK;
}

static graft_status load_group(load *l, size_t group, incoming *first)
{
    const graft_dict *saved = graft_dict_dict_at(l->groups, (int64_t)group);
    const graft_dict *positions = graft_dict_dict(saved, "params");
    const graft_dict *names = graft_dict_dict(saved, "param_names");
    const int64_t count = graft_dict_len(positions);
    if (names && graft_dict_len(names) != count)
        return graft__fail(l->ctx, GRAFT_ERR_ARGUMENT,
                           OP ": group %zu has %lld parameters and %lld names", group,
                           (long long)count, (long long)graft_dict_len(names));
    for (int64_t j = 0; j < count; j++) {
        incoming *in;
        graft_status status = match(l, group, first, names, j, &in);
        if (!status && graft_dict_kind(positions, j) != GRAFT_VALUE_INT)
            status = graft__fail(l->ctx, GRAFT_ERR_ARGUMENT,
                                 OP ": group %zu: 'params' holds what is not a position", group);
        if (status)
            return status;
        const int64_t at = graft_dict_find_int(l->states, graft_dict_int_at(positions, j));
        if (at < 0)
            continue;
        l->used++;
        status = load_entry(l, in, graft_dict_dict_at(l->states, at));
        if (status)
            return status;
    }
    return GRAFT_OK;
}

static int compare_positions(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* That no two parameters stand at one position: both would take over the same state. */
static graft_status check_positions(const load *l)
{
    const size_t bytes = l->params * sizeof(int64_t);
    int64_t *position = graft__alloc(l->ctx, bytes);
    if (!position)
        return graft__fail_memory(l->ctx, bytes, OP);
    size_t n = 0;
    for (size_t i = 0; i < l->opt->groups; i++) {
        const graft_dict *params =
            graft_dict_dict(graft_dict_dict_at(l->groups, (int64_t)i), "params");
        for (size_t j = 0; j < l->opt->group[i]->count; j++)
            position[n++] = graft_dict_int_at(params, (int64_t)j);
    }
    qsort(position, n, sizeof *position, compare_positions);
    graft_status status = GRAFT_OK;
    for (size_t i = 1; i < n && !status; i++)
        if (position[i] == position[i - 1])
            status =
                graft__fail(l->ctx, GRAFT_ERR_ARGUMENT, OP ": the groups name position %lld twice",
                            (long long)position[i]);
    graft__free(l->ctx, position, bytes);
    return status;
}

static graft_status load_all(load *l)
{
    graft_status status = check_group_counts(l);
    size_t first = 0;
    for (size_t i = 0; i < l->opt->groups && !status; i++) {
        status = load_options(l, i);
        if (!status)
            status = load_group(l, i, &l->in[first]);
        first += l->opt->group[i]->count;
    }
    if (!status)
        status = check_positions(l);
    if (!status && l->used != graft_dict_len(l->states))
        status = graft__fail(l->ctx, GRAFT_ERR_ARGUMENT,
                             OP ": the dict has the state of %lld parameters, but %lld of them are "
                                "in its groups",
                             (long long)graft_dict_len(l->states), (long long)l->used);
    return status;
}

/* ---- The transaction ---- */

static void commit(load *l)
{
    for (size_t i = 0; i < l->opt->groups; i++)
        l->opt->group[i]->options = l->options[i];
    for (size_t i = 0; i < l->params; i++) {
        incoming *in = &l->in[i];
        in->param->step = in->step;
        for (int k = 0; k < GRAFT__OPTIM_STATES; k++) {
            graft_tensor *old = in->param->state[k];
            in->param->state[k] = in->state[k];
            in->state[k] = old;
        }
    }
}

static graft_status allocate(load *l)
{
    for (size_t i = 0; i < l->opt->groups; i++)
        l->params += l->opt->group[i]->count;
    l->options = graft__alloc_zero(l->ctx, l->opt->groups * sizeof *l->options);
    l->in = graft__alloc_zero(l->ctx, l->params * sizeof *l->in);
    if (!l->options || !l->in)
        return graft__fail_memory(l->ctx, l->params * sizeof *l->in, OP);
    incoming *in = l->in;
    for (size_t i = 0; i < l->opt->groups; i++) {
        graft__optim_group *group = l->opt->group[i];
        for (size_t k = 0; k < group->count; k++)
            (in++)->param = &group->param[k];
    }
    return GRAFT_OK;
}

static void release(load *l)
{
    for (size_t i = 0; l->in && i < l->params; i++) {
        for (int k = 0; k < GRAFT__OPTIM_STATES; k++)
            graft__tensor_unref(l->in[i].state[k]);
    }
    graft__free(l->ctx, l->in, l->params * sizeof *l->in);
    graft__free(l->ctx, l->options, l->opt->groups * sizeof *l->options);
}

graft_status graft_optimizer_load_state_dict(graft_optimizer *opt, const graft_dict *state)
{
    if (!opt)
        return GRAFT_ERR_ARGUMENT;
    load l = {.opt = opt, .ctx = opt->object.ctx};
    if (!state)
        return graft_error_status(l.ctx)
                   ? graft_error_status(l.ctx)
                   : graft__fail(l.ctx, GRAFT_ERR_ARGUMENT, OP ": the dict is NULL");
    l.states = graft_dict_dict(state, "state");
    l.groups = graft_dict_dict(state, "param_groups");
    if (!l.states || !l.groups)
        return graft__fail(l.ctx, GRAFT_ERR_NAME,
                           OP ": the dict has no '%s': expected what an optimizer's state_dict "
                              "gives",
                           l.states ? "param_groups" : "state");
    graft_status status = allocate(&l);
    if (!status)
        status = load_all(&l);
    if (!status)
        commit(&l);
    release(&l);
    return status;
}
