// Single operators of the templates on numbers from standard input, one call a line.
#include <iostream>
#include <string>

#include "combine.h"
#include "reciprocal.h"
#include "requantise.h"
#include "topk.h"

struct Weighted {
    static const bool identity = false;
    static const unsigned guard_bits = 4;
};

int main() {
    std::string name;
    long long a, b, c, d;
    while (std::cin >> name >> a >> b >> c >> d) {
        if (name == "requantise8")
            std::cout << int(m3vit::requantise<8>(m3vit::accumulator_t(a), b, c));
        else if (name == "requantise18")
            std::cout << int(m3vit::requantise<18>(m3vit::accumulator_t(a), b, c));
        else if (name == "contribution")
            std::cout << int(m3vit::contribution<Weighted>(a, b));
        else if (name == "exponential") {
            const m3vit::GateScale scale = {m3vit::factor_t(c), ap_uint<8>(d)};
            std::cout << int(m3vit::gate_exponential(a, b, scale));
        } else if (name == "reciprocal") {
            const m3vit::Reciprocal r = m3vit::reciprocal(ap_uint<24>(a));
            std::cout << (int(r.factor) * 64 + int(r.leading));
        } else if (name == "root") {
            const m3vit::ReciprocalRoot r = m3vit::reciprocal_root(ap_uint<53>(a));
            std::cout << (int(r.factor) * 64 + int(r.half));
        }
        std::cout << "\n";
    }
}
