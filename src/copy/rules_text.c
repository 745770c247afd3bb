/* The text of rules: lines, words, quotes, comments. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "base/vector.h"
#include "copy/rules.h"
#include "file/json.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

/* ---- Words ---- */

static graft_status keep_word(graft__words *out, graft__text *text)
{
    void *words = out->word;
    const bool room =
        graft__vector_reserve(out->g, &words, out->words, &out->capacity, sizeof *out->word);
    out->word = words;
    char *word = room ? graft__text_take(text) : NULL;
    if (!word)
        return graft__fail_memory(out->g, sizeof *out->word, "rules");
    out->word[out->words++] = word;
    return GRAFT_OK;
}

/* What stands in quotes from *at, which is behind the opening one, on; false if they are not
 * closed. */
static bool take_quoted(graft__text *word, char quote, const char **at, const char *end)
{
    for (const char *c = *at; c < end; c++) {
        if (*c == quote) {
            *at = c + 1;
            return true;
        }
        if (quote == '"' && *c == '\\' && c + 1 < end && (c[1] == '"' || c[1] == '\\'))
            c++;
        graft__text_addn(word, c, 1);
    }
    return false;
}

static graft_status take_word(graft__words *out, const char *where, const char **at,
                              const char *end)
{
    graft__text word;
    graft__text_init(&word, out->g);
    graft_status status = GRAFT_OK;
    while (*at < end && !is_blank(**at) && !status) {
        const char c = *(*at)++;
        if (c != '"' && c != '\'')
            graft__text_addn(&word, &c, 1);
        else if (!take_quoted(&word, c, at, end))
            status =
                graft__fail(out->g, GRAFT_ERR_ARGUMENT, "%s: a quote %c is not closed", where, c);
    }
    if (!status)
        status = keep_word(out, &word);
    graft__text_free(&word);
    return status;
}

static graft_status check_text(graft_ctx *g, const char *where, const char *line, size_t length)
{
    size_t bad;
    for (size_t i = 0; i < length; i++)
        if (((unsigned char)line[i] < ' ' && !is_blank(line[i])) || line[i] == 0x7F)
            return graft__fail(g, GRAFT_ERR_ARGUMENT,
                               "%s: expected one line of text, got a %s in it", where,
                               line[i] == '\n' ? "line break" : "control character");
    return graft__is_utf8(line, length, &bad)
               ? GRAFT_OK
               : graft__fail(g, GRAFT_ERR_ARGUMENT, "%s: expected UTF-8, byte %zu is not", where,
                             bad + 1);
}

graft_status graft__words_of(graft__words *out, graft_ctx *g, const char *where, const char *line,
                             size_t length)
{
    *out = (graft__words){.g = g};
    const char *end = line + length;
    graft_status status = check_text(g, where, line, length);
    while (!status) {
        while (line < end && is_blank(*line))
            line++;
        if (line == end || *line == '#')
            return GRAFT_OK;
        status = take_word(out, where, &line, end);
    }
    graft__words_free(out);
    return status;
}

void graft__words_free(graft__words *w)
{
    for (size_t i = 0; i < w->words; i++)
        graft__text_release(w->g, w->word[i]);
    graft__free(w->g, w->word, w->capacity * sizeof *w->word);
    *w = (graft__words){.g = w->g};
}

void graft__word_quote(graft__text *out, const char *word)
{
    if (*word && *word != '#' && !strpbrk(word, " \t\r\v\f'\"")) {
        graft__text_add(out, word);
        return;
    }
    const char *quote = *word && !strchr(word, '\'') ? "'" : "\"";
    graft__text_add(out, quote);
    for (; *word; word++) {
        if (*quote == '"' && (*word == '"' || *word == '\\'))
            graft__text_add(out, "\\");
        graft__text_addn(out, word, 1);
    }
    graft__text_add(out, quote);
}

/* ---- Texts ---- */

/* Adds the rules of all lines; `name` stands in front of line numbers. */
static graft_status add_lines(graft_rules *rules, const char *name, const char *text, size_t size)
{
    if (size >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
        text += 3;
        size -= 3;
    }
    const char *end = text + size;
    graft__text where;
    graft__text_init(&where, rules->object.ctx);
    graft_status status = GRAFT_OK;
    for (int64_t number = 1; text < end && !status; number++) {
        const char *line_end = memchr(text, '\n', (size_t)(end - text));
        if (!line_end)
            line_end = end;
        graft__text_cut(&where, 0);
        graft__text_addf(&where, "%s: line %lld", name, (long long)number);
        status = where.failed
                     ? graft__fail_memory(rules->object.ctx, where.length, "rules")
                     : graft__rules_add_line(rules, where.data, text, (size_t)(line_end - text));
        text = line_end + 1;
    }
    graft__text_free(&where);
    return status;
}

/* The rules of a text, owned by the context. */
static graft_rules *rules_of(graft_ctx *g, const char *name, const char *text, size_t size)
{
    graft_rules *rules = graft__rules_new(g);
    if (!rules)
        return NULL;
    if (add_lines(rules, name, text, size) != GRAFT_OK) {
        graft__unref(&rules->object);
        return NULL;
    }
    graft__own_by_context(&rules->object);
    return rules;
}

graft_rules *graft_rules_parse(graft_ctx *g, const char *text)
{
    if (!g)
        return NULL;
    if (!text) {
        graft__fail(g, GRAFT_ERR_ARGUMENT, "rules_parse: text is NULL");
        return NULL;
    }
    return rules_of(g, "rules", text, strlen(text));
}

graft_rules *graft_rules_read(graft_ctx *g, const char *path)
{
    if (!g)
        return NULL;
    if (!path) {
        graft__fail(g, GRAFT_ERR_ARGUMENT, "rules_read: path is NULL");
        return NULL;
    }
    unsigned char *bytes = NULL;
    size_t size = 0;
    if (graft__file_read(g, "rules_read", path, &bytes, &size) != GRAFT_OK)
        return NULL;
    graft_rules *rules = rules_of(g, path, (const char *)bytes, size);
    graft__free(g, bytes, size);
    return rules;
}
