// A ring carries the messages from one output of one sender to all readers of that output.
//
// The topology fixes the sender of a route, so a route needs no lock. The sender writes each
// message once, into the next slot, and each reader goes through the slots at its own pace. No
// memory on this path is written by two threads. Each slot contains a stamp, which says which
// message the slot holds. Thus a reader that waits for the next message looks at the very cache
// line that brings it. (One producer and slots that carry their own state: FastForward, Giacomoni
// et al., PPoPP 2008. Many readers, each with a cursor: the LMAX Disruptor.)
//
//   sender   claim(), fill the slot, publish()       [the sender's thread]
//   reader   RingReader, in ring_reader.hpp          [the reader's thread]
//   close, seal, counts                              [see each]
//
// A slot is reused when every reader is done with it. The bound of the route applies to each reader
// separately: no reader ever has more than `bound` messages waiting. Closed readers no longer
// count.
//
// Memory grows on demand: a ring starts empty. When no slot can be reused, its sender enlarges it,
// up to the bound and one batch for each reader.
//
// Sleeping. A reader that stops looking parks: it sets a mark in the ring, and the next publish()
// wakes it, once. A reader that parks `away` is also announced to its mailbox by that publish(),
// and does not look at the ring until then: 10,000 quiet rings cost it nothing. A reader that parks
// `in_place` looks at the ring whenever it is awake. These accesses pair:
//
//   publish()                               park() by the reader
//   P1 slot.stamp.store(release)            R1 parked.store(relaxed); attention.store(release)
//   P2 fence.light()                        R2 fence.heavy()
//   P3 attention.load(relaxed)              R3 slot.stamp.load(acquire)
//
//   By fence.hpp, either P3 sees R1 or R3 sees P1.
//   - If P3 sees R1, attend() clears the mark with an exchange and announces the reader to its
//     mailbox, which wakes the reader. The exchange is an acquire that pairs with R1's release, so
//     the sender also sees `parked`.
//   - If R3 sees P1, the reader does not sleep.
//   - A mark that is set after the exchange stays for the next publish(), and the R3 of that reader
//     sees this message.
//
//   A sender on a pool fences once for all messages that it has published in a turn: P2 and P3 come
//   at the end of the turn. It wakes a reader that it sees asleep before that at once; see
//   attend_later().
//
//   a sender without room                   a reader that has taken a batch
//   S1 sender_waits.store(relaxed)          T1 taken.store(release)
//   S2 fence.heavy()                        T2 fence.light()
//   S3 taken.load(acquire)                  T3 sender_waits.load(relaxed)
//
//   By the same argument, either S3 sees T1 or T3 sees S1. A reader that sees S1 wakes the sender
//   if there is as much room as the sender wants. If there is less, it leaves the wake-up to a
//   later batch, of its own or of another reader. The last of the readers finds enough room: each
//   reader puts a full fence between its own T1 and its look at the others, so of two readers at
//   the same time at least one sees both. (A sender that waits for half of the room asks for any
//   room after a moment. Otherwise a reader that takes one message, and then waits for something
//   else, would leave the sender asleep.)
//
// The end of a reader. A sender may claim a slot before a close and publish long after it. No
// message may be accepted and then read by no one, so sender and reader agree on the last message:
//
//   publish()                               close(), then finish() by the reader
//   E1 written.store(relaxed)               F1 have_readers_changed.store(release)
//   E2 have_readers_changed.load(relaxed)   F2 membarrier
//   E3 full fence                           F3 written.load: a new message: not finished
//   E4 finished_at: this message, refused   F4 finished_at.store(taken), full fence
//                                           F5 written.load: a new message: finished_at = never
//
//   - A message that F3 does not see reaches E3, because its E2 sees F1.
//   - A message that F5 does not see finds in E4 that its reader has finished just before it, and
//     the sender refuses the message. That reader reads nothing more, though it may see the stamp.
//   - A message that F5 sees is read if F5 can change finished_at, and refused if E4 was first.
//   (On a kernel without membarrier, a message that crosses the close may become a dead letter.)
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

// The most that a reader takes at once. The limit on bytes does not apply to a single message.
inline constexpr std::uint32_t batch_max = 64;
inline constexpr std::uint64_t batch_max_bytes = std::uint64_t{16} << 20;

class Ring : public std::enable_shared_from_this<Ring> {
public:
    struct Spec {
        const std::string* sender = nullptr;        // of the NamePool
        const std::string* output = nullptr;        // of the sender; also of the NamePool
        const std::string* content_type = nullptr;  // of all messages that declare no other type
        std::size_t bound = 1;                      // for each reader
        bool drops_newest = false;  // false: the sender waits. True needs a single reader
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

