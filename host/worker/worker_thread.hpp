// A thread of one worker, which serves the worker or stands by.
//
// Without a relocation a worker has one thread from its start to its end. In a relocation another
// thread serves the successor; it is started and placed before, and stands by until then. The old
// thread stands by for the probation, as the predecessor does, and ends after it. Thus the
// destructors of a plugin's thread_locals run before the library is closed, where they would
// otherwise keep it mapped, and a worker can get another placement.
//
//   start() ---> stands by ---> serves ---> the worker has ended
//                 |      ^        |
//               end()    +--------+  stand_by()
//                 v
//               over
//
// The serving thread owns all data of the worker's thread; go_on() of the next thread passes that
// ownership on.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include <sys/types.h>

#include "host/base/clock.hpp"
#include "host/base/placement.hpp"
#include "host/base/result.hpp"

namespace skep::host {

class WorkerThread : public std::enable_shared_from_this<WorkerThread> {
public:
    // Serves the worker on this thread. Returns false when another place serves it and this thread
    // stands by; true when the worker has ended.
    using Serve = std::function<bool(WorkerThread& self)>;

    explicit WorkerThread(Clock& clock)
        : clock_(clock) {}

    WorkerThread(const WorkerThread&) = delete;
    WorkerThread& operator=(const WorkerThread&) = delete;

    // [any-thread but the manager's] Starts the thread in standby, and waits until it is placed.
    // Fails if no thread can be created or the machine refuses the placement. end() must follow in
    // any case, on another thread than this one.
    [[nodiscard]] Result<Done, std::string> start(const Placement& placement, Serve serve);
    // [manager-thread] Starts the thread to serve at once. Reports only a failure to create the
    // thread; see placed().
    [[nodiscard]] Result<Done, std::string> start_serving(const Placement& placement, Serve serve);
    // [manager-thread] Starts the thread in standby, and does not wait until it is placed: see
    // placed().
    [[nodiscard]] Result<Done, std::string> start_standing_by(const Placement& placement,
                                                              Serve serve);

    // [itself] Returns the result of its placement.
    [[nodiscard]] const Result<Done, std::string>& placed() const { return placed_; }

    // Returns 0 until the thread runs. [any-thread]
    [[nodiscard]] pid_t id() const { return id_.load(std::memory_order_relaxed); }

    // [itself, while it serves] Changes to standby; the next place must be started after that. The
    // thread has the name standing_by_name already.
    void stand_by();

    // [the place that served until now, or the manager] Makes this thread, which stands by or is
    // about to, serve from now on.
    void go_on();

    // [itself, at its end] After this, only thread_locals of a plugin run plugin code on this
    // thread.
    void note_end();

    // [any-thread but itself] Ends and joins a thread that stands by or has left its worker, or is
    // about to. Its thread_locals may take long.
    void end();

    // [manager-thread] Joins the thread after the worker has ended on it.
    void join() { thread_.join(); }

    // [manager-thread] Abandons the thread: no thread will join it.
    void give_up() { thread_.detach(); }

    // Returns the CPU time used so far.
    [[nodiscard]] Nanos cpu() const;

private:
    enum class Part { stands_by, serves, over };

    template <typename Main>
    [[nodiscard]] Result<Done, std::string> start_as(Part part, Main main);
    void main(const Serve& serve);
    [[nodiscard]] bool is_to_serve();

    Clock& clock_;
    std::atomic<Part> part_{Part::stands_by};
    std::shared_ptr<Parker> parker_;  // where the thread stands by; null before the first time
    Result<Done, std::string> placed_{Done{}};
    std::atomic<pid_t> id_{0};
    std::atomic<std::int64_t> cpu_ns_{-1};  // -1: until the thread ends
    std::thread thread_;                    // of the thread that starts it, then the manager's
};

}  // namespace skep::host
