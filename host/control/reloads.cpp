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

Reloads::Reloads(std::function<ReloadOutcome()> run)
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

std::uint64_t Reloads::trigger(std::string who) {
    const MutexLock lock(mutex_);
    const std::uint64_t number = ++last_;
    if (waiting_ == 0) {
        waiting_ = number;
        who_ = std::move(who);
    }
    runs_[number] = waiting_;
    changed_.notify_all();
    return number;
}

Verdict Reloads::wait(std::uint64_t number) {
    const MutexLock lock(mutex_);
    const auto found = runs_.find(number);
    if (found == runs_.end()) {
        return {number, number, {ReloadResult::refused, "its verdict is no longer known"}};
    }
    const std::uint64_t run = found->second;
    changed_.wait(mutex_, [&]() REQUIRES(mutex_) {
        return outcomes_.contains(run) || !runs_.contains(number);
    });
    const auto outcome = outcomes_.find(run);
    runs_.erase(number);
    return outcome != outcomes_.end()
               ? Verdict{number, run, outcome->second}
               : Verdict{number, run, {ReloadResult::refused, "its verdict is no longer known"}};
}

void Reloads::settle(std::uint64_t run, const ReloadOutcome& outcome) {
    outcomes_[run] = outcome;
    if (outcomes_.size() > outcomes_kept) {
        const std::uint64_t oldest = outcomes_.begin()->first;
        outcomes_.erase(oldest);
        std::erase_if(runs_, [&](const auto& it) { return it.second == oldest; });
    }
    changed_.notify_all();
}

void Reloads::serve() {
    for (;;) {
        std::uint64_t run = 0;
        std::string who;
        {
            const MutexLock lock(mutex_);
            changed_.wait(mutex_,
                          [this]() REQUIRES(mutex_) { return is_ending_ || waiting_ != 0; });
            run = std::exchange(waiting_, 0);
            if (is_ending_) {
                if (run != 0) {
                    settle(run, {ReloadResult::refused, "the host is ending"});
                }
                return;
            }
            who = who_;
        }
        const ReloadOutcome outcome = run_();
        spdlog::log(
            outcome.result == ReloadResult::refused ? spdlog::level::err : spdlog::level::info,
            "reload #{} ({}): {}: {}",
            run,
            who,
            name_of(outcome.result),
            outcome.text);
        const MutexLock lock(mutex_);
        settle(run, outcome);
    }
}

}  // namespace skep::host
