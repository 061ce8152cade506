// A copy of a shared object that asks for its libraries by other names.
//
// dlopen gives a plugin a library that is mapped already if it has the name that the plugin asks
// for (DT_NEEDED): the helper of the version before. So the private copy of a plugin asks for
// private copies of its libraries, by their paths.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "host/base/result.hpp"

namespace skep::host {

struct ElfNames {
    std::map<std::string, std::string> needed;  // what to ask for, by what was asked for
    std::optional<std::string> runpath;         // instead of DT_RUNPATH, or DT_RPATH

    [[nodiscard]] bool empty() const { return needed.empty() && !runpath; }
};

// The same shared object with these names. They lie in a segment of their own at its end, with the
// program headers; nothing else moves, and the sections of the file, which a debugger reads, stay
// as they are. `file` is the name for the diagnostic. Pure; any thread.
[[nodiscard]] Result<std::vector<std::byte>> with_names(std::span<const std::byte> bytes,
                                                        const ElfNames& names,
                                                        const std::string& file);

}  // namespace skep::host
