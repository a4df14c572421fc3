/* Compare the kernels' inner functions with plain sums, on whatever processor it is compiled for; exits with the number of mistakes. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "elementwise.h"
#include "products.h"
#include "strips.h"
#include "tiles.h"
#include "vectors.h"

void use_tiles(int yes);

static float values[1 << 20];
static int mistakes = 0;

static void expect(int correct, const char *what, long m, long n, long depth) {
    if (correct) return;
    mistakes++;
    printf("%s: wrong for %ld x %ld, depth %ld\n", what, m, n, depth);
}

/* Element (i, j) of a matrix with strides, times another one, in double precision. */
static double plain_sum(const float *a, long a_row, long a_step, const float *b, long b_row, long b_step, long i, long j, long depth) {
    double sum = 0;
    for (long k = 0; k < depth; k++) sum += (double)a[i * a_row + k * a_step] * b[k * b_row + j * b_step];
    return sum;
}

static void check_product(long m, long n, long depth, int a_transposed, int b_transposed, int add) {
    const long gap = 3, a_row = (a_transposed ? m : depth) + gap, b_row = (b_transposed ? depth : n) + gap, c_row = n + gap;
    const float *a = values, *b = values + a_row * (a_transposed ? depth : m);
    float *c = malloc(sizeof(float) * m * c_row);
    for (long i = 0; i < m * c_row; i++) c[i] = 0.5f;
    if (a_transposed) product_of_transposed(m, n, depth, a, a_row, b, b_row, c, c_row, add);
    else if (b_transposed) product_by_transposed(m, n, depth, a, a_row, b, b_row, c, c_row, add);
    else product(m, n, depth, a, a_row, b, b_row, c, c_row, add);
    int correct = 1;
    for (long i = 0; i < m; i++) {
        for (long j = 0; j < n; j++) {
            const double expected = plain_sum(a, a_transposed ? 1 : a_row, a_transposed ? a_row : 1, b, b_transposed ? 1 : b_row,
                                              b_transposed ? b_row : 1, i, j, depth) + (add ? 0.5 : 0.0);
            correct &= fabs(c[i * c_row + j] - expected) < 1e-5 * sqrt((double)depth) + 1e-6;
        }
        for (long j = n; j < c_row; j++) correct &= c[i * c_row + j] == 0.5f; /* nothing beyond the columns is written */
    }
    expect(correct, a_transposed ? "a^T b" : b_transposed ? "a b^T" : "a b", m, n, depth);
    free(c);
}

static void check_elementwise(void) {
    const double allowed = strcmp(INSTRUCTION_SET, "plain") ? 2e-7 : 6e-6;
    for (float x = -80; x < 20; x += 0.01f) {
        const double below = 0.5 * erfc(-x / sqrt(2.0)), density = exp(-0.5 * x * x) / sqrt(2 * 3.14159265358979323846);
        const Normal normal = normal_at(x);
        expect(fabs(normal_below(x) - below) < 1e-6, "normal_below", (long)(100 * x), 0, 0);
        expect(fabs(normal.below - below) < 3e-7 && fabs(normal.density - density) < 3e-7, "normal_at", (long)(100 * x), 0, 0);
        if (x <= 0) expect(fabs(exp_of(x) / exp(x) - 1) < allowed, "exp_of", (long)(100 * x), 0, 0);
    }
}

/* Strips of rows a (width m) and b (width n): both read and written again, mapped, and multiplied over all rows. */
static void check_strips(long rows, long m, long n, int add) {
    const long gap = 2, a_row = m + gap, b_row = n + gap, strips = (rows + STRIP - 1) / STRIP, width = m + n;
    const float *a = values, *b = values + rows * a_row, *map = b + rows * b_row, *bias = map + m * n;
    float *all = malloc(sizeof(float) * strips * STRIP * width), *mapped = malloc(sizeof(float) * STRIP * n);
    float *back = malloc(sizeof(float) * STRIP * a_row), *c = malloc(sizeof(float) * m * n), *sums = malloc(sizeof(float) * n);
    for (long i = 0; i < m * n; i++) c[i] = 0.5f;
    for (long j = 0; j < n; j++) sums[j] = 0.25f;
    int correct = 1;
    for (long strip = 0; strip < strips; strip++) {
        const long first = strip * STRIP, count = rows - first < STRIP ? rows - first : STRIP;
        float *of_a = all + strip * STRIP * width, *of_b = of_a + STRIP * m;
        read_strip(a + first * a_row, a_row, count, m, of_a);
        read_strip(b + first * b_row, b_row, count, n, of_b);
        for (long i = 0; i < STRIP * a_row; i++) back[i] = 7.0f;
        write_strip(of_a, count, m, back, a_row);
        for (long row = 0; row < STRIP; row++)
            for (long k = 0; k < a_row; k++) {
                const float expected = row < count && k < m ? a[(first + row) * a_row + k] : 7.0f; /* nothing else is written */
                correct &= back[row * a_row + k] == expected;
            }
        const StripMap maps[] = {{map, 1, n, of_a, m}, {map, 1, n, of_b, n < m ? n : m}};
        sum_of_strip_maps(n, maps, 2, bias, mapped);
        for (long row = 0; row < count; row++)
            for (long j = 0; j < n; j++) {
                const double expected = bias[j] + plain_sum(a + first * a_row, a_row, 1, map, n, 1, row, j, m)
                                        + plain_sum(b + first * b_row, b_row, 1, map, n, 1, row, j, n < m ? n : m);
                correct &= fabs(mapped[j * STRIP + row] - expected) < 1e-5 * sqrt(2.0 * m) + 1e-6;
            }
    }
    product_over_strips(strips, m, all, STRIP * width, n, all + STRIP * m, STRIP * width, c, n, add, sums);
    for (long j = 0; j < n; j++) {
        double sum = 0.25;
        for (long row = 0; row < rows; row++) sum += b[row * b_row + j];
        correct &= fabs(sums[j] - sum) < 1e-5 * sqrt((double)rows) + 1e-6;
        for (long i = 0; i < m; i++) {
            const double expected = plain_sum(a, 1, a_row, b, b_row, 1, i, j, rows) + (add ? 0.5 : 0.0);
            correct &= fabs(c[i * n + j] - expected) < 1e-5 * sqrt((double)rows) + 1e-6;
        }
    }
    expect(correct, "strips", rows, m, n);
    free(all), free(mapped), free(back), free(c), free(sums);
}

int main(void) {
    unsigned state = 1;
    for (long i = 0; i < (1 << 20); i++) {
        state = state * 1664525u + 1013904223u;
        values[i] = (float)(int)(state >> 8) / (1 << 23) - 1.0f;
    }
    use_tiles(1);
    static const long sizes[][3] = {{2, 2, 1}, {5, 3, 7}, {7, 8, 9}, {13, 17, 5}, {12, 16, 256}, {26, 26, 300}, {50, 33, 31}, {200, 10, 64}, {64, 100, 257}, {195, 48, 13}};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
        for (int kind = 0; kind < 6; kind++) check_product(sizes[i][0], sizes[i][1], sizes[i][2], kind / 2 == 1, kind / 2 == 2, kind % 2);
    for (long width = 1; width <= 13; width++)
        for (int kind = 0; kind < 4; kind++) check_strips(kind / 2 ? 16 : 39, width, kind / 2 ? 3 * width : 14 - width, kind % 2);
    check_elementwise();
    printf("%s: %d mistakes\n", INSTRUCTION_SET, mistakes);
    return mistakes != 0;
}
