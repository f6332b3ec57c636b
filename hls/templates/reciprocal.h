// Reciprocal and reciprocal root by one table and a shift: hw/golden/reciprocal.py, layernorm.py.
#ifndef M3VIT_RECIPROCAL_H_
#define M3VIT_RECIPROCAL_H_

#include "ap_int.h"
#include "tables.h"

namespace m3vit {

// floor(log2 x) for x > 0.
template <int W> ap_uint<6> leading_one(ap_uint<W> x) {
#pragma HLS INLINE
    ap_uint<6> found = 0;
    for (int bit = 0; bit < W; bit++) {
#pragma HLS UNROLL
        if (x[bit])
            found = bit;
    }
    return found;
}

// The ten bits below the leading one, zeros where x has fewer.
template <int W> ap_uint<10> below_leading(ap_uint<W> x, ap_uint<6> leading) {
#pragma HLS INLINE
    const ap_uint<W + 10> wide = x;
    return ap_uint<10>((wide << 10) >> leading);
}

struct Reciprocal {
    ap_uint<16> factor;
    ap_uint<6> leading;
};

// 1/D = factor * 2^-(16 + leading).
template <int W> Reciprocal reciprocal(ap_uint<W> value) {
#pragma HLS INLINE
    Reciprocal result;
    result.leading = leading_one(value);
    result.factor = RECIPROCAL[below_leading(value, result.leading)];
    return result;
}

struct ReciprocalRoot {
    ap_uint<16> factor;
    ap_uint<6> half;
};

// 1/sqrt(V) = factor * 2^-(16 + half).
template <int W> ReciprocalRoot reciprocal_root(ap_uint<W> variance) {
#pragma HLS INLINE
    const ap_uint<6> leading = leading_one(variance);
    ap_uint<11> index = below_leading(variance, leading);
    index[10] = leading[0];
    ReciprocalRoot result;
    result.half = leading >> 1;
    result.factor = RECIPROCAL_ROOT[index];
    return result;
}

} // namespace m3vit

#endif
