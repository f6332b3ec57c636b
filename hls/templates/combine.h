// Weighted outputs added to the residual stream: hw/golden/expert.py weigh, residual.py add.
#ifndef M3VIT_COMBINE_H_
#define M3VIT_COMBINE_H_

#include "dataflow.h"
#include "plan.h"

namespace m3vit {

// rshift(y * w, 16 + g) of an expert, y itself of a dense chunk.
template <class C> ap_int<18> contribution(ap_int<18> y, ap_uint<16> weight) {
#pragma HLS INLINE
    if (C::identity)
        return y;
    const ap_int<35> product = y * weight;
    return rshift(product, 16 + C::guard_bits);
}

// Adds the outputs of `count` tokens, whose pairs come in the order of the outputs.
template <class C, class P, class S>
void combine(unsigned count, P &pairs, S &outputs, Chunk<C> store[C::tokens][Layout<C>::chunks]) {
tokens:
    for (unsigned n = 0; n < count; n++) {
#pragma HLS LOOP_TRIPCOUNT min = 1 max = C::tokens
        const Pair pair = pairs.read();
    chunks:
        for (unsigned chunk = 0; chunk < Layout<C>::chunks; chunk++) {
#pragma HLS PIPELINE II = 1
// An expert sees a token once and a token a chunk once: no addition meets one still in flight.
#pragma HLS DEPENDENCE variable = store type = inter dependent = false
            const Chunk<C> y = outputs.read();
            Chunk<C> x = store[pair.token][chunk];
            for (unsigned lane = 0; lane < C::lanes; lane++) {
#pragma HLS UNROLL
                const ap_int<19> sum =
                    x.value[lane] + contribution<C>(y.value[lane], pair.weight);
                x.value[lane] = saturate<18>(sum);
            }
            store[pair.token][chunk] = x;
        }
    }
}

} // namespace m3vit

#endif
