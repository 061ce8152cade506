#include "host/control/waiting.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <set>

#include "host/base/deadline.hpp"
#include "host/control/refusals.hpp"
#include "host/topology/units.hpp"

namespace skep::host {
namespace {

constexpr Nanos shortest_rest = std::chrono::milliseconds(10);
constexpr int rest_factor = 20;  // the pause, as a multiple of the time of the last poll

Answer<bool> has_reached(Manager& manager, const Wait& wait) {
    if (!wait.worker.empty()) {
        const Answer<WorkerMetrics> metrics = manager.metrics(wait.worker);
        return metrics ? Answer<bool>(is_in(metrics->state, wait.state))
                       : Unexpected<Refusal>(metrics.error());
    }
    const auto plan = manager.plan();
    std::set<std::string_view> planned;  // unused if the host has ended: all workers count
    if (plan) {
        for (const WorkerPlan& worker : (*plan)->workers) {
            planned.insert(worker.name);
        }
    }
    const HostMetrics host = manager.metrics();
    const bool is_reached =
        std::all_of(host.workers.begin(), host.workers.end(), [&](const WorkerMetrics& it) {
            return (plan && planned.count(it.name) == 0) || is_in(it.state, wait.state);
        });
    return is_reached || plan ? Answer<bool>(is_reached) : Unexpected<Refusal>(plan.error());
}

}  // namespace

bool is_in(WorkerState state, const std::string& wanted) {
    const bool is_error = state == WorkerState::failed || state == WorkerState::lost;
    return name_of(state) == wanted || (wanted == "error" && is_error) ||
           (wanted == "ended" && (is_error || state == WorkerState::stopped));
}

bool is_awaitable(const std::string& state) {
    for (std::size_t i = 0; i < worker_state_count; ++i) {
        if (name_of(static_cast<WorkerState>(i)) == state) {
            return true;
        }
    }
    return state == "error" || state == "ended";
}

Result<Wait, std::string> read_wait(const std::map<std::string, std::string>& query) {
    Wait wait;
    for (const auto& [key, value] : query) {
        if (key == "worker") {
            wait.worker = value;
        } else if (key == "state") {
            wait.state = value;
        } else if (key == "timeout_ms") {
            const std::optional<std::int64_t> span = parse_integer(value);
            if (!span || *span < 0 || static_cast<std::uint64_t>(*span) > longest_wait_ms) {
                return Unexpected<std::string>("'timeout_ms' must be a number of milliseconds");
            }
            wait.timeout = std::chrono::milliseconds(*span);
        } else {
            return Unexpected<std::string>("unknown parameter '" + key + "'");
        }
    }
    if (!is_awaitable(wait.state)) {
        return Unexpected<std::string>("unknown state '" + wait.state + "'");
    }
    return wait;
}

Response wait_for(ControlWorld& world, const Request& request, const Wait& wait) {
    const Nanos begin = steady_now();
    while (true) {
        const Nanos asked = steady_now();
        const Answer<bool> reached = has_reached(world.manager, wait);
        if (!reached) {
            return refused(reached.error());
        }
        if (*reached) {
            return {200, R"({"reached":true})"};
        }
        const Nanos answered = steady_now();
        const Nanos left = wait.timeout ? begin + *wait.timeout - answered : forever;
        if (left <= Nanos(0)) {
            return {200, R"({"reached":false})"};
        }
        const Nanos rest = std::max(shortest_rest, rest_factor * (answered - asked));
        if (!request.rest(std::min(rest, left))) {
            return refused({Refusal::Code::host_ended, "the host is ending"});
        }
    }
}

}  // namespace skep::host
