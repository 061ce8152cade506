// Finds the changes between two plans. Pure. A start is the diff from Plan{}, a stop is the diff to
// it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "host/topology/plan.hpp"

namespace skep::host {

struct Changes {
    std::vector<std::string> to_add;     // in the order of `next`
    std::vector<std::string> to_remove;  // in the order of `current`
    // Other code, parameters or placement: the instance is swapped.
    std::vector<std::string> to_swap;
    bool routes_changed = false;
    bool settings_changed = false;  // changes in place: mailbox, on_failure, times
    bool schedule_changed = false;
    std::vector<std::string> to_reconfigure;  // other values of reloadable parameters

    [[nodiscard]] bool empty() const { return *this == Changes(); }

    bool operator==(const Changes&) const = default;
};

[[nodiscard]] Changes diff(const Plan& current, const Plan& next);

// Returns why `current` forbids these changes; nothing if it allows them. A worker with `reload =
// "never"` must be switched to `"swap"` in a separate reload.
[[nodiscard]] std::optional<std::string> veto(const Plan& current, const Changes& changes);

}  // namespace skep::host
