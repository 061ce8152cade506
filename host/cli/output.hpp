// The output of a verb: its answer on stdout, what is wrong on stderr.
#pragma once

#include <string>

#include "host/base/diagnostic.hpp"

namespace skep::host {

// Keeps stdout for the answer of a verb that loads plugins: what a plugin prints on stdout while it
// is loaded goes to stderr, so that the answer stays valid JSON, or a valid graph.
class AnswerStream {
public:
    // Moves stdout to stderr. Without a free descriptor stdout stays what it is. [main]
    AnswerStream();
    ~AnswerStream();
    AnswerStream(const AnswerStream&) = delete;
    AnswerStream& operator=(const AnswerStream&) = delete;

    // Writes all of `text` to what stdout was. Returns `exit_code`, or exit_failed where that takes
    // no more.
    [[nodiscard]] int write(const std::string& text, int exit_code) const;

private:
    const int fd_;  // a duplicate of stdout; -1: none
};

// Writes `text` to stdout and flushes it. Returns `exit_code`, or exit_failed if stdout cannot be
// written.
[[nodiscard]] int answer(const std::string& text, int exit_code);

// Writes the diagnostics to stderr. Returns `exit_code`.
int refuse(const Diagnostics& diagnostics, int exit_code);

}  // namespace skep::host
