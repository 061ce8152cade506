// The states of a worker as a table: twelve states, the events that move between them, and nothing
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
// manager's thread changes the state of a worker, through one setter (Core::set_state). (States as
// a table, with a single setter: systemd's service.c.)
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
    pausing,   // the pause was commanded; the worker does not hold yet
    paused,    // holds at a checkpoint; its mailbox continues to fill
    draining,  // takes no new work, finishes the queued messages
    stopping,  // commanded to end now
    stopped,   // ended successfully; the thread has ended
    backoff,   // waits for its restart
    failed,    // ended with a failure; the thread has ended
    lost,      // did not end in time; its thread is still inside of the plugin
};
inline constexpr std::size_t worker_state_count = 12;

enum class WorkerEvent {
    start,   // command: run
    loaded,  // the library is open and the thread is made
    ready,   // the instance is created, and the command is run
    pause,   // command: stand still
    held,    // the worker holds at a checkpoint
    resume,  // command: continue
    drain,   // command: end when the mailbox is empty
    stop,    // command: end now
    exited,  // the thread ended successfully
    failed,  // the thread ended with a failure, or could not be created
    lost,    // the stop timeout is over, and the thread has not ended
};
inline constexpr std::size_t worker_event_count = 11;

// Looks up the table above. Returns nothing for an event that is refused.
[[nodiscard]] std::optional<WorkerState> next_state(WorkerState from, WorkerEvent event);

[[nodiscard]] std::string_view name_of(WorkerState state);
[[nodiscard]] std::string_view name_of(WorkerEvent event);

// Returns one of the five simple state names for users: created, running, paused, stopped, error.
[[nodiscard]] std::string_view plain_name_of(WorkerState state);

// True if the worker has no thread.
[[nodiscard]] bool is_at_rest(WorkerState state);

}  // namespace skep::host
