// The sending side of one worker: emit, send, broadcast and reply share one path from payload to
// ring or queue. All [worker-thread].
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <skep/abi.h>

#include "host/base/clock.hpp"
#include "host/base/lazy_deque.hpp"
#include "host/base/spin.hpp"
#include "host/messaging/counters.hpp"
#include "host/messaging/inbox.hpp"
#include "host/messaging/name_pool.hpp"
#include "host/messaging/router.hpp"

namespace skep::host {

class Outbox {
public:
    struct Sender {
        const std::string* name;  // of the NamePool
        std::shared_ptr<Mailbox> mailbox;
        std::shared_ptr<WorkerCounters> counters;
        Parker* parker = nullptr;  // where the sender's thread waits for room
    };

    // Called by a sender that waits for room, each time it is woken: a checkpoint. Returns true if
    // the sender has to stop.
    using Checkpoint = std::function<bool()>;

    // `inbox` belongs to the same worker; shared payloads may come from it.
    Outbox(Clock& clock,
           std::shared_ptr<Router> router,
           std::shared_ptr<NamePool> names,
           Sender sender,
           const Inbox& inbox,
           Checkpoint checkpoint);
    Outbox(const Outbox&) = delete;
    Outbox& operator=(const Outbox&) = delete;

    // The fast path. Most messages are short, and go to a single ring that has room. Such a message
    // costs the write of the slot, and no call. `published`: end_bytes() must follow. `refused`:
    // use emit().
    enum class Bytes : std::uint8_t { sent, published, refused };

    Bytes emit_bytes(std::uint32_t port, const void* data, std::uint64_t size) noexcept {
        if (router_->version() != table_version_ || port >= outputs_.size() ||
            size > inline_bytes || data == nullptr || is_waiting() ||
            is_time_to_look_at_the_clock()) {
            return Bytes::refused;
        }
        Ring* const ring = outputs_[port].only_ring;
        if (ring == nullptr || !ring->is_straight() || (ring->has_sleepers() && !is_in_turns_)) {
            return Bytes::refused;
        }
        RingSlot& slot = ring->claim_straight();
        slot.sequence = ++sequence_;
        slot.time_ns = time_.count();
        slot.set_inline(data, size);
        if (!ring->publish_straight(slot) ||
            !(is_in_turns_ ? ring->is_unattended() : ring->fence().is_asymmetric())) {
            return Bytes::published;
        }
        count(sender_.counters->out, ring->open_readers());
        return Bytes::sent;
    }

    std::int32_t end_bytes(std::uint32_t port) noexcept {
        return end_publish(*outputs_[port].only_ring);
    }

    // Sets the number of outputs of the type that is served from now on. The route table with a new
    // output of a successor may come later.
    void serve(std::uint32_t outputs) { declared_outputs_ = outputs; }

    // These follow skep_host_api: one payload, a status. They throw only std::bad_alloc. A
    // rejection by a receiver is counted at the receiver; a message without a receiver is counted
    // here, as `no_route`. The caller counts the rest (SKEP_E_UNKNOWN of emit and send,
    // SKEP_E_TOO_BIG, exceptions).
    std::int32_t emit(std::uint32_t port, const skep_payload& payload);
    std::int32_t send(std::string_view worker, const skep_payload& payload);
    std::int32_t broadcast(const skep_payload& payload);

    // Sets the time that messages carry from now on. The clock is read when the worker gets
    // messages, at its checkpoints, and every few emissions: a look at the clock costs more than a
    // message.
    void set_time(Nanos now) { time_ = now; }

    // -- On a pool. --

    // Sets whether the worker runs in turns of a pool. Such a worker never waits inside of a call.
    // A message whose route is full stays here, in order, until there is room, and the plugin is
    // not called until then: see flush(). Messages may still wait here when the worker moves to a
    // thread. Call between two turns.
    void set_in_turns(bool is_in_turns);

    // Wakes the receivers that sleep on messages of this turn. Call at the end of a turn, after a
    // full fence.
    void attend_published() {
        for (Ring* const it : published_) {
            it->end_attend_later();
        }
        published_.clear();
    }

