// GELU by two tables of 256 entries; one bit of the hidden channel chooses: hw/golden/gelu.py.
#ifndef M3VIT_GELU_H_
#define M3VIT_GELU_H_

#include "layout.h"

namespace m3vit {

const unsigned GELU_BYTES = 512;

inline ap_int<8> gelu(ap_int<8> h, ap_uint<1> hidden_class, const ap_int<8> table[GELU_BYTES]) {
#pragma HLS INLINE
    const ap_uint<8> index = h + 128;
    return table[hidden_class * 256 + index];
}

// The block's tables, read once a call.
template <class C> void load_gelu(const word_t<C> *memory, ap_int<8> table[GELU_BYTES]) {
load_gelu:
    for (unsigned w = 0; w < GELU_BYTES / C::word_bytes; w++) {
#pragma HLS PIPELINE II = 1
        const word_t<C> word = memory[C::gelu_at / C::word_bytes + w];
        for (unsigned b = 0; b < C::word_bytes; b++) {
#pragma HLS UNROLL
            table[w * C::word_bytes + b] = byte_of<C>(word, b);
        }
    }
}

} // namespace m3vit

#endif
