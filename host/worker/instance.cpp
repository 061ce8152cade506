#include "host/worker/instance.hpp"

#include <algorithm>
#include <exception>

#include <cxxabi.h>
#include <spdlog/spdlog.h>

#include "host/base/process_state.hpp"
#include "host/worker/worker_context.hpp"

namespace skep::host {

namespace {

struct Sink : skep_state_sink {
    std::vector<std::byte>* into;
};

std::int32_t write_state(const skep_state_sink* sink,
                         const void* data,
                         std::uint64_t size) noexcept {
    std::vector<std::byte>& into = *static_cast<const Sink*>(sink)->into;
    if (size > max_state_bytes - into.size()) {
        return SKEP_E_TOO_BIG;
    }
    try {
        const auto* const bytes = static_cast<const std::byte*>(data);
        into.insert(into.end(), bytes, bytes + size);
        return SKEP_OK;
    } catch (const std::bad_alloc&) {
        return SKEP_E_NO_MEMORY;
    }
}

CrashPlace place_of(const WorkerHome& home, const Instance::Spec& spec) {
    CrashPlace place;
    place.worker = home.name;
    place.generation = spec.generation;
    if (spec.library != nullptr) {
        place.plugin = spec.library->info().id;
        place.version = spec.library->info().version;
        place.file = spec.library->path();
    }
    return place;
}

}  // namespace

Instance::Instance(WorkerContext& worker, Spec spec)
    : skep_context{sizeof(skep_context), 0, &host_api(), worker.control().word(), &worker},
      worker_(worker),
      spec_(std::move(spec)),
      crash_place_(place_of(worker.home(), spec_)),
      live_(has_reconfigure(*spec_.type) ? std::make_unique<Live>(spec_.live) : nullptr) {}

Instance::~Instance() = default;

// Runs code of the plugin. The first failure becomes the error of the instance. An SDK catches
// exceptions inside of the plugin; this handler is a second net, for plugins without one. It works
// only if both sides share a C++ runtime, so the ABI forbids plugins to rely on it. `is_worker`:
// this is the worker's thread, not a helper thread. Throws LeaseRevoked on a thread that the worker
// has left behind.
template <typename PluginCode>
bool Instance::call_as(const char* what, bool is_worker, PluginCode&& plugin_code) {
    std::string text;
    bool is_well = false;
    const CrashScope scope(crash_place_, what);
    Lease* const lease = is_worker ? &worker_.begin_call(what) : nullptr;
    try {
        is_well = plugin_code() >= 0;
        if (is_forked_child()) {
            end_forked_child();
        }
    } catch (abi::__forced_unwind&) {
        // The C library aborts if this is swallowed; if it is not, the worker's thread disappears.
        die_in_plugin("pthread_exit() was called");
    } catch (const std::exception& thrown) {
        text = std::string("an exception crossed the plugin boundary: ") + thrown.what();
    } catch (...) {
        text = "an exception crossed the plugin boundary";
    }
    if (lease != nullptr) {
        worker_.end_call(*lease);
    }
    if (is_well) {
        return true;
    }
    if (text.empty()) {
        text = std::exchange(words_, {});
    }
    if (error_.empty()) {
        error_ = std::string(what) + ": " + (text.empty() ? "no reason given" : text);
    }
    return false;
}

template <typename PluginCode>
bool Instance::call(const char* what, PluginCode&& plugin_code) {
    return call_as(what, worker_.is_entered(), plugin_code);
}

// The plugin cannot send anything in these calls: an abort must leave no trace at other workers.
template <typename PluginCode>
bool Instance::call_before_work(const char* what, PluginCode&& plugin_code) {
    const bool was_entered = worker_.is_entered();
    WorkerContext::leave();
    is_being_made_.store(true, std::memory_order_relaxed);
    const bool is_well = call_as(what, was_entered, plugin_code);
    is_being_made_.store(false, std::memory_order_relaxed);
    if (was_entered) {
        worker_.enter();
    }
    return is_well;
}

bool Instance::create() {
    is_made_ = call_before_work("create", [&] { return type().create(this, &object_); });
    return is_made_;
}

bool Instance::acquire() {
    if (!has_exclusive_fields(type()) || type().acquire == nullptr || has_acquired_) {
        return true;
    }
    has_acquired_ = call_before_work("acquire", [&] { return type().acquire(object_); });
    return has_acquired_;
}

bool Instance::release() {
    if (has_acquired_) {
        has_acquired_ = !call("release", [&] { return type().release(object_); });
    }
    return !has_acquired_;
}

void Instance::destroy() {
    if (!std::exchange(is_made_, false)) {
        return;
    }
    (void)call("destroy", [&] {
        type().destroy(object_);
        return SKEP_OK;
    });
    if (const auto kept = kept_.load(); kept != 0) {
        log().warn("{} kept messages were not released", kept);
    }
}

bool Instance::run() {
    return call("run", [&] { return type().run(object_); });
}

bool Instance::on_message(const skep_batch& batch, std::uint32_t& done) {
    return call("on_message", [&] {
        const std::int32_t status = type().on_message(object_, &batch, &done);
        if (status >= 0 && done == 0 && __atomic_load_n(control, __ATOMIC_RELAXED) == 0) {
            fail("returned success but finished no message");
            return static_cast<std::int32_t>(SKEP_E_FAILED);
        }
        return status;
    });
}

bool Instance::on_timer(std::uint32_t id) {
    return type().on_timer == nullptr ||
           call("on_timer", [&] { return type().on_timer(object_, id); });
}

bool Instance::on_drain() {
    return type().on_drain == nullptr || call("on_drain", [&] { return type().on_drain(object_); });
}

bool Instance::save(std::vector<std::byte>& state) {
    Sink sink{{sizeof(skep_state_sink), 0, write_state}, &state};
    return call("save_state", [&] { return type().save_state(object_, &sink); });
}

bool Instance::load(std::uint32_t version, const std::vector<std::byte>& state) {
    return call_before_work("load_state", [&] {
        return type().load_state(object_, version, state.data(), state.size());
    });
}

bool Instance::reconfigure(const WorkerConfig& live) {
    const WorkerConfig* const before = live_->now.load();
    WorkerConfig& next = live_->held[before == live_->held.data() ? 1 : 0];
    next = live;
    live_->now.store(&next);
    if (call("reconfigure", [&] { return type().reconfigure(object_); })) {
        return true;
    }
    live_->now.store(before);
    return false;
}

void Instance::set_timer(std::uint32_t id, Nanos first, Nanos period) {
    std::erase_if(timers_, [id](const Timer& it) { return it.id == id; });
    if (first >= Nanos(0)) {
        timers_.push_back(
            {id, deadline_after(worker_.clock().now(), first), std::max(period, Nanos(0))});
    }
}

Nanos Instance::next_timer() const {
    Nanos next = forever;
    for (const Timer& timer : timers_) {
        next = std::min(next, timer.next);
    }
    return next;
}

std::uint32_t Instance::timer_bits() const {
    std::uint32_t bits = 0;
    for (const Timer& timer : timers_) {
        bits |= timer.period == Nanos(0) ? Activity::one_shot : Activity::periodic;
    }
    return bits;
}

std::optional<std::uint32_t> Instance::due_timer() {
    if (timers_.empty()) {
        return std::nullopt;
    }
    const auto due =
        std::min_element(timers_.begin(), timers_.end(), [](const Timer& a, const Timer& b) {
            return a.next < b.next;
        });
    const Nanos now = worker_.clock().now();
    if (due->next > now) {
        return std::nullopt;
    }
    const std::uint32_t id = due->id;
    if (due->period == Nanos(0)) {
        timers_.erase(due);
    } else {
        // Stays on the grid of its first time, but never lies in the past: missed times are
        // skipped.
        due->next = deadline_after(due->next, due->period * ((now - due->next) / due->period + 1));
    }
    return id;
}

spdlog::logger& Instance::log() {
    std::call_once(log_made_, [this] {
        log_ = spdlog::default_logger()->clone(worker_.home().name + "@" +
                                               std::to_string(generation()));
    });
    return *log_;
}

}  // namespace skep::host
