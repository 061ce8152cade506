// The log of the host, on stderr: one line of text, or one JSON object, for each record.
//
//   16:04:05.123 info  tail@1  opened access.log
//   {"time":"2026-11-22T16:04:05.123Z","level":"info","worker":"tail","generation":1,"text":"..."}
//
// What a plugin logs is only shown: bytes that would act on a terminal are escaped, and invalid
// UTF-8 is replaced in JSON.
//
// Nobody waits for the reader of stderr: log_writer.hpp. What the host itself has to say on stderr,
// as the summary, takes the same way, so that it stands in order with the log.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "host/base/clock.hpp"
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

// Makes spdlog write in this way: the default logger is the host's, "skep", and a clone of it under
// another name writes to the same place. [before any other thread]
void start_log(const Options& options);

// How long an end of the process waits for a stderr that is blocked.
inline constexpr Nanos log_patience = std::chrono::milliseconds(200);

// Writes whole lines to stderr, in order with the log. Never blocks once the log has started.
// [any-thread]
void write_stderr(const std::string& text);

// Waits until the log is written. False: stderr took too long, and the process has to end by
// _exit(). [any-thread]
bool flush_log(Nanos patience = log_patience);

// The same for a handler of a fatal signal: lines that a worker logged before it crashed would be
// missing otherwise. Async-signal-safe.
void flush_log_in_signal_handler(Nanos patience = log_patience);

}  // namespace skep::host
