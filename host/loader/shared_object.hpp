// One shared object in this process: dlopen, dlsym, dlclose, and the proof that it is unmapped.
//
// A thin layer over Boost.DLL, which reports neither the loader's message when an open fails nor
// whether a close unmapped anything. open() and all other calls that run code of the library belong
// on a short-lived thread (run_and_join).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "host/base/result.hpp"

namespace boost::dll {
class shared_library;
}

namespace skep::host {

class SharedObject {
public:
    // Opens with RTLD_NOW and RTLD_LOCAL. The error is the loader's message. `path` must be
    // absolute and never opened before in this process; the proof of close() depends on that.
    // [loader]
    [[nodiscard]] static Result<SharedObject, std::string> open(const std::string& path);

    // Does not close: code of a library that was not closed may still run, so the library stays
    // mapped. [manager-thread]
    ~SharedObject();
    SharedObject(SharedObject&&) noexcept;
    SharedObject& operator=(SharedObject&&) = delete;

    // Returns the address of an exported function, or null. Takes the loader's lock: not for a
    // message path.
    [[nodiscard]] void* find(const char* symbol) const;

    // Closes it. Returns true if no part of it is mapped any more. Ignores the result of dlclose,
    // which reports success either way. [loader]
    bool close();

    // Returns where it is mapped: the address to which its file's addresses are relative, and the
    // end.
    [[nodiscard]] std::pair<std::uintptr_t, std::uintptr_t> range() const;

    // Returns the memory of a library that was opened at `path`, if it is still mapped or mapped
    // again.
    [[nodiscard]] static std::size_t mapped_bytes(const std::string& path);

    struct Range {
        std::uintptr_t begin = 0, end = 0;
    };

    // Returns the ranges of the segments mapped from these files.
    [[nodiscard]] static std::vector<Range> ranges_of(const std::vector<std::string>& paths);

    // Keeps the library mapped from this file mapped for good. [loader]
    static void keep_mapped(const std::string& path);

    // Returns the libraries that were loaded with this one and are mapped now.
    [[nodiscard]] std::vector<std::string> companions() const;

private:
    SharedObject(std::string path,
                 std::unique_ptr<boost::dll::shared_library> library,
                 std::vector<std::string> companions);

    std::string path_;
    std::unique_ptr<boost::dll::shared_library> library_;  // null once closed
    std::vector<std::string> companions_;
};

// The name of threads that run code of a library while it is opened, and of the threads that it
// leaves behind.
inline constexpr const char* loader_thread_name = "skep-loader";

// Runs `work` on a new thread and joins it, so that no thread_local that it uses outlives it.
// Returns false if no thread could be created; then nothing ran.
[[nodiscard]] bool run_and_join(const std::function<void()>& work);

enum class Ran { to_end, no_thread, too_long };  // no_thread: with errno

// The same, for work that opens a library, whose static constructors may never return. too_long:
// the thread continues, with all that `work` holds; is_loader_stuck() is true until it returns.
[[nodiscard]] Ran run_within(std::chrono::milliseconds limit, std::function<void()> work);

// True if a static constructor hangs. Until it returns, the C library holds a lock: no library can
// be opened or closed, and the process has to end by _exit(). [any-thread]
[[nodiscard]] bool is_loader_stuck();

}  // namespace skep::host
