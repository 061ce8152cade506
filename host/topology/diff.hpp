// What it takes to get from one plan to another. Pure: start is a diff from Plan{}, stop a diff to
// it.
#pragma once

#include <string>
#include <vector>

#include "host/topology/plan.hpp"

namespace skep::host {

struct Changes {
    std::vector<std::string> to_add;     // in the order of `next`
    std::vector<std::string> to_remove;  // in the order of `current`
    std::vector<std::string> to_change;  // same name, anything else about it or its pool differs
    bool routes_changed = false;

    [[nodiscard]] bool empty() const {
        return to_add.empty() && to_remove.empty() && to_change.empty() && !routes_changed;
    }

    bool operator==(const Changes&) const = default;
};

[[nodiscard]] Changes diff(const Plan& current, const Plan& next);

}  // namespace skep::host
