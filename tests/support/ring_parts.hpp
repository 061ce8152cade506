// What tests of rings need: messages that can be told apart and seen to be torn, and a sender and
// its mailboxes without workers around them.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "host/messaging/inbox.hpp"

namespace skep::test {

// A message of a test is its sequence number, again and again.
inline constexpr std::size_t long_message = 128;

inline void write_number(void* to, std::size_t size, std::uint64_t number) {
    for (std::size_t at = 0; at + sizeof number <= size; at += sizeof number) {
        std::memcpy(static_cast<char*>(to) + at, &number, sizeof number);
    }
}

// Whether the bytes are this number's and no other's.
inline bool holds_number(const void* data, std::size_t size, std::uint64_t number) {
    bool holds = data != nullptr && size >= sizeof number;
    for (std::size_t at = 0; holds && at + sizeof number <= size; at += sizeof number) {
        holds = std::memcmp(static_cast<const char*>(data) + at, &number, sizeof number) == 0;
    }
    return holds;
}

// One message in the slot, or in a payload of `size` bytes outside of it, if there is room.
inline bool offer(host::Ring& ring,
                  host::PayloadCache& cache,
                  std::uint64_t number,
                  std::size_t size = host::inline_bytes,
                  const std::string* content_type = nullptr) {
    host::RingSlot* const slot = ring.claim(cache);
    if (slot == nullptr) {
        return false;
    }
    slot->sequence = number;
    slot->time_ns = static_cast<std::int64_t>(number) * 10;
    if (size <= host::inline_bytes) {
        slot->size = static_cast<std::uint32_t>(size) & 0x7fffffffU;
        slot->is_shared = 0;
        write_number(slot->bytes, size, number);
    } else {
        host::PayloadRef payload = cache.allocate(size);
        write_number(payload.data(), size, number);
        ring.hold(*slot, {std::move(payload), content_type, number});
    }
    ring.publish(*slot);
    ring.attend();
    return true;
}

inline host::Envelope envelope(const std::string* sender, std::uint64_t number) {
    host::Envelope made;
    made.payload = host::PayloadRef::allocate(host::inline_bytes);
    write_number(made.payload.data(), host::inline_bytes, number);
    made.sender = sender;
    made.sequence = number;
    return made;
}

}  // namespace skep::test
