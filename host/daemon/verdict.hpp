// What was asked of a reload or a rollback, and what came of it. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/base/clock.hpp"
#include "host/daemon/probations.hpp"
#include "host/manager/manager.hpp"

namespace skep::host {

enum class ReloadResult {
    applied,      // the new plan is in force
    no_change,    // the plan was in force already
    refused,      // the previous plan stays in force, unchanged
    hangs,        // the new plan is in force, and a successor on probation hangs in a call
    rolled_back,  // as applied, except for workers whose successor failed on probation
};

[[nodiscard]] std::string_view name_of(ReloadResult result);

enum class ReloadKind {
    reload,    // to the current files
    rollback,  // to the previous plan
};

[[nodiscard]] std::string_view name_of(ReloadKind kind);

struct ReloadRequest {
    ReloadKind kind = ReloadKind::reload;
    StateLoss loss = StateLoss::refused;

    bool operator==(const ReloadRequest&) const = default;
};

// Returns "swap count; start log; stop old; rewire; 3 stay; the state of old ends".
[[nodiscard]] std::string changes_text(const ChangeSummary& it);

// What the audit log shows of a plan that was put in force.
struct ReloadDetails {
    Applied applied;
    std::optional<Nanos> read;  // the time to read and to check the files
};

// The verdict of a trigger.
struct Verdict {
    ReloadRequest request;
    std::string who;           // the origin of the trigger, for the logs
    std::uint64_t number = 0;  // the number of the trigger: 1, 2, 3, ...
    std::uint64_t run = 0;     // the number of the run that served it; not `number`: merged
    ReloadResult result = ReloadResult::refused;
    std::string text;       // the changes, or why nothing has changed; it may have several lines
    bool is_final = false;  // false: there is no result yet, or the plan is on probation
    std::shared_ptr<const ReloadDetails> details;  // null: none

    // True if the operator should look at it.
    [[nodiscard]] bool is_bad() const {
        return result != ReloadResult::applied && result != ReloadResult::no_change;
    }

    // Makes the outcome of the probation a part of the result and the text.
    void add(const Probations::Outcome& outcome);
};

}  // namespace skep::host
