// The one rounding rule and saturation: hw/golden/rounding.py.
#ifndef M3VIT_ROUNDING_H_
#define M3VIT_ROUNDING_H_

#include "ap_int.h"

namespace m3vit {

// (x + 2^(n-1)) >> n, half up; n = 0 is the identity.  One bit wider than x, so that the half
// cannot overflow.
template <int W> ap_int<W + 1> rshift(ap_int<W> x, unsigned n) {
#pragma HLS INLINE
    const ap_int<W + 1> half = n == 0 ? ap_int<W + 1>(0) : ap_int<W + 1>(ap_int<W + 1>(1) << (n - 1));
    const ap_int<W + 1> sum = x + half;
    return sum >> n;
}

// x clamped to [low, high] and to N bits.
template <int N, int W> ap_int<N> clamp(ap_int<W> x, int low, int high) {
#pragma HLS INLINE
    if (x < low)
        return low;
    if (x > high)
        return high;
    return x;
}

// x clamped to two's complement of N bits.
template <int N, int W> ap_int<N> saturate(ap_int<W> x) {
#pragma HLS INLINE
    return clamp<N>(x, -(1 << (N - 1)), (1 << (N - 1)) - 1);
}

} // namespace m3vit

#endif
