// Between AXI words and the channels of a layer.
#ifndef M3VIT_PORTS_H_
#define M3VIT_PORTS_H_

#include "dataflow.h"
#include "plan.h"
#include "rows.h"

namespace m3vit {

// `lanes` channels of the residual stream, 32 bits each: the trace format of a package.
template <class C> using residual_word_t = ap_uint<32 * C::lanes>;
// `lanes` int8 channels.
template <class C> using row_word_t = ap_uint<8 * C::lanes>;

template <class C, class S> void read_residual(const residual_word_t<C> *port, S &out) {
read:
    for (unsigned n = 0; n < C::tokens * Layout<C>::chunks; n++) {
#pragma HLS PIPELINE II = 1
        const residual_word_t<C> word = port[n];
        Chunk<C> chunk;
        for (unsigned lane = 0; lane < C::lanes; lane++) {
#pragma HLS UNROLL
            chunk.value[lane] = ap_int<18>(ap_uint<18>(word.range(32 * lane + 17, 32 * lane)));
        }
        out.write(chunk);
    }
}

template <class C, class S> void write_residual(S &in, residual_word_t<C> *port) {
write:
    for (unsigned n = 0; n < C::tokens * Layout<C>::chunks; n++) {
#pragma HLS PIPELINE II = 1
        const Chunk<C> chunk = in.read();
        residual_word_t<C> word = 0;
        for (unsigned lane = 0; lane < C::lanes; lane++) {
#pragma HLS UNROLL
            word.range(32 * lane + 31, 32 * lane) = ap_uint<32>(ap_int<32>(chunk.value[lane]));
        }
        port[n] = word;
    }
}

// Normalised tokens [T, d] int8.
template <class C, class S> void read_rows(const row_word_t<C> *port, S &out) {
tokens:
    for (unsigned token = 0; token < C::tokens; token++) {
        ap_int<8> row[Layout<C>::width_steps / CASCADE * C::rows];
#pragma HLS ARRAY_PARTITION variable = row cyclic factor = C::rows
    read:
        for (unsigned chunk = 0; chunk < Layout<C>::chunks; chunk++) {
#pragma HLS PIPELINE II = 1
            const row_word_t<C> word = port[token * Layout<C>::chunks + chunk];
            for (unsigned lane = 0; lane < C::lanes; lane++) {
#pragma HLS UNROLL
                row[chunk * C::lanes + lane] =
                    ap_int<8>(ap_uint<8>(word.range(8 * lane + 7, 8 * lane)));
            }
        }
        emit_row<C, C::width, Layout<C>::width_steps>(row, out);
    }
}

// expert u8, zero u8, weight u16: a package's plan records.
template <class C, class S> void write_choices(S &in, ap_uint<32> *port) {
write:
    for (unsigned n = 0; n < C::tokens * C::top_k; n++) {
#pragma HLS PIPELINE II = 1
        const Choice choice = in.read();
        ap_uint<32> record = choice.expert;
        record.range(31, 16) = choice.weight;
        port[n] = record;
    }
}

} // namespace m3vit

#endif
