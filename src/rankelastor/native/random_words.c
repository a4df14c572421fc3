/* Draw the words of the generator SFC64 (C. Doty-Humphrey, PractRand), as NumPy does.
 *
 * state: a, b, c and the counter, which are advanced. words: num_words values.
 */
#include <stdint.h>

#include "parallel.h"

typedef struct {
    uint64_t *state;
    uint64_t *words;
    int64_t num_words;
} DrawWords;

void draw_words(const void *arguments, int64_t first, int64_t last, int64_t part) {
    const DrawWords d = *(const DrawWords *)arguments;
    uint64_t a = d.state[0], b = d.state[1], c = d.state[2], counter = d.state[3];
    (void)first, (void)last, (void)part;
    for (int64_t i = 0; i < d.num_words; i++) {
        const uint64_t word = a + b + counter++;
        a = b ^ (b >> 11);
        b = c + (c << 3);
        c = ((c << 24) | (c >> 40)) + word;
        d.words[i] = word;
    }
    d.state[0] = a, d.state[1] = b, d.state[2] = c, d.state[3] = counter;
}
