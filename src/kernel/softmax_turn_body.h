/* Turning narrow rows, for one type; no include guard: included once for each. Expects TYPE,
 * TURN(x), SIDE (of a tile) and TILE(from, from_ld, to, to_ld), which turns a tile between matrices
 * whose rows lie so far apart. Elements are only moved, so that one kind does for all processors.
 */

#define WIDTH (64 / (int)sizeof(TYPE)) /* rows that are turned at once */

/* to[c * rows + r] = from[r * cols + c] */
GRAFT__STEP void TURN(all)(int64_t rows, int64_t cols, const TYPE *from, TYPE *to)
{
    if (rows < SIDE || cols < SIDE) {
        for (int64_t r = 0; r < rows; r++)
            for (int64_t c = 0; c < cols; c++)
                to[c * rows + r] = from[r * cols + c];
        return;
    }
    /* The last tiles overlap those before them. */
    for (int64_t r = 0; r < rows; r += SIDE)
        for (int64_t c = 0; c < cols; c += SIDE) {
            const int64_t i = r + SIDE <= rows ? r : rows - SIDE;
            const int64_t j = c + SIDE <= cols ? c : cols - SIDE;
            TILE(from + i * cols + j, cols, to + j * rows + i, rows);
        }
}

/* turned[c * WIDTH + i] = x[i * n + c], i < rows <= WIDTH; 0 beyond */
static void TURN(rows)(int64_t n, int64_t rows, const TYPE *x, TYPE *turned)
{
    TYPE filled[GRAFT__NARROW_LANE * WIDTH];
    if (rows < WIDTH) {
        memcpy(filled, x, (size_t)(rows * n) * sizeof(TYPE));
        memset(filled + rows * n, 0, (size_t)((WIDTH - rows) * n) * sizeof(TYPE));
        x = filled;
    }
    TURN(all)(WIDTH, n, x, turned);
}

static void TURN(back)(int64_t n, int64_t rows, const TYPE *turned, TYPE *y)
{
    TYPE filled[GRAFT__NARROW_LANE * WIDTH];
    TURN(all)(n, WIDTH, turned, rows < WIDTH ? filled : y);
    if (rows < WIDTH)
        memcpy(y, filled, (size_t)(rows * n) * sizeof(TYPE));
}

#undef WIDTH
#undef TYPE
#undef TURN
#undef SIDE
#undef TILE
