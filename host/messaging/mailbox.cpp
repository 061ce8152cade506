#include "host/messaging/mailbox.hpp"

#include <algorithm>

#include "host/base/assert.hpp"

namespace skep::host {

namespace {

void unpark_all(const std::vector<std::shared_ptr<Parker>>& parkers) {
    for (const auto& parker : parkers) {
        parker->unpark();
    }
}

}  // namespace

Mailbox::Mailbox(Clock& clock, std::size_t direct_bound)
    : parker_(clock.make_parker()) {
    SKEP_ASSERT(direct_bound > 0);
    lanes_.push_back({"", direct_bound, FullPolicy::reject, 0});
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

void Mailbox::open() {
    MutexLock lock(mutex_);
    is_open_ = true;
}

void Mailbox::close() {
    std::vector<std::shared_ptr<Parker>> woken;
    {
        MutexLock lock(mutex_);
        is_open_ = false;
        woken = take_waiting();
    }
    unpark_all(woken);
}

std::uint64_t Mailbox::dead_letter_rest() {
    std::deque<Envelope> rest;  // freed without the lock
    MutexLock lock(mutex_);
    const std::uint64_t count = counts_.queued;
    counts_.dead_lettered.stop += count;
    counts_.queued = 0;
    for (Lane& lane : lanes_) {
        lane.queued = 0;
    }
    rest.swap(queue_);
    return count;
}

PushResult Mailbox::push(Envelope& envelope,
                         std::uint32_t lane_index,
                         const std::shared_ptr<Parker>& sender) {
    {
        MutexLock lock(mutex_);
        Lane& lane = lanes_[lane_index];
        if (!is_open_) {
            ++counts_.offered;
            ++counts_.rejected.closed;
            return PushResult::closed;
        }
        if (lane.queued >= lane.bound) {
            switch (lane.policy) {
                case FullPolicy::block:
                    waiting_.push_back(sender);
                    return PushResult::full;
                case FullPolicy::reject:
                    ++counts_.offered;
                    ++counts_.rejected.full;
                    return PushResult::full;
                case FullPolicy::drop_newest:
                    ++counts_.offered;
                    ++counts_.accepted;
                    ++counts_.dropped.newest;
                    return PushResult::accepted;
                case FullPolicy::drop_oldest:
                    drop_oldest_of(lane_index);
                    break;
            }
        }
        ++counts_.offered;
        ++counts_.accepted;
        ++counts_.queued;
        ++lane.queued;
        queue_high_ = std::max<std::size_t>(queue_high_, counts_.queued);
        envelope.lane = lane_index;
        queue_.push_back(std::move(envelope));
    }
    parker_->unpark();
    return PushResult::accepted;
}

void Mailbox::drop_oldest_of(std::uint32_t lane) {
    const auto oldest = std::find_if(
        queue_.begin(), queue_.end(), [lane](const Envelope& it) { return it.lane == lane; });
    SKEP_ASSERT(oldest != queue_.end());
    queue_.erase(oldest);  // moves what stands before it, which has just been walked over
    --lanes_[lane].queued;
    --counts_.queued;
    ++counts_.dropped.oldest;
}

void Mailbox::reject_stopping() {
    MutexLock lock(mutex_);
    ++counts_.offered;
    ++counts_.rejected.stopping;
}

void Mailbox::take(std::vector<Envelope>& out, std::size_t max) {
    std::vector<std::shared_ptr<Parker>> woken;
    {
        MutexLock lock(mutex_);
        const std::size_t taken = std::min(max, queue_.size());
        if (taken == 0) {
            return;
        }
        for (std::size_t i = 0; i < taken; ++i) {
            --lanes_[queue_.front().lane].queued;
            out.push_back(std::move(queue_.front()));
            queue_.pop_front();
        }
        counts_.queued -= taken;
        counts_.in_flight += taken;
        woken = take_waiting();
    }
    unpark_all(woken);
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
    while (last != first) {
        --last;
        ++lanes_[last->lane].queued;
        queue_.push_front(std::move(*last));
    }
}

bool Mailbox::is_empty() const {
    MutexLock lock(mutex_);
    return counts_.queued == 0;
}

FlowCounts Mailbox::counts() const {
    MutexLock lock(mutex_);
    return counts_;
}

std::size_t Mailbox::queue_high() const {
    MutexLock lock(mutex_);
    return queue_high_;
}

std::vector<std::shared_ptr<Parker>> Mailbox::take_waiting() {
    return std::exchange(waiting_, {});
}

}  // namespace skep::host
