// Our layers between hls4ml's streams of rows (io_stream): one element of a stream is a token.
#ifndef M3VIT_STREAMS_H_
#define M3VIT_STREAMS_H_

#include "moe.h"

namespace m3vit {

template <class C, class S, class O> void split_rows(S &in, O &out) {
split:
    for (unsigned token = 0; token < C::tokens; token++) {
        const auto row = in.read();
        for (unsigned first = 0; first < C::width; first += C::lanes) {
#pragma HLS PIPELINE II = 1
            Chunk<C> chunk;
            for (unsigned lane = 0; lane < C::lanes; lane++) {
#pragma HLS UNROLL
                chunk.value[lane] = row[first + lane].to_int();
            }
            out.write(chunk);
        }
    }
}

template <class C, class R, class S, class O> void join_rows(S &in, O &out) {
join:
    for (unsigned token = 0; token < C::tokens; token++) {
        R row;
        for (unsigned first = 0; first < C::width; first += C::lanes) {
#pragma HLS PIPELINE II = 1
            const Chunk<C> chunk = in.read();
            for (unsigned lane = 0; lane < C::lanes; lane++) {
#pragma HLS UNROLL
                row[first + lane] = int(chunk.value[lane]);
            }
        }
        out.write(row);
    }
}

// int8 rows to the entries of the products.
template <class C, class S, class O> void enter_rows(S &in, O &out) {
enter:
    for (unsigned token = 0; token < C::tokens; token++) {
        const auto values = in.read();
        ap_int<8> row[Layout<C>::width_steps / CASCADE * C::rows];
#pragma HLS ARRAY_PARTITION variable = row complete
        for (unsigned c = 0; c < C::width; c++) {
#pragma HLS UNROLL
            row[c] = values[c].to_int();
        }
        emit_row<C, C::width, Layout<C>::width_steps>(row, out);
    }
}

// A token's choices as expert, weight, expert, weight ..., best first.
template <class C, class R, class S, class O> void leave_choices(S &in, O &out) {
leave:
    for (unsigned token = 0; token < C::tokens; token++) {
        R row;
        for (unsigned rank = 0; rank < C::top_k; rank++) {
#pragma HLS PIPELINE II = 1
            const Choice choice = in.read();
            row[2 * rank] = int(choice.expert);
            row[2 * rank + 1] = int(choice.weight);
        }
        out.write(row);
    }
}

template <class R, class C, class I, class O>
void moe_layer(I &in, O &out, const word_t<C> *memory) {
#pragma HLS DATAFLOW
    Channel<Chunk<C>, 64> before("before");
    Channel<Chunk<C>, 64> after("after");
    split_rows<C>(in, before);
    moe<C>(memory, C::task, before, after);
    join_rows<C, R>(after, out);
}

template <class R, class C, class I, class O>
void mlp_layer(I &in, O &out, const word_t<C> *memory) {
#pragma HLS DATAFLOW
    Channel<Chunk<C>, 64> before("before");
    Channel<Chunk<C>, 64> after("after");
    split_rows<C>(in, before);
    mlp<C>(memory, before, after);
    join_rows<C, R>(after, out);
}

template <class R, class C, class I, class O>
void gate_layer(I &in, O &out, const word_t<C> *memory) {
#pragma HLS DATAFLOW
    Channel<Beat<C>, 64> entries("entries");
    Channel<Choice, 64> choices("choices");
    enter_rows<C>(in, entries);
    route_alone<C>(memory, C::task, entries, choices);
    leave_choices<C, R>(choices, out);
}

} // namespace m3vit

#endif
