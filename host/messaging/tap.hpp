// A tap shows copies of the messages on some routes to an observer, without a part in the delivery.
//
// The thread of the receiver fills it after it finished the messages. Senders do not know of taps,
// and no message waits for one. A tap holds a bounded number of copies; a message that finds no
// room is counted as skipped and not read, so a tap costs the same at every message rate. A tap
// wakes no thread: the observer polls it.
//
// A tap is opened for names, not for rings or threads: it survives reloads and restarts, and shows
// workers that are added later. (Vector's taps lose their components at a reload,
// vectordotdev/vector#13013.)
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "host/base/mutex.hpp"
#include "host/messaging/inbox.hpp"

namespace skep::host {

// Selects what a tap shows. The name of a worker includes its replicas.
struct TapFilter {
    std::string from;          // the sender; "": every sender, also the host
    std::string output;        // of the sender; "": all its outputs and its direct messages
    std::string to;            // the receiver; "": every receiver
    std::size_t bytes = 1024;  // the maximum to copy of each payload
};

// True if `name` is `worker` or a replica of it; "" matches every name.
[[nodiscard]] bool is_named(std::string_view name, std::string_view worker);

class Tap {
public:
    struct Shown {
        Inbox::Facts message;             // its texts live as long as the host
        const std::string* to = nullptr;  // of the NamePool
        std::uint64_t size = 0;           // size of the payload
        std::string bytes;                // the beginning of the payload
        Nanos age{0};                     // from the send to the end of the receiver's work
        bool has_failed = false;          // the receiver failed on this message
    };

    struct Taken {
        std::vector<Shown> shown;   // in the order in which they passed
        std::uint64_t skipped = 0;  // how many more passed after them
    };

    // The most that a tap holds for the next take().
    static constexpr std::size_t most_shown = 256;
    static constexpr std::size_t most_bytes = std::size_t(1) << 20;

    explicit Tap(TapFilter filter)
        : filter_(std::move(filter)) {}

    // Copies messages: the receiver `to` has finished the first `finished` of those in flight in
    // its inbox, and failed on the next `failed`. [the receiver's thread]
    void show(const std::string* to,
              const Inbox& inbox,
              const MessageBatch& views,
              std::uint32_t finished,
              std::uint32_t failed,
              Nanos now);

    // Returns the messages that passed since the last call. [any-thread]
    [[nodiscard]] Taken take();

    // Ends the observation. [any-thread]
    void close();

private:
    [[nodiscard]] bool is_wanted(const Inbox::Facts& message) const;

    const TapFilter filter_;
    std::atomic<bool> is_full_{false};
    std::atomic<std::uint64_t> skipped_{0};
    Mutex mutex_;
    std::vector<Shown> shown_ GUARDED_BY(mutex_);
    std::size_t bytes_ GUARDED_BY(mutex_) = 0;
};

// All taps of a host. [any-thread]
class Taps {
public:
    using List = std::vector<std::shared_ptr<Tap>>;

    // Returns null if `most` taps are open already: each uses a control connection.
    [[nodiscard]] std::shared_ptr<Tap> open(TapFilter filter);
    static constexpr std::size_t most = 8;
    void close(const std::shared_ptr<Tap>& tap);

    // True if `seen` is what list() would return. One load: readers ask once per batch.
    [[nodiscard]] bool is_current(const std::shared_ptr<const List>& seen) const {
        return current_.load(std::memory_order_relaxed) == seen.get();
    }

    // Returns null if no tap is open.
    [[nodiscard]] std::shared_ptr<const List> list();

private:
    void publish(List taps) REQUIRES(mutex_);

    Mutex mutex_;
    std::shared_ptr<const List> list_ GUARDED_BY(mutex_);
    std::atomic<const List*> current_{nullptr};  // the address of list_, only for comparison
};

}  // namespace skep::host
