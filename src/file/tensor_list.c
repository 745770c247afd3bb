#include "file/tensor_list.h"

#include <string.h>

#include "base/sort.h"
#include "base/vector.h"

enum { MAX_DEPTH = 1000, MAX_NAMES = 10000000 };

void graft__tensor_list_init(graft__tensor_list *l, graft_ctx *g)
{
    *l = (graft__tensor_list){.g = g};
    graft__text_init(&l->names, g);
}

void graft__tensor_list_free(graft__tensor_list *l)
{
    graft__free(l->g, l->item, l->capacity * sizeof *l->item);
    if (l->by_name)
        graft__free(l->g, l->by_name, l->count * sizeof *l->by_name);
    graft__text_free(&l->names);
    graft__tensor_list_init(l, l->g);
}

const char *graft__listed_name(const graft__tensor_list *l, size_t i)
{
    return l->names.data + l->item[i].name;
}

graft_status graft__tensor_list_add(graft__tensor_list *l, const char *begin, const char *name,
                                    size_t length, const graft_dict *parent, size_t entry)
{
    if (l->count == MAX_NAMES)
        return graft__fail(l->g, GRAFT_ERR_ARGUMENT, "%s: more than %d tensors", begin, MAX_NAMES);
    if (!graft__vector_reserve(l->g, (void **)&l->item, l->count, &l->capacity, sizeof *l->item))
        return graft__fail_memory(l->g, l->count * sizeof *l->item, begin);
    l->item[l->count++] = (graft__listed){
        .name = l->names.length,
        .length = length,
        .parent = parent,
        .entry = entry,
        .tensor = parent->entry[entry].value.tensor,
    };
    graft__text_addn(&l->names, name, length);
    graft__text_addn(&l->names, "", 1);
    return l->names.failed ? graft__fail_memory(l->g, length, begin) : GRAFT_OK;
}

/* ---- Walking ---- */

typedef struct level {
    const graft_dict *d;
    size_t next;   /* entry */
    size_t length; /* of the path to d, with its last dot */
} level;

typedef struct walk {
    graft__tensor_list *out;
    const char *begin;
    graft__text path;
    level *level;
    size_t depth, capacity;
    size_t visited; /* dicts that stand in many places could go on for ever without a tensor */
} walk;

static graft_status no_memory(walk *w)
{
    return graft__fail_memory(w->out->g, w->path.length, w->begin);
}

static graft_status enter(walk *w, const graft_dict *d)
{
    if (w->depth == MAX_DEPTH)
        return graft__fail(w->out->g, GRAFT_ERR_ARGUMENT, "%s: nested deeper than %d", w->begin,
                           MAX_DEPTH);
    if (!graft__vector_reserve(w->out->g, (void **)&w->level, w->depth, &w->capacity,
                               sizeof *w->level))
        return no_memory(w);
    w->level[w->depth++] = (level){.d = d, .length = w->path.length};
    return GRAFT_OK;
}

static const char *kind_text(graft_value_kind kind)
{
    static const char *const text[] = {
        [GRAFT_VALUE_NONE] = "None",
        [GRAFT_VALUE_BOOL] = "a bool",
        [GRAFT_VALUE_INT] = "an integer",
        [GRAFT_VALUE_FLOAT] = "a float",
        [GRAFT_VALUE_STRING] = "a string",
        [GRAFT_VALUE_RECORD] = "an object of class ",
        [GRAFT_VALUE_BYTES] = "bytes",
        [GRAFT_VALUE_BIG_INT] = "an integer",
        [GRAFT_VALUE_COMPLEX] = "a complex number",
    };
    const size_t i = (size_t)kind;
    return i < sizeof text / sizeof *text && text[i] ? text[i] : "a value";
}

static graft_status refuse(walk *w, const graft__value *v)
{
    const char *class_name = v->kind == GRAFT_VALUE_RECORD ? graft_dict_class(v->dict) : NULL;
    return graft__fail(w->out->g, GRAFT_ERR_ARGUMENT,
                       "%s: '%s' is %s%s: this format holds tensors only", w->begin, w->path.data,
                       kind_text(v->kind), class_name ? class_name : "");
}

