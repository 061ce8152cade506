// Where a thread runs and how it is scheduled: its cpus, its nice value, its policy.
//
// All of it belongs to the thread, not to the process, and a thread hands it down to those that it
// starts. What stands at its default here is left as the thread has it already, that is, as skep
// itself was started.
#pragma once

#include <string>
#include <vector>

#include "host/base/result.hpp"

namespace skep::host {

// As in sched(7).
enum class SchedulingPolicy { other, batch, idle, fifo, rr };

[[nodiscard]] const char* name_of(SchedulingPolicy policy);

struct Placement {
    std::vector<int> cpus;  // by the numbers of the kernel; empty: any
    int nice = 0;           // -20 (first) to 19; under `other` and `batch` only
    SchedulingPolicy policy = SchedulingPolicy::other;
    int priority = 0;  // 1 to 99 (first) under `fifo` and `rr`, otherwise 0

    bool operator==(const Placement&) const = default;
};

// How far a process may go. As it stands it refuses nothing.
struct ProcessLimits {
    std::vector<int> cpus;      // in rising order; empty: any
    int lowest_nice = -20;      // without more rights
    int highest_priority = 99;  // of `fifo` and `rr`; 0: none of them
};

// The cpus that the calling thread may run on; empty when the system does not tell.
[[nodiscard]] std::vector<int> allowed_cpus();

// The limits of this process, by trial on a thread that ends at once: rights, resource limits and
// control groups all have a say in them. The cpus are those of the calling thread, so it should
// not have been placed itself.
[[nodiscard]] ProcessLimits read_process_limits();

// What of a placement the limits do not allow, each as a sentence without a full stop; empty: all
// is allowed.
[[nodiscard]] std::vector<std::string> refused_settings(const Placement& placement,
                                                        const ProcessLimits& limits);

// Places the calling thread, or says why it cannot be. It is to be a new thread, started by one
// that has not been placed: its cpus must all be among those that it has already, which are those
// that skep was started with. After an error some of the settings may be in force.
[[nodiscard]] Result<Done, std::string> apply_placement(const Placement& placement);

}  // namespace skep::host
