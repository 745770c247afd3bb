/* Slices as Python writes them, without steps. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cat.h"
#include "cli/dtype.h"
#include "cli/say.h"

typedef struct part {
    bool is_index, is_rest; /* else start:end */
    bool has_start, has_end;
    int64_t start, end;
} part;

const char *cat_slice_of(const char *name)
{
    const size_t length = strlen(name);
    const char *const open = strrchr(name, '[');
    return length && name[length - 1] == ']' ? open : NULL;
}

static const char *skip_blanks(const char *p)
{
    while (*p == ' ')
        p++;
    return p;
}

/* A whole number at p, if there is one; NULL if it is too large. */
static const char *read_number(const char *p, int64_t *value, bool *has)
{
    char *end;
    p = skip_blanks(p);
    *has = isdigit((unsigned char)*p) || ((*p == '-' || *p == '+') && isdigit((unsigned char)p[1]));
    if (!*has)
        return p;
    errno = 0;
    *value = strtoll(p, &end, 10);
    return errno ? NULL : skip_blanks(end);
}

/* What stands up to the next ',' or ']'; NULL if it is none of the forms. */
static const char *read_part(const char *p, part *out)
{
    *out = (part){.start = 0};
    p = skip_blanks(p);
    if (strncmp(p, "...", 3) == 0) {
        out->is_rest = true;
        return skip_blanks(p + 3);
    }
    p = read_number(p, &out->start, &out->has_start);
    if (p && *p == ':')
        return read_number(p + 1, &out->end, &out->has_end);
    out->is_index = out->has_start;
    return p && out->is_index ? p : NULL;
}

static int64_t clamp(int64_t i, int64_t size)
{
    i += i < 0 ? size : 0;
    return i < 0 ? 0 : i > size ? size : i;
}

/* One part, for dimension *dim, which moves on. */
static graft_tensor *apply(cli_call *call, graft_tensor *t, const part *p, int *dim)
{
    const int64_t size = graft_size(t, *dim);
    if (p->is_index) {
        if (p->start < -size || p->start >= size) {
            say(call, "index %lld: expected %lld to %lld in dimension of size %lld",
                (long long)p->start, (long long)-size, (long long)size - 1, (long long)size);
            return NULL;
        }
        return graft_select(t, *dim, p->start);
    }
    const int64_t start = p->has_start ? clamp(p->start, size) : 0;
    const int64_t end = p->has_end ? clamp(p->end, size) : size;
    graft_tensor *const narrow =
        start == 0 && end == size ? t : graft_narrow(t, *dim, start, end > start ? end - start : 0);
    ++*dim;
    return narrow;
}

static graft_tensor *fail(cli_call *call, const char *slice)
{
    say(call, "%s: expected parts with commas between, each an index, START:END or ...", slice);
    return NULL;
}

/* The parts; -1 if they are not as they should be. */
static int read_parts(const char *slice, part parts[GRAFT_MAX_DIMS + 1], int *rests)
{
    int count = 0;
    *rests = 0;
    for (const char *p = slice; *p != ']'; count++) {
        if (count > GRAFT_MAX_DIMS || !(p = read_part(p + 1, &parts[count])) ||
            (*p != ',' && *p != ']'))
            return -1;
        *rests += parts[count].is_rest;
    }
    return *rests > 1 ? -1 : count;
}

graft_tensor *cat_slice(cli_call *call, graft_tensor *t, const char *slice)
{
    part parts[GRAFT_MAX_DIMS + 1];
    int rests, dim = 0;
    const int count = read_parts(slice, parts, &rests), ndim = graft_ndim(t);
    if (count < 0)
        return fail(call, slice);
    if (count - rests > ndim) {
        const graft_shape shape = graft_tensor_shape(t);
        char text[SHAPE_TEXT];
        say(call, "%s: %d parts for a tensor of shape %s", slice, count - rests,
            shape_text(&shape, text));
        return NULL;
    }
    for (int i = 0; t && i < count; i++) {
        if (parts[i].is_rest)
            dim += ndim - (count - 1);
        else if (!(t = apply(call, t, &parts[i], &dim)) && graft_error(call->g))
            say_error(call);
    }
    return t;
}
