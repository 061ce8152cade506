#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <future>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "host/base/printable.hpp"
#include "host/cli/asking.hpp"
#include "host/cli/output.hpp"
#include "host/cli/steer.hpp"
#include "host/cli/verbs.hpp"
#include "host/control/explain.hpp"
#include "host/daemon/log.hpp"

namespace skep::host {
namespace {

using Json = nlohmann::ordered_json;

std::string worker_target(const Options& options, const std::string& what = "") {
    return "/v1/workers/" + encoded(options.worker) + (what.empty() ? "" : "/" + what);
}

// Returns a body with the bytes of the argument: as text, or as hex if they are not UTF-8.
std::string payload_body(const Options& options) {
    const Json body =
        is_utf8(options.text) ? Json{{"text", options.text}} : Json{{"hex", hex(options.text)}};
    return body.dump();
}

// Returns exit_at_rest for the status of a worker that has ended; otherwise exit_ok, also for the
// status of a host.
int status_code(const std::string& body) {
    const Json json = Json::parse(body, nullptr, false);
    const std::string status =
        json.is_object() && json.contains("state") ? json.value("status", "") : std::string();
    return status == "stopped" || status == "error" ? exit_at_rest : exit_ok;
}

int show(const Options& options,
         const FoundHost& host,
         const std::string& target,
         std::string (*text)(const std::string&)) {
    const bool is_loading = options.verb == Verb::plan || options.verb == Verb::reload;
    const Result<std::string, int> body =
        ask(options, host, "GET", target, "", is_loading ? loading_patience : short_patience);
    if (!body) {
        return body.error();
    }
    const int exit_code = options.verb == Verb::status ? status_code(*body) : int(exit_ok);
    return answer(options.json ? *body + "\n" : text(*body), exit_code);
}

int command(const Options& options,
            const FoundHost& host,
            const std::string& target,
            const std::string& body = "",
            Nanos patience = short_patience) {
    const Result<std::string, int> done = ask(options, host, "POST", target, body, patience);
    return done ? int(exit_ok) : done.error();
}

int wait(const Options& options, const FoundHost& host) {
    const std::string state = options.state.empty() ? "running" : options.state;
    std::string target = "/v1/wait?state=" + encoded(state);
    if (!options.worker.empty()) {
        target += "&worker=" + encoded(options.worker);
    }
    if (options.timeout) {
        const auto span = std::chrono::duration_cast<std::chrono::milliseconds>(*options.timeout);
        target += "&timeout_ms=" + std::to_string(span.count());
    }
    const Result<std::string, int> body = ask(options, host, "GET", target, "", long_patience);
    if (!body) {
        return body.error();
    }
    const Json json = Json::parse(*body, nullptr, false);
    if (json.is_object() && json.value("reached", false)) {
        return exit_ok;
    }
    const std::string who = options.worker.empty()
                                ? "not all workers reached"
                                : "worker '" + options.worker + "' did not reach";
    return complain(who + " state '" + state + "' in time", exit_failed);
}

// Stops a host and blocks until its process has ended and has written all its output. Finds the
// process by the number that this pid namespace gives to the listener of the socket: the host may
// know another number.
int stop(const Options& options, const FoundHost& host) {
    // A host keeps its stated time, unless it is stopped (SIGSTOP) or the machine is overloaded.
    constexpr Nanos extra_patience = std::chrono::seconds(10);
    const pid_t pid = listener_of(host.path);
    Json body = Json::object();
    if (options.now) {
        body["now"] = true;
    }
    if (options.grace) {
        body["grace_ms"] =
            std::chrono::duration_cast<std::chrono::milliseconds>(*options.grace).count();
    }
    const Nanos answers_within = std::min(short_patience, options.timeout.value_or(short_patience));
    const Result<std::string, int> response =
        ask(options, host, "POST", "/v1/stop", body.dump(), answers_within);
    if (!response) {
        return response.error();
    }
    const Json json = Json::parse(*response, nullptr, false);
    const std::chrono::milliseconds within(
        json.is_object() ? json.value("within_ms", std::int64_t{0}) : 0);
    const Nanos patience = options.timeout.value_or(within + extra_patience);
    if (wait_for_end_of(host.path, pid, patience)) {
        return exit_ok;
    }
    return complain("cannot stop the host: it still runs after " + span_text(patience),
                    exit_failed);
}

// Prints each line of the tap when it arrives.
int tap(const Options& options, const FoundHost& host) {
    std::string target = "/v1/tap?from=" + encoded(options.from) + "&to=" + encoded(options.to);
    for (const auto& [key, value] : {std::pair("limit", options.limit), {"bytes", options.bytes}}) {
        if (value > 0) {
            target += "&" + std::string(key) + "=" + std::to_string(value);
        }
    }
    std::string begun;  // an incomplete line
    int exit_code = exit_ok;
    const int read = read_stream(options, host, target, [&](std::string_view piece) {
        begun += piece;
        const std::size_t end = begun.rfind('\n') + 1;  // 0: none
        const std::string lines = begun.substr(0, end);
        begun.erase(0, end);
        exit_code =
            lines.empty() ? int(exit_ok) : answer(options.json ? lines : tap_text(lines), exit_ok);
        return exit_code == exit_ok;
    });
    return read == exit_ok ? exit_code : read;
}

// Prints the verdict of a reload or rollback, also a refusal. Waits for the final verdict unless
// --in-force is given.
int reload(const Options& options, const FoundHost& host, const std::string& target) {
    const std::string request = options.discard_state ? R"({"discard_state":true})" : "";
    Result<std::string, int> body = ask(options, host, "POST", target, request, long_patience);
    if (!body) {
        return body.error();
    }
    Json json = Json::parse(*body, nullptr, false);
    if (!options.in_force && json.is_object() && !json.value("final", true)) {
        write_stderr(verdict_text(*body));
        const std::string number = std::to_string(json.value("number", std::uint64_t{0}));
        body = ask(options, host, "GET", "/v1/reloads/" + number, "", long_patience);
        if (!body) {
            return body.error();
        }
        json = Json::parse(*body, nullptr, false);
    }
    const std::string verdict = json.is_object() ? json.value("verdict", "refused") : "refused";
    const bool is_bad = verdict == "refused" || verdict == "rolled back" || verdict == "hangs";
    return answer(options.json ? *body + "\n" : verdict_text(*body),
                  is_bad ? exit_failed : exit_ok);
}

Result<HostAnswer, int> ask_for_list(const Options& options, const FoundHost& host) {
    const auto get = [&](const char* target) {
        return ask(options, host, "GET", target, "", listing_patience);
    };
    const Result<std::string, int> facts = get("/v1/host");
    if (!facts) {
        return Unexpected<int>(facts.error());
    }
    const Result<std::string, int> workers = get("/v1/workers");
    if (!workers) {
        return Unexpected<int>(workers.error());
    }
    const Json json = Json::parse(*facts, nullptr, false);
    return HostAnswer{json.is_object() ? json.value("name", host.name) : host.name, *workers};
}

}  // namespace

// Asks all hosts at once: a host that does not answer does not delay the others.
int ps(const Options& options) {
    const Result<std::vector<FoundHost>, std::string> hosts = hosts_meant(options);
    if (!hosts) {
        return complain(hosts.error(), exit_no_host);
    }
    std::vector<std::future<Result<HostAnswer, int>>> asked;
    for (const FoundHost& host : *hosts) {
        asked.push_back(std::async(
            std::launch::async | std::launch::deferred, ask_for_list, std::cref(options), host));
    }
    std::vector<HostAnswer> answers;
    int exit_code = exit_ok;
    for (auto& it : asked) {
        Result<HostAnswer, int> listed = it.get();
        if (listed) {
            answers.push_back(std::move(*listed));
        } else {
            exit_code = listed.error();
        }
    }
    if (answers.empty()) {
        return exit_code;
    }
    return answer(options.json ? ps_json(answers) : ps_text(answers), exit_code);
}

int steer(const Options& options) {
    const Result<FoundHost, std::string> host = host_meant(options);
    if (!host) {
        return complain(host.error(), exit_no_host);
    }
    const auto worker = [&](const char* what) { return worker_target(options, what); };
    switch (options.verb) {
        case Verb::status:
            return options.worker.empty() ? show(options, *host, "/v1/host", host_text)
                                          : show(options, *host, worker(""), worker_text);
        case Verb::explain:
            return show(options, *host, worker("explain"), explanation_text);
        case Verb::pause:
            return command(options,
                           *host,
                           worker("pause"),
                           options.wait ? R"({"wait":true})" : "",
                           options.wait ? long_patience : short_patience);
        case Verb::resume:
            return command(options, *host, worker("resume"));
        case Verb::drain:
            return command(options, *host, worker("drain"), "", long_patience);
        case Verb::restart:
            return command(options, *host, worker("restart"), "", long_patience);
        case Verb::send:
            return command(options, *host, worker("send"), payload_body(options));
        case Verb::broadcast:
            return command(options, *host, "/v1/broadcast", payload_body(options));
        case Verb::wait:
            return wait(options, *host);
        case Verb::plan:
            return show(options, *host, "/v1/plan", plan_text);
        case Verb::reload:
            return options.dry_run ? show(options, *host, "/v1/plan", plan_text)
                                   : reload(options, *host, "/v1/reload");
        case Verb::rollback:
            return reload(options, *host, "/v1/rollback");
        case Verb::generations:
            return show(options, *host, "/v1/generations", generations_text);
        case Verb::tap:
            return tap(options, *host);
        case Verb::stop:
            return stop(options, *host);
        default:
            return exit_internal;
    }
}

}  // namespace skep::host
