// What the workers of a benchmark tell the driver: one struct, shared by address.
//
// The driver and the plugins are one process here, and that alone makes this right: the address of
// a Report travels as an integer parameter, and plugins write to it what no message could carry
// without being part of what is measured. Plugins for anything else must not do so.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
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
