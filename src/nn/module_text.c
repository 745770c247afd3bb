/* A tree of modules as PyTorch prints it. */
#include <string.h>

#include "base/error.h"
#include "nn/module.h"

typedef struct printer {
    graft__text text;
    size_t open; /* modules whose bracket is open: those on the way to the last one printed */
} printer;

static void new_line(graft__text *t, size_t depth)
{
    graft__text_add(t, "\n");
    for (size_t i = 0; i < depth; i++)
        graft__text_add(t, "  ");
}

/* Closes what is open below the first `depth` modules. */
static void close_to(printer *p, size_t depth)
{
    while (p->open > depth) {
        new_line(&p->text, --p->open);
        graft__text_add(&p->text, ")");
    }
}

static void add_lines(graft__text *t, const char *lines, size_t depth)
{
    for (;;) {
        const size_t length = strcspn(lines, "\n");
        new_line(t, depth);
        graft__text_addn(t, lines, length);
        if (!lines[length])
            return;
        lines += length + 1;
    }
}

static graft_status print_module(void *user, const char *path, graft_module *m, bool first)
{
    (void)first;
    printer *p = user;
    size_t depth = *path ? 1 : 0;
    const char *name = path;
    for (const char *c = path; *c; c++) {
        if (*c == '.') {
            depth++;
            name = c + 1;
        }
    }
    if (depth) {
        close_to(p, depth);
        new_line(&p->text, depth);
        graft__text_addf(&p->text, "(%s): ", name);
    }
    graft__text_addf(&p->text, "%s(", m->type->name);
    char extra[1024] = "";
    if (m->type->extra_repr)
        m->type->extra_repr(m, extra, sizeof extra);
    const bool one_line = !m->state->children && !strchr(extra, '\n');
    if (one_line)
        graft__text_addf(&p->text, "%s)", extra);
    else if (*extra)
        add_lines(&p->text, extra, depth + 1);
    if (m->state->children)
        p->open = depth + 1;
    else if (!one_line) {
        new_line(&p->text, depth);
        graft__text_add(&p->text, ")");
    }
    return p->text.failed ? graft__fail_memory(m->ctx, p->text.length, "the text of a module")
                          : GRAFT_OK;
}

static graft_status write_tree(const graft_module *m, printer *p)
{
    graft__text_init(&p->text, m->ctx);
    const graft__visitor v = {.all_names = true, .user = p, .module = print_module};
    const graft_status status = graft__visit(m, &v);
    if (status)
        graft__text_free(&p->text);
    else
        close_to(p, 0);
    return status;
}

char *graft_module_text(const graft_module *m)
{
    printer p = {.open = 0};
    if (!m || write_tree(m, &p))
        return NULL;
    return graft__text_take(&p.text);
}

graft_status graft_module_print(const graft_module *m, FILE *stream)
{
    if (!m)
        return GRAFT_ERR_ARGUMENT;
    if (!stream)
        return graft__fail(m->ctx, GRAFT_ERR_ARGUMENT, "module_print: the stream is NULL");
    char *text = graft_module_text(m);
    if (!text)
        return graft_error_status(m->ctx);
    const bool ok = fputs(text, stream) >= 0 && fputc('\n', stream) != EOF;
    graft_text_free(m->ctx, text);
    return ok ? GRAFT_OK : graft__fail(m->ctx, GRAFT_ERR_IO, "module_print: cannot write");
}
