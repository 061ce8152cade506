#include "host/worker/state.hpp"

namespace skep::host {

namespace {

using S = WorkerState;
using E = WorkerEvent;

template <typename... States>
constexpr unsigned any_of(States... states) {
    return ((1U << static_cast<unsigned>(states)) | ...);
}

// A row of the table by event: from any of these states to that one.
struct Rule {
    WorkerEvent event;
    unsigned from;
    WorkerState to;
};

constexpr Rule rules[] = {
    {E::start, any_of(S::created, S::stopped, S::backoff, S::failed), S::loading},
    {E::loaded, any_of(S::loading), S::starting},
    {E::ready, any_of(S::starting), S::running},
    {E::pause, any_of(S::running), S::pausing},
    {E::held, any_of(S::starting, S::pausing), S::paused},
    {E::resume, any_of(S::pausing, S::paused), S::running},
    {E::drain, any_of(S::created, S::backoff), S::stopped},
    {E::drain, any_of(S::loading, S::starting), S::stopping},
    {E::drain, any_of(S::running, S::pausing, S::paused), S::draining},
    {E::stop, any_of(S::created, S::backoff), S::stopped},
    {E::stop,
     any_of(S::loading, S::starting, S::running, S::pausing, S::paused, S::draining),
     S::stopping},
    {E::exited,
     any_of(S::starting, S::running, S::pausing, S::paused, S::draining, S::stopping, S::lost),
     S::stopped},
    {E::failed,
     any_of(S::loading,
            S::starting,
            S::running,
            S::pausing,
            S::paused,
            S::draining,
            S::stopping,
            S::lost),
     S::failed},
    {E::lost,
     any_of(S::loading, S::starting, S::running, S::pausing, S::paused, S::draining, S::stopping),
     S::lost},
};

constexpr std::array<std::string_view, worker_state_count> state_names = {"created",
                                                                          "loading",
                                                                          "starting",
                                                                          "running",
                                                                          "pausing",
                                                                          "paused",
                                                                          "draining",
                                                                          "stopping",
                                                                          "stopped",
                                                                          "backoff",
                                                                          "failed",
                                                                          "lost"};

constexpr std::array<std::string_view, worker_event_count> event_names = {"start",
                                                                          "loaded",
                                                                          "ready",
                                                                          "pause",
                                                                          "held",
                                                                          "resume",
                                                                          "drain",
                                                                          "stop",
                                                                          "exited",
                                                                          "failed",
                                                                          "lost"};

template <typename Enum>
constexpr std::size_t index_of(Enum value) {
    return static_cast<std::size_t>(value);
}

}  // namespace

std::optional<WorkerState> next_state(WorkerState from, WorkerEvent event) {
    for (const Rule& rule : rules) {
        if (rule.event == event && (rule.from & any_of(from)) != 0) {
            return rule.to;
        }
    }
    return std::nullopt;
}

std::string_view name_of(WorkerState state) {
    return state_names.at(index_of(state));
}

std::string_view name_of(WorkerEvent event) {
    return event_names.at(index_of(event));
}

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
