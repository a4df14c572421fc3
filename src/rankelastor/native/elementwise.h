/* Elementwise functions that compilers vectorise. */
#ifndef ELEMENTWISE_H
#define ELEMENTWISE_H

#include <stdint.h>

/* Elements per call of a *_part function: constant, so that its loop is vectorised without a scalar remainder. */
#define PART 16

/* Loop over the elements of a row, PART at a time; the last step may overlap the one before it, so the body must not write
 * to arrays that it reads. */
#define FOR_PARTS(i, width) \
    for (int64_t i = 0; i < (width); i = i + PART < (width) && i + 2 * PART > (width) ? (width) - PART : i + PART)

/* Compute erf by a rational approximation on [-4, 4], beyond which it is +-1 in float32; error below 1e-6. */
static inline float erf_of(float x) {
    x = x > 4.0f ? 4.0f : x;
    x = x < -4.0f ? -4.0f : x;
    const float s = x * x;
    float p = -2.72614225801306e-10f;
    p = p * s + 2.77068142495902e-08f;
    p = p * s + -2.10102402082508e-06f;
    p = p * s + -5.69250639462346e-05f;
    p = p * s + -7.34990630326855e-04f;
    p = p * s + -2.95459980854025e-03f;
    p = p * s + -1.60960333262415e-02f;
    float q = -1.45660718464996e-05f;
    q = q * s + -2.13374055278905e-04f;
    q = q * s + -1.68282697438203e-03f;
    q = q * s + -7.37332916720468e-03f;
    q = q * s + -1.42647390514189e-02f;
    return x * p / q;
}

/* Compute x + factor * part without the compiler joining it with another one, which would lose the digits of a small part. */
static inline float add_apart(float x, float factor, float part) {
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
    return __builtin_fmaf(factor, part, x);
#else
    return x + factor * part;
#endif
}

/* Compute exp for arguments in [-87, 0], relative error below 2e-7, or 6e-6 on processors without fused multiply-adds. */
static inline float exp_of(float x) {
    x = x < -87.0f ? -87.0f : x;
    const float n = __builtin_rintf(x * 1.44269504088896341f);
    const float r = add_apart(add_apart(x, n, -0.693359375f), n, 2.12194440e-4f);
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    union { int32_t i; float f; } scale;
    scale.i = ((int32_t)n + 127) << 23;
    return p * scale.f;
}

/* Compute the logistic function 1 / (1 + exp(-x)), below -87 as 0. */
static inline float sigmoid_of(float x) {
    const float e = exp_of(x < 0 ? x : -x);
    const float share = (x < 0 ? e : 1.0f) / (1.0f + e);
    return x < -87.0f ? 0.0f : share;
}

/* Compute the standard normal distribution function at x: gelu(x) = x * normal_below(x). */
static inline float normal_below(float x) { return 0.5f + 0.5f * erf_of(x * 0.70710678118654752f); }

typedef struct {
    float below, density;
} Normal;

/* Compute the standard normal distribution function (error below 3e-7; Abramowitz and Stegun, 7.1.26) and its density
 * with a single exp. */
static inline Normal normal_at(float x) {
    const float distance = x < 0 ? -x : x, t = 1.0f / (1.0f + 0.231641892f * distance), e = exp_of(-0.5f * x * x);
    float p = 0.5307027145f;
    p = p * t + -0.7265760135f;
    p = p * t + 0.7107068705f;
    p = p * t + -0.142248368f;
    p = p * t + 0.127414796f;
    const float beyond = p * t * e; /* the tail beyond |x| */
    return (Normal){x < 0 ? beyond : 1.0f - beyond, 0.39894228040143268f * e};
}

#endif
