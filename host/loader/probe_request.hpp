// What the parent of a probe and its child say to each other (probe.hpp).
//
// The request is a file of length-prefixed texts, since parameters hold any bytes, and may be
// secret: they stand neither in the arguments nor in the environment. The child answers in lines,
// each of which begins with the nonce of the request. Everything else that comes out of the child's
// pipe was written by the plugin.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/topology/plugin_info.hpp"

namespace skep::host {

// The first argument of the child.
inline constexpr const char* probe_verb = "probe-in-child";

// A worker that the child creates.
struct ProbeWorker {
    std::string name, type;
    std::map<std::string, ParamValue> config;

    bool operator==(const ProbeWorker&) const = default;
};

// A plugin that the child opens, at the path of a private copy that was checked.
struct ProbeSubject {
    std::string path;
    std::vector<ProbeWorker> workers;

    bool operator==(const ProbeSubject&) const = default;
};

struct ProbeRequest {
    std::string nonce;
    std::vector<ProbeSubject> subjects;

    bool operator==(const ProbeRequest&) const = default;
};

[[nodiscard]] std::string encode(const ProbeRequest& request);

// Nothing: it is not what encode() makes.
[[nodiscard]] std::optional<ProbeRequest> decode_probe_request(std::string_view text);

// What a line of the child says.
enum class ProbeStep : char {
    load = 'l',    // the child is about to open the subject
    unload = 'u',  // it is about to close the subject again
    create = 'c',  // it is about to create the worker with the number `worker`
    pass = 'p',    // the subject has passed
    fail = 'f',    // it has not: `words`
};

struct ProbeLine {
    ProbeStep step = ProbeStep::load;
    std::size_t subject = 0, worker = 0;
    std::string words;

    bool operator==(const ProbeLine&) const = default;
};

// The line as the child writes it, in one piece, behind whatever the plugin has written without a
// newline.
[[nodiscard]] std::string encode(const std::string& nonce, const ProbeLine& line);

// Nothing: the line was written by something else than the child of this nonce. Without newline.
[[nodiscard]] std::optional<ProbeLine> decode_probe_line(const std::string& nonce,
                                                         std::string_view line);

}  // namespace skep::host
