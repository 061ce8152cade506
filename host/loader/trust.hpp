// The trust gate: reads a plugin's file, once, if nobody but root or this user could have written
// it.
//
// The path is resolved first, so that a plugin may be installed by a symbolic link; after that a
// link is an error. All checks and the read go to one open file, so that what was checked is what
// was read. It keeps accidents out (a build folder that anyone may write to), not an attacker who
// is this user.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include <sys/stat.h>

#include "host/base/result.hpp"

namespace skep::host {

// The whole content of a file. Movable.
struct FileBytes {
    std::unique_ptr<std::byte[]> data;
    std::size_t size = 0;

    [[nodiscard]] std::span<const std::byte> span() const { return {data.get(), size}; }
};

// Reads the file at `path` if it can be trusted. Any thread.
[[nodiscard]] Result<FileBytes> read_trusted(const std::string& path);

// Its last step: all bytes of `fd`, provided that it is still as `before` when they have been read.
[[nodiscard]] Result<FileBytes> read_unchanged(int fd,
                                               const struct stat& before,
                                               const std::string& path);

}  // namespace skep::host
