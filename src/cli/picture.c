#include "cli/picture.h"

#if GRAFT_CAIRO

#include <cairo-svg.h>
#include <cairo.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    PNG_SCALE = 2,      /* dots of a point: sharp on today's screens and on paper */
    MAX_SIDE = 16000,   /* points; cairo's images end at 32,767 dots */
    MAX_TEXT = 256,     /* bytes of one text that are drawn */
    ELLIPSIS_BYTES = 3, /* "…" */
};

struct picture {
    picture_kind kind;
    cairo_surface_t *surface;
    cairo_t *cairo;
    unsigned char *bytes; /* of the finished file */
    size_t size, capacity;
};

bool picture_is_supported(void)
{
    return true;
}

/* ---- Life ---- */

static cairo_status_t append(void *user, const unsigned char *bytes, unsigned int length)
{
    picture *p = user;
    if (length > p->capacity - p->size) {
        size_t capacity = p->capacity ? p->capacity : 1 << 16;
        while (capacity - p->size < length) {
            if (capacity > SIZE_MAX / 2)
                return CAIRO_STATUS_NO_MEMORY;
            capacity *= 2;
        }
        unsigned char *grown = realloc(p->bytes, capacity);
        if (!grown)
            return CAIRO_STATUS_NO_MEMORY;
        p->bytes = grown;
        p->capacity = capacity;
    }
    memcpy(p->bytes + p->size, bytes, length);
    p->size += length;
    return CAIRO_STATUS_SUCCESS;
}

static void begin(picture *p, double width, double height)
{
    if (p->kind == PICTURE_PNG) {
        p->surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)(width * PNG_SCALE + 0.5),
                                                (int)(height * PNG_SCALE + 0.5));
        cairo_surface_set_device_scale(p->surface, PNG_SCALE, PNG_SCALE);
    } else {
        p->surface = cairo_svg_surface_create_for_stream(append, p, width, height);
        cairo_svg_surface_set_document_unit(p->surface, CAIRO_SVG_UNIT_PX);
    }
    p->cairo = cairo_create(p->surface);
    cairo_set_source_rgb(p->cairo, 1, 1, 1);
    cairo_paint(p->cairo);
}

picture *picture_open(picture_kind kind, double width, double height)
{
    if (!(width >= 1 && width <= MAX_SIDE && height >= 1 && height <= MAX_SIDE))
        return NULL;
    picture *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->kind = kind;
    begin(p, width, height);
    if (cairo_status(p->cairo) == CAIRO_STATUS_SUCCESS)
        return p;
    picture_free(p);
    return NULL;
}

void picture_free(picture *p)
{
    if (!p)
        return;
    cairo_destroy(p->cairo);
    cairo_surface_destroy(p->surface);
    free(p->bytes);
    free(p);
}

const unsigned char *picture_finish(picture *p, size_t *size)
{
    cairo_status_t status = cairo_status(p->cairo);
    if (status == CAIRO_STATUS_SUCCESS && p->kind == PICTURE_PNG)
        status = cairo_surface_write_to_png_stream(p->surface, append, p);
    cairo_surface_finish(p->surface);
    if (status == CAIRO_STATUS_SUCCESS)
        status = cairo_surface_status(p->surface);
    if (status != CAIRO_STATUS_SUCCESS)
        return NULL;
    *size = p->size;
    return p->bytes;
}

/* ---- Shapes ---- */

static void use(picture *p, colour c)
{
    cairo_set_source_rgb(p->cairo, c.red, c.green, c.blue);
}

void picture_box(picture *p, double x, double y, double width, double height, colour fill)
{
    use(p, fill);
    cairo_rectangle(p->cairo, x, y, width, height);
    cairo_fill(p->cairo);
}

void picture_frame(picture *p, double x, double y, double width, double height, colour line)
{
    use(p, line);
    cairo_set_line_width(p->cairo, 0.75);
    cairo_rectangle(p->cairo, x, y, width, height);
    cairo_stroke(p->cairo);
}

void picture_line(picture *p, double x0, double y0, double x1, double y1, double width, colour line)
{
    const double x[] = {x0, x1}, y[] = {y0, y1};
    picture_path(p, x, y, 2, width, line);
}

void picture_dot(picture *p, double x, double y, double radius, colour fill)
{
    use(p, fill);
    cairo_new_sub_path(p->cairo);
    cairo_arc(p->cairo, x, y, radius, 0, 6.283185307179586);
    cairo_fill(p->cairo);
}

static void trace(picture *p, const double *x, const double *y, int points)
{
    for (int i = 0; i < points; i++)
        cairo_line_to(p->cairo, x[i], y[i]);
}

