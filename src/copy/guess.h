/* Guesses at what is meant where names do not meet: another prefix, a slip of the finger. For
 * messages only: where there is no memory for a guess it is left out. The work is bounded, however
 * many names there are. */
#ifndef GRAFT__COPY_GUESS_H
#define GRAFT__COPY_GUESS_H

#include "tensor/tensor.h"

/* A name that is wanted, or one to spare, and the shape of what it names. */
typedef struct graft__guess_name {
    const char *name;
    graft_shape shape;
    bool solved; /* it is part of a guess already: leave it out of the next */
} graft__guess_name;

typedef struct graft__guess_names {
    graft_ctx *ctx;
    graft__guess_name *name;
    size_t count, capacity;
    graft__guess_name **sorted; /* by name, once it is needed; NULL: not yet */
} graft__guess_names;

/* false, without an error set, without memory. */
bool graft__guess_add(graft__guess_names *names, const char *name, const graft_shape *shape);
void graft__guess_free(graft__guess_names *names);

/* Spare names that start with `from` would be wanted ones if they started with `to`. */
typedef struct graft__guess_prefix {
    const char *from, *to; /* beginnings of names that the guess was made of */
    size_t from_length, to_length;
    size_t explains; /* how many spare names */
    size_t alike;    /* how many of them have the shape of what they would meet */
    size_t of;       /* as many were not solved */
} graft__guess_prefix;

/* The change of prefix that explains the most of the spare names, of the right shapes where that
 * can be, if any explains one. */
bool graft__guess_prefix_of(graft__guess_names *wanted, const graft__guess_names *spare,
                            graft__guess_prefix *out);

/* Marks as solved what a prefix explains, on both sides. */
void graft__guess_solve(graft__guess_names *wanted, graft__guess_names *spare,
                        const graft__guess_prefix *prefix);

/* The name that is `head` (of so many bytes) and `rest`, if it is not solved; NULL else, and
 * without memory. No names are added from then on. */
graft__guess_name *graft__guess_find(graft__guess_names *names, const char *head, size_t length,
                                     const char *rest);

#define GRAFT__GUESS_NONE ((size_t)-1)

/* The spare name of the same shape that is nearest to wanted name i; NONE if none is near, or if
 * there are too many to look at. */
size_t graft__guess_near(const graft__guess_names *wanted, size_t i,
                         const graft__guess_names *spare);

/* The spare name whose shape is that of wanted name i and of no other on either side that is not
 * solved; NONE if there is none. */
size_t graft__guess_alike(const graft__guess_names *wanted, size_t i,
                          const graft__guess_names *spare);

#endif
