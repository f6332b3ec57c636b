// What C simulation shows of the inside: named arrays of int32 in a file, nothing in hardware.
#ifndef M3VIT_PROBE_H_
#define M3VIT_PROBE_H_

#ifndef __SYNTHESIS__

#include <cstdint>
#include <cstdio>
#include <cstring>

namespace m3vit {

inline std::FILE *&probe_file() {
    static std::FILE *file = nullptr; // the test bench's, not the design's
    return file;
}

// Starts the array `name` of `count` values.
inline void probe_open(const char *name, uint32_t count) {
    if (std::FILE *file = probe_file()) {
        char label[16] = {};
        std::strncpy(label, name, sizeof(label) - 1);
        std::fwrite(label, sizeof(label), 1, file);
        std::fwrite(&count, sizeof(count), 1, file);
    }
}

inline void probe_value(int32_t value) {
    if (std::FILE *file = probe_file())
        std::fwrite(&value, sizeof(value), 1, file);
}

} // namespace m3vit

#endif

#endif
