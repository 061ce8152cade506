// How much a test does that searches or repeats: in every run a hundredth of what is worth doing.
// `./dev check long` sets SKEP_STRESS=100 and runs all tests that include this file.
#pragma once

#include <algorithm>
#include <cstdlib>

namespace skep::test {

// Multiplies the seeds, messages or tries of such a test. 1 unless SKEP_STRESS says otherwise.
inline int stress_factor() {
    const char* const factor = std::getenv("SKEP_STRESS");
    return factor == nullptr ? 1 : std::max(1, std::atoi(factor));
}

}  // namespace skep::test
