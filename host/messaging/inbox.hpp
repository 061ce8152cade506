// The owner's side of a mailbox: one generation of a worker takes its messages here, from the
// mailbox's queue and from the rings, in an order that keeps what one sender sent in order however
// it was sent. [the owner's thread]
//
// How that is done. All that one sender offers is numbered, and from one sender at most one ring is
// read at a time. A batch is looked at in its ring first and in the queue after that: whatever the
// sender had queued before is seen then, because it came before the ring's stamps. So
//   - a batch of a ring is taken when the queue is empty, or has handed out all that it held when
//     the batch was looked at;
//   - a message of the queue waits until its sender's ring holds nothing with a lower number.
// Neither starves the other: a batch is at most 64 messages, and the queue is bounded.
//
// Rings that have something are active, and looked at in turn. All others are parked, and announced
// to the mailbox by their senders: 10,000 quiet routes cost nothing. A few may stay active while
// the owner sleeps: between two workers that talk to each other nothing needs to be announced.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include <skep/abi.h>

#include "host/messaging/mailbox.hpp"
#include "host/messaging/ring_reader.hpp"

namespace skep::host {

// The messages that one take() has found, as a plugin gets to see them.
class MessageBatch {
public:
    [[nodiscard]] std::uint32_t size() const { return count_; }

    [[nodiscard]] skep_message* begin() { return views_.data(); }

    [[nodiscard]] skep_message* end() { return begin() + count_; }

    [[nodiscard]] const skep_message& operator[](std::uint32_t index) const {
        return views_[index];
    }

    // Not when there are batch_max.
    void push_back(const skep_message& view) { views_[count_++] = view; }

    void keep_first(std::uint32_t count) { count_ = count; }

    void clear() { count_ = 0; }

private:
    std::uint32_t count_ = 0;
    std::array<skep_message, batch_max> views_;  // undefined from count_ on
};

class Inbox {
public:
    explicit Inbox(std::shared_ptr<Mailbox> mailbox)
        : mailbox_(std::move(mailbox)) {}

    // A worker of a pool is in turns: it fences once a turn, at its end. Senders that wait for room
    // are told then, see wake_senders(), and it falls asleep in two steps. Between two turns.
    void set_in_turns(bool is_in_turns) { is_in_turns_ = is_in_turns; }

    // Takes up to `max` (at most batch_max) messages and puts views of them into `views`. They are
    // in flight until settle(), which comes before the next take(). False when there is none.
    bool take(MessageBatch& views, std::uint32_t max);

    // How many are in flight.
    [[nodiscard]] std::uint32_t in_flight() const { return in_flight_; }

    // Whether they are all of one ring.
    [[nodiscard]] bool is_reading_a_ring() const { return source_ != nullptr; }

    // Of the messages in flight, the first `finished` are done, on the next `failed` the worker
    // failed, and the rest goes back.
    void settle(std::uint32_t finished, std::uint32_t failed);

    // What a message says of itself: one in flight, kept or just made. [any-thread, while it is]
    struct Facts {
        const std::string* sender = nullptr;
        const std::string* output = nullptr;  // of the sender; null: it was sent directly
        const std::string* content_type = nullptr;
        std::uint64_t sequence = 0;
        Nanos time{0};
        std::uint64_t trace_id = 0;
    };

    // Whether it may be one: what a plugin hands in is looked at before it is followed.
    [[nodiscard]] bool is_view(const skep_message& view) const;
    [[nodiscard]] Facts facts_of(const skep_message& view) const;
    // Its payload: the same bytes, or a copy of those that lie in a slot. Throws std::bad_alloc.
    [[nodiscard]] PayloadRef payload_of(const skep_message& view) const;
    // A view of `envelope`, which lives as long as the view.
    [[nodiscard]] static skep_message view_of(const Envelope& envelope);
    // The same of one that its plugin has kept, and has to release.
    [[nodiscard]] static skep_message kept_view_of(const Envelope& envelope);
    [[nodiscard]] static bool is_kept(const skep_message& view);

    // Whether the ring whose turn is next holds more than `count` messages.
    [[nodiscard]] bool has_more_than(std::uint32_t count) const {
        return !active_.empty() &&
               active_[turn_ + 1 < active_.size() ? turn_ + 1 : 0]->has_more_than(count);
    }

    // Whether take() would find something. Cheap: for those who wait by asking.
    [[nodiscard]] bool has_news();

    // The mailbox is closed: whether there is nothing, and never will be. (A ring that has been
    // announced may have nothing any more: that is no message which would wake the owner again.)
    [[nodiscard]] bool finish() { return !has_at_hand() && mailbox_->finish(); }

    // The owner is about to sleep, to be unparked for the next message. False when there is one.
    [[nodiscard]] bool fall_asleep() {
        if (has_news()) {
            return false;
        }
        begin_sleep();
        fence_heavily();
        return may_sleep();
    }

    // The three parts of fall_asleep(). The last has to follow, and is false when there is a
    // message.
    void begin_sleep();
    void fence_heavily() const;  // it is a full fence, too
    [[nodiscard]] bool may_sleep();

    // After may_sleep() was true.
    void wake_up();

    // In turns: tells a sender that waits for room, after the fence at the end of the turn.
    void wake_senders() {
        if (taken_from_ != nullptr) {
            std::exchange(taken_from_, nullptr)->ring().wake_sender_if_it_waits();
        }
    }

private:
    struct GrantedBatch {  // a batch that was looked at, and waits for what the queue held then
        RingReader* cursor = nullptr;
        std::uint64_t limit = 0;        // its end
        std::uint64_t queue_until = 0;  // how many have to have left the queue
    };

    // Under AddressSanitizer a plugin gets to read copies, each in memory of its own until
    // settle(), so that a read beyond the message, or after the call, is found. MessageBatch of slots.
    void lend_copies(MessageBatch& views);

    // In the rings that it looks at.
    [[nodiscard]] bool has_at_hand();
    bool adopt_announced();
    [[nodiscard]] RingReader* next_with_something();
    bool take_granted(MessageBatch& views, std::uint32_t max);
    bool take_queued(MessageBatch& views, std::uint32_t max);
    bool take_of(RingReader& cursor,
                 MessageBatch& views,
                 std::uint32_t max,
                 std::uint64_t limit,
                 std::uint64_t below_sequence);
    // MessageBatch of the next messages of a ring, which are not taken yet.
    void show(RingReader& cursor,
              MessageBatch& views,
              std::uint32_t max,
              std::uint64_t below_sequence);
    bool take_shown(RingReader& cursor, MessageBatch& views);
    // Of all rings of this sender the one whose next message is the oldest, if that is older than
    // `below_sequence`. (It has several when the topology has changed: it has left the others for
    // the newest, each for good.)
    [[nodiscard]] RingReader* eldest_of(const std::string* sender, std::uint64_t below_sequence);

    const std::shared_ptr<Mailbox> mailbox_;
    bool is_in_turns_ = false;
    std::vector<std::unique_ptr<RingReader>> cursors_;
    std::size_t sweep_at_ = 0;  // this many cursors_: look for some that are over
    std::vector<RingReader*> active_;
    std::size_t turn_ = 0;     // whose it is, in active_
    bool has_elders_ = false;  // some sender has two rings here
    GrantedBatch grant_;

    // What is in flight: of one ring, or from the queue.
    std::uint32_t in_flight_ = 0;
    RingReader* source_ = nullptr;      // null: the queue
    RingReader* taken_from_ = nullptr;  // in turns: its sender may wait for room
    std::vector<Envelope> envelopes_;
    std::vector<std::unique_ptr<char[]>> lent_;
};

}  // namespace skep::host
