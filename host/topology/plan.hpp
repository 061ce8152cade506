// The plan: a topology after validation. Names are resolved, defaults filled in, routes checked
// against the ports of the plugins, parameters typed. Immutable; holds no thread, no lock and no
// shared object.
//
// A plan is all that the manager ever sees of a configuration. It starts one by applying the diff
// from the empty plan, reloads by the diff between two, stops by the diff to the empty one.
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

// What the failure of a worker does to the host.
enum class OnFailure {
    stop_host,  // the others drain, then the host ends with exit code 1
    isolate,    // its mailbox closes, and all else goes on
};

// What a reload does that changes a running worker.
enum class OnReload {
    swap,   // it gets a successor
    never,  // the reload is refused
};

// The parameters of a worker. Copies share what they hold until one of them is changed: a plan is
// copied now and then, and every running worker has its parameters.
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

    // Null when it is not set.
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

    std::shared_ptr<Values> values_ = none();  // never null; changed only while nobody shares it
};

// What runs a worker.
struct RunPlan {
    std::string pool;     // one of Plan::pools; "": a thread of its own, and what follows is for it
    Placement placement;  // of that thread
    // Workers with the same number > 0 run on one cpu, whichever: their routes ask to share a core,
    // and none of them names a cpu. 0: the worker's cpus stand in `placement`.
    std::uint32_t core_group = 0;

    bool operator==(const RunPlan&) const = default;
};

struct WorkerPlan {
    std::string name;            // unique; replicas are "name#0", "name#1", ...
    std::string plugin_path;     // the shared object
    std::string type;            // the worker type within it
    WorkerConfig config;         // every parameter that is set or has a default, but for `live`
    std::size_t mailbox = 1024;  // how many messages may wait that came by send, broadcast or reply
    // How many bytes of payloads may wait, however they came; one larger message may alone.
    std::uint64_t queue_bytes = std::uint64_t{64} << 20;
    OnFailure on_failure = OnFailure::stop_host;
    RunPlan run;
    std::string plugin_content;                 // PluginInfo::content of the shared object
    std::vector<std::string> plugin_libraries;  // the files of those that it brings
    WorkerConfig live;  // the parameters that may change while an instance works
    OnReload reload = OnReload::swap;
    // So long a reload waits for it to come to a boundary; none: Manager::Limits::take.
    std::optional<std::chrono::nanoseconds> quiesce;
    // Those of the plan, for this worker; none: the plan's.
    std::optional<std::chrono::nanoseconds> probation, stop_grace;

    bool operator==(const WorkerPlan&) const = default;
};

// Threads that take turns at the workers whose run.pool names it; those are all handlers.
struct PoolPlan {
    std::string name;
    std::size_t threads = 0;  // 0: one for each cpu that the process may use
    Placement placement;      // of every one of the threads

    bool operator==(const PoolPlan&) const = default;
};

// One directed edge between two workers. A route with several ends in the file becomes several
// edges.
struct RoutePlan {
    std::string from;
    std::uint32_t output = 0;  // index among the outputs of `from`'s type
    std::string to;
    std::uint32_t input = 0;   // index among the inputs of `to`'s type
    std::string content_type;  // what travels on it
    std::size_t queue = 1024;  // how many messages may wait at `to` that came over this edge
    WhenFull when_full = WhenFull::block;
    // Edges of one file route to the replicas of one worker share a spread number > 0: a message
    // goes to one of them, in turn. 0: this edge gets every message.
    std::uint32_t spread = 0;
    std::string output_name;  // of `output`, for people

    bool operator==(const RoutePlan&) const = default;
};

enum class ScheduleAction { pause, resume, send, broadcast, stop };

struct SchedulePlan {
    std::chrono::nanoseconds at{0};  // after the host started
    ScheduleAction action = ScheduleAction::stop;
    std::string worker;   // pause, resume, send, and stop of one worker; "" with stop: the host
    std::string message;  // send, broadcast

    bool operator==(const SchedulePlan&) const = default;
};

struct Plan {
    std::string name;
    std::chrono::nanoseconds stop_grace = std::chrono::seconds(20);
    // So long after a swap the instance before stands by.
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

// A plugin as the topology's [worker.X] plugin = "..." names it, found and read.
struct FoundPlugin {
    std::string path;
    std::shared_ptr<const PluginInfo> info;
};

// Finds a plugin by the name or path in the file. `search` is [host] plugin_path, resolved against
// the folder of the file. Its diagnostics carry no place: the planner adds the span of the `plugin`
// key.
using FindPlugin = std::function<Result<FoundPlugin>(const std::string& plugin,
                                                     const std::vector<std::string>& search)>;

struct Planned {
    Plan plan;
    Diagnostics warnings;
};

// Checks everything there is to check without starting anything, and says all that is wrong at
// once, topology.errors among it, in the order of the file; only of a good one, what is odd. What
// is wrong only because of something else that is wrong is left out. `find_plugin` is called once
// for each distinct name, in the order of the file. What is beyond `limits` is odd, not wrong: the
// plan may be for another machine.
[[nodiscard]] Result<Planned> make_plan(const Topology& topology,
                                        const FindPlugin& find_plugin,
                                        const ProcessLimits& limits = {});

}  // namespace skep::host
