#include "host/manager/host_sender.hpp"

#include <cstring>
#include <new>
#include <optional>

#include "host/base/printable.hpp"

namespace skep::host {

Envelope HostSender::envelope_of(const std::string& payload) {
    Envelope made;
    made.payload = PayloadRef::allocate(payload.size());
    if (!payload.empty()) {
        std::memcpy(made.payload.data(), payload.data(), payload.size());
    }
    made.sender = world_.names->intern("");
    made.content_type =
        world_.names->intern(is_utf8(payload) ? "text/plain" : "application/octet-stream");
    made.sequence = ++sequence_;
    made.time = world_.clock->now();
    made.port = SKEP_PORT_DIRECT;
    return made;
}

Answer<Done> HostSender::send(const WorkerEntry& to, const std::string& payload) {
    std::optional<PushResult> result;
    try {
        Envelope envelope = envelope_of(payload);
        result = to.home->mailbox->push(envelope, direct_lane, nullptr);
    } catch (const std::bad_alloc&) {
        return Unexpected<Refusal>(
            {Refusal::Code::mailbox_full,
             "no memory for a message of " + std::to_string(payload.size()) + " bytes"});
    }
    switch (*result) {
        case PushResult::accepted:
            return Done{};
        case PushResult::full:
            return Unexpected<Refusal>({Refusal::Code::mailbox_full,
                                        "the mailbox of worker '" + to.home->name + "' is full"});
        default: {
            Refusal refusal = cannot("send to", to);
            refusal.code = Refusal::Code::mailbox_closed;
            return Unexpected<Refusal>(refusal);
        }
    }
}

std::size_t HostSender::broadcast(const std::string& payload) {
    const Envelope envelope = envelope_of(payload);
    std::size_t taken = 0;
    for (const auto& [name, entry] : table_.entries()) {
        Envelope copy = envelope;
        taken +=
            entry->home->mailbox->push(copy, direct_lane, nullptr) == PushResult::accepted ? 1 : 0;
    }
    return taken;
}

}  // namespace skep::host
