// A mailbox: all that waits for one worker name, and the books over everything that passes it.
//
// It belongs to the name, not to a thread: it outlives every generation of its worker, keeps
// filling while the worker is paused, and its counts go on. It never blocks: a sender that has to
// wait is told so, is remembered, and is woken when there is room.
//
// Messages come in two ways. Most come by rings (ring.hpp): a ring belongs to its sender, and the
// mailbox only knows that it is read here. All others come into the queue that is in this file:
// whatever is sent directly, and what travels on routes that a ring cannot serve (drop_oldest, or
// several routes between the same two workers). The queue is divided into lanes, lane 0 for what is
// sent directly and one for each such route. A lane has a bound and a policy of its own; the order
// of arrival is kept over all of them together. What keeps queue and rings in order is the Inbox,
// the owner's side.
//
//   push, reject_stopping, announce   [any-thread]
//   take_queued .. wake_up            [the owner's thread]
//   open, close, lane, add_ring       [manager-thread]
//
// It knows no routes and no workers, keeps no message that was taken, and has no priorities.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "host/base/clock.hpp"
#include "host/base/lazy_deque.hpp"
#include "host/base/mutex.hpp"
#include "host/messaging/counts.hpp"
#include "host/messaging/envelope.hpp"
#include "host/messaging/ring.hpp"

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
inline constexpr std::uint64_t default_byte_bound = std::uint64_t{64} << 20;

class Mailbox final : public RingReaderHome {
public:
    // Closed until open(). `parker`: where the owner sleeps. `direct_bound`: of lane 0, at least 1.
    Mailbox(std::shared_ptr<Parker> parker, std::size_t direct_bound);

    // The one place where the owner sleeps; also unparked by push().
    [[nodiscard]] const std::shared_ptr<Parker>& parker() const { return parker_; }

    // -- Lanes. --

    // What waits beyond a smaller bound stays.
    void set_direct_bound(std::size_t bound);
    // How many bytes of payloads may wait here, in the queue and all rings together.
    void set_byte_bound(std::uint64_t bound);
    // Of the present opening, for the rings of it.
    [[nodiscard]] std::shared_ptr<ByteBudget> budget() const;
    // The lane of the route `key`, made or changed to this bound (at least 1) and policy.
    std::uint32_t lane(const std::string& key, std::size_t bound, FullPolicy policy);

    // A ring whose reader `reader` is this mailbox. Only while it is open, and once.
    void add_ring(std::shared_ptr<Ring> ring, std::uint32_t reader);

    // Returns the number of this opening: 1, 2, 3, ... Rings serve one opening only.
    std::uint64_t open();
    // Refuses everything from now on; what is queued can still be taken. Senders that wait are
    // woken.
    void close();
    // Of the present opening; 0 while it is closed.
    [[nodiscard]] std::uint64_t opening() const;
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

    // [a ring's sender] Something can be read from this ring, which was parked.
    void announce(Ring& ring, std::uint32_t reader) override;

    // [a ring's sender] The same for a ring that the owner looks at by itself.
    void wake() override { parker_->unpark(); }

    // -- The owner; see Inbox. --

    // Whether there is anything in the queue, or any ring to be looked at again.
    [[nodiscard]] bool has_news() const { return news_.load(std::memory_order_acquire) != 0; }

    struct Announced {
        std::shared_ptr<Ring> ring;
        std::uint32_t reader = 0;
    };

    // Closed: whether nothing is in the queue, and nothing will come from a ring either. From then
    // on all that is offered is refused.
    [[nodiscard]] bool finish();

    // The rings that have been announced since.
    [[nodiscard]] std::vector<Announced> take_announced();

    // Moves up to `max` messages from the queue, oldest first, to the end of `out`, as long as
    // `may_go(sender, sequence)` is true of the next. They are in flight until they are settled or
    // returned. `may_go` takes no lock. False, and none is taken, while rings wait to be looked at:
    // one of them may hold what the sender of the next message sent before it.
    template <typename MayGo>
    [[nodiscard]] bool take_queued(std::vector<Envelope>& out, std::size_t max, MayGo&& may_go) {
        std::vector<std::shared_ptr<Parker>> woken;
        std::shared_ptr<ByteBudget> budget;
        std::uint64_t bytes = 0;
        {
            MutexLock lock(mutex_);
            if (!announced_.empty()) {
                return false;
            }
            std::size_t taken = 0;
            while (taken < max && bytes < batch_max_bytes && !queue_.empty() &&
                   may_go(queue_.front().sender, queue_.front().sequence)) {
                --lanes_[queue_.front().lane].queued;
                bytes += counted_bytes(queue_.front());
                out.push_back(std::move(queue_.front()));
                queue_.pop_front();
                ++taken;
            }
            if (taken == 0) {
                return true;
            }
            counts_.queued -= taken;
            counts_.in_flight += taken;
            left_ += taken;
            note_news();
            woken = take_waiting();
            budget = bytes > 0 ? budget_ : nullptr;
        }
        unpark_all(woken);
        if (budget != nullptr) {
            budget->release(bytes);
        }
        return true;
    }

