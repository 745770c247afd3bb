/* A picture being drawn: SVG or PNG, made in memory by cairo. In a build without cairo nothing can
 * be opened. Lengths are in points of the page, from its upper left corner. */
#ifndef CLI_PICTURE_H
#define CLI_PICTURE_H

#include <stdbool.h>
#include <stddef.h>

typedef enum picture_kind { PICTURE_SVG, PICTURE_PNG } picture_kind;

typedef struct picture picture;

typedef struct colour {
    double red, green, blue;
} colour;

/* The few colours that all pictures share: ink on white, lines, bars, and what is wrong. */
extern const colour picture_ink, picture_grey, picture_faint, picture_bar, picture_wrong;

/* Those of several files, in order, told apart also by the colour-blind: the i-th of 8. */
colour picture_series(int i);

/* Of a number of 0 to 1: from dark to bright, equal steps looking equal. */
colour picture_heat(double share);

bool picture_is_supported(void);

/* A white page. NULL without memory, without cairo, or where it would be too large. */
picture *picture_open(picture_kind kind, double width, double height);
void picture_free(picture *p); /* NULL is ignored */

void picture_box(picture *p, double x, double y, double width, double height, colour fill);
void picture_frame(picture *p, double x, double y, double width, double height, colour line);
void picture_line(picture *p, double x0, double y0, double x1, double y1, double width,
                  colour line);
void picture_dot(picture *p, double x, double y, double radius, colour fill);

/* The area between a base line and the points, which run from left to right. */
void picture_area(picture *p, const double *x, const double *y, int points, double base,
                  colour fill);
void picture_path(picture *p, const double *x, const double *y, int points, double width,
                  colour line);

typedef enum picture_side { PICTURE_LEFT, PICTURE_MIDDLE, PICTURE_RIGHT } picture_side;

/* Text whose left end, middle or right end is at x, on the base line y; shortened in its middle to
 * fit into `room` points (0: as long as it is). Control characters and what is no UTF-8 are drawn
 * as '?'. */
typedef struct text_style {
    double size; /* points */
    bool bold;
    picture_side side;
    colour ink;
    double turn; /* degrees, clockwise */
} text_style;
void picture_text(picture *p, double x, double y, double room, const char *text,
                  const text_style *style);
double picture_text_width(picture *p, const char *text, const text_style *style);

/* The finished file, which lives as long as the picture. NULL if drawing it went wrong. */
const unsigned char *picture_finish(picture *p, size_t *size);

#endif
