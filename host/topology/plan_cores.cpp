// Assigns workers to one cpu if routes between them ask for it. Workers are joined into groups
// (union-find); the cpus of a group are those that all its members with `cpus` have in common.
#include <algorithm>
#include <list>
#include <map>
#include <numeric>
#include <span>
#include <unordered_set>

#include "host/base/contains.hpp"
#include "host/topology/planning.hpp"

namespace skep::host {
namespace {

class CoreSharing {
public:
    CoreSharing(std::vector<WorkerPlan>& workers, Problems& problems)
        : workers_(workers),
          problems_(problems),
          leader_(workers.size()),
          groups_(workers.size()) {
        std::iota(leader_.begin(), leader_.end(), std::size_t{0});
        for (std::size_t i = 0; i < workers.size(); ++i) {
            by_name_.emplace(workers[i].name, i);
            groups_[i].members = 1;
            groups_[i].cpus = workers[i].run.placement.cpus;
            if (!groups_[i].cpus.empty()) {
                groups_[i].bound.push_back(base_name(workers[i].name));
            }
        }
    }

    void add(const SharedCore& shared) {
        for (const std::span<const std::string> end : {shared.from, shared.to}) {
            for (const std::string& name : end) {
                const auto found = by_name_.find(name);
                // A missing worker has been reported.
                if (found == by_name_.end() || is_on_pool(found->second, shared.span)) {
                    return;
                }
            }
        }
        const std::size_t first = by_name_.at(shared.from.front());
        for (const std::span<const std::string> end : {shared.from, shared.to}) {
            for (const std::string& name : end) {
                join(first, by_name_.at(name), shared.span);
            }
        }
    }

    // Writes the result into the plans of the workers.
    void resolve() {
        std::map<std::size_t, std::uint32_t> numbers;  // by the leader of the group
        for (std::size_t i = 0; i < workers_.size(); ++i) {
            const std::size_t leader = leader_of(i);
            const Group& group = groups_[leader];
            if (group.members == 1) {
                continue;
            }
            RunPlan& run = workers_[i].run;
            if (group.cpus.empty()) {
                const auto next = static_cast<std::uint32_t>(numbers.size() + 1);
                run.core_group = numbers.try_emplace(leader, next).first->second;
            } else {
                run.placement.cpus = {group.cpus.front()};
            }
        }
    }

private:
    struct Group {
        std::size_t members = 0;
        std::vector<int> cpus;         // common to all members that name cpus
        std::list<std::string> bound;  // members that name cpus; replicas more than once
    };

    // Returns each name once, in the order of its first occurrence.
    static std::vector<std::string> distinct(const std::list<std::string>& names) {
        std::vector<std::string> result;
        std::unordered_set<std::string_view> seen;
        for (const std::string& name : names) {
            if (seen.insert(name).second) {
                result.push_back(name);
            }
        }
        return result;
    }

    static std::string base_name(const std::string& name) { return name.substr(0, name.find('#')); }

    bool is_on_pool(std::size_t worker, const SourceSpan& span) {
        const WorkerPlan& plan = workers_[worker];
        if (plan.run.pool.empty()) {
            return false;
        }
        problems_.error(span,
                        "cannot apply 'share_core' to worker '" + base_name(plan.name) +
                            "': it runs on pool '" + plan.run.pool + "'",
                        "workers of a pool already share its threads; remove 'share_core', or give "
                        "the worker its own thread");
        return true;
    }

    std::size_t leader_of(std::size_t worker) {
        while (leader_[worker] != worker) {
            leader_[worker] = leader_[leader_[worker]];
            worker = leader_[worker];
        }
        return worker;
    }

    void join(std::size_t a, std::size_t b, const SourceSpan& span) {
        a = leader_of(a);
        b = leader_of(b);
        if (a == b) {
            return;
        }
        leader_[b] = a;
        Group& group = groups_[a];
        Group& other = groups_[b];
        group.members += other.members;
        // Constant time: a group may contain most of 100,000 workers.
        group.bound.splice(group.bound.end(), other.bound);
        if (group.cpus.empty()) {
            group.cpus = std::move(other.cpus);
            return;
        }
        if (other.cpus.empty()) {
            return;
        }
        std::vector<int> common;
        std::copy_if(
            group.cpus.begin(), group.cpus.end(), std::back_inserter(common), [&](int cpu) {
                return contains(other.cpus, cpu);
            });
        if (common.empty()) {
            problems_.error(span,
                            "workers that share a core have no cpu in common: " +
                                list_of(distinct(group.bound)),
                            "give their 'cpus' a common cpu, or set 'cpus' for only one of them");
            return;
        }
        group.cpus = std::move(common);
    }

    std::vector<WorkerPlan>& workers_;
    Problems& problems_;
    std::map<std::string, std::size_t> by_name_;
    std::vector<std::size_t> leader_;  // for each worker: a step towards the leader of its group
    std::vector<Group> groups_;        // by leader
};

}  // namespace

void plan_cores(const std::vector<SharedCore>& shared,
                std::vector<WorkerPlan>& workers,
                Problems& problems) {
    if (shared.empty()) {
        return;
    }
    CoreSharing sharing(workers, problems);
    for (const SharedCore& one : shared) {
        sharing.add(one);
    }
    sharing.resolve();
}

}  // namespace skep::host
