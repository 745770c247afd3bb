#include "kernel/random_fill.h"

#include <stdbool.h>
#include <string.h>

#include "kernel/convert.h"
#include "kernel/half_random.h"

typedef void draw(graft__random *r, graft_dtype dtype, int64_t n, void *out, double a, double b);

static void draw_uniform(graft__random *r, graft_dtype dtype, int64_t n, void *out, double from,
                         double to)
{
    if (dtype == GRAFT_F64)
        graft__random_uniform_f64(r, n, out, from, to);
    else if (dtype == GRAFT_F16)
        graft__random_uniform_f16(r, n, out, from, to);
    else if (dtype == GRAFT_BF16)
        graft__random_uniform_bf16(r, n, out, from, to);
    else
        graft__random_uniform_f32(r, n, out, from, to);
}

static void draw_normal(graft__random *r, graft_dtype dtype, int64_t n, void *out, double mean,
                        double std)
{
    if (dtype == GRAFT_F64)
        graft__random_normal_f64(r, n, out, mean, std);
    else if (dtype == GRAFT_F16)
        graft__random_normal_f16(r, n, out, mean, std);
    else if (dtype == GRAFT_BF16)
        graft__random_normal_bf16(r, n, out, mean, std);
    else
        graft__random_normal_f32(r, n, out, mean, std);
}

/* The array with its dimensions in the order of memory and without those of size 1; *numel is the
 * number of its elements. */
static graft__array in_memory_order(const graft__array *a, int64_t *numel)
{
    graft__array sorted = *a;
    sorted.ndim = 0;
    *numel = 1;
    for (int i = 0; i < a->ndim; i++) {
        *numel *= a->size[i];
        if (a->size[i] == 1)
            continue;
        int at = sorted.ndim++;
        for (; at > 0 && sorted.stride[at - 1] < a->stride[i]; at--) {
            sorted.size[at] = sorted.size[at - 1];
            sorted.stride[at] = sorted.stride[at - 1];
        }
        sorted.size[at] = a->size[i];
        sorted.stride[at] = a->stride[i];
    }
    return sorted;
}

static bool is_contiguous(const graft__array *a)
{
    int64_t expected = 1;
    for (int i = a->ndim - 1; i >= 0; i--) {
        if (a->size[i] != 1 && a->stride[i] != expected)
            return false;
        expected *= a->size[i];
    }
    return true;
}

/* Where PyTorch walks the elements it does so in the order of memory, and draws normals one by one
 * however many there are: in pieces of fewer than 16 they come so. */
static void fill_strided(graft__random *r, const graft__array *dst, draw *draw_n, double a,
                         double b)
{
    enum { PIECE = 15 };
    union {
        double aligned[PIECE];
        char bytes[PIECE * sizeof(double)];
    } piece;
    const size_t width = graft__element_size(dst->dtype);
    int64_t index[GRAFT_MAX_DIMS] = {0}, numel, offset = 0;
    const graft__array s = in_memory_order(dst, &numel);
    for (int64_t done = 0; done < numel; done++) {
        const int64_t at = done % PIECE;
        if (at == 0)
            draw_n(r, s.dtype, numel - done < PIECE ? numel - done : PIECE, &piece, a, b);
        memcpy((char *)s.data + offset * (int64_t)width, piece.bytes + (size_t)at * width, width);
        for (int i = s.ndim - 1; i >= 0; i--) {
            offset += s.stride[i];
            if (++index[i] < s.size[i])
                break;
            offset -= s.stride[i] * s.size[i];
            index[i] = 0;
        }
    }
}

static void fill(graft__random *r, const graft__array *dst, draw *draw_n, double a, double b)
{
    if (!is_contiguous(dst)) {
        fill_strided(r, dst, draw_n, a, b);
        return;
    }
    int64_t numel = 1;
    for (int i = 0; i < dst->ndim; i++)
        numel *= dst->size[i];
    draw_n(r, dst->dtype, numel, dst->data, a, b);
}

void graft__fill_uniform(graft__random *r, const graft__array *dst, double from, double to)
{
    fill(r, dst, draw_uniform, from, to);
}

void graft__fill_normal(graft__random *r, const graft__array *dst, double mean, double std)
{
    fill(r, dst, draw_normal, mean, std);
}
