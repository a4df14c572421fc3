/* Kernels work on a range of rows, and several cores may each take a part of all rows.
 *
 * A kernel's arguments come as a struct whose fields all have 8 bytes: pointers, int64_t and double.
 */
#ifndef PARALLEL_H
#define PARALLEL_H

#include <stdint.h>

/* Work on the rows from first to before last, which are the given part of all: parts have their own scratch, and sum what
 * comes of all rows in buffers of their own. */
typedef void row_kernel(const void *arguments, int64_t first, int64_t last, int64_t part);

/* How far the parts' buffers of so many numbers are apart: no two share a cache line, or their cores would fight for it. */
static inline int64_t apart(int64_t size) { return (size + 31) / 32 * 32; }

/* In the buffers of all parts, where one's numbers of a token begin. */
static inline float *buffer(float *parts, int64_t part, int64_t token, int64_t tokens, int64_t numbers_a_token) {
    return parts + part * apart(tokens * numbers_a_token) + token * numbers_a_token;
}

#endif
