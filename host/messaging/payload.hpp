// The bytes of a message that do not fit into a ring slot: one reference-counted allocation. A
// payload is never written after it was sent, so fan-out, broadcast and forwarding share it without
// a copy or a lock.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>

namespace skep::host {

// The largest payload that the host accepts.
inline constexpr std::uint64_t max_payload_bytes = std::uint64_t{64} << 20;

// A counted reference to immutable bytes. Null is the empty payload.
class PayloadRef {
public:
    PayloadRef() = default;

    PayloadRef(const PayloadRef& other)
        : block_(other.block_) {
        if (block_ != nullptr) {
            // Relaxed: the copying thread already holds a reference.
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
        // Acquire-release: the thread that frees has seen all that the others did with the bytes.
        if (block_ != nullptr && block_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
            // The analyzer takes each of several owners for the last one.
            // NOLINTNEXTLINE(clang-analyzer-cplusplus.NewDelete)
            ::operator delete(block_);
        }
    }

    // Returns `size` bytes of undefined content. Write them before they are sent. Throws
    // std::bad_alloc.
    static PayloadRef allocate(std::size_t size) { return allocate(size, size); }

    [[nodiscard]] std::size_t size() const { return block_ == nullptr ? 0 : block_->size; }

    [[nodiscard]] void* data() const { return block_ == nullptr ? nullptr : block_ + 1; }

private:
    friend class PayloadCache;

    struct alignas(16) Block {
        std::atomic<std::uint32_t> references;
        std::uint32_t capacity;
        std::size_t size;
    };

    static PayloadRef allocate(std::size_t size, std::size_t capacity) {
        PayloadRef made;
        if (size > 0) {
            made.block_ = new (::operator new(sizeof(Block) + capacity))
                Block{1, static_cast<std::uint32_t>(capacity), size};
        }
        return made;
    }

    Block* block_ = nullptr;
};

// Payloads that one sender reuses. The payload returned last is reused first, so it is still warm
// in the core's cache. A payload comes back when its sender finds that no other thread holds it.
// [owner's thread]
class PayloadCache {
public:
    // Like PayloadRef::allocate.
    PayloadRef allocate(std::size_t size) {
        const std::size_t capacity = std::bit_ceil(size < smallest ? smallest : size);
        if (size == 0 || capacity > largest) {
            return PayloadRef::allocate(size);
        }
        if (shelves_ == nullptr) {
            shelves_ = std::make_unique<std::array<Shelf, shelf_count>>();
        }
        Shelf& shelf = (*shelves_)[shelf_of(capacity)];
        if (shelf.count == 0) {
            return PayloadRef::allocate(size, capacity);
        }
        PayloadRef made = std::move(shelf.kept[--shelf.count]);
        made.block_->size = size;
        return made;
    }

    void take_back(PayloadRef payload) {
        if (shelves_ == nullptr || payload.block_ == nullptr ||
            payload.block_->capacity > largest || !std::has_single_bit(payload.block_->capacity) ||
            payload.block_->capacity < smallest) {
            return;
        }
        // Acquire pairs with the release of the reader that dropped the last other reference: its
        // reads are over.
        if (payload.block_->references.load(std::memory_order_acquire) == 1) {
            Shelf& shelf = (*shelves_)[shelf_of(payload.block_->capacity)];
            if (shelf.count < shelf.kept.size()) {
                shelf.kept[shelf.count++] = std::move(payload);
            }
        }
    }

private:
    static constexpr std::size_t smallest = 64;
    static constexpr std::size_t largest = std::size_t{1} << 17;
    static constexpr std::size_t shelf_count = 12;  // 64 bytes to 128 KiB

    struct Shelf {
        std::size_t count = 0;
        std::array<PayloadRef, 32> kept;
    };

    static std::size_t shelf_of(std::size_t capacity) {
        return static_cast<std::size_t>(std::countr_zero(capacity / smallest));
    }

    // Created for the first payload that needs it: most of 100,000 workers never do.
    std::unique_ptr<std::array<Shelf, shelf_count>> shelves_;
};

}  // namespace skep::host
