/* Writes JSON. Text is UTF-8; bytes that are none become U+FFFD, and what a terminal would obey is
 * escaped (cli/shown.h). Whole numbers are exact, others have the digits that lead back to the same
 * double. NaN, Infinity and -Infinity, which JSON lacks, are the strings "NaN", "Infinity" and
 * "-Infinity". */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef struct json {
    FILE *out;
    int depth;       /* of what is open */
    bool some;       /* the innermost has an entry already */
    bool behind_key; /* its value comes next */
    bool compact;    /* all in one line; else the outer two levels have lines of their own */
} json;

/* One document; lines: for people too, else in one line. */
json json_to(FILE *out, bool lines);

/* A document ends with a newline when the outermost is closed. */
void json_open_object(json *j);
void json_close_object(json *j);
void json_open_array(json *j);
void json_close_array(json *j);
void json_key(json *j, const char *key);

void json_text(json *j, const char *text); /* NULL is null */
void json_bytes(json *j, const char *text, size_t length);
void json_int(json *j, int64_t value);
void json_uint(json *j, uint64_t value);
void json_real(json *j, double value);
void json_bool(json *j, bool value);
void json_null(json *j);

/* A key and its value. */
void json_key_text(json *j, const char *key, const char *value);
void json_key_int(json *j, const char *key, int64_t value);
void json_key_uint(json *j, const char *key, uint64_t value);
void json_key_real(json *j, const char *key, double value);
void json_key_bool(json *j, const char *key, bool value);
void json_key_array(json *j, const char *key);  /* opens it */
void json_key_object(json *j, const char *key); /* opens it */

#endif
