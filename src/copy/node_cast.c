/* Casts, which say what they cost. Dequantising: node_dequantise.c. */
#include <string.h>

#include "base/ctx.h"
#include "copy/node_cast.h"
#include "kernel/copy.h"
#include "kernel/losses.h"
#include "tensor/dtype.h"

static graft__losses *losses_new(graft_ctx *g)
{
    graft__losses *l = graft__alloc_apart(g, sizeof *l);
    if (!l) {
        graft__fail_memory(g, sizeof *l, "cast");
        return NULL;
    }
    l->allocator = g->arena.allocator;
    atomic_init(&l->refs, 1);
    atomic_init(&l->seen, 0);
    atomic_init(&l->overflows, 0);
    atomic_init(&l->error, 0);
    return l;
}

/* Whoever moves `seen` on counts what lies behind it. What was left out there is not wanted. */
static bool claim(graft__losses *l, int64_t first, int64_t end, int64_t *from)
{
    int64_t seen = atomic_load(&l->seen);
    do {
        if (end <= seen)
            return false;
    } while (!atomic_compare_exchange_weak(&l->seen, &seen, end));
    *from = first > seen ? first : seen;
    return true;
}

static void raise_error(graft__losses *l, double error)
{
    uint64_t bits, known = atomic_load(&l->error);
    memcpy(&bits, &error, sizeof bits); /* of numbers that are not negative: ordered as they are */
    while (bits > known && !atomic_compare_exchange_weak(&l->error, &known, bits)) {
    }
}

void graft__cast_elements(graft__pool *pool, graft__losses *l, int64_t first, int64_t count,
                          const void *in, graft_dtype from, void *out, graft_dtype to)
{
    int64_t begin = first + count, overflows = 0;
    double error = 0;
    const bool counts = !graft__is_exact(from, to) && claim(l, first, first + count, &begin);
    graft__convert_counting(pool, count, in, from, out, to, begin - first, &overflows, &error);
    if (!counts)
        return;
    atomic_fetch_add(&l->overflows, overflows);
    raise_error(l, error);
}

static graft_tensor *run_cast(const graft__node *n, graft_ctx *g, graft_tensor *const *input)
{
    if (n->moment)
        return graft__tensor_ref(input[0]);
    graft_tensor *in = graft__node_packed(g, graft__tensor_ref(input[0]));
    graft_tensor *t = in ? graft__node_result(n, g, n->dtype) : NULL;
    if (t)
        graft__cast_elements(g->pool, n->losses, 0, t->numel, graft__read(in).data, in->dtype,
                             graft__fresh(t).data, n->dtype);
    graft__tensor_unref(in);
    return t;
}

static void describe_cast(const graft__node *n, graft__text *out)
{
    graft__text_addf(out, "%s to %s", graft_dtype_name(n->input[0]->dtype),
                     graft_dtype_name(n->dtype));
}

const graft__step graft__cast_step = {"cast", run_cast, describe_cast, .takes_moments = true};

graft__node *graft__node_cast(graft__node *in, const char *name, graft_dtype dtype)
{
    if (in && in->dtype == dtype && !in->quantised)
        return graft__node_ref(in);
    graft__node *n = graft__node_on(in, name, &graft__cast_step, 0);
    if (!n)
        return NULL;
    const graft_dtype carried = graft_dtype_computes(dtype) ? in->dtype : dtype;
    if ((unsigned)dtype >= GRAFT_DTYPES)
        return graft__node_refuse(n, name, GRAFT_ERR_DTYPE, "%d is no dtype", (int)dtype);
    if (!graft_dtype_computes(carried))
        return graft__node_refuse(n, name, GRAFT_ERR_DTYPE,
                                  "%s to %s: %s is a dtype that graft carries but does not compute "
                                  "in",
                                  graft_dtype_name(in->dtype), graft_dtype_name(dtype),
                                  graft_dtype_name(carried));
    n->dtype = dtype;
    n->losses = losses_new(n->ctx);
    if (n->losses)
        return graft__node_made(n, name);
    graft__node_unref(n);
    return NULL;
}

graft__node *graft__node_cast_after(graft__node *in, const char *name, const graft__node *cast)
{
    graft__node *n = in ? graft__node_cast(in, name, cast->dtype) : NULL;
    graft__node_unref(in);
    return n;
}
