// The life of a worker as a table: twelve states, the events that move between them, and nothing
// else.
//
//   from      start    loaded    ready    pause    held    resume
//   created   loading  -         -        -        -       -
//   loading   -        starting  -        -        -       -
//   starting  -        -         running  -        paused  -
//   running   -        -         -        pausing  -       -
//   pausing   -        -         -        -        paused  running
//   paused    -        -         -        -        -       running
//   draining  -        -         -        -        -       -
//   stopping  -        -         -        -        -       -
//   stopped   loading  -         -        -        -       -
//   backoff   loading  -         -        -        -       -
//   failed    loading  -         -        -        -       -
//   lost      -        -         -        -        -       -
//
//   from      drain     stop      exited   failed  lost
//   created   stopped   stopped   -        -       -
//   loading   stopping  stopping  -        failed  lost
//   starting  stopping  stopping  stopped  failed  lost
//   running   draining  stopping  stopped  failed  lost
//   pausing   draining  stopping  stopped  failed  lost
//   paused    draining  stopping  stopped  failed  lost
//   draining  -         stopping  stopped  failed  lost
//   stopping  -         -         stopped  failed  lost
//   stopped   -         -         -        -       -
//   backoff   stopped   stopped   -        -       -
//   failed    -         -         -        -       -
//   lost      -         -         stopped  failed  -
//
// An event that the table lacks is refused, with both names, and changes nothing. Only the
// manager's thread moves a worker from one state to another, through one setter
// (Core::set_state). (States as a table, with a single setter: systemd's service.c.)
#pragma once

#include <array>
#include <optional>
#include <string_view>

namespace skep::host {

enum class WorkerState {
    created,   // known by name; has a mailbox, no code and no thread
    loading,   // its library is being opened
    starting,  // its thread runs and makes the instance
    running,   // at work
    pausing,   // told to pause, has not stood still yet
    paused,    // stands still at a checkpoint; its mailbox goes on filling
    draining,  // takes no new work, finishes what is queued
    stopping,  // told to stop now
    stopped,   // ended well; the thread is gone
    backoff,   // waits before it is started again
    failed,    // ended badly; the thread is gone
    lost,      // did not end in time; its thread is still somewhere in the plugin
};
inline constexpr std::size_t worker_state_count = 12;

enum class WorkerEvent {
    start,   // wanted: run
    loaded,  // the library is open and the thread is made
    ready,   // the instance is made, and wanted: run
    pause,   // wanted: stand still
    held,    // the worker stands still at a checkpoint
    resume,  // wanted: go on
    drain,   // wanted: end when the mailbox is empty
    stop,    // wanted: end now
    exited,  // the thread has ended well
    failed,  // the thread has ended badly, or was never there
    lost,    // the time to stop is over, and the thread has not ended
};
inline constexpr std::size_t worker_event_count = 11;

// The table above. Empty: refused.
[[nodiscard]] std::optional<WorkerState> next_state(WorkerState from, WorkerEvent event);

[[nodiscard]] std::string_view name_of(WorkerState state);
[[nodiscard]] std::string_view name_of(WorkerEvent event);

// The five plain words that people know: created, running, paused, stopped, error.
[[nodiscard]] std::string_view plain_name_of(WorkerState state);

// The thread is gone or was never there.
[[nodiscard]] bool is_at_rest(WorkerState state);

}  // namespace skep::host
