// An instance: the object that a plugin made for a worker, and the context that it was made with.
//
// A worker has one active instance. During a swap it has a second one, which is pending or parked.
// The library, the parameters, the timers and the kept messages belong to the instance. The
// mailbox, the outputs and the control word belong to the worker.
//
// All [worker-thread], if not marked otherwise. create() and destroy() may also run on a helper
// thread, while no other call of this instance runs.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <skep/abi.h>

#include "host/base/clock.hpp"
#include "host/base/crash_report.hpp"
#include "host/loader/loader.hpp"
#include "host/topology/plan.hpp"

namespace spdlog {
class logger;
}

namespace skep::host {

class WorkerContext;

// The largest state that a handover moves.
inline constexpr std::size_t max_state_bytes = std::size_t{1} << 30;

class Instance : private skep_context {
public:
    struct Spec {
        std::uint64_t generation = 1;  // counts the instances of the worker's name
        std::shared_ptr<Library> library;
        const skep_worker_type* type = nullptr;  // in the library
        WorkerConfig config;
        WorkerConfig live;  // the parameters that reconfigure() can change
    };

    // The worker must outlive the instance.
    Instance(WorkerContext& worker, Spec spec);
    ~Instance();
    Instance(const Instance&) = delete;
    Instance& operator=(const Instance&) = delete;

    [[nodiscard]] static Instance& of(const skep_context* context) {
        return *const_cast<Instance*>(static_cast<const Instance*>(context));
    }

    [[nodiscard]] const skep_worker_type& type() const { return *spec_.type; }

    [[nodiscard]] std::uint64_t generation() const { return spec_.generation; }

    [[nodiscard]] const std::shared_ptr<Library>& library() const { return spec_.library; }

    // -- Calls into the plugin. They return false on failure; error() then holds the reason. --

    [[nodiscard]] bool create();
    void destroy();  // does nothing if create() failed; a failure shows only in error()
    [[nodiscard]] bool run();
    [[nodiscard]] bool on_message(const skep_batch& batch, std::uint32_t& done);
    [[nodiscard]] bool on_timer(std::uint32_t id);
    [[nodiscard]] bool on_drain();
    // Acquire and release exclusive resources. They do nothing if the resources are in that state
    // already, or if the type has none. destroy() also releases them.
    [[nodiscard]] bool acquire();
    [[nodiscard]] bool release();
    // Appends to `state`.
    [[nodiscard]] bool save(std::vector<std::byte>& state);
    [[nodiscard]] bool load(std::uint32_t version, const std::vector<std::byte>& state);

    // Only for a type with has_reconfigure(). On failure the old parameters stay.
    [[nodiscard]] bool reconfigure(const WorkerConfig& live);

    // Returns 0 if the type has no state.
    [[nodiscard]] std::uint32_t state_version() const {
        return has_state_fields(type()) ? type().state_version : 0;
    }

    // Returns the error of the first call that failed, as "on_message: no such table"; "" if none
    // failed.
    [[nodiscard]] const std::string& error() const { return error_; }

    // Returns and clears the error, for an instance that continues after it.
    [[nodiscard]] std::string take_error() { return std::exchange(error_, {}); }

    // Sets the plugin's text for the failure that it is about to return.
    void fail(std::string text) { words_ = std::move(text); }

    // True from the successful return of create() until destroy().
    [[nodiscard]] bool is_made() const { return is_made_; }

    // True inside of the calls that decide whether the instance works: create, load_state, acquire.
    [[nodiscard]] bool is_being_made() const {
        return is_being_made_.load(std::memory_order_relaxed);
    }

    // -- Timers. --

    void set_timer(std::uint32_t id, Nanos first, Nanos period);
    // Returns when the next timer is due.
    [[nodiscard]] Nanos next_timer() const;
    // Returns the id of a due timer and sets that timer for its next time, or returns nothing.
    std::optional<std::uint32_t> due_timer();

    [[nodiscard]] bool has_timers() const { return !timers_.empty(); }

    // Returns the kinds of timers that are set: Activity::one_shot, Activity::periodic.
    [[nodiscard]] std::uint32_t timer_bits() const;

    // -- Services. [any-thread] --

    // Created at the first call: most workers log nothing.
    [[nodiscard]] spdlog::logger& log();

    // Returns null if the parameter is not set.
    [[nodiscard]] const ParamValue* config(const char* name) const {
        const ParamValue* const fixed = spec_.config.find(name);
        return fixed == nullptr && live_ != nullptr ? live_->now.load()->find(name) : fixed;
    }

    // Counts the messages that the plugin keeps and has not released.
    std::atomic<std::int64_t>& kept() { return kept_; }

private:
    struct Timer {
        std::uint32_t id;
        Nanos next;
        Nanos period;
    };

    // Holds the current and the previous parameters: plugins may still read texts of the previous
    // ones. [any-thread] reads `now`.
    struct Live {
        explicit Live(const WorkerConfig& first) { held[0] = first; }

        std::array<WorkerConfig, 2> held;
        std::atomic<const WorkerConfig*> now{held.data()};
    };

    template <typename PluginCode>
    bool call(const char* what, PluginCode&& plugin_code);
    template <typename PluginCode>
    bool call_as(const char* what, bool is_worker, PluginCode&& plugin_code);
    template <typename PluginCode>
    bool call_before_work(const char* what, PluginCode&& plugin_code);

    WorkerContext& worker_;
    const Spec spec_;
    const CrashPlace crash_place_;
    const std::unique_ptr<Live> live_;  // null: no parameter can change
    void* object_ = nullptr;
    bool is_made_ = false;
    bool has_acquired_ = false;
    std::atomic<bool> is_being_made_{false};
    std::vector<Timer> timers_;
    std::string words_;
    std::string error_;
    std::atomic<std::int64_t> kept_{0};
    std::shared_ptr<spdlog::logger> log_;
    std::once_flag log_made_;
};

}  // namespace skep::host
