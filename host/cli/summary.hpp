// What a run came to: one line for each worker, and the accounting over all of them.
#pragma once

#include <string>

#include "host/base/result.hpp"
#include "host/worker/metrics.hpp"

namespace skep::host {

// For people: a table of plain text, and the message accounting below it.
[[nodiscard]] std::string summary_text(const HostMetrics& metrics);

// "accounting: offered 3 = accepted 3 + rejected 0; accepted = delivered 3 + ...: balanced", without a
// newline.
[[nodiscard]] std::string accounting_text(const FlowCounts& accounting);

// For programs: one JSON object and a newline.
[[nodiscard]] std::string summary_json(const HostMetrics& metrics);

// Whether a file could be written at `path`: its folder is there, and it would replace nothing but
// a file. To be asked before a long run, not after it.
[[nodiscard]] Result<Done> check_writable(const std::string& path);

// Puts `text` into the file at `path`, whole or not at all.
[[nodiscard]] Result<Done> write_whole(const std::string& path, const std::string& text);

}  // namespace skep::host
