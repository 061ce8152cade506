// Reads a file that a user names, whatever stands at its path, within a bounded time and memory.
//
// A path may lead to a FIFO that nobody writes, to a device without an end (/dev/zero), to a socket
// or a folder, or to a file that grows. Nothing here waits longer than `ReadLimits` says.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include "host/base/clock.hpp"
#include "host/base/result.hpp"

namespace skep::host {

enum class PipeUse {
    refused,     // the file is read more than once, and a pipe gives its bytes once
    read_to_end  // `skep run <(generate)`, or a FIFO
};

struct ReadLimits {
    std::size_t bytes = std::size_t{64} << 20;
    Nanos idle = std::chrono::seconds(3);    // without a byte of a pipe
    Nanos total = std::chrono::seconds(30);  // for all of a pipe
};

// The error says what is wrong with `path`, with a hint; a file that cannot be opened or read:
// "cannot be read: No such file or directory".
[[nodiscard]] Result<std::string> read_file(const std::string& path,
                                            PipeUse pipes,
                                            const ReadLimits& limits = {});

}  // namespace skep::host
