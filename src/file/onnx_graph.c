/* The tensors of ONNX's graphs: initializers, Constant nodes, and the same of graphs inside. */
#include "file/onnx.h"

#include "base/text.h"

#include <string.h>

/* GraphProto, NodeProto, AttributeProto */
enum { GRAPH_NODE = 1, GRAPH_INITIALIZER = 5, GRAPH_SPARSE = 15 };
enum { FUNCTION_NAME = 1, FUNCTION_NODE = 7 };
enum { NODE_OUTPUT = 2, NODE_NAME = 3, NODE_TYPE = 4, NODE_ATTRIBUTE = 5, NODE_DOMAIN = 7 };
enum { ATTRIBUTE_NAME = 1, ATTRIBUTE_GRAPH = 6, ATTRIBUTE_GRAPHS = 11 };

/* Graphs inside are walked by recursion. */
enum { DEEPEST = 64 };

typedef struct walk {
    graft__onnx *o;
    graft__text
        *prefix; /* "loop.body.": of names that others have already; "" for the model's own */
    uint32_t node_field;
    int depth;
    int64_t first; /* entry of the root that is this graph's */
} walk;

typedef struct node {
    graft__name name, type, domain, output;
} node;

static graft_status walk_graph(graft__onnx *o, const graft__pb_field *f, uint32_t node_field,
                               graft__text *prefix, int depth);

/* ---- Names ---- */

/* Names are unique in a graph; those of graphs inside may come again elsewhere, and then they are
 * given with the names of what they are in. */
static graft_status put(walk *w, const graft__name *name, graft__value v)
{
    graft__onnx *o = w->o;
    const graft__key key = {.text = name->text, .length = (size_t)name->length};
    int64_t at = name->length ? graft__dict_find_key(o->root, &key) : -1;
    if (at < 0 || at >= w->first || w->prefix->length == 0)
        return graft__put_named(o->r, o->root, "tensor", name, v);
    size_t before = w->prefix->length;
    graft__text_addn(w->prefix, name->text, (size_t)name->length);
    if (w->prefix->failed) {
        graft__value_drop(o->r->g, &v);
        return graft__fail_memory(o->r->g, before + (size_t)name->length, o->r->op);
    }
    const graft__name full = {
        .text = w->prefix->data, .length = w->prefix->length, .offset = name->offset};
    graft_status status = graft__put_named(o->r, o->root, "tensor", &full, v);
    graft__text_cut(w->prefix, before);
    return status;
}

/* ---- Nodes ---- */

static graft_status read_node(graft__onnx *o, const graft__pb_field *f, node *out)
{
    const graft__name none = {.text = "", .offset = graft__onnx_offset(o, f->where)};
    *out = (node){none, none, none, none};
    graft_status status = graft__onnx_expect(o, f, GRAFT__PB_BYTES);
    graft__pb m = graft__pb_inside(f);
    graft__pb_field g;
    while (status == GRAFT_OK && graft__pb_next(&m, &g)) {
        graft__name *to = g.number == NODE_NAME                                ? &out->name
                          : g.number == NODE_TYPE                              ? &out->type
                          : g.number == NODE_DOMAIN                            ? &out->domain
                          : g.number == NODE_OUTPUT && out->output.length == 0 ? &out->output
                                                                               : NULL;
        if (!to)
            continue;
        status = graft__onnx_expect(o, &g, GRAFT__PB_BYTES);
        if (status == GRAFT_OK)
            *to = graft__onnx_name(o, &g);
    }
    return status == GRAFT_OK ? graft__onnx_end(o, &m) : status;
}

static bool is_word(const graft__name *name, const char *word)
{
    return name->length == strlen(word) && memcmp(name->text, word, strlen(word)) == 0;
}

static graft_status put_constant(walk *w, const graft__pb_field *f)
{
    node n;
    graft_status status = read_node(w->o, f, &n);
    if (status != GRAFT_OK || !is_word(&n.type, "Constant") ||
        (n.domain.length > 0 && !is_word(&n.domain, "ai.onnx")))
        return status;
    graft__pb m = graft__pb_inside(f);
    graft__pb_field g;
    bool found = false;
    while (status == GRAFT_OK && !found && graft__pb_next(&m, &g)) {
        graft__value v = {.kind = GRAFT_VALUE_NONE};
        if (g.number == NODE_ATTRIBUTE)
            status = graft__onnx_constant(w->o, &g, &found, &v);
        if (status == GRAFT_OK && found)
            status = put(w, &n.output, v);
    }
    return status;
}

/* ---- Graphs inside ---- */

static graft_status walk_attribute_graph(walk *w, const node *n, const graft__name *attribute,
                                         const graft__pb_field *f, int64_t index)
{
    graft__reading *r = w->o->r;
    size_t before = w->prefix->length;
    const graft__name *name = n->name.length ? &n->name : n->output.length ? &n->output : &n->type;
    graft__text_addn(w->prefix, name->text, (size_t)name->length);
    graft__text_add(w->prefix, ".");
    graft__text_addn(w->prefix, attribute->text, (size_t)attribute->length);
    if (index >= 0)
        graft__text_addf(w->prefix, ".%lld", (long long)index);
    graft__text_add(w->prefix, ".");
    if (w->prefix->failed)
        return graft__fail_memory(r->g, before + (size_t)name->length, r->op);
    graft_status status = walk_graph(w->o, f, GRAPH_NODE, w->prefix, w->depth + 1);
    graft__text_cut(w->prefix, before);
    return status;
}

