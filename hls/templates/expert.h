// One expert after the other, the next one loading while this one computes: hw/golden/expert.py.
#ifndef M3VIT_EXPERT_H_
#define M3VIT_EXPERT_H_

#include "combine.h"
#include "gelu.h"
#include "linear.h"

namespace m3vit {

// Both layers of one expert, and what requantisation needs of each.
template <class C> using First = Panels<C, Layout<C>::hidden_panels, Layout<C>::width_steps>;
template <class C> using Second = Panels<C, Layout<C>::width_panels, Layout<C>::hidden_steps>;
template <class C> using FirstScales = Scales<C, Layout<C>::hidden_panels>;
template <class C> using SecondScales = Scales<C, Layout<C>::width_panels>;

// Job `number` and its expert's memory in bursts; nothing of another expert is read.
template <class C>
void load_expert(const word_t<C> *memory, const Job jobs[C::experts], unsigned number, Job &job,
                 First<C> &first, FirstScales<C> &first_scales, Second<C> &second,
                 SecondScales<C> &second_scales) {
    typedef Layout<C> L;
    const Job own = jobs[number];
    const unsigned at = C::experts_at + unsigned(own.expert) * C::expert_stride;
    load_panels<C, L::hidden_panels, L::width_steps>(memory, at, first, first_scales);
    load_panels<C, L::width_panels, L::hidden_steps>(
        memory, at + L::hidden_panels * panel_bytes<C>(L::width_steps), second, second_scales);
    job = own;
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
void activate(unsigned count, const FirstScales<C> &scales, const GeluTable<C> &table,
              S &in, E &out) {
    typedef Layout<C> L;
tokens:
    for (unsigned n = 0; n < count; n++) {
#pragma HLS LOOP_TRIPCOUNT min = 1 max = C::tokens
        ap_int<8> row[L::hidden_steps / CASCADE * C::rows];
#pragma HLS ARRAY_PARTITION variable = row cyclic factor = C::rows
    panels:
        for (unsigned panel = 0; panel < L::hidden_panels; panel++) {
            const Sums<C> sums = in.read();
#pragma HLS ARRAY_PARTITION variable = sums.value complete
        lanes:
            for (unsigned first = 0; first < L::panel; first += C::lanes) {
#pragma HLS PIPELINE II = 1
                for (unsigned lane = 0; lane < C::lanes; lane++) {
#pragma HLS UNROLL
                    const unsigned column = first + lane;
                    const ap_int<8> h =
                        requantise<8>(sums.value[column], scales.factor[panel][column], C::shift1);
                    const unsigned channel = panel * L::panel + column;
                    if (channel < C::hidden)
                        row[channel] = gelu<C>(h, scales.flags[panel][column] & 1, table, lane);
                }
            }
        }
        emit_row<C, C::hidden, L::hidden_steps>(row, out);
    }
}

// requantise18(sums) in chunks; channels beyond the width are dropped.
template <class C, class S, class O>
void finish(unsigned count, const SecondScales<C> &scales, S &in, O &out) {
    typedef Layout<C> L;
tokens:
    for (unsigned n = 0; n < count; n++) {
#pragma HLS LOOP_TRIPCOUNT min = 1 max = C::tokens
    panels:
        for (unsigned panel = 0; panel < L::width_panels; panel++) {
            const Sums<C> sums = in.read();
#pragma HLS ARRAY_PARTITION variable = sums.value complete
        lanes:
            for (unsigned first = 0; first < L::panel; first += C::lanes) {
#pragma HLS PIPELINE II = 1
                Chunk<C> chunk;
                for (unsigned lane = 0; lane < C::lanes; lane++) {
#pragma HLS UNROLL
                    const factor_t factor = scales.factor[panel][first + lane];
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
void run_expert(Job job, const First<C> &first, const FirstScales<C> &first_scales,
                const Second<C> &second, const SecondScales<C> &second_scales,
                const Pair queue[C::tokens * C::top_k], const GeluTable<C> &table,
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
    M3VIT_REGION;
    M3VIT_PROCESS(gather<C>(job, queue, rows, pairs, operands));
    M3VIT_PROCESS(linear<C, L::hidden_panels, L::width_steps>(first, job.count, operands, inner));
    M3VIT_PROCESS(activate<C>(job.count, first_scales, table, inner, hidden));
    M3VIT_PROCESS(linear<C, L::width_panels, L::hidden_steps>(second, job.count, hidden, outer));
    M3VIT_PROCESS(finish<C>(job.count, second_scales, outer, outputs));
    M3VIT_PROCESS(combine<C>(job.count, pairs, outputs, store));
}

// All jobs.  The arrays between loading and computing are two copies each in hardware, however
// many experts there are.
template <class C>
void run_experts(const word_t<C> *memory, unsigned live, const Job jobs[C::experts],
                 const Pair queue[C::tokens * C::top_k], const GeluTable<C> &table,
                 const Beat<C> rows[C::tokens][Layout<C>::width_beats],
                 Chunk<C> store[C::tokens][Layout<C>::chunks]) {
experts:
    for (unsigned n = 0; n < live; n++) {
#pragma HLS LOOP_TRIPCOUNT min = 1 max = C::experts
#pragma HLS DATAFLOW
        Job job;
        First<C> first;
        Second<C> second;
        FirstScales<C> first_scales;
        SecondScales<C> second_scales;
#pragma HLS ARRAY_PARTITION variable = first.weight complete dim = 2
#pragma HLS ARRAY_PARTITION variable = first.weight cyclic factor = C::unroll dim = 1
#pragma HLS ARRAY_PARTITION variable = second.weight complete dim = 2
#pragma HLS ARRAY_PARTITION variable = second.weight cyclic factor = C::unroll dim = 1
#pragma HLS ARRAY_PARTITION variable = first.bias complete dim = 2
#pragma HLS ARRAY_PARTITION variable = second.bias complete dim = 2
#pragma HLS ARRAY_PARTITION variable = first_scales.factor cyclic factor = C::lanes dim = 2
#pragma HLS ARRAY_PARTITION variable = first_scales.flags cyclic factor = C::lanes dim = 2
#pragma HLS ARRAY_PARTITION variable = second_scales.factor cyclic factor = C::lanes dim = 2
        load_expert<C>(memory, jobs, n, job, first, first_scales, second, second_scales);
        run_expert<C>(job, first, first_scales, second, second_scales, queue, table, rows, store);
    }
}

} // namespace m3vit

#endif
