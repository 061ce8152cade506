// Formats the responses of a running host for people. Pure.
#pragma once

#include <string>
#include <vector>

namespace skep::host {

// Escapes each line of `text`, which makes it safe to show on a terminal.
[[nodiscard]] std::string lines_text(const std::string& text);

// For `skep ps`: a host and the body of its response to /v1/workers.
struct HostAnswer {
    std::string host;
    std::string body;
};

[[nodiscard]] std::string ps_text(const std::vector<HostAnswer>& answers);
// Returns one object: {"hosts":[{"host":"x","workers":[...]}]}.
[[nodiscard]] std::string ps_json(const std::vector<HostAnswer>& answers);

// Format the bodies of /v1/host, /v1/workers/NAME and /v1/workers/NAME/explain. Return "" for a
// body that is not a JSON object.
[[nodiscard]] std::string host_text(const std::string& body);
[[nodiscard]] std::string worker_text(const std::string& body);
[[nodiscard]] std::string explanation_text(const std::string& body);

// Format the bodies of /v1/plan, and of /v1/reload or /v1/rollback.
[[nodiscard]] std::string plan_text(const std::string& body);
[[nodiscard]] std::string verdict_text(const std::string& body);
// Formats lines of /v1/tap, each as one line.
[[nodiscard]] std::string tap_text(const std::string& lines);
// Formats the body of /v1/generations.
[[nodiscard]] std::string generations_text(const std::string& body);

}  // namespace skep::host
