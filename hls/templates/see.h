// Shows normalised rows and choices to a test bench that wants them; nothing in hardware.
#ifndef M3VIT_SEE_H_
#define M3VIT_SEE_H_

#include "plan.h"
#include "probe.h"

namespace m3vit {

template <class C> void see_rows(const Beat<C> rows[C::tokens][Layout<C>::width_beats]) {
#ifndef __SYNTHESIS__
    probe_open("normalised", C::tokens * C::width);
    for (unsigned token = 0; token < C::tokens; token++) {
        for (unsigned c = 0; c < C::width; c++) {
            const unsigned step = c / C::rows * CASCADE + c % CASCADE;
            const entry_t<C> entry = rows[token][step / C::unroll].step[step % C::unroll];
            probe_value(chain_of<C>(entry, c % C::rows / CASCADE));
        }
    }
#endif
}

template <class C> void see_choices(const Plan<C> &plan) {
#ifndef __SYNTHESIS__
    probe_open("experts", C::tokens * C::top_k);
    for (unsigned n = 0; n < C::tokens * C::top_k; n++)
        probe_value(int(plan.choice[n].expert));
    probe_open("weights", C::tokens * C::top_k);
    for (unsigned n = 0; n < C::tokens * C::top_k; n++)
        probe_value(int(plan.choice[n].weight));
#endif
}

} // namespace m3vit

#endif
