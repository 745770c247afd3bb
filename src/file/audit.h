/* What Python would have run: written by the pickle interpreter, read by graft_audit. */
#ifndef GRAFT__FILE_AUDIT_H
#define GRAFT__FILE_AUDIT_H

#include "file/reading.h"

/* Adds a line to r->audit, if there is one: what would be called or named, and with what (NULL:
 * with nothing). The member is r->member. false with the error set. */
bool graft__audit_add(graft__reading *r, const char *global, const graft__value *args,
                      int64_t offset, bool is_call);

/* How many lines there are (0 without an audit), and putting those from `first` on in order of
 * their offsets. */
size_t graft__audit_count(const graft__reading *r);
void graft__audit_sort(graft__reading *r, size_t first);

#endif
