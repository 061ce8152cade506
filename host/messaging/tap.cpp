#include "host/messaging/tap.hpp"

#include <algorithm>

namespace skep::host {

bool is_named(std::string_view name, std::string_view worker) {
    return worker.empty() || name == worker ||
           (name.size() > worker.size() && name.starts_with(worker) && name[worker.size()] == '#');
}

bool Tap::is_wanted(const Inbox::Facts& message) const {
    return is_named(*message.sender, filter_.from) &&
           (filter_.output.empty() ||
            (message.output != nullptr && *message.output == filter_.output));
}

void Tap::show(const std::string* to,
               const Inbox& inbox,
               const MessageBatch& views,
               std::uint32_t finished,
               std::uint32_t failed,
               Nanos now) {
    const std::uint32_t count = finished + failed;
    if (!is_named(*to, filter_.to)) {
        return;
    }
    // All messages of one ring come from one output.
    const bool is_one_output = inbox.is_reading_a_ring();
    if (is_one_output && !is_wanted(inbox.facts_of(views[0]))) {
        return;
    }
    std::uint64_t skipped = 0;
    std::uint32_t i = 0;
    if (!is_full_.load(std::memory_order_relaxed)) {
        const MutexLock lock(mutex_);
        for (; i < count && shown_.size() < most_shown && bytes_ < most_bytes; ++i) {
            const skep_message& view = views[i];
            const Inbox::Facts message = inbox.facts_of(view);
            if (!is_one_output && !is_wanted(message)) {
                continue;
            }
            const std::size_t bytes = std::min<std::size_t>(view.size, filter_.bytes);
            shown_.push_back({message,
                              to,
                              view.size,
                              std::string(static_cast<const char*>(view.data), bytes),
                              now - message.time,
                              i >= finished});
            bytes_ += bytes;
        }
        is_full_.store(i < count, std::memory_order_relaxed);
    }
    if (is_one_output) {
        skipped = count - i;
    } else {
        for (; i < count; ++i) {
            skipped += is_wanted(inbox.facts_of(views[i])) ? 1 : 0;
        }
    }
    if (skipped > 0) {
        skipped_.fetch_add(skipped, std::memory_order_relaxed);
    }
}

Tap::Taken Tap::take() {
    Taken taken;
    taken.shown.reserve(most_shown);
    const MutexLock lock(mutex_);
    taken.shown.swap(shown_);
    taken.skipped = skipped_.exchange(0, std::memory_order_relaxed);
    bytes_ = 0;
    is_full_.store(false, std::memory_order_relaxed);
    return taken;
}

void Tap::close() {
    std::vector<Shown> forgotten;
    const MutexLock lock(mutex_);
    forgotten.swap(shown_);
    bytes_ = most_bytes;
    is_full_.store(true, std::memory_order_relaxed);
}

std::shared_ptr<Tap> Taps::open(TapFilter filter) {
    auto made = std::make_shared<Tap>(std::move(filter));
    const MutexLock lock(mutex_);
    List taps = list_ == nullptr ? List() : *list_;
    if (taps.size() == most) {
        return nullptr;
    }
    taps.push_back(made);
    publish(std::move(taps));
    return made;
}

void Taps::close(const std::shared_ptr<Tap>& tap) {
    tap->close();
    const MutexLock lock(mutex_);
    List taps = list_ == nullptr ? List() : *list_;
    std::erase(taps, tap);
    publish(std::move(taps));
}

void Taps::publish(List taps) {
    list_ = taps.empty() ? nullptr : std::make_shared<const List>(std::move(taps));
    current_.store(list_.get(), std::memory_order_relaxed);
}

std::shared_ptr<const Taps::List> Taps::list() {
    const MutexLock lock(mutex_);
    return list_;
}

}  // namespace skep::host
