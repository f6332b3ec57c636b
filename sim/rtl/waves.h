// Writes every signal as VCD for a window of a run's cycles; only in simulators built for it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "verilated.h"
#if VM_TRACE
#include "verilated_vcd_c.h"
#endif

class Waves {
 public:
  // From the run's cycle `first` to the one in front of `last`.
  template <class Top>
  bool open(Top &top, const std::string &name, uint64_t first, uint64_t last) {
#if VM_TRACE
    close();
    file_ = std::make_unique<VerilatedVcdC>();
    top.trace(file_.get(), 99);
    file_->open(name.c_str());
    first_ = first;
    last_ = last;
    return file_->isOpen();
#else
    return false;
#endif
  }

  // In every cycle, once for each level of the clock; `cycle` counts since the run's start.
  void sample(bool running, uint64_t cycle, uint64_t time) {
#if VM_TRACE
    if (!file_) return;
    if (running && cycle >= first_ && cycle < last_) {
      file_->dump(time);
      begun_ = true;
    } else if (begun_) {
      close();
    }
#endif
  }

  void close() {
#if VM_TRACE
    if (file_) file_->close();
    file_.reset();
    begun_ = false;
#endif
  }

 private:
#if VM_TRACE
  std::unique_ptr<VerilatedVcdC> file_;
  uint64_t first_ = 0, last_ = 0;
  bool begun_ = false;
#endif
};
