/* Numerical functions of emitted kernels: branch-free, so that gcc and clang turn loops over them into SIMD without
 * -ffast-math. Written for this project; errors below 2 ulp for exp, expm1 and log, 4 for
 * the others, over all of their range (adapter/compiler/tests/math.rs measures it). */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define GD_BLOCK 64u
/* Compilers take minutes to optimise loops of thousands of statements, which gain nothing by it. */
#if defined(__GNUC__) && !defined(__clang__)
#define GD_LARGE __attribute__((optimize("O1")))
#else
#define GD_LARGE
#endif

/* What runs once is not worth a compiler's time. */
#if defined(__GNUC__)
#define GD_ONCE __attribute__((cold))
#else
#define GD_ONCE
#endif

#define GD_INLINE static inline __attribute__((always_inline, unused))
#if defined(__clang__)
#define GD_VECTORISE _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define GD_VECTORISE _Pragma("GCC ivdep")
#else
#define GD_VECTORISE
#endif

/* In loops over scattered addresses: since its data sampling was mended, a processor's own gather takes several times as
 * long as one load after the other. */
#if defined(__GNUC__)
#define GD_ONE_BY_ONE __asm__ volatile("")
#else
#define GD_ONE_BY_ONE (void)0
#endif

/* a b + c, rounded once where the machine can. */
#if defined(__FMA__) || defined(__aarch64__)
#define gd_fma(a, b, c) __builtin_fma(a, b, c)
#else
#define gd_fma(a, b, c) ((a) * (b) + (c))
#endif

GD_INLINE double gd_from_bits(uint64_t u) { double d; memcpy(&d, &u, sizeof d); return d; }
GD_INLINE uint64_t gd_to_bits(double d) { uint64_t u; memcpy(&u, &d, sizeof u); return u; }

/* x = k ln 2 + r with |r| <= ln 2 / 2; returns r, leaves k + 1.5*2^52 in *shifted (k sits in its low bits). */
GD_INLINE double gd_reduce(double x, double* shifted) {
    const double t = gd_fma(x, 0x1.71547652b82fep0, 0x1.8p52);
    const double k = t - 0x1.8p52;
    *shifted = t;
    return gd_fma(k, -0x1.9ef35793c7673p-41, gd_fma(k, -0x1.62e42fefa2000p-1, x));
}

GD_INLINE double gd_two_to(double shifted) { return gd_from_bits((gd_to_bits(shifted) << 52) + (1023ull << 52)); }

/* e^r - 1 on the reduced range: r + r^2 q(r), q the Chebyshev fit of degree 9 (error 1.3e-17). */
GD_INLINE double gd_expm1_reduced(double r) {
    const double r2 = r * r, r4 = r2 * r2;
    const double a = gd_fma(0.16666666666666669, r, 0.5);
    const double b = gd_fma(0.008333333333330062, r, 0.04166666666662413);
    const double c = gd_fma(0.00019841269863053618, r, 0.0013888888917213717);
    const double d = gd_fma(2.7557268459997064e-06, r, 2.4801521295954376e-05);
    const double e = gd_fma(2.510038549551032e-08, r, 2.7620088445409746e-07);
    const double q = gd_fma(gd_fma(e, r4, gd_fma(d, r2, c)), r4, gd_fma(b, r2, a));
    return gd_fma(r2, q, r);
}

/* 2^k in two factors, 2^(k-1) 2 or 2^(k+54) 2^-54, so that nothing over- or underflows before the product does. */
GD_INLINE double gd_exp(double x) {
    double shifted;
    const double y = x > 709.8 ? 709.8 : (x < -746.0 ? -746.0 : x);
    const double r = gd_reduce(y, &shifted);
    const uint64_t bias = y > 0.0 ? 1022ull << 52 : 1077ull << 52;
    const double scale = gd_from_bits((gd_to_bits(shifted) << 52) + bias);
    return scale * (1.0 + gd_expm1_reduced(r)) * (y > 0.0 ? 2.0 : 0x1p-54);
}

