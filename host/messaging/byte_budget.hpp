// How many bytes of payloads may wait for one receiver, over all its rings and its queue together.
//
// A message that lies in the slot of a ring counts nothing and comes here for nothing. A ring
// reports what it carries in pieces of a few KiB (Ring::reserve), so that the counter, which all
// senders and the receiver write, is touched seldom beside the bytes that are copied. A payload
// that goes to several receivers counts at each of them.
//
// Sleeping. No wake-up is lost, since all accesses below are sequentially consistent: either the
// receiver's look at `has_waiting_` sees the sender, or the sender's second look at `used_` sees
// the room.
//
//   a sender without room                   a receiver that has taken
//   has_waiting_ = true                     used_ -= bytes
//   used_: is there room?                   has_waiting_: is there a sender?
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

    // Takes room for a payload. False when there is none; a payload that is larger than the bound
    // gets room when nothing else waits. Always true once closed: the receiver refuses it then.
    [[nodiscard]] bool reserve(std::uint64_t bytes) {
        std::uint64_t used = used_.load();
        do {
            if (used > 0 && used + bytes > bound_.load() && !is_closed_.load()) {
                return false;
            }
        } while (!used_.compare_exchange_weak(used, used + bytes));
        return true;
    }

    // Takes room for what waits again, whether there is any or not.
    void add(std::uint64_t bytes) { used_.fetch_add(bytes); }

    // Gives room back that was taken, without a lock. wake_senders() has to follow.
    void subtract(std::uint64_t bytes) { used_.fetch_sub(bytes); }

    // Wakes all senders that wait; they look for room again.
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

    // Remembers a sender that is about to sleep; it is unparked, once, when there is room. False
    // when there is some already: it must look again.
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

    // What waits beyond a smaller bound stays.
    void set_bound(std::uint64_t bound) {
        bound_.store(bound);
        wake_senders();
    }

    // The receiver takes no more: nobody waits for it.
    void close() {
        is_closed_.store(true);
        wake_senders();
    }

    [[nodiscard]] std::uint64_t used() const { return used_.load(); }

    // Whether a sender waits for room.
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
