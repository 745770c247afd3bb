/* The arguments of rules, one by one. */
#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/number.h"
#include "base/vector.h"
#include "copy/rule_arguments.h"

/* ---- Numbers and choices ---- */

/* The number at the beginning of text, and what comes behind; NULL: there is none between the
 * limits. */
static const char *number_of(const char *text, int64_t least, int64_t most, int64_t *out)
{
    const char *digit = text + (*text == '-' || *text == '+');
    if (*digit < '0' || *digit > '9')
        return NULL;
    char *end;
    errno = 0;
    const long long value = strtoll(text, &end, 10);
    *out = value;
    return errno || value < least || value > most ? NULL : end;
}

static bool whole_number(const char *word, int64_t least, int64_t most, int64_t *out)
{
    const char *end = number_of(word, least, most, out);
    return end && *end == 0;
}

/* "3,4" or "3x4": their count, at most `limit`; 0: it is no such list. */
static size_t numbers_of(const char *word, int64_t least, size_t limit, int64_t *out)
{
    size_t count = 0;
    for (; count < limit; word++) {
        word = number_of(word, least, INT64_MAX, &out[count]);
        if (!word)
            return 0;
        count++;
        if (*word != ',' && *word != 'x')
            return *word ? 0 : count;
    }
    return 0;
}

/* Which of the words "a|b|c" it is, or -1. */
static int choice_of(const char *choices, const char *word)
{
    const size_t length = strlen(word);
    for (int i = 0;; i++) {
        const size_t size = strcspn(choices, "|");
        if (size == length && strncmp(choices, word, size) == 0)
            return i;
        if (choices[size] == 0)
            return -1;
        choices += size + 1;
    }
}

static void print_choice(graft__rule_text *t, const char *choices, int which)
{
    while (which-- > 0)
        choices += strcspn(choices, "|") + 1;
    graft__text_addn(t->out, choices, strcspn(choices, "|"));
}

static void print_int(graft__rule_text *t, const char *before, int64_t number)
{
    graft__text_addf(t->out, "%s%lld", before, (long long)number);
}

static void print_list(graft__rule_text *t, const char *separator, const int64_t *number,
                       size_t count)
{
    for (size_t i = 0; i < count; i++)
        print_int(t, i ? separator : "", number[i]);
}

/* ---- Words ---- */

static bool take_word(graft__rule_text *t, const graft__argument *a, const char *word)
{
    const size_t length = strlen(word);
    (void)a;
    if (length == 0 || length > GRAFT__GLOB_MAX)
        return false;
    t->no_memory = !graft__rule_add_word(t->g, t->rule, word, length);
    return true;
}

static bool take_pattern(graft__rule_text *t, const graft__argument *a, const char *word)
{
    return graft__pattern_stars(word) <= GRAFT__STARS_MAX && t->rule->words <= GRAFT__PARTS_MAX &&
           take_word(t, a, word);
}

static bool take_replacement(graft__rule_text *t, const graft__argument *a, const char *word)
{
    const char *fault = graft__replacement_fault(word, t->rule->regex->re_nsub);
    (void)a;
    if (fault) {
        strncat(t->why, fault, sizeof t->why - 1);
        return false;
    }
    t->no_memory = !graft__rule_add_word(t->g, t->rule, word, strlen(word));
    return true;
}

static bool take_regex(graft__rule_text *t, const graft__argument *a, const char *word)
{
    t->rule->regex = graft__regex_new(t->g, word, t->why);
    if (!t->rule->regex) {
        t->no_memory = t->why[0] == 0;
        return false;
    }
    return take_word(t, a, word);
}

static void print_word(graft__rule_text *t, const graft__argument *a)
{
    (void)a;
    graft__word_quote(t->out, t->rule->word[t->next_word++]);
}

/* ---- Numbers ---- */

static bool take_dim(graft__rule_text *t, const graft__argument *a, const char *word)
{
    int64_t dim;
    if (!whole_number(word, -GRAFT_MAX_DIMS, GRAFT_MAX_DIMS - 1, &dim))
        return false;
    if (a->name[0] == 'd' || strcmp(a->name, "DIM") == 0)
        t->rule->dim = (int)dim;
    else if (t->rule->numbers < GRAFT_MAX_DIMS)
        t->rule->number[t->rule->numbers++] = dim;
    else
        return false;
    return true;
}

static void print_dim(graft__rule_text *t, const graft__argument *a)
{
    (void)a;
    print_int(t, "", t->rule->dim);
}

