// A ring: the way of messages from one output of one sender to all who read it.
//
// The topology says who sends on a route, so a route needs no lock: the sender writes each message
// once, into the next slot, and each reader goes through the slots at a pace of its own. Nothing
// else is written by two threads. A slot says by itself which message it holds (its stamp), so a
// reader that waits for the next message looks at the very cache line that brings it. (One producer
// and slots that carry their own state: FastForward, Giacomoni et al., PPoPP 2008. Many readers,
// each with a cursor: the LMAX Disruptor.)
//
//   sender   claim(), fill the slot, publish()       [the sender's thread]
//   reader   RingReader, in ring_cursor.hpp          [the reader's thread]
//   close, seal, counts                              [see each]
//
// A slot is used again when every reader is done with it. The bound of the route is kept for each
// reader by itself: no reader ever has more than `bound` messages waiting. Readers that have been
// closed count no more.
//
// Memory grows with what is needed: a ring begins empty and is enlarged by its sender, up to the
// bound and one batch for each reader, when there is no slot to use again.
//
// Sleeping. A reader that wants no more looks parks: it says so here, and the next publish() wakes
// it, once. One that parks away is also announced to its mailbox: it does not look here again until
// then, so 10,000 quiet rings cost it nothing. One that parks in place looks here when it is awake.
// Which access pairs with which:
//
//   publish()                               park() by the reader
//   P1 slot.stamp.store(release)            R1 parked.store(relaxed); attention.store(release)
//   P2 fence.light()                        R2 fence.heavy()
//   P3 attention.load(relaxed)              R3 slot.stamp.load(acquire)
//
//   By fence.hpp either P3 sees R1, or R3 sees P1. If P3 sees R1, attend() takes the mark away with
//   an exchange (acquire, pairs with R1's release, so it sees `parked` too), and announces the
//   reader to its mailbox, which wakes it. If R3 sees P1 the reader does not sleep. A mark set
//   after the exchange stays for the next publish(), and that reader's R3 sees this message.
//
//   A sender on a pool fences once for all that it has published in a turn: P2 and P3 come at the
//   end of the turn. Who is seen to sleep before that is woken at once; see attend_later().
//
//   a sender without room                   a reader that has taken a batch
//   S1 sender_waits.store(relaxed)          T1 taken.store(release)
//   S2 fence.heavy()                        T2 fence.light()
//   S3 taken.load(acquire)                  T3 sender_waits.load(relaxed)
//
//   The same: S3 sees T1, or T3 sees S1. A reader that sees S1 wakes the sender if there is as much
//   room as it wants, and leaves it to a later batch, its own or another reader's, if there is not.
//   The last of them finds enough: readers put a full fence between their own T1 and their look at
//   the others, so of two at once one sees both. (A sender that wants half of the room asks for any
//   room at all after a moment: a reader that takes one message and then waits for something else
//   must not leave it asleep.)
//
// The end of a reader. A sender may claim before a close and publish long after it. So that nothing
// is accepted and then read by nobody, the two agree on the last message:
//
//   publish()                               close(), then finish() by the reader
//   E1 written.store(relaxed)               F1 have_readers_changed.store(release)
//   E2 have_readers_changed.load(relaxed)   F2 membarrier
//   E3 full fence                           F3 written.load: something came: not finished
//   E4 finished_at: this message, refused   F4 finished_at.store(taken), full fence
//                                           F5 written.load: came: finished_at = never
//
//   What F3 does not see comes to E3, for E2 sees F1. What F5 does not see finds in E4 that its
//   reader has finished just before it, and is refused: that reader reads nothing more, though it
//   may see the message's stamp. What F5 sees is read if F5 can change finished_at, and refused if
//   E4 did so first.
//   (A kernel without membarrier may let a message that crosses the close become a dead letter.)
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "host/base/clock.hpp"
#include "host/base/fence.hpp"
#include "host/base/mutex.hpp"
#include "host/messaging/counts.hpp"
#include "host/messaging/reader_state.hpp"
#include "host/messaging/ring_slot.hpp"

