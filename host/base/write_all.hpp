// Writes text to a descriptor that may take it in pieces, or have no room for a while.
#pragma once

#include <string_view>

namespace skep::host {

// Writes all of `text` and blocks while the descriptor has no room, also when another process has
// made it non-blocking. `text` is what is left afterwards. Returns 0, or errno of the write that
// failed. [any-thread]
[[nodiscard]] int write_all(int fd, std::string_view& text);

}  // namespace skep::host
