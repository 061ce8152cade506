// Formats the metrics of a host as JSON. Pure.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "host/control/explain.hpp"
#include "host/manager/manager.hpp"
#include "host/topology/plan.hpp"
#include "host/worker/metrics.hpp"

namespace skep::host {

[[nodiscard]] std::string worker_json(const WorkerMetrics& worker);

// Returns {"workers":[...]}.
[[nodiscard]] std::string workers_json(const HostMetrics& host);

[[nodiscard]] std::string explanation_json(const WorkerMetrics& worker, const Explanation& it);

// Returns {"generations":[...]}: the versions of plugins that a host has, and their use.
[[nodiscard]] std::string generations_json(const std::vector<LibraryUse>& libraries,
                                           std::chrono::system_clock::time_point now);

struct HostLine {
    std::string name;
    std::string file;
    pid_t pid = 0;
    Nanos uptime{0};
};

[[nodiscard]] std::string host_json(const HostLine& line, const HostMetrics& host);

}  // namespace skep::host
