// The router stores which mailboxes receive the messages of which output. Its table is immutable,
// and replaced as a whole when the plan changes.
//
// Senders keep a table and compare version() before each emission; only after a change do they
// fetch the new table, under a short lock. (Not std::atomic<std::shared_ptr>: ThreadSanitizer
// reports races in that of libstdc++ 12.) The table knows mailboxes, not workers.
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

// One destination of an output: a ring, or a lane of one mailbox's queue.
struct Destination {
    std::shared_ptr<Ring> ring;  // null: the destination is the queue
    // Keeps the mailboxes to which the ring announces messages alive as long as this table.
    std::vector<std::shared_ptr<Mailbox>> readers;

    std::shared_ptr<Mailbox> mailbox;  // the owner of the queue
    std::uint32_t lane = 0;
    std::uint32_t port = 0;  // input of the receiver
};

// One output port of one worker.
struct Output {
    const std::string* name = nullptr;          // of the NamePool, as content_type
    const std::string* content_type = nullptr;  // as declared by the port
    std::vector<Destination> paths;             // each gets every message
    Ring* only_ring = nullptr;  // set when the output has only one destination, and that is a ring
    // One member of each group gets a message, in turn.
    std::vector<std::vector<Destination>> replica_groups;
};

struct RouteTable {
    // A worker that can receive direct messages.
    struct Member {
        const std::string* name;  // of the NamePool
        std::shared_ptr<Mailbox> mailbox;
    };

    std::map<std::string, std::vector<Output>, std::less<>> outputs;  // by sender
    std::vector<Member> members;                                      // all workers, sorted by name

    // Returns null for a worker without outputs.
    [[nodiscard]] const std::vector<Output>* outputs_of(std::string_view sender) const {
        const auto found = outputs.find(sender);
        return found == outputs.end() ? nullptr : &found->second;
    }

    // Returns null if no worker has this name.
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
        // Release pairs with the acquire in version(): a thread that sees the new number finds the
        // new table, or a newer one. The old table is freed here, without the lock, if no thread
        // holds it.
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
