#include "cli/rules.h"

#include <stdlib.h>
#include <string.h>

#include "cli/say.h"

static graft_status add_file(cli_call *call, graft_rules *rules, const char *path)
{
    graft_rules *const more = graft_rules_read(call->g, path);
    graft_status status = more ? GRAFT_OK : graft_error_status(call->g);
    for (int64_t i = 0; status == GRAFT_OK && i < graft_rules_len(more); i++)
        status = graft_rules_add(rules, graft_rules_line(more, i));
    graft_rules_free(more);
    return status;
}

static graft_status add_line(cli_call *call, graft_rules *rules, const cli_rule *rule)
{
    char *line;
    if (asprintf(&line, "%s %s", rule->verb, rule->rest) < 0) {
        say(call, "out of memory");
        return GRAFT_ERR_MEMORY;
    }
    const graft_status status = graft_rules_add(rules, line);
    free(line);
    return status;
}

/* What is wrong with a rule, or with a file of them, without the name of the function. */
static void tell(cli_call *call)
{
    const char *const error = graft_error(call->g), *const colon = strstr(error, ": ");
    say(call, "%s", colon && strncmp(error, "rules_", 6) == 0 ? colon + 2 : error);
    graft_clear_error(call->g);
}

graft_rules *rules_of(cli_call *call, const cli_rules *given)
{
    graft_rules *const rules = graft_rules_new(call->g);
    graft_status status = rules ? GRAFT_OK : GRAFT_ERR_MEMORY;
    for (size_t i = 0; status == GRAFT_OK && i < given->count; i++)
        status = given->at[i].verb ? add_line(call, rules, &given->at[i])
                                   : add_file(call, rules, given->at[i].rest);
    if (status == GRAFT_OK)
        return rules;
    if (graft_error(call->g))
        tell(call);
    graft_rules_free(rules);
    return NULL;
}
