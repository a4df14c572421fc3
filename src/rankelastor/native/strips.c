/* See strips.h. Like those of tiles.c, tiles of the result stay in registers while products are added up. */
#include "strips.h"

#include <math.h>
#include <stddef.h>

#include "rows.h"
#include "vectors.h"

#define VECTORS (STRIP / LANES)
#define TILE_B 4 /* values of b in a tile of a product over strips: their sums are joined in one vector of four */
#if LANES == 16
#define TILE_OUTPUTS 12
#define TILE_A 5
#elif LANES == 8 /* 16 registers */
#define TILE_OUTPUTS 6
#define TILE_A 3
#elif defined(__ARM_NEON) /* 32 registers */
#define TILE_OUTPUTS 6
#define TILE_A 5
#else
#define TILE_OUTPUTS 3
#define TILE_A 2
#endif

/* Loop over the values of a row, four at a time; the last step may overlap the one before it. */
#define FOR_FOURS(k, width) for (int64_t k = 0; k < (width); k = k + 4 < (width) && k + 8 > (width) ? (width) - 4 : k + 4)

void read_strip(const float *x, int64_t x_row, int64_t count, int64_t width, float *strip) {
    if (count == STRIP && width >= 4) {
        FOR_FOURS(k, width)
            for (int64_t row = 0; row < STRIP; row += 4)
                transpose_four(x + row * x_row + k, x_row, strip + k * STRIP + row, STRIP);
    } else {
        for (int64_t k = 0; k < width; k++)
            for (int64_t row = 0; row < STRIP; row++) strip[k * STRIP + row] = row < count ? x[row * x_row + k] : 0.0f;
    }
}

void write_strip(const float *strip, int64_t count, int64_t width, float *out, int64_t out_row) {
    if (count == STRIP && width >= 4) {
        FOR_FOURS(k, width)
            for (int64_t row = 0; row < STRIP; row += 4)
                transpose_four(strip + k * STRIP + row, STRIP, out + row * out_row + k, out_row);
    } else {
        for (int64_t row = 0; row < count; row++)
            for (int64_t k = 0; k < width; k++) out[row * out_row + k] = strip[k * STRIP + row];
    }
}

ALWAYS_INLINE void map_to_tile(const int outputs, int64_t first, const StripMap *maps, int count, const float *bias, float *out) {
    vector sums[TILE_OUTPUTS][VECTORS];
#pragma GCC unroll 12
    for (int i = 0; i < outputs; i++)
#pragma GCC unroll 4
        for (int j = 0; j < VECTORS; j++) sums[i][j] = (vector){0};
    for (int number = 0; number < count; number++) {
        const StripMap of = maps[number];
        const float *map = of.map + first * of.of_output, *strip = of.strip;
        for (int64_t k = 0; k < of.depth; k++, map += of.of_input, strip += STRIP) {
            vector right[VECTORS];
#pragma GCC unroll 4
            for (int j = 0; j < VECTORS; j++) right[j] = load(strip + j * LANES);
#pragma GCC unroll 12
            for (int i = 0; i < outputs; i++) {
                const float left = map[i * of.of_output];
#pragma GCC unroll 4
                for (int j = 0; j < VECTORS; j++) sums[i][j] += left * right[j];
            }
        }
    }
#pragma GCC unroll 12
    for (int i = 0; i < outputs; i++)
#pragma GCC unroll 4
        for (int j = 0; j < VECTORS; j++)
            store(out + (first + i) * STRIP + j * LANES, bias ? sums[i][j] + bias[first + i] : sums[i][j]);
}

#define MAP_TO_TILE(outputs) \
    case outputs: map_to_tile(outputs, first, maps, count, bias, out); break;

void sum_of_strip_maps(int64_t m, const StripMap *maps, int count, const float *bias, float *out) {
    const int64_t tiles = (m + TILE_OUTPUTS - 1) / TILE_OUTPUTS;
    for (int64_t tile = 0; tile < tiles; tile++) {
        const int64_t first = m * tile / tiles; /* equal heights */
        switch (m * (tile + 1) / tiles - first) {
            MAP_TO_TILE(1) MAP_TO_TILE(2) MAP_TO_TILE(3)
#if TILE_OUTPUTS >= 6
            MAP_TO_TILE(4) MAP_TO_TILE(5) MAP_TO_TILE(6)
#endif
#if TILE_OUTPUTS == 12
            MAP_TO_TILE(7) MAP_TO_TILE(8) MAP_TO_TILE(9) MAP_TO_TILE(10) MAP_TO_TILE(11) MAP_TO_TILE(12)
#endif
        }
    }
}

/* Add up the lanes of each of four vectors. */
ALWAYS_INLINE four sum_lanes(const vector *values) {
    four folded[4], turned[4];
    for (int i = 0; i < 4; i++) {
        const float *lanes = (const float *)(values + i);
        folded[i] = *(const unaligned_four *)lanes;
        for (int j = 4; j < LANES; j += 4) folded[i] += *(const unaligned_four *)(lanes + j);
    }
    transpose_four((const float *)folded, 4, (float *)turned, 4);
    return (turned[0] + turned[1]) + (turned[2] + turned[3]);
}

