/* Values by their dotted paths. */
#include <string.h>

#include "tensor/dict.h"

/* Deeper paths than this are of no checkpoint. Each level may try several splits of the path, and
 * in dicts that were made so each of them leads on: when so many bytes of keys have been looked
 * for, there is no such path. */
enum { DEPTH_MAX = 200, WORK_MAX = 1 << 22 };

typedef struct place {
    graft_dict *parent;
    size_t i;
} place;

/* Whether text is a number as graft_dict_key writes it. */
static bool is_decimal(const char *text, size_t length, int64_t *number)
{
    const bool negative = length > 0 && text[0] == '-';
    const char *digit = text + negative, *end = text + length;
    if (digit == end || (*digit == '0' && (negative || digit + 1 < end)))
        return false;
    int64_t value = 0;
    for (; digit < end; digit++) {
        if (*digit < '0' || *digit > '9' || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, *digit - '0', &value)) /* the negative side is longer */
            return false;
    }
    if (!negative && value == INT64_MIN)
        return false;
    *number = negative ? value : -value;
    return true;
}

typedef bool accepts_fn(const graft__value *v);

static bool any(const graft__value *v)
{
    (void)v;
    return true;
}

static bool is_tensor(const graft__value *v)
{
    return v->kind == GRAFT_VALUE_TENSOR;
}

static bool is_container(const graft__value *v)
{
    return graft__is_nested(v->kind);
}

typedef struct search {
    accepts_fn *accepts;
    int64_t work; /* what is left of it */
    place found;
} search;

static bool find(search *s, graft_dict *d, const char *path, int depth);

/* The value at the key, and in it what of the path comes behind. */
static bool find_behind(search *s, graft_dict *d, const graft__key *key, const char *rest,
                        int depth)
{
    if (s->work <= 0)
        return false;
    s->work -= (int64_t)key->length + 1;
    const int64_t at = graft__dict_find_key(d, key);
    if (at < 0)
        return false;
    const graft__value *v = &d->entry[at].value;
    if (*rest)
        return graft__is_nested(v->kind) && find(s, v->dict, rest + 1, depth - 1);
    s->found = (place){d, (size_t)at};
    return s->accepts(v);
}

/* The longest key first: one that holds dots itself goes before the path that it looks like. */
static bool find_in_entries(search *s, graft_dict *d, const char *path, int depth)
{
    for (size_t length = strlen(path);; length--) {
        if (path[length] == 0 || path[length] == '.') {
            graft__key key = {.text = path, .length = length};
            if (find_behind(s, d, &key, path + length, depth))
                return true;
            if (is_decimal(path, length, &key.number)) {
                key = graft__int_key(key.number);
                if (find_behind(s, d, &key, path + length, depth))
                    return true;
            }
        }
        if (length == 0 || s->work <= 0)
            return false;
    }
}

static bool find(search *s, graft_dict *d, const char *path, int depth)
{
    if (depth == 0 || s->work <= 0)
        return false;
    if (find_in_entries(s, d, path, depth))
        return true;
    if (d->attributes && find(s, d->attributes, path, depth - 1))
        return true;
    return d->args && strncmp(path, "args.", 5) == 0 && find(s, d->args, path + 5, depth - 1);
}

static bool find_path(const graft_dict *d, const char *path, accepts_fn *accepts, place *out)
{
    search s = {.accepts = accepts, .work = WORK_MAX};
    /* Paths lead to what may be changed, whatever the way there promises. */
    if (!d || !path || !find(&s, (graft_dict *)(uintptr_t)d, path, DEPTH_MAX))
        return false;
    *out = s.found;
    return true;
}

graft_tensor *graft_dict_tensor(const graft_dict *d, const char *path)
{
    place p;
    return find_path(d, path, is_tensor, &p) ? graft__take_tensor(p.parent, p.i) : NULL;
}

graft_dict *graft_dict_dict(const graft_dict *d, const char *path)
{
    place p;
    return find_path(d, path, is_container, &p) ? p.parent->entry[p.i].value.dict : NULL;
}

graft_dict *graft_dict_find_path(const graft_dict *d, const char *path, int64_t *i)
{
    place p;
    if (!find_path(d, path, any, &p))
        return NULL;
    if (i)
        *i = (int64_t)p.i;
    return p.parent;
}
