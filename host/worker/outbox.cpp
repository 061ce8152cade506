#include "host/worker/outbox.hpp"

#include <cstring>

namespace skep::host {

const RouteTable& Outbox::table() {
    if (const std::uint64_t version = router_->version(); version != table_version_) {
        table_ = router_->table();
        table_version_ = version;
    }
    return *table_;
}

Envelope Outbox::envelope_of(const skep_payload& payload, const std::string* content_type) {
    Envelope made;
    made.content_type = content_type;
    if (payload.share != nullptr) {
        const auto& shared = *static_cast<const Envelope*>(payload.share->host);
        made.payload = shared.payload;
        made.trace_id = shared.trace_id;
        if (content_type == any_content_) {
            made.content_type = shared.content_type;
        }
    } else {
        made.payload = PayloadRef::allocate(payload.size);
        if (payload.size > 0) {
            std::memcpy(made.payload.data(), payload.data, payload.size);
        }
        if (content_type == any_content_) {
            made.content_type = names_->intern("application/octet-stream");
        }
    }
    made.sender = sender_.name;
    if (payload.content_type != nullptr) {
        made.content_type = names_->intern(payload.content_type);
    }
    made.sequence = sender_.counters->sequence.fetch_add(1, std::memory_order_relaxed) + 1;
    made.time = clock_.now();
    if (payload.trace_id != 0) {
        made.trace_id = payload.trace_id;
    }
    return made;
}

std::int32_t Outbox::emit(std::uint32_t port,
                          const skep_payload& payload,
                          const Checkpoint& checkpoint) {
    // The table is held here for the whole emission: while this sender waits for room, the manager
    // may publish another, and table() would let this one go.
    table();
    const std::shared_ptr<const RouteTable> held = table_;
    const std::vector<Output>* outputs = held->outputs_of(*sender_.name);
    if (outputs == nullptr || port >= outputs->size()) {
        return SKEP_E_UNKNOWN;
    }
    if (payload.share == nullptr && payload.size > max_payload_bytes) {
        add(sender_.counters->too_big, 1);
        return SKEP_E_TOO_BIG;
    }
    const Output& output = (*outputs)[port];
    if (output.targets.empty() && output.spreads.empty()) {
        add(sender_.counters->no_route, 1);
        return SKEP_E_NO_ROUTE;
    }
    const Envelope envelope = envelope_of(payload, output.content_type);
    std::int32_t best = SKEP_E_STOPPING;
    const auto offer = [&](const Target& target) {
        const std::int32_t status = deliver(target, envelope, checkpoint);
        best = status == SKEP_OK || best != SKEP_OK ? status : best;
    };
    for (const Target& target : output.targets) {
        offer(target);
    }
    for (std::size_t i = 0; i < output.spreads.size(); ++i) {
        const std::vector<Target>& spread = output.spreads[i];
        offer(spread[turns_[{port, i}]++ % spread.size()]);
    }
    return best;
}

std::int32_t Outbox::deliver(const Target& target,
                             const Envelope& envelope,
                             const Checkpoint& checkpoint) {
    Envelope copy = envelope;
    copy.port = target.port;
    const std::shared_ptr<Parker>& parker = sender_.mailbox->parker();
    for (;;) {
        const std::uint32_t ticket = parker->prepare();
        switch (target.mailbox->push(copy, target.lane, parker)) {
            case PushResult::accepted:
                add(sender_.counters->out, 1);
                return SKEP_OK;
            case PushResult::closed:
                return SKEP_E_CLOSED;
            case PushResult::full:
                break;
        }
        if (checkpoint()) {
            target.mailbox->reject_stopping();
            return SKEP_E_STOPPING;
        }
        parker->park(ticket, forever);
    }
}

std::int32_t Outbox::push_direct(const std::shared_ptr<Mailbox>& mailbox,
                                 const Envelope& envelope) {
    Envelope copy = envelope;
    copy.port = SKEP_PORT_DIRECT;
    switch (mailbox->push(copy, direct_lane, nullptr)) {
        case PushResult::accepted:
            add(sender_.counters->out, 1);
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
    if (payload.share == nullptr && payload.size > max_payload_bytes) {
        add(sender_.counters->too_big, 1);
        return SKEP_E_TOO_BIG;
    }
    return push_direct(*mailbox, envelope_of(payload, any_content_));
}

std::int32_t Outbox::broadcast(const skep_payload& payload) {
    if (payload.share == nullptr && payload.size > max_payload_bytes) {
        add(sender_.counters->too_big, 1);
        return SKEP_E_TOO_BIG;
    }
    const Envelope envelope = envelope_of(payload, any_content_);
    std::int32_t best = SKEP_E_UNKNOWN;  // nobody else is there
    for (const auto& [name, mailbox] : table().members) {
        if (name == *sender_.name) {
            continue;
        }
        const std::int32_t status = push_direct(mailbox, envelope);
        best = status == SKEP_OK || best != SKEP_OK ? status : best;
    }
    return best;
}

}  // namespace skep::host
