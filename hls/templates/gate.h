// The router: logits of every token from 15-bit weights in two int8 columns: hw/golden/gate.py.
#ifndef M3VIT_GATE_H_
#define M3VIT_GATE_H_

#include "linear.h"
#include "topk.h"

namespace m3vit {

template <class C> struct GateShape {
    static const unsigned panels = ceil_div(2 * C::experts, Layout<C>::panel);
};

// z_e = 128 * high + low of the pair of columns 2i, 2i+1 of a panel.
template <class C> logit_t joined(const Sums<C> &sums, unsigned pair) {
#pragma HLS INLINE
    return logit_t((ap_int<34>(sums.value[2 * pair]) << 7) + sums.value[2 * pair + 1]);
}

template <class C> using GatePanels = Panels<C, GateShape<C>::panels, Layout<C>::width_steps>;

// Sums of every token; the normalised entries pass through into their store.
template <class C, class E, class S>
void gate_products(const GatePanels<C> &store, E &in, Beat<C> kept[C::tokens][Layout<C>::width_beats],
                   S &out) {
    typedef Layout<C> L;
    Beat<C> row[L::width_beats];
    Sums<C> sums;
#pragma HLS ARRAY_PARTITION variable = sums.value complete
tokens:
    for (unsigned token = 0; token < C::tokens; token++) {
    panels:
        for (unsigned panel = 0; panel < GateShape<C>::panels; panel++) {
        beats:
            for (unsigned beat = 0; beat < L::width_beats; beat++) {
#pragma HLS PIPELINE II = 1
                if (panel == 0) {
                    row[beat] = in.read();
                    kept[token][beat] = row[beat];
                }
                multiply<C, GateShape<C>::panels, L::width_steps>(store, panel, beat * C::unroll,
                                                                  row[beat], sums);
                if (beat + 1 == L::width_beats)
                    out.write(sums);
            }
        }
    }
}

// One logit a cycle, experts ascending; padding columns are dropped.
template <class C, class S, class Z> void gate_logits(S &in, Z &out) {
    const unsigned pairs = Layout<C>::panel / 2;
    Sums<C> sums;
#pragma HLS ARRAY_PARTITION variable = sums.value complete
tokens:
    for (unsigned token = 0; token < C::tokens; token++) {
    experts:
        for (unsigned e = 0; e < C::experts; e++) {
#pragma HLS PIPELINE II = 1
            if (e % pairs == 0)
                sums = in.read();
            out.write(joined<C>(sums, e % pairs));
        }
    }
}

template <class C> using GateScales = Scales<C, GateShape<C>::panels>;

// The task's gate from memory.
template <class C>
void load_gate(const word_t<C> *memory, unsigned task, GatePanels<C> &store, GateScales<C> &scales) {
    load_panels<C, GateShape<C>::panels, Layout<C>::width_steps>(
        memory, C::gate_at + task * C::gate_stride, store, scales);
}

// The gate's scale stands in every record.
template <class C> GateScale scale_of(const GateScales<C> &scales) {
#pragma HLS INLINE
    GateScale scale;
    scale.factor = scales.factor[0][0];
    scale.shift = scales.flags[0][0] >> 8;
    return scale;
}

// Normalised entries to choices, every process at its own pace.
template <class C, class E, class S>
void gate(const GatePanels<C> &store, GateScale scale, E &in,
          Beat<C> kept[C::tokens][Layout<C>::width_beats], S &choices) {
#pragma HLS DATAFLOW
    Channel<Sums<C>, 2> sums("sums");
    Channel<logit_t, 32> logits("logits");
    M3VIT_REGION;
    M3VIT_PROCESS(gate_products<C>(store, in, kept, sums));
    M3VIT_PROCESS(gate_logits<C>(sums, logits));
    M3VIT_PROCESS(choose<C>(scale, logits, choices));
}

// The router alone: entries to choices, nothing kept for experts.
template <class C, class I, class O>
void route_alone(const word_t<C> *memory, unsigned task, I &in, O &choices) {
    Beat<C> rows[C::tokens][Layout<C>::width_beats];
    GatePanels<C> router;
    GateScales<C> scales;
#pragma HLS ARRAY_PARTITION variable = router.weight complete dim = 2
#pragma HLS ARRAY_PARTITION variable = router.weight cyclic factor = C::unroll dim = 1
#pragma HLS ARRAY_PARTITION variable = router.bias complete dim = 2
    load_gate<C>(memory, task, router, scales);
    gate<C>(router, scale_of<C>(scales), in, rows, choices);
}

} // namespace m3vit

#endif
