/* Products of small matrices, whose sides are those of layers: 16 to 1,000 wide.
 *
 * A tile of the result is a few rows by one to three vectors and stays in registers while the products are added up in the order
 * of the depth. Every number is the sum of fused multiply-adds over SUM_DEPTH products at a time, whatever the tile,
 * so that the result is the same bit for bit on processors with wider or narrower vectors.
 */
#include "tiles.h"

#include <stddef.h>

#include "vectors.h"

#define SUM_DEPTH 256 /* products that a register adds up; a panel of b that deep takes half of a small first-level cache */
#define BLOCK_ROWS 192 /* rows of a, so that they stay in the second-level cache while all of b passes */
#define WORTH_COPYING 48 /* rows of a from which copying the panel of b pays */
#define WORTH_COPYING_A 96 /* columns of b from which copying the transposed a pays */
#define MOST_ADDENDS 2
#define TOGETHER 128 /* depth of two products up to which a tile adds both up: deeper panels of b fill the first-level cache */
#define MOST_VECTORS 3
#if defined(__SSE__) && !defined(__AVX512F__) /* 16 registers */
#define MOST_ROWS 6
static const int64_t rows_by_vectors[MOST_VECTORS + 1] = {0, 6, 6, 4};
#else /* 32 registers */
#define MOST_ROWS 12
static const int64_t rows_by_vectors[MOST_VECTORS + 1] = {0, 12, 12, 8};
#endif

typedef struct {
    const float *a;
    int64_t a_row, a_step;
    const float *b;
    int64_t b_row, depth;
} Addend;

typedef struct {
    Addend of[MOST_ADDENDS];
    int addends;
    const float *bias;
    float *c;
    int64_t c_row;
    int64_t last_lanes; /* columns in the last vector */
    int add;
} Tile;

ALWAYS_INLINE void compute_tile(const int rows, const int vectors, const Tile *t) {
    vector sums[MOST_ROWS][MOST_VECTORS];
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 3
        for (int j = 0; j < vectors; j++) sums[i][j] = (vector){0};
    for (int number = 0; number < t->addends; number++) {
        const Addend of = t->of[number];
        const float *a = of.a, *b = of.b;
        for (int64_t k = 0; k < of.depth; k++, a += of.a_step, b += of.b_row) {
            vector right[MOST_VECTORS];
#pragma GCC unroll 3
            for (int j = 0; j < vectors; j++) right[j] = load(b + j * LANES);
#pragma GCC unroll 12
            for (int i = 0; i < rows; i++) {
                const float left = a[i * of.a_row];
#pragma GCC unroll 3
                for (int j = 0; j < vectors; j++) sums[i][j] += left * right[j];
            }
        }
    }
    const int64_t last_lanes = t->last_lanes, c_row = t->c_row;
    float *c = t->c;
    if (t->bias) {
#pragma GCC unroll 3
        for (int j = 0; j < vectors; j++) {
            const vector bias = j + 1 < vectors || last_lanes == LANES ? load(t->bias + j * LANES)
                                                                       : load_first(t->bias + j * LANES, last_lanes);
#pragma GCC unroll 12
            for (int i = 0; i < rows; i++) sums[i][j] += bias;
        }
    }
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++) {
#pragma GCC unroll 3
        for (int j = 0; j < vectors; j++) {
            float *to = c + i * c_row + j * LANES;
            if (j + 1 < vectors || last_lanes == LANES) {
                if (t->add) sums[i][j] += load(to);
                store(to, sums[i][j]);
            } else {
                if (t->add) sums[i][j] += load_first(to, last_lanes);
                store_first(to, sums[i][j], last_lanes);
            }
        }
    }
}

#define TILE(vectors, rows) \
    case (vectors) * 16 + (rows): compute_tile(rows, vectors, t); break;

static void tile(int64_t vectors, int64_t rows, const Tile *t) {
    switch (vectors * 16 + rows) {
        TILE(1, 1) TILE(1, 2) TILE(1, 3) TILE(1, 4) TILE(1, 5) TILE(1, 6)
        TILE(2, 1) TILE(2, 2) TILE(2, 3) TILE(2, 4) TILE(2, 5) TILE(2, 6)
        TILE(3, 1) TILE(3, 2) TILE(3, 3) TILE(3, 4)
#if MOST_ROWS == 12
        TILE(1, 7) TILE(1, 8) TILE(1, 9) TILE(1, 10) TILE(1, 11) TILE(1, 12)
        TILE(2, 7) TILE(2, 8) TILE(2, 9) TILE(2, 10) TILE(2, 11) TILE(2, 12)
        TILE(3, 5) TILE(3, 6) TILE(3, 7) TILE(3, 8)
#endif
    }
}

/* Copy depth rows of b to a panel of whole vectors, with zeros beyond the last column. */
static void copy_panel(const float *b, int64_t b_row, float *panel, int64_t depth, int64_t vectors, int64_t last_lanes) {
    for (int64_t k = 0; k < depth; k++, b += b_row, panel += vectors * LANES) {
        for (int64_t j = 0; j + 1 < vectors; j++) store(panel + j * LANES, load(b + j * LANES));
        store(panel + (vectors - 1) * LANES, load_first(b + (vectors - 1) * LANES, last_lanes));
    }
}