namespace skep::host {

// The most that a reader takes at once: messages, and bytes unless it is one message.
inline constexpr std::uint32_t batch_max = 64;
inline constexpr std::uint64_t batch_max_bytes = std::uint64_t{16} << 20;

class Ring : public std::enable_shared_from_this<Ring> {
public:
    struct Spec {
        const std::string* sender = nullptr;        // of the NamePool
        const std::string* output = nullptr;        // of it, likewise
        const std::string* content_type = nullptr;  // what the messages carry that say nothing else
        std::size_t bound = 1;                      // for each reader
        bool drops_newest = false;                  // else the sender waits; then one reader alone
        Fence fence{Fence::Cost::asymmetric};
        std::shared_ptr<Parker> sender_parker;
    };

    using Reader = ReaderState;
    using ReaderSpec = ReaderState::Spec;
    using Parked = ReaderState::Parked;

    Ring(Spec spec, const std::vector<ReaderSpec>& readers);
    ~Ring();
    Ring(const Ring&) = delete;
    Ring& operator=(const Ring&) = delete;

    // -- The sender. --

    // The slot for the next message, or null: is_closed(), or there is no room. What the slot held
    // before goes to `cache`.
    [[nodiscard]] RingSlot* claim(PayloadCache& cache) {
        // The slot is not read: its line is with a reader, and would have to come here twice.
        return is_straight() || find_slot(cache) ? &claim_straight() : nullptr;
    }

    // Whether the next claim() has nothing to look at: there is room, and everyone reads.
    [[nodiscard]] bool is_straight() const {
        return straight_ > 0 && !have_readers_changed_.load(std::memory_order_relaxed);
    }

    // Whether a message can lie in a slot with all that it has to say.
    [[nodiscard]] bool is_plain(std::uint64_t size,
                                const std::string* content_type,
                                std::uint64_t trace_id) const {
        return size <= inline_bytes && content_type == spec_.content_type && trace_id == 0;
    }

    // Takes room for the payload of the next message, if it is a shared one, with all readers; the
    // message has to be published then. False when a reader has too many bytes waiting.
    [[nodiscard]] bool reserve(std::uint64_t bytes) {
        if (unreported_ + bytes >= report_bytes) {
            return report(unreported_ + bytes);
        }
        unreported_ += static_cast<std::uint32_t>(bytes);
        return true;
    }

    // The payload of the message in the slot of claim() is a shared one.
    void hold(RingSlot& slot, RingSlot::Shared shared) {
        if (!has_payloads()) {
            has_payloads_.store(true, std::memory_order_relaxed);  // seen with the first message
        }
        slots_->hold(slot, std::move(shared));
        straight_ = 1;
    }

    // The slot of claim() is filled: it can be read from now on. Who sleeps is told by attend().
    void publish(RingSlot& slot) {
        if (closed_ > 0) {
            count_rejected_closed();
        }
        stamp(slot);
        end_publish();
    }

    // The same two, when is_straight(). publish_straight() is false when there is something to do
    // before attend() is: end_publish().
    [[nodiscard]] RingSlot& claim_straight() {
        // Asks for the line of a later message: by itself the core asks as it stores, and waits.
        if (straight_ > slots_ahead) {
            prefetch_to_write(next_ + slots_ahead);
        }
        return *next_;
    }

    [[nodiscard]] bool publish_straight(RingSlot& slot) {
        stamp(slot);
        std::atomic_signal_fence(std::memory_order_seq_cst);
        return !have_readers_changed_.load(std::memory_order_relaxed) && !has_sleepers();
    }

    // E2.
    void end_publish() {
        std::atomic_signal_fence(std::memory_order_seq_cst);
        if (have_readers_changed_.load(std::memory_order_relaxed)) {
            refuse_for_finished(written() - 1);
        }
    }

    // P2, P3.
    void attend() {
        spec_.fence.light();
        answer_sleepers();
    }

    // Wakes whoever is seen to sleep; P2 and end_attend_later() have to follow, soon. True when
    // that was not so already.
    [[nodiscard]] bool attend_later() {
        answer_sleepers();
        return !std::exchange(is_unattended_, true);
    }

    [[nodiscard]] bool is_unattended() const { return is_unattended_; }

    // P3.
    void end_attend_later() {
        is_unattended_ = false;
        answer_sleepers();
    }

    // Whether claim() would find a slot, or something else than before.
    [[nodiscard]] bool has_room() {
        return written() != limit_ || have_readers_changed_.load(std::memory_order_relaxed) ||
               make_room();
    }

    // Whether the next attend() will wake someone.
    [[nodiscard]] bool has_sleepers() const {
        return attention_.load(std::memory_order_relaxed) != 0;
    }

