// One shared object in this process: dlopen, dlsym, dlclose, and the proof that it has gone.
//
// A thin layer over Boost.DLL, which reports neither the loader's words when an open fails nor
// whether a close unmapped anything. open, and whatever else runs code of the library, belongs on a
// short-lived thread (run_and_join).
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
    // Opens with RTLD_NOW and RTLD_LOCAL. The error is the loader's own sentence. `path` is
    // absolute and was never opened before in this process; the proof of close() rests on that.
    // [loader]
    [[nodiscard]] static Result<SharedObject, std::string> open(const std::string& path);

    // Does not close: what nobody closed may still be running, and stays mapped. [manager-thread]
    ~SharedObject();
    SharedObject(SharedObject&&) noexcept;
    SharedObject& operator=(SharedObject&&) = delete;

    // The address of an exported function, or null. Takes the loader's lock: not for a message
    // path.
    [[nodiscard]] void* find(const char* symbol) const;

    // Closes it. True: nothing of it is mapped any more. dlclose's own answer is not asked for,
    // since it says "done" either way. [loader]
    bool close();

    // Where it is mapped: the address that its file's addresses are counted from, and the end.
    [[nodiscard]] std::pair<std::uintptr_t, std::uintptr_t> range() const;

    // How much memory a library that was opened at `path` has now, if it is mapped still, or again.
    [[nodiscard]] static std::size_t mapped_bytes(const std::string& path);

    struct Range {
        std::uintptr_t begin = 0, end = 0;
    };

    // Where the segments are of what is mapped from these files.
    [[nodiscard]] static std::vector<Range> ranges_of(const std::vector<std::string>& paths);

    // Keeps a library mapped for good that is mapped from this file. [loader]
    static void keep_mapped(const std::string& path);

    // Of the libraries that came into the process with this one, those that are mapped now.
    [[nodiscard]] std::vector<std::string> companions() const;

private:
    SharedObject(std::string path,
                 std::unique_ptr<boost::dll::shared_library> library,
                 std::vector<std::string> companions);

    std::string path_;
    std::unique_ptr<boost::dll::shared_library> library_;  // null once closed
    std::vector<std::string> companions_;
};

// Threads that run code of a library while it is opened carry this name, and so do those that it
// leaves behind.
inline constexpr const char* loader_thread_name = "skep-loader";

// Runs `work` on a thread of its own and waits for its end, so that no thread_local that it touches
// outlives it. False: no thread could be made, and nothing ran.
[[nodiscard]] bool run_and_join(const std::function<void()>& work);

enum class Ran { to_end, no_thread, too_long };  // no_thread: with errno

// The same, for work that opens a library, whose static constructors may never return. Too long:
// the thread is left alone with all that `work` holds, and until it returns is_loader_stuck().
[[nodiscard]] Ran run_within(std::chrono::milliseconds limit, std::function<void()> work);

// Whether a static constructor hangs. The C library holds a lock for as long as it runs: nothing
// can be opened or closed meanwhile, and the process has to end by _exit(). [any-thread]
[[nodiscard]] bool is_loader_stuck();

}  // namespace skep::host
