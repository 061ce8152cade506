// Explains the state of a worker in sentences, from the metrics and the plan. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "host/topology/plan.hpp"
#include "host/worker/metrics.hpp"

namespace skep::host {

struct Explanation {
    std::string why;  // one sentence: "no message waits at it"
    // Other facts: the messages that wait, the workers that it waits for, its last error.
    std::vector<std::string> also;
    std::vector<std::string> waits_for;  // the workers that could let it continue
    std::string advice;                  // a command that would help; "": none
};

// `worker` must be one of `host.workers`. Only the workers that the plan connects with it count.
[[nodiscard]] Explanation explain(const WorkerMetrics& worker,
                                  const HostMetrics& host,
                                  const Plan& plan);

// Formats a duration for people: "1.5s", "200ms", "3m12s".
[[nodiscard]] std::string span_text(Nanos span);

}  // namespace skep::host
