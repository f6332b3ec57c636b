// Test bench that forbids parts of the weight memory: dead_experts MEMORY INPUT OUTPUT FROM TO ...
// Whole pages inside each byte range cannot be read; a kernel that does dies of SIGSEGV.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

#include "top.h"

static_assert(sizeof(memory_word_t) == Config::word_bytes, "a word lies as in hardware");

static size_t read_file(const char *path, void *to, size_t size) {
    std::FILE *file = std::fopen(path, "rb");
    const size_t got = std::fread(to, 1, size, file);
    std::fclose(file);
    return got;
}

int main(int count, char **arguments) {
    const size_t size = size_t(Config::memory_words) * Config::word_bytes;
    const size_t page = sysconf(_SC_PAGESIZE);
    char *memory = static_cast<char *>(
        mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (memory == MAP_FAILED || read_file(arguments[1], memory, size) != size)
        return 2;
    for (int n = 4; n + 1 < count; n += 2) {
        const size_t from = (std::atol(arguments[n]) + page - 1) / page * page;
        const size_t to = std::atol(arguments[n + 1]) / page * page;
        if (from >= to || mprotect(memory + from, to - from, PROT_NONE) != 0)
            return 2;
    }
    std::vector<input_word_t> input(Config::input_words);
    std::vector<output_word_t> output(Config::output_words);
    if (read_file(arguments[2], input.data(), input.size() * sizeof(input_word_t)) == 0)
        return 2;
    M3VIT_TOP(reinterpret_cast<const memory_word_t *>(memory), input.data(), output.data(), 0);
    std::FILE *file = std::fopen(arguments[3], "wb");
    std::fwrite(output.data(), sizeof(output_word_t), output.size(), file);
    return std::fclose(file) == 0 ? 0 : 2;
}
