#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "host/cli/prepare.hpp"
#include "host/cli/steer.hpp"
#include "host/cli/verbs.hpp"
#include "host/control/client.hpp"
#include "host/control/places.hpp"

namespace skep::host {
namespace {

using Json = nlohmann::ordered_json;

// What answers at once. A host that is starting answers when it runs.
constexpr Nanos short_patience = std::chrono::seconds(30);
// What may take as long as a worker does.
constexpr Nanos long_patience = std::chrono::hours(24 * 365);

int complain(const std::string& what, int exit_code) {
    std::fputs(lines_text("skep: " + what).c_str(), stderr);
    return exit_code;
}

constexpr const char* nobody = "no host is running; 'skep run FILE' starts one";

// Those that the options mean, or why there is none to ask.
Result<std::vector<FoundHost>, std::string> hosts_meant(const Options& options) {
    if (options.control == "none") {
        return Unexpected<std::string>("there is no host at the control socket 'none'");
    }
    if (!options.control.empty()) {
        return std::vector<FoundHost>{{"", options.control, 0}};
    }
    const std::vector<std::string> folders = control_folders(std::getenv("XDG_RUNTIME_DIR"));
    std::vector<FoundHost> found = find_hosts(folders);
    if (found.empty() && options.host.empty()) {
        return Unexpected<std::string>(nobody);
    }
    if (options.host.empty()) {
        return found;
    }
    std::vector<std::string> names;
    for (const FoundHost& it : found) {
        if (it.name == options.host) {
            return std::vector<FoundHost>{it};
        }
        names.push_back(it.name);
    }
    std::string why = "no host '" + options.host + "' is running";
    const std::string meant = nearest(options.host, names);
    for (const std::string& name : names) {
        why += (name == names.front() ? "; there is " : ", ") + name;
    }
    return Unexpected<std::string>(meant.empty() ? why : why + ". Did you mean '" + meant + "'?");
}

Result<FoundHost, std::string> host_meant(const Options& options) {
    Result<std::vector<FoundHost>, std::string> hosts = hosts_meant(options);
    if (!hosts) {
        return Unexpected<std::string>(hosts.error());
    }
    if (hosts->size() == 1) {
        return hosts->front();
    }
    std::string why = "several hosts run, and --host NAME has to say which is meant:";
    for (const FoundHost& it : *hosts) {
        why += (it.path == hosts->front().path ? " " : ", ") + it.name;
    }
    return Unexpected<std::string>(why);
}

int exit_code_of(const AskError& error) {
    return error.kind == AskError::Kind::forbidden ? exit_permission : exit_no_host;
}

int exit_code_of(const Reply& reply, const std::string& code) {
    if (reply.status == 403) {
        return exit_permission;
    }
    if (code == "unknown_worker") {
        return exit_unknown;
    }
    return code == "busy" ? exit_no_host : exit_failed;
}

// "; did you mean 'parse'?", or "".
std::string worker_meant(const FoundHost& host, const std::string& worker) {
    std::vector<std::string> names;
    if (const auto reply = ask_host(host.path, "GET", "/v1/workers", "", short_patience)) {
        const Json json = Json::parse(reply->body, nullptr, false);
        for (const Json& it : json.is_object() ? json.value("workers", Json::array()) : Json()) {
            names.push_back(it.is_object() ? it.value("name", "") : "");
        }
    }
    const std::string meant = nearest(worker, names);
    return meant.empty() ? "" : "; did you mean '" + meant + "'?";
}

// Asks one host, and tells on stderr what was wrong. The exit code is for who has no answer.
Result<std::string, int> ask(const Options& options,
                             const FoundHost& host,
                             const std::string& method,
                             const std::string& target,
                             const std::string& body = "",
                             Nanos patience = short_patience) {
    const Result<Reply, AskError> reply = ask_host(host.path, method, target, body, patience);
    if (!reply) {
        return Unexpected<int>(
            complain("no answer from the host: " + reply.error().why, exit_code_of(reply.error())));
    }
    if (reply->status < 400) {
        return reply->body;
    }
    const Json json = Json::parse(reply->body, nullptr, false);
    const bool is_told = json.is_object() && json.contains("error") && json["error"].is_object();
    const Json error = is_told ? json["error"] : Json::object();
    const int exit_code = exit_code_of(*reply, error.value("code", ""));
    const std::string why = error.value("message", "the host refused without a word");
    return Unexpected<int>(complain(
        exit_code == exit_unknown ? why + worker_meant(host, options.worker) : why, exit_code));
}

std::string worker_target(const Options& options, const std::string& what = "") {
    return "/v1/workers/" + encoded(options.worker) + (what.empty() ? "" : "/" + what);
}

std::string text_body(const Options& options) {
    const Json body = {{"text", options.text}};
    return body.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// Whether every worker of a status is at rest; of a host, never.
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
    const Result<std::string, int> body = ask(options, host, "GET", target);
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
    const std::string who =
        options.worker.empty() ? "not every worker" : options.worker + " is not";
    return complain(who + (options.worker.empty() ? " is " : " ") + state + " in that time",
                    exit_failed);
}

// Ends when the process has: what it had to say at its end is then said.
int stop(const Options& options, const FoundHost& host) {
    const Result<std::string, int> facts = ask(options, host, "GET", "/v1/host");
    if (!facts) {
        return facts.error();
    }
    const Json json = Json::parse(*facts, nullptr, false);
    const pid_t pid = json.is_object() ? json.value("pid", 0) : 0;
    Json body = Json::object();
    if (options.now) {
        body["now"] = true;
    }
    if (options.grace) {
        body["grace_ms"] =
            std::chrono::duration_cast<std::chrono::milliseconds>(*options.grace).count();
    }
    const Result<std::string, int> done = ask(options, host, "POST", "/v1/stop", body.dump());
    if (!done) {
        return done.error();
    }
    return wait_for_end_of(pid, long_patience)
               ? int(exit_ok)
               : complain("the host was told to stop; its end cannot be watched", exit_ok);
}

// A refusal is an answer too.
int reload(const Options& options, const FoundHost& host, const std::string& target) {
    const std::string wish = options.discard_state ? R"({"discard_state":true})" : "";
    const Result<std::string, int> body = ask(options, host, "POST", target, wish, long_patience);
    if (!body) {
        return body.error();
    }
    const Json json = Json::parse(*body, nullptr, false);
    const bool is_refused = !json.is_object() || json.value("verdict", "refused") == "refused";
    return answer(options.json ? *body + "\n" : verdict_text(*body),
                  is_refused ? exit_failed : exit_ok);
}

}  // namespace

int ps(const Options& options) {
    const Result<std::vector<FoundHost>, std::string> hosts = hosts_meant(options);
    if (!hosts) {
        return complain(hosts.error(), exit_no_host);
    }
    std::vector<HostAnswer> answers;
    int exit_code = exit_ok;
    for (const FoundHost& host : *hosts) {
        const Result<std::string, int> facts = ask(options, host, "GET", "/v1/host");
        const Result<std::string, int> workers =
            facts ? ask(options, host, "GET", "/v1/workers") : Result<std::string, int>(facts);
        if (!workers) {
            exit_code = workers.error();
            continue;
        }
        const Json json = Json::parse(*facts, nullptr, false);
        answers.push_back({json.is_object() ? json.value("name", host.name) : host.name, *workers});
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
            return command(options, *host, worker("send"), text_body(options));
        case Verb::broadcast:
            return command(options, *host, "/v1/broadcast", text_body(options));
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
        case Verb::stop:
            return stop(options, *host);
        default:
            return exit_internal;
    }
}

}  // namespace skep::host
