// A token's row of int8 channels, turned into the entries that the products read.
#ifndef M3VIT_ROWS_H_
#define M3VIT_ROWS_H_

#include "dataflow.h"
#include "layout.h"

namespace m3vit {

// Channels of `row` beyond SIZE count as zero.
template <class C, unsigned SIZE, unsigned STEPS, class S>
void emit_row(const ap_int<8> row[STEPS / CASCADE * C::rows], S &out) {
#pragma HLS INLINE
emit_row:
    for (unsigned first = 0; first < STEPS; first += C::unroll) {
#pragma HLS PIPELINE II = 1
        Beat<C> beat;
        for (unsigned u = 0; u < C::unroll; u++) {
#pragma HLS UNROLL
            const unsigned step = first + u;
            entry_t<C> entry = 0;
            for (unsigned chain = 0; chain < Layout<C>::chains; chain++) {
#pragma HLS UNROLL
                const unsigned at = step / CASCADE * C::rows + chain * CASCADE + step % CASCADE;
                const ap_int<8> value = at < SIZE ? row[at] : ap_int<8>(0);
                entry.range(8 * chain + 7, 8 * chain) = ap_uint<8>(value);
            }
            beat.step[u] = entry;
        }
        out.write(beat);
    }
}

} // namespace m3vit

#endif
