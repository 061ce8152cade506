#include "host/worker/state.hpp"

namespace skep::host {

namespace {

using S = WorkerState;
using Row = std::array<std::optional<WorkerState>, worker_event_count>;
constexpr std::nullopt_t no = std::nullopt;

// clang-format off
constexpr std::array<Row, worker_state_count> table = {{
    //            start       loaded       ready       pause       held       resume      drain        stop         exited      failed     lost
    /*created */ {S::loading, no,          no,         no,         no,        no,         S::stopped,  S::stopped,  no,         no,        no},
    /*loading */ {no,         S::starting, no,         no,         no,        no,         S::stopping, S::stopping, no,         S::failed, S::lost},
    /*starting*/ {no,         no,          S::running, no,         S::paused, no,         S::stopping, S::stopping, S::stopped, S::failed, S::lost},
    /*running */ {no,         no,          no,         S::pausing, no,        no,         S::draining, S::stopping, S::stopped, S::failed, S::lost},
    /*pausing */ {no,         no,          no,         no,         S::paused, S::running, S::draining, S::stopping, S::stopped, S::failed, S::lost},
    /*paused  */ {no,         no,          no,         no,         no,        S::running, S::draining, S::stopping, S::stopped, S::failed, S::lost},
    /*draining*/ {no,         no,          no,         no,         no,        no,         no,          S::stopping, S::stopped, S::failed, S::lost},
    /*stopping*/ {no,         no,          no,         no,         no,        no,         no,          no,          S::stopped, S::failed, S::lost},
    /*stopped */ {S::loading, no,          no,         no,         no,        no,         no,          no,          no,         no,        no},
    /*backoff */ {S::loading, no,          no,         no,         no,        no,         S::stopped,  S::stopped,  no,         no,        no},
    /*failed  */ {S::loading, no,          no,         no,         no,        no,         no,          no,          no,         no,        no},
    /*lost    */ {no,         no,          no,         no,         no,        no,         no,          no,          S::stopped, S::failed, no},
}};
// clang-format on

constexpr std::array<std::string_view, worker_state_count> state_names = {
    "created", "loading", "starting", "running", "pausing", "paused",
    "draining", "stopping", "stopped", "backoff", "failed", "lost"};

constexpr std::array<std::string_view, worker_event_count> event_names = {
    "start", "loaded", "ready", "pause", "held", "resume", "drain", "stop", "exited", "failed", "lost"};

template <typename Enum>
constexpr std::size_t index_of(Enum value) {
    return static_cast<std::size_t>(value);
}

}  // namespace

std::optional<WorkerState> next_state(WorkerState from, WorkerEvent event) {
    return table.at(index_of(from)).at(index_of(event));
}

std::string_view name_of(WorkerState state) { return state_names.at(index_of(state)); }

std::string_view name_of(WorkerEvent event) { return event_names.at(index_of(event)); }

std::string_view plain_name_of(WorkerState state) {
    switch (state) {
        case S::created:
            return "created";
        case S::pausing:
        case S::paused:
            return "paused";
        case S::stopped:
            return "stopped";
        case S::failed:
        case S::lost:
            return "error";
        default:
            return "running";
    }
}

bool is_at_rest(WorkerState state) {
    return state == S::created || state == S::stopped || state == S::backoff || state == S::failed;
}

}  // namespace skep::host
