// Reports the death of the process inside of a plugin: one line on stderr that names the worker,
// its generation, the call, the plugin and its version, and the offset in the plugin's file.
//
//   worker 'parse'@2: SIGSEGV in on_message; plugin 'org.example.parse' 1.4.0, ./parse.so+0x1a2b
//
// A fatal signal then takes its default action: thus a core is written. exit() and quick_exit() in
// a plugin end the host. CrashScope names the call for the thread. A thread that a plugin started
// is attributed by its name, which it inherits from its worker's thread, and by the code of a
// plugin on its stack (note_code).
//
// A signal handler interrupts any code at any place. It therefore reads only the state in this
// file: preallocated, written with atomics, never freed. For that reason the state is global.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace skep::host {

// The code that runs. The texts must outlive every scope that uses them.
struct CrashPlace {
    std::string_view worker;  // "": no worker, for example while a plugin is opened
    std::uint64_t generation = 0;
    std::string_view plugin, version;  // "": not known yet
    std::string_view file;             // the user's file, not the private copy
};

// Marks that the calling thread runs code of a plugin, in the given call, while this object lives.
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

    // The place of the calling thread; null if it runs no code of a plugin.
    [[nodiscard]] static const CrashPlace* place() { return current_place; }

    [[nodiscard]] static const char* call() { return current_call; }

private:
    static constinit inline thread_local const CrashPlace* current_place = nullptr;
    static constinit inline thread_local const char* current_call = nullptr;

    const CrashPlace* const place_before_;
    const char* const call_before_;
};

// A stack for signal handlers of the calling thread, for as long as this object lives. Without it a
// handler cannot run when the thread's stack is full. Does not change a thread that already has
// one.
class SignalStack {
public:
    SignalStack();
    ~SignalStack();
    SignalStack(const SignalStack&) = delete;
    SignalStack& operator=(const SignalStack&) = delete;

private:
    void* memory_ = nullptr;  // null: no stack
    std::size_t size_ = 0;
};

// Installs the handlers. After that, exit() in a plugin ends the process with `exit_code`. [main,
// after normalise_process_state()]
void install_crash_reports(int exit_code);

// Sets the descriptor for report lines, and their form: JSON objects or text. The default is text
// on stderr.
void write_crash_reports_to(int fd, bool json);

// Sets a function that is called before a report line is written: earlier log lines must come
// before it. The function must be async-signal-safe and bounded in time.
void before_crash_reports(void (*flush)());

// The handler of a fatal signal creates a file of this name in the last folders that
// mark_crash_in() named. The file keeps the private copies of plugins in them, for the analysis of
// the core.
inline constexpr const char* crash_marker = "crashed";
void mark_crash_in(const std::string& folder);

// Registers the exit handler again. Exit handlers run last to first: handlers registered since the
// previous call would otherwise run before the report of an exit in a plugin. [before plugins run]
void watch_exit_again();

// Marks all later calls of exit() as the host's own.
void expect_exit();

// Sets a function that asks the host to end in order, and returns. It is called when a plugin has
// called exit(). The thread that called exit() then waits for the end, for up to
// exit_patience_seconds, and then ends the process. Null: exit() ends the process at once.
void on_plugin_exit(void (*ask_to_end)());
inline constexpr int exit_patience_seconds = 5;

// Reports `what` with the current call of a plugin (such as "in on_message"), then aborts. For a
// pthread_exit() that the host cannot contain: only a plugin can have called it. [the plugin's
// thread]
[[noreturn]] void die_in_plugin(const char* what);

// Ends a child that a plugin has forked and that would continue as a second host, with the worker's
// messages and the sockets of the first. Reports this, and exits with the code of
// install_crash_reports().
[[noreturn]] void end_forked_child();

// Notes the mapped code of a plugin. Pass the result to forget_code(). A full table notes no more
// code. [one thread at a time]
[[nodiscard]] std::size_t note_code(std::uintptr_t begin,
                                    std::uintptr_t end,
                                    const CrashPlace& plugin);
void forget_code(std::size_t noted);

}  // namespace skep::host
