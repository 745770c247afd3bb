#include "copy/guess.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/vector.h"

enum {
    TRIES = 4,          /* wanted names, and spare ones for each, that suggest a prefix */
    SAMPLE = 1 << 12,   /* spare names by which a prefix is judged among others */
    PAIRS = 1 << 16,    /* wanted times spare names up to which near ones are looked for */
    MAX_NAME = 120,     /* bytes of a name up to which it is compared letter by letter */
    MAX_DISTANCE = 4,   /* edits between near names, */
    BYTES_PER_EDIT = 3, /* and no more than one for so many bytes */
};

bool graft__guess_add(graft__guess_names *names, const char *name, const graft_shape *shape)
{
    void *items = names->name;
    const bool room = graft__vector_reserve(names->ctx, &items, names->count, &names->capacity,
                                            sizeof *names->name);
    names->name = items;
    if (room)
        names->name[names->count++] = (graft__guess_name){.name = name, .shape = *shape};
    return room;
}

void graft__guess_free(graft__guess_names *names)
{
    if (names->sorted)
        graft__free(names->ctx, names->sorted, names->count * sizeof(graft__guess_name *));
    graft__free(names->ctx, names->name, names->capacity * sizeof *names->name);
    *names = (graft__guess_names){.ctx = names->ctx};
}

/* ---- Prefixes ---- */

static int compare_names(const void *a, const void *b)
{
    return strcmp((*(graft__guess_name *const *)a)->name, (*(graft__guess_name *const *)b)->name);
}

static bool sort_names(graft__guess_names *names)
{
    if (names->sorted)
        return true;
    names->sorted = graft__alloc(names->ctx, names->count * sizeof(graft__guess_name *));
    if (!names->sorted)
        return false;
    for (size_t i = 0; i < names->count; i++)
        names->sorted[i] = &names->name[i];
    qsort(names->sorted, names->count, sizeof(graft__guess_name *), compare_names);
    return true;
}

/* strcmp of a name and of head and rest behind each other. */
static int compare_made(const char *name, const char *head, size_t length, const char *rest)
{
    const int order = strncmp(name, head, length);
    return order ? order : strcmp(name + length, rest);
}

