// The topology: workers, routes and schedule as written in a TOML file, with the place of each
// value and the errors in them. Names are not resolved yet, and plugins are not read yet; see
// plan.hpp.
//
//   version = 1                       [worker.NAME]                    [[route]]
//   name    = "web-errors"            plugin     = "regex"             from      = "a.lines"
//   [host]                            type       = "regex"             to        = ["b", "c.in"]
//   plugin_path = ["./plugins"]       replicas   = 2                   queue     = 4096
//   stop_grace  = "20s"               mailbox    = 1024                when_full = "drop_oldest"
//   probation   = "5s"                on_failure = "isolate"           share_core = true
//   watch       = true                run        = { cpus = [2] }
//   [defaults]                        config     = { pattern = "x" }   [[schedule]]
//   mailbox = 1024 ...                reload     = "never"             at = "5s" action = "pause"
//   [pool.NAME]                       quiesce    = "10s"
//   threads = 2 ...                   probation  = "5s"
//                                     stop_grace = "20s"
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "host/base/diagnostic.hpp"
#include "host/base/read_file.hpp"

namespace skep::host {

// A value and its place in the file.
template <typename T>
struct Located {
    T value{};
    SourceSpan span;
};

// The value of a leaf of [worker.X.config] while the type of its parameter is unknown. Strings are
// already interpolated.
using ConfigLeaf = std::variant<std::string, std::int64_t, double, bool>;

struct ConfigEntry {
    std::optional<ConfigLeaf> value;  // nothing: the value is wrong
    SourceSpan key_span, value_span;
    bool interpolated = false;  // a string with ${...}, which may stand for another type
};

// The keys of a table that are present but gave no value, each with its line: the value is wrong,
// or the key is unknown. For an unknown key this also contains the key that it may be a misspelling
// of. The absence of these keys is not reported as another error.
using UnreadKeys = std::map<std::string, int>;

// How a worker runs: `run` of a worker.
struct TopologyRun {
    std::optional<Located<std::string>> pool;  // if set, the other settings are absent
    std::vector<Located<std::int64_t>> cpus;   // each once; empty: absent or wrong
    std::optional<Located<std::int64_t>> nice;
    std::optional<Located<std::string>> policy;
    std::optional<Located<std::int64_t>> priority;
    UnreadKeys unread;
};

struct TopologyWorker {
    Located<std::string> name;                   // also an invalid name
    std::optional<Located<std::string>> plugin;  // nothing: missing or wrong
    std::optional<Located<std::string>> type;    // required only if the plugin has several types
    std::optional<Located<std::int64_t>> replicas;
    std::optional<Located<std::int64_t>> mailbox;
    std::optional<Located<std::int64_t>> queue_bytes;
    std::optional<Located<std::string>> on_failure;
    std::optional<Located<std::string>> reload;
    std::optional<std::chrono::nanoseconds> quiesce, probation, stop_grace;
    std::optional<TopologyRun> run;
    std::map<std::string, ConfigEntry> config;
    UnreadKeys unread;
    SourceSpan span;  // of [worker.NAME]
};

// Threads that take turns running the workers of the pool.
struct TopologyPool {
    Located<std::string> name;  // also an invalid name
    std::optional<Located<std::int64_t>> threads;
    std::vector<Located<std::int64_t>> cpus;  // as in a worker's run
    std::optional<Located<std::int64_t>> nice;
    SourceSpan span;  // of [pool.NAME]
};

struct TopologyRoute {
    std::vector<Located<std::string>> from;  // "worker.port", or "worker" with one output
    std::vector<Located<std::string>> to;    // "worker" or "worker.port"
    std::optional<Located<std::int64_t>> queue;
    std::optional<Located<std::string>> when_full;
    std::optional<Located<std::string>> spread;  // "round_robin" (default) or "all", among replicas
    std::optional<Located<bool>> share_core;     // both ends must run on one cpu
    SourceSpan span;
};

struct TopologySchedule {
    Located<std::chrono::nanoseconds> at;        // zero: missing, wrong or zero
    std::optional<Located<std::string>> action;  // nothing: missing or wrong
    std::optional<Located<std::string>> worker;
    std::optional<Located<std::string>> message;
    UnreadKeys unread;
    SourceSpan span;
};

struct Topology {
    std::string file;    // as the user wrote it
    std::string source;  // the text of the file, for diagnostics
    std::string name;    // default: the file name without .toml
    std::vector<std::string> plugin_path;
    std::chrono::nanoseconds stop_grace = std::chrono::seconds(20);
    std::chrono::nanoseconds probation = std::chrono::seconds(5);
    bool watch = false;
    std::optional<Located<std::int64_t>> default_mailbox, default_queue, default_queue_bytes;
    std::optional<Located<std::string>> default_when_full, default_on_failure, default_reload;
    std::optional<std::chrono::nanoseconds> default_quiesce;
    std::vector<TopologyWorker> workers;  // in the order of the file
    std::vector<TopologyPool> pools;
    std::vector<TopologyRoute> routes;
    std::vector<TopologySchedule> schedule;
    UnreadKeys unread;   // keys of the file itself and of [host]
    Diagnostics errors;  // errors in the file itself, in the order of the file
};

// Looks up an environment variable; nothing when it is not set.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;

[[nodiscard]] std::optional<std::string> process_environment(const std::string& name);

// Parses a topology. `file` is used only for the places of errors and for the default name. A
// topology with errors holds everything that could be read: make_plan(), which refuses it, can thus
// check the rest too.
[[nodiscard]] Topology parse_topology(std::string source,
                                      std::string file,
                                      const Environment& environment);

// Reads the file (at most 64 MiB), then does the same. If the file cannot be read, the source is
// empty. Takes no longer than ReadLimits allows.
[[nodiscard]] Topology read_topology(const std::string& file,
                                     const Environment& environment,
                                     PipeUse pipes = PipeUse::read_to_end);

}  // namespace skep::host
