// What a running host says, made readable. Pure.
#pragma once

#include <string>
#include <vector>

namespace skep::host {

// What somebody wrote in several lines, made safe to show line by line.
[[nodiscard]] std::string lines_text(const std::string& text);

// For `skep ps`: hosts with what they say at /v1/workers.
struct HostAnswer {
    std::string host;
    std::string body;
};

[[nodiscard]] std::string ps_text(const std::vector<HostAnswer>& answers);
// One object: {"hosts":[{"host":"x","workers":[...]}]}
[[nodiscard]] std::string ps_json(const std::vector<HostAnswer>& answers);

// Of what /v1/host, /v1/workers/NAME and /v1/workers/NAME/explain say. "" when it is none of that.
[[nodiscard]] std::string host_text(const std::string& body);
[[nodiscard]] std::string worker_text(const std::string& body);
[[nodiscard]] std::string explanation_text(const std::string& body);

// Of what /v1/plan, and /v1/reload or /v1/rollback say.
[[nodiscard]] std::string plan_text(const std::string& body);
[[nodiscard]] std::string verdict_text(const std::string& body);
// Of lines that /v1/tap says: a line each.
[[nodiscard]] std::string tap_text(const std::string& lines);
// Of what /v1/generations says.
[[nodiscard]] std::string generations_text(const std::string& body);

}  // namespace skep::host