static bool take_number(graft__rule_text *t, const graft__argument *a, const char *word)
{
    const bool is_end = strcmp(a->name, "END") == 0;
    const int64_t least = is_end || strcmp(a->name, "START") == 0 ? INT64_MIN + 1
                          : a->name[0] == 'T'                     ? 1
                                                                  : 0;
    int64_t *number = &t->rule->number[t->rule->numbers++];
    if (is_end && strcmp(word, "end") == 0)
        *number = GRAFT__RULE_END;
    else
        return whole_number(word, least, INT64_MAX - 1, number);
    return true;
}

static void print_number(graft__rule_text *t, const graft__argument *a)
{
    const int64_t number = t->rule->number[t->next_number++];
    (void)a;
    if (number == GRAFT__RULE_END)
        graft__text_add(t->out, "end");
    else
        print_int(t, "", number);
}

static bool take_shape(graft__rule_text *t, const graft__argument *a, const char *word)
{
    graft__rule *r = t->rule;
    (void)a;
    r->numbers = (int)numbers_of(word, -1, GRAFT_MAX_DIMS, r->number);
    int open = 0;
    for (int i = 0; i < r->numbers; i++)
        open += r->number[i] < 0;
    return r->numbers > 0 && open <= 1;
}

static void print_shape(graft__rule_text *t, const graft__argument *a)
{
    (void)a;
    print_list(t, ",", t->rule->number, (size_t)t->rule->numbers);
}

/* A number with a point whatever the locale says. */
static bool take_value(graft__rule_text *t, const graft__argument *a, const char *word)
{
    char text[64];
    const size_t length = strlen(word), at = strcspn(word, ".");
    const char *point = localeconv()->decimal_point;
    (void)a;
    if (length == 0 || length + strlen(point) >= sizeof text ||
        strspn(word, "0123456789+-.eEinfaINFA") != length)
        return false;
    text[0] = 0;
    strncat(text, word, at);
    if (word[at]) {
        strcat(text, point);
        strcat(text, word + at + 1);
    }
    char *end;
    t->rule->value = strtod(text, &end);
    return *end == 0;
}

/* The shortest that is read as the same. */
static void print_value(graft__rule_text *t, const graft__argument *a)
{
    char text[64];
    (void)a;
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, t->rule->value);
        if (strtod(text, NULL) == t->rule->value)
            break;
    }
    if (t->rule->value - t->rule->value == 0)
        graft__use_point(text);
    graft__text_add(t->out, text);
}

static bool take_range(graft__rule_text *t, const graft__argument *a, const char *word)
{
    graft__rule *r = t->rule;
    int64_t first, last;
    (void)a;
    const char *behind = number_of(word, 0, GRAFT__LAYERS_MAX, &first);
    if (!behind || (*behind && *behind != '-'))
        return false;
    last = first;
    if ((*behind && !whole_number(behind + 1, first, GRAFT__LAYERS_MAX, &last)))
        return false;
    int64_t layers = last - first;
    for (size_t i = 0; i < r->ranges; i++)
        layers += r->range[i][1] - r->range[i][0] + 1;
    if (layers > GRAFT__LAYERS_MAX)
        return false;
    void *ranges = r->range;
    t->no_memory =
        !graft__vector_reserve(t->g, &ranges, r->ranges, &r->range_capacity, sizeof *r->range);
    r->range = ranges;
    if (!t->no_memory) {
        r->range[r->ranges][0] = first;
        r->range[r->ranges++][1] = last;
    }
    return true;
}

static void print_range(graft__rule_text *t, const graft__argument *a)
{
    const int64_t *range = t->rule->range[t->next_range++];
    (void)a;
    graft__text_addf(t->out, "%lld-%lld", (long long)range[0], (long long)range[1]);
}

/* ---- Choices ---- */

static bool take_dtype(graft__rule_text *t, const graft__argument *a, const char *word)
{
    (void)a;
    t->rule->to_target = strcmp(word, "target") == 0;
    return t->rule->to_target || graft__dtype_of_name(word, &t->rule->dtype);
}

static void print_dtype(graft__rule_text *t, const graft__argument *a)
{
    (void)a;
    graft__text_add(t->out, t->rule->to_target ? "target" : graft_dtype_name(t->rule->dtype));
}

static bool take_reduction(graft__rule_text *t, const graft__argument *a, const char *word)
{
    const int which = choice_of(a->name, word);
    t->rule->reduction = which < 0 ? 0 : (graft__reduction)which;
    return which >= 0;
}

static void print_reduction(graft__rule_text *t, const graft__argument *a)
{
    print_choice(t, a->name, (int)t->rule->reduction);
}

