/* Quantized elements as float32: records of torch's quantized tensors (file/torch_rebuild_kinds.c
 * says what they look like) and ggml's linear blocks. */
#include <string.h>

#include "base/ctx.h"
#include "copy/node_cast.h"
#include "kernel/copy.h"
#include "kernel/dequantise.h"

enum { WHOLE, CHANNELS, BLOCKS }; /* mode: one scale; one for each place of dim; of the dtype */
enum { ZERO, BITS };              /* in number[]; BITS 0: elements have bytes of their own */

/* ---- Running ---- */

static graft_tensor *run_blocks(const graft__node *n, graft_ctx *g, graft_tensor *const *input)
{
    graft_tensor *t = graft__node_result(n, g, GRAFT_F32);
    if (t)
        graft__dequantise_blocks(g->pool, input[0]->dtype, t->numel, graft__read(input[0]).data,
                                 graft__fresh(t).data);
    return t;
}

/* The integers, contiguous and one to an element; the caller's reference. */
static graft_tensor *integers_of(const graft__node *n, graft_ctx *g, graft_tensor *stored)
{
    if (!n->number[BITS])
        return graft__node_packed(g, graft__tensor_ref(stored));
    graft_tensor *t = graft__node_result(n, g, GRAFT_U8);
    if (t)
        graft__unpack_bits((int)n->number[BITS], t->numel, graft__read(stored).data,
                           graft__fresh(t).data);
    return t;
}

/* t as doubles; the caller's reference. */
static graft_tensor *doubles_of(graft_tensor *t)
{
    graft_tensor *wide = graft__tensor_like(t, GRAFT_F64);
    if (wide) {
        const graft__array to = graft__fresh(wide), from = graft__read(t);
        graft__copy(t->object.ctx->pool, &to, &from);
    }
    return wide;
}

/* q as floats, for each place of dim with its scale and zero. Scales are floats to PyTorch, however
 * they are kept. */
static void by_channels(const graft__node *n, const graft_tensor *q, const double *scale,
                        const double *zero, float *out)
{
    int64_t inner = 1;
    for (int d = n->dim + 1; d < n->shape.ndim; d++)
        inner *= n->shape.size[d];
    const char *in = graft__read(q).data;
    const int64_t channels = n->shape.size[n->dim];
    for (int64_t at = 0, i = 0; at < q->numel; at += inner, i = i + 1 < channels ? i + 1 : 0) {
        graft__dequantise_affine(q->dtype, inner, in, zero[i], (double)(float)scale[i], out + at);
        in += inner * (int64_t)graft__width(q->dtype);
    }
}

static graft_tensor *run_affine(const graft__node *n, graft_ctx *g, graft_tensor *const *input)
{
    graft_tensor *q = integers_of(n, g, input[0]), *scales = NULL, *zeros = NULL;
    graft_tensor *t = q ? graft__node_result(n, g, GRAFT_F32) : NULL;
    bool ok = t != NULL;
    if (ok && n->mode == WHOLE) {
        graft__dequantise_affine(q->dtype, q->numel, graft__read(q).data, (double)n->number[ZERO],
                                 (double)(float)n->value, graft__fresh(t).data);
    } else if (ok) {
        scales = doubles_of(input[1]);
        zeros = scales ? doubles_of(input[2]) : NULL;
        ok = zeros != NULL;
        if (ok)
            by_channels(n, q, graft__read(scales).data, graft__read(zeros).data,
                        graft__fresh(t).data);
    }
    graft__tensor_unref(q);
    graft__tensor_unref(scales);
    graft__tensor_unref(zeros);
    if (ok)
        return t;
    graft__tensor_unref(t);
    return NULL;
}

static graft_tensor *run(const graft__node *n, graft_ctx *g, graft_tensor *const *input)
{
    return (n->mode == BLOCKS ? run_blocks : run_affine)(n, g, input);
}

static void describe(const graft__node *n, graft__text *out)
{
    graft__text_addf(out, "%s to float32",
                     n->mode == BLOCKS ? graft_dtype_name(n->input[0]->dtype) : "quantized");
}

const graft__step graft__dequantise_step = {"dequantise", run, describe, .takes_moments = false};

/* ---- Making ---- */

static const graft__value *field(const graft_dict *record, const char *name)
{
    const int64_t at = graft_dict_find(record->attributes, name);
    return at < 0 ? NULL : &record->attributes->entry[at].value;
}

static bool text_is(const graft__value *v, const char *text)
{
    return v && v->kind == GRAFT_VALUE_STRING && strcmp(v->text.data, text) == 0;
}

static graft__node *refuse_record(graft__node *n, const char *name, const char *why)
{
    return graft__node_refuse(n, name, GRAFT_ERR_ARGUMENT,
                              "a quantized tensor %s: expected one of torch.quantize_per_tensor or "
                              "quantize_per_channel",
                              why);
}

