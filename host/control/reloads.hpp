// Reloads: triggers in, verdicts out. One runs at a time.
//
// Every trigger gets a number and a verdict. What comes while one runs waits for the next, which
// serves all that wait: of a thousand triggers in a second two reloads run, and the second sees
// what the last one meant. (Fluent Bit lost such triggers, fluent-bit#8457.)
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <thread>

#include "host/base/mutex.hpp"

namespace skep::host {

enum class ReloadResult {
    applied,    // the new plan is in force
    no_change,  // it was in force already
    refused,    // the plan before is in force as if nothing had been asked
};

[[nodiscard]] std::string_view name_of(ReloadResult result);

// What became of a reload.
struct ReloadOutcome {
    ReloadResult result = ReloadResult::refused;
    std::string text;  // what has changed, or why nothing has; it may have several lines
};

struct Verdict {
    std::uint64_t number = 0;  // of the trigger: 1, 2, 3, ...
    std::uint64_t run = 0;     // of the trigger whose reload served it; another one's: merged
    ReloadOutcome outcome;
};

class Reloads {
public:
    // `run` reads what is wanted now, and does it. It is called on a thread of this object's.
    explicit Reloads(std::function<ReloadOutcome()> run);
    // Waits for the reload that runs; the triggers that wait are refused.
    ~Reloads();
    Reloads(const Reloads&) = delete;
    Reloads& operator=(const Reloads&) = delete;

    // `who`: for the log. Returns the number. [any-thread]
    std::uint64_t trigger(std::string who);
    // Waits for the verdict of a trigger. Once only. [any-thread]
    Verdict wait(std::uint64_t number);

private:
    void serve();
    void settle(std::uint64_t run, const ReloadOutcome& outcome) REQUIRES(mutex_);

    const std::function<ReloadOutcome()> run_;

    Mutex mutex_;
    Condition changed_;
    std::uint64_t last_ GUARDED_BY(mutex_) = 0;     // trigger
    std::uint64_t waiting_ GUARDED_BY(mutex_) = 0;  // the first trigger of the next run; 0: none
    std::string who_ GUARDED_BY(mutex_);            // said so
    bool is_ending_ GUARDED_BY(mutex_) = false;
    // The run of each trigger that has no verdict yet or whose verdict nobody has taken.
    std::map<std::uint64_t, std::uint64_t> runs_ GUARDED_BY(mutex_);
    std::map<std::uint64_t, ReloadOutcome> outcomes_ GUARDED_BY(mutex_);  // by run

    std::thread thread_;
};

}  // namespace skep::host
