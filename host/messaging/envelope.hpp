// A message on its way that does not lie in the slot of a ring: it came by send, broadcast or
// reply, by a route that needs the mailbox's own queue, or it is kept.
#pragma once

#include <cstdint>
#include <string>

#include "host/base/clock.hpp"
#include "host/messaging/payload.hpp"

namespace skep::host {

// One message on its way to one receiver. The names belong to the host's NamePool.
struct Envelope {
    PayloadRef payload;
    const std::string* sender = nullptr;  // "" for the host itself
    const std::string* output = nullptr;  // of the sender; null: it was sent directly
    const std::string* content_type = nullptr;
    std::uint64_t sequence = 0;
    Nanos time{0};
    std::uint64_t trace_id = 0;
    std::uint32_t port = 0;  // the receiver's input, or SKEP_PORT_DIRECT
    std::uint32_t lane = 0;  // the mailbox's own
};

}  // namespace skep::host
