#include "host/messaging/outbox.hpp"

#include <algorithm>
#include <cstring>
#include <set>

namespace skep::host {

namespace {

// Payloads of this size or more are searched for among those that have come back.
constexpr std::uint64_t large_payload = 4096;

// The time after which a sender that sleeps for half of the room asks for any room.
constexpr Nanos patience = std::chrono::milliseconds(1);

template <typename Do>
void for_each_ring(std::span<const Output> outputs, Do&& act) {
    for (const Output& output : outputs) {
        for (const Destination& path : output.paths) {
            if (path.ring != nullptr) {
                act(path.ring);
            }
        }
        for (const std::vector<Destination>& spread : output.replica_groups) {
            for (const Destination& path : spread) {
                if (path.ring != nullptr) {
                    act(path.ring);
                }
            }
        }
    }
}

}  // namespace

Outbox::Outbox(Clock& clock,
               std::shared_ptr<Router> router,
               std::shared_ptr<NamePool> names,
               Sender sender,
               const Inbox& inbox,
               Checkpoint checkpoint)
    : clock_(clock),
      router_(std::move(router)),
      names_(std::move(names)),
      sender_(std::move(sender)),
      inbox_(inbox),
      checkpoint_(std::move(checkpoint)),
      any_content_(names_->intern("*")),
      plain_content_(names_->intern("application/octet-stream")),
      sequence_(sender_.counters->sequence.load(std::memory_order_relaxed)) {}

void Outbox::set_in_turns(bool is_in_turns) {
    is_in_turns_ = is_in_turns;
    std::size_t rings = 0;
    for_each_ring(outputs_, [&](const std::shared_ptr<Ring>&) { ++rings; });
    published_.reserve(is_in_turns ? rings : 0);
}

void Outbox::end() {
    full_fence();
    attend_published();
    sender_.counters->sequence.store(sequence_, std::memory_order_relaxed);
    for_each_ring(outputs_, [](const std::shared_ptr<Ring>& ring) { ring->seal(); });
}

void Outbox::take_new_table() {
    full_fence();
    attend_published();
    table_version_ = router_->version();
    const std::shared_ptr<const RouteTable> before = std::exchange(table_, router_->table());
    const std::vector<Output>* const outputs = table_->outputs_of(*sender_.name);
    const std::span<const Output> old_outputs = std::exchange(
        outputs_, outputs == nullptr ? std::span<const Output>() : std::span(*outputs));
    std::set<const Ring*> kept;
    for_each_ring(outputs_, [&](const std::shared_ptr<Ring>& ring) { kept.insert(ring.get()); });
    published_.reserve(is_in_turns_ ? kept.size() : 0);
    for_each_ring(old_outputs, [&](const std::shared_ptr<Ring>& ring) {
        // Messages that wait for room in a ring are still to come; the ring is sealed after the
        // last of them.
        const bool is_needed = std::any_of(
            waiting_.begin(), waiting_.end(), [&](const auto& it) { return it.path.ring == ring; });
        if (!kept.contains(ring.get()) && !is_needed) {
            ring->seal();
        }
    });
}

bool Outbox::is_too_big(const skep_payload& payload) {
    return payload.share == nullptr && payload.size > max_payload_bytes;
}

void Outbox::begin(Draft& draft, const skep_payload& payload, const std::string* content_type) {
    draft.content_type = content_type;
    if (payload.share != nullptr) {
        const Inbox::Facts facts = inbox_.facts_of(*payload.share);
        draft.bytes = payload.share->data;
        draft.size = payload.share->size;
        if (draft.size > inline_bytes) {
            draft.payload = inbox_.payload_of(*payload.share);
        }
        draft.trace_id = facts.trace_id;
        if (content_type == any_content_) {
            draft.content_type = facts.content_type;
        }
    } else {
        draft.bytes = payload.data;
        draft.size = payload.size;
        if (content_type == any_content_) {
            draft.content_type = plain_content_;
        }
    }
    if (payload.content_type != nullptr) {
        draft.content_type = names_->intern(payload.content_type);
    }
    if (payload.trace_id != 0) {
        draft.trace_id = payload.trace_id;
    }
    draft.sequence = next_sequence();
}

std::int32_t Outbox::end_publish(Ring& ring) noexcept {
    ring.end_publish();
    if (!is_in_turns_) {
        ring.attend();
    } else if (ring.attend_later()) {
        published_.push_back(&ring);  // set_in_turns() or take_new_table() reserved the space
    }
    const std::uint32_t readers = ring.open_readers();
    count(sender_.counters->out, readers);
    return readers > 0 ? SKEP_OK : SKEP_E_CLOSED;
}

void Outbox::give_payload(Draft& draft) {
    if (draft.payload.size() == 0 && draft.size > 0) {
        draft.payload = cache_.allocate(draft.size);
        std::memcpy(draft.payload.data(), draft.bytes, draft.size);
    }
}

void Outbox::fill(RingSlot& slot, Draft& draft, Ring& ring) {
    slot.sequence = draft.sequence;
    slot.time_ns = time_.count();
    if (ring.is_plain(draft.size, draft.content_type, draft.trace_id)) {
        slot.set_inline(draft.bytes, draft.size);
        return;
    }
    give_payload(draft);
    ring.hold(slot, {draft.payload, draft.content_type, draft.trace_id});
}

Envelope Outbox::envelope_of(Draft& draft, std::uint32_t port) {
    give_payload(draft);
    Envelope made;
    made.payload = draft.payload;
    made.sender = sender_.name;
    made.output = draft.output;
    made.content_type = draft.content_type;
    made.sequence = draft.sequence;
    made.time = time_;
    made.trace_id = draft.trace_id;
    made.port = port;
    return made;
}

std::int32_t Outbox::emit(std::uint32_t port, const skep_payload& payload) {
    table();
    if (port >= outputs_.size()) {
        if (port >= declared_outputs_) {
            return SKEP_E_UNKNOWN;
        }
        count(sender_.counters->no_route, 1);
        return SKEP_E_NO_ROUTE;
    }
    if (is_too_big(payload)) {
        return SKEP_E_TOO_BIG;
    }
    return emit_draft(outputs_[port], payload);
}

std::int32_t Outbox::emit_draft(const Output& output, const skep_payload& payload) {
    if (output.paths.empty() && output.replica_groups.empty()) {
        count(sender_.counters->no_route, 1);
        return SKEP_E_NO_ROUTE;
    }
    Draft draft;
    begin(draft, payload, output.content_type);
    draft.output = output.name;
    if (output.paths.size() == 1 && output.replica_groups.empty()) {
        return deliver(output.paths.front(), draft);
    }
    std::int32_t best = SKEP_E_STOPPING;
    const auto offer = [&](const Destination& path) {
        const std::int32_t status = deliver(path, draft);
        best = status == SKEP_OK || best != SKEP_OK ? status : best;
    };
    for (const Destination& path : output.paths) {
        offer(path);
    }
    for (std::size_t i = 0; i < output.replica_groups.size(); ++i) {
        const std::vector<Destination>& spread = output.replica_groups[i];
        offer(spread[turns_[{&output - outputs_.data(), i}]++ % spread.size()]);
    }
    return best;
}

std::int32_t Outbox::deliver(const Destination& path, Draft& draft) {
    if (is_waiting() && is_behind_waiting(path)) {
        keep_waiting(path, draft, false);
        return SKEP_OK;
    }
    return path.ring != nullptr ? deliver_to_ring(path, draft) : deliver_to_queue(path, draft);
}

std::int32_t Outbox::deliver_to_ring(const Destination& path, Draft& draft) {
    Ring& ring = *path.ring;
    if (draft.size >= large_payload) {
        ring.reclaim(cache_);
    }
    const bool is_plain = ring.is_plain(draft.size, draft.content_type, draft.trace_id);
    for (;;) {
        RingSlot* const slot = ring.claim(cache_);
        if (slot != nullptr && (is_plain || ring.reserve(draft.size))) {
            if (ring.has_sleepers() && !is_in_turns_) {
                time_ = clock_.now();  // waking a reader costs more than a look at the clock
            }
            fill(*slot, draft, ring);
            ring.publish(*slot);
            return end_publish(ring);
        }
        if (slot == nullptr && ring.is_closed()) {
            ring.count_rejected_closed();
            return SKEP_E_CLOSED;
        }
        if (ring.drops_newest()) {
            ring.count_dropped();
            count(sender_.counters->out, 1);
            return SKEP_OK;
        }
        if (is_in_turns_) {
            keep_waiting(path, draft, false);
            return SKEP_OK;
        }
        if (!(slot == nullptr ? wait_for_room(ring) : wait_for_bytes(ring, draft.size))) {
            ring.count_rejected_stopping();
            return SKEP_E_STOPPING;
        }
    }
}

// Like wait_for_room(), when a reader has too many bytes waiting.
bool Outbox::wait_for_bytes(Ring& ring, std::uint64_t bytes) {
    const std::uint32_t ticket = sender_.parker->prepare();
    if (checkpoint_()) {
        return false;
    }
    if (ring.wait_for_bytes(bytes)) {
        sender_.parker->park(ticket, forever);
    }
    return true;
}

// Returns false if the sender has to stop, true if it should try again.
bool Outbox::wait_for_room(Ring& ring) {
    Parker& parker = *sender_.parker;
    const bool is_real = clock_.is_real();
    Ring::Wake wanted = is_real ? Ring::Wake::at_half : Ring::Wake::at_once;
    for (;;) {
        const std::uint32_t ticket = parker.prepare();
        if (checkpoint_()) {
            return false;
        }
        if (is_real && spin_.wait([&] { return ring.has_room() || parker.prepare() != ticket; })) {
            return true;
        }
        if (!ring.wait_for_room(wanted)) {
            return true;
        }
        spin_.begin_sleep();
        parker.park(ticket, wanted == Ring::Wake::at_half ? clock_.now() + patience : forever);
        spin_.end_sleep();
        ring.stop_waiting();
        if (ring.has_room()) {
            return true;
        }
        wanted = Ring::Wake::at_once;
    }
}

std::int32_t Outbox::deliver_to_queue(const Destination& path, Draft& draft) {
    time_ = clock_.now();
    Envelope envelope = envelope_of(draft, path.port);
    for (;;) {
        const std::uint32_t ticket = sender_.parker->prepare();
        switch (path.mailbox->push(envelope, path.lane, sender_.mailbox->parker())) {
            case PushResult::accepted:
                count(sender_.counters->out, 1);
                return SKEP_OK;
            case PushResult::closed:
                return SKEP_E_CLOSED;
            case PushResult::full:
                break;
        }
        if (is_in_turns_) {
            keep_waiting(path, draft, false);
            return SKEP_OK;
        }
        if (checkpoint_()) {
            path.mailbox->reject_stopping();
            return SKEP_E_STOPPING;
        }
        sender_.parker->park(ticket, forever);
    }
}

std::int32_t Outbox::push_direct(const std::shared_ptr<Mailbox>& mailbox, Draft& draft) {
    if (is_waiting() && is_behind_waiting(*mailbox)) {
        Destination path;
        path.mailbox = mailbox;
        path.port = SKEP_PORT_DIRECT;
        keep_waiting(path, draft, true);
        return SKEP_OK;
    }
    Envelope envelope = envelope_of(draft, SKEP_PORT_DIRECT);
    switch (mailbox->push(envelope, direct_lane, nullptr)) {
        case PushResult::accepted:
            count(sender_.counters->out, 1);
            return SKEP_OK;
        case PushResult::full:
            return SKEP_E_FULL;
        default:
            return SKEP_E_CLOSED;
    }
}

std::int32_t Outbox::send(std::string_view worker, const skep_payload& payload) {
    const auto* mailbox = table().find(worker);
    if (mailbox == nullptr) {
        return SKEP_E_UNKNOWN;
    }
    if (is_too_big(payload)) {
        return SKEP_E_TOO_BIG;
    }
    time_ = clock_.now();
    Draft draft;
    begin(draft, payload, any_content_);
    return push_direct(*mailbox, draft);
}

std::int32_t Outbox::broadcast(const skep_payload& payload) {
    if (is_too_big(payload)) {
        return SKEP_E_TOO_BIG;
    }
    time_ = clock_.now();
    Draft draft;
    begin(draft, payload, any_content_);
    std::int32_t best = SKEP_E_UNKNOWN;  // no other worker exists
    for (const auto& [name, mailbox] : table().members) {
        if (name == sender_.name) {
            continue;
        }
        const std::int32_t status = push_direct(mailbox, draft);
        best = status == SKEP_OK || best != SKEP_OK ? status : best;
    }
    if (best == SKEP_E_UNKNOWN) {
        count(sender_.counters->no_route, 1);
    }
    return best;
}

// -- Messages of a worker on a pool that have found no room. They wait here; the worker waits for
// -- them, and no thread does.

bool Outbox::is_behind_waiting(const Mailbox& mailbox) const {
    return std::any_of(waiting_.begin(), waiting_.end(), [&](const Waiting& it) {
        return it.path.mailbox.get() == &mailbox ||
               std::any_of(it.path.readers.begin(), it.path.readers.end(), [&](const auto& reader) {
                   return reader.get() == &mailbox;
               });
    });
}

bool Outbox::is_behind_waiting(const Destination& path) const {
    return path.ring == nullptr
               ? is_behind_waiting(*path.mailbox)
               : std::any_of(path.readers.begin(), path.readers.end(), [&](const auto& reader) {
                     return is_behind_waiting(*reader);
                 });
}

void Outbox::keep_waiting(const Destination& path, Draft& draft, bool is_direct) {
    waiting_.push_back({path, envelope_of(draft, path.port), is_direct});
}

// Returns false if there is no room yet; the worker will then be unparked when there is.
bool Outbox::offer(Waiting& waiting) {
    Envelope& envelope = waiting.envelope;
    if (waiting.path.ring == nullptr) {
        const PushResult result = waiting.path.mailbox->push(
            envelope, waiting.path.lane, waiting.is_direct ? nullptr : sender_.mailbox->parker());
        if (result == PushResult::accepted) {
            count(sender_.counters->out, 1);
        }
        return waiting.is_direct || result != PushResult::full;
    }
    Ring& ring = *waiting.path.ring;
    const PayloadRef& payload = envelope.payload;
    const bool is_plain = ring.is_plain(payload.size(), envelope.content_type, envelope.trace_id);
    for (;;) {
        RingSlot* const slot = ring.claim(cache_);
        if (slot != nullptr && (is_plain || ring.reserve(payload.size()))) {
            slot->sequence = envelope.sequence;
            slot->time_ns = envelope.time.count();
            if (is_plain) {
                slot->set_inline(payload.data(), payload.size());
            } else {
                ring.hold(*slot, {payload, envelope.content_type, envelope.trace_id});
            }
            ring.publish(*slot);
            ring.attend();
            count(sender_.counters->out, ring.open_readers());
            return true;
        }
        if (slot == nullptr && ring.is_closed()) {
            ring.count_rejected_closed();
            return true;
        }
        if (slot == nullptr ? ring.wait_for_room(Ring::Wake::at_once)
                            : ring.wait_for_bytes(payload.size())) {
            return false;
        }
    }
}

bool Outbox::flush() {
    while (!waiting_.empty()) {
        if (!offer(waiting_.front())) {
            return false;
        }
        waiting_.pop_front();
    }
    return true;
}

void Outbox::reject_waiting() {
    for (const Waiting& it : waiting_) {
        if (it.path.ring != nullptr) {
            it.path.ring->count_rejected_stopping();
        } else {
            it.path.mailbox->reject_stopping();
        }
    }
    waiting_.clear();
}

}  // namespace skep::host