    // Returns the slot for the next message. Null means is_closed(), or no room. The previous
    // payload of the slot goes to `cache`.
    [[nodiscard]] RingSlot* claim(PayloadCache& cache) {
        // Does not read the slot: a reader's core has its line, which would have to come here
        // twice.
        return is_straight() || find_slot(cache) ? &claim_straight() : nullptr;
    }

    // True if the next claim() has nothing to check: a slot is free, and no reader has changed.
    [[nodiscard]] bool is_straight() const {
        return straight_ > 0 && !have_readers_changed_.load(std::memory_order_relaxed);
    }

    // True if a slot can hold the message with all its metadata.
    [[nodiscard]] bool is_plain(std::uint64_t size,
                                const std::string* content_type,
                                std::uint64_t trace_id) const {
        return size <= inline_bytes && content_type == spec_.content_type && trace_id == 0;
    }

    // Reserves room at all readers for the payload of the next message, if that is a shared one.
    // The message must then be published. Returns false when a reader has too many bytes waiting.
    [[nodiscard]] bool reserve(std::uint64_t bytes) {
        if (unreported_ + bytes >= report_bytes) {
            return report(unreported_ + bytes);
        }
        unreported_ += static_cast<std::uint32_t>(bytes);
        return true;
    }

    // Stores a shared payload as that of the message in the slot of claim().
    void hold(RingSlot& slot, RingSlot::Shared shared) {
        if (!has_payloads()) {
            has_payloads_.store(true, std::memory_order_relaxed);  // visible with the first message
        }
        slots_->hold(slot, std::move(shared));
        straight_ = 1;
    }

    // Makes the filled slot of claim() readable. attend() then wakes readers that sleep.
    void publish(RingSlot& slot) {
        if (closed_ > 0) {
            count_rejected_closed();
        }
        stamp(slot);
        end_publish();
    }

