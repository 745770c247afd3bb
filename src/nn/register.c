/* Giving children, parameters and buffers to a module. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/vector.h"
#include "graft/autograd.h"
#include "nn/module.h"
#include "nn/register.h"

void graft__tensor_take_name(graft_tensor *t)
{
    if (!graft__disown(&t->object))
        graft__tensor_ref(t);
    t->registrations++;
}

void graft__tensor_release_name(graft_tensor *t)
{
    t->registrations--;
    graft__tensor_unref(t);
}

/* What a registration is called in errors: "parameter 'weight' of Linear". */
typedef struct place {
    const graft_module *m;
    const char *what;
    const char *name;
} place;

static graft_status refuse(place p, graft_status status, const char *why)
{
    return graft__fail(p.m->ctx, status, "%s '%s' of %s: %s", p.what, p.name, p.m->type->name, why);
}

/* What a maker that failed, or a caller who did not look, hands on: the error that is pending. */
static graft_status pending(graft_ctx *g)
{
    return g ? graft_error_status(g) : GRAFT_OK;
}

static graft_status check_name(place p)
{
    const graft__module_state *s = p.m->state;
    if (!p.name || !*p.name)
        return graft__fail(p.m->ctx, GRAFT_ERR_NAME, "%s of %s: the name is %s", p.what,
                           p.m->type->name, p.name ? "empty" : "NULL");
    if (strchr(p.name, '.'))
        return refuse(p, GRAFT_ERR_NAME, "a name must not hold a dot, which separates names");
    for (size_t i = 0; i < s->slots; i++) {
        if (strcmp(s->slot[i].name, p.name) == 0)
            return refuse(p, GRAFT_ERR_NAME,
                          s->slot[i].is_buffer ? "the name is that of a buffer already"
                                               : "the name is that of a parameter already");
    }
    for (size_t i = 0; i < s->children; i++) {
        if (strcmp(s->child[i].name, p.name) == 0)
            return refuse(p, GRAFT_ERR_NAME, "the name is that of a child already");
    }
    return GRAFT_OK;
}

static graft_status field_taken(place p, const char *by)
{
    return graft__fail(p.m->ctx, GRAFT_ERR_ARGUMENT, "%s '%s' of %s: the field is that of '%s'",
                       p.what, p.name, p.m->type->name, by);
}

/* The field's offset in the module's struct. One field may hold one value under several names, but
 * not two: a copy could not tell which. */
static graft_status find_field(place p, const void *field, const void *value, size_t *offset)
{
    const graft__module_state *s = p.m->state;
    *offset = GRAFT__NO_FIELD;
    if (!field)
        return GRAFT_OK;
    const uintptr_t begin = (uintptr_t)p.m, at = (uintptr_t)field;
    const size_t size = p.m->type->size;
    if (at < begin + sizeof(graft_module) || at > begin + size - sizeof(void *) ||
        at % _Alignof(void *) != 0)
        return graft__fail(p.m->ctx, GRAFT_ERR_ARGUMENT,
                           "%s '%s' of %s: the field does not lie in the module's struct (of %zu "
                           "bytes): expected the address of a member of it, or NULL",
                           p.what, p.name, p.m->type->name, size);
    *offset = (size_t)(at - begin);
    for (size_t i = 0; i < s->slots; i++) {
        if (s->slot[i].field == *offset && (const void *)s->slot[i].tensor != value)
            return field_taken(p, s->slot[i].name);
    }
    for (size_t i = 0; i < s->children; i++) {
        if (s->child[i].field == *offset && (const void *)s->child[i].module != value)
            return field_taken(p, s->child[i].name);
    }
    return GRAFT_OK;
}

static void point_field(graft_module *m, size_t field, void *value)
{
    if (field != GRAFT__NO_FIELD)
        memcpy((char *)m + field, &value, sizeof value);
}