/* 2^k (p + 1) - 1 by halves, for 2^1024. */
GD_INLINE double gd_expm1(double x) {
    double shifted;
    const double y = x > 709.8 ? 709.8 : (x < -708.0 ? -708.0 : x);
    const double r = gd_reduce(y, &shifted);
    const double half = gd_from_bits((gd_to_bits(shifted) << 52) + (1022ull << 52));
    return 2.0 * (half * gd_expm1_reduced(r) + (half - 0.5));
}

/* x / (e^x - 1), 1 where x vanishes beside 1, 0 where e^x overflows. */
GD_INLINE double gd_exprelr(double x) {
    const double value = (x > 1e3 ? 1e3 : x) / gd_expm1(x);
    return 1.0 + x == 1.0 ? 1.0 : value;
}

/* f', f = gd_exprelr: (1 - x - f)/(e^x - 1) where it does not cancel, the Bernoulli series (Abramowitz & Stegun 23.1.1)
 * up to x^21/21! near 0, and f'(-x) = -1 - f'(x). */
GD_INLINE double gd_dexprelr(double x) {
    const double magnitude = fabs(x), a = magnitude > 1e3 ? 1e3 : magnitude;
    const double em = gd_expm1(a), f = a / em;
    const double away = (1.0 - a - f) / em;
    const double y = a * a;
    const double near = -0.5 + a * (1.0 / 6 + y * (-1.0 / 180 + y * (1.0 / 5040 + y * (-1.0 / 151200 +
                        y * (1.0 / 4790016 + y * (-691.0 / 108972864000 + y * (1.0 / 5337446400 +
                        y * (-3617.0 / 666913927680000 + y * (43867.0 / 283838567620608000 +
                        y * (-174611.0 / 40142883134914560000.0 + y * (77683.0 / 640959092699627520000.0)))))))))));
    const double positive = a < 1.0 ? near : away;
    return x < 0.0 ? -1.0 - positive : positive;
}

/* log x: x = 2^k m, m in [sqrt(1/2), sqrt 2), log m = 2 artanh((m - 1)/(m + 1)). Subnormals are scaled first. */
GD_INLINE double gd_log(double x) {
    const double tiny = x < 0x1p-1022 ? 54.0 : 0.0;
    const uint64_t u = gd_to_bits(x < 0x1p-1022 ? x * 0x1p54 : x) - 0x3fe6a09e667f3bcdull;
    /* the exponent as a double, without an integer conversion: 2^52 + (u >> 52) read as a number */
    const double k = (gd_from_bits((((u >> 52) ^ 0x800u) & 0xfffu) | 0x4330000000000000ull) - (0x1p52 + 2048.0)) - tiny;
    const double m = gd_from_bits((u & 0x000fffffffffffffull) + 0x3fe6a09e667f3bcdull);
    const double f = m - 1.0, s = f / (m + 1.0), z = s * s, half = 0.5 * f * f;
    const double p = z * (2.0 / 3 + z * (2.0 / 5 + z * (2.0 / 7 + z * (2.0 / 9 + z * (2.0 / 11 + z * (2.0 / 13 +
                     z * (2.0 / 15 + z * (2.0 / 17 + z * (2.0 / 19 + z * (2.0 / 21))))))))));
    /* f is exact and carries most of the sum: 2 s = f - s f, s f = f^2/2 - s f^2/2 */
    const double value = k * 0x1.62e42fefa2000p-1 + (f - (half - (s * (half + p) + k * 0x1.9ef35793c7673p-41)));
    return x > 0.0 ? (x < HUGE_VAL ? value : x) : (x == 0.0 ? -HUGE_VAL : (x - x) / (x - x));
}

GD_INLINE double gd_tanh(double x) {
    const double t = gd_expm1(-2.0 * fabs(x));
    return copysign(-t / (t + 2.0), x);
}

