// The owner's side of a mailbox: one instance of a worker takes its messages here, from the
// mailbox's queue and from the rings. Messages of one sender keep their order, whichever way they
// came. [the owner's thread]
//
// How the order is kept. Each sender numbers all its offers, and at most one ring of each sender is
// read at a time. The inbox examines a batch in its ring first, and the queue after that. The
// second look sees every message that the sender queued before the batch, because those messages
// were queued before the ring's slots were stamped. Therefore:
// - A batch of a ring is taken when the queue is empty, or has handed out all messages that it held
//   when the batch was examined.
// - A message of the queue waits until its sender's ring holds no message with a lower number.
// Neither starves the other: a batch is at most 64 messages, and the queue is bounded.
//
// Rings that hold messages are active, and the inbox looks at them in turn. All other rings are
// parked, and their senders announce them to the mailbox: 10,000 quiet routes cost nothing. A few
// rings may stay active while the owner sleeps: two workers that answer each other then need no
// announcements.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include <skep/abi.h>

#include "host/messaging/mailbox.hpp"
#include "host/messaging/ring_reader.hpp"

namespace skep::host {

// The messages found by one take(), as views for a plugin.
class MessageBatch {
public:
    [[nodiscard]] std::uint32_t size() const { return count_; }

    [[nodiscard]] skep_message* begin() { return views_.data(); }

    [[nodiscard]] skep_message* end() { return begin() + count_; }

    [[nodiscard]] const skep_message& operator[](std::uint32_t index) const {
        return views_[index];
    }

    // Precondition: size() < batch_max.
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

    // Sets whether the owner is a worker of a pool, which runs in turns. Such a worker fences once,
    // at the end of each turn. After that fence it wakes senders that wait for room, see
    // wake_senders(), and it falls asleep in separate steps. Call between two turns.
    void set_in_turns(bool is_in_turns) { is_in_turns_ = is_in_turns; }

    // Takes up to `max` (at most batch_max) messages and puts views of them into `views`. The
    // messages are in flight until settle(), which must come before the next take(). Returns false
    // when no message waits.
    bool take(MessageBatch& views, std::uint32_t max);

    // Returns how many messages are in flight.
    [[nodiscard]] std::uint32_t in_flight() const { return in_flight_; }

    // True if all messages in flight come from one ring.
    [[nodiscard]] bool is_reading_a_ring() const { return source_ != nullptr; }

    // Ends the flight of all messages: the first `finished` are done, the worker failed on the next
    // `failed`, and the rest goes back.
    void settle(std::uint32_t finished, std::uint32_t failed);

    // The memory of messages that were in flight when their reader was abandoned: it may read them
    // for ever.
    struct InHand {
        std::shared_ptr<Ring> ring;  // null: the messages came from the queue
        std::vector<Envelope> envelopes;
        std::vector<std::unique_ptr<char[]>> lent;
    };

    // Ends the flight of all messages as failed, for a reader that still uses them. [the next
    // owner]
    [[nodiscard]] InHand abandon();

    // The metadata of a message: one in flight, kept or just made. [any-thread, during its
    // lifetime]
    struct Facts {
        const std::string* sender = nullptr;
        const std::string* output = nullptr;  // of the sender; null for a direct message
        const std::string* content_type = nullptr;
        std::uint64_t sequence = 0;
        Nanos time{0};
        std::uint64_t trace_id = 0;
    };

    // True if `view` may be a view of this inbox. The host checks a view from a plugin with this
    // before it follows the view's pointers.
    [[nodiscard]] bool is_view(const skep_message& view) const;
    [[nodiscard]] Facts facts_of(const skep_message& view) const;
    // Returns the payload: a reference to the same bytes, or a copy if they lie in a slot. Throws
    // std::bad_alloc.
    [[nodiscard]] PayloadRef payload_of(const skep_message& view) const;
    // Returns a view of `envelope`, which must outlive the view.
    [[nodiscard]] static skep_message view_of(const Envelope& envelope);
    // Returns a view of an envelope that the plugin keeps and must release.
    [[nodiscard]] static skep_message kept_view_of(const Envelope& envelope);
    [[nodiscard]] static bool is_kept(const skep_message& view);

    // True if the ring that is next in turn holds more than `count` messages.
    [[nodiscard]] bool has_more_than(std::uint32_t count) const {
        return !active_.empty() &&
               active_[turn_ + 1 < active_.size() ? turn_ + 1 : 0]->has_more_than(count);
    }

    // True if take() would find a message. Cheap: callers poll it.
    [[nodiscard]] bool has_news();

    // For a closed mailbox: true if it holds no message and will never get one. (An announced ring
    // may be empty again; no later message would then wake the owner.)
    [[nodiscard]] bool finish() { return !has_at_hand() && mailbox_->finish(); }

    // Prepares the owner to sleep until the next message unparks it. Returns false when a message
    // is there already: the owner must not sleep.
    [[nodiscard]] bool fall_asleep() {
        if (has_news()) {
            return false;
        }
        begin_sleep();
        fence_heavily();
        return may_sleep();
    }

    // The three parts of fall_asleep(), in this order. may_sleep() must follow the others, and
    // returns false when a message is there.
    void begin_sleep();
    void fence_heavily() const;  // also a full fence
    [[nodiscard]] bool may_sleep();

    // Must follow the sleep after may_sleep() returned true.
    void wake_up();

    // In turns: wakes a sender that waits for room. Call after the fence at the end of the turn.
    void wake_senders() {
        if (taken_from_ != nullptr) {
            std::exchange(taken_from_, nullptr)->ring().wake_sender_if_it_waits();
        }
    }

private:
    // A batch that was examined, and waits for the messages that the queue held then.
    struct GrantedBatch {
        RingReader* cursor = nullptr;
        std::uint64_t limit = 0;  // the end of the batch
        // The batch can be taken once this many messages have left the queue.
        std::uint64_t queue_until = 0;
    };

    // Under AddressSanitizer a plugin reads copies, each in its own memory until settle(). This
    // finds reads beyond the message or after the call. `views` are views of slots.
    void lend_copies(MessageBatch& views);

    // True if a message is in an active ring.
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
    // Fills `views` with the next messages of a ring. They are not taken yet.
    void show(RingReader& cursor,
              MessageBatch& views,
              std::uint32_t max,
              std::uint64_t below_sequence);
    bool take_shown(RingReader& cursor, MessageBatch& views);
    // Of all rings of this sender, returns the one whose next message is the oldest, if that
    // message is older than `below_sequence`. (A sender has several rings here after a topology
    // change: it left all but the newest for good.)
    [[nodiscard]] RingReader* eldest_of(const std::string* sender, std::uint64_t below_sequence);

    const std::shared_ptr<Mailbox> mailbox_;
    bool is_in_turns_ = false;
    std::vector<std::unique_ptr<RingReader>> cursors_;
    std::size_t sweep_at_ = 0;  // at this number of cursors_, remove those whose ring is over
    std::vector<RingReader*> active_;
    std::size_t turn_ = 0;     // index in active_ of the ring whose turn it is
    bool has_elders_ = false;  // some sender has several rings here
    GrantedBatch grant_;

    // The messages in flight: all from one ring, or all from the queue.
    std::uint32_t in_flight_ = 0;
    RingReader* source_ = nullptr;      // null: the queue
    RingReader* taken_from_ = nullptr;  // in turns: the ring whose sender may wait for room
    std::vector<Envelope> envelopes_;
    std::vector<std::unique_ptr<char[]>> lent_;
};

}  // namespace skep::host
