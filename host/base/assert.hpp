// SKEP_ASSERT checks an invariant of the host itself, in every build. A host with a broken
// invariant must not continue: it reports the place on stderr and aborts, and its supervisor can
// restart it. Mistakes of users, plugins or the machine are never asserted; they are Diagnostics
// and events.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace skep::host {

[[noreturn]] inline void assertion_failed(const char* file, int line, const char* what) noexcept {
    std::fprintf(stderr, "skep: bug: %s:%d: assertion failed: %s\n", file, line, what);
    std::abort();
}

}  // namespace skep::host

#define SKEP_ASSERT(condition)          \
    ((condition) ? static_cast<void>(0) \
                 : ::skep::host::assertion_failed(__FILE__, __LINE__, #condition))
