/* Rules from words and back, by the grammar that the table of kinds has of each: [X] may be left
 * out, X... is one or more, [key=X] and [flag] come behind the others in any order. */
#include <string.h>

#include "base/error.h"
#include "copy/rule_arguments.h"

/* ---- The grammar of one kind ---- */

/* Bytes of a word in an error. */
enum { SHOWN = 160 };

typedef struct slot {
    const graft__argument *argument;
    bool needed, repeats, is_option;
} slot;

typedef struct grammar {
    slot slot[12];
    size_t slots, needed;
} grammar;

/* The slots of "GLOB DIM [divide]". Every name of the table of kinds is in that of arguments: a
 * test sees to it. */
static grammar grammar_of(const char *text)
{
    grammar out = {.slots = 0};
    bool optional = false;
    while (*text) {
        size_t length = strcspn(text, " ");
        const char *next = text + length + (text[length] == ' ');
        const bool closes = text[length - 1] == ']';
        optional |= *text == '[';
        text += *text == '[';
        length = strcspn(text, "]. =");
        length += text[length] == '=';
        slot *s = &out.slot[out.slots];
        s->argument = graft__argument_named(text, length);
        s->needed = !optional;
        s->repeats = text[length] == '.';
        s->is_option = optional && *text >= 'a' && *text <= 'z';
        out.needed += s->needed;
        out.slots += s->argument != NULL;
        optional &= !closes;
        text = next;
    }
    return out;
}

/* The option that the word is, and its value; NULL: it is none. */
static const graft__argument *option_of(const grammar *gr, const char *word, const char **value)
{
    for (size_t i = 0; i < gr->slots; i++) {
        if (!gr->slot[i].is_option)
            continue;
        const graft__argument *a = gr->slot[i].argument;
        const size_t length = strlen(a->name);
        *value = word + length;
        if (a->name[length - 1] == '=' ? strncmp(word, a->name, length) == 0
                                       : strcmp(word, a->name) == 0)
            return a;
    }
    return NULL;
}

/* ---- Parsing ---- */

static graft_status bad_count(graft_ctx *g, const char *where, const graft__rule_verb *kind,
                              size_t words)
{
    return graft__fail(g, GRAFT_ERR_ARGUMENT, "%s: %s: expected %s, got %zu word%s", where,
                       kind->verb, kind->arguments, words, words == 1 ? "" : "s");
}

/* The word, or its beginning, for an error. */
static const char *shown(const char *word, char out[SHOWN])
{
    size_t length = strlen(word);
    const bool fits = length < SHOWN;
    if (!fits)
        for (length = SHOWN - 4; length > 0 && ((unsigned char)word[length] & 0xC0) == 0x80;)
            length--;
    memcpy(out, word, length);
    strcpy(out + length, fits ? "" : "...");
    return out;
}

static graft_status take(graft__rule_text *t, const char *where, const graft__argument *a,
                         const char *word)
{
    const bool good = a->take(t, a, word);
    if (t->no_memory)
        return graft__fail_memory(t->g, strlen(word) + 1, "rules");
    if (good)
        return GRAFT_OK;
    const char *verb = graft__rule_verbs[t->rule->kind].verb;
    char text[SHOWN];
    if (t->why[0])
        return graft__fail(t->g, GRAFT_ERR_ARGUMENT, "%s: %s: %s \"%s\": %s", where, verb, a->name,
                           shown(word, text), t->why);
    return graft__fail(t->g, GRAFT_ERR_ARGUMENT, "%s: %s: %s \"%s\": expected %s", where, verb,
                       a->name, shown(word, text), a->expected ? a->expected : a->name);
}

static graft_status take_all(graft__rule_text *t, const char *where, char *const *word,
                             size_t words)
{
    const graft__rule_verb *kind = &graft__rule_verbs[t->rule->kind];
    const grammar gr = grammar_of(kind->arguments);
    size_t at = 0, taken = 0; /* the slot, and how many words were no options */
    graft_status status = GRAFT_OK;
    for (size_t i = 0; i < words && !status; i++) {
        const char *value = word[i];
        const graft__argument *option = taken >= gr.needed ? option_of(&gr, word[i], &value) : NULL;
        if (option) {
            status = take(t, where, option, value);
            continue;
        }
        if (at == gr.slots || gr.slot[at].is_option)
            return bad_count(t->g, where, kind, words);
        status = take(t, where, gr.slot[at].argument, word[i]);
        taken++;
        at += !gr.slot[at].repeats;
    }
    if (!status && taken < gr.needed)
        return bad_count(t->g, where, kind, words);
    return status;
}

/* The canonical line; NULL with the error set. */
static char *line_of(graft_ctx *g, graft__rule *rule)
{
    const graft__rule_verb *kind = &graft__rule_verbs[rule->kind];
    const grammar gr = grammar_of(kind->arguments);
    graft__text out;
    graft__text_init(&out, g);
    graft__rule_text t = {.g = g, .rule = rule, .out = &out};
    graft__text_add(&out, kind->verb);
    for (size_t i = 0; i < gr.slots; i++) {
        const slot *s = &gr.slot[i];
        if (s->is_option) {
            s->argument->print(&t, s->argument);
            continue;
        }
        do {
            if (!graft__argument_left(&t, s->argument))
                break;
            graft__text_add(&out, " ");
            s->argument->print(&t, s->argument);
        } while (s->repeats);
    }
    return graft__text_take(&out);
}

static bool find_verb(const char *word, graft__rule_kind *kind)
{
    if (strcmp(word, "dequantize") == 0)
        word = "dequantise";
    for (int i = 0; i < GRAFT__RULES; i++)
        if (strcmp(graft__rule_verbs[i].verb, word) == 0) {
            *kind = (graft__rule_kind)i;
            return true;
        }
    return false;
}

static graft_status fail_verb(graft_ctx *g, const char *where, const char *word)
{
    graft__text verbs;
    char text[SHOWN];
    graft__text_init(&verbs, g);
    for (int i = 0; i < GRAFT__RULES; i++)
        graft__text_addf(&verbs, "%s%s", i ? ", " : "", graft__rule_verbs[i].verb);
    graft_status status =
        graft__fail(g, GRAFT_ERR_ARGUMENT, "%s: no rule is called \"%s\": expected one of %s",
                    where, shown(word, text), verbs.data ? verbs.data : "them");
    graft__text_free(&verbs);
    return status;
}

graft_status graft__rule_parse(graft_ctx *g, const char *where, char *const *word, size_t words,
                               graft__rule *out)
{
    *out = (graft__rule){
        .groups = 1, .prefix = -1, .antialias = true, .mode = GRAFT__BICUBIC, .to_target = true};
    if (!find_verb(word[0], &out->kind))
        return fail_verb(g, where, word[0]);
    graft__rule_text t = {.g = g, .rule = out};
    graft_status status = take_all(&t, where, word + 1, words - 1);
    const char *why = status ? NULL : graft__rule_fault(out);
    if (why)
        status = graft__fail(g, GRAFT_ERR_ARGUMENT, "%s: %s: %s", where,
                             graft__rule_verbs[out->kind].verb, why);
    if (!status) {
        out->line = line_of(g, out);
        status = out->line ? GRAFT_OK : GRAFT_ERR_MEMORY;
    }
    if (status)
        graft__rule_clear(g, out);
    return status;
}
