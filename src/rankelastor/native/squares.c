/* Compute the sum of the squares of many vectors in double precision.
 *
 * vectors: for each, the address of its values and their number. sum: one value, which the sum is added to.
 */
#include <stdint.h>

#include "parallel.h"

typedef struct {
    const int64_t *vectors;
    double *sum;
} SumOfSquares;

void sum_of_squares(const void *arguments, int64_t first, int64_t last, int64_t part) {
    const SumOfSquares s = *(const SumOfSquares *)arguments;
    double sum = 0;
    (void)part;
    for (int64_t vector = first; vector < last; vector++) {
        const float *values = (const float *)(intptr_t)s.vectors[2 * vector];
        const int64_t size = s.vectors[2 * vector + 1];
        for (int64_t i = 0; i < size; i++) sum += (double)values[i] * values[i];
    }
    *s.sum += sum;
}
