// Panels of a linear layer on chip, and their product with tokens: hw/golden/linear.py.
#ifndef M3VIT_LINEAR_H_
#define M3VIT_LINEAR_H_

#include "rows.h"

namespace m3vit {

// PANELS x STEPS entries of every column and its bias: what the products read.
template <class C, unsigned PANELS, unsigned STEPS> struct Panels {
    entry_t<C> weight[PANELS * STEPS][Layout<C>::panel];
    accumulator_t bias[PANELS][Layout<C>::panel];
};

// The rest of the records: what requantisation reads.  An array of a DATAFLOW region has one reader.
template <class C, unsigned PANELS> struct Scales {
    factor_t factor[PANELS][Layout<C>::panel];
    ap_uint<16> flags[PANELS][Layout<C>::panel];
};

// One panel in two bursts: its records, then its tiles.
template <class C, unsigned PANELS, unsigned STEPS>
void load_panel(const word_t<C> *memory, unsigned at, unsigned panel,
                Panels<C, PANELS, STEPS> &store, Scales<C, PANELS> &scales) {
#pragma HLS INLINE
    typedef Layout<C> L;
    ap_uint<64> records[L::panel];
#pragma HLS ARRAY_PARTITION variable = records cyclic factor = 4
    load_eights<C, L::panel>(memory, at, records);
records:
    for (unsigned column = 0; column < L::panel; column++) {
#pragma HLS PIPELINE II = 1
        const Record record = record_of(records[column]);
        store.bias[panel][column] = record.bias;
        scales.factor[panel][column] = record.factor;
        scales.flags[panel][column] = record.flags;
    }
    const word_t<C> *tiles = memory + (at + RECORD_BYTES * L::panel) / C::word_bytes;
tiles:
    for (unsigned step = 0; step < STEPS; step++) {
        for (unsigned part = 0; part < L::panel / L::entries; part++) {
#pragma HLS PIPELINE II = 1
            const word_t<C> word = tiles[step * (L::panel / L::entries) + part];
            for (unsigned e = 0; e < L::entries; e++) {
#pragma HLS UNROLL
                store.weight[panel * STEPS + step][part * L::entries + e] =
                    entry_t<C>(word >> (8 * L::chains * e));
            }
        }
    }
}

// Bytes of one panel in memory.
template <class C> constexpr unsigned panel_bytes(unsigned steps) {
    return Layout<C>::panel * (RECORD_BYTES + steps * Layout<C>::chains);
}

template <class C, unsigned PANELS, unsigned STEPS>
void load_panels(const word_t<C> *memory, unsigned at, Panels<C, PANELS, STEPS> &store,
                 Scales<C, PANELS> &scales) {
#pragma HLS INLINE
panels:
    for (unsigned panel = 0; panel < PANELS; panel++)
        load_panel<C, PANELS, STEPS>(memory, at + panel * panel_bytes<C>(STEPS), panel, store,
                                     scales);
}

// One step of one column: the products of its chains.
template <class C> accumulator_t products(entry_t<C> weights, entry_t<C> operands) {
#pragma HLS INLINE
    accumulator_t sum = 0;
    for (unsigned chain = 0; chain < Layout<C>::chains; chain++) {
#pragma HLS UNROLL
        sum += chain_of<C>(weights, chain) * chain_of<C>(operands, chain);
    }
    return sum;
}

// One cycle: every column adds the products of `unroll` steps; `first` starts from the bias.
template <class C, unsigned PANELS, unsigned STEPS>
void multiply(const Panels<C, PANELS, STEPS> &store, unsigned panel, unsigned first,
              const Beat<C> &beat, Sums<C> &sums) {
#pragma HLS INLINE
    for (unsigned column = 0; column < Layout<C>::panel; column++) {
#pragma HLS UNROLL
        accumulator_t sum = first == 0 ? store.bias[panel][column] : sums.value[column];
        for (unsigned u = 0; u < C::unroll; u++) {
#pragma HLS UNROLL
            sum += products<C>(store.weight[panel * STEPS + first + u][column], beat.step[u]);
        }
        sums.value[column] = sum;
    }
}

// `count` tokens over all panels; a token's row is kept while its panels follow each other.
template <class C, unsigned PANELS, unsigned STEPS, class E, class S>
void linear(const Panels<C, PANELS, STEPS> &store, unsigned count, E &in, S &out) {
    Beat<C> row[STEPS / C::unroll];
    Sums<C> sums;
#pragma HLS ARRAY_PARTITION variable = sums.value complete
tokens:
    for (unsigned n = 0; n < count; n++) {
#pragma HLS LOOP_TRIPCOUNT min = 1 max = C::tokens
    panels:
        for (unsigned panel = 0; panel < PANELS; panel++) {
        beats:
            for (unsigned beat = 0; beat < STEPS / C::unroll; beat++) {
#pragma HLS PIPELINE II = 1
                if (panel == 0)
                    row[beat] = in.read();
                multiply<C, PANELS, STEPS>(store, panel, beat * C::unroll, row[beat], sums);
                if (beat + 1 == STEPS / C::unroll)
                    out.write(sums);
            }
        }
    }
}

} // namespace m3vit

#endif
