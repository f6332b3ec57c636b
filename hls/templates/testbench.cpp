// Test bench: csim MEMORY INPUT OUTPUT PROBE TASK... calls the kernel once a task, in one process.
//
// INPUT holds one image's words a call, as the kernel's port takes them; OUTPUT gets the words of
// all calls; PROBE the inner arrays of all calls ("-": none).  Exit code 0, or 2 for a bad file.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "probe.h"
#include "top.h"

static std::vector<unsigned char> bytes_of(const char *path) {
    std::FILE *file = std::fopen(path, "rb");
    if (file == nullptr) {
        std::fprintf(stderr, "cannot read %s\n", path);
        std::exit(2);
    }
    std::vector<unsigned char> data;
    unsigned char part[65536];
    for (size_t got; (got = std::fread(part, 1, sizeof(part), file)) > 0;)
        data.insert(data.end(), part, part + got);
    std::fclose(file);
    return data;
}

template <int BITS> std::vector<ap_uint<BITS>> words_of(const std::vector<unsigned char> &data) {
    const unsigned size = BITS / 8;
    std::vector<ap_uint<BITS>> words(data.size() / size);
    for (size_t w = 0; w < words.size(); w++)
        for (unsigned b = 0; b < size; b++)
            words[w].range(8 * b + 7, 8 * b) = data[w * size + b];
    return words;
}

template <int BITS> void write_words(const std::vector<ap_uint<BITS>> &words, std::FILE *file) {
    for (const ap_uint<BITS> &word : words)
        for (unsigned b = 0; b < BITS / 8; b++)
            std::fputc(int(ap_uint<8>(word.range(8 * b + 7, 8 * b))), file);
}

int main(int count, char **arguments) {
    if (count < 6) {
        std::fprintf(stderr, "usage: csim MEMORY INPUT OUTPUT PROBE TASK...\n");
        return 2;
    }
    const auto memory = words_of<8 * Config::word_bytes>(bytes_of(arguments[1]));
    const auto input = words_of<Config::input_bits>(bytes_of(arguments[2]));
    const size_t calls = count - 5;
    if (memory.size() < Config::memory_words || input.size() != calls * Config::input_words) {
        std::fprintf(stderr, "memory or input has the wrong size\n");
        return 2;
    }
    std::FILE *file = std::fopen(arguments[3], "wb");
    m3vit::probe_file() =
        std::strcmp(arguments[4], "-") ? std::fopen(arguments[4], "wb") : nullptr;
    for (size_t call = 0; call < calls; call++) {
        std::vector<output_word_t> output(Config::output_words);
        M3VIT_TOP(memory.data(), input.data() + call * Config::input_words, output.data(),
                  unsigned(std::atoi(arguments[5 + call])));
        write_words<Config::output_bits>(output, file);
    }
    if (m3vit::probe_file() != nullptr)
        std::fclose(m3vit::probe_file());
    return std::fclose(file) == 0 ? 0 : 2;
}
