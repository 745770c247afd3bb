#include "graft/tensor.h"

typedef struct dtype_info {
    const char *name;
    unsigned char size;
    bool floating;
} dtype_info;

static const dtype_info dtypes[] = {
    [GRAFT_F32] = {"float32", 4, true}, [GRAFT_F64] = {"float64", 8, true},
    [GRAFT_F16] = {"float16", 2, true}, [GRAFT_BF16] = {"bfloat16", 2, true},
    [GRAFT_I64] = {"int64", 8, false},  [GRAFT_I32] = {"int32", 4, false},
    [GRAFT_I16] = {"int16", 2, false},  [GRAFT_I8] = {"int8", 1, false},
    [GRAFT_U8] = {"uint8", 1, false},   [GRAFT_BOOL] = {"bool", 1, false},
};

static bool is_dtype(graft_dtype dtype)
{
    return (unsigned)dtype < sizeof dtypes / sizeof *dtypes;
}

size_t graft_dtype_size(graft_dtype dtype)
{
    return is_dtype(dtype) ? dtypes[dtype].size : 0;
}

const char *graft_dtype_name(graft_dtype dtype)
{
    return is_dtype(dtype) ? dtypes[dtype].name : "?";
}

bool graft_dtype_is_floating(graft_dtype dtype)
{
    return is_dtype(dtype) && dtypes[dtype].floating;
}