/* The same for the transpose of b, whose columns are contiguous. */
static void transpose_panel(const float *b, int64_t b_step, float *panel, int64_t depth, int64_t vectors, int64_t width) {
    const int64_t padded = vectors * LANES, whole = width / 4 * 4;
    int64_t k = 0;
    for (; k + 4 <= depth; k += 4)
        for (int64_t j = 0; j < whole; j += 4) transpose_four(b + j * b_step + k, b_step, panel + k * padded + j, padded);
    for (int64_t j = 0; j < whole; j++)
        for (int64_t rest = k; rest < depth; rest++) panel[rest * padded + j] = b[j * b_step + rest];
    for (int64_t j = whole; j < padded; j++)
        for (int64_t row = 0; row < depth; row++) panel[row * padded + j] = j < width ? b[j * b_step + row] : 0.0f;
}

/* Copy rows of the transpose of a, tile by tile, so that the values of a tile lie one after the other: before they are a row
 * of the matrix apart, and push each other out of the first-level cache. */
static void copy_tiles(const float *a, int64_t a_step, float *copied, int64_t m, int64_t depth, int64_t most) {
    const int64_t tiles = (m + most - 1) / most;
    for (int64_t i = 0; i < tiles; i++) {
        const int64_t first = m * i / tiles, rows = m * (i + 1) / tiles - first;
        float *to = copied + first * depth;
        const float *from = a + first;
        for (int64_t k = 0; k < depth; k++, from += a_step, to += rows)
            for (int64_t row = 0; row < rows; row += LANES) {
                const int64_t count = rows - row < LANES ? rows - row : LANES;
                store_first(to + row, load_first(from + row, count), count);
            }
    }
}

/* Multiply rows of all a, together not deeper than SUM_DEPTH, by all columns of all b. */
static void multiply_block(int64_t m, int64_t n, const Tile *block, const int64_t *b_steps) {
    float panel[SUM_DEPTH * MOST_VECTORS * LANES] __attribute__((aligned(64)));
    static _Thread_local float tiles_of_a[BLOCK_ROWS * SUM_DEPTH] __attribute__((aligned(64)));
    const int copies_a = block->addends == 1 && block->of[0].a_row == 1 && n >= WORTH_COPYING_A;
    if (copies_a) copy_tiles(block->of[0].a, block->of[0].a_step, tiles_of_a, m, block->of[0].depth, rows_by_vectors[2]);
    int64_t vectors;
    for (int64_t j = 0; j < n; j += vectors * LANES) {
        Tile t = *block;
        const int64_t left = (n - j + LANES - 1) / LANES;
        vectors = left <= MOST_VECTORS && !copies_a ? left : left < 2 ? left : 2;
        const int64_t width = n - j < vectors * LANES ? n - j : vectors * LANES;
        t.last_lanes = width - (vectors - 1) * LANES;
        if (t.bias) t.bias += j;
        float *to = panel;
        for (int number = 0; number < t.addends; number++) {
            Addend *of = t.of + number;
            const int64_t b_step = b_steps[number];
            of->b += j * b_step;
            if (b_step == 1 && t.last_lanes == LANES && m < WORTH_COPYING) continue;
            if (b_step != 1) transpose_panel(of->b, b_step, to, of->depth, vectors, width);
            else copy_panel(of->b, of->b_row, to, of->depth, vectors, t.last_lanes);
            of->b = to, of->b_row = vectors * LANES;
            to += of->depth * vectors * LANES;
        }
        const int64_t most = rows_by_vectors[vectors], tiles = (m + most - 1) / most;
        for (int64_t i = 0; i < tiles; i++) {
            const int64_t first = m * i / tiles, last = m * (i + 1) / tiles; /* equal heights */
            for (int number = 0; number < t.addends; number++)
                t.of[number].a = block->of[number].a + first * block->of[number].a_row;
            if (copies_a) t.of[0].a = tiles_of_a + first * t.of[0].depth, t.of[0].a_step = last - first;
            t.c = block->c + first * t.c_row + j;
            tile(vectors, last - first, &t);
        }
    }
}

/* Sum products that are together not deeper than SUM_DEPTH, by rows of a that stay in the second-level cache. */
static void sum_shallow(int64_t m, int64_t n, const Product *products, int count, const float *bias, float *c, int64_t c_row,
                        int add) {
    for (int64_t row = 0; row < m; row += BLOCK_ROWS) {
        Tile block = {.addends = count, .bias = bias, .c = c + row * c_row, .c_row = c_row, .add = add};
        int64_t b_steps[MOST_ADDENDS];
        for (int i = 0; i < count; i++) {
            const Product p = products[i];
            block.of[i] = (Addend){p.a + row * p.a_row, p.a_row, p.a_step, p.b, p.b_row, p.depth};
            b_steps[i] = p.b_step;
        }
        multiply_block(m - row < BLOCK_ROWS ? m - row : BLOCK_ROWS, n, &block, b_steps);
    }
}

void sum_by_tiles(int64_t m, int64_t n, const Product *products, int count, const float *bias, float *c, int64_t c_row, int add) {
    if (count > 1 && products[0].depth + products[1].depth <= TOGETHER) {
        sum_shallow(m, n, products, count, bias, c, c_row, add);
        return;
    }
    for (int i = 0; i < count; i++) {
        int64_t k = 0;
        do {
            Product part = products[i];
            part.depth = part.depth - k < SUM_DEPTH ? part.depth - k : SUM_DEPTH;
            part.a += k * part.a_step, part.b += k * part.b_row;
            sum_shallow(m, n, &part, 1, bias, c, c_row, add);
            add = 1, bias = NULL;
        } while ((k += SUM_DEPTH) < products[i].depth);
    }
}

const char *instruction_set(void) { return INSTRUCTION_SET; }
