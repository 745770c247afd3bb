/* Numbers as text. */
#ifndef GRAFT__BASE_NUMBER_H
#define GRAFT__BASE_NUMBER_H

/* Puts a '.' where printf wrote the locale's decimal point, which may take several bytes, into the
 * text of one finite number. */
void graft__use_point(char *number);

#endif
