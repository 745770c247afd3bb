#include <math.h>
#include <string.h>

#include "base/error.h"
#include "copy/diff_parts.h"

enum { REPR = 60 };

static bool close_to(const graft_diff_options *o, double a, double b)
{
    if (isnan(a) || isnan(b))
        return isnan(a) && isnan(b);
    if (o->rtol == 0 && o->atol == 0)
        return a == b && signbit(a) == signbit(b);
    return a == b || (isfinite(a) && isfinite(b) && fabs(a - b) <= o->atol + o->rtol * fabs(b));
}

static bool same(const graft_diff_options *o, const graft__value *a, const graft__value *b)
{
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case GRAFT_VALUE_NONE:
        return true;
    case GRAFT_VALUE_BOOL:
        return a->boolean == b->boolean;
    case GRAFT_VALUE_INT:
        return a->integer == b->integer;
    case GRAFT_VALUE_FLOAT:
        return close_to(o, a->real, b->real);
    case GRAFT_VALUE_COMPLEX:
        return close_to(o, a->parts[0], b->parts[0]) && close_to(o, a->parts[1], b->parts[1]);
    default: /* texts; containers were walked into, and a tensor is not compared with one here */
        return graft__is_text(a->kind) && a->text.length == b->text.length &&
               memcmp(a->text.data, b->text.data, a->text.length) == 0;
    }
}

/* "3", or "a tensor [2, 3] float32" */
static void add_side(graft__text *out, const graft__diff_place *p)
{
    graft_tensor_info info;
    char shape[GRAFT__SHAPE_TEXT];
    if (graft__diff_info(p, &info))
        graft__text_addf(out, "a tensor %s %s",
                         graft__shape_text(info.shape.ndim, info.shape.size, shape),
                         graft_dtype_name(info.dtype));
    else
        graft__value_repr(out, p->value, REPR);
}

graft_status graft__diff_values(graft__diff_work *w, const graft__diff_place *a,
                                const graft__diff_place *b, graft__diff_entry *e)
{
    const bool two_values = a->value && b->value;
    e->kind =
        two_values && same(&w->options, a->value, b->value) ? GRAFT_DIFF_EQUAL : GRAFT_DIFF_CHANGED;
    if (e->kind == GRAFT_DIFF_EQUAL)
        return GRAFT_OK;
    graft__text note;
    graft__text_init(&note, w->g);
    add_side(&note, a);
    graft__text_add(&note, " in a, ");
    add_side(&note, b);
    graft__text_add(&note, " in b");
    return graft__diff_set_note(e, &note) ? GRAFT_OK : GRAFT_ERR_MEMORY;
}
