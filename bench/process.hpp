// What this process uses, and measurements that need a process of their own.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "bench/contender.hpp"

namespace bench {

// Memory in use, by the exact account of the kernel.
[[nodiscard]] double resident_bytes();
// The same once it has not grown for a fifth of a second.
[[nodiscard]] double settled_resident_bytes();

// CPU time of the whole process over the next `seconds`, during which the caller sleeps.
[[nodiscard]] double idle_percent(double seconds);

// A run that happens in a fresh process, because memory that an earlier one gave back would be used
// again and seem to cost nothing; or because it may take longer than anyone can wait. The child is
// this executable with --measure `id`:COUNT; it prints value and seconds. `id` is
// CELL:CONTENDER:MODE.
[[nodiscard]] std::function<Sample(std::uint64_t)> in_own_process(
    const std::string& id, std::function<Sample(std::uint64_t)> run);

// A child that takes longer is ended, and was too slow.
void limit_children(std::chrono::seconds most);

// The child's side: from now on runs happen right here.
void be_the_child();

}  // namespace bench
