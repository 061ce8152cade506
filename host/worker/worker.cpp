#include "host/worker/worker.hpp"

#include <system_error>

#include <cxxabi.h>
#include <pthread.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include "host/worker/thread_census.hpp"

namespace skep::host {

namespace {

// How many messages a handler gets at once. It returns early when something is wanted of it.
constexpr std::uint32_t handler_batch = batch_max;

Nanos read_clock(clockid_t clock) {
    timespec time{};
    clock_gettime(clock, &time);
    return std::chrono::seconds(time.tv_sec) + Nanos(time.tv_nsec);
}

}  // namespace

Worker::Worker(const WorkerWorld& world, WorkerHome home, Spec spec, Report report)
    : home_(std::move(home)),
      spec_(std::move(spec)),
      report_(std::move(report)),
      context_(
          world, home_, spec_.generation, *spec_.type, spec_.config, [this](std::uint64_t epoch) {
              report_({home_.name, spec_.generation, Fact::Kind::held, epoch, false, {}});
          }) {}

Result<Done, std::string> Worker::start() {
    home_.mailbox->parker()->attach();
    try {
        thread_ = std::thread([self = shared_from_this()] { self->thread_main(); });
    } catch (const std::system_error& error) {
        home_.mailbox->parker()->detach();
        return Unexpected<std::string>(std::string("no thread: ") + error.what());
    }
    return Done{};
}

std::uint64_t Worker::request(Wanted wanted) {
    const std::uint64_t epoch = context_.control().request(wanted);
    home_.mailbox->parker()->unpark();
    return epoch;
}

void Worker::join() {
    thread_.join();
}

void Worker::give_up() {
    context_.revoke();
    thread_.detach();
}

Nanos Worker::cpu() const {
    if (const std::int64_t ended = cpu_ns_.load(std::memory_order_acquire); ended >= 0) {
        return Nanos(ended);
    }
    clockid_t clock{};
    auto& thread = const_cast<std::thread&>(thread_);
    if (!thread.joinable() || pthread_getcpuclockid(thread.native_handle(), &clock) != 0) {
        return Nanos(0);
    }
    return read_clock(clock);
}

void Worker::thread_main() {
    thread_id_.store(gettid(), std::memory_order_relaxed);
    pthread_setname_np(pthread_self(), worker_thread_name(home_.name, spec_.generation).c_str());
    context_.enter();
    Fact ended = live();
    cpu_ns_.store(read_clock(CLOCK_THREAD_CPUTIME_ID).count(), std::memory_order_release);
    pthread_setname_np(pthread_self(), ended_thread_name);
    report_(std::move(ended));
    home_.mailbox->parker()->detach();
}

Fact Worker::live() {
    Fact fact{home_.name, spec_.generation, Fact::Kind::ended, 0, false, {}};
    void* instance = nullptr;
    bool is_well = call("create", [&] { return spec_.type->create(context_.raw(), &instance); });
    if (is_well) {
        report_({home_.name, spec_.generation, Fact::Kind::ready, 0, false, {}});
        if (context_.stand_still_if_wanted() != Wanted::stop) {
            is_well = spec_.type->run != nullptr ? run_loop(instance) : run_handler(instance);
        }
        context_.settle_all(!is_well);
        is_well = call("destroy",
                       [&] {
                           spec_.type->destroy(instance);
                           return SKEP_OK;
                       }) &&
                  is_well;
    }
    if (const auto kept = context_.kept().load(); kept != 0) {
        context_.log().warn("{} kept messages were not released", kept);
    }
    fact.has_failed = !is_well;
    fact.error = error_;
    return fact;
}

bool Worker::run_loop(void* instance) {
    return call("run", [&] { return spec_.type->run(instance); });
}

bool Worker::run_handler(void* instance) {
    const skep_worker_type& type = *spec_.type;
    Parker& parker = *home_.mailbox->parker();
    for (;;) {
        const std::uint32_t ticket = parker.prepare();
        if (context_.must_end()) {
            break;
        }
        if (const auto due = context_.due_timer()) {
            if (type.on_timer != nullptr &&
                !call("on_timer", [&] { return type.on_timer(instance, *due); })) {
                return false;
            }
            continue;
        }
        skep_batch batch{};
        batch.size = sizeof(batch);
        if (!context_.take(handler_batch, batch)) {
            context_.wait_for_message(ticket, context_.next_timer());
            continue;
        }
        std::uint32_t done = 0;
        const bool is_well = call("on_message", [&] {
            const std::int32_t status = type.on_message(instance, &batch, &done);
            if (status >= 0 && done == 0) {
                context_.fail("it returned without an error and without a message done");
                return static_cast<std::int32_t>(SKEP_E_FAILED);
            }
            return status;
        });
        context_.settle(done, !is_well);
        if (!is_well) {
            return false;
        }
    }
    if (context_.control().command().wanted == Wanted::drain && type.on_drain != nullptr) {
        return call("on_drain", [&] { return type.on_drain(instance); });
    }
    return true;
}

// Runs code of the plugin. The first failure is the worker's error. An SDK catches what is thrown
// inside the plugin; this is the second net, for plugins without one. It works only where both
// sides share a C++ runtime, which is why the ABI forbids to rely on it.
bool Worker::call(const char* what, const std::function<std::int32_t()>& plugin_code) {
    std::string text;
    try {
        if (plugin_code() >= 0) {
            return true;
        }
        text = context_.take_error();
    } catch (abi::__forced_unwind&) {
        throw;  // pthread_exit: the C library aborts if this is swallowed
    } catch (const std::exception& thrown) {
        text = std::string("an exception crossed the plugin boundary: ") + thrown.what();
    } catch (...) {
        text = "an exception crossed the plugin boundary";
    }
    if (error_.empty()) {
        error_ = std::string(what) + ": " + (text.empty() ? "no reason given" : text);
    }
    return false;
}

}  // namespace skep::host
