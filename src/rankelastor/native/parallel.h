/* A kernel processes a range of rows; several cores may each process a part of all rows. A forward kernel computes the same bits
 * for a row whatever the range; where it cannot, its caller says so to num_parts.
 *
 * Its arguments are a struct whose fields all have 8 bytes: pointers, int64_t and double.
 */
#ifndef PARALLEL_H
#define PARALLEL_H

#include <stdint.h>

/* Process rows [first, last), which are part number part. Each part has its own scratch and accumulators. */
typedef void row_kernel(const void *arguments, int64_t first, int64_t last, int64_t part);

/* Where the parts of a kernel add up gradients of parameters: size values of each part, padded_size(size) apart. Before a part
 * computes, its values are 0; when all have computed, the first has the sum of all. */
typedef struct {
    float *values;
    int64_t size;
} Accumulator;

/* Compute the stride between the accumulators of the parts, of size values each: padded to cache lines against false
 * sharing. */
static inline int64_t padded_size(int64_t size) { return (size + 31) / 32 * 32; }

/* Find the values of a token in the accumulator of a part. */
static inline float *buffer(float *parts, int64_t part, int64_t token, int64_t tokens, int64_t values_per_token) {
    return parts + part * padded_size(tokens * values_per_token) + token * values_per_token;
}

#endif
