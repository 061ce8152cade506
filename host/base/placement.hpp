// The placement of a thread: its cpus, its nice value and its scheduling policy.
//
// All of these belong to the thread, not to the process. A thread passes them on to the threads
// that it starts. A field at its default here leaves the setting as the thread already has it, that
// is, as skep itself was started.
#pragma once

#include <string>
#include <vector>

#include "host/base/result.hpp"

namespace skep::host {

// The policies of sched(7).
enum class SchedulingPolicy { other, batch, idle, fifo, rr };

[[nodiscard]] const char* name_of(SchedulingPolicy policy);

struct Placement {
    std::vector<int> cpus;  // kernel cpu numbers; empty: any
    int nice = 0;           // -20 (first) to 19; only for `other` and `batch`
    SchedulingPolicy policy = SchedulingPolicy::other;
    int priority = 0;  // 1 to 99 (first) for `fifo` and `rr`, otherwise 0

    bool operator==(const Placement&) const = default;
};

// The placement limits of a process. The defaults refuse nothing.
struct ProcessLimits {
    std::vector<int> cpus;      // in ascending order; empty: any
    int lowest_nice = -20;      // the lowest value without more rights
    int highest_priority = 99;  // for `fifo` and `rr`; 0: neither policy is allowed
};

// Returns the cpus that the calling thread may run on; empty when the system does not report them.
[[nodiscard]] std::vector<int> allowed_cpus();

// Returns the limits of this process. It finds them by trial on a short-lived thread: rights,
// resource limits and control groups all influence them. The cpus are those of the calling thread,
// which must not have been placed itself.
[[nodiscard]] ProcessLimits read_process_limits();

// Returns one sentence without a full stop for each setting that the limits do not allow; empty if
// they allow all.
[[nodiscard]] std::vector<std::string> refused_settings(const Placement& placement,
                                                        const ProcessLimits& limits);

// Places the calling thread, or returns the reason for a failure. The caller must be a new thread,
// started by a thread that has not been placed: all its cpus must be among those that it already
// has, which are those that skep was started with. After an error some of the settings may be in
// force.
[[nodiscard]] Result<Done, std::string> apply_placement(const Placement& placement);

}  // namespace skep::host
