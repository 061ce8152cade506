// What the workers of a benchmark tell the driver: one struct, shared by address.
//
// The driver and the plugins are one process here, and that alone makes this right: the address of
// a Report travels as an integer parameter, and plugins write to it what no message could carry
// without being part of what is measured. Plugins for anything else must not do so.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <numeric>
#include <string>

namespace bench {

inline std::int64_t now_ns() {
    return std::chrono::steady_clock::now().time_since_epoch().count();
}

// Where the payload of a cell has at least this much room: 32 bytes.
struct Message {
    std::uint64_t sequence = 0;
    std::uint64_t sender = 0;
    std::uint64_t filling[2] = {};
};

static_assert(sizeof(Message) == 32);

// How long it took from one message to the next, counted by length: 32 steps from each power of two
// to the next, so that a percentile is right to 3 %.
class Gaps {
public:
    void add(std::uint64_t ns) { ++counts_.at(bucket_of(ns)); }

    void add(const Gaps& other) {
        for (std::size_t i = 0; i < counts_.size(); ++i) {
            counts_.at(i) += other.counts_.at(i);
        }
    }

    [[nodiscard]] std::uint64_t percentile(double part) const {
        const auto all = std::accumulate(counts_.begin(), counts_.end(), std::uint64_t{0});
        auto left = static_cast<std::uint64_t>(static_cast<double>(all) * part);
        std::size_t i = 0;
        for (; i + 1 < counts_.size() && counts_.at(i) <= left; ++i) {
            left -= counts_.at(i);
        }
        return i < 64 ? i : (32 + i % 32) << (i / 32 - 1);
    }

private:
    static std::size_t bucket_of(std::uint64_t ns) {
        if (ns < 64) {
            return ns;
        }
        const auto power = static_cast<std::size_t>(63 - __builtin_clzll(ns));
        return std::min(counts, (power - 4) * 32 + ((ns >> (power - 5)) & 31U));
    }

    static constexpr std::size_t counts = 1'279;
    std::array<std::uint64_t, counts + 1> counts_{};
};

struct Report {
    std::atomic<std::uint64_t> wrong{0};  // messages out of order or of the wrong content
    std::atomic<std::uint64_t> received{0};
    std::atomic<std::int64_t> first_ns{0};  // when the first source began
    std::atomic<std::int64_t> last_ns{0};   // when the last sink had its last message

    // For mem.msg: the gate that sources wait at until the driver has measured, and sinks for ever.
    std::mutex mutex;
    std::condition_variable changed;
    int to_finish = 1;         // how many workers have to say that they are done
    bool is_gate_open = true;  // false: sources wait in begin()
    bool is_sink_open = true;  // false: sinks wait in their first message

    // For the swap cells: what sources have sent, and how often a plugin was newly loaded.
    std::atomic<std::uint64_t> sent{0};
    std::atomic<std::uint64_t> loads{0};
    // A keeper that is stopped leaves its state here, and the next one takes it.
    bool keeps_state = false;
    std::string state;

    // For swap.gap: in which window the driver is (0: in none), and the gaps in each.
    static constexpr std::size_t windows = 13;
    std::atomic<std::size_t> window{0};
    std::array<Gaps, windows> gaps;

    // A source begins: the first one to do so starts the clock.
    void begin() {
        std::unique_lock lock(mutex);
        changed.wait(lock, [this] { return is_gate_open; });
        if (first_ns == 0) {
            first_ns = now_ns();
        }
    }

    // A worker has all that it was to have.
    void finish(std::uint64_t count) {
        const std::int64_t now = now_ns();
        const std::lock_guard lock(mutex);
        received += count;
        last_ns = now;
        --to_finish;
        changed.notify_all();
    }

    // The last instance of a worker is gone, or the next one has its first message.
    void set(std::atomic<std::int64_t> Report::*moment) {
        const std::int64_t now = now_ns();
        const std::lock_guard lock(mutex);
        this->*moment = now;
        changed.notify_all();
    }

    void wait_at_sink() {
        std::unique_lock lock(mutex);
        changed.wait(lock, [this] { return is_sink_open; });
    }

    void open(bool Report::*gate) {
        const std::lock_guard lock(mutex);
        this->*gate = true;
        changed.notify_all();
    }
};

}  // namespace bench
