#include "host/control/explain.hpp"

#include <chrono>
#include <unordered_map>
#include <utility>

#include "host/base/contains.hpp"

namespace skep::host {
namespace {

// If its last checkpoint is older than this, a worker is in a long call.
constexpr Nanos long_call = std::chrono::seconds(1);

std::string quoted(const std::string& name) {
    return "'" + name + "'";
}

std::string messages_wait(std::uint64_t count) {
    return std::to_string(count) + (count == 1 ? " message waits" : " messages wait");
}

std::string last_checkpoint(const WorkerMetrics& worker) {
    if (!worker.call.empty() && worker.checkpoint_age >= long_call) {
        return "it has been inside " + quoted(worker.call) + " of its plugin for " +
               span_text(*worker.checkpoint_age);
    }
    return worker.checkpoint_age
               ? "its last checkpoint was " + span_text(*worker.checkpoint_age) + " ago"
               : "its thread has not started";
}

class Explainer {
public:
    Explainer(const WorkerMetrics& worker, const HostMetrics& host, const Plan& plan)
        : worker_(worker),
          plan_(plan) {
        for (const WorkerMetrics& it : host.workers) {
            by_name_[it.name] = &it;  // of two with one name, the later worker is the current one
        }
    }

    Explanation explain() {
        by_state();
        if (worker_.in.queued > 0) {
            it_.also.push_back(messages_wait(worker_.in.queued) + " in its mailbox");
        }
        if (worker_.state == WorkerState::running && !plan_.workers.empty() &&
            plan_.find(worker_.name) == nullptr) {
            it_.also.push_back(
                "a reload removed it; it drains when the removed workers that feed it have ended");
        }
        const bool is_in_why =
            worker_.state == WorkerState::failed || worker_.state == WorkerState::lost;
        if (!worker_.error.empty() && !is_in_why) {
            it_.also.push_back("its last error: " + worker_.error);
        }
        return std::move(it_);
    }

private:
    void by_state() {
        const std::string& name = worker_.name;
        switch (worker_.state) {
            case WorkerState::created:
                it_.why = "it was created, but not started";
                it_.advice = "skep restart " + name;
                break;
            case WorkerState::loading:
                it_.why = "its plugin is being opened";
                break;
            case WorkerState::starting:
                it_.why = "its plugin is creating the instance; " + last_checkpoint(worker_);
                break;
            case WorkerState::running:
                explain_running();
                break;
            case WorkerState::pausing:
                it_.why = "it was asked to pause, but has not reached a checkpoint; " +
                          last_checkpoint(worker_);
                explain_full_routes();
                break;
            case WorkerState::paused:
                it_.why = "it was asked to pause, and waits at a checkpoint";
                it_.advice = "skep resume " + name;
                break;
            case WorkerState::draining:
                it_.why =
                    "it finishes its queued messages and then ends; " + last_checkpoint(worker_);
                explain_full_routes();
                break;
            case WorkerState::stopping:
                it_.why =
                    "it was asked to stop now, but has not returned; " + last_checkpoint(worker_);
                break;
            case WorkerState::stopped:
                it_.why = "it has ended without an error";
                it_.advice = "skep restart " + name;
                break;
            case WorkerState::backoff:
                it_.why = "it failed, and waits for its restart";
                it_.advice = "skep restart " + name;
                break;
            case WorkerState::failed:
                it_.why = "it failed: " + worker_.error;
                it_.advice = "skep restart " + name;
                break;
            case WorkerState::lost:
                it_.why = "it " + worker_.error +
                          ": its thread is still inside the plugin, and the host has abandoned it";
                break;
        }
    }

    // Explains a running worker: it waits for a receiver, is busy, or has nothing to do.
    void explain_running() {
        explain_full_routes();
        if (!it_.waits_for.empty()) {
            it_.why = "it may be waiting for room at a receiver";
        } else if (is_late() && !worker_.call.empty()) {
            it_.why = last_checkpoint(worker_);
        } else if (is_late() && worker_.in.queued > 0) {
            it_.why = "it has not read its messages for " + span_text(*worker_.checkpoint_age) +
                      ": its thread gets no processor";
        } else if (worker_.in.queued == 0 && worker_.in.in_flight == 0) {
            it_.why = "no message waits in its mailbox";
            explain_senders();
        } else {
            it_.why = "it has messages to work on";
        }
    }

    [[nodiscard]] bool is_late() const { return worker_.checkpoint_age >= long_call; }

    // Finds the full routes to receivers that make this worker wait.
    void explain_full_routes() {
        for (const RoutePlan& route : plan_.routes) {
            if (route.from != worker_.name || route.when_full != WhenFull::block) {
                continue;
            }
            const WorkerMetrics* const to = find(route.to);
            if (to == nullptr || is_named(route.to) ||
                (to->in.queued < route.queue && !to->is_full_of_bytes)) {
                continue;
            }
            it_.waits_for.push_back(route.to);
            it_.also.push_back("its receiver " + quoted(route.to) + " is " +
                               std::string(name_of(to->state)) + ", and " +
                               messages_wait(to->in.queued) + " there");
            if (to->state == WorkerState::paused) {
                it_.advice = "skep resume " + route.to;
            } else if (it_.advice.empty()) {
                it_.advice = "skep explain " + route.to;
            }
        }
    }

    void explain_senders() {
        for (const RoutePlan& route : plan_.routes) {
            if (route.to != worker_.name || is_named(route.from)) {
                continue;
            }
            const WorkerMetrics* const from = find(route.from);
            if (from != nullptr) {
                it_.waits_for.push_back(route.from);
                it_.also.push_back("its sender " + quoted(route.from) + " is " +
                                   std::string(name_of(from->state)));
            }
        }
    }

    [[nodiscard]] bool is_named(const std::string& name) const {
        return contains(it_.waits_for, name);
    }

    [[nodiscard]] const WorkerMetrics* find(const std::string& name) const {
        const auto found = by_name_.find(name);
        return found == by_name_.end() ? nullptr : found->second;
    }

    const WorkerMetrics& worker_;
    const Plan& plan_;
    std::unordered_map<std::string_view, const WorkerMetrics*> by_name_;
    Explanation it_;
};

}  // namespace

Explanation explain(const WorkerMetrics& worker, const HostMetrics& host, const Plan& plan) {
    return Explainer(worker, host, plan).explain();
}

std::string span_text(Nanos span) {
    using namespace std::chrono;  // NOLINT(google-build-using-namespace): only units
    const auto whole = [](auto count) { return std::to_string(count.count()); };
    if (span < seconds(1)) {
        return whole(duration_cast<milliseconds>(span)) + "ms";
    }
    const auto s = duration_cast<seconds>(span);
    if (s < minutes(1)) {
        return whole(s) + "." + std::to_string((span - s) / milliseconds(100)) + "s";
    }
    const auto m = duration_cast<minutes>(s);
    if (m < hours(1)) {
        return whole(m) + "m" + whole(s - m) + "s";
    }
    const auto h = duration_cast<hours>(m);
    return whole(h) + "h" + whole(m - h) + "m";
}

}  // namespace skep::host
