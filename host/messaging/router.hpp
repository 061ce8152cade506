// The router: who receives what. An immutable table, replaced as a whole when the plan changes.
//
// Senders keep the table they have and look at version() before each emission; only when it has
// changed do they take the new one, under a tiny lock. (Not std::atomic<std::shared_ptr>: libstdc++
// 12's trips ThreadSanitizer.) The table knows mailboxes, not workers.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "host/base/mutex.hpp"
#include "host/messaging/mailbox.hpp"

namespace skep::host {

// One way that messages of an output take: a ring, or a lane of one mailbox's queue.
struct Destination {
    std::shared_ptr<Ring> ring;  // null: the queue
    // Whoever the ring announces messages to must not go before the table does.
    std::vector<std::shared_ptr<Mailbox>> readers;

    std::shared_ptr<Mailbox> mailbox;  // of the queue
    std::uint32_t lane = 0;
    std::uint32_t port = 0;  // the receiver's input
};

// One output port of one worker.
struct Output {
    const std::string* name = nullptr;          // of the NamePool, as the next
    const std::string* content_type = nullptr;  // what it declares
    std::vector<Destination> paths;             // each gets every message
    Ring* only_ring = nullptr;                  // when there is one way alone, and that is a ring
    std::vector<std::vector<Destination>> replica_groups;  // of each, one gets a message, in turn
};

struct RouteTable {
    // One of those that can be sent to.
    struct Member {
        const std::string* name;  // of the NamePool
        std::shared_ptr<Mailbox> mailbox;
    };

    std::map<std::string, std::vector<Output>, std::less<>> outputs;  // by sender
    std::vector<Member> members;                                      // everyone, by name

    // Null for a worker without outputs.
    [[nodiscard]] const std::vector<Output>* outputs_of(std::string_view sender) const {
        const auto found = outputs.find(sender);
        return found == outputs.end() ? nullptr : &found->second;
    }

    // Null when there is no such worker.
    [[nodiscard]] const std::shared_ptr<Mailbox>* find(std::string_view worker) const {
        const auto found = std::lower_bound(
            members.begin(), members.end(), worker, [](const Member& it, std::string_view name) {
                return *it.name < name;
            });
        return found == members.end() || *found->name != worker ? nullptr : &found->mailbox;
    }
};

class Router {
public:
    // [manager-thread]
    void publish(std::shared_ptr<const RouteTable> table) {
        {
            MutexLock lock(mutex_);
            table_.swap(table);
        }
        // Release pairs with the acquire in version(): who sees the new number finds the new table,
        // or a newer one. The old table is freed here, without the lock, if nobody holds it.
        version_.fetch_add(1, std::memory_order_release);
    }

    // [any-thread]
    [[nodiscard]] std::uint64_t version() const { return version_.load(std::memory_order_acquire); }

    // [any-thread] Never null.
    [[nodiscard]] std::shared_ptr<const RouteTable> table() const {
        MutexLock lock(mutex_);
        return table_;
    }

private:
    std::atomic<std::uint64_t> version_{1};
    mutable Mutex mutex_;
    std::shared_ptr<const RouteTable> table_ GUARDED_BY(mutex_) = std::make_shared<RouteTable>();
};

}  // namespace skep::host
