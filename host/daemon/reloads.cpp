#include "host/daemon/reloads.hpp"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <new>
#include <system_error>
#include <utility>
#include <vector>

#include <pthread.h>
#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

namespace skep::host {
namespace {

// The number of runs whose outcome is kept. Triggers by signals never ask for it.
constexpr std::size_t outcomes_kept = 100;

std::string text_of(const ManagerObserver::Reverted& it) {
    const char* const form =
        it.with.empty()
            ? "; {0}@{1} failed after {2} messages, {0}@{3} is back: {4}"
            : "; {0}@{1} was rolled back with {5} after {2} messages, {0}@{3} is back{4}";
    return fmt::format(
        fmt::runtime(form), it.worker, it.failed, it.consumed, it.back, it.error, it.with);
}

std::string text_of(const Probations::Hanging& it) {
    return fmt::format(
        "; {}@{} has not returned from a call for {:.1f} s, and its thread cannot be interrupted",
        it.worker,
        it.generation,
        std::chrono::duration<double>(it.lasts).count());
}

}  // namespace

std::string_view name_of(ReloadResult result) {
    switch (result) {
        case ReloadResult::applied:
            return "applied";
        case ReloadResult::no_change:
            return "no change";
        case ReloadResult::hangs:
            return "hangs";
        case ReloadResult::rolled_back:
            return "rolled back";
        default:
            return "refused";
    }
}

std::string_view name_of(ReloadKind kind) {
    return kind == ReloadKind::rollback ? "rollback" : "reload";
}

Reloads::Reloads(Run run, Report report, std::shared_ptr<Probations> probations)
    : run_(std::move(run)),
      report_(std::move(report)),
      probations_(std::move(probations)),
      thread_([this] {
          pthread_setname_np(pthread_self(), "reload");
          serve();
      }) {}

Reloads::~Reloads() {
    (void)end(Nanos(0));
    thread_.join();
}

bool Reloads::end(Nanos patience) {
    {
        const MutexLock lock(mutex_);
        is_ending_ = true;
        has_next_ = true;
        changed_.notify_all();
    }
    probations_->cut_short();
    const MutexLock lock(mutex_);
    return changed_.wait_for(mutex_, patience, [this]() REQUIRES(mutex_) { return is_over_; });
}

std::uint64_t Reloads::trigger(std::string who, const ReloadRequest& request) {
    std::uint64_t number = 0;
    {
        const MutexLock lock(mutex_);
        number = ++last_;
        if (waiting_.empty() || request.kind == ReloadKind::rollback ||
            waiting_.back().request != request) {
            waiting_.push_back({request, number});
            has_next_ = true;
        }
        triggers_[number] = {request, waiting_.back().run, std::move(who)};
        changed_.notify_all();
    }
    probations_->cut_short();
    return number;
}

Verdict Reloads::wait(std::uint64_t number) {
    const MutexLock lock(mutex_);
    changed_.wait(mutex_, [&]() REQUIRES(mutex_) {
        const auto found = triggers_.find(number);
        return found == triggers_.end() || outcomes_.contains(found->second.run);
    });
    const std::optional<Verdict> verdict = known(number);
    if (verdict) {
        return *verdict;
    }
    const ReloadOutcome unknown{ReloadResult::refused, "its verdict is no longer known", ""};
    return {{}, number, number, unknown, true};
}

std::optional<Verdict> Reloads::look(std::uint64_t number) {
    const MutexLock lock(mutex_);
    return known(number);
}

std::optional<Verdict> Reloads::known(std::uint64_t number) {
    const auto found = triggers_.find(number);
    if (found == triggers_.end()) {
        return std::nullopt;
    }
    Verdict verdict{found->second.request, number, found->second.run, {}};
    if (const auto it = outcomes_.find(verdict.run); it != outcomes_.end()) {
        verdict.outcome = it->second.outcome;
        verdict.is_final = it->second.is_final;
    }
    if (verdict.is_final) {
        triggers_.erase(found);
    }
    return verdict;
}

// Records that the plan of a run is in force and on probation.
void Reloads::announce(std::uint64_t run, const ReloadOutcome& outcome) {
    Trigger first;
    {
        const MutexLock lock(mutex_);
        first = triggers_.at(run);  // it has no verdict yet
    }
    spdlog::info("{} #{} ({}): in force, on probation: {}",
                 name_of(first.request.kind),
                 run,
                 first.who,
                 outcome.text);
    const MutexLock lock(mutex_);
    outcomes_[run] = {outcome, false};
    changed_.notify_all();
}

// Records the final verdict of a run. Writes it to the audit log before wait() and look() return
// it.
void Reloads::conclude(std::uint64_t run, ReloadOutcome outcome) {
    const bool is_bad = outcome.result == ReloadResult::refused ||
                        outcome.result == ReloadResult::rolled_back ||
                        outcome.result == ReloadResult::hangs;
    std::vector<std::pair<std::uint64_t, Trigger>> served;
    {
        const MutexLock lock(mutex_);
        std::copy_if(
            triggers_.begin(), triggers_.end(), std::back_inserter(served), [&](const auto& it) {
                return it.second.run == run;
            });
    }
    for (const auto& [number, it] : served) {
        if (number == run) {
            spdlog::log(is_bad ? spdlog::level::err : spdlog::level::info,
                        "{} #{} ({}): {}: {}",
                        name_of(it.request.kind),
                        run,
                        it.who,
                        name_of(outcome.result),
                        outcome.text);
        }
        report_({it.request, number, run, outcome, true}, it.who);
    }
    outcome.details.clear();  // only the audit log needs them
    const MutexLock lock(mutex_);
    outcomes_[run] = {std::move(outcome), true};
    if (outcomes_.size() > outcomes_kept) {
        const std::uint64_t oldest = outcomes_.begin()->first;
        outcomes_.erase(oldest);
        std::erase_if(triggers_, [&](const auto& it) { return it.second.run == oldest; });
    }
    changed_.notify_all();
}

// Runs a reload. A lack of memory or threads refuses only this reload.
ReloadOutcome Reloads::run_contained(const ReloadRequest& request) const {
    try {
        return run_(request);
    } catch (const std::bad_alloc&) {
        return {ReloadResult::refused, "out of memory", ""};
    } catch (const std::system_error& error) {  // of std::thread
        return {ReloadResult::refused, "cannot start a thread: " + error.code().message(), ""};
    }
}

void Reloads::serve() {
    for (;;) {
        Waiting next{};
        bool is_ending = false;
        {
            const MutexLock lock(mutex_);
            changed_.wait(mutex_,
                          [this]() REQUIRES(mutex_) { return is_ending_ || !waiting_.empty(); });
            if (waiting_.empty()) {
                is_over_ = true;
                changed_.notify_all();
                return;
            }
            is_ending = is_ending_;
            next = waiting_.front();
            waiting_.pop_front();
            has_next_ = is_ending || !waiting_.empty();
        }
        if (is_ending) {
            conclude(next.run, {ReloadResult::refused, "the host is ending", ""});
            continue;
        }
        probations_->begin();
        ReloadOutcome outcome = run_contained(next.request);
        if (outcome.result == ReloadResult::applied && !probations_->is_empty()) {
            announce(next.run, outcome);
            const Probations::Outcome ended = probations_->wait(has_next_);
            for (const Probations::Hanging& it : ended.hanging) {
                outcome.result = ReloadResult::hangs;
                outcome.text += text_of(it);
            }
            for (const ManagerObserver::Reverted& it : ended.failed) {
                outcome.result = ReloadResult::rolled_back;
                outcome.text += text_of(it);
            }
        }
        conclude(next.run, std::move(outcome));
    }
}

}  // namespace skep::host
