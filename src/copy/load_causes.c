/* What may be behind names that do not meet: another prefix, a dict in the dict, a slip of the
 * finger. Only guesses for messages: where there is no memory for one it is left out. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "copy/load_words.h"

enum {
    TRIES = 4,          /* missing names, and unexpected ones for each, that suggest a prefix */
    PAIRS = 1 << 16,    /* missing times unexpected names up to which near ones are looked for */
    MAX_NAME = 120,     /* bytes of a name up to which it is compared letter by letter */
    MAX_DISTANCE = 4,   /* edits between near names, */
    BYTES_PER_EDIT = 3, /* and no more than one for so many bytes */
};

static bool is_missing(const graft__load_entry *e)
{
    return e->action == GRAFT_LOAD_MISSING;
}

static bool is_unexpected(const graft__load_entry *e)
{
    return e->action == GRAFT_LOAD_UNEXPECTED && e->src;
}

/* ---- Prefixes ---- */

/* Names of the dict that start with `from` would be the model's if they started with `to`. */
typedef struct prefix {
    const char *from, *to;
    size_t from_length, to_length;
    size_t explains; /* how many unexpected names */
} prefix;

/* The missing names, sorted. */
typedef struct names {
    const char **name;
    size_t count;
} names;

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool collect_missing(const graft__load_plan *plan, names *out)
{
    size_t wanted = graft__load_plan_count(plan, GRAFT_LOAD_MISSING);
    *out = (names){.name = graft__alloc(plan->ctx, wanted * sizeof *out->name)};
    if (!out->name)
        return false;
    for (size_t i = 0; i < plan->count; i++)
        if (is_missing(&plan->entry[i]))
            out->name[out->count++] = plan->entry[i].name;
    qsort(out->name, out->count, sizeof *out->name, compare_names);
    return true;
}

/* Bytes of the longest common end of both that begins behind a dot or with the name. */
static size_t common_end(const char *a, const char *b)
{
    size_t na = strlen(a), nb = strlen(b), n = 0, best = 0;
    while (n < na && n < nb && a[na - 1 - n] == b[nb - 1 - n]) {
        n++;
        if ((n == na || a[na - 1 - n] == '.') && (n == nb || b[nb - 1 - n] == '.'))
            best = n;
    }
    return best;
}

