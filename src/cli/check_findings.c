#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/check.h"

const char *finding_name(finding_kind kind)
{
    static const char *const names[FINDING_KINDS] = {
        [FINDING_DAMAGED] = "damaged",   [FINDING_CODE] = "code",
        [FINDING_CLASS] = "class",       [FINDING_NAN] = "nan",
        [FINDING_INFINITE] = "infinite", [FINDING_OVERLAP] = "overlap",
        [FINDING_WASTE] = "waste",       [FINDING_TIE] = "tie",
        [FINDING_UNLIKE] = "unlike",
    };
    return names[kind];
}

static bool grow(findings *f)
{
    if (f->count < f->capacity)
        return true;
    const size_t capacity = f->capacity ? 2 * f->capacity : 16;
    finding *at = realloc(f->at, capacity * sizeof *at);
    if (!at)
        return false;
    f->at = at;
    f->capacity = capacity;
    return true;
}

static char *words(const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    const int length = vsnprintf(NULL, 0, format, args);
    char *text = length >= 0 ? malloc((size_t)length + 1) : NULL;
    if (text)
        vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

void find(findings *f, finding_kind kind, const char *name, const char *format, ...)
{
    if (f->ignored[kind])
        return;
    va_list args;
    va_start(args, format);
    finding found = {.kind = kind, .name = strdup(name), .what = words(format, args)};
    va_end(args);
    if (found.name && found.what && grow(f)) {
        f->at[f->count++] = found;
        return;
    }
    free(found.name);
    free(found.what);
    f->out_of_memory = true;
}

void findings_free(findings *f)
{
    for (size_t i = 0; i < f->count; i++) {
        free(f->at[i].name);
        free(f->at[i].what);
    }
    free(f->at);
    f->at = NULL;
    f->count = f->capacity = 0;
}
