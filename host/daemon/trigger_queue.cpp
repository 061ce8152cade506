#include "host/daemon/trigger_queue.hpp"

#include <utility>

namespace skep::host {
namespace {

// The number of runs whose verdict is kept. Triggers by signals never ask for it.
constexpr std::size_t results_kept = 100;

// Returns the verdict of `run` for a trigger that it served.
Verdict for_trigger(Verdict trigger, const Verdict& run) {
    trigger.result = run.result;
    trigger.text = run.text;
    trigger.is_final = run.is_final;
    trigger.details = run.details;
    return trigger;
}

}  // namespace

std::uint64_t TriggerQueue::push(std::string who, const ReloadRequest& request) {
    const MutexLock lock(mutex_);
    const std::uint64_t number = ++last_;
    if (waiting_.empty() || request.kind == ReloadKind::rollback ||
        triggers_.at(waiting_.back()).request != request) {
        waiting_.push_back(number);
        has_next_ = true;
    }
    Verdict& trigger = triggers_[number];
    trigger.request = request;
    trigger.who = std::move(who);
    trigger.number = number;
    trigger.run = waiting_.back();
    if (is_over_) {  // no run follows
        Verdict& refused = results_[number];
        refused.text = host_is_ending;
        refused.is_final = true;
    }
    changed_.notify_all();
    return number;
}

void TriggerQueue::close() {
    const MutexLock lock(mutex_);
    is_closed_ = true;
    has_next_ = true;
    changed_.notify_all();
}

std::optional<Verdict> TriggerQueue::next() {
    const MutexLock lock(mutex_);
    changed_.wait(mutex_, [this]() REQUIRES(mutex_) { return is_closed_ || !waiting_.empty(); });
    if (waiting_.empty()) {
        is_over_ = true;
        changed_.notify_all();
        return std::nullopt;
    }
    const std::uint64_t run = waiting_.front();
    waiting_.pop_front();
    has_next_ = is_closed_ || !waiting_.empty();
    return triggers_.at(run);  // it has no verdict yet
}

bool TriggerQueue::is_closed() {
    const MutexLock lock(mutex_);
    return is_closed_;
}

std::vector<Verdict> TriggerQueue::of_each_trigger(const Verdict& run) {
    std::vector<Verdict> served;
    const MutexLock lock(mutex_);
    for (const auto& [number, trigger] : triggers_) {
        if (trigger.run == run.number) {
            served.push_back(for_trigger(trigger, run));
        }
    }
    return served;
}

void TriggerQueue::publish(const Verdict& run) {
    const MutexLock lock(mutex_);
    Verdict& kept = results_[run.number];
    kept = run;
    kept.details = nullptr;  // only the audit log needs them
    if (run.is_final && results_.size() > results_kept) {
        const std::uint64_t oldest = results_.begin()->first;
        results_.erase(oldest);
        std::erase_if(triggers_, [&](const auto& it) { return it.second.run == oldest; });
    }
    changed_.notify_all();
}

Verdict TriggerQueue::wait(std::uint64_t number) {
    const MutexLock lock(mutex_);
    changed_.wait(mutex_, [&]() REQUIRES(mutex_) {
        const auto found = triggers_.find(number);
        return found == triggers_.end() || results_.contains(found->second.run);
    });
    std::optional<Verdict> verdict = known(number);
    if (!verdict) {
        verdict.emplace();
        verdict->number = verdict->run = number;
        verdict->text = "its verdict is no longer known";
        verdict->is_final = true;
    }
    return *verdict;
}

std::optional<Verdict> TriggerQueue::look(std::uint64_t number) {
    const MutexLock lock(mutex_);
    return known(number);
}

bool TriggerQueue::wait_for_end(Nanos patience) {
    const MutexLock lock(mutex_);
    return changed_.wait_for(mutex_, patience, [this]() REQUIRES(mutex_) { return is_over_; });
}

std::optional<Verdict> TriggerQueue::known(std::uint64_t number) {
    const auto found = triggers_.find(number);
    if (found == triggers_.end()) {
        return std::nullopt;
    }
    Verdict verdict = found->second;
    if (const auto it = results_.find(verdict.run); it != results_.end()) {
        verdict = for_trigger(std::move(verdict), it->second);
    }
    if (verdict.is_final) {
        triggers_.erase(found);
    }
    return verdict;
}

}  // namespace skep::host
