// Clang's thread safety annotations under short names. They are empty on other compilers.
//
// Every mutable field of a class with a lock names the lock that guards it. Every private helper
// that needs the lock held says so. `clang++ -Wthread-safety` then proves it (CI does). The names
// are those of https://clang.llvm.org/docs/ThreadSafetyAnalysis.html without the ATTRIBUTE noise.
#pragma once

#if defined(__clang__)
#define SKEP_ATTRIBUTE(x) __attribute__((x))
#else
#define SKEP_ATTRIBUTE(x)
#endif

#define CAPABILITY(x) SKEP_ATTRIBUTE(capability(x))
#define SCOPED_CAPABILITY SKEP_ATTRIBUTE(scoped_lockable)
#define GUARDED_BY(x) SKEP_ATTRIBUTE(guarded_by(x))
#define REQUIRES(...) SKEP_ATTRIBUTE(requires_capability(__VA_ARGS__))
#define ACQUIRE(...) SKEP_ATTRIBUTE(acquire_capability(__VA_ARGS__))
#define RELEASE(...) SKEP_ATTRIBUTE(release_capability(__VA_ARGS__))
#define EXCLUDES(...) SKEP_ATTRIBUTE(locks_excluded(__VA_ARGS__))
#define ASSERT_CAPABILITY(x) SKEP_ATTRIBUTE(assert_capability(x))
#define NO_THREAD_SAFETY_ANALYSIS SKEP_ATTRIBUTE(no_thread_safety_analysis)
