#include "tensor/dtype.h"

typedef struct dtype_info {
    const char *name;
    uint16_t block_elements, block_bytes;
    bool floating, computes;
} dtype_info;

static const dtype_info dtypes[GRAFT_DTYPES] = {
    [GRAFT_F32] = {"float32", 1, 4, true, true},
    [GRAFT_F64] = {"float64", 1, 8, true, true},
    [GRAFT_F16] = {"float16", 1, 2, true, true},
    [GRAFT_BF16] = {"bfloat16", 1, 2, true, true},
    [GRAFT_I64] = {"int64", 1, 8, false, true},
    [GRAFT_I32] = {"int32", 1, 4, false, true},
    [GRAFT_I16] = {"int16", 1, 2, false, true},
    [GRAFT_I8] = {"int8", 1, 1, false, true},
    [GRAFT_U8] = {"uint8", 1, 1, false, true},
    [GRAFT_BOOL] = {"bool", 1, 1, false, true},
    [GRAFT_U16] = {"uint16", 1, 2, false, false},
    [GRAFT_U32] = {"uint32", 1, 4, false, false},
    [GRAFT_U64] = {"uint64", 1, 8, false, false},
    [GRAFT_C32] = {"complex32", 1, 4, false, false},
    [GRAFT_C64] = {"complex64", 1, 8, false, false},
    [GRAFT_C128] = {"complex128", 1, 16, false, false},
    [GRAFT_F8_E4M3FN] = {"float8_e4m3fn", 1, 1, false, false},
    [GRAFT_F8_E5M2] = {"float8_e5m2", 1, 1, false, false},
    [GRAFT_F8_E4M3FNUZ] = {"float8_e4m3fnuz", 1, 1, false, false},
    [GRAFT_F8_E5M2FNUZ] = {"float8_e5m2fnuz", 1, 1, false, false},
    [GRAFT_F8_E8M0FNU] = {"float8_e8m0fnu", 1, 1, false, false},
    [GRAFT_F4_E2M1FN_X2] = {"float4_e2m1fn_x2", 1, 1, false, false},
    [GRAFT_BITS8] = {"bits8", 1, 1, false, false},
    [GRAFT_BITS16] = {"bits16", 1, 2, false, false},
    [GRAFT_BITS1X8] = {"bits1x8", 1, 1, false, false},
    [GRAFT_BITS2X4] = {"bits2x4", 1, 1, false, false},
    [GRAFT_BITS4X2] = {"bits4x2", 1, 1, false, false},
    [GRAFT_F4] = {"float4_e2m1", 2, 1, false, false},
    [GRAFT_F6_E2M3] = {"float6_e2m3", 4, 3, false, false},
    [GRAFT_F6_E3M2] = {"float6_e3m2", 4, 3, false, false},
    [GRAFT_I4] = {"int4", 2, 1, false, false},
    [GRAFT_U4] = {"uint4", 2, 1, false, false},
    [GRAFT_Q4_0] = {"q4_0", 32, 18, false, false},
    [GRAFT_Q4_1] = {"q4_1", 32, 20, false, false},
    [GRAFT_Q5_0] = {"q5_0", 32, 22, false, false},
    [GRAFT_Q5_1] = {"q5_1", 32, 24, false, false},
    [GRAFT_Q8_0] = {"q8_0", 32, 34, false, false},
    [GRAFT_Q8_1] = {"q8_1", 32, 36, false, false},
    [GRAFT_Q2_K] = {"q2_k", 256, 84, false, false},
    [GRAFT_Q3_K] = {"q3_k", 256, 110, false, false},
    [GRAFT_Q4_K] = {"q4_k", 256, 144, false, false},
    [GRAFT_Q5_K] = {"q5_k", 256, 176, false, false},
    [GRAFT_Q6_K] = {"q6_k", 256, 210, false, false},
    [GRAFT_Q8_K] = {"q8_k", 256, 292, false, false},
    [GRAFT_IQ2_XXS] = {"iq2_xxs", 256, 66, false, false},
    [GRAFT_IQ2_XS] = {"iq2_xs", 256, 74, false, false},
    [GRAFT_IQ3_XXS] = {"iq3_xxs", 256, 98, false, false},
    [GRAFT_IQ1_S] = {"iq1_s", 256, 50, false, false},
    [GRAFT_IQ4_NL] = {"iq4_nl", 32, 18, false, false},
    [GRAFT_IQ3_S] = {"iq3_s", 256, 110, false, false},
    [GRAFT_IQ2_S] = {"iq2_s", 256, 82, false, false},
    [GRAFT_IQ4_XS] = {"iq4_xs", 256, 136, false, false},
    [GRAFT_IQ1_M] = {"iq1_m", 256, 56, false, false},
    [GRAFT_TQ1_0] = {"tq1_0", 256, 54, false, false},
    [GRAFT_TQ2_0] = {"tq2_0", 256, 66, false, false},
    [GRAFT_MXFP4] = {"mxfp4", 32, 17, false, false},
};

static bool is_dtype(graft_dtype dtype)
{
    return (unsigned)dtype < GRAFT_DTYPES;
}

size_t graft_dtype_size(graft_dtype dtype)
{
    return is_dtype(dtype) && dtypes[dtype].block_elements == 1 ? dtypes[dtype].block_bytes : 0;
}

bool graft_dtype_block(graft_dtype dtype, int64_t *elements, size_t *bytes)
{
    if (!is_dtype(dtype))
        return false;
    if (elements)
        *elements = dtypes[dtype].block_elements;
    if (bytes)
        *bytes = dtypes[dtype].block_bytes;
    return true;
}

bool graft_dtype_computes(graft_dtype dtype)
{
    return is_dtype(dtype) && dtypes[dtype].computes;
}

const char *graft_dtype_name(graft_dtype dtype)
{
    return is_dtype(dtype) ? dtypes[dtype].name : "?";
}

bool graft_dtype_is_floating(graft_dtype dtype)
{
    return is_dtype(dtype) && dtypes[dtype].floating;
}

bool graft__dtype_bytes(graft_dtype dtype, int64_t numel, uint64_t *bytes)
{
    if (!is_dtype(dtype) || numel < 0 || numel % dtypes[dtype].block_elements != 0)
        return false;
    return !__builtin_mul_overflow((uint64_t)numel / dtypes[dtype].block_elements,
                                   (uint64_t)dtypes[dtype].block_bytes, bytes);
}

bool graft__check_computes(graft_ctx *g, const char *op, graft_dtype dtype)
{
    if (graft_dtype_computes(dtype))
        return true;
    if (is_dtype(dtype))
        graft__fail(g, GRAFT_ERR_DTYPE,
                    "%s: %s is a dtype that graft carries but does not compute in: expected one of "
                    "float32, float64, float16, bfloat16, int64, int32, int16, int8, uint8, bool",
                    op, dtypes[dtype].name);
    else
        graft__fail(g, GRAFT_ERR_DTYPE, "%s: %d is no dtype", op, (int)dtype);
    return false;
}
