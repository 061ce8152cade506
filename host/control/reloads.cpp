#include "host/control/reloads.hpp"

#include <utility>

#include <pthread.h>
#include <spdlog/spdlog.h>

namespace skep::host {
namespace {

// Of so many runs the outcome can still be asked for. A signal never asks.
constexpr std::size_t outcomes_kept = 100;

}  // namespace

std::string_view name_of(ReloadResult result) {
    switch (result) {
        case ReloadResult::applied:
            return "applied";
        case ReloadResult::no_change:
            return "no change";
        default:
            return "refused";
    }
}

std::string_view name_of(ReloadKind kind) {
    return kind == ReloadKind::rollback ? "rollback" : "reload";
}

Reloads::Reloads(Run run)
    : run_(std::move(run)),
      thread_([this] {
          pthread_setname_np(pthread_self(), "reload");
          serve();
      }) {}

Reloads::~Reloads() {
    {
        const MutexLock lock(mutex_);
        is_ending_ = true;
        changed_.notify_all();
    }
    thread_.join();
}

std::uint64_t Reloads::trigger(std::string who, ReloadKind kind) {
    const MutexLock lock(mutex_);
    const std::uint64_t number = ++last_;
    if (waiting_.empty() || kind == ReloadKind::rollback || waiting_.back().kind != kind) {
        waiting_.push_back({kind, number, std::move(who)});
    }
    verdicts_[number] = {kind, number, waiting_.back().run, {}};
    changed_.notify_all();
    return number;
}

Verdict Reloads::wait(std::uint64_t number) {
    const MutexLock lock(mutex_);
    Verdict verdict{ReloadKind::reload, number, number, {}};
    verdict.outcome.text = "its verdict is no longer known";
    const auto found = verdicts_.find(number);
    if (found == verdicts_.end()) {
        return verdict;
    }
    verdict.kind = found->second.kind;
    verdict.run = found->second.run;
    changed_.wait(mutex_, [&]() REQUIRES(mutex_) {
        return outcomes_.contains(verdict.run) || !verdicts_.contains(number);
    });
    const auto outcome = outcomes_.find(verdict.run);
    if (outcome != outcomes_.end()) {
        verdict.outcome = outcome->second;
    }
    verdicts_.erase(number);
    return verdict;
}

void Reloads::settle(std::uint64_t run, const ReloadOutcome& outcome) {
    outcomes_[run] = outcome;
    if (outcomes_.size() > outcomes_kept) {
        const std::uint64_t oldest = outcomes_.begin()->first;
        outcomes_.erase(oldest);
        std::erase_if(verdicts_, [&](const auto& it) { return it.second.run == oldest; });
    }
    changed_.notify_all();
}

void Reloads::serve() {
    for (;;) {
        Waiting next;
        {
            const MutexLock lock(mutex_);
            changed_.wait(mutex_,
                          [this]() REQUIRES(mutex_) { return is_ending_ || !waiting_.empty(); });
            if (is_ending_) {
                for (const Waiting& it : waiting_) {
                    settle(it.run, {ReloadResult::refused, "the host is ending"});
                }
                return;
            }
            next = std::move(waiting_.front());
            waiting_.pop_front();
        }
        const ReloadOutcome outcome = run_(next.kind);
        spdlog::log(
            outcome.result == ReloadResult::refused ? spdlog::level::err : spdlog::level::info,
            "{} #{} ({}): {}: {}",
            name_of(next.kind),
            next.run,
            next.who,
            name_of(outcome.result),
            outcome.text);
        const MutexLock lock(mutex_);
        settle(next.run, outcome);
    }
}

}  // namespace skep::host
