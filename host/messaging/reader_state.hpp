// The state that a ring keeps for each of its readers. See ring.hpp.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "host/messaging/byte_budget.hpp"

namespace skep::host {

// The receiver of the announcement that a parked reader has something to read: its mailbox.
class RingReaderHome {
public:
    virtual ~RingReaderHome() = default;
    // [the sender's thread]
    virtual void announce(class Ring& ring, std::uint32_t reader) = 0;
    // The same for a reader that parked in place.
    virtual void wake() = 0;
};

struct alignas(64) ReaderState {
    static constexpr std::uint64_t never = ~std::uint64_t{0};  // as a position
    static constexpr std::uint64_t refused = std::uint64_t{1} << 63U;

    enum class Parked : std::uint8_t { no, in_place, away };

    struct Spec {
        RingReaderHome* home = nullptr;                // outlives every publish()
        std::uint32_t port = 0;                        // input of the reader
        std::shared_ptr<ByteBudget> budget = nullptr;  // of its mailbox; null: no limit
    };

    // True if the sender still counts this reader as reading. When the sender finds a reader
    // closed, it leaves to the reader the memory that the reader has yet to read, and writes
    // elsewhere.
    [[nodiscard]] bool is_open() const { return end.load(std::memory_order_acquire) == never; }

    // Written by the reader's thread.
    // The position at which the reader finished, or `never`. The sender adds the bit `refused`, for
    // good.
    std::atomic<std::uint64_t> finished_at{never};
    std::atomic<std::uint64_t> taken{0};  // messages before this position have been taken
    // Messages before this position are finished: their slots are free.
    std::atomic<std::uint64_t> done{0};
    std::atomic<std::uint64_t> failed{0};  // messages among those done on which the worker failed
    // The slots of messages from this position on stay as they are, in the buffer that has it: an
    // abandoned thread still reads some of them. `never`: none. Stored before `done`.
    std::atomic<std::uint64_t> kept_from{never};
    class RingReader* cursor = nullptr;
    std::atomic<Parked> parked{Parked::away};  // also cleared by the sender

    // Written by the manager.
    std::atomic<bool> is_closed{false};
    std::atomic<bool> is_dead_lettered{false};

    // Written by the sender's thread.
    // Messages from this position on were not accepted for the reader, because the sender found it
    // closed.
    std::atomic<std::uint64_t> end{never};
    std::atomic<std::uint64_t> rejected_closed{0};
    std::atomic<std::uint64_t> rejected_stopping{0};
    std::atomic<std::uint64_t> dropped{0};
    std::atomic<std::uint64_t> high{0};

    Spec spec;
};

static_assert(sizeof(ReaderState) == 128, "each route has one");

// All readers of a ring; their number never changes. Most rings have only one reader, which lies in
// the ring.
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
