// Reads a file that a user names, whatever its kind, within a bounded time and memory.
//
// A path may lead to a FIFO without a writer, to an endless device (/dev/zero), to a socket or a
// folder, or to a file that grows. Nothing here waits longer than `ReadLimits` allows.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include "host/base/clock.hpp"
#include "host/base/result.hpp"

namespace skep::host {

enum class PipeUse {
    refused,     // the file is read more than once, and a pipe gives its bytes only once
    read_to_end  // for `skep run <(generate)`, or a FIFO
};

struct ReadLimits {
    std::size_t bytes = std::size_t{64} << 20;
    Nanos idle = std::chrono::seconds(3);    // longest wait for the next byte of a pipe
    Nanos total = std::chrono::seconds(30);  // longest time for a whole pipe
};

// Reads the file at `path`. The error gives the reason and a hint, for example "cannot read the
// file: No such file or directory".
[[nodiscard]] Result<std::string> read_file(const std::string& path,
                                            PipeUse pipes,
                                            const ReadLimits& limits = {});

}  // namespace skep::host
