#include "file/torch.h"

#include "base/text.h"

graft_status graft__torch_wrong(const graft__torch_call *c, size_t i, const char *what,
                                const char *expected)
{
    graft__text text;
    graft__text_init(&text, c->r->g);
    if (i < c->args->count)
        graft__value_repr(&text, &c->args->entry[i].value, 60);
    graft_status status =
        graft__fault(c->r, GRAFT_FAULT_TENSOR, c->r->pickle_offset, "%s: %s is %s: expected %s",
                     c->name, what, text.data ? text.data : "not given", expected);
    graft__text_free(&text);
    return status;
}

graft_status graft__torch_count(const graft__torch_call *c, size_t least, size_t most)
{
    if (c->args->count >= least && c->args->count <= most)
        return GRAFT_OK;
    if (least == most)
        return graft__fault(c->r, GRAFT_FAULT_TENSOR, c->r->pickle_offset,
                            "%s: %zu arguments: expected %zu", c->name, c->args->count, least);
    return graft__fault(c->r, GRAFT_FAULT_TENSOR, c->r->pickle_offset,
                        "%s: %zu arguments: expected %zu to %zu", c->name, c->args->count, least,
                        most);
}

graft_status graft__torch_int(const graft__torch_call *c, size_t i, const char *what, int64_t *out)
{
    if (i >= c->args->count || c->args->entry[i].value.kind != GRAFT_VALUE_INT)
        return graft__torch_wrong(c, i, what, "an integer");
    *out = c->args->entry[i].value.integer;
    return GRAFT_OK;
}

graft_status graft__torch_bool(const graft__torch_call *c, size_t i, const char *what, bool *out)
{
    const graft__value *v = i < c->args->count ? &c->args->entry[i].value : NULL;
    if (v && v->kind == GRAFT_VALUE_BOOL)
        *out = v->boolean;
    else if (v && v->kind == GRAFT_VALUE_INT && (v->integer == 0 || v->integer == 1))
        *out = v->integer == 1;
    else
        return graft__torch_wrong(c, i, what, "True or False");
    return GRAFT_OK;
}

graft_status graft__torch_tuple(const graft__torch_call *c, size_t i, const char *what,
                                graft_dict **out)
{
    const graft__value *v = i < c->args->count ? &c->args->entry[i].value : NULL;
    if (!v || (v->kind != GRAFT_VALUE_TUPLE && v->kind != GRAFT_VALUE_LIST))
        return graft__torch_wrong(c, i, what, "a tuple");
    *out = v->dict;
    return GRAFT_OK;
}

graft_status graft__torch_sizes(const graft__torch_call *c, size_t i, const char *what,
                                graft_shape *out)
{
    graft_dict *list = NULL;
    graft_status status = graft__torch_tuple(c, i, what, &list);
    if (status != GRAFT_OK)
        return status;
    if (list->count > GRAFT_MAX_DIMS)
        return graft__fault(c->r, GRAFT_FAULT_SHAPE, c->r->pickle_offset,
                            "%s: %s has %zu dimensions: expected at most %d", c->name, what,
                            list->count, GRAFT_MAX_DIMS);
    out->ndim = (int)list->count;
    for (size_t k = 0; k < list->count; k++) {
        if (list->entry[k].value.kind != GRAFT_VALUE_INT)
            return graft__torch_wrong(c, i, what, "integers of 64 bits");
        out->size[k] = list->entry[k].value.integer;
    }
    return GRAFT_OK;
}
