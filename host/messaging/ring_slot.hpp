// What a ring is made of: slots, each with one message, one cache line. See ring.hpp.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "host/messaging/payload.hpp"

namespace skep::host {

// Small payloads lie in the slot.
inline constexpr std::size_t inline_bytes = 40;

struct alignas(64) RingSlot {
    // Of the message at this position; anything else: it is not there yet.
    std::atomic<std::uint32_t> stamp{0};
    std::uint32_t size : 31 = 0;
    std::uint32_t is_shared : 1 = 0;  // the payload is outside
    std::uint64_t sequence = 0;
    std::int64_t time_ns = 0;

    // What a message has that does not fit, or that is not what its route says.
    struct Shared {
        PayloadRef payload;
        const std::string* content_type = nullptr;
        std::uint64_t trace_id = 0;
    };

    union {
        char bytes[inline_bytes];
        Shared shared;
    };

    // NOLINTBEGIN(modernize-use-equals-default): with such a union a default would be deleted.
    RingSlot() {}  // leaves the bytes as they are

    ~RingSlot() {}  // and a shared payload to the ring

    // NOLINTEND(modernize-use-equals-default)

    RingSlot(const RingSlot&) = delete;
    RingSlot& operator=(const RingSlot&) = delete;

    // The payload is these bytes, at most inline_bytes.
    void set_inline(const void* data, std::uint64_t count) {
        is_shared = 0;
        size = static_cast<std::uint32_t>(count) & 0x7fffffffU;
        const char* const from = static_cast<const char*>(data);
        if (count >= 16) {  // as memcpy would, without the call
            std::memcpy(bytes, from, 16);
            if (count > 32) {
                std::memcpy(bytes + 16, from + 16, 16);
            }
            std::memcpy(bytes + count - 16, from + count - 16, 16);
        } else if (count >= 8) {
            std::memcpy(bytes, from, 8);
            std::memcpy(bytes + count - 8, from + count - 8, 8);
        } else {
            for (std::size_t i = 0; i < count; ++i) {
                bytes[i] = from[i];
            }
        }
    }

    // The payload is elsewhere.
    void set_shared(Shared&& elsewhere) {
        is_shared = 1;
        size = static_cast<std::uint32_t>(elsewhere.payload.size()) & 0x7fffffffU;
        new (&shared) Shared(std::move(elsewhere));
    }

    [[nodiscard]] const void* data() const {
        return is_shared != 0 ? shared.payload.data() : static_cast<const void*>(bytes);
    }

    // Never that of a slot that has not been written, nor of another position within 2^30.
    static std::uint32_t stamp_of(std::uint64_t position) {
        return static_cast<std::uint32_t>(position) * 2 + 1;
    }

    static std::uint32_t stamp_after(std::uint32_t stamp) { return stamp + 2; }
};

static_assert(sizeof(RingSlot) == 64 && inline_bytes <= 48);

inline void prefetch_to_write(const RingSlot* slot) {
#if defined(__x86_64__)
    __asm__ volatile("prefetchw %0" : : "m"(*reinterpret_cast<const char*>(slot)));
#else
    __builtin_prefetch(slot, 1);
#endif
}

// Slots, and the place of the first message in them. One piece of memory: the slots follow.
class alignas(64) RingBuffer {
    std::uint32_t holds_ = 0;  // stands here so that all of it is one cache line

public:
    static RingBuffer* make(std::uint32_t count, std::uint64_t first) {
        void* const memory = ::operator new (sizeof(RingBuffer) + count * sizeof(RingSlot),
                                             std::align_val_t{alignof(RingBuffer)});
        return new (memory) RingBuffer(count, first);
    }

    RingBuffer(const RingBuffer&) = delete;
    RingBuffer& operator=(const RingBuffer&) = delete;

    // What the slots still hold goes with them.
    static void destroy(RingBuffer* buffer) {
        buffer->~RingBuffer();
        ::operator delete (buffer, std::align_val_t{alignof(RingBuffer)});
    }

    [[nodiscard]] RingSlot* slots() { return std::launder(reinterpret_cast<RingSlot*>(this + 1)); }

    [[nodiscard]] RingSlot* slots_end() { return slots() + count; }

    const std::uint32_t count;
    const std::uint64_t first;  // the position of its first message
    std::atomic<RingBuffer*> next{nullptr};

    // -- The sender's own: which slots hold a shared payload. --

    [[nodiscard]] bool holds_any() const { return holds_ > 0; }

    [[nodiscard]] bool is_holding(std::uint32_t index) const {
        return holds_ > 0 && is_holding_[index];
    }

    void hold(RingSlot& slot, RingSlot::Shared shared) {
        slot.set_shared(std::move(shared));
        is_holding_.resize(count);
        is_holding_[static_cast<std::size_t>(&slot - slots())] = true;
        ++holds_;
    }

    // Of a slot that is_holding().
    PayloadRef give_back(std::uint32_t index) {
        RingSlot::Shared& shared = slots()[index].shared;
        PayloadRef payload = std::move(shared.payload);
        shared.~Shared();
        is_holding_[index] = false;
        --holds_;
        return payload;
    }

private:
    RingBuffer(std::uint32_t wanted, std::uint64_t from)
        : count(wanted),
          first(from) {
        for (std::uint32_t i = 0; i < count; ++i) {
            new (slots() + i) RingSlot;
        }
    }

    ~RingBuffer() {
        for (std::uint32_t i = 0; holds_any() && i < count; ++i) {
            if (is_holding(i)) {
                (void)give_back(i);
            }
        }
    }

    std::vector<bool> is_holding_;  // empty before the first
};

static_assert(sizeof(RingBuffer) == 64);

}  // namespace skep::host
