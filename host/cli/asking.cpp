#include "host/cli/asking.hpp"

#include <cstdio>
#include <cstdlib>

#include <nlohmann/json.hpp>

#include "host/base/contains.hpp"
#include "host/cli/output.hpp"
#include "host/cli/steer.hpp"
#include "host/control/explain.hpp"
#include "host/control/places.hpp"
#include "host/daemon/log.hpp"

namespace skep::host {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* nobody = "no host is running; 'skep run FILE' starts one";

int exit_code_of(const AskError& error) {
    return error.kind == AskError::Kind::forbidden ? exit_permission : exit_no_host;
}

int exit_code_of(const Response& response, const std::string& code) {
    if (response.status == 403) {
        return exit_permission;
    }
    if (code == "unknown_worker") {
        return exit_unknown;
    }
    return code == "busy" ? exit_no_host : exit_failed;
}

// Returns "; did you mean 'parse'?" for the worker that the host does not know, or "".
std::string worker_meant(const FoundHost& host, const Options& options) {
    std::vector<std::string> names;
    if (const auto response = ask_host(host.path, "GET", "/v1/workers", "", short_patience)) {
        const Json json = Json::parse(response->body, nullptr, false);
        for (const Json& it : json.is_object() ? json.value("workers", Json::array()) : Json()) {
            names.push_back(it.is_object() ? it.value("name", "") : "");
        }
    }
    const std::string sender = options.from.substr(0, options.from.find('.'));
    for (const std::string& worker : {options.worker, sender, options.to}) {
        const std::string meant = contains(names, worker) ? "" : nearest(worker, names);
        if (!worker.empty() && !meant.empty()) {
            return "; did you mean '" + meant + "'?";
        }
    }
    return "";
}

// Prints why a host refused. Returns the exit code for the refusal.
int report_refusal(const Options& options, const FoundHost& host, const Response& response) {
    const Json json = Json::parse(response.body, nullptr, false);
    const bool has_error = json.is_object() && json.contains("error") && json["error"].is_object();
    const Json error = has_error ? json["error"] : Json::object();
    const int exit_code = exit_code_of(response, error.value("code", ""));
    const std::string why = error.value("message", "host returned an error without a message");
    return complain(exit_code == exit_unknown ? why + worker_meant(host, options) : why, exit_code);
}

std::string named(const FoundHost& host) {
    const std::string name = host.name.empty() ? "the host" : "host '" + host.name + "'";
    return host.pid == 0 ? name : name + " (process " + std::to_string(host.pid) + ")";
}

// Prints that a host did not answer. Returns the exit code for the error.
int report_silence(const FoundHost& host, const AskError& error) {
    const bool is_late = error.silence > Nanos(0);
    return complain(
        "no answer from " + named(host) + (is_late ? " within " + span_text(error.silence) : "") +
            ": " + error.why +
            (is_late ? "\nthe host may be stopped (SIGSTOP), or the machine overloaded" : ""),
        exit_code_of(error));
}

}  // namespace

int complain(const std::string& what, int exit_code) {
    write_stderr(lines_text("skep: " + what));
    return exit_code;
}

Result<std::vector<FoundHost>, std::string> hosts_meant(const Options& options) {
    if (options.control == "none") {
        return Unexpected<std::string>("cannot ask a host: the control socket is 'none'");
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
        why += (name == names.front() ? "; running: " : ", ") + name;
    }
    return Unexpected<std::string>(meant.empty() ? why : why + "; did you mean '" + meant + "'?");
}

Result<FoundHost, std::string> host_meant(const Options& options) {
    Result<std::vector<FoundHost>, std::string> hosts = hosts_meant(options);
    if (!hosts) {
        return Unexpected<std::string>(hosts.error());
    }
    if (hosts->size() == 1) {
        return hosts->front();
    }
    std::string why = "several hosts are running; select one with --host NAME:";
    for (const FoundHost& it : *hosts) {
        why += (it.path == hosts->front().path ? " " : ", ") + it.name;
    }
    return Unexpected<std::string>(why);
}

Result<std::string, int> ask(const Options& options,
                             const FoundHost& host,
                             const std::string& method,
                             const std::string& target,
                             const std::string& body,
                             Nanos patience) {
    const Result<Response, AskError> response = ask_host(host.path, method, target, body, patience);
    if (!response) {
        return Unexpected<int>(report_silence(host, response.error()));
    }
    if (response->status >= 400) {
        return Unexpected<int>(report_refusal(options, host, *response));
    }
    return response->body;
}

int read_stream(const Options& options,
                const FoundHost& host,
                const std::string& target,
                const OnPiece& on_piece) {
    const Result<Response, AskError> response =
        read_host_stream(host.path, target, on_piece, long_patience);
    if (!response) {
        return report_silence(host, response.error());
    }
    return response->status >= 400 ? report_refusal(options, host, *response) : int(exit_ok);
}

}  // namespace skep::host