    // Of the NamePool.
    [[nodiscard]] const std::string* sender() const { return sender_.name; }

    // True if a message waits here for room.
    [[nodiscard]] bool is_waiting() const { return !waiting_.empty(); }

    // Offers the waiting messages. Returns true if none waits any more; otherwise the worker will
    // be unparked.
    bool flush();
    // Rejects the waiting messages, because the worker has to stop.
    void reject_waiting();

    // The last call: the worker sends nothing after it.
    void end();

private:
    // How many emissions may carry the same time: see set_time().
    static constexpr std::uint64_t emissions_per_look_at_the_clock = 32;

    // A message under construction.
    struct Draft {
        const void* bytes = nullptr;
        std::uint64_t size = 0;
        PayloadRef payload;                   // if it has or needs one
        const std::string* output = nullptr;  // null: a direct message
        const std::string* content_type = nullptr;
        std::uint64_t sequence = 0;
        std::uint64_t trace_id = 0;
    };

    // On a pool: a message that was sent and found no room.
    struct Waiting {
        Destination path;
        Envelope envelope;
        bool is_direct = false;
    };

    void take_new_table();

    const RouteTable& table() {
        if (router_->version() != table_version_) {
            take_new_table();
        }
        return *table_;
    }

    // `content_type` applies to a payload without its own. With any_content_, the payload gets the
    // type of the message that it shares, or that of unknown bytes.
    void begin(Draft& draft, const skep_payload& payload, const std::string* content_type);

    [[nodiscard]] bool is_time_to_look_at_the_clock() const {
        return (sequence_ + 1) % emissions_per_look_at_the_clock == 0;
    }

    std::uint64_t next_sequence() {
        if (is_time_to_look_at_the_clock()) {
            time_ = clock_.now();
        }
        return ++sequence_;
    }

    // Completes a slot that is filled and stamped: wakes sleeping readers, now or at the end of the
    // turn.
    std::int32_t end_publish(Ring& ring) noexcept;
    void give_payload(Draft& draft);
    void fill(RingSlot& slot, Draft& draft, Ring& ring);
    [[nodiscard]] Envelope envelope_of(Draft& draft, std::uint32_t port);
    [[nodiscard]] static bool is_too_big(const skep_payload& payload);

    std::int32_t emit_draft(const Output& output, const skep_payload& payload);
    std::int32_t deliver(const Destination& path, Draft& draft);
    std::int32_t deliver_to_ring(const Destination& path, Draft& draft);
    std::int32_t deliver_to_queue(const Destination& path, Draft& draft);
    bool wait_for_room(Ring& ring);
    bool wait_for_bytes(Ring& ring, std::uint64_t bytes);
    // True if a message for this destination must wait behind messages that wait already.
    [[nodiscard]] bool is_behind_waiting(const Destination& path) const;
    [[nodiscard]] bool is_behind_waiting(const Mailbox& mailbox) const;
    void keep_waiting(const Destination& path, Draft& draft, bool is_direct);
    [[nodiscard]] bool offer(Waiting& waiting);
    std::int32_t push_direct(const std::shared_ptr<Mailbox>& mailbox, Draft& draft);

    Clock& clock_;
    const std::shared_ptr<Router> router_;
    const std::shared_ptr<NamePool> names_;
    const Sender sender_;
    const Inbox& inbox_;
    const Checkpoint checkpoint_;
    bool is_in_turns_ = false;
    LazyDeque<Waiting> waiting_;
    std::vector<Ring*> published_;  // on a pool: rings of the table with messages of this turn
    const std::string* const any_content_;    // "*"
    const std::string* const plain_content_;  // "application/octet-stream"

    std::shared_ptr<const RouteTable> table_;
    std::uint64_t table_version_ = 0;
    std::span<const Output> outputs_;  // of the table
    std::uint32_t declared_outputs_ = 0;
    std::uint64_t sequence_;
    Nanos time_{0};
    PayloadCache cache_;
    AdaptiveSpin spin_;
    // The member of each replica group that is next, by port and index of the group.
    std::map<std::pair<std::ptrdiff_t, std::size_t>, std::uint64_t> turns_;
};

}  // namespace skep::host
