// The summary at the end of a run: one line for each worker, and the message accounting over all
// workers.
#pragma once

#include <string>

#include "host/base/result.hpp"
#include "host/worker/metrics.hpp"

namespace skep::host {

// Returns the summary for people: a table of plain text, and the message accounting below it.
[[nodiscard]] std::string summary_text(const HostMetrics& metrics);

// Returns "accounting: offered 3 = accepted 3 + rejected 0; accepted = delivered 3 + ...:
// balanced", without a newline.
[[nodiscard]] std::string accounting_text(const FlowCounts& accounting);

// Returns the summary for programs: one JSON object and a newline.
[[nodiscard]] std::string summary_json(const HostMetrics& metrics);

// Checks, before a long run, that a file can be written at `path`: its folder exists and is
// writable, and `path` is a regular file or does not exist.
[[nodiscard]] Result<Done> check_writable(const std::string& path);

// Writes `text` to the file at `path`, completely or not at all.
[[nodiscard]] Result<Done> write_whole(const std::string& path, const std::string& text);

}  // namespace skep::host
