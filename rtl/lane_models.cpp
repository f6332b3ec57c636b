// Lane blocks without state for simulation: results of a cycle's operands, some cycles later.
//
// Equal to the converted modules (requantise.py, scores.py) for any operands;
// tests/rtl/test_lane_models.py runs both side by side.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include "svdpi.h"

#ifndef M3VIT_LANE_MODELS
#define M3VIT_LANE_MODELS
#pragma GCC push_options
#pragma GCC optimize("O3")
namespace m3vit {

inline int64_t signed_of(uint64_t value, int bits) {
  return static_cast<int64_t>(value << (64 - bits)) >> (64 - bits);
}

// Field `index` of `bits` < 32 bits; two words are read only where the field lies in both.
inline uint32_t field_of(const svBitVecVal *words, int bits, int index) {
  const int at = bits * index, low = at & 31;
  uint64_t pair = words[at >> 5];
  if (low + bits > 32) pair |= static_cast<uint64_t>(words[(at >> 5) + 1]) << 32;
  return static_cast<uint32_t>(pair >> low) & ((1u << bits) - 1);
}

template <int kBits, int kCount>
void put_fields(const int32_t *values, svBitVecVal *words) {
  uint64_t held = 0;
  int filled = 0;
  for (int index = 0; index < kCount; ++index) {
    held |= static_cast<uint64_t>(static_cast<uint32_t>(values[index]) & ((1u << kBits) - 1))
            << filled;
    for (filled += kBits; filled >= 32; filled -= 32, held >>= 32)
      *words++ = static_cast<uint32_t>(held);
  }
  if (filled) *words = static_cast<uint32_t>(held);
}

// What a cycle's operands become, `kLatency` cycles later.
template <int kLatency, int kCount>
struct Late {
  int32_t values[kLatency][kCount] = {};
  int place = 0;

  int32_t *next() { return values[place]; }
  const int32_t *oldest() {  // after next() was filled
    place = place + 1 == kLatency ? 0 : place + 1;
    return values[place];
  }
};

template <int kColumns>
struct RequantiseModel {
  static constexpr int kLanes = 2 * kColumns, kBits = 18, kProduct = 44;
  Late<8, kLanes> late;

  void step(const svBitVecVal *acc, const svBitVecVal *factor, bool rows,
            const svBitVecVal *row_factor, unsigned shifts, unsigned range, svBitVecVal *y) {
    int32_t *to = late.next();
    for (int member = 0; member < 2; ++member) {
      const int shift = shifts >> (6 * member) & 63, drop = std::min(shift, kProduct - 1);
      const int64_t half = shift && shift <= 48 ? int64_t{1} << (shift - 1) : 0;
      const int64_t top = range ? 127 : (1 << (kBits - 1)) - 1;
      const int64_t bottom = range == 2 ? -127 : range ? -128 : -(1 << (kBits - 1));
      const uint32_t common = field_of(row_factor, 16, member);
      for (int column = 0; column < kColumns; ++column) {
        const int lane = member * kColumns + column;
        const int64_t by = rows ? common : field_of(factor, 16, column);
        const int64_t product = signed_of(field_of(acc, 27, lane), 27) * by + half;
        const int64_t value = signed_of(static_cast<uint64_t>(product), kProduct) >> drop;
        to[lane] = static_cast<int32_t>(std::clamp(value, bottom, top));
      }
    }
    put_fields<kBits, kLanes>(late.oldest(), y);
  }
};

template <int kColumns>
struct ScoresModel {
  static constexpr int kLanes = 2 * kColumns, kBits = 10;
  Late<5, kLanes> late;

  void step(const svBitVecVal *acc, unsigned shift, svBitVecVal *y) {
    const int32_t half = (1 << (shift & 15)) >> 1;
    int32_t *to = late.next();
    for (int lane = 0; lane < kLanes; ++lane) {
      const int32_t value = static_cast<int32_t>(signed_of(field_of(acc, 27, lane), 27)) + half;
      to[lane] = std::clamp(value >> (shift & 15), -(1 << (kBits - 1)), (1 << (kBits - 1)) - 1);
    }
    put_fields<kBits, kLanes>(late.oldest(), y);
  }
};

}  // namespace m3vit
#pragma GCC pop_options
#endif
