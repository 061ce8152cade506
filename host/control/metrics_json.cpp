#include "host/control/metrics_json.hpp"

#include <chrono>
#include <optional>

#include <nlohmann/json.hpp>

#include <skep/version.h>

#include "host/base/time_text.hpp"

namespace skep::host {
namespace {

using Json = nlohmann::ordered_json;

std::string text_of(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::int64_t milliseconds(Nanos span) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(span).count();
}

// Returns the time as text, or null.
Json time_json(const std::optional<std::chrono::system_clock::time_point>& time) {
    return time ? Json(time_text(*time)) : Json(nullptr);
}

// Makes an object key by key. A list in braces first makes an array of each pair, and copies every
// value: for 100,000 workers that takes most of the time of an answer.
class Object {
public:
    explicit Object(std::size_t keys) { made_.reserve(keys); }

    // Precondition: the object does not have the key.
    Object& add(const char* key, Json value) {
        made_.emplace_back(key, std::move(value));
        return *this;
    }

    [[nodiscard]] Json take() { return Json(std::move(made_)); }

private:
    Json::object_t made_;
};

Json flow_json(const FlowCounts& flow) {
    return Object(8)
        .add("offered", flow.offered)
        .add("accepted", flow.accepted)
        .add("rejected", flow.rejected.total())
        .add("delivered", flow.delivered)
        .add("queued", flow.queued)
        .add("in_flight", flow.in_flight)
        .add("dropped", flow.dropped.total())
        .add("dead_lettered", flow.dead_lettered.total())
        .take();
}

// Messages that a worker sent and the host could offer to no receiver, by reason.
Json out_rejected_json(const FlowCounts::Rejected& rejected) {
    return Object(4)
        .add("no_route", rejected.no_route)
        .add("too_big", rejected.too_big)
        .add("misuse", rejected.misuse)
        .add("no_memory", rejected.no_memory)
        .take();
}

Json json_of(const std::optional<SwapMetrics>& swap) {
    if (!swap) {
        return nullptr;
    }
    return {{"blackout_ns", swap->blackout.count()},
            {"state_bytes", swap->state_bytes},
            {"queued", swap->queued}};
}

Json json_of(const WorkerMetrics& worker) {
    return Object(21)
        .add("name", worker.name)
        .add("status", plain_name_of(worker.state))
        .add("state", name_of(worker.state))
        .add("plugin", worker.plugin)
        .add("type", worker.type)
        .add("generation", worker.generation)
        .add("error", worker.error)
        .add("started", time_json(worker.started_wall))
        .add("ended", time_json(worker.ended_wall))
        .add("cpu_ns", worker.cpu.count())
        .add("items", worker.items)
        .add("errors", worker.errors)
        .add("in", flow_json(worker.in))
        .add("out", worker.out)
        .add("out_rejected", out_rejected_json(worker.out_rejected))
        .add("queue_high", worker.queue_high)
        .add("queued_bytes", worker.queued_bytes)
        .add("swaps", worker.swaps)
        .add("rollbacks", worker.rollbacks)
        .add("last_swap", json_of(worker.last_swap))
        .add("checkpoint_age_ms",
             worker.checkpoint_age ? Json(milliseconds(*worker.checkpoint_age)) : Json(nullptr))
        .take();
}

struct Use {
    const char* state;
    std::string why;
};

// Returns the use of a library in the host.
Use use_of(const LibraryUse& it) {
    if (!it.workers.empty()) {
        return {"in use", ""};
    }
    if (!it.standby.empty()) {
        return {"standing by", "its successor is on probation, or it is about to become active"};
    }
    if (it.is_open) {
        return {"ending", "its last instance is being destroyed"};
    }
    return it.facts.mapped > 0 ? Use{"pinned", it.facts.cause}
                               : Use{"kept", "a rollback may need it; it is not loaded"};
}

}  // namespace

std::string generations_json(const std::vector<LibraryUse>& libraries,
                             std::chrono::system_clock::time_point now) {
    Json list = Json::array();
    for (const LibraryUse& it : libraries) {
        const LibraryFacts& facts = it.facts;
        const Use use = use_of(it);
        std::vector<std::string> workers = it.workers;
        workers.insert(workers.end(), it.standby.begin(), it.standby.end());
        list.push_back({{"plugin", facts.id},
                        {"version", facts.version},
                        {"build_id", facts.build_id},
                        {"hash", facts.content},
                        {"path", facts.path},
                        {"opened", time_json(facts.opened)},
                        {"age_ms", milliseconds(now - facts.opened)},
                        {"state", use.state},
                        {"workers", std::move(workers)},
                        {"why", use.why},
                        {"pinned_bytes", facts.mapped}});
    }
    return text_of({{"generations", std::move(list)}});
}

std::string worker_json(const WorkerMetrics& worker) {
    return text_of(json_of(worker));
}

std::string workers_json(const HostMetrics& host) {
    // One worker at a time: a tree of 100,000 workers takes ten times the memory of the text.
    std::string text = R"({"workers":[)";
    for (const WorkerMetrics& worker : host.workers) {
        text += (&worker == host.workers.data() ? "" : ",") + text_of(json_of(worker));
    }
    return text + "]}";
}

std::string explanation_json(const WorkerMetrics& worker, const Explanation& it) {
    return text_of({{"worker", worker.name},
                    {"status", plain_name_of(worker.state)},
                    {"state", name_of(worker.state)},
                    {"generation", worker.generation},
                    {"why", it.why},
                    {"also", it.also},
                    {"waits_for", it.waits_for},
                    {"error", worker.error},
                    {"advice", it.advice}});
}

std::string host_json(const HostLine& line, const HostMetrics& host) {
    Json workers = {{"created", 0}, {"running", 0}, {"paused", 0}, {"stopped", 0}, {"error", 0}};
    for (const WorkerMetrics& worker : host.workers) {
        Json& count = workers[std::string(plain_name_of(worker.state))];
        count = count.get<int>() + 1;
    }
    return text_of({{"name", line.name},
                    {"pid", line.pid},
                    {"version", SKEP_VERSION_STRING},
                    {"file", line.file},
                    {"uptime_ms", milliseconds(line.uptime)},
                    {"workers", std::move(workers)},
                    {"accounting", flow_json(host.accounting)}});
}

}  // namespace skep::host