void picture_area(picture *p, const double *x, const double *y, int points, double base,
                  colour fill)
{
    if (points < 1)
        return;
    use(p, fill);
    cairo_move_to(p->cairo, x[0], base);
    trace(p, x, y, points);
    cairo_line_to(p->cairo, x[points - 1], base);
    cairo_close_path(p->cairo);
    cairo_fill(p->cairo);
}

void picture_path(picture *p, const double *x, const double *y, int points, double width,
                  colour line)
{
    use(p, line);
    cairo_set_line_width(p->cairo, width);
    cairo_set_line_join(p->cairo, CAIRO_LINE_JOIN_ROUND);
    trace(p, x, y, points);
    cairo_stroke(p->cairo);
}

/* ---- Text ---- */

/* Bytes of the UTF-8 sequence at s that may be drawn; 0: none begins there. */
static int sequence(const char *s)
{
    const unsigned char *b = (const unsigned char *)s;
    if (b[0] >= 0x20 && b[0] < 0x7f)
        return 1;
    const int length = b[0] >= 0xc2 && b[0] < 0xe0   ? 2
                       : b[0] >= 0xe0 && b[0] < 0xf0 ? 3
                       : b[0] >= 0xf0 && b[0] < 0xf5 ? 4
                                                     : 0;
    for (int i = 1; i < length; i++)
        if ((b[i] & 0xc0) != 0x80)
            return 0;
    const bool control = length == 2 && b[0] == 0xc2 && b[1] < 0xa0;
    const bool overlong = (b[0] == 0xe0 && b[1] < 0xa0) || (b[0] == 0xf0 && b[1] < 0x90);
    const bool surrogate = (b[0] == 0xed && b[1] >= 0xa0) || (b[0] == 0xf4 && b[1] >= 0x90);
    return control || overlong || surrogate ? 0 : length;
}

/* What may be drawn of the text, cut off at MAX_TEXT bytes. */
static void clean(const char *text, char out[MAX_TEXT])
{
    size_t n = 0;
    while (*text) {
        const int length = sequence(text);
        const size_t bytes = length ? (size_t)length : 1;
        if (n + bytes >= MAX_TEXT)
            break;
        if (length)
            memcpy(out + n, text, bytes);
        else
            out[n] = '?';
        n += bytes;
        text += bytes;
    }
    out[n] = 0;
}

static void choose_font(picture *p, const text_style *style)
{
    cairo_select_font_face(p->cairo, "sans-serif", CAIRO_FONT_SLANT_NORMAL,
                           style->bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(p->cairo, style->size);
}

static double width_of(picture *p, const char *clean_text)
{
    cairo_text_extents_t extents;
    cairo_text_extents(p->cairo, clean_text, &extents);
    return extents.x_advance;
}

static bool is_inside(char byte)
{
    return ((unsigned char)byte & 0xc0) == 0x80;
}

/* The first and last `keep` bytes or so of the text, with an ellipsis between. */
static void shorten(const char *text, size_t length, size_t keep,
                    char out[MAX_TEXT + ELLIPSIS_BYTES])
{
    size_t head = keep, tail = length - keep;
    while (head > 0 && is_inside(text[head]))
        head--;
    while (tail < length && is_inside(text[tail]))
        tail++;
    memcpy(out, text, head);
    memcpy(out + head, "\xe2\x80\xa6", ELLIPSIS_BYTES);
    memcpy(out + head + ELLIPSIS_BYTES, text + tail, length - tail + 1);
}

static void fit(picture *p, char text[MAX_TEXT + ELLIPSIS_BYTES], double room)
{
    if (room <= 0 || width_of(p, text) <= room)
        return;
    char whole[MAX_TEXT + ELLIPSIS_BYTES];
    strcpy(whole, text);
    const size_t length = strlen(whole);
    for (size_t keep = (length - 1) / 2; keep > 0; keep--) {
        shorten(whole, length, keep, text);
        if (width_of(p, text) <= room)
            return;
    }
}

double picture_text_width(picture *p, const char *text, const text_style *style)
{
    char drawn[MAX_TEXT];
    clean(text, drawn);
    choose_font(p, style);
    return width_of(p, drawn);
}

void picture_text(picture *p, double x, double y, double room, const char *text,
                  const text_style *style)
{
    char drawn[MAX_TEXT + ELLIPSIS_BYTES];
    clean(text, drawn);
    choose_font(p, style);
    fit(p, drawn, room);
    const double width = width_of(p, drawn);
    const double back = style->side == PICTURE_LEFT     ? 0
                        : style->side == PICTURE_MIDDLE ? width / 2
                                                        : width;
    use(p, style->ink);
    cairo_save(p->cairo);
    cairo_translate(p->cairo, x, y);
    cairo_rotate(p->cairo, style->turn * (6.283185307179586 / 360));
    cairo_move_to(p->cairo, -back, 0);
    cairo_show_text(p->cairo, drawn);
    cairo_restore(p->cairo);
    cairo_new_path(p->cairo);
}

#endif
