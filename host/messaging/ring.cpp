#include "host/messaging/ring.hpp"

#include <algorithm>

#include "host/base/assert.hpp"

namespace skep::host {

namespace {

// Increments a counter that has a single writer.
void add_one(std::atomic<std::uint64_t>& counter) {
    counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

// The size of the first buffer of a ring, in slots; each further one is four times as large.
constexpr std::size_t first_slots = 8;

}  // namespace

Ring::Ring(Spec spec, const std::vector<ReaderSpec>& readers)
    : spec_(std::move(spec)),
      reader_count_(static_cast<std::uint32_t>(readers.size())),
      readers_(readers) {
    SKEP_ASSERT(spec_.bound > 0 && !readers.empty() &&
                (!spec_.drops_newest || readers.size() == 1));
}

Ring::~Ring() {
    for (RingBuffer* it = first_.load(std::memory_order_relaxed); it != nullptr;) {
        RingBuffer::destroy(std::exchange(it, it->next.load(std::memory_order_relaxed)));
    }
}

// -- The sender. --

Ring::Lowest Ring::lowest() const {
    Lowest found{written(), written()};
    for (const Reader& it : readers_) {
        if (it.is_open()) {
            found.taken = std::min(found.taken, it.taken.load(std::memory_order_acquire));
            found.done = std::min(found.done, it.done.load(std::memory_order_acquire));
            const std::uint64_t kept = it.kept_from.load(std::memory_order_relaxed);
            if (kept != never) {
                found.has_kept = true;
                if (slots_ != nullptr && kept >= slots_->first) {
                    found.done = std::min(found.done, kept);
                }
            }
        }
    }
    return found;
}

// A message published after this makes the new `reported_` visible.
bool Ring::report(std::uint64_t bytes) {
    for (std::uint32_t i = 0; i < reader_count_; ++i) {
        const Reader& it = readers_[i];
        if (it.spec.budget == nullptr || !it.is_open() || it.spec.budget->reserve(bytes)) {
            continue;
        }
        while (i-- > 0) {
            if (readers_[i].spec.budget != nullptr && readers_[i].is_open()) {
                readers_[i].spec.budget->release(bytes);
            }
        }
        return false;
    }
    unreported_ = 0;
    reported_.store(reported() + bytes, std::memory_order_relaxed);
    return true;
}

bool Ring::wait_for_bytes(std::uint64_t bytes) {
    return std::any_of(readers_.begin(), readers_.end(), [&](const Reader& it) {
        return it.spec.budget != nullptr && it.is_open() &&
               it.spec.budget->wait(unreported_ + bytes, spec_.sender_parker);
    });
}

bool Ring::find_slot(PayloadCache& cache) {
    if (have_readers_changed_.load(std::memory_order_relaxed)) {
        look_at_readers();
    }
    if (written() == limit_ && !make_room()) {
        return false;
    }
    if (next_ == slots_->slots_end()) {
        next_ = slots_->slots();
    }
    const auto index = static_cast<std::uint32_t>(next_ - slots_->slots());
    if (slots_->is_holding(index)) {
        cache.take_back(slots_->give_back(index));
    }
    straight_ = slots_->holds_any() || closed_ > 0
                    ? 1
                    : static_cast<std::uint32_t>(
                          std::min<std::uint64_t>(limit_ - written(), slots_->count - index));
    return true;
}

bool Ring::make_room() {
    const std::size_t most = spec_.bound + batch_max;
    for (;;) {
        if (is_closed()) {
            return false;
        }
        const Lowest at = lowest();
        for (Reader& it : readers_) {
            const std::uint64_t waiting = written() - std::min(written(), it.taken.load());
            if (waiting > it.high.load(std::memory_order_relaxed) && it.end.load() == never) {
                it.high.store(waiting, std::memory_order_relaxed);
            }
        }
        if (written() - at.taken >= spec_.bound) {
            return false;
        }
        const std::uint64_t reusable =
            slots_ == nullptr ? 0 : std::max(at.done, slots_->first) + slots_->count;
        if (written() < reusable) {
            limit_ = std::min(at.taken + spec_.bound, reusable);
            return true;
        }
        enlarge(static_cast<std::uint32_t>(
            std::min(slots_ == nullptr ? first_slots : std::size_t{4} * slots_->count, most)));
    }
}

void Ring::enlarge(std::uint32_t count) {
    RingBuffer* const made = RingBuffer::make(count, written());
    if (slots_ == nullptr) {
        first_.store(made, std::memory_order_release);
    } else {
        slots_->next.store(made, std::memory_order_release);
    }
    slots_ = made;
    next_ = made->slots();
    straight_ = 0;
    limit_ = written();
}

void Ring::look_at_readers() {
    // Acquire pairs with the release in readers_have_changed().
    (void)have_readers_changed_.exchange(false, std::memory_order_acquire);
    closed_ = 0;
    for (Reader& it : readers_) {
        if (!it.is_closed.load(std::memory_order_relaxed)) {
            continue;
        }
        ++closed_;
        if (it.is_open()) {
            leave(it, written());
        }
    }
    straight_ = 0;
    limit_ = written();
}

// The memory that the reader has yet to read, or reads now, stays as it is. If the reader's thread
// is lost, it stays for ever.
void Ring::leave(Reader& reader, std::uint64_t end) {
    reader.end.store(end, std::memory_order_release);
    if (slots_ != nullptr) {
        is_memory_left_ = true;
        enlarge(slots_->count);
    }
}

// E3, E4. Other changes are left to the next claim().
void Ring::refuse_for_finished(std::uint64_t position) {
    full_fence();
    for (Reader& it : readers_) {
        std::uint64_t before_it = position;
        if (it.is_open() && it.finished_at.compare_exchange_strong(before_it, position | refused)) {
            leave(it, position);
            add_one(it.rejected_closed);
            ++closed_;
        }
    }
}

void Ring::answer_attention() {
    // Acquire pairs with the release in park(): makes the earlier stores of the readers visible.
    (void)attention_.exchange(0, std::memory_order_acq_rel);
    // The mark of a single reader is attention_ itself.
    if (reader_count_ == 1 &&
        readers_[0].parked.load(std::memory_order_relaxed) == Parked::in_place) {
        readers_[0].spec.home->wake();
        return;
    }
    for (std::uint32_t i = 0; i < reader_count_; ++i) {
        switch (unpark(i)) {
            case Parked::no:
                break;
            case Parked::in_place:
                readers_[i].spec.home->wake();
                break;
            case Parked::away:
                readers_[i].spec.home->announce(*this, i);
                break;
        }
    }
}

void Ring::count_dropped() {
    for (Reader& it : readers_) {
        add_one(it.dropped);
    }
}

void Ring::count_rejected_closed() {
    for (Reader& it : readers_) {
        if (it.end.load(std::memory_order_relaxed) != never) {
            add_one(it.rejected_closed);
        }
    }
}

void Ring::count_rejected_stopping() {
    for (Reader& it : readers_) {
        add_one(it.end.load(std::memory_order_relaxed) == never ? it.rejected_stopping
                                                                : it.rejected_closed);
    }
}

bool Ring::wait_for_room(Wake wanted) {
    sender_waits_.store(wanted, std::memory_order_relaxed);
    spec_.fence.heavy();
    if (!have_readers_changed_.load(std::memory_order_relaxed) && !make_room()) {
        return true;
    }
    stop_waiting();
    return false;
}

void Ring::reclaim(PayloadCache& cache) {
    const auto [taken, free, has_kept] = lowest();
    if (slots_ == nullptr || free <= slots_->first || is_memory_left_ || has_kept) {
        return;
    }
    if (reclaimed_ < slots_->first) {  // all readers have left the older buffers
        for (RingBuffer* it = first_buffer(); it != slots_; it = it->next.load()) {
            for (std::uint32_t i = 0; i < it->count; ++i) {
                if (it->is_holding(i)) {
                    cache.take_back(it->give_back(i));
                }
            }
        }
        reclaimed_ = slots_->first;
    }
    // A slot that was written again has already given its earlier payload back.
    reclaimed_ =
        std::max(reclaimed_, written() - std::min<std::uint64_t>(written(), slots_->count));
    for (; reclaimed_ < free; ++reclaimed_) {
        const auto index = static_cast<std::uint32_t>((reclaimed_ - slots_->first) % slots_->count);
        if (slots_->is_holding(index)) {
            cache.take_back(slots_->give_back(index));
        }
    }
}

// -- Readers. --

void Ring::wake_sender() {
    full_fence();  // between this reader's T1 and its look at the others
    const Wake wanted = sender_waits_.load(std::memory_order_relaxed);
    const std::uint64_t position = written_.load(std::memory_order_relaxed);
    std::uint64_t most = 0;
    for (const Reader& it : readers_) {
        if (it.is_open()) {
            const std::uint64_t taken = it.taken.load(std::memory_order_acquire);
            most = std::max(most, position - std::min(position, taken));
        }
    }
    const std::uint64_t enough = wanted == Wake::at_half ? spec_.bound / 2 : spec_.bound - 1;
    if (most <= enough &&
        sender_waits_.exchange(Wake::never, std::memory_order_relaxed) != Wake::never) {
        spec_.sender_parker->unpark();
    }
}

// -- [any-thread] --

void Ring::readers_have_changed() {
    have_readers_changed_.store(true, std::memory_order_release);
    full_fence();  // either a waiting sender sees the change, or the exchange sees the sender
    if (sender_waits_.exchange(Wake::never, std::memory_order_relaxed) != Wake::never) {
        spec_.sender_parker->unpark();
    }
}

void Ring::close(std::uint32_t reader) {
    readers_[reader].is_closed.store(true, std::memory_order_relaxed);
    readers_have_changed();
}

bool Ring::is_finished(std::uint32_t reader) const {
    const Reader& it = readers_[reader];
    const bool is_final =
        is_sealed() || !it.is_open() || it.finished_at.load(std::memory_order_relaxed) != never;
    return is_dead_lettered(reader) ||
           (is_final && accepted(it) == it.taken.load(std::memory_order_relaxed));
}

bool Ring::finish(std::uint32_t reader) {
    Reader& it = readers_[reader];
    const std::uint64_t taken = it.taken.load(std::memory_order_relaxed);
    // The last message taken may not be counted in written_ yet.
    const auto has_come = [&] { return written_.load(std::memory_order_acquire) > taken; };
    if (!is_finished(reader) && it.is_open() && !has_come()) {
        it.finished_at.store(taken, std::memory_order_release);
        full_fence();
        std::uint64_t agreed = taken;
        if (has_come()) {
            (void)it.finished_at.compare_exchange_strong(agreed, never);
        }
    }
    return is_finished(reader);
}

std::uint64_t Ring::accepted(const Reader& reader) const {
    const std::uint64_t finished_at = reader.finished_at.load(std::memory_order_acquire);
    if (finished_at != never) {
        return finished_at & ~refused;
    }
    // For a closed reader, without a later offer of the sender, all messages written were accepted.
    return std::min(reader.end.load(std::memory_order_acquire),
                    written_.load(std::memory_order_acquire));
}

std::uint64_t Ring::dead_letter_rest(std::uint32_t reader) {
    Reader& it = readers_[reader];
    if (it.is_dead_lettered.exchange(true, std::memory_order_release)) {
        return 0;
    }
    readers_have_changed();
    return accepted(it) - it.taken.load(std::memory_order_relaxed);
}

FlowCounts Ring::counts(std::uint32_t reader) const {
    const Reader& it = readers_[reader];
    // In this order: messages done were taken, and messages taken were written.
    const std::uint64_t done = it.done.load(std::memory_order_acquire);
    // `failed` may be newer than `done`.
    const std::uint64_t failed = std::min(done, it.failed.load(std::memory_order_relaxed));
    const std::uint64_t taken = std::max(done, it.taken.load(std::memory_order_acquire));
    const std::uint64_t written = std::max(taken, accepted(it));
    FlowCounts counts;
    counts.dropped.newest = it.dropped.load(std::memory_order_relaxed);
    counts.rejected.closed = it.rejected_closed.load(std::memory_order_relaxed);
    counts.rejected.stopping = it.rejected_stopping.load(std::memory_order_relaxed);
    counts.accepted = written + counts.dropped.newest;
    counts.offered = counts.accepted + counts.rejected.total();
    counts.delivered = done - failed;
    counts.dead_lettered.crash = failed;
    counts.in_flight = taken - done;
    (it.is_dead_lettered.load(std::memory_order_acquire) ? counts.dead_lettered.stop
                                                         : counts.queued) = written - taken;
    return counts;
}

std::size_t Ring::queue_high(std::uint32_t reader) const {
    const Reader& it = readers_[reader];
    const std::uint64_t taken = it.taken.load(std::memory_order_acquire);
    const std::uint64_t waiting = accepted(it) - std::min(taken, accepted(it));
    return std::max(it.high.load(std::memory_order_relaxed), waiting);
}

bool Ring::is_over(std::uint32_t reader) const {
    const bool is_final = is_sealed();  // asked first: nothing is written after the seal
    const FlowCounts now = counts(reader);
    return is_final && now.queued == 0 && now.in_flight == 0;
}

}  // namespace skep::host
