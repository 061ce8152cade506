#include "host/base/placement.hpp"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <system_error>
#include <thread>

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include "host/base/contains.hpp"

namespace skep::host {
namespace {

constexpr int highest_nice = 19;

// A cpu_set_t for any number of cpus; the fixed-size one ends at 1024.
class CpuSet {
public:
    explicit CpuSet(int count)
        : count_(count),
          size_(CPU_ALLOC_SIZE(count)),
          set_(CPU_ALLOC(count), [](cpu_set_t* set) { CPU_FREE(set); }) {
        CPU_ZERO_S(size_, set_.get());
    }

    void add(int cpu) { CPU_SET_S(static_cast<std::size_t>(cpu), size_, set_.get()); }

    [[nodiscard]] std::vector<int> cpus() const {
        std::vector<int> cpus;
        for (int cpu = 0; cpu < count_; ++cpu) {
            if (CPU_ISSET_S(static_cast<std::size_t>(cpu), size_, set_.get())) {
                cpus.push_back(cpu);
            }
        }
        return cpus;
    }

    [[nodiscard]] bool read() { return sched_getaffinity(0, size_, set_.get()) == 0; }

    [[nodiscard]] bool apply() const { return sched_setaffinity(0, size_, set_.get()) == 0; }

private:
    int count_;
    std::size_t size_;
    std::unique_ptr<cpu_set_t, void (*)(cpu_set_t*)> set_;
};

bool set_nice(int nice) {
    return setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), nice) == 0;
}

int number_of(SchedulingPolicy policy) {
    switch (policy) {
        case SchedulingPolicy::other:
            return SCHED_OTHER;
        case SchedulingPolicy::batch:
            return SCHED_BATCH;
        case SchedulingPolicy::idle:
            return SCHED_IDLE;
        case SchedulingPolicy::fifo:
            return SCHED_FIFO;
        case SchedulingPolicy::rr:
            return SCHED_RR;
    }
    return SCHED_OTHER;
}

bool set_policy(SchedulingPolicy policy, int priority) {
    sched_param param{};
    param.sched_priority = priority;
    return sched_setscheduler(0, number_of(policy), &param) == 0;
}

// "0-3, 6"
std::string ranges_of(const std::vector<int>& numbers) {
    std::string text;
    for (std::size_t first = 0; first < numbers.size();) {
        std::size_t last = first;
        while (last + 1 < numbers.size() && numbers[last + 1] == numbers[last] + 1) {
            ++last;
        }
        text += (text.empty() ? "" : ", ") + std::to_string(numbers[first]);
        if (last > first) {
            text += "-" + std::to_string(numbers[last]);
        }
        first = last + 1;
    }
    return text;
}

std::string cpus_text(const std::vector<int>& cpus) {
    return (cpus.size() == 1 ? "cpu " : "cpus ") + ranges_of(cpus);
}

std::string cpu_refused(int cpu, const std::vector<int>& allowed) {
    return "cpu " + std::to_string(cpu) + " is not available to this process, which may use " +
           cpus_text(allowed);
}

// The previous system call refused to do `what`.
Unexpected<std::string> failed(const std::string& what, int error) {
    return Unexpected<std::string>("cannot " + what + ": " +
                                   std::generic_category().message(error));
}

}  // namespace

std::vector<int> allowed_cpus() {
    constexpr int most = 1 << 20;
    for (int count = 1024; count <= most; count *= 2) {
        CpuSet set(count);
        if (set.read()) {
            return set.cpus();
        }
        // The kernel refuses a set that is smaller than its own.
        if (errno != EINVAL) {
            break;
        }
    }
    return {};
}

const char* name_of(SchedulingPolicy policy) {
    switch (policy) {
        case SchedulingPolicy::other:
            return "other";
        case SchedulingPolicy::batch:
            return "batch";
        case SchedulingPolicy::idle:
            return "idle";
        case SchedulingPolicy::fifo:
            return "fifo";
        case SchedulingPolicy::rr:
            return "rr";
    }
    return "";
}

ProcessLimits read_process_limits() {
    ProcessLimits limits;
    limits.cpus = allowed_cpus();
    const auto try_settings = [&limits] {
        while (limits.lowest_nice < highest_nice && !set_nice(limits.lowest_nice)) {
            ++limits.lowest_nice;
        }
        while (limits.highest_priority > 0 &&
               !set_policy(SchedulingPolicy::fifo, limits.highest_priority)) {
            --limits.highest_priority;
        }
    };
    try {
        std::thread(try_settings).join();
    } catch (const std::system_error&) {
        // No thread could be started for the trial: a warning is lost. Workers still report refused
        // settings.
    }
    return limits;
}

std::vector<std::string> refused_settings(const Placement& placement, const ProcessLimits& limits) {
    std::vector<std::string> refused;
    for (const int cpu : placement.cpus) {
        if (!limits.cpus.empty() && !contains(limits.cpus, cpu)) {
            refused.push_back(cpu_refused(cpu, limits.cpus));
        }
    }
    if (placement.nice != 0 && placement.nice < limits.lowest_nice) {
        refused.push_back("nice " + std::to_string(placement.nice) +
                          " is not available to this process, which may use " +
                          std::to_string(limits.lowest_nice) + " to " +
                          std::to_string(highest_nice));
    }
    if (placement.priority > limits.highest_priority) {
        const std::string policy = "policy '" + std::string(name_of(placement.policy)) + "'";
        refused.push_back(limits.highest_priority == 0
                              ? policy + " is not available to this process"
                              : "priority " + std::to_string(placement.priority) + " of " + policy +
                                    " is not available to this process, which may use 1 to " +
                                    std::to_string(limits.highest_priority));
    }
    return refused;
}

Result<Done, std::string> apply_placement(const Placement& placement) {
    if (!placement.cpus.empty()) {
        // Linux would ignore the cpus that do not exist, and does not know the cpus to which
        // taskset confined skep.
        const std::vector<int> allowed = allowed_cpus();
        CpuSet set(*std::max_element(placement.cpus.begin(), placement.cpus.end()) + 1);
        for (const int cpu : placement.cpus) {
            if (!allowed.empty() && !contains(allowed, cpu)) {
                return Unexpected<std::string>(cpu_refused(cpu, allowed));
            }
            set.add(cpu);
        }
        if (!set.apply()) {
            const int error = errno;
            return failed("run on " + cpus_text(set.cpus()), error);
        }
    }
    if (placement.policy != SchedulingPolicy::other &&
        !set_policy(placement.policy, placement.priority)) {
        const int error = errno;
        const std::string policy = std::string("set policy '") + name_of(placement.policy) + "'";
        return failed(placement.priority == 0
                          ? policy
                          : policy + " with priority " + std::to_string(placement.priority),
                      error);
    }
    if (placement.nice != 0 && !set_nice(placement.nice)) {
        const int error = errno;
        return failed("set nice " + std::to_string(placement.nice), error);
    }
    return Done{};
}

}  // namespace skep::host
