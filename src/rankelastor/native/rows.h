/* Helpers of kernels that go row by row. */
#ifndef ROWS_H
#define ROWS_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#define NORM_EPSILON 1e-12f

static inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

/* Copy row into every row of out. */
static inline void repeat_row(const float *restrict row, float *restrict out, int64_t rows, int64_t width) {
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < width; j++) out[i * width + j] = row[j];
}

/* Add row to every row of out. */
static inline void add_row(const float *restrict row, float *restrict out, int64_t rows, int64_t width) {
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < width; j++) out[i * width + j] += row[j];
}

/* Add the rows, row_distance apart, to sum. */
static inline void add_rows(const float *restrict rows, int64_t row_distance, float *restrict sum, int64_t num_rows,
                            int64_t width) {
    for (int64_t i = 0; i < num_rows; i++)
        for (int64_t j = 0; j < width; j++) sum[j] += rows[i * row_distance + j];
}

static inline void scale_row(const float *restrict x, const float *restrict gain, float inverse, float *restrict out,
                             int64_t dim) {
#pragma GCC ivdep
    for (int64_t i = 0; i < dim; i++) out[i] = x[i] * inverse * gain[i];
}

/* Compute out = gain * x * inverse; return inverse = 1 / rms(x). */
static inline float norm_row(const float *restrict x, const float *restrict gain, float *restrict out, int64_t dim) {
    float squares = 0;
#pragma GCC ivdep
    for (int64_t i = 0; i < dim; i++) squares += x[i] * x[i];
    const float inverse = 1.0f / sqrtf(squares / (float)dim + NORM_EPSILON);
    scale_row(x, gain, inverse, out, dim);
    return inverse;
}

/* Go back from the gradient of norm_row's out to that of x, plus the residual if there is one; add the gain's to dgain. */
static inline void norm_row_backward(const float *restrict gradient, const float *restrict x, const float *restrict gain,
                                     float inverse, const float *restrict residual, float *restrict dx,
                                     float *restrict dgain, int64_t dim) {
    float along = 0;
#pragma GCC ivdep
    for (int64_t i = 0; i < dim; i++) {
        const float along_x = gradient[i] * x[i];
        along += along_x * gain[i];
        dgain[i] += along_x * inverse;
    }
    const float pull = along * inverse * inverse * inverse / (float)dim;
    if (residual)
#pragma GCC ivdep
        for (int64_t i = 0; i < dim; i++) dx[i] = residual[i] + gradient[i] * gain[i] * inverse - x[i] * pull;
    else
#pragma GCC ivdep
        for (int64_t i = 0; i < dim; i++) dx[i] = gradient[i] * gain[i] * inverse - x[i] * pull;
}

#endif
