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

// What it is called when it is about to end: a joined thread is listed by the kernel for a moment
// yet, and must not pass for one left behind.
inline constexpr const char* ended_thread_name = "skep-joined";

// "w:parse#1 (4711)" for every thread that is named as a worker's and is none of `own`, the threads
// of workers that still run.
[[nodiscard]] std::vector<std::string> threads_left_behind(const std::set<pid_t>& own);

}  // namespace skep::host
