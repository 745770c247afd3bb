#include "copy/node.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "copy/node_make.h"
#include "kernel/copy.h"
#include "tensor/dtype.h"

/* ---- Life ---- */

static graft__node *node_new(graft_ctx *g)
{
    graft__node *n = graft__alloc_zero(g, sizeof *n);
    if (!n) {
        graft__fail_memory(g, sizeof *n, "plan");
        return NULL;
    }
    n->refs = n->steps = 1;
    n->ctx = g;
    n->groups = 1;
    return n;
}

graft__node *graft__node_ref(graft__node *n)
{
    n->refs++;
    return n;
}

void graft__node_unref(graft__node *n)
{
    if (!n || --n->refs > 0)
        return;
    for (int i = 0; i < n->inputs; i++)
        graft__node_unref(n->input[i]);
    graft__dict_unref(n->dict);
    graft__tensor_unref(n->initial);
    graft__losses_unref(n->losses);
    graft__free(n->ctx, n, sizeof *n);
}

void graft__losses_unref(graft__losses *l)
{
    if (!l || atomic_fetch_sub_explicit(&l->refs, 1, memory_order_acq_rel) != 1)
        return;
    const graft_allocator a = l->allocator;
    a.free(a.user, l, sizeof *l);
}

/* ---- Sources ---- */

bool graft__node_is_quantised(const graft_dict *record)
{
    return record && record->container == GRAFT_VALUE_RECORD && record->attributes &&
           record->making == GRAFT__MADE_BY_CALL &&
           graft__dict_is_class(record, "torch._utils._rebuild_qtensor");
}

graft_tensor *graft__node_stored(const graft__node *source)
{
    if (!source->dict)
        return source->initial;
    const graft__value *v = &source->dict->entry[source->entry].value;
    if (v->kind == GRAFT_VALUE_TENSOR)
        return v->tensor;
    static const char *const parts[] = {"int_repr", "packed"};
    for (size_t i = 0; v->kind == GRAFT_VALUE_RECORD && v->dict->attributes && i < 2; i++) {
        const int64_t at = graft_dict_find(v->dict->attributes, parts[i]);
        if (at >= 0 && v->dict->attributes->entry[at].value.kind == GRAFT_VALUE_TENSOR)
            return v->dict->attributes->entry[at].value.tensor;
    }
    return NULL;
}

/* The sizes among the arguments (storage, offset, size, ...) of a quantized tensor's record: one
 * whose elements are packed has no other. */
static bool recorded_shape(const graft_dict *record, graft_shape *shape)
{
    const graft_dict *args = record->args;
    if (!args || args->count < 3 || !graft__is_nested(args->entry[2].value.kind))
        return false;
    const graft_dict *sizes = args->entry[2].value.dict;
    if (sizes->count > GRAFT_MAX_DIMS)
        return false;
    shape->ndim = (int)sizes->count;
    for (size_t i = 0; i < sizes->count; i++) {
        if (sizes->entry[i].value.kind != GRAFT_VALUE_INT)
            return false;
        shape->size[i] = sizes->entry[i].value.integer;
    }
    return graft__shape_numel(shape->ndim, shape->size) >= 0;
}

graft__node *graft__node_source(graft_dict *d, size_t entry, size_t place)
{
    graft_ctx *g = d->object.ctx;
    graft__node *n = node_new(g);
    if (!n)
        return NULL;
    n->dict = d;
    graft__ref(&d->object);
    n->entry = entry;
    n->place = place;
    const graft__value *v = &d->entry[entry].value;
    const graft_tensor *t = graft__node_stored(n);
    n->quantised = v->kind == GRAFT_VALUE_RECORD;
    if (!t || (n->quantised && !graft__node_is_quantised(v->dict)) ||
        (n->quantised && !recorded_shape(v->dict, &n->shape))) {
        graft__fail(g, GRAFT_ERR_ARGUMENT, "plan: '%s' is no tensor", graft__entry_name(d, entry));
        graft__node_unref(n);
        return NULL;
    }
    n->dtype = t->dtype;
    if (!n->quantised)
        n->shape = graft_shape_of(t->ndim, t->size);
    return n;
}

graft__node *graft__node_constant(graft_tensor *t)
{
    graft__node *n = node_new(t->object.ctx);
    if (!n)
        return NULL;
    n->initial = graft__tensor_ref(t);
    n->dtype = t->dtype;
    n->shape = graft_shape_of(t->ndim, t->size);
    return n;
}

const graft__node *graft__node_origin(const graft__node *n)
{
    while (n->step)
        n = n->input[0];
    return n;
}

/* ---- Making ---- */

