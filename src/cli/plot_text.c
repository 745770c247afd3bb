#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "cli/plot_draw.h"

const char *plot_count(int64_t number, char out[32])
{
    static const char *const unit[] = {"", " k", " M", " G", " T", " P"};
    double shown = (double)number;
    int i = 0;
    while (shown >= 999.5 && i < 5) {
        shown /= 1000;
        i++;
    }
    snprintf(out, 32, i == 0 ? "%.0f%s" : shown < 9.995 ? "%.2f%s" : "%.3g%s", shown, unit[i]);
    return out;
}

const char *plot_number(double number, char out[32])
{
    const double size = fabs(number);
    if (isnan(number))
        snprintf(out, 32, "\xe2\x80\x93"); /* a dash: there is none */
    else if (number == 0)
        snprintf(out, 32, "0");
    else
        snprintf(out, 32, size >= 0.001 && size < 100000 ? "%.3g" : "%.1e", number);
    return out;
}
