// One expert after the other, the next one loading while this one computes: hw/golden/expert.py.
#ifndef M3VIT_EXPERT_H_
#define M3VIT_EXPERT_H_

#include "combine.h"
#include "gelu.h"
#include "linear.h"

namespace m3vit {

// Both layers of one expert.
template <class C> struct Expert {
    Panels<C, Layout<C>::hidden_panels, Layout<C>::width_steps> first;
    Panels<C, Layout<C>::width_panels, Layout<C>::hidden_steps> second;
    Job job;
};

// The expert's memory in bursts; nothing of another expert is read.
template <class C> void load_expert(const word_t<C> *memory, Job job, Expert<C> &expert) {
    typedef Layout<C> L;
    const unsigned at = C::experts_at + unsigned(job.expert) * C::expert_stride;
    load_panels<C, L::hidden_panels, L::width_steps>(memory, at, expert.first);
    load_panels<C, L::width_panels, L::hidden_steps>(
        memory, at + L::hidden_panels * panel_bytes<C>(L::width_steps), expert.second);
    expert.job = job;
}

// The tokens of the queue: a pair for the combination first, then the row for the products.
template <class C, class P, class E>
void gather(Job job, const Pair queue[C::tokens * C::top_k],
            const Beat<C> rows[C::tokens][Layout<C>::width_beats], P &pairs, E &out) {
tokens:
    for (unsigned n = 0; n < job.count; n++) {
#pragma HLS LOOP_TRIPCOUNT min = 1 max = C::tokens
        const Pair pair = queue[job.first + n];
        pairs.write(pair);
    beats:
        for (unsigned beat = 0; beat < Layout<C>::width_beats; beat++) {
#pragma HLS PIPELINE II = 1
            out.write(rows[pair.token][beat]);
        }
    }
}

// gelu(requantise8(sums)), and the rows of the second layer.
template <class C, class S, class E>
void activate(const Expert<C> &expert, const ap_int<8> table[GELU_BYTES], S &in, E &out) {
    typedef Layout<C> L;
tokens:
    for (unsigned n = 0; n < expert.job.count; n++) {
#pragma HLS LOOP_TRIPCOUNT min = 1 max = C::tokens
        ap_int<8> row[L::hidden_steps / CASCADE * C::rows];
#pragma HLS ARRAY_PARTITION variable = row cyclic factor = C::rows
    panels:
        for (unsigned panel = 0; panel < L::hidden_panels; panel++) {
            const Sums<C> sums = in.read();
        lanes:
            for (unsigned first = 0; first < L::panel; first += C::lanes) {
#pragma HLS PIPELINE II = 1
                for (unsigned column = first; column < first + C::lanes; column++) {
#pragma HLS UNROLL
                    const Record record = expert.first.record[panel][column];
                    const ap_int<8> h = requantise<8>(sums.value[column], record.factor, C::shift1);
                    const unsigned channel = panel * L::panel + column;
                    if (channel < C::hidden)
                        row[channel] = gelu(h, ap_uint<1>(record.flags[0]), table);
                }
            }
        }
        emit_row<C, C::hidden, L::hidden_steps>(row, out);
    }
}

// requantise18(sums) in chunks; channels beyond the width are dropped.
template <class C, class S, class O>
void finish(const Expert<C> &expert, S &in, O &out) {
    typedef Layout<C> L;
tokens:
    for (unsigned n = 0; n < expert.job.count; n++) {
#pragma HLS LOOP_TRIPCOUNT min = 1 max = C::tokens
    panels:
        for (unsigned panel = 0; panel < L::width_panels; panel++) {
            const Sums<C> sums = in.read();
        lanes:
            for (unsigned first = 0; first < L::panel; first += C::lanes) {
#pragma HLS PIPELINE II = 1
                Chunk<C> chunk;
                for (unsigned lane = 0; lane < C::lanes; lane++) {
#pragma HLS UNROLL
                    const factor_t factor = expert.second.record[panel][first + lane].factor;
                    chunk.value[lane] =
                        requantise<18>(sums.value[first + lane], factor, C::shift2);
                }
                if (panel * L::panel + first < C::width)
                    out.write(chunk);
            }
        }
    }
}

template <class C>
void run_expert(const Expert<C> &expert, const Pair queue[C::tokens * C::top_k],
                const ap_int<8> table[GELU_BYTES],
                const Beat<C> rows[C::tokens][Layout<C>::width_beats],
                Chunk<C> store[C::tokens][Layout<C>::chunks]) {
#pragma HLS DATAFLOW
    typedef Layout<C> L;
    Channel<Pair, 4> pairs("pairs");
    Channel<Beat<C>, 2 * L::width_beats> operands("operands");
    Channel<Sums<C>, 2> inner("inner");
    Channel<Beat<C>, 2 * L::hidden_beats> hidden("hidden");
    Channel<Sums<C>, 2> outer("outer");
    Channel<Chunk<C>, 2 * L::chunks> outputs("outputs");
    const unsigned count = expert.job.count;
    M3VIT_REGION;
    M3VIT_PROCESS(gather<C>(expert.job, queue, rows, pairs, operands));
    M3VIT_PROCESS(linear<C, L::hidden_panels, L::width_steps>(expert.first, count, operands, inner));
    M3VIT_PROCESS(activate<C>(expert, table, inner, hidden));
    M3VIT_PROCESS(linear<C, L::width_panels, L::hidden_steps>(expert.second, count, hidden, outer));
    M3VIT_PROCESS(finish<C>(expert, outer, outputs));
    M3VIT_PROCESS(combine<C>(count, pairs, outputs, store));
}

// All jobs.  `expert` is the one buffer between loading and computing: two copies in hardware,
// however many experts there are.
template <class C>
void run_experts(const word_t<C> *memory, unsigned live, const Job jobs[C::experts],
                 const Pair queue[C::tokens * C::top_k], const ap_int<8> table[GELU_BYTES],
                 const Beat<C> rows[C::tokens][Layout<C>::width_beats],
                 Chunk<C> store[C::tokens][Layout<C>::chunks]) {
experts:
    for (unsigned n = 0; n < live; n++) {
#pragma HLS LOOP_TRIPCOUNT min = 1 max = C::experts
#pragma HLS DATAFLOW
        Expert<C> expert;
#pragma HLS ARRAY_PARTITION variable = expert.first.weight complete dim = 2
#pragma HLS ARRAY_PARTITION variable = expert.first.weight cyclic factor = C::unroll dim = 1
#pragma HLS ARRAY_PARTITION variable = expert.second.weight complete dim = 2
#pragma HLS ARRAY_PARTITION variable = expert.second.weight cyclic factor = C::unroll dim = 1
#pragma HLS ARRAY_PARTITION variable = expert.first.record complete dim = 2
#pragma HLS ARRAY_PARTITION variable = expert.second.record complete dim = 2
        load_expert<C>(memory, jobs[n], expert);
        run_expert<C>(expert, queue, table, rows, store);
    }
}

} // namespace m3vit

#endif
