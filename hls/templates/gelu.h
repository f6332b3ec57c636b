// GELU by two tables of 256 entries; one bit of the hidden channel chooses: hw/golden/gelu.py.
#ifndef M3VIT_GELU_H_
#define M3VIT_GELU_H_

#include "layout.h"

namespace m3vit {

const unsigned GELU_BYTES = 512;

// A copy a lane: every lane looks up an entry of its own each cycle.
template <class C> struct GeluTable {
    ap_int<8> entry[C::lanes][GELU_BYTES];
};

template <class C>
ap_int<8> gelu(ap_int<8> h, ap_uint<1> hidden_class, const GeluTable<C> &table, unsigned lane) {
#pragma HLS INLINE
    const ap_uint<8> index = h + 128;
    return table.entry[lane][hidden_class * 256 + index];
}

// The block's tables, read once a call.
template <class C> void load_gelu(const word_t<C> *memory, GeluTable<C> &table) {
    word_t<C> words[GELU_BYTES / C::word_bytes];
load_gelu:
    for (unsigned w = 0; w < GELU_BYTES / C::word_bytes; w++) {
#pragma HLS PIPELINE II = 1
        words[w] = memory[C::gelu_at / C::word_bytes + w];
    }
spread_gelu:
    for (unsigned n = 0; n < GELU_BYTES; n++) {
#pragma HLS PIPELINE II = 1
        const ap_int<8> value = byte_of<C>(words[n / C::word_bytes], n % C::word_bytes);
        for (unsigned lane = 0; lane < C::lanes; lane++) {
#pragma HLS UNROLL
            table.entry[lane][n] = value;
        }
    }
}

} // namespace m3vit

#endif
