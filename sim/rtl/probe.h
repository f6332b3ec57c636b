// Counts what happens in a run by command and over time, from the probe of the simulated machine.
//
// A cycle belongs to a run while byte 0 of the probe (counter CYCLES) is set.  Written as JSON:
//   {"runs": [{"commands": [[index, first cycle, last cycle, count of each counter ..] ..],
//              "span": cycles of one bin, "bins": [[count of each counter ..] ..]} ..]}
#pragma once

#include <array>
#include <cstdint>
#include <fstream>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

template <class Top, class = void>
struct Probed : std::false_type {};
template <class Top>
struct Probed<Top, std::void_t<decltype(std::declval<Top>().probe)>> : std::true_type {};

// Whether a run is under way; `cycle` counts from 0 in its first cycle.
template <class Top>
bool busy(const Top &top, uint64_t &cycle) {
  if constexpr (Probed<Top>::value) {
    static bool before = false;
    const bool now = top.probe[0] & 255;
    cycle = now && before ? cycle + 1 : 0;
    before = now;
    return now;
  }
  ++cycle;
  return true;
}

class Profile {
 public:
  static constexpr int kCounters = 32, kCommands = 512;
  static constexpr size_t kBins = 2048;
  using Counts = std::array<uint64_t, kCounters>;

  void start() {
    runs_.clear();
    on_ = true;
    inside_ = false;
  }

  void stop() { on_ = false; }

  template <class Top>
  void sample(const Top &top) {
    if constexpr (Probed<Top>::value) {
      if (!on_) return;
      static_assert(sizeof top.probe <= kCounters);
      counters_ = sizeof top.probe;  // whole words: one that is not used counts nothing
      bool busy = top.probe[0] & 255;
      if (busy && !inside_) runs_.emplace_back();
      inside_ = busy;
      if (busy) add(runs_.back(), &top.probe[0], sizeof top.probe, top.probe_index);
    }
  }

  bool write(const std::string &name) const {
    std::ofstream file(name);
    file << "{\"runs\": [";
    for (size_t run = 0; run < runs_.size(); ++run) write(file << (run ? ",\n" : ""), runs_[run]);
    file << "]}\n";
    file.close();
    return !file.fail();
  }

 private:
  struct Command {
    uint64_t first = 0, last = 0;
    Counts counts{};
  };

  struct Run {
    uint64_t cycles = 0, span = 64;
    std::vector<Command> commands = std::vector<Command>(kCommands);
    std::vector<Counts> bins;
  };

  static void add(Run &run, const uint32_t *words, size_t bytes, unsigned index) {
    Command &command = run.commands[index % kCommands];
    if (!command.counts[0]) command.first = run.cycles;
    command.last = run.cycles;
    if (run.cycles == run.span * run.bins.size()) {
      if (run.bins.size() == kBins) merge(run);
      if (run.cycles == run.span * run.bins.size()) run.bins.emplace_back();
    }
    Counts &bin = run.bins.back();
    for (size_t at = 0; at < bytes; ++at) {
      const unsigned step = words[at / 4] >> (8 * (at % 4)) & 255;
      command.counts[at] += step;
      bin[at] += step;
    }
    ++run.cycles;
  }

  static void merge(Run &run) {
    for (size_t to = 0; to < kBins / 2; ++to) {
      run.bins[to] = run.bins[2 * to];
      for (int at = 0; at < kCounters; ++at) run.bins[to][at] += run.bins[2 * to + 1][at];
    }
    run.bins.resize(kBins / 2);
    run.span *= 2;
  }

  void write(std::ostream &file, const Run &run) const {
    file << "{\"commands\": [";
    const char *between = "";
    for (int index = 0; index < kCommands; ++index) {
      const Command &command = run.commands[index];
      if (!command.counts[0]) continue;
      file << between << "[" << index << "," << command.first << "," << command.last;
      for (size_t at = 0; at < counters_; ++at) file << "," << command.counts[at];
      file << "]";
      between = ",\n";
    }
    file << "], \"span\": " << run.span << ", \"bins\": [";
    between = "";
    for (const Counts &bin : run.bins) {
      file << between << "[" << bin[0];
      for (size_t at = 1; at < counters_; ++at) file << "," << bin[at];
      file << "]";
      between = ",\n";
    }
    file << "]}";
  }

  bool on_ = false, inside_ = false;
  size_t counters_ = 0;
  std::vector<Run> runs_;
};
