/* A program of somebody who has only what was installed. It is C and C++ alike. */
#include <graft/graft.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
    graft_ctx *g = graft_open(NULL);
    if (g == NULL)
        return 1;
    if (graft_manual_seed(g, 7) != GRAFT_OK || graft_initial_seed(g) != 7)
        return 2;
    if (strcmp(graft_version(), EXPECTED_VERSION) != 0)
        return 3;
    graft_close(g);
    printf("graft %s\n", graft_version());
    return 0;
}
