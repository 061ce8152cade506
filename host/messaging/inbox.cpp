#include "host/messaging/inbox.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

#include <skep/note.h>

#include "host/base/assert.hpp"
#include "host/base/contains.hpp"

namespace skep::host {

namespace {

constexpr std::uint64_t any = std::numeric_limits<std::uint64_t>::max();

// The number of rings that may stay active while the owner sleeps.
constexpr std::size_t most_in_place = 8;

// The meaning of skep_message::origin: what `host` points to.
enum Origin : std::uint32_t { of_envelope, of_slot, of_kept_envelope };

}  // namespace

bool Inbox::take(MessageBatch& views, std::uint32_t max) {
    SKEP_ASSERT(in_flight_ == 0 && max > 0);
    views.clear();
    max = std::min(max, batch_max);
    if (grant_.cursor != nullptr) {
        return take_granted(views, max);
    }
    for (;;) {
        (void)(mailbox_->has_news() && adopt_announced());
        RingReader* const cursor = next_with_something();
        if (cursor == nullptr) {
            if (!mailbox_->has_news()) {
                return false;
            }
            if (take_queued(views, max)) {
                return true;
            }
            continue;
        }
        show(*cursor, views, max, any);
        // This look at the queue must come after the look at the whole batch.
        if (!mailbox_->has_news()) {
            return take_shown(*cursor, views);
        }
        const std::uint32_t shown = views.size();
        views.clear();
        if (adopt_announced()) {
            continue;  // one of them may hold earlier messages of the same sender
        }
        grant_ = {cursor, cursor->position() + shown, mailbox_->passed().came};
        return take_granted(views, max);
    }
}

RingReader* Inbox::next_with_something() {
    for (std::size_t tried = 0; tried < active_.size(); ++tried) {
        turn_ = turn_ + 1 < active_.size() ? turn_ + 1 : 0;
        RingReader* const cursor = active_[turn_];
        if (cursor->front() != nullptr) {
            // Called after cursor.front(): the sender left its older rings before it published that
            // message.
            RingReader* const elder =
                has_elders_ ? eldest_of(cursor->sender(), cursor->front()->sequence) : nullptr;
            return elder != nullptr ? elder : cursor;
        }
    }
    return nullptr;
}

bool Inbox::take_granted(MessageBatch& views, std::uint32_t max) {
    if (grant_.cursor->position() < grant_.limit && mailbox_->passed().left < grant_.queue_until &&
        take_queued(views, max)) {
        return true;
    }
    const GrantedBatch grant = std::exchange(grant_, {});
    if (take_of(*grant.cursor, views, max, grant.limit, any)) {
        return true;
    }
    return take(views, max);  // the batch was already taken, ahead of messages of the queue
}

// Takes from the queue, or from a ring of the sender of its first message if that ring holds a
// lower number.
bool Inbox::take_queued(MessageBatch& views, std::uint32_t max) {
    RingReader* first = nullptr;
    std::uint64_t below = 0;
    const auto may_go = [&](const std::string* sender, std::uint64_t sequence) {
        first = eldest_of(sender, sequence);
        below = sequence;
        return first == nullptr;
    };
    // A ring that was announced before the queue's next message may belong to the same sender.
    do {
        (void)adopt_announced();
    } while (!mailbox_->take_queued(envelopes_, max, may_go));
    if (!envelopes_.empty()) {
        source_ = nullptr;
        in_flight_ = static_cast<std::uint32_t>(envelopes_.size());
        for (const Envelope& it : envelopes_) {
            views.push_back(view_of(it));
        }
        return true;
    }
    return first != nullptr && take_of(*first, views, max, any, below);
}

bool Inbox::take_of(RingReader& cursor,
                    MessageBatch& views,
                    std::uint32_t max,
                    std::uint64_t limit,
                    std::uint64_t below_sequence) {
    const std::uint64_t left = limit - std::min(limit, cursor.position());
    max = left < max ? static_cast<std::uint32_t>(left) : max;
    if (max == 0) {
        return false;
    }
    show(cursor, views, max, below_sequence);
    return take_shown(cursor, views);
}

void Inbox::show(RingReader& cursor,
                 MessageBatch& views,
                 std::uint32_t max,
                 std::uint64_t below_sequence) {
    const std::uint32_t port = cursor.ring().port(cursor.reader());
    std::uint32_t count = cursor.scan(max, [&views, port](const RingSlot& slot) {
        views.push_back({slot.data(), slot.size, port, of_slot, &slot});
    });
    while (count > 0 && below_sequence != any &&
           static_cast<const RingSlot*>(views[count - 1].host)->sequence >= below_sequence) {
        --count;
    }
    if (cursor.ring().has_payloads()) {
        std::uint64_t bytes = 0;
        for (std::uint32_t i = 0; i < count; ++i) {
            bytes += views[i].size;
            count = i > 0 && bytes > batch_max_bytes ? i : count;
        }
    }
    views.keep_first(count);
}

bool Inbox::take_shown(RingReader& cursor, MessageBatch& views) {
    const std::uint32_t count = views.size();
    if (count == 0) {
        return false;
    }
    if constexpr ((SKEP_THIS_SANITIZERS & SKEP_SANITIZER_ADDRESS) != 0) {
        lend_copies(views);
    }
    if (cursor.ring().has_payloads()) {
        cursor.take_payloads(count);
    }
    cursor.take(count);
    if (is_in_turns_) {
        if (taken_from_ != nullptr && taken_from_ != &cursor) {
            full_fence();
            wake_senders();
        }
        taken_from_ = &cursor;
    } else {
        cursor.ring().fence().light();
        cursor.ring().wake_sender_if_it_waits();
    }
    source_ = &cursor;
    in_flight_ = count;
    return true;
}

void Inbox::settle(std::uint32_t finished, std::uint32_t failed) {
    const std::uint32_t count = std::exchange(in_flight_, 0);
    SKEP_ASSERT(finished + failed <= count);
    if (count == 0) {
        return;
    }
    lent_.clear();
    if (source_ != nullptr) {
        source_->settle(count, finished, failed);
        return;
    }
    mailbox_->settle(finished, failed);
    if (finished + failed < count) {
        mailbox_->return_untouched(envelopes_.begin() + finished + failed, envelopes_.end());
    }
    envelopes_.clear();
}

Inbox::InHand Inbox::abandon() {
    InHand kept;
    kept.envelopes.swap(envelopes_);
    kept.lent.swap(lent_);
    const std::uint32_t count = std::exchange(in_flight_, 0);
    if (count > 0 && source_ != nullptr) {
        kept.ring = source_->abandon(count);
    } else if (count > 0) {
        mailbox_->settle(0, count);
    }
    return kept;
}

void Inbox::lend_copies(MessageBatch& views) {
    for (skep_message& view : views) {
        if (view.size > 0 && static_cast<const RingSlot*>(view.host)->is_shared == 0) {
            lent_.push_back(std::make_unique<char[]>(view.size));
            std::memcpy(lent_.back().get(), view.data, view.size);
            view.data = lent_.back().get();
        }
    }
}

bool Inbox::is_view(const skep_message& view) const {
    return view.host != nullptr && view.origin <= of_kept_envelope &&
           (view.origin != of_slot || source_ != nullptr);
}

Inbox::Facts Inbox::facts_of(const skep_message& view) const {
    if (view.origin != of_slot) {
        const Envelope& it = *static_cast<const Envelope*>(view.host);
        return {it.sender, it.output, it.content_type, it.sequence, it.time, it.trace_id};
    }
    const RingSlot& slot = *static_cast<const RingSlot*>(view.host);
    const bool is_shared = slot.is_shared != 0;
    return {source_->sender(),
            source_->ring().output(),
            is_shared ? slot.shared.content_type : source_->ring().content_type(),
            slot.sequence,
            Nanos(slot.time_ns),
            is_shared ? slot.shared.trace_id : 0};
}

PayloadRef Inbox::payload_of(const skep_message& view) const {
    if (view.origin != of_slot) {
        return static_cast<const Envelope*>(view.host)->payload;
    }
    const RingSlot& slot = *static_cast<const RingSlot*>(view.host);
    if (slot.is_shared != 0) {
        return slot.shared.payload;
    }
    PayloadRef copy = PayloadRef::allocate(slot.size);
    if (slot.size > 0) {
        std::memcpy(copy.data(), slot.bytes, slot.size);
    }
    return copy;
}

skep_message Inbox::view_of(const Envelope& envelope) {
    return {
        envelope.payload.data(), envelope.payload.size(), envelope.port, of_envelope, &envelope};
}

skep_message Inbox::kept_view_of(const Envelope& envelope) {
    skep_message view = view_of(envelope);
    view.origin = of_kept_envelope;
    return view;
}

bool Inbox::is_kept(const skep_message& view) {
    return view.origin == of_kept_envelope;
}

bool Inbox::adopt_announced() {
    std::vector<Mailbox::Announced> announced = mailbox_->take_announced();
    for (Mailbox::Announced& it : announced) {
        if (it.ring->is_dead_lettered(it.reader)) {
            // Of an earlier instance: its sender has not noticed yet that the instance ended.
            continue;
        }
        RingReader*& cursor = it.ring->cursor(it.reader);
        if (cursor == nullptr && it.ring->is_over(it.reader)) {
            continue;  // all was read before the announcement came, and then the reader was removed
        }
        if (cursor == nullptr) {
            if (cursors_.size() >= sweep_at_) {
                std::erase_if(cursors_, [this](const auto& old) {
                    return old->ring().is_over(old->reader()) && !contains(active_, old.get());
                });
                sweep_at_ = next_sweep(cursors_.size());
            }
            cursors_.push_back(std::make_unique<RingReader>(std::move(it.ring), it.reader));
            cursor = cursors_.back().get();
        }
        has_elders_ = has_elders_ || std::any_of(active_.begin(), active_.end(), [&](auto* other) {
                          return other->sender() == cursor->sender();
                      });
        active_.push_back(cursor);
    }
    return !announced.empty();
}

RingReader* Inbox::eldest_of(const std::string* sender, std::uint64_t below_sequence) {
    RingReader* eldest = nullptr;
    for (RingReader* const it : active_) {
        const RingSlot* const slot = it->sender() == sender ? it->front() : nullptr;
        if (slot != nullptr && slot->sequence < below_sequence) {
            eldest = it;
            below_sequence = slot->sequence;
        }
    }
    return eldest;
}

bool Inbox::has_news() {
    return mailbox_->has_news() || has_at_hand();
}

bool Inbox::has_at_hand() {
    return grant_.cursor != nullptr ||
           std::any_of(
               active_.begin(), active_.end(), [](RingReader* it) { return it->has_next(); });
}

void Inbox::begin_sleep() {
    const bool stay = active_.size() <= most_in_place && !has_elders_;
    for (RingReader* const cursor : active_) {  // R1
        cursor->park(stay && !cursor->ring().is_sealed() ? Ring::Parked::in_place
                                                         : Ring::Parked::away);
    }
    mailbox_->fall_asleep();
}

void Inbox::fence_heavily() const {
    // An asymmetric heavy() serves both kinds of rings.
    const auto asymmetric = std::find_if(active_.begin(), active_.end(), [](RingReader* it) {
        return it->ring().fence().is_asymmetric();
    });
    if (asymmetric != active_.end()) {
        (*asymmetric)->ring().fence().heavy();
    } else {
        full_fence();
    }
}

bool Inbox::may_sleep() {
    const bool has_found = has_news();  // R3
    if (has_found) {
        mailbox_->wake_up();
        // A ring that was announced in the meantime comes back by adopt_announced().
        std::erase_if(active_, [](RingReader* it) { return !it->unpark(); });
    } else {
        std::erase_if(active_, [](const RingReader* it) { return it->is_away(); });
    }
    if (active_.empty()) {
        has_elders_ = false;
    }
    turn_ = 0;
    return !has_found;
}

void Inbox::wake_up() {
    mailbox_->wake_up();
    for (RingReader* const cursor : active_) {
        (void)cursor->unpark();
    }
}

}  // namespace skep::host
