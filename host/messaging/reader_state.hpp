// What a ring keeps for each of its readers. See ring.hpp.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "host/messaging/byte_budget.hpp"

namespace skep::host {

// Who is told when a parked reader has something to read: its mailbox.
class RingReaderHome {
public:
    virtual ~RingReaderHome() = default;
    // [the sender's thread]
    virtual void announce(class Ring& ring, std::uint32_t reader) = 0;
    // The same for one that has parked in place.
    virtual void wake() = 0;
};

struct alignas(64) ReaderState {
    static constexpr std::uint64_t never = ~std::uint64_t{0};  // of positions
    static constexpr std::uint64_t refused = std::uint64_t{1} << 63U;

    enum class Parked : std::uint8_t { no, in_place, away };

    struct Spec {
        RingReaderHome* home = nullptr;                // outlives every publish()
        std::uint32_t port = 0;                        // the reader's input
        std::shared_ptr<ByteBudget> budget = nullptr;  // of its mailbox; null: no limit
    };

    // Whether the sender counts it among those that read. It leaves a reader that it has found
    // closed the memory that this one has yet to read, and writes elsewhere.
    [[nodiscard]] bool is_open() const { return end.load(std::memory_order_acquire) == never; }

    // Written by the reader's thread.
    // Where it has finished, or never; the sender adds the bit `refused`, for good.
    std::atomic<std::uint64_t> finished_at{never};
    std::atomic<std::uint64_t> taken{0};       // messages before it have been taken
    std::atomic<std::uint64_t> done{0};        // and these finished: their slots are free
    std::atomic<std::uint64_t> failed{0};      // of those done, the worker failed on so many
    std::atomic<Parked> parked{Parked::away};  // also cleared by the sender
    class RingReader* cursor = nullptr;

    // Written by the manager.
    std::atomic<bool> is_closed{false};
    std::atomic<bool> is_dead_lettered{false};

    // Written by the sender's thread.
    // Positions from here on were not accepted for it: what it has found to be closed.
    std::atomic<std::uint64_t> end{never};
    std::atomic<std::uint64_t> rejected_closed{0};
    std::atomic<std::uint64_t> rejected_stopping{0};
    std::atomic<std::uint64_t> dropped{0};
    std::atomic<std::uint64_t> high{0};

    Spec spec;
};

// All of a ring, as many as there ever will be. Most rings have one alone: it lies in the ring.
class ReaderStates {
public:
    explicit ReaderStates(const std::vector<ReaderState::Spec>& specs)
        : count_(specs.size()),
          several_(count_ > 1 ? std::make_unique<ReaderState[]>(count_) : nullptr),
          first_(several_ != nullptr ? several_.get() : &only_) {
        for (std::size_t i = 0; i < count_; ++i) {
            first_[i].spec = specs[i];
        }
    }

    ReaderStates(const ReaderStates&) = delete;
    ReaderStates& operator=(const ReaderStates&) = delete;

    [[nodiscard]] std::size_t size() const { return count_; }

    [[nodiscard]] ReaderState& operator[](std::size_t index) { return first_[index]; }

    [[nodiscard]] const ReaderState& operator[](std::size_t index) const { return first_[index]; }

    [[nodiscard]] ReaderState* begin() { return first_; }

    [[nodiscard]] ReaderState* end() { return first_ + count_; }

    [[nodiscard]] const ReaderState* begin() const { return first_; }

    [[nodiscard]] const ReaderState* end() const { return first_ + count_; }

private:
    const std::size_t count_;
    const std::unique_ptr<ReaderState[]> several_;
    ReaderState* const first_;
    ReaderState only_;
};

}  // namespace skep::host
