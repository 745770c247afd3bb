#include "cli/glob.h"

#include <string.h>

enum { STEPS = 1000000 }; /* of one match: then it is none, so that no pattern takes forever */

/* The character class at *glob, which stands at '['; whether it has c. NULL if it has no end. */
static const char *class_end(const char *glob, char c, bool *has)
{
    const char *p = glob + 1;
    const bool not = *p == '!' || *p == '^';
    bool found = false;
    p += not ;
    for (const char *first = p; *p && (*p != ']' || p == first); p++) {
        if (p[1] == '-' && p[2] && p[2] != ']') {
            found |=
                (unsigned char)c >= (unsigned char)p[0] && (unsigned char)c <= (unsigned char)p[2];
            p += 2;
        } else {
            found |= *p == c;
        }
    }
    *has = found != not ;
    return *p ? p + 1 : NULL;
}

/* The '}' that belongs to the '{' at p; NULL if there is none. */
static const char *brace_end(const char *p)
{
    int depth = 0;
    for (; *p; p++) {
        depth += (*p == '{') - (*p == '}');
        if (depth == 0)
            return p;
    }
    return NULL;
}

/* A pattern in pieces: what is left of this one, and what comes behind it. */
typedef struct piece {
    const char *at, *end;
    const struct piece *next;
} piece;

static bool matches(piece p, const char *name, int *steps);

static bool either(const piece *p, const char *close, const char *name, int *steps)
{
    const piece behind = {close + 1, p->end, p->next};
    const char *begin = p->at + 1;
    int depth = 0;
    for (const char *c = begin; c <= close; c++) {
        if ((*c == ',' && depth == 0) || c == close) {
            if (matches((piece){begin, c, &behind}, name, steps))
                return true;
            begin = c + 1;
        }
        depth += (*c == '{') - (*c == '}');
    }
    return false;
}

static bool matches(piece p, const char *name, int *steps)
{
    for (;;) {
        if (--*steps < 0)
            return false;
        if (p.at == p.end) {
            if (!p.next)
                return !*name;
            p = *p.next;
            continue;
        }
        const char *close;
        bool has;
        if (*p.at == '*') {
            p.at++;
            for (;; name++) {
                if (matches(p, name, steps))
                    return true;
                if (!*name || *steps < 0)
                    return false;
            }
        }
        if (*p.at == '{' && (close = brace_end(p.at)) && close < p.end)
            return either(&p, close, name, steps);
        if (!*name)
            return false;
        if (*p.at == '[' && (close = class_end(p.at, *name, &has)) && close <= p.end) {
            if (!has)
                return false;
            p.at = close;
        } else {
            const bool literal = *p.at == '\\' && p.at + 1 < p.end;
            p.at += literal;
            if (*p.at != *name && (literal || *p.at != '?'))
                return false;
            p.at++;
        }
        name++;
    }
}

bool glob_matches(const char *glob, const char *name)
{
    int steps = STEPS;
    return matches((piece){glob, glob + strlen(glob), NULL}, name, &steps);
}

bool glob_any(const cli_texts *globs, const char *name)
{
    for (size_t i = 0; i < globs->count; i++)
        if (glob_matches(globs->at[i], name))
            return true;
    return globs->count == 0;
}
