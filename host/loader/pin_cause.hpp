// Why a library cannot be unloaded, or was not, in words for the operator.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "host/loader/elf_file.hpp"

namespace skep::host {

// The ids of the threads of this process that have this name now. A new thread inherits the name of
// the one that started it, so a plugin's are found by the name that its code ran under. Any thread.
[[nodiscard]] std::vector<std::string> threads_named(std::string_view name);

// The most likely reason why a library with these facts is mapped after dlclose. `companions` are
// the libraries that came with it and are still mapped.
[[nodiscard]] std::string cause_of_pin(const ElfFacts& facts,
                                       const std::vector<std::string>& companions);

}  // namespace skep::host
