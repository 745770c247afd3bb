#include "base/error.h"

#include <stdio.h>
#include <string.h>

#include "base/ctx.h"

const char *graft_status_name(graft_status status)
{
    switch (status) {
    case GRAFT_OK:
        return "GRAFT_OK";
    case GRAFT_ERR_ARGUMENT:
        return "GRAFT_ERR_ARGUMENT";
    case GRAFT_ERR_SHAPE:
        return "GRAFT_ERR_SHAPE";
    case GRAFT_ERR_DTYPE:
        return "GRAFT_ERR_DTYPE";
    case GRAFT_ERR_MEMORY:
        return "GRAFT_ERR_MEMORY";
    case GRAFT_ERR_STATE:
        return "GRAFT_ERR_STATE";
    case GRAFT_ERR_NAME:
        return "GRAFT_ERR_NAME";
    case GRAFT_ERR_IO:
        return "GRAFT_ERR_IO";
    case GRAFT_ERR_FORMAT:
        return "GRAFT_ERR_FORMAT";
    case GRAFT_ERR_CANCELLED:
        return "GRAFT_ERR_CANCELLED";
    }
    return "(no status)";
}

/* Marks a text that did not fit, in front of the character that the mark begins in. */
static void cut_off(char *text, size_t size)
{
    size_t at = size - 4;
    while (at > 0 && ((unsigned char)text[at] & 0xC0) == 0x80)
        at--;
    memcpy(text + at, "...", 4);
}

graft_status graft__fail(graft_ctx *g, graft_status status, const char *format, ...)
{
    if (!g || g->error.status != GRAFT_OK)
        return status;
    graft__error *e = &g->error;
    e->status = status;
    e->fault = 0;
    e->offset = -1;
    va_list args;
    va_start(args, format);
    int length = vsnprintf(e->small, sizeof e->small, format, args);
    va_end(args);
    e->text = e->small;
    e->text_size = 0;
    if (length < 0 || (size_t)length < sizeof e->small)
        return status;
    char *block = graft__alloc(g, (size_t)length + 1);
    if (!block) {
        cut_off(e->small, sizeof e->small);
        return status;
    }
    va_start(args, format);
    vsnprintf(block, (size_t)length + 1, format, args);
    va_end(args);
    e->text = block;
    e->text_size = (size_t)length + 1;
    return status;
}

graft_status graft__fail_memory(graft_ctx *g, size_t size, const char *what)
{
    return graft__fail(g, GRAFT_ERR_MEMORY, "%s: out of memory: %zu bytes were wanted", what, size);
}

void graft__error_append(graft_ctx *g, const char *format, ...)
{
    if (!g || g->error.status == GRAFT_OK)
        return;
    graft__error *e = &g->error;
    char more[256];
    va_list args;
    va_start(args, format);
    vsnprintf(more, sizeof more, format, args);
    va_end(args);
    size_t old = strlen(e->text), added = strlen(more);
    if (e->text == e->small && old + added < sizeof e->small) {
        memcpy(e->small + old, more, added + 1);
        return;
    }
    char *block = graft__alloc(g, old + added + 1);
    if (!block)
        return;
    memcpy(block, e->text, old);
    memcpy(block + old, more, added + 1);
    if (e->text != e->small)
        graft__free(g, e->text, e->text_size);
    e->text = block;
    e->text_size = old + added + 1;
}

graft__error graft__error_put_aside(graft_ctx *g)
{
    const graft__error e = g->error;
    g->error.status = GRAFT_OK;
    g->error.text_size = 0; /* a block goes along with e */
    return e;
}

void graft__error_put_back(graft_ctx *g, const graft__error *e)
{
    graft_clear_error(g);
    g->error = *e;
    if (e->status != GRAFT_OK && e->text_size == 0)
        g->error.text = g->error.small;
}

const char *graft_error(const graft_ctx *g)
{
    return g && g->error.status != GRAFT_OK ? g->error.text : NULL;
}

graft_status graft_error_status(const graft_ctx *g)
{
    return g ? g->error.status : GRAFT_ERR_ARGUMENT;
}

void graft_clear_error(graft_ctx *g)
{
    if (!g)
        return;
    if (g->error.text_size)
        graft__free(g, g->error.text, g->error.text_size);
    g->error.status = GRAFT_OK;
    g->error.fault = 0;
    g->error.offset = -1;
    g->error.text = NULL;
    g->error.text_size = 0;
}