static bool take_ties(graft__rule_text *t, const graft__argument *a, const char *word)
{
    const int which = choice_of(a->name, word);
    t->rule->ties = which < 0 ? 0 : (graft__ties)which;
    return which >= 0;
}

static void print_ties(graft__rule_text *t, const graft__argument *a)
{
    print_choice(t, a->name, (int)t->rule->ties);
}

/* ---- Options: printed with a blank in front, and only if they are not the default ---- */

static bool take_divide(graft__rule_text *t, const graft__argument *a, const char *word)
{
    (void)a, (void)word;
    return t->rule->divide = true;
}

static bool take_drop(graft__rule_text *t, const graft__argument *a, const char *word)
{
    (void)a, (void)word;
    return t->rule->drop = true;
}

static void print_flag(graft__rule_text *t, const graft__argument *a)
{
    if (a->name[1] == 'i' ? t->rule->divide : t->rule->drop)
        graft__text_addf(t->out, " %s", a->name);
}

static bool take_count(graft__rule_text *t, const graft__argument *a, const char *word)
{
    graft__rule *r = t->rule;
    switch (a->name[0]) {
    case 't':
        return whole_number(word, 1, INT32_MAX, &r->number[0]);
    case 'g':
        return whole_number(word, 1, INT32_MAX, &r->groups);
    case 'p':
        return whole_number(word, 0, INT32_MAX, &r->prefix);
    default: /* size= */
        r->to_target = false;
        return whole_number(word, 0, INT64_MAX - 1, &r->number[0]);
    }
}

static void print_count(graft__rule_text *t, const graft__argument *a)
{
    const graft__rule *r = t->rule;
    const int64_t number = a->name[0] == 't'   ? r->number[0]
                           : a->name[0] == 'g' ? r->groups
                           : a->name[0] == 'p' ? r->prefix
                                               : r->number[0];
    const bool said = a->name[0] == 't'   ? number > 0
                      : a->name[0] == 'g' ? number > 1
                      : a->name[0] == 'p' ? number >= 0
                                          : !r->to_target;
    if (said)
        graft__text_addf(t->out, " %s%lld", a->name, (long long)number);
}

static void print_dim_option(graft__rule_text *t, const graft__argument *a)
{
    if (t->rule->dim != 0)
        graft__text_addf(t->out, " %s%d", a->name, t->rule->dim);
}

static bool take_sizes(graft__rule_text *t, const graft__argument *a, const char *word)
{
    graft__rule *r = t->rule;
    int64_t sizes[GRAFT__PARTS_MAX];
    (void)a;
    if (r->kind == GRAFT__RULE_FUSE && strcmp(word, "any") == 0)
        return r->any_sizes = true;
    const size_t count = numbers_of(word, 0, GRAFT__PARTS_MAX, sizes);
    if (count == 0 || r->sizes)
        return false;
    r->sizes = graft__alloc(t->g, count * sizeof *r->sizes);
    t->no_memory = !r->sizes;
    if (r->sizes) {
        memcpy(r->sizes, sizes, count * sizeof *sizes);
        r->size_count = count;
    }
    return true;
}

static void print_sizes(graft__rule_text *t, const graft__argument *a)
{
    const graft__rule *r = t->rule;
    if (!r->any_sizes && !r->sizes)
        return;
    graft__text_addf(t->out, " %s%s", a->name, r->any_sizes ? "any" : "");
    print_list(t, ",", r->sizes, r->size_count);
}

static const char fills[] = "zeros|mean|normal|initial";

static bool take_new(graft__rule_text *t, const graft__argument *a, const char *word)
{
    const int which = choice_of(fills, word);
    (void)a;
    t->rule->fill = which < 0 ? 0 : (graft__filling)which;
    return which >= 0;
}

static void print_new(graft__rule_text *t, const graft__argument *a)
{
    if (t->rule->fill == GRAFT__FILL_ZEROS)
        return;
    graft__text_addf(t->out, " %s", a->name);
    print_choice(t, fills, (int)t->rule->fill);
}

static bool take_seed(graft__rule_text *t, const graft__argument *a, const char *word)
{
    int64_t seed;
    (void)a;
    if (!whole_number(word, 0, INT64_MAX, &seed))
        return false;
    t->rule->seed = (uint64_t)seed;
    return true;
}

static void print_seed(graft__rule_text *t, const graft__argument *a)
{
    if (t->rule->seed)
        graft__text_addf(t->out, " %s%llu", a->name, (unsigned long long)t->rule->seed);
}

static bool take_grid(graft__rule_text *t, const graft__argument *a, const char *word)
{
    int64_t *grid = a->name[0] == 't' ? t->rule->to : t->rule->from;
    if (numbers_of(word, 1, 2, grid) != 2)
        return false;
    if (a->name[0] == 't')
        t->rule->to_target = false;
    return true;
}

