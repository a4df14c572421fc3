/* Strips: the values of STRIP rows side by side, so that every lane of a register has work however narrow the rows are.
 *
 * A strip of width n is a matrix (n, STRIP): value k of row r lies at k * STRIP + r. Lanes do not touch each other, so that
 * the result for a row does not depend on the rows beside it.
 */
#ifndef STRIPS_H
#define STRIPS_H

#include <stdint.h>

#define STRIP 16 /* rows of a strip */

/* A linear map of a strip: output i gets strip value k times map[i * of_output + k * of_input]. */
typedef struct {
    const float *map;
    int64_t of_output, of_input;
    const float *strip;
    int64_t depth;
} StripMap;

/* Read the first width values of count rows of x, with stride x_row; rows of the strip beyond count are 0. */
void read_strip(const float *x, int64_t x_row, int64_t count, int64_t width, float *strip);

/* Write a strip to count rows of out, with stride out_row. */
void write_strip(const float *strip, int64_t count, int64_t width, float *out, int64_t out_row);

/* Compute a strip of width m as the sum of one or two maps, plus a bias for each output unless it is NULL. */
void sum_of_strip_maps(int64_t m, const StripMap *maps, int count, const float *bias, float *out);

/* Compute c (m x n) = the sum over the rows of all strips of a (width m) times b (width n), added to c if add is not 0, and add
 * the sum of b to sums unless it is NULL. *_strip is the stride from strip to strip. */
void product_over_strips(int64_t strips, int64_t m, const float *a, int64_t a_strip, int64_t n, const float *b, int64_t b_strip,
                         float *c, int64_t c_row, int add, float *sums);

/* Compute out = gain * strip * inverse, possibly in place, where inverse (STRIP values) is 1 / rms of each row. */
void norm_strip(const float *strip, const float *gain, float *inverse, float *out, int64_t dim);

/* Replace the gradient of norm_strip's out by that of strip, and add the gain's gradient of each row to strip dgain. */
void norm_strip_backward(float *gradient, const float *strip, const float *gain, const float *inverse, float *dgain,
                         int64_t dim);

#endif
