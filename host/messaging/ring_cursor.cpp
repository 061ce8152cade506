#include "host/messaging/ring_cursor.hpp"

namespace skep::host {

const RingSlot* RingCursor::find_front() {
    return find_next(buffer_, index_);
}

bool RingCursor::finds_next() const {
    RingBuffer* buffer = buffer_;
    std::uint32_t index = index_;
    return find_next(buffer, index) != nullptr;
}

const RingSlot* RingCursor::find_next(RingBuffer*& buffer, std::uint32_t& index) const {
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

void RingCursor::settle(std::uint32_t count, std::uint32_t finished, std::uint32_t failed) {
    const std::uint32_t untouched = count - finished - failed;
    position_ -= untouched;
    index_ += index_ < untouched ? buffer_->count - untouched : -untouched;
    failed_ += failed;
    if (untouched > 0) {
        ring_->set_taken(reader_, position_);
    }
    ring_->set_done(reader_, position_, failed_);
}

}  // namespace skep::host
