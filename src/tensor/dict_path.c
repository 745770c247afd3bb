/* Values by their dotted paths. */
#include <string.h>

#include "tensor/dict.h"

/* Deeper paths than this are of no checkpoint; each level may try several splits of the path. */
enum { DEPTH_MAX = 200 };

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

static bool find(graft_dict *d, const char *path, accepts_fn *accepts, int depth, place *out);

/* The value at the key, and in it what of the path comes behind. */
static bool find_behind(graft_dict *d, const graft__key *key, const char *rest, accepts_fn *accepts,
                        int depth, place *out)
{
    const int64_t at = graft__dict_find_key(d, key);
    if (at < 0)
        return false;
    const graft__value *v = &d->entry[at].value;
    if (*rest)
        return graft__is_nested(v->kind) && find(v->dict, rest + 1, accepts, depth - 1, out);
    *out = (place){d, (size_t)at};
    return accepts(v);
}

/* The longest key first: one that holds dots itself goes before the path that it looks like. */
static bool find_in_entries(graft_dict *d, const char *path, accepts_fn *accepts, int depth,
                            place *out)
{
    for (size_t length = strlen(path);; length--) {
        if (path[length] == 0 || path[length] == '.') {
            graft__key key = {.text = path, .length = length};
            if (find_behind(d, &key, path + length, accepts, depth, out))
                return true;
            if (is_decimal(path, length, &key.number)) {
                key = graft__int_key(key.number);
                if (find_behind(d, &key, path + length, accepts, depth, out))
                    return true;
            }
        }
        if (length == 0)
            return false;
    }
}

static bool find(graft_dict *d, const char *path, accepts_fn *accepts, int depth, place *out)
{
    if (depth == 0)
        return false;
    if (find_in_entries(d, path, accepts, depth, out))
        return true;
    if (d->attributes && find(d->attributes, path, accepts, depth - 1, out))
        return true;
    return d->args && strncmp(path, "args.", 5) == 0 &&
           find(d->args, path + 5, accepts, depth - 1, out);
}

static bool find_path(const graft_dict *d, const char *path, accepts_fn *accepts, place *out)
{
    /* Paths lead to what may be changed, whatever the way there promises. */
    return d && path && find((graft_dict *)(uintptr_t)d, path, accepts, DEPTH_MAX, out);
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
