/* Names against globs and patterns, in memory of fixed size and in time that grows with the product
 * of both lengths, whatever they hold. */
#include <string.h>

#include "base/text.h"
#include "copy/rules.h"

/* ---- Globs: all places of the glob where the name so far can stand ---- */

/* after[p]: of a comma or brace that ends an alternative, the place behind the braces; else 0.
 * alternative[p]: of what begins one (brace or comma), what ends it; else 0. */
typedef struct glob {
    const char *text;
    uint16_t after[GRAFT__GLOB_MAX + 1], alternative[GRAFT__GLOB_MAX + 1];
} glob;

/* The places, each once, and a stack of those whose followers are still to be added. */
typedef struct places {
    uint64_t has[GRAFT__GLOB_MAX / 64 + 1];
    uint16_t place[GRAFT__GLOB_MAX + 1];
    size_t count;
} places;

/* The length of "[...]" at text; 0 if it is not closed: then [ is a character. The first character
 * inside may be ]. */
static size_t set_length(const char *text)
{
    size_t i = 1;
    i += text[i] == '!' || text[i] == '^';
    i += text[i] == ']';
    while (text[i] && text[i] != ']')
        i++;
    return text[i] ? i + 1 : 0;
}

/* Where alternatives begin and end. Braces that are not closed are characters. */
static void see_braces(glob *g)
{
    uint16_t open[GRAFT__GLOB_MAX],
        last[GRAFT__GLOB_MAX]; /* the brace, and what began last in it */
    size_t depth = 0;
    const char *text = g->text;
    const size_t length = strlen(text);
    memset(g->after, 0, (length + 1) * sizeof *g->after);
    memset(g->alternative, 0, (length + 1) * sizeof *g->alternative);
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '[' && set_length(text + i) > 0) {
            i += set_length(text + i) - 1;
        } else if (text[i] == '{') {
            open[depth] = last[depth] = (uint16_t)i;
            depth++;
        } else if (depth > 0 && (text[i] == ',' || text[i] == '}')) {
            g->alternative[last[depth - 1]] = (uint16_t)i;
            last[depth - 1] = (uint16_t)i;
            if (text[i] == ',')
                continue;
            depth--;
            for (size_t p = open[depth]; p != i; p = g->alternative[p])
                g->after[g->alternative[p]] = (uint16_t)(i + 1);
        }
    }
    while (depth-- > 0)
        for (size_t p = open[depth], next; p != last[depth]; p = next) {
            next = g->alternative[p];
            g->alternative[p] = 0;
        }
}

static void add(places *at, size_t p)
{
    if (at->has[p / 64] >> p % 64 & 1)
        return;
    at->has[p / 64] |= (uint64_t)1 << p % 64;
    at->place[at->count++] = (uint16_t)p;
}

/* Adds what can be reached from the places without a character of the name. */
static void follow(const glob *g, places *at)
{
    for (size_t i = 0; i < at->count; i++) {
        const size_t p = at->place[i];
        if (g->after[p]) {
            add(at, g->after[p]);
        } else if (g->text[p] == '*') {
            add(at, p + 1);
        } else if (g->text[p] == '{' && g->alternative[p]) {
            for (size_t begin = p; g->text[begin] != '}'; begin = g->alternative[begin])
                add(at, begin + 1);
        }
    }
}

static bool in_set(const char *set, size_t length, unsigned char c)
{
    const unsigned char *s = (const unsigned char *)set + 1,
                        *end = (const unsigned char *)set + length - 1;
    const bool negated = *s == '!' || *s == '^';
    bool found = false;
    for (s += negated; s < end; s++) {
        if (s + 2 < end && s[1] == '-') {
            found |= s[0] <= c && c <= s[2];
            s += 2;
        } else {
            found |= *s == c;
        }
    }
    return found != negated;
}

/* The places behind the first byte of the name. A character of several bytes is one to ?. */
static void step(const glob *g, const places *from, const char *name, places *to)
{
    const unsigned char c = (unsigned char)name[0];
    const bool goes_on = ((unsigned char)name[1] & 0xC0) == 0x80;
    memset(to->has, 0, sizeof to->has);
    to->count = 0;
    for (size_t i = 0; i < from->count; i++) {
        const size_t p = from->place[i];
        const char *text = g->text + p;
        if (*text == 0 || g->after[p])
            continue;
        const size_t set = *text == '[' ? set_length(text) : 0;
        if (*text == '*')
            add(to, p);
        else if (set > 0 && in_set(text, set, c))
            add(to, p + set);
        else if (*text == '?')
            add(to, goes_on ? p : p + 1);
        else if (set == 0 && !g->alternative[p] && (unsigned char)*text == c)
            add(to, p + 1);
    }
    follow(g, to);
}

bool graft_glob(const char *text, const char *name)
{
    if (!text || !name)
        return false;
    const size_t length = strlen(text);
    if (length > GRAFT__GLOB_MAX || strpbrk(text, "*?[{") == NULL)
        return strcmp(text, name) == 0;
    glob g = {.text = text};
    places a, b, *now = &a, *next = &b;
    see_braces(&g);
    memset(a.has, 0, sizeof a.has);
    a.count = 0;
    add(now, 0);
    follow(&g, now);
    for (; *name && now->count > 0; name++) {
        step(&g, now, name, next);
        places *swap = now;
        now = next;
        next = swap;
    }
    return *name == 0 && now->has[length / 64] >> length % 64 & 1;
}

/* ---- Patterns ---- */

size_t graft__pattern_stars(const char *pattern)
{
    size_t stars = 0;
    for (; *pattern; pattern++)
        stars += *pattern == '*';
    return stars;
}

typedef struct piece {
    const char *begin;
    size_t length;
} piece;

static piece next_piece(const char *pattern)
{
    return (piece){pattern, strcspn(pattern, "*")};
}

/* Where the piece first stands in the name; NULL: nowhere. */
static const char *find(const char *name, piece p)
{
    if (p.length == 0)
        return name;
    for (; (name = strchr(name, p.begin[0])) != NULL; name++)
        if (strncmp(name, p.begin, p.length) == 0)
            return name;
    return NULL;
}

/* What the stars stand for in the name. If a name fits at all it does with each star as short as it
 * can be, as that leaves most to the others; but the last takes what is left. */
static bool fit(const char *pattern, const char *name, piece *star)
{
    piece p = next_piece(pattern);
    if (strncmp(name, p.begin, p.length) != 0)
        return false;
    name += p.length;
    pattern += p.length;
    while (*pattern) {
        p = next_piece(pattern + 1);
        pattern = p.begin + p.length;
        const size_t left = strlen(name);
        const char *found = *pattern          ? find(name, p)
                            : left < p.length ? NULL
                                              : name + left - p.length;
        if (!found || strncmp(found, p.begin, p.length) != 0)
            return false;
        *star++ = (piece){name, (size_t)(found - name)};
        name = found + p.length;
    }
    return *name == 0;
}

bool graft__pattern(graft_ctx *g, const char *pattern, const char *name, const char *to, char **out)
{
    piece star[GRAFT__STARS_MAX];
    if (out)
        *out = NULL;
    if (graft__pattern_stars(pattern) > GRAFT__STARS_MAX || !fit(pattern, name, star))
        return false;
    if (!to)
        return true;
    graft__text text;
    graft__text_init(&text, g);
    for (size_t stars = 0; *to; to++) {
        const piece part = *to == '*' ? star[stars++] : (piece){to, 1};
        graft__text_addn(&text, part.begin, part.length);
    }
    *out = graft__text_take(&text);
    return true;
}
