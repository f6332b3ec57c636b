// Kernel of one router: normalised tokens to K choices each.
#include "config.h"
#include "gate.h"
#include "ports.h"
#include "top.h"

namespace m3vit {

template <class C, class I, class O>
void gate_layer(const word_t<C> *memory, unsigned task, I &in, O &out) {
    Beat<C> rows[C::tokens][Layout<C>::width_beats];
    GatePanels<C> router;
#pragma HLS ARRAY_PARTITION variable = router.weight complete dim = 2
#pragma HLS ARRAY_PARTITION variable = router.weight cyclic factor = C::unroll dim = 1
#pragma HLS ARRAY_PARTITION variable = router.record complete dim = 2
    load_gate<C>(memory, task, router);
    gate<C>(router, scale_of<C>(router), in, rows, out);
}

} // namespace m3vit

void m3vit_gate(const memory_word_t *memory, const input_word_t *input, output_word_t *output,
                unsigned task) {
#pragma HLS INTERFACE m_axi port = memory bundle = weights offset = slave depth = Config::memory_words \
    max_read_burst_length = 64 num_read_outstanding = 8 latency = 64
#pragma HLS INTERFACE m_axi port = input bundle = tokens offset = slave depth = Config::input_words \
    max_read_burst_length = 64
#pragma HLS INTERFACE m_axi port = output bundle = tokens offset = slave depth = Config::output_words \
    max_write_burst_length = 64
#pragma HLS INTERFACE s_axilite port = task
#pragma HLS INTERFACE s_axilite port = return
#pragma HLS DATAFLOW
    m3vit::Channel<m3vit::Beat<Config>, 64> in("input");
    m3vit::Channel<m3vit::Choice, 64> out("output");
    M3VIT_REGION;
    M3VIT_PROCESS(m3vit::read_rows<Config>(input, in));
    M3VIT_PROCESS(m3vit::gate_layer<Config>(memory, task, in, out));
    M3VIT_PROCESS(m3vit::write_choices<Config>(out, output));
}
