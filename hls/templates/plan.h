// Routing of one call: pairs of token and weight in order of expert, then token (hw/routing.py).
#ifndef M3VIT_PLAN_H_
#define M3VIT_PLAN_H_

#include "layout.h"

namespace m3vit {

// One expert of one token.
struct Choice {
    ap_uint<8> expert;
    ap_uint<16> weight;
};

struct Pair {
    ap_uint<11> token;
    ap_uint<16> weight;
};

// The tokens of one expert: `count` pairs from `first` on.
struct Job {
    ap_uint<8> expert;
    ap_uint<16> first;
    ap_uint<12> count;
};

// Everything is written in every call before it is read; the size does not grow with experts
// but for the counters.
template <class C> struct Plan {
    Choice choice[C::tokens * C::top_k]; // as the tokens come, best expert first
    ap_uint<12> count[C::experts];
    Pair pair[C::tokens * C::top_k];
    Job job[C::experts]; // live experts only
    unsigned live;
};

} // namespace m3vit

#endif
