/* A comparison as one page that needs nothing beside it. */
#ifndef CLI_DIFF_HTML_H
#define CLI_DIFF_HTML_H

#include <stdio.h>

#include "graft/diff.h"

/* Writes the page: what was compared, counts, the picture, and a table of what differs. svg may be
 * NULL: no picture. Errors are the stream's. */
void diff_html_write(FILE *out, const graft_diff_report *diff, const char *a, const char *b,
                     const unsigned char *svg, size_t svg_size);

#endif
