// What a ring is made of: slots, each with one message, one cache line. See ring.hpp.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
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

    [[nodiscard]] const void* data() const {
        return is_shared != 0 ? shared.payload.data() : static_cast<const void*>(bytes);
    }

    // Never that of a slot that has not been written, nor of another position within 2^30.
    static std::uint32_t stamp_of(std::uint64_t position) {
        return static_cast<std::uint32_t>(position) * 2 + 1;
    }
};

static_assert(sizeof(RingSlot) == 64);

inline void prefetch_to_write(const RingSlot* slot) {
#if defined(__x86_64__)
    __asm__ volatile("prefetchw %0" : : "m"(*reinterpret_cast<const char*>(slot)));
#else
    __builtin_prefetch(slot, 1);
#endif
}

// Slots, and the place of the first message in them.
struct RingBuffer {
    RingBuffer(std::uint32_t wanted, std::uint64_t from)
        : count(wanted),
          first(from),
          slots(std::make_unique<RingSlot[]>(wanted)),
          is_holding(wanted) {}

    RingBuffer(const RingBuffer&) = delete;
    RingBuffer& operator=(const RingBuffer&) = delete;

    // Whatever the slots still hold goes with them.
    ~RingBuffer() {
        for (std::uint32_t i = 0; holds > 0 && i < count; ++i) {
            if (is_holding[i]) {
                slots[i].shared.~Shared();
            }
        }
    }

    const std::uint32_t count;
    const std::uint64_t first;  // the position of its first message
    std::unique_ptr<RingSlot[]> slots;
    std::atomic<RingBuffer*> next{nullptr};

    // The sender's own: which slots hold a shared payload.
    std::vector<bool> is_holding;
    std::uint32_t holds = 0;
};

}  // namespace skep::host
