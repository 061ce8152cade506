// The Parker of a worker's name. It forwards each wake-up to the place that serves the worker now:
// the worker's own thread, or its seat in a pool.
//
// The place changes between two messages. A waker that has looked up the old place just before then
// wakes the old place, without effect. No wake-up is lost, because the next place checks every
// condition before it sleeps for the first time:
//
//   waker                                   the place that serves
//   W1 make the condition true              M1 point_at(next), seq_cst
//   W2 full fence, or Ring's P2             M2 make the next place serve (release, acquire)
//   W3 place_.load(seq_cst), wake it        M3 the next place looks at the condition
//
//   Either W3 sees M1, or M3 sees W1. (Dekker; M2 makes M1 visible to all before M3.)
#pragma once

#include <atomic>
#include <memory>
#include <utility>
#include <vector>

#include "host/base/clock.hpp"
#include "host/worker/pool.hpp"

namespace skep::host {

class ForwardingParker final : public Parker {
public:
    // A thread of the worker itself sleeps at `own`.
    explicit ForwardingParker(std::shared_ptr<Parker> own)
        : own_(std::move(own)),
          place_(own_.get()) {}

    [[nodiscard]] Parker& own() { return *own_; }

    // [manager-thread] Returns the worker's seat in `pool`; creates it at the first call. The seat
    // lives as long as this object, because a waker may have looked it up at any time.
    [[nodiscard]] std::shared_ptr<PoolSeat> seat_in(Pool& pool) {
        for (const auto& it : seats_) {
            if (it->is_in(pool)) {
                return it;
            }
        }
        return seats_.emplace_back(std::make_shared<PoolSeat>(pool));
    }

    // [the place that serves, or the thread that starts it] M1. Null: the own thread.
    void point_at(PoolSeat* seat) {
        place_.store(seat != nullptr ? seat : own_.get(), std::memory_order_seq_cst);
    }

    // A thread of the worker waits at own().
    void park(std::uint32_t ticket, Nanos deadline) override { own_->park(ticket, deadline); }

    // W3.
    void unpark() override { place_.load(std::memory_order_seq_cst)->unpark(); }

private:
    const std::shared_ptr<Parker> own_;
    std::atomic<Parker*> place_;
    std::vector<std::shared_ptr<PoolSeat>> seats_;  // used only by the manager
};

}  // namespace skep::host
