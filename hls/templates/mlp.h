// The dense MLP: LayerNorm, then `mlp_ratio` experts that every token visits, in order.
#ifndef M3VIT_MLP_H_
#define M3VIT_MLP_H_

#include "expert.h"
#include "layernorm.h"
#include "queues.h"
#include "see.h"

namespace m3vit {

// Entries into their store.
template <class C, class E> void keep(E &in, Beat<C> rows[C::tokens][Layout<C>::width_beats]) {
keep:
    for (unsigned token = 0; token < C::tokens; token++) {
        for (unsigned beat = 0; beat < Layout<C>::width_beats; beat++) {
#pragma HLS PIPELINE II = 1
            rows[token][beat] = in.read();
        }
    }
}

template <class C, class S>
void normalise_tokens(const NormTable<C> &table, S &in, Chunk<C> store[C::tokens][Layout<C>::chunks],
                      Beat<C> rows[C::tokens][Layout<C>::width_beats]) {
#pragma HLS DATAFLOW
    Channel<Beat<C>, 2 * Layout<C>::width_beats> entries("entries");
    M3VIT_REGION;
    M3VIT_PROCESS(normalise<C>(table, in, store, entries));
    M3VIT_PROCESS(keep<C>(entries, rows));
}

// The residual stream, token by token.
template <class C, class S>
void emit_tokens(const Chunk<C> store[C::tokens][Layout<C>::chunks], S &out) {
emit:
    for (unsigned token = 0; token < C::tokens; token++) {
        for (unsigned chunk = 0; chunk < Layout<C>::chunks; chunk++) {
#pragma HLS PIPELINE II = 1
            out.write(store[token][chunk]);
        }
    }
}

// x + mlp(norm(x)) of all tokens, chunks of the 18-bit residual stream in and out.
template <class C, class I, class O> void mlp(const word_t<C> *memory, I &in, O &out) {
    Chunk<C> store[C::tokens][Layout<C>::chunks];
    Beat<C> rows[C::tokens][Layout<C>::width_beats];
    Plan<C> plan;
    NormTable<C> norm;
    GeluTable<C> gelu_table;
#pragma HLS AGGREGATE variable = store
#pragma HLS AGGREGATE variable = rows
#pragma HLS BIND_STORAGE variable = store type = ram_2p impl = uram
#pragma HLS BIND_STORAGE variable = rows type = ram_2p impl = uram
#pragma HLS ARRAY_PARTITION variable = gelu_table.entry complete dim = 1
#pragma HLS ARRAY_PARTITION variable = norm.gamma cyclic factor = C::lanes
#pragma HLS ARRAY_PARTITION variable = norm.beta cyclic factor = C::lanes
    load_gelu<C>(memory, gelu_table);
    load_norm<C>(memory, norm);
    normalise_tokens<C>(norm, in, store, rows);
    see_rows<C>(rows);
    list_chunks<C>(plan);
    run_experts<C>(memory, plan.live, plan.job, plan.pair, gelu_table, rows, store);
    emit_tokens<C>(store, out);
}

} // namespace m3vit

#endif
