/* What kernels that go row by row share. */
#ifndef ROWS_H
#define ROWS_H

#include <stdint.h>

#define NORM_EPSILON 1e-12f

static inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

/* Every row of out becomes row. */
static inline void repeat_row(const float *restrict row, float *restrict out, int64_t rows, int64_t width) {
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < width; j++) out[i * width + j] = row[j];
}

/* The row is added to every row of out. */
static inline void add_row(const float *restrict row, float *restrict out, int64_t rows, int64_t width) {
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < width; j++) out[i * width + j] += row[j];
}

/* The rows, row_distance apart, are added to sum. */
static inline void add_rows(const float *restrict rows, int64_t row_distance, float *restrict sum, int64_t num_rows,
                            int64_t width) {
    for (int64_t i = 0; i < num_rows; i++)
        for (int64_t j = 0; j < width; j++) sum[j] += rows[i * row_distance + j];
}

#endif
