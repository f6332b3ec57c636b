// Shapes that follow from a configuration, and the package's memory order (hw/CONTRACT.md, 6).
//
// A configuration C is a struct of constants:
//   tokens, width, hidden      T, d and the hidden units of one expert
//   experts, top_k             E and K (of a dense MLP: its chunks, and 1)
//   groups, columns, rows      the array that the panels in memory are ordered for
//   unroll                     steps multiplied a cycle: groups*columns*rows/8*unroll products
//   lanes                      channels a cycle outside the products; divides width and the panel
//   norm_shift, norm_epsilon, shift1, shift2, guard_bits      integers of the layer
//   norm_at, gate_at, gate_stride, gelu_at, experts_at, expert_stride   bytes in the memory
//   word_bytes                 bytes of one word of the AXI port
#ifndef M3VIT_LAYOUT_H_
#define M3VIT_LAYOUT_H_

#include "ap_int.h"
#include "requantise.h"

namespace m3vit {

template <class C> using word_t = ap_uint<8 * C::word_bytes>;

const unsigned CASCADE = 8;
const unsigned RECORD_BYTES = 8;

constexpr unsigned ceil_div(unsigned a, unsigned b) { return (a + b - 1) / b; }

template <class C> struct Layout {
    static const unsigned panel = C::groups * C::columns;
    static const unsigned chains = C::rows / CASCADE;
    static const unsigned entries = C::word_bytes / chains; // of one step, in a word
    static const unsigned width_steps = ceil_div(C::width, C::rows) * CASCADE;
    static const unsigned hidden_steps = ceil_div(C::hidden, C::rows) * CASCADE;
    static const unsigned width_beats = width_steps / C::unroll;
    static const unsigned hidden_beats = hidden_steps / C::unroll;
    static const unsigned width_panels = ceil_div(C::width, panel);
    static const unsigned hidden_panels = ceil_div(C::hidden, panel);
    static const unsigned chunks = C::width / C::lanes;
    static_assert(C::width % C::lanes == 0 && panel % C::lanes == 0, "lanes must divide");
    static_assert(panel % entries == 0, "a word must not span two steps");
    static_assert(CASCADE % C::unroll == 0, "unroll must be 1, 2, 4 or 8");
};

// The operands of one step: chain k holds contraction index tile * rows + k * 8 + step.
template <class C> using entry_t = ap_uint<8 * Layout<C>::chains>;

template <class C> ap_int<8> byte_of(word_t<C> word, unsigned number) {
#pragma HLS INLINE
    return ap_int<8>(ap_uint<8>(word.range(8 * number + 7, 8 * number)));
}

template <class C> ap_int<8> chain_of(entry_t<C> entry, unsigned chain) {
#pragma HLS INLINE
    return ap_int<8>(ap_uint<8>(entry.range(8 * chain + 7, 8 * chain)));
}

// What one cycle of products reads of a token: `unroll` steps.
template <class C> struct Beat {
    entry_t<C> step[C::unroll];
};

// `lanes` neighbouring channels of a token of the residual stream.
template <class C> struct Chunk {
    ap_int<18> value[C::lanes];
};

// Results of one panel for one token.
template <class C> struct Sums {
    accumulator_t value[Layout<C>::panel];
};

// One record in front of a panel.
struct Record {
    ap_int<32> bias;
    factor_t factor;
    ap_uint<16> flags;
};

inline Record record_of(ap_uint<64> bits) {
#pragma HLS INLINE
    Record record;
    record.bias = ap_int<32>(ap_uint<32>(bits.range(31, 0)));
    record.factor = bits.range(47, 32);
    record.flags = bits.range(63, 48);
    return record;
}

// COUNT groups of eight bytes from byte address `at` on, in one burst: every word is read once.
template <class C, unsigned COUNT>
void load_eights(const word_t<C> *memory, unsigned at, ap_uint<64> out[COUNT]) {
    const unsigned of_word = C::word_bytes >= RECORD_BYTES ? C::word_bytes / RECORD_BYTES : 1;
    const unsigned words = C::word_bytes >= RECORD_BYTES ? 1 : RECORD_BYTES / C::word_bytes;
    ap_uint<64> partial = 0;
eights:
    for (unsigned w = 0; w < ceil_div(COUNT * RECORD_BYTES, C::word_bytes); w++) {
#pragma HLS PIPELINE II = 1
        const word_t<C> word = memory[at / C::word_bytes + w];
        partial = words == 1 ? ap_uint<64>(word)
                             : ap_uint<64>((partial >> (8 * C::word_bytes % 64)) |
                                           (ap_uint<64>(word) << (64 - 8 * C::word_bytes % 64)));
        for (unsigned part = 0; part < of_word; part++) {
#pragma HLS UNROLL
            const unsigned number = w / words * of_word + part;
            if ((w + 1) % words == 0 && number < COUNT)
                out[number] = of_word == 1 ? partial : ap_uint<64>(word >> (64 * part));
        }
    }
}

} // namespace m3vit

#endif
