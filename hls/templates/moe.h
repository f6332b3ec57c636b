// The mixture of experts, reordered: route all tokens, then every live expert with its queue.
#ifndef M3VIT_MOE_H_
#define M3VIT_MOE_H_

#include "gate.h"
#include "mlp.h"

namespace m3vit {

// LayerNorm and routing of all tokens.
template <class C, class S>
void route_tokens(const NormTable<C> &norm, const GatePanels<C> &router, GateScale scale, S &in,
                  Chunk<C> store[C::tokens][Layout<C>::chunks],
                  Beat<C> rows[C::tokens][Layout<C>::width_beats], Plan<C> &plan) {
#pragma HLS DATAFLOW
    Channel<Beat<C>, 2 * Layout<C>::width_beats> entries("entries");
    Channel<Choice, 2 * C::top_k> choices("choices");
    M3VIT_REGION;
    M3VIT_PROCESS(normalise<C>(norm, in, store, entries));
    M3VIT_PROCESS(gate<C>(router, scale, entries, rows, choices));
    M3VIT_PROCESS(count_choices<C>(choices, plan));
}

// x + experts(norm(x)) of all tokens, chunks of the 18-bit residual stream in and out.
template <class C, class I, class O>
void moe(const word_t<C> *memory, unsigned task, I &in, O &out) {
    Chunk<C> store[C::tokens][Layout<C>::chunks];
    Beat<C> rows[C::tokens][Layout<C>::width_beats];
    Plan<C> plan;
    NormTable<C> norm;
    GatePanels<C> router;
    GateScales<C> scales;
    GeluTable<C> gelu_table;
#pragma HLS AGGREGATE variable = store
#pragma HLS AGGREGATE variable = rows
#pragma HLS BIND_STORAGE variable = store type = ram_2p impl = uram
#pragma HLS BIND_STORAGE variable = rows type = ram_2p impl = uram
#pragma HLS ARRAY_PARTITION variable = plan.count complete
#pragma HLS ARRAY_PARTITION variable = gelu_table.entry complete dim = 1
#pragma HLS ARRAY_PARTITION variable = norm.gamma cyclic factor = C::lanes
#pragma HLS ARRAY_PARTITION variable = norm.beta cyclic factor = C::lanes
#pragma HLS ARRAY_PARTITION variable = router.weight complete dim = 2
#pragma HLS ARRAY_PARTITION variable = router.weight cyclic factor = C::unroll dim = 1
#pragma HLS ARRAY_PARTITION variable = router.bias complete dim = 2
    load_gelu<C>(memory, gelu_table);
    load_norm<C>(memory, norm);
    load_gate<C>(memory, task, router, scales);
    route_tokens<C>(norm, router, scale_of<C>(scales), in, store, rows, plan);
    see_rows<C>(rows);
    see_choices<C>(plan);
    sort_pairs<C>(plan);
    run_experts<C>(memory, plan.live, plan.job, plan.pair, gelu_table, rows, store);
    emit_tokens<C>(store, out);
}

} // namespace m3vit

#endif