    // The same two steps, when is_straight(). publish_straight() returns false when end_publish()
    // must be called, and then attend().
    [[nodiscard]] RingSlot& claim_straight() {
        // Prefetches the line of a later message: the core would request it only at the store, and
        // wait.
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

    // Wakes readers that are seen asleep. P2 and end_attend_later() must follow soon. Returns true
    // if they were not due already.
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

    // True if claim() would find a slot, or a change of the readers.
    [[nodiscard]] bool has_room() {
        return written() != limit_ || have_readers_changed_.load(std::memory_order_relaxed) ||
               make_room();
    }

    // True if the next attend() will wake a reader.
    [[nodiscard]] bool has_sleepers() const {
        return attention_.load(std::memory_order_relaxed) != 0;
    }

    [[nodiscard]] std::uint32_t open_readers() const { return reader_count_ - closed_; }

    // True if all readers were closed at the last claim().
    [[nodiscard]] bool is_closed() const { return closed_ == reader_count_; }

    [[nodiscard]] bool drops_newest() const { return spec_.drops_newest; }

    // Count a message that was offered and not published: no room, all readers closed, or the
    // sender has to stop.
    void count_dropped();
    void count_rejected_closed();
    void count_rejected_stopping();

    // The room that a sleeping sender waits for.
    enum class Wake : std::uint8_t { never, at_half, at_once };

    // S1 to S3: registers that the sender is about to sleep until there is room. Returns false when
    // there is room, or the readers have changed: the sender must not sleep.
    [[nodiscard]] bool wait_for_room(Wake wanted);

    // The same after reserve() found no room: see ByteBudget::wait().
    [[nodiscard]] bool wait_for_bytes(std::uint64_t bytes);

    // Call when the sender woke up, for whatever reason.
    void stop_waiting() { sender_waits_.store(Wake::never, std::memory_order_relaxed); }

    // Moves payloads that all readers are done with to `cache`.
    void reclaim(PayloadCache& cache);

    // Declares that no message will come any more. Also called when the last table with this ring
    // goes.
    void seal() { is_sealed_.store(true, std::memory_order_release); }

    // -- Readers, for RingReader. --

    // Returns null until the first message.
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

    // Keeps the slots from `position` on, in the buffer that begins at `first`. set_done() follows.
    void keep_from(std::uint32_t reader, std::uint64_t position, std::uint64_t first) {
        std::atomic<std::uint64_t>& kept = readers_[reader].kept_from;
        const std::uint64_t before = kept.load(std::memory_order_relaxed);
        if (before == never || before < first) {
            kept.store(position, std::memory_order_relaxed);
        }
    }

    // has_payloads(): true if any message up to one that the reader has seen had a shared payload.
    // reported(): the bytes of shared payloads, from the first message on, that the readers'
    // budgets have counted.
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

    // R1. The caller does R2 and R3, once for all its rings.
    void park(std::uint32_t reader, Parked how) {
        readers_[reader].parked.store(how, std::memory_order_relaxed);
        attention_.store(1, std::memory_order_release);
    }

    // Returns how the reader was parked; `no` when its mark has been answered.
    Parked unpark(std::uint32_t reader) {
        return readers_[reader].parked.exchange(Parked::no, std::memory_order_acq_rel);
    }

    // Clears the mark of a reader that parked in place and is awake, for whatever reason.
    void unpark_in_place(std::uint32_t reader) {
        readers_[reader].parked.store(Parked::no, std::memory_order_relaxed);
    }

    // Returns the position from which on messages are not for this closed reader, even if it sees
    // their stamps. Either the sender stored that position before it published, or it refuses the
    // messages because the reader has finished.
    [[nodiscard]] std::uint64_t end_of(std::uint32_t reader) const {
        const Reader& it = readers_[reader];
        return std::min(it.end.load(std::memory_order_relaxed),
                        it.finished_at.load(std::memory_order_relaxed) & ~refused);
    }

    // True if the instance that read here has ended or was abandoned.
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

    // A pointer that the reader finds again when the ring is announced; null at first.
    [[nodiscard]] class RingReader*& cursor(std::uint32_t reader) {
        return readers_[reader].cursor;
    }

    // -- [any-thread] --

    // Accepts no more messages for this reader; waiting messages can still be read.
    void close(std::uint32_t reader);
    // True if a closed reader will not get another message. [the reader's thread]
    [[nodiscard]] bool is_finished(std::uint32_t reader) const;
    // Makes is_finished() true: F3 to F5, after F2. Returns false only when there is a message to
    // take; a reader that sleeps then is woken for it. [the reader's thread]
    [[nodiscard]] bool finish(std::uint32_t reader);
    // Turns the messages that still wait for this closed reader into dead letters. Returns their
    // number. Precondition: the reader's thread has ended.
    std::uint64_t dead_letter_rest(std::uint32_t reader);

    [[nodiscard]] FlowCounts counts(std::uint32_t reader) const;
    // Returns the highest number of messages that ever waited.
    [[nodiscard]] std::size_t queue_high(std::uint32_t reader) const;
    // True if the ring is sealed and this reader will never use it again.
    [[nodiscard]] bool is_over(std::uint32_t reader) const;

private:
    void answer_sleepers() {
        if (attention_.load(std::memory_order_relaxed) != 0) {
            answer_attention();
        }
    }

    static constexpr std::uint32_t slots_ahead = 16;
    // The sender reports payloads in pieces of this size. Beyond its budget, a reader may have this
    // many more bytes waiting in each ring.
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

    // The position of the slowest reader that still reads, and whether any has kept slots.
    struct Lowest {
        std::uint64_t taken;
        std::uint64_t done;
        bool has_kept = false;
    };

    [[nodiscard]] Lowest lowest() const;
    [[nodiscard]] std::uint64_t accepted(const Reader& reader) const;

    // Owned by the sender.
    RingSlot* next_ = nullptr;      // the slot for the next message
    std::uint32_t straight_ = 0;    // how many slots from next_ on can be filled without a check
    std::uint32_t closed_ = 0;      // readers that the sender found closed
    std::uint64_t limit_ = 0;       // the end of the room, at the last check
    RingBuffer* slots_ = nullptr;   // the newest buffer
    std::uint64_t reclaimed_ = 0;   // payloads before this position went to the cache
    bool is_memory_left_ = false;   // to a closed reader: payloads stay in place
    bool is_unattended_ = false;    // see attend_later()
    std::uint32_t unreported_ = 0;  // bytes of payloads, see reserve()
    std::atomic<std::uint64_t> written_{0};  // the position of the next message

    // Rarely written; read for every message or batch.
    alignas(64) std::atomic<std::uint32_t> attention_{1};
    std::atomic<bool> have_readers_changed_{false};
    std::atomic<Wake> sender_waits_{Wake::never};
    std::atomic<bool> is_sealed_{false};
    std::atomic<bool> has_payloads_{false};
    std::atomic<std::uint64_t> reported_{0};
    std::atomic<RingBuffer*> first_{nullptr};  // the oldest buffer; the others follow by `next`
    const Spec spec_;
    const std::uint32_t reader_count_;
    ReaderStates readers_;
};

// The number of rings at which an owner that keeps `left` rings looks next for those that are over.
// A look at every new ring would take quadratic time with thousands of rings. Until it is removed,
// each ring that is over holds all its slots, tens of KiB.
[[nodiscard]] constexpr std::size_t next_sweep(std::size_t left) {
    return left + left / 4 + 2;
}

}  // namespace skep::host
