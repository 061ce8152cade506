// A worker: one generation of a name, on its own thread or on a pool.
//
//   create -> Fact::ready -> holds -> run, or turns of a handler -> destroy -> Fact::ended
//
// A handler lives in turns: each looks at what is wanted, and does one thing. On its own thread the
// turns follow each other in a loop that sleeps in between; on a pool, whichever thread is free
// runs the next one.
//
// The object belongs to the manager and to its thread together: when the manager gives a thread up
// for lost, the thread keeps what it needs alive.
#pragma once

#include <ctime>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include <sys/types.h>

#include "host/base/result.hpp"
#include "host/loader/loader.hpp"
#include "host/topology/plan.hpp"
#include "host/worker/worker_context.hpp"

namespace skep::host {

// What a worker tells the manager. A fact of an older generation than the manager's is out of date.
struct Fact {
    enum class Kind {
        ready,  // the instance is made; the worker holds
        held,   // it stands still for the command of `epoch`
        idle,   // it has no timer any more
        ended,  // the thread is about to end; join() does not wait long
    };
    std::string worker;
    std::size_t order = 0;  // of its slot
    std::uint64_t generation = 0;
    Kind kind = Kind::ready;
    std::uint64_t epoch = 0;
    bool has_failed = false;
    std::string error;  // for a failure: which call, and the plugin's own words
};

class Worker : public PoolTask, public std::enable_shared_from_this<Worker> {
public:
    struct Spec {
        std::size_t order = 0;  // for its facts
        std::uint64_t generation = 1;
        std::shared_ptr<Library> library;
        const skep_worker_type* type = nullptr;
        WorkerConfig config;
        Placement placement;  // of its own thread
    };

    // Called on the worker's thread; must not wait for the manager. One serves all workers.
    using Report = std::function<void(Fact)>;

    Worker(const WorkerWorld& world,
           std::shared_ptr<const WorkerHome> home,
           Spec spec,
           std::shared_ptr<const Report> report);

    // [manager-thread] Starts the thread, or takes its seat in the pool. The error is the
    // machine's: there was no thread to be had.
    [[nodiscard]] Result<Done, std::string> start();
    // [manager-thread] Returns the epoch of the command.
    std::uint64_t request(Wanted wanted);
    // [manager-thread] After Fact::ended.
    void join();
    // [manager-thread] The thread is not coming back: the context does nothing from now on, and
    // nobody will join it. A pool gets another thread for it.
    void give_up();

    [[nodiscard]] std::uint64_t generation() const { return spec_.generation; }

    [[nodiscard]] Nanos last_checkpoint() const { return context_.last_checkpoint(); }

    [[nodiscard]] bool has_timer() const { return context_.has_timer(); }

    // Of its own thread; 0 until that runs, and on a pool. [any-thread]
    [[nodiscard]] pid_t thread_id() const { return thread_id_.load(std::memory_order_relaxed); }

    // CPU time that it has used so far; on a pool an estimate, from samples. [manager-thread]
    [[nodiscard]] Nanos cpu() const;

    // -- PoolTask. --
    Turn run_turn(Nanos now) override;

    [[nodiscard]] const std::string& name() const override { return home_.name; }

    void add_cpu(Nanos used) override {
        cpu_ns_.fetch_add(used.count(), std::memory_order_relaxed);
    }

private:
    void thread_main();
    bool make();
    // `now`: on a pool, from its thread.
    Turn turn(std::optional<Nanos> now = std::nullopt);
    Turn end_turns(Wanted wanted);
    void publish_timers();
    void handle(skep_batch& batch);
    void run_loop();
    void unmake();
    void report_end();
    [[nodiscard]] Fact fact(Fact::Kind kind) const;
    template <typename PluginCode>
    bool call(const char* what, PluginCode&& plugin_code);

    const std::shared_ptr<const WorkerHome> shared_home_;
    const WorkerHome& home_;
    const Spec spec_;
    const std::shared_ptr<const Report> report_;
    WorkerContext context_;

    // The worker's thread alone.
    void* instance_ = nullptr;
    bool is_made_ = false;
    bool is_well_ = true;
    bool has_drained_ = false;
    std::string error_;

    std::thread thread_;  // the manager's alone
    std::atomic<pid_t> thread_id_{0};
    std::atomic<std::int64_t> cpu_ns_;  // of an own thread: -1, until it ends
};

}  // namespace skep::host
