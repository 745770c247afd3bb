/* Modules as a tree: names taken apart at their dots. */
#include <stdlib.h>
#include <string.h>

#include "cli/dtype.h"
#include "cli/ls.h"
#include "cli/say.h"
#include "cli/sizes.h"
#include "cli/table.h"

enum { INDENT = 4, DEEPEST = 1000 };

typedef struct node {
    const char *name; /* one component */
    size_t length;
    size_t parent, first, last, next; /* 0, the root, where there is none */
    const ls_entry *entry;            /* of a tensor; a module has none */
    uint64_t tensors, elements, bytes;
} node;

typedef struct tree {
    node *nodes;
    size_t count, room;
    size_t *slots; /* of nodes by parent and name; 0: free */
    size_t slot_count;
} tree;

/* ---- Making it ---- */

static size_t hash(size_t parent, const char *name, size_t length)
{
    uint64_t h = 14695981039346656037u ^ parent;
    for (size_t i = 0; i < length; i++)
        h = (h ^ (unsigned char)name[i]) * 1099511628211u;
    return (size_t)(h ^ h >> 29);
}

static size_t append(tree *t, size_t parent, const char *name, size_t length)
{
    const size_t i = t->count++;
    t->nodes[i] = (node){.name = name, .length = length, .parent = parent};
    node *const p = &t->nodes[parent];
    if (p->first)
        t->nodes[p->last].next = i;
    else
        p->first = i;
    p->last = i;
    return i;
}

static size_t child(tree *t, size_t parent, const char *name, size_t length)
{
    size_t slot = hash(parent, name, length) & (t->slot_count - 1);
    for (; t->slots[slot]; slot = (slot + 1) & (t->slot_count - 1)) {
        const node *const n = &t->nodes[t->slots[slot]];
        if (n->parent == parent && n->length == length && memcmp(n->name, name, length) == 0)
            return t->slots[slot];
    }
    return t->slots[slot] = append(t, parent, name, length);
}

static void add(tree *t, const ls_entry *e, bool counts)
{
    size_t at = 0;
    int depth = 0;
    const char *name = e->name;
    for (const char *dot; depth < DEEPEST && (dot = strchr(name, '.')); name = dot + 1, depth++)
        at = child(t, at, name, (size_t)(dot - name));
    at = append(t, at, name, strlen(name)); /* a tensor is none of its namesakes */
    t->nodes[at].entry = e;
    for (;; at = t->nodes[at].parent) {
        node *const n = &t->nodes[at];
        n->tensors++;
        n->elements += counts ? (uint64_t)shape_elements(&e->info.shape) : 0;
        n->bytes += counts ? e->info.bytes : 0;
        if (at == 0)
            return;
    }
}

static size_t components(const ls_file *f)
{
    size_t n = 1;
    for (size_t i = 0; i < f->listed_count; i++) {
        n++;
        for (const char *c = f->entries[f->listed[i]].name; *c; c++)
            n += *c == '.';
    }
    return n;
}

static bool make(tree *t, const ls_file *f)
{
    t->room = components(f);
    for (t->slot_count = 16; t->slot_count < 2 * t->room;)
        t->slot_count *= 2;
    t->nodes = calloc(t->room, sizeof *t->nodes);
    t->slots = calloc(t->slot_count, sizeof *t->slots);
    if (!t->nodes || !t->slots)
        return false;
    t->count = 1;
    for (size_t i = 0; i < f->listed_count; i++) {
        const ls_entry *const e = &f->entries[f->listed[i]];
        add(t, e, e->same == LS_NONE || !f->entries[e->same].listed);
    }
    return true;
}

/* ---- Printing it ---- */

typedef struct lines {
    bool more[DEEPEST + 2]; /* whether a level has nodes to come */
    const char *pass, *fork, *last, *none;
} lines;

static char *label(const lines *l, const node *n, int depth)
{
    char *text = NULL;
    size_t size = 0;
    FILE *const out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    for (int i = 0; i < depth; i++)
        fputs(l->more[i] ? l->pass : l->none, out);
    fputs(l->more[depth] ? l->fork : l->last, out);
    if (n->length)
        fwrite(n->name, 1, n->length, out);
    else
        fputs("\"\"", out);
    return fclose(out) == 0 ? text : NULL;
}

static void add_line(table *rows, const ls_file *f, const lines *l, const node *n, int depth)
{
    char a[SIZE_TEXT], dtype[DTYPE_TEXT], shape[SHAPE_TEXT];
    char *const text = label(l, n, depth);
    table_styled(rows, n->entry ? TERMINAL_PLAIN : TERMINAL_BLUE, text ? text : "?");
    free(text);
    table_cell(rows, size_text(n->bytes, a));
    if (!n->entry) {
        table_cellf(rows, "%s", count_text(n->elements, a));
        table_cellf(rows, "%s tensor%s", count_text(n->tensors, a), n->tensors == 1 ? "" : "s");
        return;
    }
    table_cell(rows, count_text(n->elements, a));
    const int64_t same = n->entry->same;
    table_cellf(rows, "%s %s%s%s", dtype_short(n->entry->info.dtype, dtype),
                shape_text(&n->entry->info.shape, shape), same == LS_NONE ? "" : " = ",
                same == LS_NONE ? "" : ls_name(&f->entries[same]));
}

static void add_lines(table *rows, const ls_file *f, const tree *t, lines *l, int64_t depth_limit)
{
    int depth = 0;
    for (size_t at = t->nodes[0].first; at;) {
        const node *const n = &t->nodes[at];
        l->more[depth] = n->next != 0;
        add_line(rows, f, l, n, depth);
        if (n->first && depth + 1 < depth_limit) {
            at = n->first;
            depth++;
            continue;
        }
        for (; at && !t->nodes[at].next; depth--)
            at = t->nodes[at].parent;
        at = at ? t->nodes[at].next : 0;
    }
}

bool ls_print_tree(cli_call *call, const ls_file *f)
{
    const ls_options *const o = call->options;
    tree t = {.nodes = NULL};
    lines *const l = calloc(1, sizeof *l);
    table *const rows = table_new("lrrl");
    bool ok = l && make(&t, f);
    if (ok) {
        const bool u = call->out.utf8;
        l->pass = u ? "\u2502   " : "|   ";
        l->fork = u ? "\u251C\u2500\u2500 " : "|-- ";
        l->last = u ? "\u2514\u2500\u2500 " : "`-- ";
        l->none = "    ";
        add_lines(rows, f, &t, l, o->depth ? o->depth : DEEPEST);
        ok = table_print(rows, &call->out, 0);
    }
    table_free(rows);
    free(l);
    free(t.nodes);
    free(t.slots);
    if (!ok)
        say(call, "%s: out of memory", open_name(f->path));
    return ok;
}
