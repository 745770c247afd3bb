/* What a load did, or would have done. */
#ifndef GRAFT__COPY_LOAD_REPORT_H
#define GRAFT__COPY_LOAD_REPORT_H

#include "base/object.h"
#include "copy/load_view.h"

typedef struct graft__load_line {
    char *name;
    graft_load_action action;
} graft__load_line;

struct graft_load_report {
    graft__object object;
    graft__load_line *line;
    size_t lines;
    bool ok;
    char *text;
};

/* The report of a load that was carried out or (status not OK) was not; NULL with the error set.
 * One reference, the caller's. */
graft_load_report *graft__load_report_new(const graft__load_view *view, graft_status status);

#endif
