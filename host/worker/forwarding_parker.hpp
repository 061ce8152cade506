// The Parker of a worker's name: whoever would wake the worker wakes here the one that serves it
// now, which is its own thread or its seat in a pool.
//
// It goes to another place between two messages. Whoever has looked up the place before just then
// wakes that one, in vain. No wake-up is lost by it, because the next place looks at everything
// before it sleeps for the first time:
//
//   waker                                   whoever serves
//   W1 make the condition true              M1 point_at(next), seq_cst
//   W2 full fence, or Ring's P2             M2 the next place is told to serve (release, acquire)
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
    // `own`: where a thread of the worker's own sleeps.
    explicit ForwardingParker(std::shared_ptr<Parker> own)
        : own_(std::move(own)),
          place_(own_.get()) {}

    [[nodiscard]] Parker& own() { return *own_; }

    // [manager-thread] The worker's seat in that pool; made when it is first asked for. It stays as
    // long as this does: a waker may have looked it up at any time.
    [[nodiscard]] std::shared_ptr<PoolSeat> seat_in(Pool& pool) {
        for (const auto& it : seats_) {
            if (it->is_in(pool)) {
                return it;
            }
        }
        return seats_.emplace_back(std::make_shared<PoolSeat>(pool));
    }

    // [whoever serves, or whoever starts it] M1. Null: the own thread.
    void point_at(PoolSeat* seat) {
        place_.store(seat != nullptr ? seat : own_.get(), std::memory_order_seq_cst);
    }

    // A thread waits at own().
    void park(std::uint32_t ticket, Nanos deadline) override { own_->park(ticket, deadline); }

    // W3.
    void unpark() override { place_.load(std::memory_order_seq_cst)->unpark(); }

private:
    const std::shared_ptr<Parker> own_;
    std::atomic<Parker*> place_;
    std::vector<std::shared_ptr<PoolSeat>> seats_;  // the manager's
};

}  // namespace skep::host