/* A product over strips of m values of a and up to TILE_B values of b, of which those beyond n repeat the first. */
ALWAYS_INLINE void tile_over_strips(const int m, int64_t strips, const float *a, int64_t a_strip, int64_t n, const float *b,
                                    int64_t b_strip, float *c, int64_t c_row, int add) {
    vector products[TILE_A][TILE_B];
#pragma GCC unroll 5
    for (int i = 0; i < m; i++)
#pragma GCC unroll 4
        for (int j = 0; j < TILE_B; j++) products[i][j] = (vector){0};
    for (int64_t s = 0; s < strips; s++, a += a_strip, b += b_strip)
#pragma GCC unroll 4
        for (int lane = 0; lane < STRIP; lane += LANES) {
            vector left[TILE_A];
#pragma GCC unroll 5
            for (int i = 0; i < m; i++) left[i] = load(a + i * STRIP + lane);
#pragma GCC unroll 4
            for (int j = 0; j < TILE_B; j++) {
                const vector right = load(b + (j < n ? j * STRIP : 0) + lane);
#pragma GCC unroll 5
                for (int i = 0; i < m; i++) products[i][j] += left[i] * right;
            }
        }
#pragma GCC unroll 5
    for (int i = 0; i < m; i++) {
        const four sums = sum_lanes(products[i]);
        float *to = c + i * c_row;
        for (int64_t j = 0; j < n; j++) to[j] = add ? to[j] + sums[j] : sums[j];
    }
}

static void add_over_strips(int64_t strips, int64_t n, const float *b, int64_t b_strip, float *sums) {
    vector total[TILE_B] = {0};
    for (int64_t s = 0; s < strips; s++, b += b_strip)
        for (int lane = 0; lane < STRIP; lane += LANES)
#pragma GCC unroll 4
            for (int j = 0; j < TILE_B; j++) total[j] += load(b + (j < n ? j * STRIP : 0) + lane);
    const four sum = sum_lanes(total);
    for (int64_t j = 0; j < n; j++) sums[j] += sum[j];
}

#define TILE_OVER_STRIPS(m) \
    case m: tile_over_strips(m, strips, a + i * STRIP, a_strip, width, b + j * STRIP, b_strip, c + i * c_row + j, c_row, add); break;

void product_over_strips(int64_t strips, int64_t m, const float *a, int64_t a_strip, int64_t n, const float *b, int64_t b_strip,
                         float *c, int64_t c_row, int add, float *sums) {
    const int64_t tiles = (m + TILE_A - 1) / TILE_A;
    for (int64_t j = 0; j < n; j += TILE_B) {
        const int64_t width = minimum(TILE_B, n - j);
        for (int64_t tile = 0; tile < tiles; tile++) {
            const int64_t i = m * tile / tiles;
            switch (m * (tile + 1) / tiles - i) {
                TILE_OVER_STRIPS(1) TILE_OVER_STRIPS(2)
#if TILE_A >= 3
                TILE_OVER_STRIPS(3)
#endif
#if TILE_A == 5
                TILE_OVER_STRIPS(4) TILE_OVER_STRIPS(5)
#endif
            }
        }
        if (sums) add_over_strips(strips, width, b + j * STRIP, b_strip, sums + j);
    }
}

void norm_strip(const float *strip, const float *gain, float *inverse, float *out, int64_t dim) {
    float squares[STRIP] = {0};
    for (int64_t k = 0; k < dim; k++)
        for (int row = 0; row < STRIP; row++) squares[row] += strip[k * STRIP + row] * strip[k * STRIP + row];
    for (int row = 0; row < STRIP; row++) inverse[row] = 1.0f / sqrtf(squares[row] / (float)dim + NORM_EPSILON);
    for (int64_t k = 0; k < dim; k++)
        for (int row = 0; row < STRIP; row++) out[k * STRIP + row] = strip[k * STRIP + row] * inverse[row] * gain[k];
}

void norm_strip_backward(float *gradient, const float *strip, const float *gain, const float *inverse, float *dgain,
                         int64_t dim) {
    float along[STRIP] = {0}, pull[STRIP];
    for (int64_t k = 0; k < dim; k++)
        for (int row = 0; row < STRIP; row++) {
            const float along_x = gradient[k * STRIP + row] * strip[k * STRIP + row];
            along[row] += along_x * gain[k];
            dgain[k * STRIP + row] += along_x * inverse[row];
        }
    for (int row = 0; row < STRIP; row++)
        pull[row] = along[row] * inverse[row] * inverse[row] * inverse[row] / (float)dim;
    for (int64_t k = 0; k < dim; k++)
        for (int row = 0; row < STRIP; row++) {
            const int64_t at = k * STRIP + row;
            gradient[at] = gradient[at] * gain[k] * inverse[row] - strip[at] * pull[row];
        }
}
