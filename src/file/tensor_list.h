/* The tensors of a dict by their dotted names: what formats without nesting can hold of it. */
#ifndef GRAFT__FILE_TENSOR_LIST_H
#define GRAFT__FILE_TENSOR_LIST_H

#include "base/text.h"
#include "tensor/dict.h"

typedef struct graft__listed {
    size_t name, length; /* in the list's names; 0-terminated there, but may have 0 bytes inside */
    const graft_dict *parent;
    size_t entry;
    graft_tensor *tensor; /* borrowed; its bytes may still wait */
} graft__listed;

typedef struct graft__tensor_list {
    graft_ctx *g;
    graft__listed *item; /* in the dict's order */
    size_t count, capacity;
    graft__text names;
    uint32_t *by_name; /* positions in the order of memcmp; graft__tensor_list_sort */
} graft__tensor_list;

/* All tensors below d; attributes of dicts are left out. `begin` is what errors begin with: "save:
 * a.safetensors". GRAFT_ERR_ARGUMENT, by its path, for a value that is neither a tensor nor a dict,
 * list, tuple or set. On failure there is nothing to free. */
graft_status graft__tensor_list_of(const graft_dict *d, const char *begin, graft__tensor_list *out);

/* Fills by_name. GRAFT_ERR_NAME if two are the same. */
graft_status graft__tensor_list_sort(graft__tensor_list *l, const char *begin);

const char *graft__listed_name(const graft__tensor_list *l, size_t i);

/* One more tensor, under a name of that length. */
graft_status graft__tensor_list_add(graft__tensor_list *l, const char *begin, const char *name,
                                    size_t length, const graft_dict *parent, size_t entry);

void graft__tensor_list_init(graft__tensor_list *l, graft_ctx *g);
void graft__tensor_list_free(graft__tensor_list *l);

#endif
