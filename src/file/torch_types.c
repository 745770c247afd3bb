#include "file/torch.h"

#include <string.h>

static const graft__torch_class classes[] = {
    {"FloatStorage", GRAFT_F32, false, false},
    {"DoubleStorage", GRAFT_F64, false, false},
    {"HalfStorage", GRAFT_F16, false, false},
    {"BFloat16Storage", GRAFT_BF16, false, false},
    {"LongStorage", GRAFT_I64, false, false},
    {"IntStorage", GRAFT_I32, false, false},
    {"ShortStorage", GRAFT_I16, false, false},
    {"CharStorage", GRAFT_I8, false, false},
    {"ByteStorage", GRAFT_U8, false, false},
    {"BoolStorage", GRAFT_BOOL, false, false},
    {"ComplexHalfStorage", GRAFT_C32, false, false},
    {"ComplexFloatStorage", GRAFT_C64, false, false},
    {"ComplexDoubleStorage", GRAFT_C128, false, false},
    {"QInt8Storage", GRAFT_I8, true, false},
    {"QUInt8Storage", GRAFT_U8, true, false},
    {"QInt32Storage", GRAFT_I32, true, false},
    {"QUInt4x2Storage", GRAFT_U8, true, false},
    {"QUInt2x4Storage", GRAFT_U8, true, false},
    {"UntypedStorage", GRAFT_U8, false, true},
    {"_UntypedStorage", GRAFT_U8, false, true},
};

const char *graft__torch_name_of(const graft__value *v)
{
    static const char torch[] = "torch.";
    if (v->kind != GRAFT_VALUE_RECORD || v->dict->making != GRAFT__MADE_BY_REFERENCE ||
        !v->dict->class_name || strncmp(v->dict->class_name, torch, sizeof torch - 1) != 0)
        return NULL;
    return v->dict->class_name + sizeof torch - 1;
}

const graft__torch_class *graft__torch_class_of(const graft__value *v)
{
    const char *name = graft__torch_name_of(v);
    if (!name)
        return NULL;
    const char *dot = strrchr(name, '.');
    if (dot)
        name = dot + 1;
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (strcmp(classes[i].name, name) == 0)
            return &classes[i];
    return NULL;
}

bool graft__torch_dtype_of(const graft__value *v, graft_dtype *out)
{
    const char *name = graft__torch_name_of(v);
    if (!name)
        return false;
    for (int i = 0; i < GRAFT_DTYPES; i++)
        if (graft_dtype_size((graft_dtype)i) > 0 &&
            strcmp(graft_dtype_name((graft_dtype)i), name) == 0) {
            *out = (graft_dtype)i;
            return true;
        }
    return false;
}

uint32_t graft__torch_swap(graft_dtype dtype)
{
    const bool complex = dtype == GRAFT_C32 || dtype == GRAFT_C64 || dtype == GRAFT_C128;
    const uint32_t width = (uint32_t)graft_dtype_size(dtype) / (complex ? 2 : 1);
    return width > 1 ? width : 0;
}
