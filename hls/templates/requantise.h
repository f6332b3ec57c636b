// satN(rshift(acc * M, n)): hw/golden/requantise.py.
#ifndef M3VIT_REQUANTISE_H_
#define M3VIT_REQUANTISE_H_

#include "rounding.h"

namespace m3vit {

typedef ap_int<27> accumulator_t;
typedef ap_uint<16> factor_t;

template <int N> ap_int<N> requantise(accumulator_t acc, factor_t factor, unsigned shift) {
#pragma HLS INLINE
    const ap_int<44> product = acc * factor;
    return saturate<N>(rshift(product, shift));
}

} // namespace m3vit

#endif
