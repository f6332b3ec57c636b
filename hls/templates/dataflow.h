// Bounded channels between processes, for Vitis HLS and for two kinds of C simulation.
//
// Synthesis: hls::stream<T, depth>, processes are the calls of a DATAFLOW region.
// M3VIT_BOUNDED: every process is a thread and a full channel blocks its writer, so a simulation
// stops where the hardware would; when no channel anywhere moves for `M3VIT_PATIENCE_S` seconds
// while a process waits, it is a deadlock and the channel is named.
// Otherwise: hls_stream.h as hls4ml ships it, processes one after the other.
#ifndef M3VIT_DATAFLOW_H_
#define M3VIT_DATAFLOW_H_

#if defined(M3VIT_BOUNDED) && !defined(__SYNTHESIS__)

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#ifndef M3VIT_PATIENCE_S
#define M3VIT_PATIENCE_S 20
#endif

namespace m3vit {

// Reads and writes of all channels of the simulation.
inline std::atomic<unsigned long> &moves() {
    static std::atomic<unsigned long> count(0);
    return count;
}

template <class T, int DEPTH> class Channel {
  public:
    explicit Channel(const char *name) : name_(name) {}
    ~Channel() {
        if (!data_.empty())
            fail("holds values that nobody read");
    }
    void write(const T &value) {
        std::unique_lock<std::mutex> lock(mutex_);
        wait(lock, [this] { return data_.size() < DEPTH; }, "stays full: deadlock");
        data_.push_back(value);
        moves()++;
        changed_.notify_all();
    }
    T read() {
        std::unique_lock<std::mutex> lock(mutex_);
        wait(lock, [this] { return !data_.empty(); }, "stays empty: deadlock");
        const T value = data_.front();
        data_.pop_front();
        moves()++;
        changed_.notify_all();
        return value;
    }

  private:
    template <class F> void wait(std::unique_lock<std::mutex> &lock, F ready, const char *what) {
        unsigned long seen = moves();
        while (!changed_.wait_for(lock, std::chrono::seconds(M3VIT_PATIENCE_S), ready)) {
            if (moves() == seen)
                fail(what);
            seen = moves();
        }
    }
    void fail(const char *what) {
        std::fprintf(stderr, "channel %s of depth %d %s\n", name_, DEPTH, what);
        std::fflush(stderr);
        std::_Exit(3);
    }
    const char *name_;
    std::deque<T> data_;
    std::mutex mutex_;
    std::condition_variable changed_;
};

class Region {
  public:
    template <class F> void start(F process) { threads_.emplace_back(process); }
    ~Region() {
        for (std::thread &thread : threads_)
            thread.join();
    }

  private:
    std::vector<std::thread> threads_;
};

} // namespace m3vit

#define M3VIT_REGION ::m3vit::Region m3vit_region
#define M3VIT_PROCESS(...) m3vit_region.start([&] { __VA_ARGS__; })

#else

#include "hls_stream.h"

namespace m3vit {

#ifdef __SYNTHESIS__
template <class T, int DEPTH> using Channel = hls::stream<T, DEPTH>;
#else
template <class T, int DEPTH> using Channel = hls::stream<T>;
#endif

} // namespace m3vit

#define M3VIT_REGION
#define M3VIT_PROCESS(...) __VA_ARGS__

#endif

#endif
