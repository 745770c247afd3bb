#include "cli/demo_compare.h"

#include <math.h>
#include <string.h>

static void compare_values(const float *x, const float *y, int64_t n, demo_diff *out)
{
    for (int64_t i = 0; i < n; i++) {
        if (memcmp(&x[i], &y[i], sizeof *x) == 0)
            continue;
        out->differing++;
        out->largest = fmax(out->largest, fabs((double)x[i] - (double)y[i]));
    }
}

void demo_compare(const graft_dict *a, const graft_dict *b, demo_diff *out)
{
    *out = (demo_diff){.tensors = graft_dict_len(a)};
    for (int64_t i = 0; i < graft_dict_len(a); i++) {
        graft_tensor *x = graft_dict_tensor_at(a, i);
        graft_tensor *y = graft_dict_tensor(b, graft_dict_key(a, i));
        int64_t n = graft_numel(x);
        out->values += n;
        if (!x || !y || graft_numel(y) != n || graft_tensor_dtype(x) != GRAFT_F32 ||
            graft_tensor_dtype(y) != GRAFT_F32) {
            out->differing += n;
            continue;
        }
        long long before = out->differing;
        compare_values(graft_data(x), graft_data(y), n, out);
        out->equal += out->differing == before;
        out->shared += graft_shares_memory(x, y);
    }
}