    // How many messages have ever come into the queue, and how many have left it.
    struct Passed {
        std::uint64_t came = 0;
        std::uint64_t left = 0;
    };

    [[nodiscard]] Passed passed() const;
    // Of the messages in flight from the queue, `delivered` are finished, and on `failed` of them
    // the worker failed.
    void settle(std::uint64_t delivered, std::uint64_t failed);
    // Puts messages in flight back to the front, in their order; they were not touched.
    void return_untouched(std::vector<Envelope>::iterator first,
                          std::vector<Envelope>::iterator last);

    // The owner is about to sleep and shall be unparked for the next message of the queue. A full
    // fence and another look at has_news() have to follow: senders do the same the other way round.
    // Release pairs with the acquire of the sender: it wakes the owner where that is now.
    void fall_asleep() { is_owner_asleep_.store(true, std::memory_order_release); }

    void wake_up() { is_owner_asleep_.store(false, std::memory_order_relaxed); }

    // -- Anyone. --

    // Whether a worker has ever sent a message directly to this one. (The host's own do not count.)
    [[nodiscard]] bool was_sent_to() const { return was_sent_to_.load(std::memory_order_relaxed); }

    // The queue and all rings that were ever read here.
    [[nodiscard]] FlowCounts counts() const;
    // The most that ever waited: of the queue and each ring at its own worst time, together.
    [[nodiscard]] std::size_t queue_high() const;

private:
    struct Lane {
        std::string key;
        std::size_t bound = 0;
        FullPolicy policy = FullPolicy::reject;
        std::size_t queued = 0;
    };

    // What a message takes of the budget: nothing if it could lie in a slot of a ring.
    static std::uint64_t counted_bytes(const Envelope& envelope) {
        return envelope.payload.size() > inline_bytes ? envelope.payload.size() : 0;
    }

    // Room for one message more.
    enum class Room { yes, no, no_bytes };

    // yes: the bytes are taken.
    [[nodiscard]] Room take_room(const Lane& lane, std::uint64_t bytes) REQUIRES(mutex_);
    void put(Envelope& envelope, std::uint32_t lane) REQUIRES(mutex_);
    PushResult refuse(const Lane& lane, const std::shared_ptr<Parker>& sender) REQUIRES(mutex_);
    void drop_oldest_of(std::uint32_t lane) REQUIRES(mutex_);
    [[nodiscard]] std::vector<std::shared_ptr<Parker>> take_waiting() REQUIRES(mutex_);
    static void unpark_all(const std::vector<std::shared_ptr<Parker>>& parkers);

    void note_news() REQUIRES(mutex_) {
        // Release pairs with the acquire in has_news().
        news_.store(queue_.size() + announced_.size(), std::memory_order_release);
    }

    // After note_news(), without the lock.
    void wake_owner_if_asleep() {
        full_fence();
        if (is_owner_asleep_.load(std::memory_order_acquire)) {
            is_owner_asleep_.store(false, std::memory_order_relaxed);
            parker_->unpark();
        }
    }

    // Those that will never change any more are counted for good and let go.
    void forget_rings_that_are_over() REQUIRES(mutex_);

    // Constant after construction.
    const std::shared_ptr<Parker> parker_;

    mutable Mutex mutex_;
    LazyDeque<Envelope> queue_ GUARDED_BY(mutex_);  // oldest first, of all lanes
    std::vector<Lane> lanes_ GUARDED_BY(mutex_);
    std::vector<std::shared_ptr<Parker>> waiting_ GUARDED_BY(mutex_);  // senders, for room
    FlowCounts counts_ GUARDED_BY(mutex_);
    std::size_t queue_high_ GUARDED_BY(mutex_) = 0;
    std::vector<Announced> rings_ GUARDED_BY(mutex_);      // all that are read here
    std::size_t sweep_at_ GUARDED_BY(mutex_) = 0;          // this many: look for some that are over
    std::vector<Announced> announced_ GUARDED_BY(mutex_);  // and those to be looked at again
    std::uint64_t left_ GUARDED_BY(mutex_) = 0;            // the queue: taken or dropped
    std::uint64_t openings_ GUARDED_BY(mutex_) = 0;
    bool is_open_ GUARDED_BY(mutex_) = false;
    std::uint64_t byte_bound_ GUARDED_BY(mutex_) = default_byte_bound;
    std::shared_ptr<ByteBudget> budget_ GUARDED_BY(mutex_);  // of the present opening, or the last
    std::atomic<std::size_t> news_{0};                       // written under mutex_
    std::atomic<bool> is_owner_asleep_{false};
    std::atomic<bool> was_sent_to_{false};  // written under mutex_
};

}  // namespace skep::host
