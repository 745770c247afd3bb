#include <inttypes.h>
#include <string.h>

#include "cli/check.h"
#include "cli/say.h"

/* Objects that torch.save(model) makes, empty, before they are filled in. */
static bool is_plain_class(const char *global, const char *args)
{
    static const char *const begins[] = {"torch.nn.modules.", "torchvision.models.",
                                         "torchvision.ops.", "torch.optim.", "argparse.Namespace"};
    if (!global || (args && strcmp(args, "()") != 0))
        return false;
    const char *const last = strrchr(global, '.');
    for (size_t i = 0; i < CLI_COUNT(begins); i++)
        if (strncmp(global, begins[i], strlen(begins[i])) == 0)
            return last && last[1] >= 'A' && last[1] <= 'Z'; /* a class, and no function */
    return false;
}

int check_code(cli_call *call, const char *path, findings *f)
{
    graft_audit_report *audit = graft_audit(call->g, path, NULL);
    if (!audit)
        return say_file_error(call, path);
    for (int64_t i = 0; i < graft_audit_len(audit); i++) {
        const char *args = graft_audit_args(audit, i);
        const bool call_of =
            graft_audit_is_call(audit, i) && !is_plain_class(graft_audit_global(audit, i), args);
        const char *member = graft_audit_member(audit, i); /* only in archives */
        find(f, call_of ? FINDING_CODE : FINDING_CLASS, graft_audit_global(audit, i),
             "%s %s%s, at byte %" PRId64 "%s%s",
             call_of ? "Python would call it with" : "Python would import it",
             call_of && args ? args : "", call_of ? "" : "and fill it in",
             graft_audit_offset(audit, i), member && *member ? " of " : "", member ? member : "");
    }
    const char *error = graft_audit_error(audit);
    if (error)
        find(f, FINDING_DAMAGED, "", "%s", error);
    graft_audit_free(audit);
    return CLI_OK;
}
