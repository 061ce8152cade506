// Why a library cannot be unloaded, or was not, in words for the operator.
#pragma once

#include <string>
#include <vector>

#include "host/loader/elf_file.hpp"

namespace skep::host {

// The ids of the threads that run now and that code on a short-lived loader thread started: they
// inherited its name. [manager-thread, outside of open and close]
[[nodiscard]] std::vector<std::string> threads_of_loading();

// The most likely reason why a library with these facts is mapped after dlclose. `companions` are
// the libraries that came with it and are still mapped.
[[nodiscard]] std::string cause_of_pin(const ElfFacts& facts,
                                       const std::vector<std::string>& companions);

}  // namespace skep::host
