#include "file/formats.h"

#include <stddef.h>

/* In the order in which they are asked: the surest marks first. */
const graft__format *const graft__formats[] = {
    &graft__format_npy,         &graft__format_npz,
    &graft__format_gguf,        &graft__format_pt,
    &graft__format_pt_legacy,   &graft__format_pt_tar,
    &graft__format_safetensors, &graft__format_safetensors_index,
    &graft__format_onnx,        NULL,
};

const graft__ending graft__endings[] = {
    {".npy", &graft__format_npy},
    {".npz", &graft__format_npz},
    {".gguf", &graft__format_gguf},
    {".onnx", &graft__format_onnx},
    {".safetensors", &graft__format_safetensors},
    {".safetensors.index.json", &graft__format_safetensors_index},
    {NULL, NULL},
};
