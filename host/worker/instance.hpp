// An instance: the object that a plugin made for a worker, with the context that it was made with.
//
// A worker has one at a time, and while it is given a successor a second one that waits, or is
// parked. What belongs to the code goes with the instance: its library, parameters, timers, the
// messages it keeps. What belongs to the worker (mailbox, outputs, control) does not.
//
// All [worker-thread] but what says otherwise; create() and destroy() also on a thread of their
// own, when no other call of this instance runs.
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

// The largest state that can be handed over.
inline constexpr std::size_t max_state_bytes = std::size_t{1} << 30;

class Instance : private skep_context {
public:
    struct Spec {
        std::uint64_t generation = 1;  // of its name
        std::shared_ptr<Library> library;
        const skep_worker_type* type = nullptr;  // of the library
        WorkerConfig config;
        WorkerConfig live;  // those of the parameters that reconfigure() changes
    };

    // The worker outlives it.
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

    // -- Calls into the plugin. False: it failed, and error() says how. --

    [[nodiscard]] bool create();
    void destroy();  // nothing where create() failed; a failure shows in error() alone
    [[nodiscard]] bool run();
    [[nodiscard]] bool on_message(const skep_batch& batch, std::uint32_t& done);
    [[nodiscard]] bool on_timer(std::uint32_t id);
    [[nodiscard]] bool on_drain();
    // Take what only one instance can have at a time, and give it up. Nothing where it is taken, or
    // not, already, and of types that need no such thing. destroy() gives it up as well.
    [[nodiscard]] bool acquire();
    [[nodiscard]] bool release();
    // Adds to `state`.
    [[nodiscard]] bool save(std::vector<std::byte>& state);
    [[nodiscard]] bool load(std::uint32_t version, const std::vector<std::byte>& state);

    // Only of a type that has_reconfigure(). Where it fails the parameters are as they were.
    [[nodiscard]] bool reconfigure(const WorkerConfig& live);

    // 0: none.
    [[nodiscard]] std::uint32_t state_version() const {
        return has_state_fields(type()) ? type().state_version : 0;
    }

    // "on_message: no such table", of the first call that failed; "" while none has.
    [[nodiscard]] const std::string& error() const { return error_; }

    // The same, when the instance goes on all the same.
    [[nodiscard]] std::string take_error() { return std::exchange(error_, {}); }

    // The plugin's own words for the failure that it is about to return.
    void fail(std::string text) { words_ = std::move(text); }

    // From the return of a create() that went well to destroy().
    [[nodiscard]] bool is_made() const { return is_made_; }

    // Inside of a call that is to decide whether it works at all: create, load_state, acquire.
    [[nodiscard]] bool is_being_made() const {
        return is_being_made_.load(std::memory_order_relaxed);
    }

    // -- Timers. --

    void set_timer(std::uint32_t id, Nanos first, Nanos period);
    // When the next one is due.
    [[nodiscard]] Nanos next_timer() const;
    // The id of a timer that is due, which is thereby set for its next time; or nothing.
    std::optional<std::uint32_t> due_timer();

    [[nodiscard]] bool has_timers() const { return !timers_.empty(); }

    // Which kinds of timers are set: Activity::one_shot, Activity::periodic.
    [[nodiscard]] std::uint32_t timer_bits() const;

    // -- Services. [any-thread] --

    // Made when it is first asked for: most workers say nothing.
    [[nodiscard]] spdlog::logger& log();

    // Null when it is not set.
    [[nodiscard]] const ParamValue* config(const char* name) const {
        const ParamValue* const fixed = spec_.config.find(name);
        return fixed == nullptr && live_ != nullptr ? live_->now.load()->find(name) : fixed;
    }

    // Messages that the plugin has kept and not released.
    std::atomic<std::int64_t>& kept() { return kept_; }

private:
    struct Timer {
        std::uint32_t id;
        Nanos next;
        Nanos period;
    };

    // Of those before, the last stay: their text may still be read. [any-thread] reads `now`.
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
    const std::unique_ptr<Live> live_;  // null: nothing can change
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
