/* graft/layers.h: layers that are modules. Those whose operation has no parameters end in _layer;
 * the operation itself (graft_relu, graft_dropout, ...) is in graft/ops.h. All are made in train
 * mode and freed as graft_module_new says. */
#ifndef GRAFT_LAYERS_H
#define GRAFT_LAYERS_H

#include "graft/module.h"

#ifdef __cplusplus
extern "C" {
#endif

/* torch.nn.Linear: weight [out, in] and, if bias, bias [out], f32, initialised as PyTorch does (the
 * same numbers for the same seed). Input [..., in], output [..., out]. */
GRAFT_API graft_module *graft_linear(graft_ctx *g, int64_t in_features, int64_t out_features,
                                     bool bias);

/* The same in another floating dtype. */
GRAFT_API graft_module *graft_linear_dtype(graft_ctx *g, int64_t in_features, int64_t out_features,
                                           bool bias, graft_dtype dtype);

/* torch.nn.ReLU, Tanh, Sigmoid, Softmax(dim), LogSoftmax(dim). */
GRAFT_API graft_module *graft_relu_layer(graft_ctx *g);
GRAFT_API graft_module *graft_tanh_layer(graft_ctx *g);
GRAFT_API graft_module *graft_sigmoid_layer(graft_ctx *g);
GRAFT_API graft_module *graft_softmax_layer(graft_ctx *g, int dim);
GRAFT_API graft_module *graft_log_softmax_layer(graft_ctx *g, int dim);

/* torch.nn.Dropout(p): active in train mode only. p in [0, 1]. */
GRAFT_API graft_module *graft_dropout_layer(graft_ctx *g, double p);

/* torch.nn.Flatten(start_dim, end_dim); PyTorch's defaults are 1 and -1. */
GRAFT_API graft_module *graft_flatten_layer(graft_ctx *g, int start_dim, int end_dim);

/* torch.nn.Identity. */
GRAFT_API graft_module *graft_identity(graft_ctx *g);

/* torch.nn.Sequential, empty: its children "0", "1", ... are called one after the other. */
GRAFT_API graft_module *graft_sequential(graft_ctx *g);

/* Appends a child to a Sequential; its name is its position. A NULL child returns the error. */
GRAFT_API graft_status graft_sequential_add(graft_module *sequential, graft_module *child);

/* ---- Initialisation of a leaf in place, without history; numbers as torch.nn.init's ---- */
GRAFT_API graft_status graft_init_uniform(graft_tensor *t, double from, double to);
GRAFT_API graft_status graft_init_normal(graft_tensor *t, double mean, double std);
GRAFT_API graft_status graft_init_constant(graft_tensor *t, double value);

/* kaiming_uniform_(t, a) with fan_in and leaky_relu, xavier_uniform_(t, gain): t has at least two
 * dimensions. */
GRAFT_API graft_status graft_init_kaiming_uniform(graft_tensor *t, double a);
GRAFT_API graft_status graft_init_xavier_uniform(graft_tensor *t, double gain);

#ifdef __cplusplus
}
#endif

#endif
