// Explains to the operator why a library cannot be unloaded, or was not.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "host/loader/elf_file.hpp"

namespace skep::host {

// Returns the ids of the threads of this process that have this name now. A new thread inherits the
// name of the thread that created it, so a plugin's threads have the name under which its code ran.
// Any thread.
[[nodiscard]] std::vector<std::string> threads_named(std::string_view name);

// Returns the most likely reason why a library with these facts is mapped after dlclose.
// `companions` are the libraries that were loaded with it and are still mapped.
[[nodiscard]] std::string cause_of_pin(const ElfFacts& facts,
                                       const std::vector<std::string>& companions);

}  // namespace skep::host
