// Makes a copy of a shared object that asks for its libraries by other names.
//
// dlopen gives a plugin an already mapped library if that has the requested name (DT_NEEDED): the
// library of the previous version. So the private copy of a plugin asks for private copies of its
// libraries, by their paths.
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
    std::map<std::string, std::string> needed;  // new names, by the old ones
    std::optional<std::string> runpath;         // replaces DT_RUNPATH, or DT_RPATH

    [[nodiscard]] bool empty() const { return needed.empty() && !runpath; }
};

// Returns the same shared object with these names. They lie in their own segment at its end, with
// the program headers. No other part moves, and the sections of the file, which a debugger reads,
// stay as they are. `file` is the file name for the diagnostic. Pure; any thread.
[[nodiscard]] Result<std::vector<std::byte>> with_names(std::span<const std::byte> bytes,
                                                        const ElfNames& names,
                                                        const std::string& file);

}  // namespace skep::host