/* Takes one of the tensors along that have a number for each channel. */
static graft__node *take_channels(graft__node *n, const char *name, const graft__value *v)
{
    const bool fits = v && v->kind == GRAFT_VALUE_TENSOR && v->tensor->ndim == 1 &&
                      v->tensor->size[0] == n->shape.size[n->dim] &&
                      graft_dtype_computes(v->tensor->dtype);
    if (!fits)
        return refuse_record(n, name, "whose scales are not as many as its channels");
    graft__node *own = graft__node_constant(v->tensor);
    if (!own) {
        graft__node_unref(n);
        return NULL;
    }
    const bool added = graft__node_add(n, name, own);
    graft__node_unref(own);
    return added ? n : NULL;
}

static graft__node *channels(graft__node *n, const char *name, const graft_dict *record)
{
    const graft__value *axis = field(record, "axis");
    if (!axis || axis->kind != GRAFT_VALUE_INT || axis->integer < 0 ||
        axis->integer >= n->shape.ndim)
        return refuse_record(n, name, "without an axis");
    n->mode = CHANNELS;
    n->dim = (int)axis->integer;
    n = take_channels(n, name, field(record, "scales"));
    return n ? take_channels(n, name, field(record, "zero_points")) : NULL;
}

static graft__node *whole(graft__node *n, const char *name, const graft_dict *record)
{
    const graft__value *scale = field(record, "scale"), *zero = field(record, "zero_point");
    if (!scale || scale->kind != GRAFT_VALUE_FLOAT || !zero || zero->kind != GRAFT_VALUE_INT)
        return refuse_record(n, name, "without a scale and a zero point");
    n->mode = WHOLE;
    n->value = scale->real;
    n->number[ZERO] = zero->integer;
    return n;
}

/* Bytes of their own, as many as the sizes say: a state that a file gives a record may have put
 * others there than it was made of. */
static bool is_whole(const graft__node *n)
{
    const graft_tensor *t = graft__node_stored(n->input[0]);
    return t->numel == graft__shape_numel(n->shape.ndim, n->shape.size);
}

/* Several elements in a byte: they must begin with the storage, one behind the other. */
static bool unpacks(graft__node *n, const graft_dict *record)
{
    const graft__value *dtype = field(record, "dtype");
    const graft_tensor *t = graft__node_stored(n->input[0]);
    const graft_dict *args = record->args;
    int64_t stride[GRAFT_MAX_DIMS];
    n->number[BITS] = text_is(dtype, "torch.quint4x2")   ? 4
                      : text_is(dtype, "torch.quint2x4") ? 2
                                                         : 0;
    if (!n->number[BITS] || args->count < 4 || args->entry[1].value.kind != GRAFT_VALUE_INT ||
        args->entry[1].value.integer != 0 || !graft__is_nested(args->entry[3].value.kind) ||
        args->entry[3].value.dict->count != (size_t)n->shape.ndim || !t->contiguous)
        return false;
    graft__contiguous_strides(n->shape.ndim, n->shape.size, stride);
    for (int d = 0; d < n->shape.ndim; d++) {
        const graft__value *v = &args->entry[3].value.dict->entry[d].value;
        if (n->shape.size[d] != 1 && (v->kind != GRAFT_VALUE_INT || v->integer != stride[d]))
            return false;
    }
    const int64_t numel = graft__shape_numel(n->shape.ndim, n->shape.size);
    const int64_t each = 8 / n->number[BITS];
    return numel / each + (numel % each != 0) <= (int64_t)graft__tensor_bytes(t);
}

static graft__node *of_record(graft__node *in, const char *name)
{
    graft__node *n = graft__node_on(in, name, &graft__dequantise_step, GRAFT__TAKES_QUANTISED);
    if (!n)
        return NULL;
    const graft_dict *const record = in->dict->entry[in->entry].value.dict;
    const graft__value *scheme = field(record, "scheme");
    n->dtype = GRAFT_F32;
    if (field(record, "packed")) {
        if (!unpacks(n, record))
            return refuse_record(n, name, "whose elements do not lie in order");
    } else if (in->dtype != GRAFT_I8 && in->dtype != GRAFT_U8 && in->dtype != GRAFT_I32) {
        return refuse_record(n, name, "of elements that are no integers");
    } else if (!is_whole(n)) {
        return refuse_record(n, name, "whose elements are not as many as its sizes say");
    }
    if (text_is(scheme, "torch.per_tensor_affine"))
        return whole(n, name, record);
    if (text_is(scheme, "torch.per_channel_affine") ||
        text_is(scheme, "torch.per_channel_affine_float_qparams"))
        return channels(n, name, record);
    return refuse_record(n, name, "of another scheme");
}

graft__node *graft__node_dequantise(graft__node *in, const char *name)
{
    if (in && in->quantised)
        return of_record(in, name);
    graft__node *n = graft__node_on(in, name, &graft__dequantise_step, GRAFT__TAKES_BLOCKS);
    if (!n)
        return NULL;
    n->mode = BLOCKS;
    n->dtype = GRAFT_F32;
    if (graft__is_linear_block(in->dtype))
        return graft__node_made(n, name);
    return graft__node_refuse(n, name, GRAFT_ERR_DTYPE,
                              "%s: expected a quantized tensor of torch or q4_0, q4_1, q5_0, q5_1, "
                              "q8_0, q8_1 or q2_k to q8_k of ggml",
                              graft_dtype_name(in->dtype));
}
