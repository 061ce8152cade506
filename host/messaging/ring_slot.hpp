// The parts of a ring: buffers of slots. Each slot holds one message and is one cache line. See
// ring.hpp.
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

// Payloads up to this size lie in the slot.
inline constexpr std::size_t inline_bytes = 40;

struct alignas(64) RingSlot {
    // stamp_of() the position of the message; any other value: the message is not there yet.
    std::atomic<std::uint32_t> stamp{0};
    std::uint32_t size : 31 = 0;
    std::uint32_t is_shared : 1 = 0;  // the payload lies outside of the slot
    std::uint64_t sequence = 0;
    std::int64_t time_ns = 0;

    // The parts of a message that do not fit into a slot, or that differ from what its route
    // declares.
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
    RingSlot() {}  // leaves the bytes uninitialised

    ~RingSlot() {}  // leaves a shared payload to the ring

    // NOLINTEND(modernize-use-equals-default)

    RingSlot(const RingSlot&) = delete;
    RingSlot& operator=(const RingSlot&) = delete;

    // Stores a payload of at most inline_bytes in the slot.
    void set_inline(const void* data, std::uint64_t count) {
        is_shared = 0;
        size = static_cast<std::uint32_t>(count) & 0x7fffffffU;
        const char* const from = static_cast<const char*>(data);
        if (count >= 16) {  // copies like memcpy, without the call
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

    // Stores a payload that lies outside of the slot.
    void set_shared(Shared&& elsewhere) {
        is_shared = 1;
        size = static_cast<std::uint32_t>(elsewhere.payload.size()) & 0x7fffffffU;
        new (&shared) Shared(std::move(elsewhere));
    }

    [[nodiscard]] const void* data() const {
        return is_shared != 0 ? shared.payload.data() : static_cast<const void*>(bytes);
    }

    // Returns a stamp that differs from that of an unwritten slot and of any other position within
    // 2^30.
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

// An array of slots and the position of its first message. One allocation: the slots follow the
// object.
class alignas(64) RingBuffer {
    std::uint32_t holds_ = 0;  // first, so that the object fits into one cache line

public:
    static RingBuffer* make(std::uint32_t count, std::uint64_t first) {
        void* const memory = ::operator new (sizeof(RingBuffer) + count * sizeof(RingSlot),
                                             std::align_val_t{alignof(RingBuffer)});
        return new (memory) RingBuffer(count, first);
    }

    RingBuffer(const RingBuffer&) = delete;
    RingBuffer& operator=(const RingBuffer&) = delete;

    // Also releases the payloads that the slots still hold.
    static void destroy(RingBuffer* buffer) {
        buffer->~RingBuffer();
        ::operator delete (buffer, std::align_val_t{alignof(RingBuffer)});
    }

    [[nodiscard]] RingSlot* slots() { return std::launder(reinterpret_cast<RingSlot*>(this + 1)); }

    [[nodiscard]] RingSlot* slots_end() { return slots() + count; }

    const std::uint32_t count;
    const std::uint64_t first;  // the position of its first message
    std::atomic<RingBuffer*> next{nullptr};

    // -- Owned by the sender: which slots hold a shared payload. --

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

    // Precondition: is_holding(index).
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

    std::vector<bool> is_holding_;  // empty until the first hold()
};

static_assert(sizeof(RingBuffer) == 64);

}  // namespace skep::host
