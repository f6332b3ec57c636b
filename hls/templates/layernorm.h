// Layer normalisation on the int16 view of the residual stream: hw/golden/layernorm.py.
#ifndef M3VIT_LAYERNORM_H_
#define M3VIT_LAYERNORM_H_

#include "reciprocal.h"
#include "rows.h"

namespace m3vit {

typedef ap_int<16> view_t;

inline view_t residual_view(ap_int<18> x) {
#pragma HLS INLINE
    return saturate<16>(rshift(x, 2));
}

template <class C> struct NormTable {
    ap_int<16> gamma[C::width];
    ap_int<32> beta[C::width];
};

template <class C> void load_norm(const word_t<C> *memory, NormTable<C> &table) {
load_norm:
    for (unsigned c = 0; c < C::width; c++) {
#pragma HLS PIPELINE II = 1
        const ap_uint<64> bits = eight_bytes<C>(memory, C::norm_at + RECORD_BYTES * c);
        table.gamma[c] = ap_int<16>(ap_uint<16>(bits.range(15, 0)));
        table.beta[c] = ap_int<32>(ap_uint<32>(bits.range(63, 32)));
    }
}

struct Statistics {
    ap_int<27> sum;
    ReciprocalRoot root;
};

// One token: sums while it arrives (it also goes to the residual store), exact integers.
template <class C, class S>
Statistics gather_statistics(S &in, view_t row[C::width], Chunk<C> store[Layout<C>::chunks]) {
#pragma HLS INLINE
    ap_int<27> sum = 0;
    ap_uint<42> squares = 0;
statistics:
    for (unsigned chunk = 0; chunk < Layout<C>::chunks; chunk++) {
#pragma HLS PIPELINE II = 1
        const Chunk<C> values = in.read();
        store[chunk] = values;
        for (unsigned lane = 0; lane < C::lanes; lane++) {
#pragma HLS UNROLL
            const view_t x = residual_view(values.value[lane]);
            row[chunk * C::lanes + lane] = x;
            sum += x;
            squares += ap_uint<32>(x * x);
        }
    }
    const ap_int<54> spread = ap_int<54>(C::width) * squares - ap_int<54>(sum) * sum;
    Statistics result;
    result.sum = sum;
    result.root = reciprocal_root(ap_uint<53>(spread + ap_int<54>(ap_uint<32>(C::norm_epsilon))));
    return result;
}

template <class C>
ap_int<8> normalise_one(view_t x, const Statistics &of, ap_int<16> gamma, ap_int<32> beta) {
#pragma HLS INLINE
    const ap_int<27> centred = ap_int<27>(ap_int<28>(x * ap_int<12>(C::width)) - of.sum);
    const ap_int<44> scaled = centred * of.root.factor;
    const ap_int<16> n = saturate<16>(rshift(scaled, of.root.half + 6));
    const ap_int<36> y = n * gamma + ap_int<35>(beta);
    return saturate<8>(rshift(y, C::norm_shift));
}

// All tokens: residual in, residual store and normalised entries out.
template <class C, class S, class E>
void normalise(const NormTable<C> &table, S &in, Chunk<C> store[C::tokens][Layout<C>::chunks],
               E &out) {
tokens:
    for (unsigned token = 0; token < C::tokens; token++) {
        view_t row[C::width];
        ap_int<8> result[Layout<C>::width_steps / CASCADE * C::rows];
#pragma HLS ARRAY_PARTITION variable = row cyclic factor = C::lanes
#pragma HLS ARRAY_PARTITION variable = result cyclic factor = C::rows
        const Statistics of = gather_statistics<C>(in, row, store[token]);
    apply:
        for (unsigned c = 0; c < C::width; c += C::lanes) {
#pragma HLS PIPELINE II = 1
            for (unsigned lane = 0; lane < C::lanes; lane++) {
#pragma HLS UNROLL
                const unsigned at = c + lane;
                result[at] = normalise_one<C>(row[at], of, table.gamma[at], table.beta[at]);
            }
        }
        emit_row<C, C::width, Layout<C>::width_steps>(result, out);
    }
}

} // namespace m3vit

#endif
