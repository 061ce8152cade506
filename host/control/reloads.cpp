#include "host/control/reloads.hpp"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

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

Reloads::Reloads(Run run, Tell tell)
    : run_(std::move(run)),
      tell_(std::move(tell)),
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

std::uint64_t Reloads::trigger(std::string who, const ReloadWish& wish) {
    const MutexLock lock(mutex_);
    const std::uint64_t number = ++last_;
    if (waiting_.empty() || wish.kind == ReloadKind::rollback || waiting_.back().wish != wish) {
        waiting_.push_back({wish, number});
    }
    triggers_[number] = {wish, waiting_.back().run, std::move(who)};
    changed_.notify_all();
    return number;
}

Verdict Reloads::wait(std::uint64_t number) {
    const MutexLock lock(mutex_);
    Verdict verdict{{}, number, number, {}};
    verdict.outcome.text = "its verdict is no longer known";
    const auto found = triggers_.find(number);
    if (found == triggers_.end()) {
        return verdict;
    }
    verdict.wish = found->second.wish;
    verdict.run = found->second.run;
    changed_.wait(mutex_, [&]() REQUIRES(mutex_) {
        return outcomes_.contains(verdict.run) || !triggers_.contains(number);
    });
    const auto outcome = outcomes_.find(verdict.run);
    if (outcome != outcomes_.end()) {
        verdict.outcome = outcome->second;
    }
    triggers_.erase(number);
    return verdict;
}

// The audit log has a verdict before whoever waits for it.
void Reloads::conclude(std::uint64_t run, ReloadOutcome outcome) {
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
            spdlog::log(
                outcome.result == ReloadResult::refused ? spdlog::level::err : spdlog::level::info,
                "{} #{} ({}): {}: {}",
                name_of(it.wish.kind),
                run,
                it.who,
                name_of(outcome.result),
                outcome.text);
        }
        tell_({it.wish, number, run, outcome}, it.who);
    }
    outcome.details.clear();  // told, and nobody asks for them again
    const MutexLock lock(mutex_);
    outcomes_[run] = std::move(outcome);
    if (outcomes_.size() > outcomes_kept) {
        const std::uint64_t oldest = outcomes_.begin()->first;
        outcomes_.erase(oldest);
        std::erase_if(triggers_, [&](const auto& it) { return it.second.run == oldest; });
    }
    changed_.notify_all();
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
                return;
            }
            is_ending = is_ending_;
            next = waiting_.front();
            waiting_.pop_front();
        }
        conclude(next.run,
                 is_ending ? ReloadOutcome{ReloadResult::refused, "the host is ending", ""}
                           : run_(next.wish));
    }
}

}  // namespace skep::host
