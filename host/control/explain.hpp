// Why a worker does what it does, or does not: sentences, made of what the manager knows. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "host/topology/plan.hpp"
#include "host/worker/metrics.hpp"

namespace skep::host {

struct Explanation {
    std::string why;  // one sentence: "it is paused since somebody asked for that"
    // What else bears on it: what waits at it, whom it waits for, how the last generation ended.
    std::vector<std::string> also;
    std::vector<std::string> waits_for;  // the workers whose doing would let it go on
    std::string advice;                  // a command that would help; "" when there is none
};

// `worker` is one of `host.workers`; of the others, those count that the plan connects with it.
[[nodiscard]] Explanation explain(const WorkerMetrics& worker,
                                  const HostMetrics& host,
                                  const Plan& plan);

// "1.5s", "200ms", "3m12s": for people.
[[nodiscard]] std::string span_text(Nanos span);

}  // namespace skep::host