graft__guess_name *graft__guess_find(graft__guess_names *names, const char *head, size_t length,
                                     const char *rest)
{
    size_t low = 0, high = sort_names(names) ? names->count : 0;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = compare_made(names->sorted[middle]->name, head, length, rest);
        if (order == 0)
            return names->sorted[middle]->solved ? NULL : names->sorted[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* Bytes of the longest common end of both that begins behind a dot or with the name. */
static size_t common_end(const char *a, const char *b)
{
    const size_t na = strlen(a), nb = strlen(b);
    size_t n = 0, best = 0;
    while (n < na && n < nb && a[na - 1 - n] == b[nb - 1 - n]) {
        n++;
        if ((n == na || a[na - 1 - n] == '.') && (n == nb || b[nb - 1 - n] == '.'))
            best = n;
    }
    return best;
}

/* The wanted name that a name becomes by the change of prefix, or NULL. */
static graft__guess_name *becomes(const graft__guess_prefix *p, const char *name,
                                  graft__guess_names *wanted)
{
    return strncmp(name, p->from, p->from_length) == 0
               ? graft__guess_find(wanted, p->to, p->to_length, name + p->from_length)
               : NULL;
}

/* Counts what of every step-th spare name it explains. */
static void judge(const graft__guess_names *spare, size_t step, graft__guess_names *wanted,
                  graft__guess_prefix *p)
{
    p->explains = p->alike = 0;
    for (size_t i = 0; i < spare->count; i += step) {
        const graft__guess_name *s = &spare->name[i];
        const graft__guess_name *w = s->solved ? NULL : becomes(p, s->name, wanted);
        p->explains += w != NULL;
        p->alike += w && graft__equal_shapes(&s->shape, &w->shape);
    }
}

static bool is_better(const graft__guess_prefix *p, const graft__guess_prefix *q)
{
    return p->alike != q->alike ? p->alike > q->alike : p->explains > q->explains;
}

/* Tries the prefixes that a wanted name and those spare ones suggest that share the longest end
 * with it. */
static void try_prefixes(const graft__guess_names *spare, graft__guess_names *wanted,
                         const char *name, graft__guess_prefix *best)
{
    size_t longest = 1;
    for (size_t i = 0; i < spare->count; i++) {
        const size_t end = spare->name[i].solved ? 0 : common_end(name, spare->name[i].name);
        longest = end > longest ? end : longest;
    }
    const size_t step = spare->count / SAMPLE + 1;
    int tries = 0;
    for (size_t i = 0; i < spare->count && tries < TRIES; i++) {
        const char *other = spare->name[i].name;
        if (spare->name[i].solved || common_end(name, other) != longest)
            continue;
        graft__guess_prefix p = {
            .from = other,
            .to = name,
            .from_length = strlen(other) - longest,
            .to_length = strlen(name) - longest,
        };
        judge(spare, step, wanted, &p);
        if (is_better(&p, best))
            *best = p;
        tries++;
    }
}

bool graft__guess_prefix_of(graft__guess_names *wanted, const graft__guess_names *spare,
                            graft__guess_prefix *out)
{
    *out = (graft__guess_prefix){.explains = 0};
    size_t tries = 0;
    for (size_t i = 0; i < wanted->count && tries < TRIES; i++) {
        if (wanted->name[i].solved)
            continue;
        try_prefixes(spare, wanted, wanted->name[i].name, out);
        tries++;
    }
    for (size_t i = 0; i < spare->count; i++)
        out->of += !spare->name[i].solved;
    if (out->explains > 0)
        judge(spare, 1, wanted, out);
    return out->explains > 0;
}

void graft__guess_solve(graft__guess_names *wanted, graft__guess_names *spare,
                        const graft__guess_prefix *prefix)
{
    for (size_t i = 0; i < spare->count; i++) {
        graft__guess_name *s = &spare->name[i];
        graft__guess_name *w = s->solved ? NULL : becomes(prefix, s->name, wanted);
        if (w)
            s->solved = w->solved = true;
    }
}

/* ---- Slips of the finger ---- */

static int least(int a, int b, int c)
{
    const int ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/* Levenshtein's distance; `limit` + 1 if it is larger than limit. */
static int distance(const char *a, size_t na, const char *b, size_t nb, int limit)
{
    int row[MAX_NAME + 1];
    if (na > nb + (size_t)limit || nb > na + (size_t)limit)
        return limit + 1;
    for (size_t j = 0; j <= nb; j++)
        row[j] = (int)j;
    for (size_t i = 1; i <= na; i++) {
        int diagonal = row[0], smallest = row[0] = (int)i;
        for (size_t j = 1; j <= nb; j++) {
            const int here = least(row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = row[j];
            row[j] = here;
            smallest = here < smallest ? here : smallest;
        }
        if (smallest > limit)
            return limit + 1;
    }
    return row[nb] > limit ? limit + 1 : row[nb];
}

static bool are_too_many(const graft__guess_names *wanted, const graft__guess_names *spare)
{
    size_t pairs = 0;
    return !graft__mul_size(wanted->count, spare->count, &pairs) || pairs > PAIRS;
}

size_t graft__guess_near(const graft__guess_names *wanted, size_t i,
                         const graft__guess_names *spare)
{
    const graft__guess_name *w = &wanted->name[i];
    const size_t length = strlen(w->name);
    if (are_too_many(wanted, spare) || length > MAX_NAME)
        return GRAFT__GUESS_NONE;
    int limit = (int)(length / BYTES_PER_EDIT);
    limit = limit < MAX_DISTANCE ? limit : MAX_DISTANCE;
    size_t near = GRAFT__GUESS_NONE;
    for (size_t k = 0; k < spare->count && limit > 0; k++) {
        const graft__guess_name *s = &spare->name[k];
        if (s->solved || !graft__equal_shapes(&s->shape, &w->shape))
            continue;
        const size_t n = strlen(s->name);
        const int d = n > MAX_NAME ? limit + 1 : distance(w->name, length, s->name, n, limit);
        if (d <= limit) {
            near = k;
            limit = d - 1;
        }
    }
    return near;
}

/* The only name of a shape among those that are not solved; NONE if there are none or several. */
static size_t only_of(const graft__guess_names *names, const graft_shape *shape)
{
    size_t found = GRAFT__GUESS_NONE;
    for (size_t k = 0; k < names->count; k++) {
        if (names->name[k].solved || !graft__equal_shapes(&names->name[k].shape, shape))
            continue;
        if (found != GRAFT__GUESS_NONE)
            return GRAFT__GUESS_NONE;
        found = k;
    }
    return found;
}

size_t graft__guess_alike(const graft__guess_names *wanted, size_t i,
                          const graft__guess_names *spare)
{
    const graft_shape *shape = &wanted->name[i].shape;
    if (are_too_many(wanted, wanted) || are_too_many(wanted, spare) || shape->ndim == 0 ||
        only_of(wanted, shape) != i)
        return GRAFT__GUESS_NONE;
    return only_of(spare, shape);
}
