#include "kernel/gemm.h"

/* Sums in double: for f32 this is the answer that the fast paths are held against. */

#define DEFINE_REFERENCE(name, type)                                                               \
    void name(const graft__gemm *p, const type *a, const type *b, type *c)                         \
    {                                                                                              \
        const int64_t a_row = p->trans_a ? 1 : p->lda, a_col = p->trans_a ? p->lda : 1;            \
        const int64_t b_row = p->trans_b ? 1 : p->ldb, b_col = p->trans_b ? p->ldb : 1;            \
        for (int64_t i = 0; i < p->m; i++) {                                                       \
            for (int64_t j = 0; j < p->n; j++) {                                                   \
                double sum = 0;                                                                    \
                for (int64_t l = 0; l < p->k; l++)                                                 \
                    sum += (double)a[i * a_row + l * a_col] * (double)b[l * b_row + j * b_col];    \
                type *out = &c[i * p->ldc + j];                                                    \
                const double scaled = p->k ? p->alpha * sum : 0;                                   \
                *out = (type)(p->beta == 0 ? scaled : scaled + p->beta * (double)*out);            \
            }                                                                                      \
        }                                                                                          \
    }

DEFINE_REFERENCE(graft__gemm_reference_f32, float)
DEFINE_REFERENCE(graft__gemm_reference_f64, double)
