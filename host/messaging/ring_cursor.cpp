#include "host/messaging/ring_cursor.hpp"

namespace skep::host {

const RingSlot* RingCursor::front() {
    if (buffer_ == nullptr) {
        buffer_ = ring_->first_buffer();
        if (buffer_ == nullptr) {
            return nullptr;
        }
    }
    for (;;) {
        const RingSlot& slot = buffer_->slots[index_];
        if (slot.stamp.load(std::memory_order_acquire) == RingSlot::stamp_of(position_)) {
            return ring_->is_past_end(reader_, position_) ? nullptr : &slot;
        }
        Ring::Buffer* const next = buffer_->next.load(std::memory_order_acquire);
        if (next == nullptr || next->first != position_) {
            return nullptr;
        }
        buffer_ = next;
        index_ = 0;
    }
}

bool RingCursor::has_next() const {
    const Ring::Buffer* buffer = buffer_ != nullptr ? buffer_ : ring_->first_buffer();
    std::uint32_t index = index_;
    while (buffer != nullptr) {
        if (buffer->slots[index].stamp.load(std::memory_order_acquire) ==
            RingSlot::stamp_of(position_)) {
            return !ring_->is_past_end(reader_, position_);
        }
        buffer = buffer->next.load(std::memory_order_acquire);
        if (buffer != nullptr && buffer->first != position_) {
            return false;
        }
        index = 0;
    }
    return false;
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
