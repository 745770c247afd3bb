/* A growing string, in a context's memory. */
#ifndef GRAFT__BASE_TEXT_H
#define GRAFT__BASE_TEXT_H

#include "graft/base.h"

typedef struct graft__text {
    graft_ctx *ctx;
    char *data; /* NULL, or 0-terminated */
    size_t length, capacity;
    bool failed; /* memory ran out: data is what went in before that */
} graft__text;

void graft__text_init(graft__text *t, graft_ctx *g);

/* Makes room for n more bytes, so that a long text need not be moved as it grows. */
void graft__text_reserve(graft__text *t, size_t n);

void graft__text_add(graft__text *t, const char *s);
void graft__text_addn(graft__text *t, const char *s, size_t n);
void graft__text_addf(graft__text *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Cuts back to a length. */
void graft__text_cut(graft__text *t, size_t length);

/* The string as a block that graft__text_release frees; NULL and an error set if it failed. The
 * text is empty afterwards. */
char *graft__text_take(graft__text *t);

void graft__text_free(graft__text *t);

/* Frees what graft__text_take gave. */
void graft__text_release(graft_ctx *g, char *s);

#endif
