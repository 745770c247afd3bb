/* Names by regular expressions, and the expressions that lead back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "copy/rules.h"

enum { GROUPS = 10, SPELLED_MAX = 2000 };

/* What is behind "[...]" at text; the end of the text if it is not closed. */
static const char *behind_bracket(const char *text)
{
    text++;
    text += *text == '^';
    text += *text == ']';
    while (*text && *text != ']') {
        const char *class_end = NULL;
        const char kind = text[0] == '[' ? text[1] : 0;
        if (kind == ':' || kind == '.' || kind == '=') {
            const char end[] = {kind, ']', 0};
            class_end = strstr(text + 2, end);
        }
        text = class_end ? class_end + 2 : text + 1;
    }
    return text + (*text == ']');
}

/* How often what is in front of a quantifier is spelled out; 0: it is none. */
static unsigned long times_of(const char *text)
{
    if (*text == '+')
        return 2;
    if (*text == '*' || *text == '?')
        return 1;
    if (*text != '{')
        return 0;
    const char *comma = text + strcspn(text, ",}");
    const unsigned long least = strtoul(text + 1, NULL, 10);
    const unsigned long most = *comma == ',' ? strtoul(comma + 1, NULL, 10) : 0;
    const unsigned long times = most > least ? most : least;
    return times == 0 ? 1 : times < SPELLED_MAX ? times : SPELLED_MAX;
}

/* Why the C library is not to be given it; NULL: it may. Repetitions are spelled out when it is
 * compiled, + too: a few dozen one behind the other or nested take any amount of memory. */
static const char *danger(const char *text)
{
    unsigned long outer[GRAFT__GLOB_MAX + 1], total = 0, last = 0; /* of the group; its last atom */
    size_t depth = 0;
    while (*text) {
        const unsigned long times = times_of(text);
        if (*text == '\\' && text[1] >= '1' && text[1] <= '9')
            return "back references are not POSIX extended";
        if (times > 0) {
            total += last * (times - 1);
            last *= times;
            const char *close = *text == '{' ? strchr(text, '}') : NULL;
            text = close ? close + 1 : text + 1;
        } else if (*text == '(') {
            outer[depth++] = total;
            total = last = 0;
            text++;
        } else if (*text == ')' && depth > 0) {
            last = total + 1;
            total = outer[--depth] + last;
            text++;
        } else {
            last = 1;
            total++;
            text = *text == '[' ? behind_bracket(text) : text + (*text == '\\' && text[1] ? 2 : 1);
        }
        if (total > SPELLED_MAX)
            return "with its repetitions spelled out it is longer than 2000 characters";
    }
    return NULL;
}

regex_t *graft__regex_new(graft_ctx *g, const char *text, char why[128])
{
    why[0] = 0;
    const char *fault =
        strlen(text) > GRAFT__GLOB_MAX ? "it is longer than 1000 bytes" : danger(text);
    if (fault) {
        strncat(why, fault, 127);
        return NULL;
    }
    regex_t *regex = graft__alloc(g, sizeof *regex);
    const int error = regex ? regcomp(regex, text, REG_EXTENDED) : REG_ESPACE;
    if (error == 0)
        return regex;
    if (regex && error != REG_ESPACE)
        regerror(error, regex, why, 128);
    graft__free(g, regex, sizeof *regex);
    return NULL;
}

void graft__regex_free(graft_ctx *g, regex_t *regex)
{
    if (!regex)
        return;
    regfree(regex);
    graft__free(g, regex, sizeof *regex);
}

const char *graft__replacement_fault(const char *replacement, size_t groups)
{
    if (strlen(replacement) > GRAFT__GLOB_MAX)
        return "it is longer than 1000 bytes";
    while ((replacement = strchr(replacement, '\\')) != NULL) {
        const char c = replacement[1];
        if (c != '\\' && (c < '0' || c > '9'))
            return "expected \\0 to \\9 or \\\\ after a backslash";
        if (c != '\\' && (size_t)(c - '0') > groups)
            return "the regex has fewer groups";
        replacement += 2;
    }
    return NULL;
}

bool graft__rename(graft_ctx *g, const graft__rule *rule, const char *name, char **out)
{
    regmatch_t match[GROUPS];
    *out = NULL;
    const int error = regexec(rule->regex, name, GROUPS, match, 0);
    if (error == REG_NOMATCH)
        return false;
    if (error != 0) {
        graft__fail_memory(g, strlen(name), "rename");
        return true;
    }
    graft__text text;
    graft__text_init(&text, g);
    graft__text_addn(&text, name, (size_t)match[0].rm_so);
    for (const char *r = rule->word[1]; *r; r++) {
        const bool is_group = *r == '\\' && r[1] != '\\';
        r += *r == '\\';
        if (!is_group) {
            graft__text_addn(&text, r, 1);
            continue;
        }
        const regmatch_t *m = &match[*r - '0'];
        if (m->rm_so >= 0)
            graft__text_addn(&text, name + m->rm_so, (size_t)(m->rm_eo - m->rm_so));
    }
    graft__text_add(&text, name + match[0].rm_eo);
    *out = graft__text_take(&text);
    return true;
}

