#include "cli/dtype.h"

#include <string.h>

static const struct {
    const char *prefix, *brief;
} brief[] = {{"float", "f"}, {"bfloat", "bf"}, {"uint", "u"}, {"int", "i"}, {"complex", "c"}};

const char *dtype_short(graft_dtype dtype, char out[DTYPE_TEXT])
{
    const char *const name = graft_dtype_name(dtype);
    snprintf(out, DTYPE_TEXT, "%s", name);
    for (size_t i = 0; i < sizeof brief / sizeof *brief; i++) {
        const size_t n = strlen(brief[i].prefix);
        if (strncmp(name, brief[i].prefix, n) == 0)
            snprintf(out, DTYPE_TEXT, "%s%s", brief[i].brief, name + n);
    }
    return out;
}

bool dtype_parse(const char *name, graft_dtype *dtype)
{
    for (int i = 0; i < GRAFT_DTYPES; i++) {
        char text[DTYPE_TEXT];
        *dtype = (graft_dtype)i;
        if (strcmp(name, graft_dtype_name(*dtype)) == 0 ||
            strcmp(name, dtype_short(*dtype, text)) == 0)
            return true;
    }
    return false;
}

const char *shape_text(const graft_shape *shape, char out[SHAPE_TEXT])
{
    size_t n = (size_t)snprintf(out, SHAPE_TEXT, "[");
    for (int i = 0; i < shape->ndim; i++)
        n += (size_t)snprintf(out + n, SHAPE_TEXT - n, "%s%lld", i ? ", " : "",
                              (long long)shape->size[i]);
    snprintf(out + n, SHAPE_TEXT - n, "]");
    return out;
}

int64_t shape_elements(const graft_shape *shape)
{
    int64_t n = 1;
    for (int i = 0; i < shape->ndim; i++)
        n *= shape->size[i];
    return n;
}
