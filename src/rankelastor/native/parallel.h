/* A kernel works on a range of rows; several cores may each take a part of all rows.
 *
 * A kernel's arguments come as a struct whose fields all have 8 bytes: pointers, int64_t and double.
 */
#ifndef PARALLEL_H
#define PARALLEL_H

#include <stdint.h>

/* Process rows [first, last), the slice number part. Each part has its own scratch and accumulators. */
typedef void row_kernel(const void *arguments, int64_t first, int64_t last, int64_t part);

/* Distance between the parts' accumulators of size numbers: padded to cache lines against false sharing. */
static inline int64_t apart(int64_t size) { return (size + 31) / 32 * 32; }

/* Where a part's numbers for a token begin in the accumulators of all parts. */
static inline float *buffer(float *parts, int64_t part, int64_t token, int64_t tokens, int64_t numbers_a_token) {
    return parts + part * apart(tokens * numbers_a_token) + token * numbers_a_token;
}

#endif
