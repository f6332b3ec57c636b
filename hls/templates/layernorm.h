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
    ap_uint<64> entries[C::width];
#pragma HLS ARRAY_PARTITION variable = entries cyclic factor = 4
    load_eights<C, C::width>(memory, C::norm_at, entries);
load_norm:
    for (unsigned c = 0; c < C::width; c++) {
#pragma HLS PIPELINE II = 1
        const ap_uint<64> bits = entries[c];
        table.gamma[c] = ap_int<16>(ap_uint<16>(bits.range(15, 0)));
        table.beta[c] = ap_int<32>(ap_uint<32>(bits.range(63, 32)));
    }
}

struct Statistics {
    ap_int<27> sum;
    ReciprocalRoot root;
};

// `lanes` channels as LayerNorm reads them, and as it leaves them.
template <class C> struct Views {
    view_t value[C::lanes];
};
template <class C> struct Normals {
    ap_int<8> value[C::lanes];
};

// Sums of every token while it arrives and goes to the residual store, exact integers.
template <class C, class S, class V, class T>
void gather_statistics(S &in, Chunk<C> store[C::tokens][Layout<C>::chunks], V &views, T &out) {
tokens:
    for (unsigned token = 0; token < C::tokens; token++) {
        ap_int<27> sum = 0;
        ap_uint<42> squares = 0;
    statistics:
        for (unsigned chunk = 0; chunk < Layout<C>::chunks; chunk++) {
#pragma HLS PIPELINE II = 1
            const Chunk<C> values = in.read();
            store[token][chunk] = values;
            Views<C> row;
            for (unsigned lane = 0; lane < C::lanes; lane++) {
#pragma HLS UNROLL
                const view_t x = residual_view(values.value[lane]);
                row.value[lane] = x;
                sum += x;
                squares += ap_uint<32>(x * x);
            }
            views.write(row);
        }
        const ap_int<54> spread = ap_int<54>(C::width) * squares - ap_int<54>(sum) * sum;
        const ap_uint<53> variance = spread + ap_int<54>(ap_uint<32>(C::norm_epsilon));
        const Statistics result = {sum, reciprocal_root(variance)};
        out.write(result);
    }
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

// Waits for a token's statistics: `views` must hold a whole token by then.
template <class C, class V, class T, class N>
void apply_statistics(const NormTable<C> &table, V &views, T &statistics, N &out) {
tokens:
    for (unsigned token = 0; token < C::tokens; token++) {
        const Statistics of = statistics.read();
    apply:
        for (unsigned chunk = 0; chunk < Layout<C>::chunks; chunk++) {
#pragma HLS PIPELINE II = 1
            const Views<C> row = views.read();
            Normals<C> result;
            for (unsigned lane = 0; lane < C::lanes; lane++) {
#pragma HLS UNROLL
                const unsigned at = chunk * C::lanes + lane;
                result.value[lane] =
                    normalise_one<C>(row.value[lane], of, table.gamma[at], table.beta[at]);
            }
            out.write(result);
        }
    }
}

// Channels in order to the entries of the products.
template <class C, class N, class E> void order_rows(N &in, E &out) {
tokens:
    for (unsigned token = 0; token < C::tokens; token++) {
        ap_int<8> row[Layout<C>::width_steps / CASCADE * C::rows];
#pragma HLS ARRAY_PARTITION variable = row cyclic factor = C::rows
    order:
        for (unsigned chunk = 0; chunk < Layout<C>::chunks; chunk++) {
#pragma HLS PIPELINE II = 1
            const Normals<C> values = in.read();
            for (unsigned lane = 0; lane < C::lanes; lane++) {
#pragma HLS UNROLL
                row[chunk * C::lanes + lane] = values.value[lane];
            }
        }
        emit_row<C, C::width, Layout<C>::width_steps>(row, out);
    }
}

// All tokens: residual in, residual store and normalised entries out.
template <class C, class S, class E>
void normalise(const NormTable<C> &table, S &in, Chunk<C> store[C::tokens][Layout<C>::chunks],
               E &out) {
#pragma HLS DATAFLOW
    Channel<Views<C>, 2 * Layout<C>::chunks> views("views");
    Channel<Statistics, 2> statistics("statistics");
    Channel<Normals<C>, 32> normals("normals");
    M3VIT_REGION;
    M3VIT_PROCESS(gather_statistics<C>(in, store, views, statistics));
    M3VIT_PROCESS(apply_statistics<C>(table, views, statistics, normals));
    M3VIT_PROCESS(order_rows<C>(normals, out));
}

} // namespace m3vit

#endif
