#include "cli/picture.h"

const colour picture_ink = {0.13, 0.14, 0.16}, picture_grey = {0.42, 0.44, 0.47},
             picture_faint = {0.87, 0.88, 0.90}, picture_bar = {0.22, 0.46, 0.69},
             picture_wrong = {0.80, 0.20, 0.15};

/* Okabe and Ito's, "Color Universal Design" (2008); black stands for ink. */
colour picture_series(int i)
{
    static const colour series[8] = {
        {0.00, 0.45, 0.70}, {0.90, 0.62, 0.00}, {0.00, 0.62, 0.45}, {0.80, 0.47, 0.65},
        {0.84, 0.37, 0.00}, {0.34, 0.71, 0.91}, {0.60, 0.55, 0.05}, {0.13, 0.14, 0.16},
    };
    return series[i & 7];
}

/* Between colours whose lightness rises in equal steps from a dark blue to a light yellow. */
colour picture_heat(double share)
{
    static const colour stop[] = {
        {0.19, 0.07, 0.35}, {0.21, 0.29, 0.53}, {0.13, 0.48, 0.55},
        {0.21, 0.66, 0.47}, {0.56, 0.82, 0.27}, {0.98, 0.91, 0.30},
    };
    enum { LAST = sizeof stop / sizeof *stop - 1 };
    const double at = share > 0 ? (share < 1 ? share : 1) * LAST : 0; /* NaN: the darkest */
    const int low = at >= LAST ? LAST - 1 : (int)at;
    const double rest = at - low;
    const colour a = stop[low], b = stop[low + 1];
    return (colour){a.red + rest * (b.red - a.red), a.green + rest * (b.green - a.green),
                    a.blue + rest * (b.blue - a.blue)};
}
