/* What the parts of the ONNX reader share. Field numbers are those of onnx.proto. */
#ifndef GRAFT__FILE_ONNX_H
#define GRAFT__FILE_ONNX_H

#include "file/named.h"
#include "file/protobuf.h"

/* A file of external data, opened once. */
typedef struct graft__onnx_file {
    const char *location; /* lies in the model */
    uint64_t length;
    graft__source *source;
} graft__onnx_file;

typedef struct graft__onnx {
    graft__reading *r;
    graft__source *model;
    graft_dict *root;
    graft__onnx_file *file;
    size_t files, file_capacity;
    char *folder; /* of the model, resolved; NULL until it is needed */
    size_t folder_size;
} graft__onnx;

/* Where in the model a byte stands. */
static inline int64_t graft__onnx_offset(const graft__onnx *o, const unsigned char *p)
{
    return p - o->model->bytes;
}

/* The fault behind m's error; GRAFT_OK if it has none: what ends a loop over graft__pb_next. */
graft_status graft__onnx_end(graft__onnx *o, const graft__pb *m);

/* That a field is of the wire type that its number has. */
graft_status graft__onnx_expect(graft__onnx *o, const graft__pb_field *f, graft__pb_wire wire);

static inline graft__name graft__onnx_name(const graft__onnx *o, const graft__pb_field *f)
{
    return (graft__name){.text = (const char *)f->bytes,
                         .length = f->size,
                         .offset = graft__onnx_offset(o, f->bytes)};
}

/* A TensorProto as a value (a tensor; of strings a list of bytes), and its own name. */
graft_status graft__onnx_tensor(graft__onnx *o, const graft__pb_field *f, graft__name *name,
                                graft__value *out);

/* A SparseTensorProto as a dict of values, indices and dims; its name is that of the values. */
graft_status graft__onnx_sparse(graft__onnx *o, const graft__pb_field *f, graft__name *name,
                                graft__value *out);

/* The attribute of a Constant node that is its value, as a value. *found: whether this is one. */
graft_status graft__onnx_constant(graft__onnx *o, const graft__pb_field *f, bool *found,
                                  graft__value *out);

/* The external file of a location, borrowed. where: of the location, for errors. */
graft_status graft__onnx_open_file(graft__onnx *o, const graft__name *location,
                                   graft__source **out);
void graft__onnx_close_files(graft__onnx *o);

/* All tensors of a GraphProto, or those of a FunctionProto, and of the graphs inside, into the
 * root. prefix: "algorithm.", for names that others have already; "" for the model's own graph. */
graft_status graft__onnx_graph(graft__onnx *o, const graft__pb_field *f, const char *prefix);
graft_status graft__onnx_function(graft__onnx *o, const graft__pb_field *f);

#endif
