#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/vector.h"
#include "copy/both.h"
#include "copy/diff_parts.h"
#include "tensor/dtype.h"

static const int64_t VALUES_MAX = 10000000;

static graft__diff_place *add_place(graft__diff_side *s, const char *prefix, const char *name)
{
    graft__text text;
    graft__text_init(&text, s->g);
    if (prefix) {
        graft__text_add(&text, prefix);
        graft__text_add(&text, ".");
    }
    graft__text_add(&text, name);
    char *copy = graft__text_take(&text);
    if (!copy)
        return NULL;
    if (!graft__vector_reserve(s->g, (void **)&s->place, s->count, &s->capacity,
                               sizeof *s->place)) {
        graft__text_release(s->g, copy);
        graft__fail_memory(s->g, sizeof *s->place, "diff");
        return NULL;
    }
    graft__diff_place *p = &s->place[s->count++];
    *p = (graft__diff_place){.name = copy, .mate = SIZE_MAX};
    return p;
}

typedef struct visitor {
    graft__diff_side *side;
    const char *prefix;
    bool tensors, others; /* which are wanted */
} visitor;

/* PyTorch's notes in a state dict on versions of modules, which say nothing of it and which no
 * other format has. */
static bool is_metadata(const char *path)
{
    static const char step[] = "_metadata";
    const size_t length = sizeof step - 1;
    for (const char *at = strstr(path, step); at; at = strstr(at + 1, step))
        if ((at == path || at[-1] == '.') && (at[length] == '.' || at[length] == 0))
            return true;
    return false;
}

static graft_status visit(void *user, const char *path, graft_dict *parent, size_t i)
{
    const visitor *v = user;
    const graft__value *value = &parent->entry[i].value;
    if (value->kind == GRAFT_VALUE_TENSOR ? !v->tensors : !v->others || is_metadata(path))
        return GRAFT_OK;
    graft__diff_place *p = add_place(v->side, v->prefix, path);
    if (!p)
        return GRAFT_ERR_MEMORY;
    p->value = value;
    return GRAFT_OK;
}

/* A quantized tensor that no rule has made numbers of: the tensors that it consists of. */
static graft_status add_item(graft__diff_side *s, const graft__item *item)
{
    const graft__node *n = item->node;
    if (n->quantised) {
        visitor v = {.side = s, .prefix = item->name, .tensors = true};
        return graft__dict_walk(n->dict->entry[n->entry].value.dict, "diff", VALUES_MAX, visit, &v);
    }
    graft__diff_place *p = add_place(s, NULL, item->name);
    if (!p)
        return GRAFT_ERR_MEMORY;
    p->node = graft__node_ref(item->node);
    p->item = item->adapts > 0 ? item : NULL;
    return GRAFT_OK;
}

static graft_status add_items(graft__diff_side *s, graft_dict *d, const graft_rules *rules)
{
    graft_status status = graft__items_of(&s->items, d);
    if (status)
        return status;
    s->has_items = true;
    status = graft__rules_apply(rules, &s->items);
    for (size_t i = 0; i < s->items.count && !status; i++)
        status = add_item(s, &s->items.item[i]);
    return status;
}

graft_status graft__diff_side_of(graft__diff_side *s, const graft_dict *d, const graft_rules *rules)
{
    *s = (graft__diff_side){.g = d->object.ctx};
    const bool plain = !rules || graft_rules_len(rules) == 0;
    graft_status status = GRAFT_OK;
    if (!plain) /* nodes hold it, and read it alone */
        status = add_items(s, (graft_dict *)(uintptr_t)d, rules);
    visitor v = {.side = s, .tensors = plain, .others = true};
    return status ? status : graft__dict_walk(d, "diff", VALUES_MAX, visit, &v);
}

graft_status graft__diff_adapt(graft__diff_side *a, const graft__diff_side *b,
                               const graft_rules *rules)
{
    for (size_t i = 0; i < a->count; i++) {
        graft__diff_place *p = &a->place[i];
        graft_tensor_info target;
        if (!p->item || p->mate == SIZE_MAX || !graft__diff_info(&b->place[p->mate], &target))
            continue;
        graft__node *n = graft__item_adapt(rules, p->item, &target.shape, target.dtype,
                                           graft__diff_tensor(&b->place[p->mate]));
        if (!n) { /* or in b's context, of whose tensor it takes rows */
            graft__tell_both(a->g, b->g);
            return graft_error_status(a->g);
        }
        graft__node_unref(p->node);
        p->node = n;
    }
    return GRAFT_OK;
}

static void drop_place(const graft__diff_side *s, size_t i)
{
    graft__text_release(s->g, s->place[i].name);
    graft__node_unref(s->place[i].node);
}

void graft__diff_side_end(graft__diff_side *s)
{
    for (size_t i = 0; i < s->count; i++)
        drop_place(s, i);
    if (s->has_items)
        graft__items_free(&s->items);
    graft__free(s->g, s->place, s->capacity * sizeof *s->place);
    *s = (graft__diff_side){.g = s->g};
}

graft_tensor *graft__diff_tensor(const graft__diff_place *p)
{
    if (p->value)
        return p->value->kind == GRAFT_VALUE_TENSOR ? p->value->tensor : NULL;
    return p->node->step ? NULL : p->node->dict->entry[p->node->entry].value.tensor;
}

bool graft__diff_info(const graft__diff_place *p, graft_tensor_info *out)
{
    const graft_tensor *t = graft__diff_tensor(p);
    if (p->value && !t)
        return false;
    if (t) {
        *out = (graft_tensor_info){
            .dtype = t->dtype,
            .shape = graft_shape_of(t->ndim, t->size),
            .storage_offset = t->offset,
            .bytes = graft__tensor_bytes(t),
            .storage_bytes = t->storage->buffer->size,
            .requires_grad = t->requires_grad,
            .parameter = t->parameter,
        };
        memcpy(out->stride, t->stride, (size_t)t->ndim * sizeof *t->stride);
        return true;
    }
    *out = (graft_tensor_info){.dtype = p->node->dtype, .shape = p->node->shape};
    int64_t n = 1;
    for (int i = 0; i < out->shape.ndim; i++)
        n *= out->shape.size[i];
    graft__contiguous_strides(out->shape.ndim, out->shape.size, out->stride);
    graft__dtype_bytes(out->dtype, n, &out->bytes);
    out->storage_bytes = out->bytes;
    return true;
}
