// The messages between the parent of a probe and its child (probe.hpp).
//
// The request is a file of length-prefixed texts. Parameters may hold any bytes and may be secret,
// so they are neither in the arguments nor in the environment. The child answers in lines, each of
// which begins with the nonce of the request. All other output in the child's pipe comes from the
// plugin.
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

// A plugin that the child opens: the path of a private copy that was checked.
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

// Returns nothing if `text` is not the output of encode().
[[nodiscard]] std::optional<ProbeRequest> decode_probe_request(std::string_view text);

// The meaning of a line of the child.
enum class ProbeStep : char {
    load = 'l',    // the child is about to open the subject
    unload = 'u',  // the child is about to close the subject again
    create = 'c',  // the child is about to create the worker with the number `worker`
    pass = 'p',    // the subject has passed
    fail = 'f',    // the subject has failed: `words`
};

struct ProbeLine {
    ProbeStep step = ProbeStep::load;
    std::size_t subject = 0, worker = 0;
    std::string words;

    bool operator==(const ProbeLine&) const = default;
};

// Returns the line of the child, to be written in one piece. It begins with a newline, to end any
// unfinished line of the plugin.
[[nodiscard]] std::string encode(const std::string& nonce, const ProbeLine& line);

// Returns nothing if the line is not from the child of this nonce. `line` is without its newline.
[[nodiscard]] std::optional<ProbeLine> decode_probe_line(const std::string& nonce,
                                                         std::string_view line);

}  // namespace skep::host