graft_status graft__module_add_slot(graft_module *m, const graft__slot *like, graft_tensor *tensor)
{
    graft__module_state *s = m->state;
    void *array = s->slot;
    const bool room =
        graft__vector_reserve(m->ctx, &array, s->slots, &s->slot_capacity, sizeof *s->slot);
    s->slot = array;
    char *name = room ? graft__strdup(m->ctx, like->name) : NULL;
    if (!name)
        return graft__fail_memory(m->ctx, sizeof *s->slot, like->name);
    if (tensor)
        graft__tensor_take_name(tensor);
    s->slot[s->slots] = *like;
    s->slot[s->slots].name = name;
    s->slot[s->slots].tensor = tensor;
    s->slots++;
    point_field(m, like->field, tensor);
    return GRAFT_OK;
}

graft_status graft__module_add_child(graft_module *m, const graft__child *like, graft_module *child)
{
    graft__module_state *s = m->state;
    void *array = s->child;
    const bool room =
        graft__vector_reserve(m->ctx, &array, s->children, &s->child_capacity, sizeof *s->child);
    s->child = array;
    char *name = room ? graft__strdup(m->ctx, like->name) : NULL;
    if (!name)
        return graft__fail_memory(m->ctx, sizeof *s->child, like->name);
    if (!graft__disown(&child->state->object))
        graft__module_ref(child);
    s->child[s->children++] = (graft__child){.name = name, .module = child, .field = like->field};
    point_field(m, like->field, child);
    return GRAFT_OK;
}

void graft__slot_set(graft_module *owner, graft__slot *slot, graft_tensor *tensor)
{
    graft_tensor *old = slot->tensor;
    if (tensor)
        graft__tensor_take_name(tensor);
    slot->tensor = tensor;
    point_field(owner, slot->field, tensor);
    if (old)
        graft__tensor_release_name(old);
}

static graft_status compare(void *user, const char *path, graft_module *m, bool first)
{
    (void)path, (void)first;
    return m == user ? GRAFT_ERR_ARGUMENT : GRAFT_OK;
}

/* Whether child is, or holds, its parent-to-be. A parent that its context owns was never given to
 * anything, so that nothing can hold it. */
static graft_status check_cycle(place p, const graft_module *child)
{
    const graft__object *parent = &p.m->state->object;
    if (child != p.m && parent->owner != GRAFT__OWNER_NONE && parent->refs == 1)
        return GRAFT_OK;
    const graft__visitor search = {.user = (void *)p.m, .module = compare};
    const graft_status status = graft__visit(child, &search);
    if (status == GRAFT_ERR_ARGUMENT)
        return refuse(p, status, "the child is, or holds, the module itself");
    return status;
}

graft_status graft_child(graft_module *parent, const char *name, graft_module **field,
                         graft_module *child)
{
    if (!parent)
        return GRAFT_ERR_ARGUMENT;
    const place p = {parent, "child", name};
    graft_ctx *g = parent->ctx;
    if (!child)
        return pending(g) ? pending(g)
                          : graft__fail(g, GRAFT_ERR_ARGUMENT, "child '%s' of %s is NULL",
                                        name ? name : "", parent->type->name);
    graft_status status = check_name(p);
    if (!status && child->ctx != g)
        status = refuse(p, GRAFT_ERR_ARGUMENT, "the child belongs to another context");
    graft__child c = {.name = (char *)name};
    if (!status)
        status = find_field(p, field, child, &c.field);
    if (!status)
        status = check_cycle(p, child);
    return status ? status : graft__module_add_child(parent, &c, child);
}

static graft_status check_tensor(place p, const graft_tensor *t)
{
    if (t->object.ctx != p.m->ctx)
        return refuse(p, GRAFT_ERR_ARGUMENT, "the tensor belongs to another context");
    if (t->is_gradient)
        return refuse(p, GRAFT_ERR_ARGUMENT, "the tensor is the gradient of another");
    if (t->registrations == UINT16_MAX)
        return refuse(p, GRAFT_ERR_ARGUMENT, "the tensor has 65535 names already");
    return GRAFT_OK;
}

