#include "host/messaging/ring_reader.hpp"

namespace skep::host {

const RingSlot* RingReader::find_front() {
    return find_next(buffer_, index_);
}

bool RingReader::finds_next() const {
    RingBuffer* buffer = buffer_;
    std::uint32_t index = index_;
    return find_next(buffer, index) != nullptr;
}

const RingSlot* RingReader::find_next(RingBuffer*& buffer, std::uint32_t& index) const {
    if (buffer == nullptr) {
        buffer = ring_->first_buffer();
        if (buffer == nullptr) {
            return nullptr;
        }
    }
    for (;;) {
        const RingSlot& slot = buffer->slots()[index];
        if (slot.stamp.load(std::memory_order_acquire) == RingSlot::stamp_of(position_)) {
            return position_ < ring_->end_of(reader_) ? &slot : nullptr;
        }
        RingBuffer* const next = buffer->next.load(std::memory_order_acquire);
        if (next == nullptr || next->first != position_) {
            return nullptr;
        }
        buffer = next;
        index = 0;
    }
}

std::uint64_t RingReader::payload_bytes(std::uint32_t count) const {
    std::uint64_t bytes = 0;
    std::uint32_t index = index_;
    for (std::uint32_t i = 0; i < count; ++i) {
        const RingSlot& slot = buffer_->slots()[index];
        bytes += slot.is_shared != 0 ? slot.size : 0;
        index = index + 1 < buffer_->count ? index + 1 : 0;
    }
    return bytes;
}

// Gives back at most what the sender has reported: some payloads taken may not be reported yet.
void RingReader::settle_budget() {
    ByteBudget* const budget = ring_->budget(reader_);
    if (budget == nullptr) {
        return;
    }
    const std::uint64_t freed = std::min(payload_taken_, ring_->reported());
    const std::uint64_t before = std::exchange(payload_freed_, freed);
    if (freed > before) {
        budget->release(freed - before);
    } else if (freed < before) {
        budget->add(before - freed);
    }
}

void RingReader::settle(std::uint32_t count, std::uint32_t finished, std::uint32_t failed) {
    const std::uint32_t untouched = count - finished - failed;
    position_ -= untouched;
    index_ += index_ < untouched ? buffer_->count - untouched : -untouched;
    failed_ += failed;
    if (untouched > 0) {
        ring_->set_taken(reader_, position_);
        if (ring_->has_payloads()) {
            payload_taken_ -= payload_bytes(untouched);
            settle_budget();
        }
    }
    ring_->set_done(reader_, position_, failed_);
}

std::shared_ptr<Ring> RingReader::abandon(std::uint32_t count) {
    ring_->keep_from(reader_, position_ - count, buffer_->first);
    settle(count, 0, count);
    return ring_;
}

}  // namespace skep::host
