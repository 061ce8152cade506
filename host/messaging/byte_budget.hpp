// Limits the bytes of payloads that wait for one receiver, over all its rings and its queue
// together.
//
// A message whose payload lies in a ring slot counts as zero bytes and does not use the budget. A
// ring reports its payloads in pieces of a few KiB (Ring::reserve). Thus the counter, which all
// senders and the receiver write, is written rarely compared with the bytes that are copied. A
// payload that goes to several receivers counts at each of them.
//
// Sleeping. No wake-up is lost, because all accesses below are sequentially consistent: either the
// receiver's load of `has_waiting_` sees the sender, or the sender's second load of `used_` sees
// the room.
//
//   a sender without room                   a receiver that has taken messages
//   has_waiting_ = true                     used_ -= bytes
//   used_: is there room?                   has_waiting_: does a sender wait?
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "host/base/clock.hpp"
#include "host/base/mutex.hpp"

namespace skep::host {

// [any-thread]
class ByteBudget {
public:
    explicit ByteBudget(std::uint64_t bound)
        : bound_(bound) {}

    ByteBudget(const ByteBudget&) = delete;
    ByteBudget& operator=(const ByteBudget&) = delete;

    // Reserves room for a payload. Returns false when the room is too small; a payload larger than
    // the bound gets room when nothing else waits. Always returns true once closed: the receiver
    // then refuses the message.
    [[nodiscard]] bool reserve(std::uint64_t bytes) {
        std::uint64_t used = used_.load();
        do {
            if (used > 0 && used + bytes > bound_.load() && !is_closed_.load()) {
                return false;
            }
        } while (!used_.compare_exchange_weak(used, used + bytes));
        return true;
    }

    // Counts bytes that wait again after a return to the queue, even beyond the bound.
    void add(std::uint64_t bytes) { used_.fetch_add(bytes); }

    // Gives back reserved room, without a lock. wake_senders() must follow.
    void subtract(std::uint64_t bytes) { used_.fetch_sub(bytes); }

    // Wakes all waiting senders; each of them checks for room again.
    void wake_senders() {
        if (!has_waiting_.load()) {
            return;
        }
        std::vector<std::shared_ptr<Parker>> woken;
        {
            MutexLock lock(mutex_);
            woken = std::exchange(waiting_, {});
            has_waiting_.store(false);
        }
        for (const std::shared_ptr<Parker>& sender : woken) {
            sender->unpark();
        }
    }

    void release(std::uint64_t bytes) {
        subtract(bytes);
        wake_senders();
    }

    // Registers a sender that is about to sleep; the sender is unparked once, when there is room.
    // Returns false when there is room already: the sender must try again.
    [[nodiscard]] bool wait(std::uint64_t bytes, const std::shared_ptr<Parker>& sender) {
        {
            MutexLock lock(mutex_);
            if (std::find(waiting_.begin(), waiting_.end(), sender) == waiting_.end()) {
                waiting_.push_back(sender);
            }
            has_waiting_.store(true);
        }
        const std::uint64_t used = used_.load();
        return used > 0 && used + bytes > bound_.load() && !is_closed_.load();
    }

    // Changes the bound. Payloads that already wait beyond a smaller bound stay.
    void set_bound(std::uint64_t bound) {
        bound_.store(bound);
        wake_senders();
    }

    // The receiver takes no more messages: wakes all senders, and no sender waits from now on.
    void close() {
        is_closed_.store(true);
        wake_senders();
    }

    [[nodiscard]] std::uint64_t used() const { return used_.load(); }

    // True if a sender waits for room.
    [[nodiscard]] bool is_awaited() const { return has_waiting_.load(); }

private:
    std::atomic<std::uint64_t> used_{0};
    std::atomic<std::uint64_t> bound_;
    std::atomic<bool> is_closed_{false};
    std::atomic<bool> has_waiting_{false};  // written under mutex_
    Mutex mutex_;
    std::vector<std::shared_ptr<Parker>> waiting_ GUARDED_BY(mutex_);
};

}  // namespace skep::host
