/* Vectors of float32 as wide as the registers of the instruction set that the compiler builds for. */
#ifndef VECTORS_H
#define VECTORS_H

#include <stdint.h>

#if defined(__AVX512F__)
#include <immintrin.h>
#define LANES 16
#define INSTRUCTION_SET "avx512"
#elif defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>
#define LANES 8
#define INSTRUCTION_SET "avx2"
#elif defined(__ARM_NEON)
#define LANES 4
#define INSTRUCTION_SET "neon"
#else
#define LANES 4
#define INSTRUCTION_SET "plain"
#endif

#define ALWAYS_INLINE static inline __attribute__((always_inline))

typedef float vector __attribute__((vector_size(4 * LANES)));
typedef float unaligned_vector __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef float four __attribute__((vector_size(16)));
typedef float unaligned_four __attribute__((vector_size(16), aligned(4), may_alias));

ALWAYS_INLINE vector load(const float *from) { return *(const unaligned_vector *)from; }
ALWAYS_INLINE void store(float *to, vector values) { *(unaligned_vector *)to = values; }

/* Load and store the first count lanes; nothing is read or written beyond them, and the other lanes are 0. */
#if defined(__AVX512F__)
ALWAYS_INLINE vector load_first(const float *from, int64_t count) {
    return (vector)_mm512_maskz_loadu_ps((__mmask16)((1u << count) - 1), from);
}
ALWAYS_INLINE void store_first(float *to, vector values, int64_t count) {
    _mm512_mask_storeu_ps(to, (__mmask16)((1u << count) - 1), (__m512)values);
}
#elif LANES == 8
static const int32_t lane_masks[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
ALWAYS_INLINE __m256i mask_of_first(int64_t count) {
    return _mm256_loadu_si256((const __m256i *)(lane_masks + LANES - count));
}
ALWAYS_INLINE vector load_first(const float *from, int64_t count) {
    return (vector)_mm256_maskload_ps(from, mask_of_first(count));
}
/* By four, two and one, since some processors take many steps for a masked store. */
ALWAYS_INLINE void store_first(float *to, vector values, int64_t count) {
    if (count == LANES) {
        store(to, values);
        return;
    }
    __m128 rest = _mm256_castps256_ps128((__m256)values);
    if (count & 4) {
        _mm_storeu_ps(to, rest);
        rest = _mm256_extractf128_ps((__m256)values, 1);
        to += 4;
    }
    if (count & 2) {
        _mm_storel_pi((__m64 *)to, rest);
        rest = _mm_movehl_ps(rest, rest);
        to += 2;
    }
    if (count & 1) _mm_store_ss(to, rest);
}
#else
ALWAYS_INLINE vector load_first(const float *from, int64_t count) {
    vector values = {0};
    for (int64_t i = 0; i < count; i++) values[i] = from[i];
    return values;
}
ALWAYS_INLINE void store_first(float *to, vector values, int64_t count) {
    for (int64_t i = 0; i < count; i++) to[i] = values[i];
}
#endif

#if defined(__clang__)
#define CHOOSE(a, b, i, j, k, l) __builtin_shufflevector(a, b, i, j, k, l)
#else
typedef int32_t four_places __attribute__((vector_size(16)));
#define CHOOSE(a, b, i, j, k, l) __builtin_shuffle(a, b, (four_places){i, j, k, l})
#endif

/* Transpose 4 x 4 numbers. */
ALWAYS_INLINE void transpose_four(const float *from, int64_t from_row, float *to, int64_t to_row) {
    const four a = *(const unaligned_four *)from, b = *(const unaligned_four *)(from + from_row);
    const four c = *(const unaligned_four *)(from + 2 * from_row), d = *(const unaligned_four *)(from + 3 * from_row);
    const four ab = CHOOSE(a, b, 0, 4, 1, 5), cd = CHOOSE(c, d, 0, 4, 1, 5);
    const four ab_high = CHOOSE(a, b, 2, 6, 3, 7), cd_high = CHOOSE(c, d, 2, 6, 3, 7);
    *(unaligned_four *)to = CHOOSE(ab, cd, 0, 1, 4, 5);
    *(unaligned_four *)(to + to_row) = CHOOSE(ab, cd, 2, 3, 6, 7);
    *(unaligned_four *)(to + 2 * to_row) = CHOOSE(ab_high, cd_high, 0, 1, 4, 5);
    *(unaligned_four *)(to + 3 * to_row) = CHOOSE(ab_high, cd_high, 2, 3, 6, 7);
}

#endif
