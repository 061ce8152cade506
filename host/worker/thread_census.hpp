// Finds the threads that workers have left behind. A new thread inherits the name of the thread
// that created it. Thus a thread that a plugin starts and does not join has the name of its
// worker's thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include <sys/types.h>

namespace skep::host {

// Returns the name of a worker's thread: "w:NAME#GENERATION", cut to the 15 bytes that Linux keeps.
[[nodiscard]] std::string worker_thread_name(const std::string& worker, std::uint64_t generation);

void name_this_thread(const std::string& worker, std::uint64_t generation);

// The name of a thread that is about to end. The kernel lists a joined thread for a moment, and it
// must not count as left behind.
inline constexpr const char* ended_thread_name = "skep-joined";

// The name of a thread that stands by while another thread serves its worker.
inline constexpr const char* standing_by_name = "skep-standby";

// Returns every thread of this process with the name of a worker's thread, by its id. Threads of
// running workers are among them; a thread has its worker's id before it has the name. [any-thread]
[[nodiscard]] std::map<pid_t, std::string> threads_named_as_workers();

}  // namespace skep::host
