#include "cli/sizes.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char units[] = "BKMGTPE";

const char *size_text(uint64_t bytes, char out[SIZE_TEXT])
{
    double x = (double)bytes;
    int unit = 0;
    /* 999.5 kB would be printed as 1000. */
    for (; x >= (unit ? 999.5 : 1000) && units[unit + 1]; unit++)
        x /= 1000;
    if (unit == 0)
        snprintf(out, SIZE_TEXT, "%u B", (unsigned)bytes);
    else
        snprintf(out, SIZE_TEXT, "%.*f %cB",
                 x < 9.995   ? 2
                 : x < 99.95 ? 1
                             : 0,
                 x, unit == 1 ? 'k' : units[unit]);
    return out;
}

const char *count_text(uint64_t count, char out[SIZE_TEXT])
{
    char digits[SIZE_TEXT];
    const int n = snprintf(digits, sizeof digits, "%llu", (unsigned long long)count);
    char *to = out;
    for (int i = 0; i < n; i++) {
        if (i && (n - i) % 3 == 0)
            *to++ = ',';
        *to++ = digits[i];
    }
    *to = 0;
    return out;
}

bool size_parse(const char *text, uint64_t *bytes)
{
    char *end;
    if (!isdigit((unsigned char)*text) || (text[0] == '0' && (text[1] | 32) == 'x'))
        return false;
    double x = strtod(text, &end);
    end += *end == ' ';
    const char *const unit = *end ? strchr(units, toupper((unsigned char)*end)) : NULL;
    if (unit) {
        end++;
        const bool binary = unit != units && tolower((unsigned char)*end) == 'i';
        end += binary;
        if (unit != units && (*end | 32) == 'b')
            end++;
        for (long i = unit - units; i > 0; i--)
            x *= binary ? 1024 : 1000;
    }
    if (*end || !(x < 18446744073709551615.0))
        return false;
    *bytes = (uint64_t)x;
    return true;
}
