// Which threads workers have left behind. A new thread inherits the name of the one that started
// it, so what a plugin starts and does not join is found by the name that its worker's thread had.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include <sys/types.h>

namespace skep::host {

// What a worker's thread is called: "w:NAME#GENERATION", cut to the 15 bytes that Linux keeps.
[[nodiscard]] std::string worker_thread_name(const std::string& worker, std::uint64_t generation);

// "w:parse#1 (4711)" for every thread that is named as a worker's, and is none of `own`.
//
// A thread that has been joined may be listed for a moment more, so this looks again for up to a
// fifth of a second before it reports one. [manager-thread]
[[nodiscard]] std::vector<std::string> threads_left_behind(const std::set<pid_t>& own);

}  // namespace skep::host