graft__node *graft__node_refuse(graft__node *n, const char *name, graft_status status,
                                const char *format, ...)
{
    char why[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    graft__fail(n->ctx, status, "%s: %s: %s", name, n->step->verb, why);
    graft__node_unref(n);
    return NULL;
}

bool graft__node_add(graft__node *n, const char *name, graft__node *in)
{
    if (n->inputs == GRAFT__NODE_INPUTS) {
        graft__node_refuse(n, name, GRAFT_ERR_ARGUMENT, "more than %d tensors at once",
                           (int)GRAFT__NODE_INPUTS);
        return false;
    }
    n->input[n->inputs++] = graft__node_ref(in);
    n->steps += in->steps;
    if (n->steps <= GRAFT__NODE_STEPS)
        return true;
    graft__node_refuse(n, name, GRAFT_ERR_ARGUMENT, "more than %d steps lead to one tensor",
                       (int)GRAFT__NODE_STEPS);
    return false;
}

graft__node *graft__node_on(graft__node *in, const char *name, const graft__step *step, int takes)
{
    graft__node *n = in ? node_new(in->ctx) : NULL;
    if (!n)
        return NULL;
    n->step = step;
    n->dtype = in->dtype;
    n->shape = in->shape;
    if (!graft__node_add(n, name, in))
        return NULL;
    if (in->quantised && !(takes & GRAFT__TAKES_QUANTISED))
        return graft__node_refuse(n, name, GRAFT_ERR_DTYPE,
                                  "the tensor is quantized: dequantise it first");
    if (graft_dtype_size(in->dtype) == 0 && !(takes & GRAFT__TAKES_BLOCKS))
        return graft__node_refuse(n, name, GRAFT_ERR_DTYPE,
                                  "%s comes in blocks of several elements: dequantise it first",
                                  graft_dtype_name(in->dtype));
    return n;
}

int graft__node_dim(graft__node *n, const char *name, int dim, int extra)
{
    const graft_shape *shape = &n->input[0]->shape;
    const int ndim = shape->ndim + extra;
    if (dim >= -ndim && dim < ndim)
        return dim < 0 ? dim + ndim : dim;
    char text[GRAFT__SHAPE_TEXT];
    graft__shape_text(shape->ndim, shape->size, text);
    if (ndim > 0)
        graft__node_refuse(n, name, GRAFT_ERR_SHAPE,
                           "dim %d is out of range for shape %s: expected %d to %d", dim, text,
                           -ndim, ndim - 1);
    else
        graft__node_refuse(n, name, GRAFT_ERR_SHAPE, "dim %d of a tensor without dimensions", dim);
    return -1;
}

graft__node *graft__node_made(graft__node *n, const char *name)
{
    const int64_t numel = graft__shape_numel(n->shape.ndim, n->shape.size);
    uint64_t bytes = 0;
    if (numel >= 0 && graft__dtype_bytes(n->dtype, numel, &bytes) && bytes <= PTRDIFF_MAX)
        return n;
    char text[GRAFT__SHAPE_TEXT];
    return graft__node_refuse(n, name, GRAFT_ERR_SHAPE,
                              "%s elements in shape %s: expected sizes whose bytes fit the address "
                              "space",
                              graft_dtype_name(n->dtype),
                              graft__shape_text(n->shape.ndim, n->shape.size, text));
}

bool graft__node_sums(graft__node *n, const char *name)
{
    if (graft_dtype_is_floating(n->dtype))
        return true;
    graft__node_refuse(n, name, GRAFT_ERR_DTYPE,
                       "%s can't be computed in: expected float32, float64, float16 or bfloat16",
                       graft_dtype_name(n->dtype));
    return false;
}

/* ---- Running ---- */

graft_tensor *graft__node_result(const graft__node *n, graft_ctx *g, graft_dtype dtype)
{
    return graft__tensor_carried(g, n->step->verb, n->shape.ndim, n->shape.size, dtype);
}

graft__array graft__array_part(const graft__array *a, int dim, int64_t start, int64_t length)
{
    graft__array part = *a;
    part.size[dim] = length;
    if (!graft__array_is_empty(&part)) /* else the place may be beyond all memory */
        part.data = (char *)a->data + start * a->stride[dim] * (int64_t)graft__width(a->dtype);
    return part;
}

void graft__array_zero(graft_ctx *g, const graft__array *a)
{
    _Alignas(16) static const char zeros[16];
    graft__array nothing = *a;
    nothing.data = (void *)(uintptr_t)zeros;
    memset(nothing.stride, 0, sizeof nothing.stride);
    graft__copy(g->pool, a, &nothing);
}

graft_tensor *graft__node_packed(graft_ctx *g, graft_tensor *t)
{
    if (!t || t->contiguous)
        return t;
    graft_tensor *packed = graft__tensor_carried(g, "plan", t->ndim, t->size, t->dtype);
    if (packed) {
        const graft__array to = graft__fresh(packed), from = graft__read(t);
        graft__copy(g->pool, &to, &from);
    }
    graft__tensor_unref(t);
    return packed;
}

static graft_tensor *run_step(const graft__node *n, graft_ctx *g, const graft__node_values *values,
                              graft_tensor *const *input)
{
    if (!values->moment)
        return n->step->run(n, g, input);
    if (!n->step->takes_moments)
        return NULL;
    graft__node as_moment = *n;
    as_moment.moment = values->moment;
    as_moment.dtype = input[0]->dtype;
    return n->step->run(&as_moment, g, input);
}

graft_tensor *graft__node_evaluate(const graft__node *n, graft_ctx *g,
                                   const graft__node_values *values)
{
    if (!n->step)
        return values->of(values->user, n, g);
    graft_tensor *input[GRAFT__NODE_INPUTS] = {0}, *result = NULL;
    int have = 0;
    while (have < n->inputs && (input[have] = graft__node_evaluate(n->input[have], g, values)))
        have++;
    if (have == n->inputs)
        result = run_step(n, g, values, input);
    while (have > 0)
        graft__tensor_unref(input[--have]);
    return result;
}

static graft_tensor *value_of(void *user, const graft__node *source, graft_ctx *g)
{
    (void)user;
    graft_tensor *t = graft__node_stored(source);
    if (!graft__storage_ready(t->storage, g))
        return NULL;
    return t->object.ctx == g ? graft__tensor_ref(t) : graft__tensor_snapshot(t, g);
}

bool graft__node_has_value(const graft__node *n, graft_ctx *g)
{
    if (!n->quantised)
        return true;
    graft__fail(g, GRAFT_ERR_DTYPE, "plan: '%s' is quantized: dequantise it first",
                graft__entry_name(n->dict, n->entry));
    return false;
}

graft_tensor *graft__node_run(const graft__node *n, graft_ctx *g)
{
    const graft__node_values values = {value_of, NULL, 0};
    return n && graft__node_has_value(n, g) ? graft__node_evaluate(n, g, &values) : NULL;
}

typedef struct moments {
    graft__moment_of *of;
    void *user;
} moments;

/* What comes along with a step is no parameter: a step that looks at it has its own way with
 * moments. */
static graft_tensor *moment_of(void *user, const graft__node *source, graft_ctx *g)
{
    const moments *const m = user;
    return source->dict ? m->of(m->user, source, g) : value_of(NULL, source, g);
}

graft_tensor *graft__node_moment(const graft__node *n, graft_ctx *g, graft__moment_of *of,
                                 void *user, bool second)
{
    moments m = {of, user};
    const graft__node_values values = {moment_of, &m, second ? 2 : 1};
    return graft__node_evaluate(n, g, &values);
}

/* ---- What was lost ---- */

void graft__node_losses(const graft__node *n, int64_t *overflows, double *error)
{
    if (!n->step) {
        *overflows = 0;
        *error = 0;
        return;
    }
    int64_t sum = 0;
    double largest = 0;
    for (int i = 0; i < n->inputs; i++) {
        int64_t more = 0;
        double other = 0;
        graft__node_losses(n->input[i], &more, &other);
        sum += more;
        largest = fmax(largest, other);
    }
    if (n->losses) {
        const uint64_t bits = atomic_load(&n->losses->error);
        double own;
        memcpy(&own, &bits, sizeof own);
        sum += atomic_load(&n->losses->overflows);
        largest = fmax(largest, own);
    }
    *overflows = sum;
    *error = largest;
}

/* ---- In words ---- */

static const char *name_of(const graft__node *source, const char *const *names)
{
    const char *name =
        names ? names[source->place] : graft__entry_name(source->dict, source->entry);
    return name ? name : "?";
}

static bool joins(const graft__node *n)
{
    return n->inputs > 1 && graft__node_origin(n->input[1])->dict;
}

/* "a, b (rows 0 to 9) and c": the inputs that are tensors of the source. */
static void describe_inputs(const graft__node *n, const char *const *names, graft__text *out)
{
    for (int i = 0; i < n->inputs; i++) {
        const graft__node *in = n->input[i];
        graft__text_add(out, i == 0 ? "" : i + 1 < n->inputs ? ", " : " and ");
        if (!joins(in))
            graft__text_add(out, name_of(graft__node_origin(in), names));
        if (!in->step)
            continue;
        graft__text_add(out, " (");
        graft__node_describe(in, names, out);
        graft__text_add(out, ")");
    }
}

void graft__node_describe(const graft__node *n, const char *const *names, graft__text *out)
{
    if (!n->step)
        return;
    if (joins(n)) {
        describe_inputs(n, names, out);
        graft__text_add(out, " ");
        n->step->describe(n, out);
        return;
    }
    const graft__node *in = n->input[0];
    graft__node_describe(in, names, out);
    if (in->step)
        graft__text_add(out, ", ");
    n->step->describe(n, out);
    if (!in->step && n->step->of_source) {
        graft__text_add(out, " of ");
        graft__text_add(out, name_of(in, names));
    }
}
