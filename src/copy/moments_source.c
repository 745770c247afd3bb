#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/map.h"
#include "copy/moments.h"

#define OP "transplant_optimizer"

/* ---- What is trained, where no names say so ---- */

static bool ends_with(const char *name, const char *end)
{
    const size_t a = strlen(name), b = strlen(end);
    return a >= b && strcmp(name + a - b, end) == 0;
}

/* By the names of PyTorch's buffers, and by dtype: a state dict does not tell them apart. */
static bool is_buffer(const char *name, graft_dtype dtype)
{
    static const char *const ends[] = {"running_mean", "running_var", "num_batches_tracked",
                                       "inv_freq"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (ends_with(name, ends[i]))
            return true;
    return !graft_dtype_is_floating(dtype);
}

bool graft__moments_trains(const graft__moments *m, size_t i)
{
    const graft__plan_target *t = &m->plan->target[i];
    if (t->leader != i)
        return false;
    const graft__node *origin = t->node ? graft__node_origin(t->node) : NULL;
    if (origin && graft__plan_fits(t->action))
        return m->source[origin->place].trained;
    return t->tensor && !is_buffer(t->name, t->tensor->dtype);
}

/* ---- Positions ---- */

/* Which place each position of the optimizer is. */
typedef struct positions {
    const graft__moments *m;
    graft_dict *by_name; /* dotted path to place */
    size_t *place;       /* without names: of position i */
    size_t places;
} positions;

static graft_status index_names(positions *p)
{
    const graft__items *items = &p->m->items;
    p->by_name = graft__dict_new(p->m->g);
    graft_status st = p->by_name ? GRAFT_OK : GRAFT_ERR_MEMORY;
    for (size_t i = 0; i < items->sources && st == GRAFT_OK; i++)
        st = graft_dict_set_int(p->by_name, items->source[i], (int64_t)i);
    return st;
}

static graft_status place_of(const positions *p, const char *name, size_t *place)
{
    const int64_t i = name ? graft_dict_find(p->by_name, name) : -1;
    if (i < 0)
        return graft__fail(p->m->g, GRAFT_ERR_NAME,
                           OP ": the optimizer has a parameter \"%s\", the plan's source does not",
                           name ? name : "(no string)");
    *place = (size_t)graft_dict_int_at(p->by_name, i);
    return GRAFT_OK;
}

/* As model.parameters() has them: what is tied counts once. */
static graft_status guess_places(positions *p)
{
    const graft__items *items = &p->m->items;
    graft__map seen;
    graft__map_init(&seen, p->m->g);
    graft_status st = GRAFT_OK;
    for (size_t i = 0; i < items->count && st == GRAFT_OK; i++) {
        const graft__node *n = items->item[i].node;
        const graft_tensor *t = graft__node_tensor(n);
        if (!t || is_buffer(items->source[i], n->dtype))
            continue;
        const graft_tensor *first = graft__map_get(&seen, t->storage);
        if (first && graft__same_place(first, t))
            continue;
        if (!first && !graft__map_set(&seen, t->storage, (void *)(uintptr_t)t))
            st = GRAFT_ERR_MEMORY;
        p->place[p->places++] = i;
    }
    graft__map_free(&seen);
    return st;
}

static graft_status given_places(positions *p, const graft_dict *names)
{
    if (graft_dict_len(names) > (int64_t)p->m->items.sources)
        return graft__fail(p->m->g, GRAFT_ERR_ARGUMENT,
                           OP ": there are %lld names for the %zu tensors of the source",
                           (long long)graft_dict_len(names), p->m->items.sources);
    graft_status st = GRAFT_OK;
    for (int64_t i = 0; i < graft_dict_len(names) && st == GRAFT_OK; i++)
        st = place_of(p, graft_dict_string_at(names, i), &p->place[p->places++]);
    return st;
}

/* ---- Groups ---- */

static int64_t count_positions(const graft_dict *groups)
{
    int64_t n = 0;
    for (int64_t i = 0; i < graft_dict_len(groups); i++)
        n += graft_dict_len(graft_dict_dict(graft_dict_dict_at(groups, i), "params"));
    return n;
}

static graft_status check_count(const positions *p, bool guessed)
{
    const int64_t n = count_positions(p->m->groups);
    if (n == (int64_t)p->places)
        return GRAFT_OK;
    return graft__fail(p->m->g, GRAFT_ERR_ARGUMENT,
                       OP ": the optimizer has %lld parameters, %s %zu%s", (long long)n,
                       guessed ? "the source" : "and there are names for", p->places,
                       guessed ? " that look like parameters: give their names in the "
                                 "optimizer's order"
                               : "");
}

static graft_status locate(const positions *p, const graft_dict *group, int64_t j, size_t *place)
{
    const graft_dict *params = graft_dict_dict(group, "params");
    const graft_dict *names = graft_dict_dict(group, "param_names");
    if (graft_dict_kind(params, j) != GRAFT_VALUE_INT)
        return graft__fail(p->m->g, GRAFT_ERR_ARGUMENT,
                           OP ": 'params' of a group holds what is not a position");
    if (names)
        return place_of(p, graft_dict_string_at(names, j), place);
    const int64_t at = graft_dict_int_at(params, j);
    if (at < 0 || (uint64_t)at >= p->places)
        return graft__fail(p->m->g, GRAFT_ERR_ARGUMENT,
                           OP ": a group has position %lld of %zu parameters", (long long)at,
                           p->places);
    *place = p->place[at];
    return GRAFT_OK;
}

/* A moment has its parameter's shape. Other optimizers keep other things, of any. */
static graft_status check_shapes(const graft__moments *m, const graft_dict *entry, size_t place)
{
    static const char *const keys[] = {"exp_avg", "exp_avg_sq", "max_exp_avg_sq",
                                       "momentum_buffer"};
    const graft__node *n = m->items.item[place].node;
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
        graft_tensor_info info;
        char a[GRAFT__SHAPE_TEXT], b[GRAFT__SHAPE_TEXT];
        const int64_t i = graft_dict_find(entry, keys[k]);
        if (i < 0 || !graft_dict_tensor_info(entry, i, &info))
            continue;
        if (info.shape.ndim != n->shape.ndim ||
            memcmp(info.shape.size, n->shape.size, (size_t)n->shape.ndim * sizeof *n->shape.size) !=
                0)
            return graft__fail(m->g, GRAFT_ERR_SHAPE,
                               OP ": %s of \"%s\" has shape %s, the parameter %s: is the order of "
                                  "the names the optimizer's?",
                               keys[k], m->items.source[place],
                               graft__shape_text(info.shape.ndim, info.shape.size, a),
                               graft__shape_text(n->shape.ndim, n->shape.size, b));
    }
    return GRAFT_OK;
}

