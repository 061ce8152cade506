#include "host/messaging/mailbox.hpp"

#include <algorithm>
#include <utility>

#include "host/base/assert.hpp"

namespace skep::host {

Mailbox::Mailbox(std::shared_ptr<Parker> parker, std::size_t direct_bound)
    : parker_(std::move(parker)) {
    SKEP_ASSERT(direct_bound > 0);
    lanes_.push_back({"", direct_bound, FullPolicy::reject, 0});
}

void Mailbox::set_byte_bound(std::uint64_t bound) {
    SKEP_ASSERT(bound > 0);
    std::shared_ptr<ByteBudget> budget;
    {
        MutexLock lock(mutex_);
        byte_bound_ = bound;
        budget = budget_;
    }
    if (budget != nullptr) {
        budget->set_bound(bound);
    }
}

std::shared_ptr<ByteBudget> Mailbox::budget() const {
    MutexLock lock(mutex_);
    return budget_;
}

void Mailbox::set_direct_bound(std::size_t bound) {
    SKEP_ASSERT(bound > 0);
    MutexLock lock(mutex_);
    lanes_.front().bound = bound;
}

std::uint32_t Mailbox::lane(const std::string& key, std::size_t bound, FullPolicy policy) {
    SKEP_ASSERT(bound > 0);
    MutexLock lock(mutex_);
    const auto known = std::find_if(
        lanes_.begin() + 1, lanes_.end(), [&](const Lane& it) { return it.key == key; });
    if (known == lanes_.end()) {
        lanes_.push_back({key, bound, policy, 0});
        return static_cast<std::uint32_t>(lanes_.size() - 1);
    }
    known->bound = bound;
    known->policy = policy;
    return static_cast<std::uint32_t>(known - lanes_.begin());
}

void Mailbox::add_ring(std::shared_ptr<Ring> ring, std::uint32_t reader) {
    MutexLock lock(mutex_);
    SKEP_ASSERT(is_open_);
    if (rings_.size() >= sweep_at_) {
        forget_rings_that_are_over();
        sweep_at_ = next_sweep(rings_.size());
    }
    rings_.push_back({std::move(ring), reader});
}

void Mailbox::forget_rings_that_are_over() {
    std::erase_if(rings_, [this](const Announced& it) REQUIRES(mutex_) {
        if (!it.ring->is_over(it.reader)) {
            return false;
        }
        counts_ += it.ring->counts(it.reader);
        queue_high_ = std::max(queue_high_, it.ring->queue_high(it.reader));
        return true;
    });
}

std::uint64_t Mailbox::open() {
    MutexLock lock(mutex_);
    if (!is_open_) {
        is_open_ = true;
        ++openings_;
        budget_ = std::make_shared<ByteBudget>(byte_bound_);
        for (const Envelope& it : queue_) {
            budget_->add(counted_bytes(it));
        }
    }
    return openings_;
}

std::uint64_t Mailbox::opening() const {
    MutexLock lock(mutex_);
    return is_open_ ? openings_ : 0;
}

void Mailbox::close() {
    std::vector<std::shared_ptr<Parker>> woken;
    std::vector<Announced> rings;
    std::shared_ptr<ByteBudget> budget;
    {
        MutexLock lock(mutex_);
        is_open_ = false;
        woken = take_waiting();
        rings = rings_;
        budget = budget_;
    }
    for (const Announced& it : rings) {
        it.ring->close(it.reader);
    }
    unpark_all(woken);
    if (budget != nullptr) {
        budget->close();
    }
}

bool Mailbox::close_queue_if(std::uint64_t accepted) {
    MutexLock lock(mutex_);
    if (count().accepted != accepted) {
        return false;
    }
    is_open_ = false;
    return true;
}

void Mailbox::reopen_queue() {
    MutexLock lock(mutex_);
    is_open_ = true;
}

bool Mailbox::finish() {
    std::vector<Announced> rings;
    {
        MutexLock lock(mutex_);
        if (!queue_.empty()) {
            return false;
        }
        rings = rings_;
    }
    std::erase_if(rings, [](const Announced& it) { return it.ring->is_finished(it.reader); });
    if (rings.empty()) {
        return true;  // the common case: the senders ended before the receiver
    }
    Fence(Fence::Cost::asymmetric).heavy();  // F2
    return std::all_of(
        rings.begin(), rings.end(), [](const Announced& it) { return it.ring->finish(it.reader); });
}

std::uint64_t Mailbox::dead_letter_rest() {
    LazyDeque<Envelope> rest;  // freed without the lock
    std::vector<Announced> rings;
    std::uint64_t count = 0;
    {
        MutexLock lock(mutex_);
        count = counts_.queued;
        counts_.dead_lettered.stop += count;
        counts_.queued = 0;
        left_ += count;
        for (Lane& lane : lanes_) {
            lane.queued = 0;
        }
        for (const Envelope& it : queue_) {
            budget_->subtract(counted_bytes(it));
        }
        rest.swap(queue_);
        announced_.clear();
        note_news();
        rings = rings_;
    }
    for (const Announced& it : rings) {
        count += it.ring->dead_letter_rest(it.reader);
    }
    return count;
}

void Mailbox::announce(Ring& ring, std::uint32_t reader) {
    {
        MutexLock lock(mutex_);
        announced_.push_back({ring.shared_from_this(), reader});
        note_news();
    }
    wake_owner_if_asleep();
}

std::vector<Mailbox::Announced> Mailbox::take_announced() {
    MutexLock lock(mutex_);
    std::vector<Announced> taken;
    taken.swap(announced_);
    note_news();
    return taken;
}

Mailbox::Passed Mailbox::passed() const {
    MutexLock lock(mutex_);
    return {left_ + queue_.size(), left_};
}

void Mailbox::unpark_all(const std::vector<std::shared_ptr<Parker>>& parkers) {
    for (const auto& parker : parkers) {
        parker->unpark();
    }
}

PushResult Mailbox::push(Envelope& envelope,
                         std::uint32_t lane_index,
                         const std::shared_ptr<Parker>& sender) {
    const std::uint64_t bytes = counted_bytes(envelope);
    for (;;) {
        std::shared_ptr<ByteBudget> lacks_bytes;
        std::shared_ptr<ByteBudget> has_dropped;
        {
            MutexLock lock(mutex_);
            Lane& lane = lanes_[lane_index];
            if (!is_open_) {
                ++counts_.offered;
                ++counts_.rejected.closed;
                return PushResult::closed;
            }
            Room room = take_room(lane, bytes);
            while (room != Room::yes && lane.policy == FullPolicy::drop_oldest && lane.queued > 0) {
                drop_oldest_of(lane_index);
                has_dropped = budget_;
                room = take_room(lane, bytes);
            }
            if (room == Room::yes) {
                put(envelope, lane_index);
            } else if (room == Room::no_bytes && lane.policy == FullPolicy::block) {
                lacks_bytes = budget_;
            } else {
                return refuse(lane, sender);
            }
        }
        if (lacks_bytes == nullptr) {
            if (has_dropped != nullptr) {
                has_dropped->wake_senders();
            }
            wake_owner_if_asleep();
            return PushResult::accepted;
        }
        if (lacks_bytes->wait(bytes, sender)) {
            return PushResult::full;
        }
    }
}

Mailbox::Room Mailbox::take_room(const Lane& lane, std::uint64_t bytes) {
    if (lane.queued >= lane.bound) {
        return Room::no;
    }
    return bytes == 0 || budget_->reserve(bytes) ? Room::yes : Room::no_bytes;
}

// Precondition: there is room.
void Mailbox::put(Envelope& envelope, std::uint32_t lane) {
    ++counts_.offered;
    ++counts_.accepted;
    ++counts_.queued;
    ++lanes_[lane].queued;
    queue_high_ = std::max<std::size_t>(queue_high_, counts_.queued);
    if (lane == direct_lane && envelope.sender != nullptr && !envelope.sender->empty()) {
        was_sent_to_.store(true, std::memory_order_relaxed);
    }
    envelope.lane = lane;
    queue_.push_back(std::move(envelope));
    note_news();
}

// Precondition: there is no room, and the lane has no message that it could drop instead.
PushResult Mailbox::refuse(const Lane& lane, const std::shared_ptr<Parker>& sender) {
    if (lane.policy == FullPolicy::block) {
        waiting_.push_back(sender);
        return PushResult::full;
    }
    ++counts_.offered;
    if (lane.policy == FullPolicy::reject) {
        ++counts_.rejected.full;
        return PushResult::full;
    }
    ++counts_.accepted;
    ++(lane.policy == FullPolicy::drop_newest ? counts_.dropped.newest : counts_.dropped.oldest);
    return PushResult::accepted;
}

void Mailbox::drop_oldest_of(std::uint32_t lane) {
    const auto oldest = std::find_if(
        queue_.begin(), queue_.end(), [lane](const Envelope& it) { return it.lane == lane; });
    SKEP_ASSERT(oldest != queue_.end());
    budget_->subtract(counted_bytes(*oldest));
    queue_.erase(oldest);  // moves only the messages before it, which find_if has just visited
    --lanes_[lane].queued;
    --counts_.queued;
    ++left_;
    ++counts_.dropped.oldest;
}

void Mailbox::reject_stopping() {
    MutexLock lock(mutex_);
    ++counts_.offered;
    ++counts_.rejected.stopping;
}

void Mailbox::settle(std::uint64_t delivered, std::uint64_t failed) {
    MutexLock lock(mutex_);
    SKEP_ASSERT(delivered + failed <= counts_.in_flight);
    counts_.in_flight -= delivered + failed;
    counts_.delivered += delivered;
    counts_.dead_lettered.crash += failed;
}

void Mailbox::return_untouched(std::vector<Envelope>::iterator first,
                               std::vector<Envelope>::iterator last) {
    MutexLock lock(mutex_);
    const auto count = static_cast<std::uint64_t>(last - first);
    SKEP_ASSERT(count <= counts_.in_flight);
    counts_.in_flight -= count;
    counts_.queued += count;
    left_ -= count;
    while (last != first) {
        --last;
        ++lanes_[last->lane].queued;
        budget_->add(counted_bytes(*last));
        queue_.push_front(std::move(*last));
    }
    note_news();
}

FlowCounts Mailbox::counts() const {
    MutexLock lock(mutex_);
    return count();
}

FlowCounts Mailbox::count() const {
    FlowCounts all = counts_;
    for (const Announced& it : rings_) {
        all += it.ring->counts(it.reader);
    }
    return all;
}

std::size_t Mailbox::queue_high() const {
    MutexLock lock(mutex_);
    std::size_t all = queue_high_;
    for (const Announced& it : rings_) {
        all += it.ring->queue_high(it.reader);
    }
    return all;
}

std::vector<std::shared_ptr<Parker>> Mailbox::take_waiting() {
    return std::exchange(waiting_, {});
}

}  // namespace skep::host
