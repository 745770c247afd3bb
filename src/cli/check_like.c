#include <string.h>

#include "cli/check.h"
#include "cli/open.h"
#include "cli/say.h"

/* A tie is told by what is said of it: the plan has one word for all that does not fit. */
static bool is_tie(const graft_plan *plan, int64_t i)
{
    return strstr(graft_plan_how(plan, i), "tied") != NULL;
}

static void compare(const graft_plan *plan, const char *model, findings *f)
{
    for (int64_t i = 0; i < graft_plan_len(plan); i++) {
        const char *name = graft_plan_name(plan, i);
        switch (graft_plan_action_of(plan, i)) {
        case GRAFT_PLAN_CONFLICT:
            find(f, is_tie(plan, i) ? FINDING_TIE : FINDING_UNLIKE, name, "%s",
                 graft_plan_how(plan, i));
            break;
        case GRAFT_PLAN_INITIAL:
            find(f, FINDING_UNLIKE, name, "it is in %s only", open_name(model));
            break;
        default:
            break;
        }
    }
    for (int64_t i = 0; i < graft_plan_source_len(plan); i++)
        if (graft_plan_source_use(plan, i) == GRAFT_PLAN_LEFT)
            find(f, FINDING_UNLIKE, graft_plan_source_name(plan, i), "%s does not have it",
                 open_name(model));
}

int check_like(cli_call *call, const graft_dict *root, findings *f)
{
    const check_options *o = call->options;
    graft_checkpoint *model = open_checkpoint(call, o->like, NULL);
    if (!model)
        return CLI_TROUBLE;
    graft_plan_options p = graft_plan_defaults();
    p.cast = false;
    graft_plan *plan = graft_plan_into_dict(open_root(model), root, NULL, &p);
    if (plan)
        compare(plan, o->like, f);
    graft_plan_free(plan);
    graft_checkpoint_free(model);
    return plan ? CLI_OK : say_error(call);
}