/* Whether a name becomes one of the missing by the change of prefix. */
static bool becomes_missing(const prefix *p, const char *name, const names *missing)
{
    if (strncmp(name, p->from, p->from_length) != 0)
        return false;
    const char *rest = name + p->from_length;
    size_t low = 0, high = missing->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strncmp(missing->name[middle], p->to, p->to_length);
        if (order == 0)
            order = strcmp(missing->name[middle] + p->to_length, rest);
        if (order == 0)
            return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

static void judge_prefix(const graft__load_plan *plan, const names *missing, prefix *p)
{
    for (size_t i = 0; i < plan->count; i++)
        p->explains +=
            is_unexpected(&plan->entry[i]) && becomes_missing(p, plan->entry[i].name, missing);
}

/* Tries the prefixes that a missing name and those unexpected ones suggest that share the longest
 * end with it. */
static void try_prefixes(const graft__load_plan *plan, const names *missing, const char *name,
                         prefix *best)
{
    size_t longest = 1;
    for (size_t i = 0; i < plan->count; i++) {
        size_t end = is_unexpected(&plan->entry[i]) ? common_end(name, plan->entry[i].name) : 0;
        longest = end > longest ? end : longest;
    }
    int tries = 0;
    for (size_t i = 0; i < plan->count && tries < TRIES; i++) {
        const char *other = plan->entry[i].name;
        if (!is_unexpected(&plan->entry[i]) || common_end(name, other) != longest)
            continue;
        prefix p = {
            .from = other,
            .to = name,
            .from_length = strlen(other) - longest,
            .to_length = strlen(name) - longest,
        };
        judge_prefix(plan, missing, &p);
        if (p.explains > best->explains)
            *best = p;
        tries++;
    }
}

static void add_prefix(const prefix *p, size_t unexpected, graft__text *out)
{
    bool all = p->explains == unexpected;
    graft__text_addf(out, "\n  %s the %zu unexpected names ", all ? "all of" : "most of",
                     unexpected);
    if (p->from_length)
        graft__text_addf(out, "start with \"%.*s\"", (int)p->from_length, p->from);
    else
        graft__text_addf(out, "lack \"%.*s\"", (int)p->to_length, p->to);
    if (p->from_length == strlen("module.") && strncmp(p->from, "module.", p->from_length) == 0)
        graft__text_add(out, ", as torch.nn.DataParallel saves them");
    graft__text_addf(out,
                     ": graft_dict_rename_prefix(state, \"%.*s\", \"%.*s\", NULL) would give them "
                     "the model's names",
                     (int)p->from_length, p->from, (int)p->to_length, p->to);
}

static bool explain_prefix(const graft__load_plan *plan, size_t unexpected, graft__text *out)
{
    names missing;
    if (!collect_missing(plan, &missing))
        return false;
    prefix best = {.explains = 0};
    size_t tries = 0;
    for (size_t i = 0; i < plan->count && tries < TRIES; i++) {
        if (is_missing(&plan->entry[i])) {
            try_prefixes(plan, &missing, plan->entry[i].name, &best);
            tries++;
        }
    }
    bool found = 2 * best.explains > unexpected;
    if (found)
        add_prefix(&best, unexpected, out);
    graft__free(plan->ctx, missing.name, missing.count * sizeof *missing.name);
    return found;
}

/* ---- A dict in the dict ---- */

static bool explain_nesting(const graft__load_plan *plan, size_t missing, graft__text *out)
{
    for (size_t i = 0; i < plan->count; i++) {
        const graft__load_entry *e = &plan->entry[i];
        const graft_dict *inner = graft_dict_dict_at(plan->state, e->place);
        if (!inner || e->action != GRAFT_LOAD_UNEXPECTED)
            continue;
        size_t found = 0;
        for (size_t j = 0; j < plan->count; j++)
            found +=
                is_missing(&plan->entry[j]) && graft_dict_find(inner, plan->entry[j].name) >= 0;
        if (2 * found <= missing)
            continue;
        graft__text_addf(out,
                         "\n  the dict under \"%s\" has %zu of the %zu missing names: "
                         "graft_dict_dict(state, \"%s\") may be what is to be loaded",
                         e->name, found, missing, e->name);
        return true;
    }
    return false;
}

bool graft__load_causes(const graft__load_plan *plan, graft__text *out)
{
    size_t missing = 0, unexpected = 0;
    for (size_t i = 0; i < plan->count; i++) {
        missing += is_missing(&plan->entry[i]);
        unexpected += is_unexpected(&plan->entry[i]);
    }
    if (missing == 0)
        return false;
    return (unexpected > 0 && explain_prefix(plan, unexpected, out)) ||
           explain_nesting(plan, missing, out);
}

/* ---- Slips of the finger ---- */

static int least(int a, int b, int c)
{
    int ab = a < b ? a : b;
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
            int here = least(row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = row[j];
            row[j] = here;
            smallest = here < smallest ? here : smallest;
        }
        if (smallest > limit)
            return limit + 1;
    }
    return row[nb] > limit ? limit + 1 : row[nb];
}

const graft__load_entry *graft__load_near_miss(const graft__load_plan *plan,
                                               const graft__load_entry *missing)
{
    size_t length = strlen(missing->name);
    size_t pairs = 0;
    if (!graft__mul_size(graft__load_plan_count(plan, GRAFT_LOAD_MISSING),
                         graft__load_plan_count(plan, GRAFT_LOAD_UNEXPECTED), &pairs) ||
        pairs > PAIRS || length > MAX_NAME)
        return NULL;
    int limit = (int)(length / BYTES_PER_EDIT);
    limit = limit < MAX_DISTANCE ? limit : MAX_DISTANCE;
    const graft__load_entry *near = NULL;
    for (size_t i = 0; i < plan->count && limit > 0; i++) {
        const graft__load_entry *e = &plan->entry[i];
        if (!is_unexpected(e) || !graft__same_shape(e->src, missing->dst))
            continue;
        size_t n = strlen(e->name);
        int d = n > MAX_NAME ? limit + 1 : distance(missing->name, length, e->name, n, limit);
        if (d <= limit) {
            near = e;
            limit = d - 1;
        }
    }
    return near;
}