    [[nodiscard]] std::uint32_t open_readers() const { return reader_count_ - closed_; }

    // Nobody takes any more, as far as the last claim() has seen.
    [[nodiscard]] bool is_closed() const { return closed_ == reader_count_; }

    [[nodiscard]] bool drops_newest() const { return spec_.drops_newest; }

    // A message that was offered and not published, because there was no room, all are closed, or
    // the sender has to stop.
    void count_dropped();
    void count_rejected_closed();
    void count_rejected_stopping();

    // How much room a sender that sleeps wants before it is woken.
    enum class Wake : std::uint8_t { never, at_half, at_once };

    // S1 to S3: says that the sender is about to sleep until there is room. False when there is
    // some, or the readers have changed: it must not sleep.
    [[nodiscard]] bool wait_for_room(Wake wanted);

    // The same when reserve() has found no room: see ByteBudget::wait().
    [[nodiscard]] bool wait_for_bytes(std::uint64_t bytes);

    // It was woken, for this or another reason.
    void stop_waiting() { sender_waits_.store(Wake::never, std::memory_order_relaxed); }

    // Hands payloads that everyone is done with to `cache`.
    void reclaim(PayloadCache& cache);

    // No message will come any more. Also by whoever lets go of the last table that has it.
    void seal() { is_sealed_.store(true, std::memory_order_release); }

    // -- Readers, for RingReader. --

    // Null until the first message.
    [[nodiscard]] RingBuffer* first_buffer() const {
        return first_.load(std::memory_order_acquire);
    }

    // T1.
    void set_taken(std::uint32_t reader, std::uint64_t position) {
        readers_[reader].taken.store(position, std::memory_order_release);
    }

    void set_done(std::uint32_t reader, std::uint64_t position, std::uint64_t failed) {
        readers_[reader].failed.store(failed, std::memory_order_relaxed);
        readers_[reader].done.store(position, std::memory_order_release);
    }

    // Whether any message up to one that has been seen had a shared payload, and how many bytes of
    // those, from the first on, the budgets of the readers know of.
    [[nodiscard]] bool has_payloads() const {
        return has_payloads_.load(std::memory_order_relaxed);
    }

    [[nodiscard]] std::uint64_t reported() const {
        return reported_.load(std::memory_order_relaxed);
    }

    [[nodiscard]] ByteBudget* budget(std::uint32_t reader) const {
        return readers_[reader].spec.budget.get();
    }

    // T3, after T2.
    void wake_sender_if_it_waits() {
        if (sender_waits_.load(std::memory_order_relaxed) != Wake::never) {
            wake_sender();
        }
    }

    // R1. R2 and R3 are the caller's, once for all its rings.
    void park(std::uint32_t reader, Parked how) {
        readers_[reader].parked.store(how, std::memory_order_relaxed);
        attention_.store(1, std::memory_order_release);
    }

    // How the reader was parked; `no` when its mark has been answered.
    Parked unpark(std::uint32_t reader) {
        return readers_[reader].parked.exchange(Parked::no, std::memory_order_acq_rel);
    }

    // For one that has parked in place: it is awake, whoever woke it.
    void unpark_in_place(std::uint32_t reader) {
        readers_[reader].parked.store(Parked::no, std::memory_order_relaxed);
    }

    // Messages from here on, though their stamps may have been seen before, are not for this closed
    // reader: the sender has said so before it published, or refuses them as it has finished.
    [[nodiscard]] std::uint64_t end_of(std::uint32_t reader) const {
        const Reader& it = readers_[reader];
        return std::min(it.end.load(std::memory_order_relaxed),
                        it.finished_at.load(std::memory_order_relaxed) & ~refused);
    }

    // The generation that read here has ended, or was given up for lost.
    [[nodiscard]] bool is_dead_lettered(std::uint32_t reader) const {
        return readers_[reader].is_dead_lettered.load(std::memory_order_acquire);
    }

    [[nodiscard]] bool is_sealed() const { return is_sealed_.load(std::memory_order_acquire); }

    [[nodiscard]] const std::string* sender() const { return spec_.sender; }

    [[nodiscard]] const std::string* output() const { return spec_.output; }

    [[nodiscard]] const std::string* content_type() const { return spec_.content_type; }

    [[nodiscard]] std::uint32_t port(std::uint32_t reader) const {
        return readers_[reader].spec.port;
    }

