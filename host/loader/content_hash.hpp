// Names the content of a file: files with the same hash are the same.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace skep::host {

// Returns SHA-256 in hex, as sha256sum prints it.
[[nodiscard]] std::string content_hash(std::span<const std::byte> bytes);

}  // namespace skep::host