static graft_status walk_attribute(walk *w, const node *n, const graft__pb_field *f)
{
    graft__name name = {.text = "", .offset = graft__onnx_offset(w->o, f->where)};
    graft__pb m = graft__pb_inside(f);
    graft__pb_field g;
    graft_status status = graft__onnx_expect(w->o, f, GRAFT__PB_BYTES);
    int64_t index = 0;
    while (status == GRAFT_OK && graft__pb_next(&m, &g)) {
        if (g.number != ATTRIBUTE_NAME && g.number != ATTRIBUTE_GRAPH &&
            g.number != ATTRIBUTE_GRAPHS)
            continue;
        status = graft__onnx_expect(w->o, &g, GRAFT__PB_BYTES);
        if (status != GRAFT_OK)
            return status;
        if (g.number == ATTRIBUTE_NAME)
            name = graft__onnx_name(w->o, &g);
        else
            status =
                walk_attribute_graph(w, n, &name, &g, g.number == ATTRIBUTE_GRAPHS ? index++ : -1);
    }
    return status == GRAFT_OK ? graft__onnx_end(w->o, &m) : status;
}

static graft_status walk_node(walk *w, const graft__pb_field *f)
{
    node n;
    graft_status status = read_node(w->o, f, &n);
    graft__pb m = graft__pb_inside(f);
    graft__pb_field g;
    while (status == GRAFT_OK && graft__pb_next(&m, &g))
        if (g.number == NODE_ATTRIBUTE)
            status = walk_attribute(w, &n, &g);
    return status;
}

/* ---- Graphs ---- */

static graft_status put_initializer(walk *w, const graft__pb_field *f)
{
    graft__name name;
    graft__value v = {.kind = GRAFT_VALUE_NONE};
    graft_status status = f->number == GRAPH_SPARSE ? graft__onnx_sparse(w->o, f, &name, &v)
                                                    : graft__onnx_tensor(w->o, f, &name, &v);
    return status == GRAFT_OK ? put(w, &name, v) : status;
}

/* Its own tensors come before those of graphs inside, so that a name met again is one of another
 * graph or an error. */
enum { INITIALIZERS, CONSTANTS, INSIDE, PASSES };

static graft_status walk_graph(graft__onnx *o, const graft__pb_field *f, uint32_t node_field,
                               graft__text *prefix, int depth)
{
    if (depth == DEEPEST || depth >= o->r->options.max_depth)
        return graft__fault(o->r, GRAFT_FAULT_LIMIT, graft__onnx_offset(o, f->where),
                            "graphs nested deeper than %d", depth);
    walk w = {o, prefix, node_field, depth, graft_dict_len(o->root)};
    for (int pass = INITIALIZERS; pass < PASSES; pass++) {
        graft__pb m = graft__pb_inside(f);
        graft__pb_field g;
        graft_status status = GRAFT_OK;
        while (status == GRAFT_OK && graft__pb_next(&m, &g)) {
            bool initializer = node_field == GRAPH_NODE &&
                               (g.number == GRAPH_INITIALIZER || g.number == GRAPH_SPARSE);
            if (pass == INITIALIZERS && initializer)
                status = put_initializer(&w, &g);
            else if (pass == CONSTANTS && g.number == node_field)
                status = put_constant(&w, &g);
            else if (pass == INSIDE && g.number == node_field)
                status = walk_node(&w, &g);
        }
        if (status == GRAFT_OK)
            status = graft__onnx_end(o, &m);
        if (status != GRAFT_OK)
            return status;
    }
    return GRAFT_OK;
}

graft_status graft__onnx_graph(graft__onnx *o, const graft__pb_field *f, const char *prefix)
{
    graft__text text;
    graft__text_init(&text, o->r->g);
    graft__text_add(&text, prefix);
    graft_status status = text.failed ? graft__fail_memory(o->r->g, strlen(prefix) + 1, o->r->op)
                                      : walk_graph(o, f, GRAPH_NODE, &text, 0);
    graft__text_free(&text);
    return status;
}

graft_status graft__onnx_function(graft__onnx *o, const graft__pb_field *f)
{
    graft__text prefix;
    graft__text_init(&prefix, o->r->g);
    graft__pb m = graft__pb_inside(f);
    graft__pb_field g;
    while (graft__pb_next(&m, &g))
        if (g.number == FUNCTION_NAME && g.wire == GRAFT__PB_BYTES) {
            graft__text_cut(&prefix, 0);
            graft__text_addn(&prefix, (const char *)g.bytes, (size_t)g.size);
        }
    graft__text_add(&prefix, ".");
    graft_status status = graft__onnx_end(o, &m);
    if (status == GRAFT_OK && prefix.failed)
        status = graft__fail_memory(o->r->g, (size_t)f->size, o->r->op);
    if (status == GRAFT_OK)
        status = walk_graph(o, f, FUNCTION_NODE, &prefix, 0);
    graft__text_free(&prefix);
    return status;
}
