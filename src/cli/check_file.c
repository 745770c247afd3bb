#include <inttypes.h>

#include "cli/check.h"
#include "cli/say.h"

int check_code(cli_call *call, const char *path, findings *f)
{
    graft_audit_report *audit = graft_audit(call->g, path, NULL);
    if (!audit)
        return say_file_error(call, path);
    for (int64_t i = 0; i < graft_audit_len(audit); i++) {
        const bool call_of = graft_audit_is_call(audit, i);
        const char *args = graft_audit_args(audit, i);
        find(f, call_of ? FINDING_CODE : FINDING_CLASS, graft_audit_global(audit, i),
             "%s %s%s, at byte %" PRId64 " of %s",
             call_of ? "Python would call it with" : "Python would import it",
             call_of && args ? args : "", call_of ? "" : "and fill it in",
             graft_audit_offset(audit, i), graft_audit_member(audit, i));
    }
    const char *error = graft_audit_error(audit);
    if (error)
        find(f, FINDING_DAMAGED, "", "%s", error);
    graft_audit_free(audit);
    return CLI_OK;
}