static graft_status check_parameter(place p, const graft_tensor *t)
{
    if (t->history)
        return refuse(p, GRAFT_ERR_STATE,
                      "expected a leaf, but the tensor was made by a recorded operation "
                      "(graft_detach or graft_tensor_clone make leaves)");
    if (!graft_dtype_is_floating(t->dtype))
        return graft__fail(p.m->ctx, GRAFT_ERR_DTYPE,
                           "%s '%s' of %s: expected a floating dtype, not %s", p.what, p.name,
                           p.m->type->name, graft_dtype_name(t->dtype));
    return GRAFT_OK;
}

static graft_status add(place p, const graft__slot *like, void *field, graft_tensor *tensor)
{
    graft_module *m = (graft_module *)p.m;
    if (!tensor && pending(m->ctx))
        return pending(m->ctx);
    graft__slot slot = *like;
    graft_status status = check_name(p);
    if (!status && tensor)
        status = check_tensor(p, tensor);
    if (!status && tensor && !slot.is_buffer)
        status = check_parameter(p, tensor);
    if (!status)
        status = find_field(p, field, tensor, &slot.field);
    if (!status)
        status = graft__module_add_slot(m, &slot, tensor);
    if (!status && tensor && !slot.is_buffer)
        tensor->requires_grad = true;
    return status;
}

graft_status graft_parameter(graft_module *m, const char *name, graft_tensor **field,
                             graft_tensor *tensor)
{
    const graft__slot like = {.name = (char *)name, .persistent = true};
    return m ? add((place){m, "parameter", name}, &like, field, tensor) : GRAFT_ERR_ARGUMENT;
}

graft_status graft_buffer(graft_module *m, const char *name, graft_tensor **field,
                          graft_tensor *tensor, bool persistent)
{
    const graft__slot like = {.name = (char *)name, .is_buffer = true, .persistent = persistent};
    return m ? add((place){m, "buffer", name}, &like, field, tensor) : GRAFT_ERR_ARGUMENT;
}

static graft_status check_same_form(place p, const graft_tensor *is, const graft_tensor *given)
{
    char a[GRAFT__SHAPE_TEXT], b[GRAFT__SHAPE_TEXT];
    if (!graft__same_shape(is, given))
        return graft__fail(p.m->ctx, GRAFT_ERR_SHAPE,
                           "%s '%s' of %s: its shape is %s, but the tensor's is %s", p.what, p.name,
                           p.m->type->name, graft__tensor_shape_text(is, a),
                           graft__tensor_shape_text(given, b));
    if (is->dtype != given->dtype)
        return graft__fail(p.m->ctx, GRAFT_ERR_DTYPE,
                           "%s '%s' of %s: its dtype is %s, but the tensor's is %s", p.what, p.name,
                           p.m->type->name, graft_dtype_name(is->dtype),
                           graft_dtype_name(given->dtype));
    return GRAFT_OK;
}

graft_status graft_set_parameter(graft_module *m, const char *path, graft_tensor *tensor)
{
    if (!m)
        return GRAFT_ERR_ARGUMENT;
    if (!tensor)
        return pending(m->ctx)
                   ? pending(m->ctx)
                   : graft__fail(m->ctx, GRAFT_ERR_ARGUMENT,
                                 "set_parameter: the tensor for '%s' is NULL", path ? path : "");
    graft_module *owner;
    graft__slot *slot;
    graft_status status = graft__find_slot(m, "set_parameter", path, &owner, &slot);
    if (status)
        return status;
    const place p = {owner, slot->is_buffer ? "buffer" : "parameter", slot->name};
    status = check_tensor(p, tensor);
    if (!status)
        status = check_same_form(p, slot->tensor, tensor);
    if (!status && !slot->is_buffer)
        status = check_parameter(p, tensor);
    if (status || tensor == slot->tensor)
        return status;
    /* A tensor that is new here takes the place of the old one, frozen or not; one that has a name
     * elsewhere is as its module has it. */
    if (!slot->is_buffer && tensor->registrations == 0)
        tensor->requires_grad = slot->tensor->requires_grad;
    graft__slot_set(owner, slot, tensor);
    return GRAFT_OK;
}
