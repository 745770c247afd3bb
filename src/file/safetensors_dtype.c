#include <string.h>

#include "file/safetensors.h"

/* In the order of the reference implementation's enumeration. */
static const graft__safetensors_dtype table[] = {
    {"BOOL", GRAFT_BOOL, 8},
    {"F4", GRAFT_F4, 4},
    {"F6_E2M3", GRAFT_F6_E2M3, 6},
    {"F6_E3M2", GRAFT_F6_E3M2, 6},
    {"U8", GRAFT_U8, 8},
    {"I8", GRAFT_I8, 8},
    {"F8_E5M2", GRAFT_F8_E5M2, 8},
    {"F8_E4M3", GRAFT_F8_E4M3FN, 8},
    {"F8_E8M0", GRAFT_F8_E8M0FNU, 8},
    {"F8_E4M3FNUZ", GRAFT_F8_E4M3FNUZ, 8},
    {"F8_E5M2FNUZ", GRAFT_F8_E5M2FNUZ, 8},
    {"I16", GRAFT_I16, 16},
    {"U16", GRAFT_U16, 16},
    {"F16", GRAFT_F16, 16},
    {"BF16", GRAFT_BF16, 16},
    {"I32", GRAFT_I32, 32},
    {"U32", GRAFT_U32, 32},
    {"F32", GRAFT_F32, 32},
    {"C64", GRAFT_C64, 64},
    {"F64", GRAFT_F64, 64},
    {"I64", GRAFT_I64, 64},
    {"U64", GRAFT_U64, 64},
};

enum { DTYPES = sizeof table / sizeof *table };

const graft__safetensors_dtype *graft__safetensors_dtype_at(int rank)
{
    return rank >= 0 && rank < DTYPES ? &table[rank] : NULL;
}

int graft__safetensors_rank_of_name(const char *name, size_t length)
{
    for (int i = 0; i < DTYPES; i++)
        if (strlen(table[i].name) == length && memcmp(table[i].name, name, length) == 0)
            return i;
    return -1;
}

int graft__safetensors_rank_of_dtype(graft_dtype dtype)
{
    for (int i = 0; i < DTYPES; i++)
        if (table[i].dtype == dtype)
            return i;
    return -1;
}
