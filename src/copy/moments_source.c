#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/map.h"
#include "copy/moments.h"
#include "copy/same.h"

#define OP GRAFT__MOMENTS_OP

/* ---- What is trained, where no names say so ---- */

static bool ends_with(const char *name, const char *end)
{
    const size_t a = strlen(name), b = strlen(end);
    return a >= b && strcmp(name + a - b, end) == 0;
}

bool graft__moments_is_buffer(const char *name, graft_dtype dtype)
{
    static const char *const ends[] = {"running_mean", "running_var", "num_batches_tracked",
                                       "inv_freq", "masked_bias"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (ends_with(name, ends[i]))
            return true;
    return !graft_dtype_is_floating(dtype);
}

/* ---- Positions ---- */

/* Which place each position of the optimizer is. */
typedef struct positions {
    graft__moments *m;
    graft_dict *by_name; /* dotted path to place */
    size_t *place;       /* without names: of position i */
    size_t places;
    bool *used; /* which of the states belong to a parameter */
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

/* Tied tensors are one parameter: the first of their memory stands for all. */
static graft_status find_ties(graft__moments *m)
{
    graft__map seen; /* storage to the first place over it, plus 1 */
    graft__map_init(&seen, m->g);
    graft_status st = GRAFT_OK;
    for (size_t i = 0; i < m->items.sources && st == GRAFT_OK; i++) {
        m->source[i] = (graft__moment_source){.first = i, .group = -1};
        const graft_tensor *t = graft__node_tensor(m->items.item[i].node);
        if (!t)
            continue;
        const uintptr_t first = (uintptr_t)graft__map_get(&seen, t->storage);
        if (first && graft__same_place(graft__node_tensor(m->items.item[first - 1].node), t))
            m->source[i].first = first - 1;
        else if (!first && !graft__map_set(&seen, t->storage, (void *)(uintptr_t)(i + 1)))
            st = GRAFT_ERR_MEMORY;
    }
    graft__map_free(&seen);
    return st;
}

/* As model.parameters() has them. */
static void guess_places(positions *p)
{
    const graft__items *items = &p->m->items;
    for (size_t i = 0; i < items->sources; i++) {
        const graft__node *n = items->item[i].node;
        if (graft__node_tensor(n) && p->m->source[i].first == i &&
            !graft__moments_is_buffer(items->source[i], n->dtype))
            p->place[p->places++] = i;
    }
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

bool graft__moments_is_shape(const graft_dict *entry, int64_t i, const graft__node *parameter)
{
    graft_tensor_info info;
    return i >= 0 && graft_dict_tensor_info(entry, i, &info) &&
           info.shape.ndim == parameter->shape.ndim &&
           memcmp(info.shape.size, parameter->shape.size,
                  (size_t)info.shape.ndim * sizeof *info.shape.size) == 0;
}

/* Names in a wrong order show in shapes. Some optimizers keep other things under these keys, but
 * none a tensor of another shape. */
static graft_status check_shapes(const graft__moments *m, const graft_dict *entry, size_t place)
{
    const graft__node *n = m->items.item[place].node;
    bool square;
    for (size_t k = 0; graft__moments_key(k, &square); k++) {
        const char *key = graft__moments_key(k, &square);
        const int64_t i = graft_dict_find(entry, key);
        graft_tensor_info info;
        if (i < 0 || !graft_dict_tensor_info(entry, i, &info) ||
            graft__moments_is_shape(entry, i, n))
            continue;
        char a[GRAFT__SHAPE_TEXT], b[GRAFT__SHAPE_TEXT];
        return graft__fail(m->g, GRAFT_ERR_SHAPE,
                           OP ": %s of \"%s\" has shape %s, the parameter %s: is the order of the "
                              "names the optimizer's?",
                           key, m->items.source[place],
                           graft__shape_text(info.shape.ndim, info.shape.size, a),
                           graft__shape_text(n->shape.ndim, n->shape.size, b));
    }
    return GRAFT_OK;
}

/* The state under a position, if it has one that is not empty. */
static graft_status read_entry(const graft__moments *m, const positions *p, int64_t position,
                               size_t place, const graft_dict **entry)
{
    const int64_t at = graft_dict_find_int(m->states, position);
    *entry = graft_dict_dict_at(m->states, at);
    if (at < 0)
        return GRAFT_OK;
    if (!*entry)
        return graft__fail(m->g, GRAFT_ERR_ARGUMENT, OP ": the state of \"%s\" is not a dict",
                           m->items.source[place]);
    if (p->used[at])
        return graft__fail(m->g, GRAFT_ERR_ARGUMENT, OP ": the groups name position %lld twice",
                           (long long)position);
    p->used[at] = true;
    if (graft_dict_len(*entry) == 0)
        *entry = NULL;
    return *entry ? check_shapes(m, *entry, place) : GRAFT_OK;
}

static graft_status read_param(graft__moments *m, const positions *p, int64_t i,
                               const graft_dict *group, int64_t j)
{
    size_t place = 0;
    graft_status st = locate(p, group, j, &place);
    if (st != GRAFT_OK)
        return st;
    graft__moment_source *s = &m->source[m->source[place].first];
    if (s->group >= 0)
        return graft__fail(m->g, GRAFT_ERR_NAME, OP ": the optimizer has \"%s\" twice",
                           m->items.source[place]);
    s->group = i;
    return read_entry(m, p, graft_dict_int_at(graft_dict_dict(group, "params"), j), place,
                      &s->entry);
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

static graft_status check_used(const graft__moments *m, const positions *p)
{
    for (int64_t i = 0; i < graft_dict_len(m->states); i++)
        if (!p->used[i])
            return graft__fail(m->g, GRAFT_ERR_ARGUMENT,
                               OP ": there is a state '%s', but no group has a parameter for it",
                               graft_dict_key(m->states, i));
    return GRAFT_OK;
}

static graft_status read_positions(graft__moments *m, const graft_dict *names)
{
    const size_t bytes = m->items.sources * sizeof(size_t);
    const size_t states = (size_t)graft_dict_len(m->states);
    positions p = {
        .m = m, .place = graft__alloc(m->g, bytes), .used = graft__alloc_zero(m->g, states)};
    graft_status st =
        p.place && p.used ? index_names(&p) : graft__fail_memory(m->g, bytes + states, OP);
    if (st == GRAFT_OK && !all_named(m->groups)) {
        if (names)
            st = given_places(&p, names);
        else
            guess_places(&p);
        if (st == GRAFT_OK)
            st = check_count(&p, !names);
    }
    if (st == GRAFT_OK)
        st = read_groups(m, &p);
    if (st == GRAFT_OK)
        st = check_used(m, &p);
    graft__dict_unref(p.by_name);
    graft__free(m->g, p.place, bytes);
    graft__free(m->g, p.used, states);
    return st;
}

/* ---- All of it ---- */

graft_status graft__moments_read(graft__moments *m, const graft_dict *state,
                                 const graft_dict *names)
{
    graft__text_init(&m->why, m->g);
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
    if (!m->source)
        return graft__fail_memory(m->g, bytes, OP);
    m->report = graft__moment_report_new(m->g);
    st = m->report ? find_ties(m) : GRAFT_ERR_MEMORY;
    if (st == GRAFT_OK)
        st = read_positions(m, names);
    return st == GRAFT_OK ? graft__moments_targets(m) : st;
}

void graft__moments_free(graft__moments *m)
{
    graft__moment_report_drop(m->report);
    graft__text_free(&m->why);
    graft__free(m->g, m->target, m->plan->count * sizeof *m->target);
    graft__free(m->g, m->source, m->items.sources * sizeof *m->source);
    if (m->items.g)
        graft__items_free(&m->items);
}
