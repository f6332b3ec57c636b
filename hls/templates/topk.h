// The K best experts of a token and their gate scores: hw/golden/gate.py.
#ifndef M3VIT_TOPK_H_
#define M3VIT_TOPK_H_

#include "dataflow.h"
#include "plan.h"
#include "reciprocal.h"

namespace m3vit {

typedef ap_int<32> logit_t;

// factor and shift of a task's gate: differences of logits in units of ln2/64.
struct GateScale {
    factor_t factor;
    ap_uint<8> shift;
};

// A slot says itself whether it was filled: nothing is compared with what was never written.
struct Best {
    bool filled;
    logit_t logit;
    ap_uint<8> expert;
};

// Strictly larger only: of equal logits the lower expert, which came first, stays.
template <class C> void insert(Best best[C::top_k], logit_t logit, ap_uint<8> expert) {
#pragma HLS INLINE
    Best carried = {true, logit, expert};
    for (unsigned rank = 0; rank < C::top_k; rank++) {
#pragma HLS UNROLL
        if (!best[rank].filled || (carried.filled && carried.logit > best[rank].logit)) {
            const Best pushed = best[rank];
            best[rank] = carried;
            carried = pushed;
        }
    }
}

// GEXP[d & 63] >> (d >> 6), d = min(1023, rshift((max - z) * M, n)).
inline ap_uint<16> gate_exponential(logit_t largest, logit_t logit, GateScale scale) {
#pragma HLS INLINE
    const ap_int<33> wide = largest - logit;
    const ap_uint<26> difference = wide > ((1 << 26) - 1) ? ap_uint<26>((1 << 26) - 1) : ap_uint<26>(wide);
    const ap_int<43> product = difference * scale.factor;
    const ap_int<44> steps = rshift(product, scale.shift);
    const ap_uint<10> delta = steps > 1023 ? ap_uint<10>(1023) : ap_uint<10>(steps);
    return GATE_EXPONENTIAL[ap_uint<6>(delta.range(5, 0))] >> ap_uint<4>(delta.range(9, 6));
}

// min(65535, rshift(x * R, L)) of one expert, value / 65536.
inline ap_uint<16> gate_score(ap_uint<16> x, Reciprocal inverse) {
#pragma HLS INLINE
    const ap_int<33> product = x * inverse.factor;
    const ap_int<34> score = rshift(product, inverse.leading);
    return score > 65535 ? ap_uint<16>(65535) : ap_uint<16>(score);
}

// Every token: E logits in, K choices out, best first.
template <class C, class Z, class S> void choose(GateScale scale, Z &logits, S &choices) {
tokens:
    for (unsigned token = 0; token < C::tokens; token++) {
        logit_t z[C::experts];
        Best best[C::top_k];
#pragma HLS ARRAY_PARTITION variable = best complete
        for (unsigned rank = 0; rank < C::top_k; rank++) {
#pragma HLS UNROLL
            best[rank] = {false, 0, 0};
        }
    rank:
        for (unsigned e = 0; e < C::experts; e++) {
#pragma HLS PIPELINE II = 1
            z[e] = logits.read();
            insert<C>(best, z[e], e);
        }
        ap_uint<24> sum = 0;
    total:
        for (unsigned e = 0; e < C::experts; e++) {
#pragma HLS PIPELINE II = 1
            sum += gate_exponential(best[0].logit, z[e], scale);
        }
        const Reciprocal inverse = reciprocal(sum);
    score:
        for (unsigned rank = 0; rank < C::top_k; rank++) {
#pragma HLS PIPELINE II = 1
            const ap_uint<16> x = gate_exponential(best[0].logit, best[rank].logit, scale);
            const Choice choice = {best[rank].expert, gate_score(x, inverse)};
            choices.write(choice);
        }
    }
}

} // namespace m3vit

#endif
