// Shared by the parts of the planner: the workers that a file names, and the words for enumerators.
// Only for the planner's own files, and for code that finds plugins before the planner runs.
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

// Returns [host] plugin_path of a topology, resolved against the folder of its file.
[[nodiscard]] std::vector<std::string> plugin_folders(const Topology& topology);

// A [worker.NAME], with its type and its replicas.
struct NamedWorker {
    const TopologyWorker* written = nullptr;
    const WorkerTypeInfo* type = nullptr;  // null: unknown, and the reason has been reported
    std::vector<std::string> replicas;     // NAME, or NAME#0, NAME#1, ...

    [[nodiscard]] const std::string& name() const { return written->name.value; }
};

// The workers in the order of the file. The cost of a query for a name in the file does not grow
// with the number of workers.
class NamedWorkers {
public:
    void push_back(NamedWorker worker) {
        by_name_.emplace(worker.name(), workers_.size());
        letters_ += worker.name().size();
        names_.push_back(worker.name());
        workers_.push_back(std::move(worker));
    }

    // Returns the index of the worker with this name.
    [[nodiscard]] std::optional<std::size_t> find(std::string_view name) const {
        const auto found = by_name_.find(name);
        return found == by_name_.end() ? std::nullopt : std::optional(found->second);
    }

    // Returns true if the name of a worker begins with `prefix`.
    [[nodiscard]] bool any_starts_with(std::string_view prefix) const {
        const auto next = by_name_.lower_bound(prefix);
        return next != by_name_.end() && next->first.starts_with(prefix);
    }

    // Returns the hint for a name that no worker has. A search for the nearest name compares all
    // names: after thousands of wrong names in a file of thousands of workers, the hint is only the
    // list.
    [[nodiscard]] std::string suggestion_for(std::string_view name) {
        const std::size_t cost = name.size() * letters_;
        if (cost > comparisons_left_) {
            return suggestion("", names_, "worker");
        }
        comparisons_left_ -= cost;
        return suggestion(name, names_, "worker");
    }

    // Stores the name of a replica of a worker whose number of replicas is unknown.
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
    std::map<std::string_view, std::size_t> by_name_;  // names of the topology
    std::vector<std::string> names_;
    std::deque<std::string> kept_;
    std::size_t letters_ = 0;                     // in all names
    std::size_t comparisons_left_ = 200'000'000;  // of letters; less than a second
};

// Some replicas of one worker, as a name in the file means them.
struct WorkerRef {
    std::size_t worker = 0;                 // index in NamedWorkers
    std::span<const std::string> replicas;  // of that worker, or the one name in the file
};

// The limits of workers, of connections between them, and of schedule actions: replicas multiply
// all of these.
inline constexpr std::size_t most_workers = 1'000'000;
inline constexpr std::size_t most_edges = 100'000;
inline constexpr std::size_t most_actions = 1'000'000;

// Finds "NAME" (all its replicas) or "NAME#2" (only that one). Reports an unknown name at `span`,
// unless it may follow from a mistake that has been reported.
[[nodiscard]] std::optional<WorkerRef> resolve_worker(std::string_view name,
                                                      const SourceSpan& span,
                                                      const Topology& topology,
                                                      NamedWorkers& workers,
                                                      Problems& problems);

// Returns the parameters of `worker` according to its type: checked, typed, with defaults filled
// in; WorkerPlan::config and WorkerPlan::live.
[[nodiscard]] std::pair<WorkerConfig, WorkerConfig> plan_config(const TopologyWorker& worker,
                                                                const WorkerTypeInfo& type,
                                                                Problems& problems);

// A route of the file whose ends have been found, before it is multiplied by the replicas.
struct Link {
    std::size_t from = 0, to = 0;  // indices in NamedWorkers
    std::uint32_t output = 0, input = 0;
    WhenFull when_full = WhenFull::block;
    SourceSpan span;
};

// The workers at both ends of a route with share_core.
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

// Plans how every replica of `worker` runs. Does not share cores yet. `pools` holds the names of
// all pools.
[[nodiscard]] RunPlan plan_run(const NamedWorker& worker,
                               const Topology& topology,
                               const std::set<std::string_view>& pools,
                               Problems& problems);

// Groups the workers that share a core, directly or through others.
void plan_cores(const std::vector<SharedCore>& shared,
                std::vector<WorkerPlan>& workers,
                Problems& problems);

// Warns of pools without workers, and of settings beyond `limits`. Requires a topology without
// errors.
void warn_about_runs(const Topology& topology, const ProcessLimits& limits, Problems& problems);

// Warns of ports without a route, and of circles in which every route blocks.
void warn_about_routes(const NamedWorkers& workers,
                       const std::vector<Link>& links,
                       Problems& problems);

template <typename Enum, std::size_t count>
using Words = std::array<std::pair<std::string_view, Enum>, count>;

// Returns the enumerator for a word of the file. Reports a word that is not in `words`, the values
// of `key`.
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
                   "unknown value '" + word.value + "' of '" + std::string(key) + "'",
                   suggestion(word.value, known, "value"));
    return {};
}

// The same for a key that may be absent. Returns `absent` also for a wrong word.
template <typename Enum, std::size_t count>
[[nodiscard]] Enum parse_word(const std::optional<Located<std::string>>& word,
                              std::string_view key,
                              const Words<Enum, count>& words,
                              Enum absent,
                              Problems& problems) {
    return word ? parse_word(*word, key, words, problems).value_or(absent) : absent;
}

}  // namespace skep::host
