/* What torch.jit.save puts beside the module: the constants of its code. The code itself, below
 * code/, is not looked at. */
#include "file/torch.h"

#include <string.h>

graft_status graft__torch_script_constants(graft__torch_archive *a, graft_dict *root)
{
    static const char name[] = "constants";
    graft__value constants;
    graft_status status = graft__torch_archive_value(a, "constants.pkl", "constants", &constants);
    if (status != GRAFT_OK)
        return status;
    /* A module's attribute of that name is found by paths only as long as no entry has it. */
    const bool taken = root->attributes && graft_dict_find(root->attributes, name) >= 0;
    const bool keyed = root->container == GRAFT_VALUE_RECORD || root->container == GRAFT_VALUE_DICT;
    if (!keyed || taken || !graft__is_nested(constants.kind) || constants.dict->count == 0) {
        graft__value_drop(a->r->g, &constants);
        return GRAFT_OK;
    }
    graft__value key =
        graft__text_value(a->r->g, a->r->op, GRAFT_VALUE_STRING, name, sizeof name - 1);
    if (key.kind == GRAFT_VALUE_NONE) {
        graft__value_drop(a->r->g, &constants);
        return GRAFT_ERR_MEMORY;
    }
    return graft__dict_put(root, a->r->op, key, constants);
}