GD_INLINE double gd_min(double a, double b) { return a < b ? a : b; }
GD_INLINE double gd_max(double a, double b) { return a > b ? a : b; }

/* d w, and 0 where w = 0: what does not move moves nothing, even where d is infinite, as that of sqrt(x) at x = 0. */
GD_INLINE double gd_moved(double d, double w) { return w == 0.0 ? 0.0 : d * w; }

/* What is left after dt of what fades at `rate`: mostly all. */
GD_INLINE double gd_decay(double rate, double dt) { return rate == 0.0 ? 1.0 : exp(-rate * dt); }

/* Whether any of n values is not zero. */
GD_INLINE int gd_any(const double* x, uint32_t n) {
    int any = 0;
    for (uint32_t j = 0; j < n; ++j) any |= x[j] != 0.0;
    return any;
}

/* Whether all of n values are equal. */
GD_INLINE int gd_level(const double* x, uint32_t n) {
    int differ = 0;
    for (uint32_t j = 1; j < n; ++j) differ |= x[j] != x[0];
    return !differ;
}

/* As gd_gather, gd_scatter_add below, for indices in any order and with repetitions. */
GD_INLINE const double* gd_gather_each(const double* base, const int32_t* index, uint32_t n, double* buffer) {
    for (uint32_t j = 0; j < n; ++j) {
        GD_ONE_BY_ONE;
        buffer[j] = base[index[j]];
    }
    return buffer;
}

GD_INLINE void gd_scatter_add_each(double* base, const int32_t* index, uint32_t n, const double* restrict value) {
    for (uint32_t j = 0; j < n; ++j) {
        GD_ONE_BY_ONE;
        base[index[j]] += value[j];
    }
}

GD_INLINE void gd_scatter(double* base, const int32_t* index, uint32_t n, const double* restrict value) {
    for (uint32_t j = 0; j < n; ++j) {
        GD_ONE_BY_ONE;
        base[index[j]] = value[j];
    }
}

/* Where to add n values that belong at base[index[0..n]]: right there if the indices are consecutive (they never decrease
 * nor repeat), else in `own`, to be added up by gd_close. */
GD_INLINE double* gd_open(double* base, const int32_t* index, uint32_t n, double* own) {
    if (index[n - 1] - index[0] == (int32_t)(n - 1)) return base + index[0];
    for (uint32_t j = 0; j < n; ++j) own[j] = 0.0;
    return own;
}

/* As gd_open, for indices in any order and with repetitions. */
GD_INLINE double* gd_open_each(double* base, const int32_t* index, uint32_t n, double* own) {
    (void)base; (void)index;
    for (uint32_t j = 0; j < n; ++j) own[j] = 0.0;
    return own;
}

GD_INLINE void gd_close(double* base, const int32_t* index, uint32_t n, const double* own, const double* opened) {
    for (uint32_t j = 0; opened == own && j < n; ++j) {
        GD_ONE_BY_ONE;
        base[index[j]] += own[j];
    }
}

/* n values at base[index[0..n]]: in place where the indices are consecutive (they never decrease nor repeat). */
GD_INLINE const double* gd_gather(const double* base, const int32_t* index, uint32_t n, double* buffer) {
    if (index[n - 1] - index[0] == (int32_t)(n - 1)) return base + index[0];
    for (uint32_t j = 0; j < n; ++j) {
        GD_ONE_BY_ONE;
        buffer[j] = base[index[j]];
    }
    return buffer;
}

GD_INLINE void gd_scatter_add(double* base, const int32_t* index, uint32_t n, const double* restrict value) {
    if (index[n - 1] - index[0] == (int32_t)(n - 1)) {
        double* restrict target = base + index[0];
        GD_VECTORISE
        for (uint32_t j = 0; j < n; ++j) target[j] += value[j];
        return;
    }
    for (uint32_t j = 0; j < n; ++j) {
        GD_ONE_BY_ONE;
        base[index[j]] += value[j];
    }
}
