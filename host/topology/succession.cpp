#include "host/topology/succession.hpp"

#include <algorithm>
#include <vector>

namespace skep::host {
namespace {

bool same_ports(const PortInfo& a, const PortInfo& b) {
    return a.name == b.name && a.content_type == b.content_type;
}

std::optional<std::string> port_problem(const std::vector<PortInfo>& before,
                                        const std::vector<PortInfo>& next,
                                        const std::string& direction) {
    for (std::size_t i = 0; i < before.size(); ++i) {
        if (i >= next.size()) {
            return "its " + direction + " '" + before[i].name + "' was removed";
        }
        if (!same_ports(before[i], next[i])) {
            return "its " + direction + " " + std::to_string(i) + " changed from '" +
                   before[i].name + "' (" + before[i].content_type + ") to '" + next[i].name +
                   "' (" + next[i].content_type + "); ports may only be added at the end";
        }
    }
    return std::nullopt;
}

}  // namespace

std::optional<std::string> succession_problem(const WorkerTypeInfo& before,
                                              const WorkerTypeInfo& next) {
    if (auto problem = port_problem(before.inputs, next.inputs, "input")) {
        return problem;
    }
    return port_problem(before.outputs, next.outputs, "output");
}

std::optional<std::string> state_problem(const WorkerTypeInfo& before, const WorkerTypeInfo& next) {
    if (before.state_version == 0) {
        return std::nullopt;
    }
    if (next.state_version == 0) {
        return "its state version " + std::to_string(before.state_version) +
               " would be lost: the successor accepts no state";
    }
    if (before.state_version < next.state_oldest || before.state_version > next.state_version) {
        return "its state has version " + std::to_string(before.state_version) +
               ", but the successor accepts " + std::to_string(next.state_oldest) + " to " +
               std::to_string(next.state_version);
    }
    return std::nullopt;
}

}  // namespace skep::host