static void print_grid(graft__rule_text *t, const graft__argument *a)
{
    const int64_t *grid = a->name[0] == 't' ? t->rule->to : t->rule->from;
    if (grid[0] == 0)
        return;
    graft__text_addf(t->out, " %s", a->name);
    print_list(t, "x", grid, 2);
}

static bool take_mode(graft__rule_text *t, const graft__argument *a, const char *word)
{
    const int which = choice_of("bicubic|bilinear", word);
    (void)a;
    t->rule->mode = which == 1 ? GRAFT__BILINEAR : GRAFT__BICUBIC;
    return which >= 0;
}

static bool take_antialias(graft__rule_text *t, const graft__argument *a, const char *word)
{
    const int which = choice_of("yes|no", word);
    (void)a;
    t->rule->antialias = which == 0;
    return which >= 0;
}

static void print_resampling(graft__rule_text *t, const graft__argument *a)
{
    if (a->name[0] == 'm' && t->rule->mode == GRAFT__BILINEAR)
        graft__text_add(t->out, " mode=bilinear");
    if (a->name[0] == 'a' && !t->rule->antialias)
        graft__text_add(t->out, " antialias=no");
}

/* ---- The table ---- */

static const char dim_words[] = "a dimension from -8 to 7";
static const char count_words[] = "a whole number, at least 1";
static const char size_words[] = "a whole number, at least 0";

static const graft__argument arguments[] = {
    {"GLOB", take_word, print_word, "1 to 1000 bytes"},
    {"PREFIX", take_word, print_word, "1 to 1000 bytes"},
    {"PATTERN", take_pattern, print_word, "1 to 1000 bytes with at most 16 *"},
    {"PATTERNS", take_pattern, print_word, "at most 16 patterns of 1 to 1000 bytes and 16 *"},
    {"REGEX", take_regex, print_word, "1 to 1000 bytes"},
    {"REPLACEMENT", take_replacement, print_word, NULL},
    {"DIM", take_dim, print_dim, dim_words},
    {"DIMS", take_dim, print_number, dim_words},
    {"DIM1", take_dim, print_number, dim_words},
    {"DIM2", take_dim, print_number, dim_words},
    {"SHAPE", take_shape, print_shape, "at most 8 sizes as in 768,-1 with at most one -1"},
    {"START", take_number, print_number, "a whole number"},
    {"END", take_number, print_number, "a whole number or \"end\""},
    {"BEFORE", take_number, print_number, size_words},
    {"AFTER", take_number, print_number, size_words},
    {"TIMES", take_number, print_number, count_words},
    {"VALUE", take_value, print_value, "a number"},
    {"FIRST-LAST", take_range, print_range, "numbers of layers as in 0-11, at most 100000"},
    {"DTYPE|target", take_dtype, print_dtype, "a dtype as in float16 or f16, or \"target\""},
    {"sum|mean|first", take_reduction, print_reduction, NULL},
    {"keep|break|check", take_ties, print_ties, NULL},
    {"divide", take_divide, print_flag, NULL},
    {"drop", take_drop, print_flag, NULL},
    {"times=", take_count, print_count, count_words},
    {"groups=", take_count, print_count, count_words},
    {"prefix=", take_count, print_count, size_words},
    {"size=", take_count, print_count, size_words},
    {"sizes=", take_sizes, print_sizes, "a size for each part as in 768,256,256"},
    {"dim=", take_dim, print_dim_option, dim_words},
    {"new=", take_new, print_new, fills},
    {"seed=", take_seed, print_seed, size_words},
    {"to=", take_grid, print_grid, "a height and a width as in 24x24"},
    {"from=", take_grid, print_grid, "a height and a width as in 24x24"},
    {"mode=", take_mode, print_resampling, "bicubic|bilinear"},
    {"antialias=", take_antialias, print_resampling, "yes|no"},
};

const graft__argument *graft__argument_named(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof arguments / sizeof *arguments; i++)
        if (strncmp(arguments[i].name, name, length) == 0 && arguments[i].name[length] == 0)
            return &arguments[i];
    return NULL;
}

bool graft__argument_left(const graft__rule_text *t, const graft__argument *a)
{
    const graft__rule *r = t->rule;
    return !((a->print == print_word && t->next_word >= r->words) ||
             (a->print == print_number && t->next_number >= r->numbers) ||
             (a->print == print_range && t->next_range >= r->ranges) ||
             (a->print == print_value && r->value == 0));
}
