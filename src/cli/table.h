/* Columns under each other. Cells are text of others: they are escaped as cli/shown.h says. */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <stdbool.h>

#include "cli/terminal.h"

typedef struct table table;

/* columns is a letter for each: 'l' or 'r', for the side that cells stand at. NULL if there is no
 * memory; the other functions do nothing then. */
table *table_new(const char *columns);
void table_free(table *t);

/* The next cell of the current row, in order; style colours it. */
void table_cell(table *t, const char *text);
void table_styled(table *t, terminal_style style, const char *text);
void table_bytes(table *t, const char *text, size_t length);
__attribute__((format(printf, 2, 3))) void table_cellf(table *t, const char *format, ...);

bool table_is_empty(const table *t);

/* Prints all rows, each after `indent` blanks. Returns false if memory ran out on the way: the
 * table is not printed then. */
bool table_print(const table *t, const terminal *out, int indent);

#endif
