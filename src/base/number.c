#include "base/number.h"

#include <string.h>

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

void graft__use_point(char *number)
{
    char *point = number;
    while (*point == '-' || is_digit(*point))
        point++;
    if (*point == 0 || *point == 'e')
        return;
    char *behind = point;
    while (*behind && !is_digit(*behind))
        behind++;
    *point = '.';
    memmove(point + 1, behind, strlen(behind) + 1);
}
