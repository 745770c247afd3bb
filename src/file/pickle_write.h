/* Writing pickles of protocol 2, opcode by opcode. What they mean is up to the caller; that the
 * same object comes out once and is referred to from then on is done here. */
#ifndef GRAFT__FILE_PICKLE_WRITE_H
#define GRAFT__FILE_PICKLE_WRITE_H

#include "base/map.h"
#include "tensor/dict.h"

/* Where the bytes go. */
typedef graft_status graft__pickle_sink(void *user, const void *bytes, size_t size);

/* A text that is in the memo. */
typedef struct graft__memo_text {
    const char *text;
    uint32_t length;
    uint32_t index : 31; /* in the memo, plus 1; 0: a free slot */
    uint32_t global : 1;
} graft__memo_text;

typedef struct graft__pickle_writer {
    graft_ctx *g;
    const char *op;
    graft__pickle_sink *sink; /* NULL: the bytes are counted only */
    void *user;
    graft_status status; /* the first failure: nothing is written from then on */
    uint64_t size;       /* so far */
    uint32_t memo;       /* entries */
    graft__map objects;  /* address -> index in the memo, plus 1 */
    graft__memo_text *texts;
    size_t text_count, text_capacity;
    size_t filled;
    unsigned char buffer[4096];
} graft__pickle_writer;

/* The texts and objects that are written must live until the end. */
void graft__pickle_begin(graft__pickle_writer *p, graft_ctx *g, const char *op,
                         graft__pickle_sink *sink, void *user);

/* Room in the memo, which then need not grow: for so many objects, and as many texts. */
void graft__put_reserve(graft__pickle_writer *p, size_t objects);

/* STOP, and whether all went well. Frees what the writer holds in any case. */
graft_status graft__pickle_end(graft__pickle_writer *p);

void graft__put_op(graft__pickle_writer *p, int opcode);
void graft__put_bool(graft__pickle_writer *p, bool value);
void graft__put_int(graft__pickle_writer *p, int64_t value);
void graft__put_float(graft__pickle_writer *p, double value);

/* An integer from its decimal digits. */
void graft__put_big_int(graft__pickle_writer *p, const char *decimal, size_t length);

/* BINUNICODE: the bytes must be UTF-8, and less than 4 GiB. once: the text is not referred to again
 * and need not live. */
void graft__put_text(graft__pickle_writer *p, const char *text, size_t length, bool once);
void graft__put_word(graft__pickle_writer *p, const char *text);

/* GLOBAL of "module.name". */
void graft__put_global(graft__pickle_writer *p, const char *name, size_t module_length);

/* The same without a place in the memo: the texts need not live. */
void graft__put_name(graft__pickle_writer *p, const char *module, const char *name);

/* As Python does for protocol 2: bytes as _codecs.encode(text, 'latin1'). */
void graft__put_bytes(graft__pickle_writer *p, const void *bytes, size_t length);
void graft__put_complex(graft__pickle_writer *p, double real, double imaginary);

/* A tuple of what is on the stack: of `count`, from the mark on if they are more than 3. The mark
 * has to be put before them: graft__put_tuple_begin. */
void graft__put_tuple_begin(graft__pickle_writer *p, size_t count);
void graft__put_tuple(graft__pickle_writer *p, size_t count);

/* Refers to the object if it was remembered: then nothing more is to be written of it. */
bool graft__put_again(graft__pickle_writer *p, const void *object);

/* Remembers what was just written as the object. */
void graft__put_memo(graft__pickle_writer *p, const void *object);

/* Whether Python takes the bytes for UTF-8 where pickles have it: with halves of surrogates. */
bool graft__is_pickle_text(const char *text, size_t length);

#endif
