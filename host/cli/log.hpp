// The log of the host, on stderr: one line of text, or one JSON object, for each record.
//
//   16:04:05.123 info  tail@1  opened access.log
//   {"time":"2026-11-22T16:04:05.123Z","level":"info","worker":"tail","generation":1,"text":"..."}
//
// What a plugin logs is shown, never obeyed: bytes that would act on a terminal are escaped, and
// invalid UTF-8 is replaced in JSON.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "host/cli/options.hpp"

namespace skep::host {

struct LogRecord {
    std::chrono::system_clock::time_point time;
    std::string_view level;   // trace, debug, info, warn or error
    std::string_view logger;  // "skep" for the host, "NAME@GENERATION" for a worker
    std::string_view text;
};

// Without the newline. Text in local time; `colour` marks the level by escape sequences.
[[nodiscard]] std::string log_line_text(const LogRecord& record, bool colour);
// In UTC. The host's own lines have null for worker and generation.
[[nodiscard]] std::string log_line_json(const LogRecord& record);

// Makes spdlog write in this way: the default logger is the host's, "skep", and whoever clones it
// under another name writes to the same place. [before any other thread]
void start_log(const Options& options);

}  // namespace skep::host
