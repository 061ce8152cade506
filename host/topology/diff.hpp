// What it takes to get from one plan to another. Pure: start is a diff from Plan{}, stop a diff to
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
    std::vector<std::string> to_swap;    // other code, parameters, or place to run at: it gets a
                                         // successor
    bool routes_changed = false;
    bool settings_changed = false;  // what is changed in place: mailbox, on_failure, times
    bool schedule_changed = false;
    std::vector<std::string> to_reconfigure;  // other values of parameters that may change

    [[nodiscard]] bool empty() const { return *this == Changes(); }

    bool operator==(const Changes&) const = default;
};

[[nodiscard]] Changes diff(const Plan& current, const Plan& next);

// What `current` says against being changed so; nothing: go on. Who wants to change what shall
// never change says so in a plan of its own first.
[[nodiscard]] std::optional<std::string> veto(const Plan& current, const Changes& changes);

}  // namespace skep::host