    [[nodiscard]] const Fence& fence() const { return spec_.fence; }

    // Whatever the reader wants to find again when it is announced; null at first.
    [[nodiscard]] class RingReader*& cursor(std::uint32_t reader) {
        return readers_[reader].cursor;
    }

    // -- [any-thread] --

    // Takes no more for this reader; what waits can still be read.
    void close(std::uint32_t reader);
    // Whether a closed reader will find nothing any more. [the reader's thread]
    [[nodiscard]] bool is_finished(std::uint32_t reader) const;
    // The same, made so: F3 to F5, after F2. False only when there is a message to take: whoever
    // sleeps then is woken for it. [the reader's thread]
    [[nodiscard]] bool finish(std::uint32_t reader);
    // What still waits for this closed reader, whose thread has ended, becomes dead letters. How
    // many.
    std::uint64_t dead_letter_rest(std::uint32_t reader);

    [[nodiscard]] FlowCounts counts(std::uint32_t reader) const;
    // The most that ever waited.
    [[nodiscard]] std::size_t queue_high(std::uint32_t reader) const;
    // Sealed, and this reader will never have anything to do with it any more.
    [[nodiscard]] bool is_over(std::uint32_t reader) const;

private:
    void answer_sleepers() {
        if (attention_.load(std::memory_order_relaxed) != 0) {
            answer_attention();
        }
    }

    static constexpr std::uint32_t slots_ahead = 16;
    // The sender reports payloads when they have so many bytes: beyond its budget a reader may have
    // as many waiting in each ring.
    static constexpr std::uint64_t report_bytes = 4096;
    static constexpr std::uint64_t never = Reader::never;
    static constexpr std::uint64_t refused = Reader::refused;

    // P1, E1.
    void stamp(RingSlot& slot) {
        const std::uint64_t position = written();
        slot.stamp.store(RingSlot::stamp_of(position), std::memory_order_release);
        written_.store(position + 1, std::memory_order_relaxed);
        ++next_;
        --straight_;
    }

    [[nodiscard]] std::uint64_t written() const { return written_.load(std::memory_order_relaxed); }

    bool report(std::uint64_t bytes);
    bool find_slot(PayloadCache& cache);
    bool make_room();
    void enlarge(std::uint32_t count);
    void look_at_readers();
    void leave(Reader& reader, std::uint64_t end);
    void refuse_for_finished(std::uint64_t position);
    void answer_attention();
    void wake_sender();
    void readers_have_changed();

    // Where the slowest reader is that still reads: {taken, done}.
    struct Lowest {
        std::uint64_t taken;
        std::uint64_t done;
    };

    [[nodiscard]] Lowest lowest() const;
    [[nodiscard]] std::uint64_t accepted(const Reader& reader) const;

    // The sender's own.
    RingSlot* next_ = nullptr;      // for the next message
    std::uint32_t straight_ = 0;    // so many slots from there on can be filled without a look
    std::uint32_t closed_ = 0;      // readers that it has found closed
    std::uint64_t limit_ = 0;       // there is room up to here, when it last looked
    RingBuffer* slots_ = nullptr;   // the newest
    std::uint64_t reclaimed_ = 0;   // payloads before it have gone to the cache
    bool is_memory_left_ = false;   // to a closed reader: payloads stay where they are
    bool is_unattended_ = false;    // see attend_later()
    std::uint32_t unreported_ = 0;  // bytes of payloads, see reserve()
    std::atomic<std::uint64_t> written_{0};  // the position of the next message

    // Seldom written; read for every message or batch.
    alignas(64) std::atomic<std::uint32_t> attention_{1};
    std::atomic<bool> have_readers_changed_{false};
    std::atomic<Wake> sender_waits_{Wake::never};
    std::atomic<bool> is_sealed_{false};
    std::atomic<bool> has_payloads_{false};
    std::atomic<std::uint64_t> reported_{0};
    std::atomic<RingBuffer*> first_{nullptr};  // the oldest: all others follow by `next`
    const Spec spec_;
    const std::uint32_t reader_count_;
    ReaderStates readers_;
};

// Whoever keeps `left` rings looks for some that are over when it has this many. To look whenever
// one comes would take a square of time with thousands of them; but each that is over holds all its
// slots, tens of KiB, until then.
[[nodiscard]] constexpr std::size_t next_sweep(std::size_t left) {
    return left + left / 4 + 2;
}

}  // namespace skep::host