/* Appends the key of entry i to the path. */
static graft_status add_key(walk *w, const graft_dict *d, size_t i)
{
    const graft__value *key = &d->entry[i].key;
    const char *name = graft__entry_name(d, i);
    if (!name)
        return no_memory(w);
    graft__text_addn(&w->path, name,
                     key->kind == GRAFT_VALUE_STRING ? key->text.length : strlen(name));
    return w->path.failed ? no_memory(w) : GRAFT_OK;
}

static graft_status visit(walk *w, const graft_dict *d, size_t i)
{
    const graft__value *v = &d->entry[i].value;
    graft_status status = add_key(w, d, i);
    if (status != GRAFT_OK)
        return status;
    if (w->visited++ == MAX_NAMES)
        return graft__fail(w->out->g, GRAFT_ERR_ARGUMENT, "%s: more than %d values", w->begin,
                           MAX_NAMES);
    if (v->kind == GRAFT_VALUE_TENSOR)
        return graft__tensor_list_add(w->out, w->begin, w->path.data, w->path.length, d, i);
    if (!graft__is_nested(v->kind) || v->kind == GRAFT_VALUE_RECORD)
        return refuse(w, v);
    graft__text_add(&w->path, ".");
    return w->path.failed ? no_memory(w) : enter(w, v->dict);
}

static graft_status walk_all(walk *w, const graft_dict *d)
{
    graft_status status = enter(w, d);
    while (status == GRAFT_OK && w->depth > 0) {
        level *top = &w->level[w->depth - 1];
        graft__text_cut(&w->path, top->length);
        if (top->next == top->d->count)
            w->depth--;
        else
            status = visit(w, top->d, top->next++);
    }
    return status;
}

graft_status graft__tensor_list_of(const graft_dict *d, const char *begin, graft__tensor_list *out)
{
    graft_ctx *g = d->object.ctx;
    graft__tensor_list_init(out, g);
    walk w = {.out = out, .begin = begin};
    graft__text_init(&w.path, g);
    graft__text_add(&w.path, ""); /* so that there is a text */
    graft_status status;
    if (d->container == GRAFT_VALUE_RECORD)
        status =
            graft__fail(g, GRAFT_ERR_ARGUMENT,
                        "%s: the root is an object of class %s: this format holds tensors only",
                        begin, d->class_name ? d->class_name : "?");
    else
        status = walk_all(&w, d);
    graft__free(g, w.level, w.capacity * sizeof *w.level);
    graft__text_free(&w.path);
    if (status != GRAFT_OK)
        graft__tensor_list_free(out);
    return status;
}

/* ---- Sorting ---- */

static int compare(const graft__tensor_list *l, size_t a, size_t b)
{
    const size_t x = l->item[a].length, y = l->item[b].length;
    const int order = memcmp(graft__listed_name(l, a), graft__listed_name(l, b), x < y ? x : y);
    return order != 0 ? order : (x > y) - (x < y);
}

static bool before(const void *user, uint32_t a, uint32_t b)
{
    return compare(user, a, b) < 0;
}

graft_status graft__tensor_list_sort(graft__tensor_list *l, const char *begin)
{
    if (l->count == 0 || l->by_name)
        return GRAFT_OK;
    const size_t bytes = l->count * sizeof *l->by_name;
    uint32_t *scratch = graft__alloc(l->g, bytes);
    l->by_name = graft__alloc(l->g, bytes);
    if (!scratch || !l->by_name) {
        graft__free(l->g, scratch, bytes);
        return graft__fail_memory(l->g, bytes, begin);
    }
    for (size_t i = 0; i < l->count; i++)
        l->by_name[i] = (uint32_t)i;
    graft__sort(l->by_name, scratch, l->count, before, l);
    graft__free(l->g, scratch, bytes);
    for (size_t i = 1; i < l->count; i++)
        if (compare(l, l->by_name[i - 1], l->by_name[i]) == 0)
            return graft__fail(l->g, GRAFT_ERR_NAME, "%s: two tensors have the name '%s'", begin,
                               graft__listed_name(l, l->by_name[i]));
    return GRAFT_OK;
}
