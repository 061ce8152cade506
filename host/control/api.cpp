#include "host/control/api.hpp"

#include <chrono>
#include <initializer_list>
#include <optional>
#include <utility>

#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include "host/base/contains.hpp"
#include "host/base/deadline.hpp"
#include "host/base/printable.hpp"
#include "host/control/explain.hpp"
#include "host/control/metrics_json.hpp"
#include "host/control/refusals.hpp"
#include "host/control/tapping.hpp"
#include "host/control/waiting.hpp"
#include "host/daemon/verdict_json.hpp"
#include "host/topology/units.hpp"

namespace skep::host {
namespace {

using Json = nlohmann::ordered_json;

std::string dumped(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// The body of a request: empty, or an object with some of the keys that the command accepts.
class Body {
public:
    static Result<Body, Response> of(const Request& request,
                                     std::initializer_list<std::string_view> keys) {
        if (request.body.empty()) {
            return Body(Json::object());
        }
        Json json = Json::parse(request.body, nullptr, false);
        if (!json.is_object()) {
            return Unexpected<Response>(refused(bad_request, "the body must be a JSON object"));
        }
        for (const auto& [key, value] : json.items()) {
            if (!contains(keys, key)) {
                return Unexpected<Response>(refused(bad_request, "unknown key '" + key + "'"));
            }
        }
        return Body(std::move(json));
    }

    // Returns false if the key is missing, and empty if its value is not a boolean.
    [[nodiscard]] std::optional<bool> flag(const char* key) const {
        const auto found = json_.find(key);
        if (found == json_.end()) {
            return false;
        }
        return found->is_boolean() ? std::optional(found->get<bool>()) : std::nullopt;
    }

    [[nodiscard]] const Json* find(const char* key) const {
        const auto found = json_.find(key);
        return found == json_.end() ? nullptr : &*found;
    }

private:
    explicit Body(Json json)
        : json_(std::move(json)) {}

    Json json_;
};

constexpr const char* done = R"({"done":true})";

Response reply_of(const Answer<Done>& answer) {
    return answer ? Response{200, done} : refused(answer.error());
}

Response show_host(ControlWorld& world, const Request& /*request*/, const std::string& /*target*/) {
    return {
        200,
        host_json(
            {world.facts.name, world.facts.file, ::getpid(), steady_now() - world.facts.started},
            world.manager.metrics())};
}

Response show_workers(ControlWorld& world,
                      const Request& /*request*/,
                      const std::string& /*target*/) {
    return {200, workers_json(world.manager.metrics())};
}

Response show_worker(ControlWorld& world, const Request& /*request*/, const std::string& worker) {
    const Answer<WorkerMetrics> metrics = world.manager.metrics(worker);
    return metrics ? Response{200, worker_json(*metrics)} : refused(metrics.error());
}

Response explain_worker(ControlWorld& world,
                        const Request& /*request*/,
                        const std::string& worker) {
    const Answer<WorkerMetrics> metrics = world.manager.metrics(worker);
    if (!metrics) {
        return refused(metrics.error());
    }
    const auto plan = world.manager.plan();
    return {200,
            explanation_json(*metrics,
                             explain(*metrics, world.manager.metrics(), plan ? **plan : Plan()))};
}

Response pause(ControlWorld& world, const Request& request, const std::string& worker) {
    const Result<Body, Response> body = Body::of(request, {"wait"});
    if (!body) {
        return body.error();
    }
    const std::optional<bool> waits = body->flag("wait");
    if (waits && *waits && !request.hold()) {
        return too_many_held();
    }
    return waits ? reply_of(world.manager.pause(worker, *waits))
                 : refused(bad_request, "'wait' must be true or false");
}

// For commands that accept only an empty body.
template <Answer<Done> (Manager::*verb)(const std::string&)>
Response plain(ControlWorld& world, const Request& request, const std::string& worker) {
    const Result<Body, Response> body = Body::of(request, {});
    return body ? reply_of((world.manager.*verb)(worker)) : body.error();
}

// Returns the payload of a message: text, or any bytes as hexadecimal digits.
Result<std::string, Response> payload_in(const Request& request) {
    const Result<Body, Response> body = Body::of(request, {"text", "hex"});
    if (!body) {
        return Unexpected<Response>(body.error());
    }
    const Json* const text = body->find("text");
    const Json* const digits = body->find("hex");
    if (text != nullptr && digits == nullptr && text->is_string()) {
        return text->get<std::string>();
    }
    if (text == nullptr && digits != nullptr && digits->is_string()) {
        if (std::optional<std::string> bytes = bytes_of_hex(digits->get<std::string>())) {
            return std::move(*bytes);
        }
        return Unexpected<Response>(
            refused(bad_request, "'hex' must have two digits for each byte"));
    }
    return Unexpected<Response>(
        refused(bad_request, R"(the body must be {"text":"..."} or {"hex":"..."})"));
}

Response send(ControlWorld& world, const Request& request, const std::string& worker) {
    const Result<std::string, Response> payload = payload_in(request);
    return payload ? reply_of(world.manager.send(worker, *payload)) : payload.error();
}

Response broadcast(ControlWorld& world, const Request& request, const std::string& /*target*/) {
    const Result<std::string, Response> payload = payload_in(request);
    if (!payload) {
        return payload.error();
    }
    const Answer<std::size_t> taken = world.manager.broadcast(*payload);
    return taken ? Response{200, R"({"done":true,"taken":)" + std::to_string(*taken) + "}"}
                 : refused(taken.error());
}

// Answers at once; the host ends later.
Response stop(ControlWorld& world, const Request& request, const std::string& /*target*/) {
    const Result<Body, Response> body = Body::of(request, {"grace_ms", "now"});
    if (!body) {
        return body.error();
    }
    const std::optional<bool> now = body->flag("now");
    if (!now) {
        return refused(bad_request, "'now' must be true or false");
    }
    std::optional<Nanos> grace;
    if (const Json* const span = body->find("grace_ms")) {
        if (!span->is_number_unsigned() || span->get<std::uint64_t>() > longest_wait_ms) {
            return refused(bad_request, "'grace_ms' must be a number of milliseconds");
        }
        grace = std::chrono::milliseconds(span->get<std::int64_t>());
    }
    if (!grace && !*now) {
        const auto plan = world.manager.plan();
        if (!plan) {
            return refused(plan.error());
        }
        grace = (*plan)->stop_grace;
    }
    const Nanos given = *now ? Nanos(0) : *grace;
    world.stop(given);
    const auto within = std::chrono::ceil<std::chrono::milliseconds>(stop_times(given).total);
    return {200, R"({"done":true,"within_ms":)" + std::to_string(within.count()) + "}"};
}

Response reply_of(const Verdict& verdict) {
    const Json json = {{"kind", name_of(verdict.request.kind)},
                       {"number", verdict.number},
                       {"run", verdict.run},
                       {"verdict", name_of(verdict.result)},
                       {"final", verdict.is_final},
                       {"text", verdict.text}};
    return {200, dumped(json)};
}

// Answers when the plan is in force or refused.
template <ReloadKind kind>
Response reload(ControlWorld& world, const Request& request, const std::string& /*target*/) {
    const Result<Body, Response> body = Body::of(request, {"discard_state"});
    if (!body) {
        return body.error();
    }
    const std::optional<bool> discards = body->flag("discard_state");
    if (!discards) {
        return refused(bad_request, "'discard_state' must be true or false");
    }
    const StateLoss loss = *discards ? StateLoss::accepted : StateLoss::refused;
    return reply_of(world.reloader.wait(
        world.reloader.trigger("control socket, uid " + std::to_string(request.peer.uid) +
                                   ", process " + std::to_string(request.peer.pid),
                               {kind, loss})));
}

// Waits for the final verdict.
Response show_reload(ControlWorld& world, const Request& request, const std::string& target) {
    constexpr Nanos rest_between_looks = std::chrono::milliseconds(10);
    const std::optional<std::int64_t> number = parse_integer(target);
    for (;;) {
        const std::optional<Verdict> verdict =
            number ? world.reloader.look(static_cast<std::uint64_t>(*number)) : std::nullopt;
        if (!verdict) {
            return refused(not_found,
                           "the verdict of '" + target + "' is unknown, or was already returned");
        }
        if (verdict->is_final) {
            return reply_of(*verdict);
        }
        if (!request.hold()) {
            return too_many_held();
        }
        if (!request.rest(rest_between_looks)) {
            return refused({Refusal::Code::host_ended, "the host is ending"});
        }
    }
}

Response plan(ControlWorld& world, const Request& /*request*/, const std::string& /*target*/) {
    const Result<ChangeSummary, std::string> changes = world.reloader.preview();
    return changes ? Response{200, dumped(changes_json(*changes))}
                   : refused(request_error(Refusal::Code::bad_plan), changes.error());
}

Response show_generations(ControlWorld& world,
                          const Request& /*request*/,
                          const std::string& /*target*/) {
    const auto libraries = world.manager.libraries();
    return libraries ? Response{200, generations_json(*libraries, std::chrono::system_clock::now())}
                     : refused(libraries.error());
}

Response wait(ControlWorld& world, const Request& request, const std::string& /*target*/) {
    const Result<Wait, std::string> wanted = read_wait(request.query);
    if (!wanted) {
        return refused(bad_request, wanted.error());
    }
    return request.hold() ? wait_for(world, request, *wanted) : too_many_held();
}

// Returns why the request was refused, or "".
std::string refusal_in(const Response& response) {
    if (response.status < 400) {
        return "";
    }
    constexpr const char* no_message = "no message";
    const Json body = Json::parse(response.body, nullptr, false);
    return body.is_object() ? body["error"].value("message", no_message) : no_message;
}

// Writes a line to the log and to the audit log, if the route asks for it.
void log_request(const ControlWorld& world,
                 const Request& request,
                 const ControlRoute& route,
                 const std::string& target,
                 const Response& response) {
    const std::string refusal = refusal_in(response);
    if (route.noted == Noted::never || (route.noted == Noted::when_refused && refusal.empty())) {
        return;
    }
    spdlog::info("control: {}{}: {} (uid {}, process {})",
                 verb_of(route),
                 target.empty() ? "" : " '" + target + "'",
                 refusal.empty() ? "done" : "refused: " + refusal,
                 request.peer.uid,
                 request.peer.pid);
    world.audit.command(verb_of(route), target, request.peer, refusal);
}

}  // namespace

const std::vector<ControlRoute>& control_routes() {
    static const std::vector<ControlRoute> routes = {
        {"GET", "/v1/host", Noted::never, show_host},
        {"GET", "/v1/workers", Noted::never, show_workers},
        {"GET", "/v1/workers/{}", Noted::never, show_worker},
        {"GET", "/v1/workers/{}/explain", Noted::never, explain_worker},
        {"GET", "/v1/wait", Noted::never, wait},
        {"GET", "/v1/plan", Noted::never, plan},
        {"GET", "/v1/generations", Noted::never, show_generations},
        {"GET", "/v1/tap", Noted::always, tap},
        {"POST", "/v1/reload", Noted::when_refused, reload<ReloadKind::reload>},
        {"POST", "/v1/rollback", Noted::when_refused, reload<ReloadKind::rollback>},
        {"GET", "/v1/reloads/{}", Noted::never, show_reload},
        {"POST", "/v1/workers/{}/pause", Noted::always, pause},
        {"POST", "/v1/workers/{}/resume", Noted::always, plain<&Manager::resume>},
        {"POST", "/v1/workers/{}/drain", Noted::always, plain<&Manager::stop>},
        {"POST", "/v1/workers/{}/restart", Noted::always, plain<&Manager::restart>},
        {"POST", "/v1/workers/{}/send", Noted::always, send},
        {"POST", "/v1/broadcast", Noted::always, broadcast},
        {"POST", "/v1/stop", Noted::always, stop},
    };
    return routes;
}

bool fits(std::string_view pattern, std::string_view path, std::string& target) {
    const std::size_t hole = pattern.find("{}");
    if (hole == std::string_view::npos) {
        target.clear();
        return pattern == path;
    }
    const std::string_view before = pattern.substr(0, hole);
    const std::string_view after = pattern.substr(hole + 2);
    if (path.size() <= before.size() + after.size() || !path.starts_with(before) ||
        !path.ends_with(after)) {
        return false;
    }
    const std::string_view filling =
        path.substr(before.size(), path.size() - before.size() - after.size());
    target = filling;
    return filling.find('/') == std::string_view::npos;
}

std::string_view verb_of(const ControlRoute& route) {
    return route.pattern.substr(route.pattern.rfind('/') + 1);
}

Response handle_request(ControlWorld& world, const Request& request) {
    bool is_path_known = false;
    for (const ControlRoute& route : control_routes()) {
        std::string target;
        if (!fits(route.pattern, request.path, target)) {
            continue;
        }
        if (route.method != request.method) {
            is_path_known = true;
            continue;
        }
        Response response = route.handler(world, request, target);
        log_request(world, request, route, target, response);
        return response;
    }
    return is_path_known ? refused(method_not_allowed,
                                   "'" + request.path + "' does not accept " + request.method)
                         : refused(not_found, "unknown path '" + request.path + "'");
}

}  // namespace skep::host
