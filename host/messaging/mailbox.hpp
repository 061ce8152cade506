// A mailbox: the bounded queue of one worker name, and the books over everything that passes it.
//
// It belongs to the name, not to a thread: it outlives every generation of its worker, keeps
// filling while the worker is paused, and its counts go on. It never blocks: a sender that has to
// wait is told so, is remembered, and is woken when there is room.
//
// A mailbox is divided into lanes, one for each route that ends here and lane 0 for everything that
// comes by send, broadcast or reply. A lane has a bound and a policy of its own; the order of
// arrival is kept over all of them together, which is what makes messages of one sender arrive in
// order however they were sent.
//
//   push, reject_*     [any-thread]
//   take .. return_    [the owner's thread]
//   open, close, lanes [manager-thread]
//
// It knows no routes and no workers, keeps no message that was taken, and has no priorities.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "host/base/clock.hpp"
#include "host/base/mutex.hpp"
#include "host/messaging/counts.hpp"
#include "host/messaging/envelope.hpp"

namespace skep::host {

// What a full lane does with one message more.
enum class FullPolicy {
    block,        // the sender waits
    reject,       // the sender is told; lane 0 alone
    drop_newest,  // it is accepted and dropped
    drop_oldest,  // the oldest of the lane is dropped for it
};

enum class PushResult {
    accepted,  // queued or, by the lane's policy, dropped; either way counted
    full,      // reject: counted as rejected. block: not counted, and the sender will be unparked
    closed,    // counted as rejected
};

inline constexpr std::uint32_t direct_lane = 0;

class Mailbox {
public:
    // Closed until open(). `direct_bound`: of lane 0, at least 1.
    Mailbox(Clock& clock, std::size_t direct_bound);

    // The one place where the owner sleeps; also unparked by push().
    [[nodiscard]] const std::shared_ptr<Parker>& parker() const { return parker_; }

    // -- Lanes. --

    // The lane of the route `key`, made or changed to this bound (at least 1) and policy.
    std::uint32_t lane(const std::string& key, std::size_t bound, FullPolicy policy);

    void open();
    // Refuses everything from now on; what is queued can still be taken. Senders that wait are
    // woken.
    void close();
    // Counts what is still queued as dead letters and drops it. How many there were.
    std::uint64_t dead_letter_rest();

    // -- Senders. --

    // Moves from `envelope` only when it is accepted. `sender` is remembered when the result is
    // full and the lane blocks; it may be null for lanes that do not.
    [[nodiscard]] PushResult push(Envelope& envelope,
                                  std::uint32_t lane,
                                  const std::shared_ptr<Parker>& sender);
    // The sender gave up waiting for room, because it has to stop.
    void reject_stopping();

    // -- The owner. --

    // Moves up to `max` messages, oldest first, to the end of `out`. They are in flight until they
    // are settled or returned.
    void take(std::vector<Envelope>& out, std::size_t max);
    // Of the messages in flight, `delivered` are finished, and on `failed` of them the worker
    // failed.
    void settle(std::uint64_t delivered, std::uint64_t failed);
    // Puts messages in flight back to the front, in their order; they were not touched.
    void return_untouched(std::vector<Envelope>::iterator first,
                          std::vector<Envelope>::iterator last);

    // -- Anyone. --

    [[nodiscard]] bool is_empty() const;
    [[nodiscard]] FlowCounts counts() const;
    [[nodiscard]] std::size_t queue_high() const;

private:
    struct Lane {
        std::string key;
        std::size_t bound = 0;
        FullPolicy policy = FullPolicy::reject;
        std::size_t queued = 0;
    };

    void drop_oldest_of(std::uint32_t lane) REQUIRES(mutex_);
    [[nodiscard]] std::vector<std::shared_ptr<Parker>> take_waiting() REQUIRES(mutex_);

    // Constant after construction.
    const std::shared_ptr<Parker> parker_;

    mutable Mutex mutex_;
    std::deque<Envelope> queue_ GUARDED_BY(mutex_);  // oldest first, of all lanes
    std::vector<Lane> lanes_ GUARDED_BY(mutex_);
    std::vector<std::shared_ptr<Parker>> waiting_ GUARDED_BY(mutex_);  // senders, for room
    FlowCounts counts_ GUARDED_BY(mutex_);
    std::size_t queue_high_ GUARDED_BY(mutex_) = 0;
    bool is_open_ GUARDED_BY(mutex_) = false;
};

}  // namespace skep::host
