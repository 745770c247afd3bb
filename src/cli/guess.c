/* "did you mean": the nearest word by the letters that must be typed, dropped, changed or swapped.
 */
#include <string.h>

#include "cli/cli.h"

enum { LONGEST = 32 };

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* More than any distance that counts if a word is too long to be looked at. */
static size_t distance(const char *a, const char *b)
{
    const size_t n = strlen(a), m = strlen(b);
    size_t rows[3][LONGEST + 1];
    if (n > LONGEST || m > LONGEST)
        return 2 * LONGEST;
    size_t *before = rows[0], *above = rows[1], *row = rows[2];
    for (size_t j = 0; j <= m; j++)
        above[j] = before[j] = j;
    for (size_t i = 1; i <= n; i++) {
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            row[j] = least(above[j - 1] + (a[i - 1] != b[j - 1]), least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], before[j - 2] + 1);
        }
        size_t *const free_row = before;
        before = above;
        above = row;
        row = free_row;
    }
    return above[m];
}

const char *cli_guess(const char *word, const char *(*next)(const void *user, size_t i),
                      const void *user)
{
    const size_t length = strlen(word);
    size_t best = length / 3 + 2; /* one letter of a short word, more of a long one */
    const char *found = NULL, *candidate;
    for (size_t i = 0; length > 1 && (candidate = next(user, i)); i++) {
        const size_t d = distance(word, candidate);
        /* What goes on as the word does is near however long it is. */
        const bool begins = length > 2 && strncmp(word, candidate, length) == 0;
        if (begins ? best > 1 : d < best && d < length) {
            best = begins ? 1 : d;
            found = candidate;
        }
    }
    return found;
}
