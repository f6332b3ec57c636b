// Simulates the accelerator with a memory behind its AXI4 masters; driven by lines on stdin.
//
//   memory BYTES [FILE]     allocate and clear the memory, or map a file of that size
//   set NAME VALUE          latency, rate (bytes a cycle, all ports), refresh_every, refresh_for,
//                           stall (chance that a cycle moves no data), seed (of the stalls)
//   fault KIND COUNT        read, write: the COUNTth beat read or burst written from now is answered
//                           with an error; hang: from the COUNTth beat read on none comes; off
//   load ADDRESS FILE       bytes of a file into memory
//   save ADDRESS SIZE FILE  bytes of memory into a file
//   write OFFSET VALUE      AXI4-Lite write
//   read OFFSET             AXI4-Lite read; answers "value N"
//   run LIMIT               clock until the status register is idle; answers "cycles N" or "timeout N"
//   wait LIMIT              clock until the interrupt line is high; answers "interrupt N" or "waited N"
//   power                   power-cycle: registers, bursts under way and memory are lost
//   profile on|off          from now on count events by command and over time, or stop (see probe.h)
//   profile FILE            write what has been counted
//   waves FILE FIRST LAST   write all signals of these cycles of the next run (see waves.h)
//   quit
// Every other command answers "ok".
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <fstream>
#include <iostream>
#include <map>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "Vm3vit.h"
#include "probe.h"
#include "verilated.h"
#include "waves.h"

namespace {

constexpr int kBeat = 16;
constexpr uint32_t kStatus = 0x104, kIdle = 1;
constexpr int kLiteLimit = 100000;  // cycles after which the slave counts as dead

struct Burst {
  uint64_t address, ready;
  int beats;
};

struct Memory {  // of the process alone, or of a file that the host sees too
  uint8_t *bytes = nullptr;
  size_t length = 0;

  uint8_t &operator[](size_t place) { return bytes[place]; }
  size_t size() const { return length; }

  void clear() {  // pages of a file are given back; the others are written
    if (length && madvise(bytes, length, MADV_REMOVE)) std::memset(bytes, 0, length);
  }

  bool map(size_t size, const std::string &name) {
    if (bytes) munmap(bytes, length);
    int file = name.empty() ? -1 : open(name.c_str(), O_RDWR);
    int flags = name.empty() ? MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE : MAP_SHARED;
    void *place = mmap(nullptr, size, PROT_READ | PROT_WRITE, flags, file, 0);
    if (file >= 0) close(file);
    bool good = place != MAP_FAILED;
    bytes = good ? static_cast<uint8_t *>(place) : nullptr;
    length = good ? size : 0;
    return good;
  }
};

Memory memory;
std::map<std::string, double> options = {
    {"latency", 60}, {"rate", 45.7}, {"refresh_every", 2340}, {"refresh_for", 105},
    {"stall", 0},    {"seed", 1}};
std::map<std::string, uint64_t> faults;  // by kind: how many are still to come before it strikes
std::minstd_rand chance(1);
bool stalled = false;
double budget = 0, owed = 0;
uint64_t now = 0;

bool refreshing() {
  auto every = static_cast<uint64_t>(options["refresh_every"]);
  return every && now % every < static_cast<uint64_t>(options["refresh_for"]);
}

bool strikes(const char *kind) {
  if (faults.empty()) return false;
  auto found = faults.find(kind);
  if (found == faults.end() || --found->second) return false;
  faults.erase(found);
  return true;
}

// The rate is what the memory sustains, refresh included: what it could not give during the last
// refresh (`owed`) it makes good later, at the ports' speed.
void earn() {
  const double rate = options["rate"], most = 4 * kBeat + rate;
  budget = std::min(budget + rate, most);
  if (refreshing()) owed = std::min(owed + rate, rate * options["refresh_for"]);
}

bool closed() { return stalled || refreshing() || budget + owed < kBeat; }

void pay() {
  budget -= kBeat;
  if (budget >= 0) return;
  owed += budget;
  budget = 0;
}

bool spend() {
  if (closed()) return false;
  pay();
  return true;
}

template <class Wide>
void put(Wide &target, uint64_t address) {
  uint32_t words[4] = {0, 0, 0, 0};
  if (address + kBeat <= memory.size()) std::memcpy(words, &memory[address], kBeat);
  for (int i = 0; i < 4; ++i) target[i] = words[i];
}

bool hung = false;

struct ReadPort {
  std::deque<Burst> queue;
  bool valid = false, error = false;
  uint64_t address = 0;
  bool last = false;

