// Queues of the experts by counting sort, and the list of those that have a token: hw/routing.py.
#ifndef M3VIT_QUEUES_H_
#define M3VIT_QUEUES_H_

#include "dataflow.h"
#include "plan.h"

namespace m3vit {

// Takes the choices as they come and counts each expert's tokens.
template <class C, class S> void count_choices(S &choices, Plan<C> &plan) {
clear:
    for (unsigned e = 0; e < C::experts; e++) {
#pragma HLS PIPELINE II = 1
        plan.count[e] = 0;
    }
count:
    for (unsigned n = 0; n < C::tokens * C::top_k; n++) {
#pragma HLS PIPELINE II = 1
        const Choice choice = choices.read();
        plan.choice[n] = choice;
        plan.count[choice.expert]++;
    }
}

// Experts ascending; one without tokens becomes no job, so its weights are never read.
template <class C> void list_jobs(Plan<C> &plan, ap_uint<16> next[C::experts]) {
#pragma HLS INLINE
    ap_uint<16> start = 0;
    unsigned live = 0;
jobs:
    for (unsigned e = 0; e < C::experts; e++) {
#pragma HLS PIPELINE II = 1
        const ap_uint<12> count = plan.count[e];
        next[e] = start;
        if (count != 0) {
            const Job job = {ap_uint<8>(e), start, count};
            plan.job[live] = job;
            live++;
        }
        start += count;
    }
    plan.live = live;
}

// Pairs in order of expert, then token.
template <class C> void sort_pairs(Plan<C> &plan) {
    ap_uint<16> next[C::experts];
#pragma HLS ARRAY_PARTITION variable = next complete
    list_jobs<C>(plan, next);
place:
    for (unsigned token = 0; token < C::tokens; token++) {
        for (unsigned rank = 0; rank < C::top_k; rank++) {
#pragma HLS PIPELINE II = 1
            const Choice choice = plan.choice[token * C::top_k + rank];
            const Pair pair = {ap_uint<11>(token), choice.weight};
            plan.pair[next[choice.expert]] = pair;
            next[choice.expert]++;
        }
    }
}

// The plan of a dense layer: every chunk for every token, in order.
template <class C> void list_chunks(Plan<C> &plan) {
chunks:
    for (unsigned e = 0; e < C::experts; e++) {
#pragma HLS PIPELINE II = 1
        const Job job = {ap_uint<8>(e), 0, ap_uint<12>(C::tokens)};
        plan.job[e] = job;
    }
identity:
    for (unsigned token = 0; token < C::tokens; token++) {
#pragma HLS PIPELINE II = 1
        const Pair pair = {ap_uint<11>(token), 0};
        plan.pair[token] = pair;
    }
    plan.live = C::experts;
}

} // namespace m3vit

#endif
