// Messages that a worker of a pool has sent without finding room. They wait in the outbox; the
// worker waits for them, and no thread does.
#include <algorithm>

#include "host/worker/outbox.hpp"

namespace skep::host {

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
