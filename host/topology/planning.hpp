// What the parts of the planner share: the workers that a file names, and words that stand for
// enumerators. For the planner's own files, and for who looks for plugins before it does.
#pragma once

#include <array>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "host/topology/plan.hpp"
#include "host/topology/problems.hpp"

namespace skep::host {

// [host] plugin_path of a topology, resolved against the folder of its file.
[[nodiscard]] std::vector<std::string> plugin_folders(const Topology& topology);

// A [worker.NAME], and what it becomes.
struct NamedWorker {
    const TopologyWorker* written = nullptr;
    const WorkerTypeInfo* type = nullptr;  // null: unknown, and the reason has been reported
    std::vector<std::string> replicas;     // NAME, or NAME#0, NAME#1, ...

    [[nodiscard]] const std::string& name() const { return written->name.value; }
};

// In the order of the file. What is asked for each name in the file takes no longer with more
// workers.
class NamedWorkers {
public:
    void push_back(NamedWorker worker) {
        by_name_.emplace(worker.name(), workers_.size());
        letters_ += worker.name().size();
        names_.push_back(worker.name());
        workers_.push_back(std::move(worker));
    }

    // The index of the worker of this name.
    [[nodiscard]] std::optional<std::size_t> find(std::string_view name) const {
        const auto found = by_name_.find(name);
        return found == by_name_.end() ? std::nullopt : std::optional(found->second);
    }

    // Whether the name of a worker begins with `prefix`.
    [[nodiscard]] bool any_starts_with(std::string_view prefix) const {
        const auto next = by_name_.lower_bound(prefix);
        return next != by_name_.end() && next->first.starts_with(prefix);
    }

    // The hint for a name that none of them has. To find the nearest name every other is compared:
    // thousands of wrong names in a file of thousands of workers get the list only.
    [[nodiscard]] std::string suggestion_for(std::string_view name) {
        const std::size_t cost = name.size() * letters_;
        if (cost > comparisons_left_) {
            return suggestion("", names_, "worker");
        }
        comparisons_left_ -= cost;
        return suggestion(name, names_, "worker");
    }

    // Keeps the name of a replica of a worker whose number of replicas is not known.
    [[nodiscard]] std::span<const std::string> keep(std::string_view replica) {
        return {&kept_.emplace_back(replica), 1};
    }

    [[nodiscard]] std::size_t size() const { return workers_.size(); }

    [[nodiscard]] bool empty() const { return workers_.empty(); }

    [[nodiscard]] const NamedWorker& operator[](std::size_t index) const { return workers_[index]; }

    [[nodiscard]] auto begin() const { return workers_.begin(); }

    [[nodiscard]] auto end() const { return workers_.end(); }

private:
    std::vector<NamedWorker> workers_;
    std::map<std::string_view, std::size_t> by_name_;  // of the topology
    std::vector<std::string> names_;
    std::deque<std::string> kept_;
    std::size_t letters_ = 0;                     // of all names
    std::size_t comparisons_left_ = 200'000'000;  // of letters; less than a second
};

// Some replicas of one worker, as a name in the file means them.
struct WorkerRef {
    std::size_t worker = 0;                 // index in NamedWorkers
    std::span<const std::string> replicas;  // of that worker, or the one name in the file
};

// The most workers, connections between them, and actions of the schedule: replicas multiply them.
inline constexpr std::size_t most_workers = 1'000'000;
inline constexpr std::size_t most_edges = 100'000;
inline constexpr std::size_t most_actions = 1'000'000;

// Finds "NAME" (all its replicas) or "NAME#2" (that one), and reports at `span` when there is none,
// unless that may follow from a mistake that has been reported.
[[nodiscard]] std::optional<WorkerRef> resolve_worker(std::string_view name,
                                                      const SourceSpan& span,
                                                      const Topology& topology,
                                                      NamedWorkers& workers,
                                                      Problems& problems);

// The parameters of `worker` by the table of its type: checked, typed, with defaults filled in;
// WorkerPlan::config and WorkerPlan::live.
[[nodiscard]] std::pair<WorkerConfig, WorkerConfig> plan_config(const TopologyWorker& worker,
                                                                const WorkerTypeInfo& type,
                                                                Problems& problems);

// A route of the file after its ends have been found, before it is multiplied by the replicas.
struct Link {
    std::size_t from = 0, to = 0;  // indices in NamedWorkers
    std::uint32_t output = 0, input = 0;
    WhenFull when_full = WhenFull::block;
    SourceSpan span;
};

// The workers at both ends of a route that asks them to share a core.
struct SharedCore {
    std::span<const std::string> from, to;  // replicas; none is empty
    SourceSpan span;                        // of the value of share_core
};

struct PlannedRoutes {
    std::vector<RoutePlan> edges;
    std::vector<Link> links;
    std::vector<SharedCore> shared_cores;
};

[[nodiscard]] PlannedRoutes plan_routes(const Topology& topology,
                                        NamedWorkers& workers,
                                        Problems& problems);

[[nodiscard]] std::vector<PoolPlan> plan_pools(const Topology& topology);

// Every replica of `worker` runs so; cores are not shared yet. `pools`: the names of all pools.
[[nodiscard]] RunPlan plan_run(const NamedWorker& worker,
                               const Topology& topology,
                               const std::set<std::string_view>& pools,
                               Problems& problems);

// Brings workers together that share a core, directly or through others.
void plan_cores(const std::vector<SharedCore>& shared,
                std::vector<WorkerPlan>& workers,
                Problems& problems);

// Warns of pools that nothing runs on, and of settings beyond `limits`. For a good file.
void warn_about_runs(const Topology& topology, const ProcessLimits& limits, Problems& problems);

// Warns of ports that nothing is connected to, and of circles in which every route blocks.
void warn_about_routes(const NamedWorkers& workers,
                       const std::vector<Link>& links,
                       Problems& problems);

template <typename Enum, std::size_t count>
using Words = std::array<std::pair<std::string_view, Enum>, count>;

// What a word of the file stands for; reports a word that is not one of `words`, the values of
// `key`.
template <typename Enum, std::size_t count>
[[nodiscard]] std::optional<Enum> parse_word(const Located<std::string>& word,
                                             std::string_view key,
                                             const Words<Enum, count>& words,
                                             Problems& problems) {
    std::vector<std::string> known;
    for (const auto& [text, value] : words) {
        if (word.value == text) {
            return value;
        }
        known.emplace_back(text);
    }
    problems.error(word.span,
                   "'" + word.value + "' is no value of '" + std::string(key) + "'",
                   suggestion(word.value, known, "value"));
    return {};
}

// The same for a key that may be absent; `absent` also stands in for a wrong one.
template <typename Enum, std::size_t count>
[[nodiscard]] Enum parse_word(const std::optional<Located<std::string>>& word,
                              std::string_view key,
                              const Words<Enum, count>& words,
                              Enum absent,
                              Problems& problems) {
    return word ? parse_word(*word, key, words, problems).value_or(absent) : absent;
}

}  // namespace skep::host
