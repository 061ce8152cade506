// What is said when the process dies inside of a plugin: one line on stderr that names the worker,
// its generation, the call, the plugin and its version, and the place in the plugin's file.
//
//   worker 'parse'@2: SIGSEGV in on_message; plugin 'org.example.parse' 1.4.0, ./parse.so+0x1a2b
//
// A fatal signal then takes its default action, so a core is written; exit() and quick_exit() in a
// plugin end the host. Whose call it is comes from the thread (CrashScope). A thread that a plugin
// started is attributed by its name, which it inherited from its worker's thread, and by the code
// of a plugin on its stack (note_code).
//
// A handler interrupts any code at any place. It therefore reads only what is here: state that is
// preallocated, written with atomics and never freed. That is why this state is global.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace skep::host {

// Whose code runs. The text outlives every scope that uses it.
struct CrashPlace {
    std::string_view worker;  // "": none, as while a plugin is opened
    std::uint64_t generation = 0;
    std::string_view plugin, version;  // "": not known yet
    std::string_view file;             // the user's, not the private copy
};

// From its making to its end the calling thread runs code of a plugin, in this call.
class CrashScope {
public:
    CrashScope(const CrashPlace& place, const char* call) noexcept
        : place_before_(current_place),
          call_before_(current_call) {
        current_place = &place;
        current_call = call;
    }

    ~CrashScope() {
        current_place = place_before_;
        current_call = call_before_;
    }

    CrashScope(const CrashScope&) = delete;
    CrashScope& operator=(const CrashScope&) = delete;

    // Of the calling thread; null: it runs no code of a plugin.
    [[nodiscard]] static const CrashPlace* place() { return current_place; }

    [[nodiscard]] static const char* call() { return current_call; }

private:
    static constinit inline thread_local const CrashPlace* current_place = nullptr;
    static constinit inline thread_local const char* current_call = nullptr;

    const CrashPlace* const place_before_;
    const char* const call_before_;
};

// A stack for signal handlers of the calling thread, for as long as this lives: without one, a
// handler cannot run when the stack is full. Leaves a thread alone that has one already.
class SignalStack {
public:
    SignalStack();
    ~SignalStack();
    SignalStack(const SignalStack&) = delete;
    SignalStack& operator=(const SignalStack&) = delete;

private:
    void* memory_ = nullptr;  // null: none
    std::size_t size_ = 0;
};

// Installs the handlers. exit() in a plugin ends the process with `exit_code`. [main, after
// normalise_process_state()]
void install_crash_reports(int exit_code);

// Where lines go, and whether as JSON objects. The default is stderr, as text.
void write_crash_reports_to(int fd, bool json);

// Called before a line is written: what was logged before the death is to stand before it.
// Async-signal-safe, and bounded.
void before_crash_reports(void (*flush)());

// A file that the handler of a fatal signal makes in the last folders that were named here, so that
// the private copies of plugins in them are kept for whoever reads the core.
inline constexpr const char* crash_marker = "crashed";
void mark_crash_in(const std::string& folder);

// Exit handlers run last to first: what was registered since then would be torn down before the
// exit of a plugin is noticed. [before plugins run]
void watch_exit_again();

// From now on exit() is the host's own.
void expect_exit();

// Called when a plugin has called exit(): asks the host to end by itself, and returns. The thread
// that called exit() waits for that, for up to exit_patience, and then ends the process. Null: it
// ends the process at once.
void on_plugin_exit(void (*ask_to_end)());
inline constexpr int exit_patience_seconds = 5;

// Says who called something that only a plugin can have called, as "in on_message" is: for a
// pthread_exit() that the host cannot contain. Then aborts. [the plugin's thread]
[[noreturn]] void die_in_plugin(const char* what);

// A child that a plugin has forked is about to go on as a second host, with the worker's messages
// and the sockets of the first. Says so, and ends it with the exit code of install_crash_reports().
[[noreturn]] void end_forked_child();

// Code of a plugin that is mapped. The result is for forget_code(); a table that is full notes no
// more. [one thread at a time]
[[nodiscard]] std::size_t note_code(std::uintptr_t begin,
                                    std::uintptr_t end,
                                    const CrashPlace& plugin);
void forget_code(std::size_t noted);

}  // namespace skep::host
