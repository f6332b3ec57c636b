// A group of the array for simulation: every register of its DSPs, a vector loop a stage.
//
// Equal, cycle by cycle and for any operands, to the module that is converted (group.py, column.py,
// dsp48e2.v); tests/rtl/test_group_model.py runs both side by side.  Products and sums are those of
// the packed operand (a1 * 2^18 + a0); 64 bits hold more than the DSP's 48, of which only the low
// 36 are looked at.
#include <cstdint>
#include <cstring>
#include "svdpi.h"

#ifndef M3VIT_GROUP_MODEL
#define M3VIT_GROUP_MODEL
#pragma GCC push_options
#pragma GCC optimize("O3")
namespace m3vit {

template <int kRows, int kColumns>
struct GroupModel {
  static constexpr int kCascade = 8, kChains = kRows / kCascade, kLanes = kChains * kColumns;
  static constexpr int kLevels = kChains == 1 ? 0 : kChains == 2 ? 1 : kChains == 4 ? 2 : 3;
  static constexpr int kField = 18, kSum = kField + kLevels;

  // By step of the cascade, then chain * columns + column.
  alignas(64) int64_t b1[kCascade][kLanes] = {}, b2[kCascade][kLanes] = {};
  alignas(64) int64_t m[kCascade][kLanes] = {}, p[kCascade][kLanes] = {};
  int64_t operand[kCascade][kChains] = {};  // AD
  int8_t late[2][kCascade + 2][kRows] = {};  // a0 and a1 as they were 1, 2, .. cycles ago
  int8_t weights[kLanes] = {};
  int32_t level[2][kLevels + 1][kLanes] = {};
  unsigned load = 0, wave = 0;

  GroupModel() { read_ends(); }

  void join() {  // registers behind the cascades, oldest first
    for (int deep = kLevels; deep > 0; --deep)
      for (int field = 0; field < 2; ++field)
        for (int chain = 0; chain < kChains >> deep; ++chain) {
          const int32_t *from = level[field][deep - 1] + 2 * chain * kColumns;
          int32_t *to = level[field][deep] + chain * kColumns;
          for (int column = 0; column < kColumns; ++column)
            to[column] = from[column] + from[column + kColumns];
        }
  }

  void multiply() {
    for (int step = kCascade - 1; step >= 0; --step) {
      const int64_t *above = step ? p[step - 1] : nullptr;
      for (int lane = 0; lane < kLanes; ++lane)
        p[step][lane] = m[step][lane] + (above ? above[lane] : int64_t{1} << (kField - 1));
      for (int chain = 0; chain < kChains; ++chain)
        for (int column = 0; column < kColumns; ++column) {
          const int lane = chain * kColumns + column;
          m[step][lane] = operand[step][chain] * b2[step][lane];
        }
    }
    read_ends();
  }

  void read_ends() {  // fields of the last sums of every cascade
    for (int lane = 0; lane < kLanes; ++lane) {
      const int64_t end = p[kCascade - 1][lane];
      level[0][0][lane] = static_cast<int32_t>(end & ((1 << kField) - 1)) - (1 << (kField - 1));
      level[1][0][lane] =
          static_cast<int32_t>(static_cast<uint32_t>(end >> kField) << (32 - kField)) >>
          (32 - kField);
    }
  }

  void move_operands(const svBitVecVal *a0, const svBitVecVal *a1) {
    for (int step = 0; step < kCascade; ++step) {
      if (wave >> (step + 1) & 1) std::memcpy(b2[step], b1[step], sizeof b2[step]);
      if (load >> step & 1)
        for (int lane = 0; lane < kLanes; ++lane)
          b1[step][lane] = weights[lane % kColumns * kChains + lane / kColumns];
      for (int chain = 0; chain < kChains; ++chain) {
        int row = chain * kCascade + step;
        operand[step][chain] =
            late[1][step + 1][row] * (int64_t{1} << kField) + late[0][step + 1][row];
      }
    }
    std::memmove(late[0][1], late[0][0], sizeof late[0] - kRows);
    std::memmove(late[1][1], late[1][0], sizeof late[1] - kRows);
    std::memcpy(late[0][0], a0, kRows);
    std::memcpy(late[1][0], a1, kRows);
  }

  void step(bool reset, const svBitVecVal *a1, const svBitVecVal *a0, bool swap, unsigned next,
            const svBitVecVal *w, svBitVecVal *s) {
    join();
    multiply();
    move_operands(a0, a1);
    std::memcpy(weights, w, sizeof weights);
    load = reset ? 0 : next;
    wave = reset ? 0 : (wave << 1 | swap) & ((2u << kCascade) - 1);
    put(s);
  }

  void put(svBitVecVal *s) const {
    uint64_t held = 0;
    int bits = 0;
    for (int field = 0; field < 2; ++field)
      for (int column = 0; column < kColumns; ++column) {
        uint64_t value = static_cast<uint32_t>(level[field][kLevels][column]) & ((1u << kSum) - 1);
        held |= value << bits;
        for (bits += kSum; bits >= 32; bits -= 32, held >>= 32) *s++ = static_cast<uint32_t>(held);
      }
    if (bits) *s = static_cast<uint32_t>(held);
  }
};

}  // namespace m3vit
#pragma GCC pop_options
#endif
