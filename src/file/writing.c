#include "file/writing.h"

graft_status graft__written(graft__writing *w, uint64_t bytes)
{
    w->done += bytes;
    if (!w->options.progress || w->options.progress(w->options.progress_user, w->done, w->total))
        return GRAFT_OK;
    return graft__fail(w->g, GRAFT_ERR_CANCELLED, "%s: %s: cancelled by the progress function",
                       w->op, w->path);
}
