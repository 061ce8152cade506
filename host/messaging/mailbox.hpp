// A mailbox holds the messages that wait for one worker name, and does the accounting of every
// message offered to that name.
//
// It belongs to the name, not to a thread. It outlives every instance of its worker, keeps filling
// while the worker is paused, and its counts continue. It never blocks: a sender that must wait is
// remembered, and woken when there is room.
//
// Messages come in two ways. Most come through rings (ring.hpp): a ring belongs to its sender, and
// the mailbox only knows that the ring is read here. All others come into the queue in this file:
// direct messages, and messages of routes that a ring cannot serve (drop_oldest, or several routes
// between the same two workers). The queue is divided into lanes: lane 0 for direct messages, and
// one lane for each such route. Each lane has its own bound and policy. The order of arrival is
// kept over all lanes together. The Inbox, the owner's side, keeps queue and rings in order.
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

// What a full lane does with another message.
enum class FullPolicy {
    block,        // the sender waits
    reject,       // the sender gets an error; only for lane 0
    drop_newest,  // it is accepted and dropped
    drop_oldest,  // the oldest message of the lane is dropped to make room
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
    // Closed until open(). The owner sleeps at `parker`. `direct_bound` is the bound of lane 0, at
    // least 1.
    Mailbox(std::shared_ptr<Parker> parker, std::size_t direct_bound);

    // The only place where the owner sleeps; also unparked by push().
    [[nodiscard]] const std::shared_ptr<Parker>& parker() const { return parker_; }

    // -- Lanes. --

    // Changes the bound of lane 0. Messages that already wait beyond a smaller bound stay.
    void set_direct_bound(std::size_t bound);
    // Limits the bytes of payloads that wait here, in the queue and all rings together.
    void set_byte_bound(std::uint64_t bound);
    // Returns the budget of the current opening, for the rings of that opening.
    [[nodiscard]] std::shared_ptr<ByteBudget> budget() const;
    // Returns the lane of the route `key`; creates it, or sets its bound (at least 1) and policy.
    std::uint32_t lane(const std::string& key, std::size_t bound, FullPolicy policy);

    // Adds a ring whose reader `reader` is this mailbox. Only while open, and once for each ring.
    void add_ring(std::shared_ptr<Ring> ring, std::uint32_t reader);

    // Opens the mailbox. Returns the number of this opening: 1, 2, 3, ... A ring serves one opening
    // only.
    std::uint64_t open();
    // Refuses all messages from now on; queued messages can still be taken. Wakes waiting senders.
    void close();
    // Refuses all messages to the queue from now on if the mailbox, with its rings, has accepted
    // `accepted` messages and no more. Returns whether it does. close() or reopen_queue() follows.
    [[nodiscard]] bool close_queue_if(std::uint64_t accepted);
    // Undoes close_queue_if().
    void reopen_queue();
    // Returns the number of the current opening; 0 while closed.
    [[nodiscard]] std::uint64_t opening() const;
    // Counts all messages that are still queued as dead letters and drops them. Returns their
    // number.
    std::uint64_t dead_letter_rest();

    // -- Senders. --

    // Queues, drops or refuses a message. Moves from `envelope` only when the message is accepted.
    // `sender` is remembered when the result is full and the lane blocks; it may be null for lanes
    // that do not block.
    [[nodiscard]] PushResult push(Envelope& envelope,
                                  std::uint32_t lane,
                                  const std::shared_ptr<Parker>& sender);
    // Counts a message whose sender gave up waiting for room because it has to stop.
    void reject_stopping();

    // [a ring's sender] Messages can be read from this ring, which was parked.
    void announce(Ring& ring, std::uint32_t reader) override;

    // [a ring's sender] The same for a ring that the owner checks whenever it is awake.
    void wake() override { parker_->unpark(); }

    // -- The owner; see Inbox. --

    // True if the queue holds a message, or a ring was announced.
    [[nodiscard]] bool has_news() const { return news_.load(std::memory_order_acquire) != 0; }

    struct Announced {
        std::shared_ptr<Ring> ring;
        std::uint32_t reader = 0;
    };

    // For a closed mailbox: true if the queue is empty and no ring will bring a message. From then
    // on all offers are refused.
    [[nodiscard]] bool finish();

    // Returns the rings announced since the last call.
    [[nodiscard]] std::vector<Announced> take_announced();

    // Moves up to `max` messages from the queue, oldest first, to the end of `out`, as long as
    // `may_go(sender, sequence)` is true for the next message. The messages are in flight until
    // they are settled or returned. `may_go` must take no lock. Returns false, and takes none,
    // while announced rings wait to be adopted: one of them may hold an earlier message of the next
    // message's sender.
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

    // How many messages ever came into the queue, and how many left it.
    struct Passed {
        std::uint64_t came = 0;
        std::uint64_t left = 0;
    };

