// Reloads: triggers in, verdicts out. One runs at a time.
//
// Every trigger gets a number and a verdict. What comes while one runs waits for the next, which
// serves all that wait: of a thousand triggers in a second two reloads run, and the second sees
// what the last one meant. (Fluent Bit lost such triggers, fluent-bit#8457.) A rollback takes its
// turn among them: it is a run of its own, since two of them go back twice.
//
// A run that has applied a plan is in force, and waits for the end of the probation before its
// verdict is told; the next trigger cuts that short. (Kubernetes' minReadySeconds, with a verdict.)
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "host/base/mutex.hpp"
#include "host/control/probations.hpp"
#include "host/manager/manager.hpp"

namespace skep::host {

enum class ReloadResult {
    applied,      // the new plan is in force
    no_change,    // it was in force already
    refused,      // the plan before is in force as if nothing had been asked
    hangs,        // the new plan is in force, and a successor on probation hangs in a call
    rolled_back,  // the new plan is in force, but for workers whose successor failed on probation
};

[[nodiscard]] std::string_view name_of(ReloadResult result);

enum class ReloadKind {
    reload,    // to the files as they are
    rollback,  // to the plan before
};

[[nodiscard]] std::string_view name_of(ReloadKind kind);

struct ReloadWish {
    ReloadKind kind = ReloadKind::reload;
    StateLoss loss = StateLoss::refused;

    bool operator==(const ReloadWish&) const = default;
};

// What became of a reload.
struct ReloadOutcome {
    ReloadResult result = ReloadResult::refused;
    std::string text;     // what has changed, or why nothing has; it may have several lines
    std::string details;  // for the audit log: a JSON object, or ""
};

struct Verdict {
    ReloadWish wish;
    std::uint64_t number = 0;  // of the trigger: 1, 2, 3, ...
    std::uint64_t run = 0;     // of the trigger whose run served it; another one's: merged
    ReloadOutcome outcome;
    bool is_final = false;  // else it has no outcome yet, or is applied, and on probation
};

class Reloads {
public:
    using Run = std::function<ReloadOutcome(const ReloadWish&)>;
    // `run` reads what is wanted now, and does it. It is called on a thread of this object's.
    // `tell` is told each verdict, and who asked, on the same thread.
    using Tell = std::function<void(const Verdict&, const std::string& who)>;
    // `probations` is told what `run` puts on probation, while it runs and after.
    explicit Reloads(
        Run run,
        Tell tell = [](const Verdict&, const std::string&) {},
        std::shared_ptr<Probations> probations = std::make_shared<Probations>());
    // Ends as end() does, without a bound.
    ~Reloads();
    Reloads(const Reloads&) = delete;
    Reloads& operator=(const Reloads&) = delete;

    // Refuses the triggers that wait, and waits for the reload that runs, but for no probation.
    // False: that reload did not come back in this time, and hangs in a plugin or a file; this
    // object must then stay as it is, and the process ends by _exit().
    [[nodiscard]] bool end(Nanos patience);

    // `who`: for the logs. Returns the number. [any-thread]
    std::uint64_t trigger(std::string who, const ReloadWish& wish = {});
    // Waits until the plan of a trigger is in force, or will not be. [any-thread]
    Verdict wait(std::uint64_t number);
    // What is known of a trigger by now. None: it is not one, or is forgotten, as its final verdict
    // has been asked for, or lies far back. [any-thread]
    [[nodiscard]] std::optional<Verdict> look(std::uint64_t number);

private:
    struct Waiting {
        ReloadWish wish;
        std::uint64_t run;  // the first trigger that it serves
    };

    struct Trigger {
        ReloadWish wish;
        std::uint64_t run;
        std::string who;
    };

    struct Outcome {
        ReloadOutcome outcome;
        bool is_final = false;
    };

    [[nodiscard]] ReloadOutcome run_contained(const ReloadWish& wish) const;
    void serve();
    [[nodiscard]] std::optional<Verdict> known(std::uint64_t number) REQUIRES(mutex_);
    void announce(std::uint64_t run, const ReloadOutcome& outcome);
    void conclude(std::uint64_t run, ReloadOutcome outcome);

    const Run run_;
    const Tell tell_;
    const std::shared_ptr<Probations> probations_;

    Mutex mutex_;
    Condition changed_;
    std::uint64_t last_ GUARDED_BY(mutex_) = 0;  // trigger
    std::deque<Waiting> waiting_ GUARDED_BY(mutex_);
    bool is_ending_ GUARDED_BY(mutex_) = false;
    bool is_over_ GUARDED_BY(mutex_) = false;  // the thread is about to end
    // The run after this one waits, or the end. Written under mutex_.
    std::atomic<bool> has_next_{false};
    // By number: those that have no verdict yet, or whose verdict nobody has taken.
    std::map<std::uint64_t, Trigger> triggers_ GUARDED_BY(mutex_);
    std::map<std::uint64_t, Outcome> outcomes_ GUARDED_BY(mutex_);  // by run

    std::thread thread_;
};

}  // namespace skep::host
