/* Elements as CSV and JSON. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cat.h"
#include "cli/dtype.h"
#include "cli/json.h"
#include "cli/say.h"

enum { ELEMENT = 96, NUMBER = 40 };

typedef struct writing {
    graft_dtype dtype;
    bool json;
    int ndim;
    int64_t size[GRAFT_MAX_DIMS];
    int64_t done;
} writing;

/* A float or double, with as few digits as lead back to it. */
static void put_float(char out[NUMBER], double x, bool single, bool quoted)
{
    if (!isfinite(x)) {
        const char *const name = isnan(x) ? "\"NaN\"" : x > 0 ? "\"Infinity\"" : "\"-Infinity\"";
        const char *const brief = isnan(x) ? "nan" : x > 0 ? "inf" : "-inf";
        snprintf(out, NUMBER, "%s", quoted ? name : brief);
        return;
    }
    const int most = single ? 9 : 17;
    for (int digits = single ? 6 : 15; digits <= most; digits++) {
        snprintf(out, NUMBER - 2, "%.*g", digits, x);
        if (single ? strtof(out, NULL) == (float)x : strtod(out, NULL) == x)
            break;
    }
    if (!strpbrk(out, ".e"))
        strcat(out, ".0");
}

static void put_complex(char out[ELEMENT], double real, double imag, bool single, bool list)
{
    char a[NUMBER], b[NUMBER];
    put_float(a, real, single, list);
    put_float(b, imag, single, list);
    if (list)
        snprintf(out, ELEMENT, "[%s, %s]", a, b);
    else
        snprintf(out, ELEMENT, "%s%s%sj", a, *b == '-' ? "" : "+", b);
}

/* false for a dtype whose elements have no text. */
static bool put_element(const writing *w, const void *elements, int64_t i, char out[ELEMENT])
{
    switch (w->dtype) {
    case GRAFT_F32:
        put_float(out, (double)((const float *)elements)[i], true, w->json);
        return true;
    case GRAFT_F64:
        put_float(out, ((const double *)elements)[i], false, w->json);
        return true;
    case GRAFT_I64:
        snprintf(out, ELEMENT, "%" PRId64, ((const int64_t *)elements)[i]);
        return true;
    case GRAFT_I32:
        snprintf(out, ELEMENT, "%" PRId32, ((const int32_t *)elements)[i]);
        return true;
    case GRAFT_I16:
        snprintf(out, ELEMENT, "%d", ((const int16_t *)elements)[i]);
        return true;
    case GRAFT_I8:
        snprintf(out, ELEMENT, "%d", ((const int8_t *)elements)[i]);
        return true;
    case GRAFT_U64:
        snprintf(out, ELEMENT, "%" PRIu64, ((const uint64_t *)elements)[i]);
        return true;
    case GRAFT_U32:
        snprintf(out, ELEMENT, "%" PRIu32, ((const uint32_t *)elements)[i]);
        return true;
    case GRAFT_U16:
        snprintf(out, ELEMENT, "%u", ((const uint16_t *)elements)[i]);
        return true;
    case GRAFT_U8:
        snprintf(out, ELEMENT, "%u", ((const uint8_t *)elements)[i]);
        return true;
    case GRAFT_BOOL:
        snprintf(out, ELEMENT, "%s",
                 ((const uint8_t *)elements)[i] ? (w->json ? "true" : "True")
                                                : (w->json ? "false" : "False"));
        return true;
    case GRAFT_C64:
        put_complex(out, (double)((const float *)elements)[2 * i],
                    (double)((const float *)elements)[2 * i + 1], true, w->json);
        return true;
    case GRAFT_C128:
        put_complex(out, ((const double *)elements)[2 * i], ((const double *)elements)[2 * i + 1],
                    false, w->json);
        return true;
    default:
        return false;
    }
}

/* How many of the innermost dimensions end with the element in front of number `done`. */
static int ends(const writing *w, int64_t done)
{
    int n = 0;
    for (int64_t step = 1; n < w->ndim; n++) {
        step *= w->size[w->ndim - 1 - n];
        if (done % step != 0)
            break;
    }
    return n;
}

static bool put_elements(void *user, const void *elements, int64_t count)
{
    writing *const w = user;
    char text[ELEMENT];
    for (int64_t i = 0; i < count; i++) {
        const int begun = ends(w, w->done);
        if (w->json) {
            if (w->done)
                printf("%s", ", ");
            for (int k = 0; k < begun; k++)
                putchar('[');
        } else if (w->done && w->ndim > 1 && begun == 0) {
            putchar(',');
        }
        if (!put_element(w, elements, i, text))
            return false;
        fputs(text, stdout);
        const int ended = ends(w, ++w->done);
        for (int k = 0; w->json && k < ended; k++)
            putchar(']');
        if (!w->json && (w->ndim <= 1 || ended > 0))
            putchar('\n');
    }
    return !ferror(stdout);
}

/* f16 and bf16 by their f32. */
static graft_tensor *as_printed(cli_call *call, graft_tensor *t)
{
    const graft_dtype dtype = graft_tensor_dtype(t);
    if (dtype == GRAFT_F16 || dtype == GRAFT_BF16)
        t = graft_to(t, GRAFT_F32);
    writing w = {.dtype = t ? graft_tensor_dtype(t) : dtype};
    const double zeros[2] = {0, 0};
    char text[ELEMENT];
    if (!t)
        say_error(call);
    else if (!put_element(&w, zeros, 0, text))
        t = (say(call, "elements of %s have no text: --format raw is their bytes",
                 graft_dtype_name(dtype)),
             NULL);
    return t;
}

static int put_all(cli_call *call, graft_tensor *t, writing *w)
{
    const graft_shape shape = graft_tensor_shape(t);
    w->dtype = graft_tensor_dtype(t);
    w->ndim = shape.ndim;
    memcpy(w->size, shape.size, sizeof w->size);
    if (graft_numel(t) > 0)
        cat_pieces(t, put_elements, w);
    return graft_error(call->g) ? say_error(call) : CLI_OK;
}

int cat_csv(cli_call *call, graft_tensor *t)
{
    writing w = {.json = false};
    t = as_printed(call, t);
    return t ? put_all(call, t, &w) : CLI_TROUBLE;
}

/* An empty tensor has brackets for the dimensions in front of the first that is 0. */
static void put_empty(const graft_shape *shape, int dim)
{
    putchar('[');
    for (int64_t i = 0; i < shape->size[dim] && shape->size[dim]; i++) {
        fputs(i ? ", " : "", stdout);
        put_empty(shape, dim + 1);
    }
    putchar(']');
}

int cat_json(cli_call *call, graft_tensor *t, const char *file, const char *name)
{
    const graft_shape shape = graft_tensor_shape(t);
    writing w = {.json = true};
    char dtype[DTYPE_TEXT];
    dtype_short(graft_tensor_dtype(t), dtype);
    t = as_printed(call, t);
    if (!t)
        return CLI_TROUBLE;
    json j = json_to(stdout, false);
    json_open_object(&j);
    json_key_text(&j, "file", file);
    json_key_text(&j, "name", name);
    json_key_text(&j, "dtype", dtype);
    json_key_array(&j, "shape");
    for (int i = 0; i < shape.ndim; i++)
        json_int(&j, shape.size[i]);
    json_close_array(&j);
    json_key(&j, "data");
    j.behind_key = false;
    if (graft_numel(t) == 0)
        put_empty(&shape, 0);
    const int status = put_all(call, t, &w);
    json_close_object(&j);
    return status;
}