    [[nodiscard]] Passed passed() const;
    // Ends the flight of messages from the queue: `delivered` are finished, and the worker failed
    // on `failed`.
    void settle(std::uint64_t delivered, std::uint64_t failed);
    // Puts untouched messages in flight back to the front of the queue, in their order.
    void return_untouched(std::vector<Envelope>::iterator first,
                          std::vector<Envelope>::iterator last);

    // Marks the owner as about to sleep until the next message of the queue unparks it. A full
    // fence and another look at has_news() must follow: senders do the same in the opposite order.
    // Release pairs with the sender's acquire: the sender wakes the owner at its current place.
    void fall_asleep() { is_owner_asleep_.store(true, std::memory_order_release); }

    void wake_up() { is_owner_asleep_.store(false, std::memory_order_relaxed); }

    // -- [any-thread] --

    // True if a worker ever sent a direct message to this one. (Messages of the host do not count.)
    [[nodiscard]] bool was_sent_to() const { return was_sent_to_.load(std::memory_order_relaxed); }

    // Returns the counts of the queue and of all rings that were ever read here.
    [[nodiscard]] FlowCounts counts() const;
    // Returns the high-water mark: the sum of the highest counts of the queue and of each ring.
    [[nodiscard]] std::size_t queue_high() const;

private:
    struct Lane {
        std::string key;
        std::size_t bound = 0;
        FullPolicy policy = FullPolicy::reject;
        std::size_t queued = 0;
    };

    // The bytes that a message takes from the budget: none if the payload could lie in a ring slot.
    static std::uint64_t counted_bytes(const Envelope& envelope) {
        return envelope.payload.size() > inline_bytes ? envelope.payload.size() : 0;
    }

    // Whether one more message has room.
    enum class Room { yes, no, no_bytes };

    // On `yes` the bytes are reserved.
    [[nodiscard]] Room take_room(const Lane& lane, std::uint64_t bytes) REQUIRES(mutex_);
    void put(Envelope& envelope, std::uint32_t lane) REQUIRES(mutex_);
    PushResult refuse(const Lane& lane, const std::shared_ptr<Parker>& sender) REQUIRES(mutex_);
    void drop_oldest_of(std::uint32_t lane) REQUIRES(mutex_);
    [[nodiscard]] FlowCounts count() const REQUIRES(mutex_);
    [[nodiscard]] std::vector<std::shared_ptr<Parker>> take_waiting() REQUIRES(mutex_);
    static void unpark_all(const std::vector<std::shared_ptr<Parker>>& parkers);

    void note_news() REQUIRES(mutex_) {
        // Release pairs with the acquire in has_news().
        news_.store(queue_.size() + announced_.size(), std::memory_order_release);
    }

    // Call after note_news(), without the lock.
    void wake_owner_if_asleep() {
        full_fence();
        if (is_owner_asleep_.load(std::memory_order_acquire)) {
            is_owner_asleep_.store(false, std::memory_order_relaxed);
            parker_->unpark();
        }
    }

    // Adds the final counts of rings that will never change again, and releases those rings.
    void forget_rings_that_are_over() REQUIRES(mutex_);

    // Constant after construction.
    const std::shared_ptr<Parker> parker_;

    mutable Mutex mutex_;
    LazyDeque<Envelope> queue_ GUARDED_BY(mutex_);  // of all lanes, oldest first
    std::vector<Lane> lanes_ GUARDED_BY(mutex_);
    std::vector<std::shared_ptr<Parker>> waiting_ GUARDED_BY(mutex_);  // senders that wait for room
    FlowCounts counts_ GUARDED_BY(mutex_);
    std::size_t queue_high_ GUARDED_BY(mutex_) = 0;
    std::vector<Announced> rings_ GUARDED_BY(mutex_);  // all rings that are read here
    // At this number of rings_, forget those that are over.
    std::size_t sweep_at_ GUARDED_BY(mutex_) = 0;
    std::vector<Announced> announced_ GUARDED_BY(mutex_);  // rings to be looked at again
    std::uint64_t left_ GUARDED_BY(mutex_) = 0;  // messages taken or dropped from the queue
    std::uint64_t openings_ GUARDED_BY(mutex_) = 0;
    bool is_open_ GUARDED_BY(mutex_) = false;
    std::uint64_t byte_bound_ GUARDED_BY(mutex_) = default_byte_bound;
    // Of the current opening, or of the last one.
    std::shared_ptr<ByteBudget> budget_ GUARDED_BY(mutex_);
    std::atomic<std::size_t> news_{0};  // written under mutex_
    std::atomic<bool> is_owner_asleep_{false};
    std::atomic<bool> was_sent_to_{false};  // written under mutex_
};

}  // namespace skep::host
