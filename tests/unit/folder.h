/* A folder for the files of a test, and what tests ask about files. */
#ifndef TESTS_UNIT_FOLDER_H
#define TESTS_UNIT_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

/* Makes an empty folder below TMPDIR, or /tmp; its path is freed by folder_remove. */
char *folder_make(void);

/* Removes it with all that is in it. */
void folder_remove(char *folder);

/* "folder/name", freed by the caller. */
char *folder_path(const char *folder, const char *name);

/* How many entries a folder has whose names contain a part; NULL: all. */
int folder_count(const char *folder, const char *part);

/* The path of one such entry, freed by the caller; NULL if there is none. */
char *folder_find(const char *folder, const char *part);

/* Makes all such entries look as if nobody had written to them for so many seconds. */
void folder_age(const char *folder, const char *part, int seconds);

/* Writes a file anew. */
void file_put(const char *path, const void *bytes, size_t size);

/* A file's bytes in a block of malloc; NULL if it is not there. */
unsigned char *file_get(const char *path, size_t *size);

/* Whether a file has exactly these bytes. */
bool file_is(const char *path, const void *bytes, size_t size);

#endif
