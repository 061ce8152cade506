// The log of the host on stderr: one line of text, or one JSON object, for each record.
//
//   16:04:05.123 info  tail@1  opened access.log
//   {"time":"2026-11-22T16:04:05.123Z","level":"info","worker":"tail","generation":1,"text":"..."}
//
// The log escapes bytes of a plugin's text that would act on a terminal, and replaces invalid
// UTF-8 in JSON.
//
// No thread but the writer's waits for the reader of stderr (log_writer.hpp). Other output of the
// host on stderr, such as the summary, takes the same way, which keeps it in order with the log.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "host/base/clock.hpp"

namespace skep::host {

struct LogRecord {
    std::chrono::system_clock::time_point time;
    std::string_view level;   // trace, debug, info, warn or error
    std::string_view logger;  // "skep" for the host, "NAME@GENERATION" for a worker
    std::string_view text;
};

// Returns the line in local time, without a newline. `colour` marks the level by escape sequences.
[[nodiscard]] std::string log_line_text(const LogRecord& record, bool colour);
// Returns the JSON object with the time in UTC, without a newline. The host's own lines have null
// for worker and generation.
[[nodiscard]] std::string log_line_json(const LogRecord& record);

// Makes spdlog write this log. The default logger is the host's, "skep"; a clone of it under
// another name writes to the same place. `level` is trace, debug, info, warn or error. [before any
// other thread]
void start_log(const std::string& level, bool json);

// How long the process waits at its end for a stderr that is blocked.
inline constexpr Nanos log_patience = std::chrono::milliseconds(200);

// Writes whole lines to stderr, in order with the log. Never blocks once the log has started.
// [any-thread]
void write_stderr(const std::string& text);

// Blocks until the log is written. False: stderr took too long, and the process must end with
// _exit(). [any-thread]
bool flush_log(Nanos patience = log_patience);

// As flush_log(), for a handler of a fatal signal. Without this call the last lines that a crashed
// worker logged would be missing. Async-signal-safe.
void flush_log_in_signal_handler(Nanos patience = log_patience);

}  // namespace skep::host
