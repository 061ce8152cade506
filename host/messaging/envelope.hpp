// A message inside the host: a small record by value, and a payload that is shared.
//
// The payload is one allocation that counts its references. Once it has been sent it is never
// written again, so fan-out, broadcast and forwarding share it without a copy or a lock.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <string>
#include <utility>

#include "host/base/clock.hpp"

namespace skep::host {

// The largest payload that the host takes.
inline constexpr std::uint64_t max_payload_bytes = std::uint64_t{64} << 20;

// A counted reference to immutable bytes. Null is the empty payload.
class PayloadRef {
public:
    PayloadRef() = default;

    PayloadRef(const PayloadRef& other)
        : block_(other.block_) {
        if (block_ != nullptr) {
            // Relaxed: whoever copies already holds a reference.
            block_->references.fetch_add(1, std::memory_order_relaxed);
        }
    }

    PayloadRef(PayloadRef&& other) noexcept
        : block_(std::exchange(other.block_, nullptr)) {}

    PayloadRef& operator=(PayloadRef other) noexcept {
        std::swap(block_, other.block_);
        return *this;
    }

    ~PayloadRef() {
        // Acquire-release: the one who frees has seen what all others did with the bytes.
        if (block_ != nullptr && block_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
            ::operator delete(block_);
        }
    }

    // `size` bytes of undefined content, to be written before they are sent. Throws std::bad_alloc.
    static PayloadRef allocate(std::size_t size) {
        PayloadRef made;
        if (size > 0) {
            made.block_ = new (::operator new(sizeof(Block) + size)) Block{1, size};
        }
        return made;
    }

    [[nodiscard]] std::size_t size() const { return block_ == nullptr ? 0 : block_->size; }

    [[nodiscard]] void* data() const { return block_ == nullptr ? nullptr : block_ + 1; }

private:
    struct alignas(8) Block {
        std::atomic<std::uint32_t> references;
        std::size_t size;
    };

    Block* block_ = nullptr;
};

// One message on its way to one receiver. The names belong to the host's NamePool.
struct Envelope {
    PayloadRef payload;
    const std::string* sender = nullptr;  // "" for the host itself
    const std::string* content_type = nullptr;
    std::uint64_t sequence = 0;
    Nanos time{0};
    std::uint64_t trace_id = 0;
    std::uint32_t port = 0;  // the receiver's input, or SKEP_PORT_DIRECT
    std::uint32_t lane = 0;  // the mailbox's own
};

}  // namespace skep::host
