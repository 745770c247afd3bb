/* Builds without cairo have no pictures. */
#include "cli/picture.h"

#if !GRAFT_CAIRO

bool picture_is_supported(void)
{
    return false;
}

picture *picture_open(picture_kind kind, double width, double height)
{
    (void)kind, (void)width, (void)height;
    return NULL;
}

void picture_free(picture *p)
{
    (void)p;
}

void picture_box(picture *p, double x, double y, double width, double height, colour fill)
{
    (void)p, (void)x, (void)y, (void)width, (void)height, (void)fill;
}

void picture_frame(picture *p, double x, double y, double width, double height, colour line)
{
    (void)p, (void)x, (void)y, (void)width, (void)height, (void)line;
}

void picture_line(picture *p, double x0, double y0, double x1, double y1, double width, colour line)
{
    (void)p, (void)x0, (void)y0, (void)x1, (void)y1, (void)width, (void)line;
}

void picture_dot(picture *p, double x, double y, double radius, colour fill)
{
    (void)p, (void)x, (void)y, (void)radius, (void)fill;
}

void picture_area(picture *p, const double *x, const double *y, int points, double base,
                  colour fill)
{
    (void)p, (void)x, (void)y, (void)points, (void)base, (void)fill;
}

void picture_path(picture *p, const double *x, const double *y, int points, double width,
                  colour line)
{
    (void)p, (void)x, (void)y, (void)points, (void)width, (void)line;
}

void picture_text(picture *p, double x, double y, double room, const char *text,
                  const text_style *style)
{
    (void)p, (void)x, (void)y, (void)room, (void)text, (void)style;
}

double picture_text_width(picture *p, const char *text, const text_style *style)
{
    (void)p, (void)text, (void)style;
    return 0;
}

const unsigned char *picture_finish(picture *p, size_t *size)
{
    (void)p, (void)size;
    return NULL;
}

#endif
