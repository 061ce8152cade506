// Which threads workers have left behind. A new thread inherits the name of the one that started
// it, so what a plugin starts and does not join is found by the name that its worker's thread had.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include <sys/types.h>

namespace skep::host {

// What a worker's thread is called: "w:NAME#GENERATION", cut to the 15 bytes that Linux keeps.
[[nodiscard]] std::string worker_thread_name(const std::string& worker, std::uint64_t generation);

void name_this_thread(const std::string& worker, std::uint64_t generation);

// What it is called when it is about to end: a joined thread is listed by the kernel for a moment
// yet, and must not pass for one left behind.
inline constexpr const char* ended_thread_name = "skep-joined";

// And while another thread serves its worker.
inline constexpr const char* standing_by_name = "skep-standby";

// Every thread of this process that is named as a worker's, by its id. Those of running workers are
// among them; a thread has its worker's id before it has the name. [any-thread]
[[nodiscard]] std::map<pid_t, std::string> threads_named_as_workers();

}  // namespace skep::host
