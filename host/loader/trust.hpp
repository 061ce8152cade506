// The trust gate: reads a plugin's file, once, if only root or this user could have written it.
//
// The path is resolved first, so that a plugin may be installed by a symbolic link; after that, a
// link is an error. All checks and the read use one open file, so the content that was checked is
// the content that was read. The gate protects against accidents (a build folder that every user
// may write to), not against an attacker with the rights of this user.
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

// The last step: reads all bytes of `fd`. Fails if the file is not as `before` after the read.
[[nodiscard]] Result<FileBytes> read_unchanged(int fd,
                                               const struct stat& before,
                                               const std::string& path);

}  // namespace skep::host
