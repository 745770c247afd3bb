#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

void graft__text_init(graft__text *t, graft_ctx *g)
{
    *t = (graft__text){.ctx = g};
}

/* Room for n more bytes and the 0. */
static bool reserve(graft__text *t, size_t n)
{
    size_t wanted = 0;
    if (t->failed)
        return false;
    if (!graft__add_size(t->length, n, &wanted) || !graft__add_size(wanted, 1, &wanted)) {
        t->failed = true;
        return false;
    }
    if (wanted <= t->capacity)
        return true;
    if (wanted < 2 * t->capacity)
        wanted = 2 * t->capacity;
    char *grown = graft__realloc(t->ctx, t->data, t->capacity, wanted);
    if (!grown) {
        t->failed = true;
        return false;
    }
    t->data = grown;
    t->capacity = wanted;
    return true;
}

void graft__text_reserve(graft__text *t, size_t n)
{
    (void)reserve(t, n);
}

void graft__text_addn(graft__text *t, const char *s, size_t n)
{
    if (!reserve(t, n))
        return;
    memcpy(t->data + t->length, s, n);
    t->length += n;
    t->data[t->length] = 0;
}

void graft__text_add(graft__text *t, const char *s)
{
    graft__text_addn(t, s, strlen(s));
}

void graft__text_addf(graft__text *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0 || !reserve(t, (size_t)n))
        return;
    va_start(args, format);
    vsnprintf(t->data + t->length, (size_t)n + 1, format, args);
    va_end(args);
    t->length += (size_t)n;
}

void graft__text_cut(graft__text *t, size_t length)
{
    if (length >= t->length)
        return;
    t->length = length;
    t->data[length] = 0;
}

char *graft__text_take(graft__text *t)
{
    if (!reserve(t, 0)) {
        graft__fail_memory(t->ctx, t->length + 1, "text");
        graft__text_free(t);
        return NULL;
    }
    t->data[t->length] = 0;
    /* The size of the block must be known from the text alone. */
    char *exact = graft__realloc(t->ctx, t->data, t->capacity, t->length + 1);
    if (!exact) {
        graft__fail_memory(t->ctx, t->length + 1, "text");
        graft__text_free(t);
        return NULL;
    }
    graft__text_init(t, t->ctx);
    return exact;
}

void graft__text_free(graft__text *t)
{
    graft__free(t->ctx, t->data, t->capacity);
    graft__text_init(t, t->ctx);
}

void graft__text_release(graft_ctx *g, char *s)
{
    if (g && s)
        graft__free(g, s, strlen(s) + 1);
}

void graft_text_free(graft_ctx *g, char *text)
{
    graft__text_release(g, text);
}
