#include <array>

#include "host/topology/planning.hpp"

namespace skep::host {
namespace {

constexpr Words<SchedulingPolicy, 5> policy_words = {{
    {"other", SchedulingPolicy::other},
    {"batch", SchedulingPolicy::batch},
    {"idle", SchedulingPolicy::idle},
    {"fifo", SchedulingPolicy::fifo},
    {"rr", SchedulingPolicy::rr},
}};

bool has_priority(SchedulingPolicy policy) {
    return policy == SchedulingPolicy::fifo || policy == SchedulingPolicy::rr;
}

bool has_nice(SchedulingPolicy policy) {
    return policy == SchedulingPolicy::other || policy == SchedulingPolicy::batch;
}

std::vector<int> numbers_of(const std::vector<Located<std::int64_t>>& written) {
    std::vector<int> numbers;
    numbers.reserve(written.size());
    for (const Located<std::int64_t>& number : written) {
        numbers.push_back(static_cast<int>(number.value));
    }
    return numbers;
}

int number_of(const std::optional<Located<std::int64_t>>& written) {
    return written ? static_cast<int>(written->value) : 0;
}

void check_pool(const NamedWorker& worker,
                const Located<std::string>& pool,
                const Topology& topology,
                const std::set<std::string_view>& pools,
                Problems& problems) {
    if (!pools.contains(pool.value) && topology.unread.count("pool") == 0) {
        std::vector<std::string> known;
        for (const TopologyPool& candidate : topology.pools) {
            known.push_back(candidate.name.value);
        }
        problems.error(pool.span,
                       "unknown pool '" + pool.value + "'",
                       known.empty() ? "add a table [pool." + pool.value + "]"
                                     : suggestion(pool.value, known, "pool"));
    }
    if (worker.type != nullptr && worker.type->is_loop) {
        problems.error(
            pool.span,
            "worker '" + worker.name() + "' cannot run on a pool: its type '" + worker.type->name +
                "' is a loop",
            "a loop keeps its thread until it ends, and needs its own thread: remove 'pool'");
    }
}

Placement plan_placement(const TopologyRun& run, Problems& problems) {
    Placement placement;
    placement.cpus = numbers_of(run.cpus);
    placement.nice = number_of(run.nice);
    placement.priority = number_of(run.priority);
    std::optional<SchedulingPolicy> policy = SchedulingPolicy::other;
    if (run.policy) {
        policy = parse_word(*run.policy, "policy", policy_words, problems);
    }
    if (!policy || (!run.policy && run.unread.count("policy") > 0)) {
        return placement;
    }
    placement.policy = *policy;
    const std::string named = std::string("policy '") + name_of(*policy) + "'";
    if (has_priority(*policy) && !run.priority && run.unread.count("priority") == 0) {
        problems.error(
            run.policy->span,
            named + " needs a priority",
            "add a priority from 1 to 99: of the threads that are ready, the one with the "
            "highest priority runs");
    }
    if (!has_priority(*policy) && run.priority) {
        problems.error(run.priority->span,
                       named + " takes no priority",
                       has_nice(*policy) ? "use 'nice' instead, or set policy = \"fifo\" or \"rr\""
                                         : "remove it, or set policy = \"fifo\" or \"rr\"");
    }
    if (!has_nice(*policy) && run.nice) {
        problems.error(run.nice->span,
                       "'nice' has no effect with " + named,
                       has_priority(*policy)
                           ? "remove it: 'priority' decides"
                           : "remove it: an idle thread runs only when no other thread is ready");
    }
    return placement;
}

// Warns of each setting beyond the limits, at its place.
class LimitCheck {
public:
    LimitCheck(const ProcessLimits& limits, Problems& problems)
        : limits_(limits),
          problems_(problems) {}

    void check(const std::vector<Located<std::int64_t>>& cpus,
               const std::optional<Located<std::int64_t>>& nice) {
        for (const Located<std::int64_t>& cpu : cpus) {
            Placement one;
            one.cpus = {static_cast<int>(cpu.value)};
            warn(one,
                 cpu.span,
                 "skep will refuse to start here; name other cpus, or allow skep more cpus "
                 "(taskset, CPUAffinity= of a unit, cpuset of a container)");
        }
        if (nice) {
            Placement one;
            one.nice = static_cast<int>(nice->value);
            warn(one,
                 nice->span,
                 "skep will refuse to start here; a lower nice value needs the capability "
                 "CAP_SYS_NICE or a higher RLIMIT_NICE (LimitNICE= of a unit)");
        }
    }

    void check(const Located<std::string>& policy, const Located<std::int64_t>& priority) {
        Placement one;
        for (const auto& [text, value] : policy_words) {
            one.policy = policy.value == text ? value : one.policy;
        }
        one.priority = static_cast<int>(priority.value);
        warn(one,
             priority.span,
             "skep will refuse to start here; the priority needs the capability CAP_SYS_NICE or a "
             "higher RLIMIT_RTPRIO (LimitRTPRIO= of a unit)");
    }

private:
    void warn(const Placement& placement, const SourceSpan& span, const std::string& hint) {
        for (std::string& refused : refused_settings(placement, limits_)) {
            problems_.warning(span, std::move(refused), hint);
        }
    }

    const ProcessLimits& limits_;
    Problems& problems_;
};

}  // namespace

std::vector<PoolPlan> plan_pools(const Topology& topology) {
    std::vector<PoolPlan> pools;
    for (const TopologyPool& written : topology.pools) {
        PoolPlan pool;
        pool.name = written.name.value;
        pool.threads = written.threads ? static_cast<std::size_t>(written.threads->value)
                                       : written.cpus.size();
        pool.placement.cpus = numbers_of(written.cpus);
        pool.placement.nice = number_of(written.nice);
        pools.push_back(std::move(pool));
    }
    return pools;
}

RunPlan plan_run(const NamedWorker& worker,
                 const Topology& topology,
                 const std::set<std::string_view>& pools,
                 Problems& problems) {
    RunPlan plan;
    if (!worker.written->run) {
        return plan;
    }
    const TopologyRun& run = *worker.written->run;
    if (run.pool) {
        check_pool(worker, *run.pool, topology, pools, problems);
        plan.pool = run.pool->value;
    } else if (run.unread.count("pool") == 0) {
        plan.placement = plan_placement(run, problems);
    }
    return plan;
}

void warn_about_runs(const Topology& topology, const ProcessLimits& limits, Problems& problems) {
    LimitCheck check(limits, problems);
    std::set<std::string_view> used;
    for (const TopologyWorker& worker : topology.workers) {
        if (worker.run && worker.run->pool) {
            used.insert(worker.run->pool->value);
        }
    }
    for (const TopologyPool& pool : topology.pools) {
        if (!used.contains(pool.name.value)) {
            problems.warning(
                pool.span,
                "no worker runs on pool '" + pool.name.value + "'",
                "add run = { pool = \"" + pool.name.value + "\" } to a worker, or remove the pool");
        }
        check.check(pool.cpus, pool.nice);
    }
    for (const TopologyWorker& worker : topology.workers) {
        if (!worker.run) {
            continue;
        }
        check.check(worker.run->cpus, worker.run->nice);
        if (worker.run->policy && worker.run->priority) {
            check.check(*worker.run->policy, *worker.run->priority);
        }
    }
}

}  // namespace skep::host