static graft_status read_param(graft__moments *m, const positions *p, int64_t i,
                               const graft_dict *group, int64_t j)
{
    size_t place = 0;
    const graft_status st = locate(p, group, j, &place);
    if (st != GRAFT_OK)
        return st;
    graft__moment_source *s = &m->source[place];
    if (s->trained)
        return graft__fail(m->g, GRAFT_ERR_NAME, OP ": the optimizer has \"%s\" twice",
                           m->items.source[place]);
    const int64_t position = graft_dict_int_at(graft_dict_dict(group, "params"), j);
    *s = (graft__moment_source){
        .entry = graft_dict_dict_at(m->states, graft_dict_find_int(m->states, position)),
        .group = i,
        .trained = true,
    };
    return s->entry ? check_shapes(m, s->entry, place) : GRAFT_OK;
}

static graft_status read_groups(graft__moments *m, const positions *p)
{
    graft_status st = GRAFT_OK;
    for (int64_t i = 0; i < graft_dict_len(m->groups) && st == GRAFT_OK; i++) {
        const graft_dict *group = graft_dict_dict_at(m->groups, i);
        const graft_dict *params = graft_dict_dict(group, "params");
        const graft_dict *names = graft_dict_dict(group, "param_names");
        if (!params)
            return graft__fail(m->g, GRAFT_ERR_NAME, OP ": group %lld has no list of 'params'",
                               (long long)i);
        if (names && graft_dict_len(names) != graft_dict_len(params))
            return graft__fail(m->g, GRAFT_ERR_ARGUMENT,
                               OP ": group %lld has %lld parameters and %lld names", (long long)i,
                               (long long)graft_dict_len(params), (long long)graft_dict_len(names));
        for (int64_t j = 0; j < graft_dict_len(params) && st == GRAFT_OK; j++)
            st = read_param(m, p, i, group, j);
    }
    return st;
}

static bool all_named(const graft_dict *groups)
{
    for (int64_t i = 0; i < graft_dict_len(groups); i++)
        if (!graft_dict_dict(graft_dict_dict_at(groups, i), "param_names"))
            return false;
    return true;
}

static graft_status read_positions(graft__moments *m, const graft_dict *names)
{
    const size_t bytes = m->items.sources * sizeof(size_t);
    positions p = {.m = m, .place = graft__alloc(m->g, bytes)};
    graft_status st = p.place ? index_names(&p) : graft__fail_memory(m->g, bytes, OP);
    if (st == GRAFT_OK && !all_named(m->groups)) {
        st = names ? given_places(&p, names) : guess_places(&p);
        if (st == GRAFT_OK)
            st = check_count(&p, !names);
    }
    if (st == GRAFT_OK)
        st = read_groups(m, &p);
    graft__dict_unref(p.by_name);
    graft__free(m->g, p.place, bytes);
    return st;
}

/* ---- All of it ---- */

graft_status graft__moments_read(graft__moments *m, const graft_dict *state,
                                 const graft_dict *names)
{
    graft_status st = graft_plan_check(m->plan);
    if (st != GRAFT_OK)
        return st;
    m->states = graft_dict_dict(state, "state");
    m->groups = graft_dict_dict(state, "param_groups");
    if (!m->states || !m->groups)
        return graft__fail(m->g, GRAFT_ERR_NAME,
                           OP ": the dict has no '%s': expected what an optimizer's state_dict "
                              "gives",
                           m->states ? "param_groups" : "state");
    st = graft__items_of(&m->items, m->plan->source);
    if (st != GRAFT_OK)
        return st;
    const size_t bytes = m->items.sources * sizeof *m->source;
    m->source = graft__alloc_zero(m->g, bytes);
    m->report = graft__moment_report_new(m->g);
    if (!m->source || !m->report)
        return graft__fail_memory(m->g, bytes, OP);
    return read_positions(m, names);
}

void graft__moments_free(graft__moments *m)
{
    graft__moment_report_drop(m->report);
    graft__free(m->g, m->source, m->items.sources * sizeof *m->source);
    if (m->items.g)
        graft__items_free(&m->items);
}
