/* Rules whose words are right one by one: whether they are together; and what they hold. */
#include <ctype.h>
#include <string.h>

#include "base/alloc.h"
#include "base/vector.h"
#include "copy/rules.h"

/* ---- Faults ---- */

static const char *fault_of_parts(const graft__rule *r)
{
    const size_t parts = r->words - 1;
    for (size_t i = 1; i <= parts; i++)
        if (graft__pattern_stars(r->word[i]) != graft__pattern_stars(r->word[0]))
            return "the patterns of the parts need as many * as that of the whole";
    if (r->sizes && r->size_count != parts)
        return "sizes= needs one size for each part";
    for (size_t i = 0; i < r->size_count; i++)
        if (r->sizes[i] % r->groups != 0)
            return "each of sizes= must be a multiple of groups=";
    return r->sizes && r->any_sizes ? "sizes= is there twice" : NULL;
}

static const char *fault_of_dims(const graft__rule *r)
{
    unsigned seen = 0;
    for (int i = 0; i < r->numbers; i++)
        if (r->number[i] >= -r->numbers && r->number[i] < r->numbers)
            seen |= 1U << (r->number[i] < 0 ? r->number[i] + r->numbers : r->number[i]);
    return seen == (1U << r->numbers) - 1 ? NULL : "each of the dimensions must be there once";
}

const char *graft__rule_fault(const graft__rule *r)
{
    switch (r->kind) {
    case GRAFT__RULE_MAP:
        return graft__pattern_stars(r->word[1]) > graft__pattern_stars(r->word[0])
                   ? "the second pattern has more * than the first"
                   : NULL;
    case GRAFT__RULE_PERMUTE:
        return fault_of_dims(r);
    case GRAFT__RULE_TRANSPOSE:
        return r->numbers == 1 ? "expected two dimensions or none, got one" : NULL;
    case GRAFT__RULE_REDUCE:
        return r->drop && r->number[0] > 0 ? "drop needs all of the dimension, without times="
                                           : NULL;
    case GRAFT__RULE_FUSE:
    case GRAFT__RULE_SPLIT:
        return fault_of_parts(r);
    default:
        return NULL;
    }
}

/* ---- Dtypes ---- */

static bool same_word(const char *a, const char *b)
{
    while (*a && tolower((unsigned char)*a) == *b) {
        a++;
        b++;
    }
    return *a == 0 && *b == 0;
}

bool graft__dtype_of_name(const char *word, graft_dtype *out)
{
    static const char *const abbreviations[][2] = {
        {"float", "f"}, {"bfloat", "bf"}, {"int", "i"}, {"uint", "u"}, {"complex", "c"}};
    for (int i = 0; i < GRAFT_DTYPES; i++) {
        const char *name = graft_dtype_name((graft_dtype)i);
        bool found = same_word(word, name);
        for (size_t k = 0; k < sizeof abbreviations / sizeof *abbreviations && !found; k++) {
            const char *full = abbreviations[k][0], *brief = abbreviations[k][1];
            const size_t length = strlen(brief);
            found = strncmp(name, full, strlen(full)) == 0 && strlen(word) > length &&
                    tolower((unsigned char)word[0]) == brief[0] &&
                    (length == 1 || tolower((unsigned char)word[1]) == brief[1]) &&
                    same_word(word + length, name + strlen(full));
        }
        if (found) {
            *out = (graft_dtype)i;
            return true;
        }
    }
    return false;
}

/* ---- Holding ---- */

bool graft__rule_add_word(graft_ctx *g, graft__rule *rule, const char *word, size_t length)
{
    void *words = rule->word;
    const bool room =
        graft__vector_reserve(g, &words, rule->words, &rule->word_capacity, sizeof *rule->word);
    rule->word = words;
    char *kept = room ? graft__alloc(g, length + 1) : NULL;
    if (!kept)
        return false;
    memcpy(kept, word, length);
    kept[length] = 0;
    rule->word[rule->words++] = kept;
    return true;
}

void graft__rule_clear(graft_ctx *g, graft__rule *rule)
{
    for (size_t i = 0; i < rule->words; i++)
        graft__text_release(g, rule->word[i]);
    graft__text_release(g, rule->line);
    graft__regex_free(g, rule->regex);
    graft__free(g, rule->word, rule->word_capacity * sizeof *rule->word);
    graft__free(g, rule->range, rule->range_capacity * sizeof *rule->range);
    graft__free(g, rule->sizes, rule->size_count * sizeof *rule->sizes);
    *rule = (graft__rule){.words = 0};
}