  void prepare() {  // decides what is offered in this cycle; an offer stays until it is taken
    if (valid || queue.empty() || queue.front().ready > now || hung || !spend()) return;
    hung = strikes("hang");
    Burst &burst = queue.front();
    valid = true;
    address = burst.address;
    error = address + kBeat > memory.size() || strikes("read");
    last = burst.beats == 1;
    burst.address += kBeat;
    if (--burst.beats == 0) queue.pop_front();
  }
};

struct WritePort {
  std::deque<Burst> queue;
  std::deque<bool> answers;  // whether each is an error
  bool error = false;        // of the burst being written
};

constexpr int kReads = 4;
ReadPort reads[kReads];
WritePort writes;
Vm3vit *top = nullptr;
Profile profile;
Waves waves;
uint64_t run_cycle = 0;

void drive() {
  for (int i = 0; i < kReads; ++i) reads[(now + i) % kReads].prepare();
#define DRIVE(i)                                       \
  top->m##i##_axi_arready = reads[i].queue.size() < 16; \
  top->m##i##_axi_rvalid = reads[i].valid;              \
  top->m##i##_axi_rlast = reads[i].last;                \
  top->m##i##_axi_rresp = reads[i].error ? 2 : 0;       \
  put(top->m##i##_axi_rdata, reads[i].address);
  DRIVE(0) DRIVE(1) DRIVE(2) DRIVE(3)
  top->m0_axi_awready = writes.queue.size() < 16;
  top->m0_axi_wready = !writes.queue.empty() && !closed();
  top->m0_axi_bvalid = !writes.answers.empty();
  top->m0_axi_bresp = !writes.answers.empty() && writes.answers.front() ? 2 : 0;
}

void accept_write() {
  Burst &burst = writes.queue.front();
  pay();
  if (burst.address + kBeat <= memory.size()) {
    uint32_t words[4];
    for (int i = 0; i < 4; ++i) words[i] = top->m0_axi_wdata[i];
    std::memcpy(&memory[burst.address], words, kBeat);
  } else {
    writes.error = true;
  }
  burst.address += kBeat;
  if (--burst.beats == 0) {
    writes.queue.pop_front();
    writes.answers.push_back(writes.error || strikes("write"));
    writes.error = false;
  }
}

void cycle() {
  earn();
  drive();
  top->clk = 0;
  top->eval();
  profile.sample(*top);
  const bool running = busy(*top, run_cycle);
  waves.sample(running, run_cycle, 2 * now);
  auto ready = now + static_cast<uint64_t>(options["latency"]);
  bool takes[kReads], gone[kReads];
  Burst asked[kReads];
#define SAMPLE(i)                                                       \
  takes[i] = top->m##i##_axi_arvalid && top->m##i##_axi_arready;        \
  asked[i] = Burst{top->m##i##_axi_araddr, ready, top->m##i##_axi_arlen + 1}; \
  gone[i] = reads[i].valid && top->m##i##_axi_rready;
  SAMPLE(0) SAMPLE(1) SAMPLE(2) SAMPLE(3)
  bool opens = top->m0_axi_awvalid && top->m0_axi_awready;
  Burst written{top->m0_axi_awaddr, 0, top->m0_axi_awlen + 1};
  bool beat = top->m0_axi_wvalid && top->m0_axi_wready;
  bool answered = top->m0_axi_bvalid && top->m0_axi_bready;
  if (beat) accept_write();
  top->clk = 1;
  top->eval();
  waves.sample(running, run_cycle, 2 * now + 1);
  for (int i = 0; i < kReads; ++i) {
    if (takes[i]) reads[i].queue.push_back(asked[i]);
    if (gone[i]) reads[i].valid = false;
  }
  if (opens) writes.queue.push_back(written);
  if (answered) writes.answers.pop_front();
  ++now;
  stalled = options["stall"] > 0 && chance() < options["stall"] * chance.max();
}

bool lite_write(uint32_t offset, uint32_t value) {
  top->s_axi_awaddr = offset;
  top->s_axi_wdata = value;
  top->s_axi_wstrb = 15;
  top->s_axi_awvalid = top->s_axi_wvalid = top->s_axi_bready = 1;
  bool done = false;
  for (int i = 0; !done && i < kLiteLimit; ++i) {
    drive();
    top->clk = 0;
    top->eval();
    bool address = top->s_axi_awvalid && top->s_axi_awready;
    bool data = top->s_axi_wvalid && top->s_axi_wready;
    done = top->s_axi_bvalid;
    cycle();
    if (address) top->s_axi_awvalid = 0;
    if (data) top->s_axi_wvalid = 0;
  }
  top->s_axi_awvalid = top->s_axi_wvalid = top->s_axi_bready = 0;
  return done;
}

bool lite_read(uint32_t offset, uint32_t &value) {
  top->s_axi_araddr = offset;
  top->s_axi_arvalid = top->s_axi_rready = 1;
  for (int i = 0; i < kLiteLimit; ++i) {
    drive();
    top->clk = 0;
    top->eval();
    bool address = top->s_axi_arvalid && top->s_axi_arready;
    bool done = top->s_axi_rvalid;
    value = top->s_axi_rdata;
    cycle();
    if (address) top->s_axi_arvalid = 0;
    if (done) {
      top->s_axi_rready = 0;
      return true;
    }
  }
  top->s_axi_arvalid = top->s_axi_rready = 0;
  return false;
}

bool raised() { return top->__SYM__interrupt; }  // Verilator's name for a word that C++ may reserve

void wait(uint64_t limit) {
  uint64_t first = now;
  while (!raised() && now - first < limit) cycle();
  std::cout << (raised() ? "interrupt " : "waited ") << now - first << std::endl;
}

void reset() {
  top->rst = 1;
  for (int i = 0; i < 8; ++i) cycle();
  top->rst = 0;
  for (int i = 0; i < 200; ++i) cycle();
}

void power_cycle() {
  for (auto &port : reads) port = ReadPort();
  writes = WritePort();
  faults.clear();
  hung = false;
  memory.clear();
  reset();
}

void run(uint64_t limit) {
  uint64_t first = now;
  while (now - first < limit) {
    for (int i = 0; i < 64; ++i) cycle();
    uint32_t status = 0;
    if (lite_read(kStatus, status) && status & kIdle) {
      std::cout << "cycles " << now - first << std::endl;
      return;
    }
  }
  std::cout << "timeout " << now - first << std::endl;
}

void load(uint64_t address, const std::string &name) {
  std::ifstream file(name, std::ios::binary);
  std::vector<char> data((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (!file || address + data.size() > memory.size()) {
    std::cout << "error cannot load " << name << std::endl;
    return;
  }
  std::memcpy(&memory[address], data.data(), data.size());
  std::cout << "ok" << std::endl;
}

void save(uint64_t address, uint64_t size, const std::string &name) {
  std::ofstream file(name, std::ios::binary);
  if (address + size <= memory.size())
    file.write(reinterpret_cast<char *>(&memory[address]), static_cast<std::streamsize>(size));
  file.close();
  std::cout << (file ? "ok" : "error cannot save") << std::endl;
}

bool obey_profile(const std::string &name) {
  if (name == "on") {
    profile.start();
  } else if (name == "off") {
    profile.stop();
  } else {
    return profile.write(name);
  }
  return true;
}

bool obey(const std::string &line) {
  std::istringstream words(line);
  std::string what, name;
  uint64_t a = 0, b = 0;
  double value = 0;
  words >> what;
  if (what == "quit") return false;
  if (what == "memory" && words >> a) {
    words >> name;
    if (!memory.map(a, name)) {
      std::cout << "error cannot map " << a << " bytes of memory" << std::endl;
      return true;
    }
  } else if (what == "set" && words >> name >> value) {
    options[name] = value;
    if (name == "seed") chance.seed(static_cast<unsigned>(value));
  } else if (what == "fault" && words >> name) {
    faults.clear();
    hung = false;
    if (name != "off" && words >> a && a) faults[name] = a;
  } else if (what == "load" && words >> a >> name) {
    load(a, name);
    return true;
  } else if (what == "save" && words >> a >> b >> name) {
    save(a, b, name);
    return true;
  } else if (what == "write" && words >> a >> b) {
    if (!lite_write(static_cast<uint32_t>(a), static_cast<uint32_t>(b))) {
      std::cout << "error no answer to a register write" << std::endl;
      return true;
    }
  } else if (what == "read" && words >> a) {
    uint32_t value = 0;
    bool answered = lite_read(static_cast<uint32_t>(a), value);
    std::cout << (answered ? "value " : "error no answer to a register read ") << value
              << std::endl;
    return true;
  } else if (what == "wait" && words >> a) {
    wait(a);
    return true;
  } else if (what == "power") {
    power_cycle();
  } else if (what == "waves" && words >> name >> a >> b) {
    if (!waves.open(*top, name, a, b)) {
      std::cout << "error cannot write waves to " << name << std::endl;
      return true;
    }
  } else if (what == "profile" && words >> name) {
    if (!obey_profile(name)) {
      std::cout << "error cannot write " << name << std::endl;
      return true;
    }
  } else if (what == "run" && words >> a) {
    run(a);
    return true;
  } else {
    std::cout << "error unknown command: " << line << std::endl;
    return true;
  }
  std::cout << "ok" << std::endl;
  return true;
}

}  // namespace

int main(int argc, char **argv) {
  Verilated::commandArgs(argc, argv);
  Verilated::traceEverOn(true);
  top = new Vm3vit;
  reset();
  std::string line;
  while (std::getline(std::cin, line) && obey(line)) {
  }
  waves.close();
  top->final();
  delete top;
  return 0;
}
