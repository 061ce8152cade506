// The place of a reader in a ring. ring.hpp explains how the two work together. [the reader's
// thread]
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>

#include "host/messaging/ring.hpp"

namespace skep::host {

class RingReader {
public:
    RingReader(std::shared_ptr<Ring> ring, std::uint32_t reader)
        : ring_(std::move(ring)),
          sender_(ring_->sender()),
          reader_(reader) {}

    ~RingReader() { ring_->cursor(reader_) = nullptr; }

    RingReader(const RingReader&) = delete;
    RingReader& operator=(const RingReader&) = delete;

    [[nodiscard]] Ring& ring() const { return *ring_; }

    [[nodiscard]] std::uint32_t reader() const { return reader_; }

    [[nodiscard]] const std::string* sender() const { return sender_; }

    // The position of the next message.
    [[nodiscard]] std::uint64_t position() const { return position_; }

    // Returns the next message, or null when it has not come yet. Not while messages are in flight:
    // see has_next().
    [[nodiscard]] const RingSlot* front() {
        return is_here() && position_ < ring_->end_of(reader_) ? &buffer_->slots()[index_]
                                                               : find_front();
    }

    // True if the next message has come; also valid while messages are in flight.
    [[nodiscard]] bool has_next() const {
        return (is_here() && position_ < ring_->end_of(reader_)) || finds_next();
    }

    // True if more than `count` messages have come.
    [[nodiscard]] bool has_more_than(std::uint32_t count) const {
        if (buffer_ == nullptr || count >= buffer_->count) {
            return false;
        }
        const std::uint32_t index = index_ + count;
        return buffer_->slots()[index < buffer_->count ? index : index - buffer_->count].stamp.load(
                   std::memory_order_acquire) == RingSlot::stamp_of(position_ + count);
    }

    // Calls show(slot) for the next messages, at most `max`. Returns how many of them, counted from
    // the first, belong to this reader. They are not taken yet.
    template <typename Show>
    std::uint32_t scan(std::uint32_t max, Show&& show) {
        if (!is_here() && find_front() == nullptr) {
            return 0;
        }
        const RingSlot* const first = buffer_->slots();
        const RingSlot* const end = first + buffer_->count;
        const RingSlot* slot = first + index_;
        std::uint32_t stamp = RingSlot::stamp_of(position_);
        std::uint32_t count = 0;
        do {
            if (slot->stamp.load(std::memory_order_acquire) != stamp) {
                break;
            }
            show(*slot);
            stamp = RingSlot::stamp_after(stamp);
            if (++slot == end) {
                slot = first;
            }
        } while (++count < max);
        const std::uint64_t last = std::max(position_, ring_->end_of(reader_));
        return static_cast<std::uint32_t>(std::min<std::uint64_t>(count, last - position_));
    }

    // Takes the next `count` messages, which scan() has shown. T2 and T3 are left to the caller.
    void take(std::uint32_t count) {
        position_ += count;
        index_ += count;
        if (index_ >= buffer_->count) {
            index_ -= buffer_->count;
        }
        ring_->set_taken(reader_, position_);
    }

    // Gives back the room of the payloads of the next `count` messages. Call before take() if the
    // ring has payloads.
    void take_payloads(std::uint32_t count) {
        payload_taken_ += payload_bytes(count);
        settle_budget();
    }

    // R1. The reader remembers how it is parked until unpark().
    void park(Ring::Parked how) {
        parked_ = how;
        ring_->park(reader_, how);
    }

    // Returns false when the reader was parked away and has been announced.
    bool unpark() {
        const Ring::Parked was = std::exchange(parked_, Ring::Parked::no);
        if (was == Ring::Parked::away) {
            return ring_->unpark(reader_) == Ring::Parked::away;
        }
        if (was == Ring::Parked::in_place) {
            ring_->unpark_in_place(reader_);
        }
        return true;
    }

    [[nodiscard]] bool is_away() const { return parked_ == Ring::Parked::away; }

    // Ends the flight of the `count` messages last taken: the first `finished` are done, the worker
    // failed on the next `failed` (0, 1 or all of the rest), and the rest goes back.
    void settle(std::uint32_t count, std::uint32_t finished, std::uint32_t failed);

    // Ends the flight of the `count` messages last taken as failed, for a thread that still reads
    // them: their slots are never written again. Returns the ring, which that thread needs. [the
    // next owner of the reader]
    [[nodiscard]] std::shared_ptr<Ring> abandon(std::uint32_t count);

private:
    // True if the next message has come and lies at the expected slot.
    [[nodiscard]] bool is_here() const {
        return buffer_ != nullptr &&
               buffer_->slots()[index_].stamp.load(std::memory_order_acquire) ==
                   RingSlot::stamp_of(position_);
    }

    // Sums up the next `count` messages.
    [[nodiscard]] std::uint64_t payload_bytes(std::uint32_t count) const;
    void settle_budget();
    const RingSlot* find_front();
    [[nodiscard]] bool finds_next() const;
    // Searches the next message from `buffer` and `index` on, and sets both to its place.
    const RingSlot* find_next(RingBuffer*& buffer, std::uint32_t& index) const;

    std::shared_ptr<Ring> ring_;
    const std::string* sender_;
    RingBuffer* buffer_ = nullptr;
    std::uint64_t position_ = 0;
    std::uint64_t failed_ = 0;
    std::uint64_t payload_taken_ = 0;  // bytes of shared payloads of all messages taken
    std::uint64_t payload_freed_ = 0;  // bytes among those that were given back to the budget
    std::uint32_t index_ = 0;
    std::uint32_t reader_;
    Ring::Parked parked_ = Ring::Parked::away;
};

}  // namespace skep::host
