/* The wire format of protocol buffers: the fields of one message, in order. Nothing is allocated
 * and nothing recurses: a message inside is bytes, to be opened by the caller. */
#ifndef GRAFT__FILE_PROTOBUF_H
#define GRAFT__FILE_PROTOBUF_H

#include "graft/base.h"

typedef enum graft__pb_wire {
    GRAFT__PB_VARINT = 0,
    GRAFT__PB_FIXED64 = 1,
    GRAFT__PB_BYTES = 2,
    GRAFT__PB_FIXED32 = 5
} graft__pb_wire;

typedef struct graft__pb {
    const unsigned char *at, *end;
    const char *error; /* what is wrong at `at`; NULL: nothing */
    bool cut;          /* wrong is that the message ends too soon */
} graft__pb;

typedef struct graft__pb_field {
    uint32_t number;
    graft__pb_wire wire;
    uint64_t value;             /* VARINT, FIXED64, FIXED32 */
    const unsigned char *bytes; /* BYTES; of other fields, none: size is 0 */
    uint64_t size;
    const unsigned char *where; /* the field begins here */
} graft__pb_field;

static inline graft__pb graft__pb_open(const unsigned char *bytes, uint64_t size)
{
    return (graft__pb){.at = bytes, .end = bytes + size};
}

/* The message that a field of wire type BYTES holds; an empty one for other fields. */
static inline graft__pb graft__pb_inside(const graft__pb_field *f)
{
    return graft__pb_open(f->bytes, f->size);
}

/* The next field. false at the end, and at what is no field: then there is an error. Groups, which
 * no schema of this library has, are one. */
bool graft__pb_next(graft__pb *m, graft__pb_field *f);

/* The next number of a packed field. false at the end, and at an error. */
bool graft__pb_packed(graft__pb *m, graft__pb_wire wire, uint64_t *out);

#endif