/* ---- Back ---- */

/* A regex of literal characters and groups, or a replacement: a run of either. */
typedef struct item {
    int group; /* -1: a character */
    char c;
} item;

typedef struct parsed {
    item item[GRAFT__GLOB_MAX];
    size_t items;
    bool begins, ends; /* ^ and $ */
    struct {
        const char *begin;
        size_t length;
    } body[GROUPS]; /* of group 1, 2, ... */
    int groups;
} parsed;

static const char no_literals[] =
    "outside of its groups the regex is not plain text, so the text before is not known";

/* Takes the group at *text. */
static const char *see_group(parsed *p, const char **text)
{
    const char *begin = *text + 1, *c = begin;
    while (*c && *c != ')') {
        if (*c == '(')
            return "a group of the regex has a group inside";
        if (*c == '^' || *c == '$')
            return "a group of the regex has ^ or $ inside";
        c = *c == '[' ? behind_bracket(c) : c + (*c == '\\' && c[1] ? 2 : 1);
    }
    if (++p->groups >= GROUPS)
        return "the regex has more than 9 groups";
    p->body[p->groups].begin = begin;
    p->body[p->groups].length = (size_t)(c - begin);
    p->item[p->items++] = (item){.group = p->groups};
    *text = c + 1;
    return NULL;
}

static const char *see_regex(parsed *p, const char *text)
{
    p->begins = *text == '^';
    text += p->begins;
    while (*text) {
        if (*text == '(') {
            const char *why = see_group(p, &text);
            if (why)
                return why;
            continue;
        }
        if (*text == '$' && text[1] == 0) {
            p->ends = true;
            break;
        }
        char c = *text++;
        if (c == '\\' && strchr(".[]{}()*+?|^$\\/-_:", *text) && *text)
            c = *text++;
        else if (c == '[' && text[0] != '^' && text[0] != ']' && text[0] && text[1] == ']')
            c = text[0], text += 2;
        else if (strchr("\\[.*+?{|^$)", c))
            return no_literals;
        p->item[p->items++] = (item){.group = -1, .c = c};
    }
    return NULL;
}

static const char *see_replacement(parsed *p, const char *text, int groups)
{
    bool used[GROUPS] = {false};
    for (; *text; text++) {
        const bool is_group = *text == '\\' && text[1] != '\\';
        text += *text == '\\';
        const int group = is_group ? *text - '0' : -1;
        if (group == 0 || (group > 0 && used[group]))
            return "the replacement has a group twice, or all of the match";
        if (group > 0)
            used[group] = true;
        p->groups += group > 0;
        p->item[p->items++] = (item){.group = group, .c = *text};
    }
    return p->groups == groups ? NULL : "the replacement drops a group of the regex";
}

static void add_inverse(const parsed *regex, const parsed *replacement, graft__text *find,
                        graft__text *put)
{
    int place[GROUPS] = {0}, groups = 0;
    graft__text_add(find, regex->begins ? "^" : "");
    for (size_t i = 0; i < replacement->items; i++) {
        const item *at = &replacement->item[i];
        if (at->group > 0) {
            place[at->group] = ++groups;
            graft__text_add(find, "(");
            graft__text_addn(find, regex->body[at->group].begin, regex->body[at->group].length);
            graft__text_add(find, ")");
        } else {
            graft__text_add(find, strchr(".[]{}()*+?|^$\\", at->c) ? "\\" : "");
            graft__text_addn(find, &at->c, 1);
        }
    }
    graft__text_add(find, regex->ends ? "$" : "");
    for (size_t i = 0; i < regex->items; i++) {
        const item *at = &regex->item[i];
        if (at->group > 0)
            graft__text_addf(put, "\\%d", place[at->group]);
        else
            graft__text_addf(put, "%s%c", at->c == '\\' ? "\\" : "", at->c);
    }
}

char *graft__rename_invert(graft_ctx *g, const graft__rule *rule, const char **why)
{
    parsed regex = {.items = 0}, replacement = {.items = 0};
    *why = see_regex(&regex, rule->word[0]);
    if (!*why)
        *why = see_replacement(&replacement, rule->word[1], regex.groups);
    if (!*why && replacement.items == 0 && !regex.begins && !regex.ends)
        *why = "where the text stood is not known: ^ or $ would say it";
    if (*why)
        return NULL;
    graft__text find, put, line;
    graft__text_init(&find, g);
    graft__text_init(&put, g);
    graft__text_init(&line, g);
    add_inverse(&regex, &replacement, &find, &put);
    graft__text_add(&line, "rename ");
    graft__word_quote(&line, find.data ? find.data : "");
    graft__text_add(&line, " ");
    graft__word_quote(&line, put.data ? put.data : "");
    line.failed |= find.failed || put.failed;
    graft__text_free(&find);
    graft__text_free(&put);
    return graft__text_take(&line);
}
