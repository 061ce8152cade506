// A tap: shows to whoever looks what passes on some routes, and has no part in it.
//
// It is filled where messages are read, by the thread of the receiver, when that is done with them:
// senders know nothing of it, and no message waits for it. It holds a bounded number of copies;
// what finds no room is counted as skipped and not looked at, so that a tap costs the same whatever
// passes. Nobody is woken for it: whoever looks comes again and again.
//
// It is open for names, not for rings or threads: it stays through reloads and restarts, and shows
// workers that come later. (Vector's taps lose what they watch, vectordotdev/vector#13013.)
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

// What a tap shows. A name stands for its replicas, too.
struct TapFilter {
    std::string from;          // the sender; "": anyone, the host included
    std::string output;        // of it; "": all of them, and what it sends directly
    std::string to;            // the receiver; "": anyone
    std::size_t bytes = 1024;  // so much of each payload
};

// Whether `name` is that worker, or a replica of it; "" is anyone.
[[nodiscard]] bool is_named(std::string_view name, std::string_view worker);

class Tap {
public:
    struct Shown {
        Inbox::Facts message;             // its texts live as long as the host
        const std::string* to = nullptr;  // of the NamePool
        std::uint64_t size = 0;           // of the payload
        std::string bytes;                // its beginning
        Nanos age{0};                     // from when it was sent to when the receiver was done
        bool has_failed = false;          // the receiver, on this message
    };

    struct Taken {
        std::vector<Shown> shown;   // in the order in which they passed
        std::uint64_t skipped = 0;  // so many more passed after them
    };

    // The most that waits to be taken.
    static constexpr std::size_t most_shown = 256;
    static constexpr std::size_t most_bytes = std::size_t(1) << 20;

    explicit Tap(TapFilter filter)
        : filter_(std::move(filter)) {}

    // The receiver `to` has finished the first `finished` of what is in flight in its inbox, and
    // failed on the next `failed`. [the receiver's thread]
    void show(const std::string* to,
              const Inbox& inbox,
              const MessageBatch& views,
              std::uint32_t finished,
              std::uint32_t failed,
              Nanos now);

    // What has passed since the last time. [any-thread]
    [[nodiscard]] Taken take();

    // Nobody looks any more. [any-thread]
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

    // Null when there are `most` already: each holds a connection of those who steer.
    [[nodiscard]] std::shared_ptr<Tap> open(TapFilter filter);
    static constexpr std::size_t most = 8;
    void close(const std::shared_ptr<Tap>& tap);

    // Whether `seen` is what list() would be. One load: readers ask once a batch.
    [[nodiscard]] bool is_current(const std::shared_ptr<const List>& seen) const {
        return current_.load(std::memory_order_relaxed) == seen.get();
    }

    // Null: there is none.
    [[nodiscard]] std::shared_ptr<const List> list();

private:
    void publish(List taps) REQUIRES(mutex_);

    Mutex mutex_;
    std::shared_ptr<const List> list_ GUARDED_BY(mutex_);
    std::atomic<const List*> current_{nullptr};  // as list_, to be compared alone
};

}  // namespace skep::host
