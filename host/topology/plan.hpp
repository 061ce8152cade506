// The plan: a validated topology. Names are resolved, defaults are filled in, routes are checked
// against the ports of the plugins, and parameters have types. Immutable; holds no thread, no lock
// and no shared object.
//
// A plan is the only form in which the manager sees a configuration. A start applies the diff from
// the empty plan, a reload the diff between two plans, a stop the diff to the empty plan.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "host/base/placement.hpp"
#include "host/base/result.hpp"
#include "host/topology/plugin_info.hpp"
#include "host/topology/topology.hpp"

namespace skep::host {

enum class WhenFull { block, drop_newest, drop_oldest };

// How the host reacts to the failure of a worker.
enum class OnFailure {
    stop_host,  // the other workers drain, then the host ends with exit code 1
    isolate,    // its mailbox closes; all other workers continue
};

// How a reload changes a running worker.
enum class OnReload {
    swap,   // its instance is swapped
    never,  // the reload is refused
};

// The parameters of a worker. Copies share their values until one copy is changed: every running
// worker holds its parameters, and plans are copied.
class WorkerConfig {
public:
    using Values = std::map<std::string, ParamValue, std::less<>>;

    WorkerConfig() = default;

    // NOLINTNEXTLINE(google-explicit-constructor): it is nothing but these values
    WorkerConfig(Values values)
        : values_(std::make_shared<Values>(std::move(values))) {}

    WorkerConfig(std::initializer_list<Values::value_type> values)
        : WorkerConfig(Values(values)) {}

    ParamValue& operator[](const std::string& name) {
        values_ = std::make_shared<Values>(*values_);
        return (*values_)[name];
    }

    [[nodiscard]] const ParamValue& at(const std::string& name) const { return values_->at(name); }

    [[nodiscard]] std::size_t count(std::string_view name) const { return values_->count(name); }

    // Returns null when the parameter is not set.
    [[nodiscard]] const ParamValue* find(std::string_view name) const {
        const auto found = values_->find(name);
        return found == values_->end() ? nullptr : &found->second;
    }

    bool operator==(const WorkerConfig& other) const {
        return values_ == other.values_ || *values_ == *other.values_;
    }

private:
    static std::shared_ptr<Values> none() {
        static const auto empty = std::make_shared<Values>();
        return empty;
    }

    std::shared_ptr<Values> values_ = none();  // never null; changed only while not shared
};

// The thread or pool that runs a worker.
struct RunPlan {
    std::string pool;     // one of Plan::pools; "": the worker has its own thread, placed as below
    Placement placement;  // of the worker's own thread
    // Workers with the same number > 0 share one cpu, whichever it is: their routes ask to share a
    // core, and none of them names a cpu. 0: the worker's cpus are in `placement`.
    std::uint32_t core_group = 0;

    bool operator==(const RunPlan&) const = default;
};

struct WorkerPlan {
    std::string name;         // unique; replicas are "name#0", "name#1", ...
    std::string plugin_path;  // the shared object
    std::string type;         // the worker type within it
    WorkerConfig config;  // every parameter that is set or has a default, except those in `live`
    std::size_t mailbox = 1024;  // limit of waiting messages from send, broadcast and reply
    // The limit of waiting payload bytes from all sources. A single larger message may wait if no
    // other does.
    std::uint64_t queue_bytes = std::uint64_t{64} << 20;
    OnFailure on_failure = OnFailure::stop_host;
    RunPlan run;
    std::string plugin_content;                 // PluginInfo::content of the shared object
    std::vector<std::string> plugin_libraries;  // the files of the libraries that the plugin brings
    WorkerConfig live;  // parameters that may change while an instance works
    OnReload reload = OnReload::swap;
    // How long a reload waits until the worker reaches a message boundary; none:
    // Manager::Limits::take.
    std::optional<std::chrono::nanoseconds> quiesce;
    // Override those of the plan for this worker; none: the plan's values.
    std::optional<std::chrono::nanoseconds> probation, stop_grace;

    bool operator==(const WorkerPlan&) const = default;
};

// Threads that take turns running the workers whose run.pool names this pool. All these workers are
// handlers.
struct PoolPlan {
    std::string name;
    std::size_t threads = 0;  // 0: one for each cpu that the process may use
    Placement placement;      // of each thread

    bool operator==(const PoolPlan&) const = default;
};

// One directed edge between two workers. A route of the file with several ends becomes several
// edges.
struct RoutePlan {
    std::string from;
    std::uint32_t output = 0;  // index among the outputs of `from`'s type
    std::string to;
    std::uint32_t input = 0;   // index among the inputs of `to`'s type
    std::string content_type;  // of its messages
    std::size_t queue = 1024;  // limit of messages from this edge that wait at `to`
    WhenFull when_full = WhenFull::block;
    // Edges of one route of the file to the replicas of one worker share a spread number > 0: each
    // message goes to one of them, in turn. 0: this edge gets every message.
    std::uint32_t spread = 0;
    std::string output_name;  // name of `output`, for messages

    bool operator==(const RoutePlan&) const = default;
};

enum class ScheduleAction { pause, resume, send, broadcast, stop };

struct SchedulePlan {
    std::chrono::nanoseconds at{0};  // after the host started
    ScheduleAction action = ScheduleAction::stop;
    std::string worker;   // for pause, resume, send, and stop of one worker; "" with stop: the host
    std::string message;  // send, broadcast

    bool operator==(const SchedulePlan&) const = default;
};

struct Plan {
    std::string name;
    std::chrono::nanoseconds stop_grace = std::chrono::seconds(20);
    // How long the predecessor stands by after a swap.
    std::chrono::nanoseconds probation = std::chrono::seconds(5);
    bool watch = false;               // reload when the topology or a plugin changes
    std::vector<WorkerPlan> workers;  // in the order of the file
    std::vector<RoutePlan> routes;
    std::vector<SchedulePlan> schedule;  // by time, then in the order of the file
    std::vector<PoolPlan> pools;         // in the order of the file

    [[nodiscard]] const WorkerPlan* find(std::string_view worker) const;
    [[nodiscard]] const PoolPlan* find_pool(std::string_view pool) const;
    bool operator==(const Plan&) const = default;
};

// A plugin that [worker.X] plugin = "..." names, found and read.
struct FoundPlugin {
    std::string path;
    std::shared_ptr<const PluginInfo> info;
};

// Finds a plugin by the name or path in the file. `search` is [host] plugin_path, resolved against
// the folder of the file. The diagnostics have no place: the planner adds the span of the `plugin`
// key.
using FindPlugin = std::function<Result<FoundPlugin>(const std::string& plugin,
                                                     const std::vector<std::string>& search)>;

struct Planned {
    Plan plan;
    Diagnostics warnings;
};

// Checks a topology completely without starting anything. On failure returns all errors at once,
// including topology.errors, in the order of the file; on success returns the plan and its
// warnings. Leaves out errors that only follow from other errors. Calls `find_plugin` once for each
// distinct name, in the order of the file. Settings beyond `limits` give warnings, not errors: the
// plan may be for another machine.
[[nodiscard]] Result<Planned> make_plan(const Topology& topology,
                                        const FindPlugin& find_plugin,
                                        const ProcessLimits& limits = {});

}  // namespace skep::host
