// The functions that write a report run in signal handlers or during the exit of the process: they
// use no lock, no allocation and no stdio.
//
// A report takes worker and call from the CrashScope of the thread. It looks up the plugin in the
// table of note_code(): first the address of the instruction, then the return addresses on the
// stack.
#include "host/base/crash_report.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>

#include "host/base/process_state.hpp"

namespace skep::host {
namespace {

// How long a report waits for a reader of stderr. A blocked stderr must not keep the process alive.
constexpr int write_patience_ms = 200;

// The fatal signals that are reported: those with which the kernel, the C library and plugins end a
// process. Without SIGPROF and SIGVTALRM: profilers use them only if no other handler is installed.
constexpr std::array<int, 12> fatal_signals = {SIGSEGV,
                                               SIGBUS,
                                               SIGFPE,
                                               SIGILL,
                                               SIGABRT,
                                               SIGTRAP,
                                               SIGSYS,
                                               SIGXCPU,
                                               SIGALRM,
                                               SIGUSR1,
                                               SIGUSR2,
                                               SIGPOLL};

// A mapped plugin. `begin` is written last and cleared first. A text is always terminated.
struct Code {
    std::atomic<std::uintptr_t> begin{0};  // 0: free
    std::atomic<std::uintptr_t> end{0};
    std::array<char, 64> plugin{};
    std::array<char, 32> version{};
    std::array<char, 160> file{};
};

constinit std::array<Code, 1024> code_table{};
constinit std::array<struct sigaction, 65> actions_before{};
constinit std::atomic<int> report_fd{STDERR_FILENO};
constinit std::atomic<void (*)()> flush_before{nullptr};
constinit std::atomic<bool> reports_json{false};
constinit std::atomic<pid_t> reporter{0};  // the thread that writes or has written the report
constinit std::atomic<bool> is_exit_expected{false};
constinit std::atomic<pid_t> own_process{0};
constinit std::atomic<int> exit_code_of_plugin{1};
constinit std::atomic<void (*)()> ask_host_to_end{nullptr};
constinit std::array<std::array<char, 4096>, 8> marker_paths{};  // "": none
constinit std::atomic<std::size_t> markers{0};                   // how many were ever set
constinit std::array<std::uintptr_t, 512> stack_words{};         // part of the reporter's stack

// A line under construction. Text that does not fit is cut.
class Line {
public:
    Line& add(std::string_view text) {
        for (const char letter : text) {
            add(letter);
        }
        return *this;
    }

    // Adds text of a plugin or a user. Characters that act on a terminal or end a JSON string
    // become '?'.
    Line& add_foreign(std::string_view text) {
        for (const char letter : text) {
            const bool is_control = static_cast<unsigned char>(letter) < 0x20 || letter == 0x7f;
            add(is_control || letter == '"' || letter == '\\' ? '?' : letter);
        }
        return *this;
    }

    Line& add_number(std::uint64_t number, unsigned base = 10, int width = 1) {
        std::array<char, 24> digits{};
        auto at = digits.end();
        do {
            *--at = "0123456789abcdef"[number % base];
            number /= base;
        } while (--width > 0 || number > 0);
        return add({at, static_cast<std::size_t>(digits.end() - at)});
    }

    Line& add(char letter) {
        if (size_ < text_.size() - 4) {  // room for the end of a JSON line
            text_.at(size_++) = letter;
        }
        return *this;
    }

    void end(std::string_view ending) {
        std::copy(ending.begin(), ending.end(), text_.begin() + static_cast<long>(size_));
        size_ += ending.size();
    }

    void write_to(int fd) const {
        pollfd ready = {fd, POLLOUT, 0};
        if (::poll(&ready, 1, write_patience_ms) == 1) {
            (void)!::write(fd, text_.data(), size_);
        }
    }

private:
    std::array<char, 1024> text_{};
    std::size_t size_ = 0;
};

// The known facts about a death.
struct Death {
    std::string_view what;  // "SIGSEGV", "the plugin called exit(0)"
    std::uintptr_t instruction = 0;
    std::uintptr_t stack = 0;
    bool has_address = false;
    std::uintptr_t address = 0;
    bool is_sent = false;  // sent by another process: the place of the thread means nothing
    pid_t sender = 0;
};

struct FoundCode {
    const Code* code = nullptr;
    std::uintptr_t at = 0;
};

FoundCode find_code(std::uintptr_t address) {
    for (const Code& it : code_table) {
        const std::uintptr_t begin = it.begin.load(std::memory_order_acquire);
        if (begin != 0 && address >= begin && address < it.end.load(std::memory_order_relaxed)) {
            return {&it, address};
        }
    }
    return {};
}

// Returns the innermost code of a plugin: at the thread's instruction, or at a return address on
// its stack.
FoundCode find_code(const Death& death) {
    FoundCode found = find_code(death.instruction);
    constexpr std::size_t most = std::size_t{16} * stack_words.size();
    std::uintptr_t at = death.stack & ~(sizeof(std::uintptr_t) - 1);
    for (std::size_t words = 0; found.code == nullptr && at != 0 && words < most;
         words += stack_words.size(), at += sizeof(stack_words)) {
        iovec here = {stack_words.data(), sizeof(stack_words)};
        // NOLINTNEXTLINE(performance-no-int-to-ptr): the address is read by the kernel
        iovec there = {reinterpret_cast<void*>(at), sizeof(stack_words)};
        const ssize_t size = ::process_vm_readv(::getpid(), &here, 1, &there, 1, 0);
        for (ssize_t i = 0; found.code == nullptr && i < size / ssize_t{sizeof(at)}; ++i) {
            found = find_code(stack_words.at(static_cast<std::size_t>(i)));
        }
        if (size < ssize_t{sizeof(stack_words)}) {
            break;  // the end of the stack
        }
    }
    return found;
}

// The name "w:NAME#GENERATION" of a worker's thread, or of a thread that it started.
struct ThreadName {
    ThreadName() { ::prctl(PR_GET_NAME, text.data()); }

    [[nodiscard]] std::string_view all() const { return text.data(); }

    // Returns "" if the thread is not a worker's, or the kernel may have cut the name.
    [[nodiscard]] std::string_view worker() const {
        constexpr std::size_t longest = 15;
        const std::size_t end = all().rfind('#');
        return all().starts_with("w:") && end != std::string_view::npos && all().size() < longest
                   ? all().substr(2, end - 2)
                   : std::string_view();
    }

    [[nodiscard]] std::uint64_t generation() const {
        std::uint64_t number = 0;
        for (const char digit : all().substr(all().rfind('#') + 1)) {
            number = number * 10 + static_cast<std::uint64_t>(digit - '0');
        }
        return number;
    }

    std::array<char, 17> text{};
};

void add_time(Line& line) {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    const std::chrono::sys_seconds time{std::chrono::seconds(now.tv_sec)};
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(time - day);
    line.add_number(static_cast<std::uint64_t>(static_cast<int>(date.year())), 10, 4).add('-');
    line.add_number(static_cast<unsigned>(date.month()), 10, 2).add('-');
    line.add_number(static_cast<unsigned>(date.day()), 10, 2).add('T');
    line.add_number(static_cast<std::uint64_t>(clock.hours().count()), 10, 2).add(':');
    line.add_number(static_cast<std::uint64_t>(clock.minutes().count()), 10, 2).add(':');
    line.add_number(static_cast<std::uint64_t>(clock.seconds().count()), 10, 2).add('.');
    line.add_number(static_cast<std::uint64_t>(now.tv_nsec / 1'000'000), 10, 3).add('Z');
}

void begin_json(Line& line, std::string_view worker, std::uint64_t generation) {
    line.add(R"({"time":")");
    add_time(line);
    line.add(R"(","level":"error","worker":)");
    if (worker.empty()) {
        line.add("null,\"generation\":null");
    } else {
        line.add('"').add_foreign(worker).add("\",\"generation\":").add_number(generation);
    }
    line.add(",\"text\":\"");
}

void add_plugin(Line& line, const FoundCode& found, const CrashPlace* place) {
    if (found.code != nullptr) {
        line.add("; plugin '").add_foreign(found.code->plugin.data()).add("' ");
        line.add_foreign(found.code->version.data()).add(", ");
        line.add_foreign(found.code->file.data()).add("+0x");
        line.add_number(found.at - found.code->begin.load(std::memory_order_relaxed), 16);
    } else if (place != nullptr) {
        line.add("; plugin ");
        if (!place->plugin.empty()) {
            line.add('\'').add_foreign(place->plugin).add("' ");
            line.add_foreign(place->version).add(", ");
        }
        line.add_foreign(place->file);
    } else {
        line.add("; outside of plugins");
    }
}

void report(const Death& death) {
    const CrashPlace* const place = death.is_sent ? nullptr : CrashScope::place();
    const ThreadName thread;
    const bool json = reports_json.load(std::memory_order_relaxed);
    std::string_view worker = place != nullptr ? place->worker : thread.worker();
    const std::uint64_t generation = place != nullptr ? place->generation : thread.generation();
    if (death.is_sent) {
        worker = {};
    }
    Line line;
    if (json) {
        begin_json(line, worker, generation);
    } else {
        line.add("skep: ");
    }
    if (!json && !worker.empty()) {
        line.add("worker '").add_foreign(worker).add("'@").add_number(generation).add(": ");
    }
    line.add(death.what);
    if (death.is_sent) {
        line.add(", sent by process ").add_number(static_cast<std::uint64_t>(death.sender));
    } else {
        if (place != nullptr) {
            line.add(" in ").add(CrashScope::call());
        } else {
            line.add(" in thread '").add_foreign(thread.all()).add('\'');
        }
        add_plugin(line, find_code(death), place);
    }
    if (death.has_address) {
        line.add("; address 0x").add_number(death.address, 16);
    }
    line.end(json ? "\"}\n" : "\n");
    if (void (*const flush)() = flush_before.load(std::memory_order_relaxed)) {
        flush();
    }
    line.write_to(report_fd.load(std::memory_order_relaxed));
}

void sleep_for_ms(long milliseconds) {
    timespec left = {milliseconds / 1000, milliseconds % 1000 * 1'000'000};
    while (::nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

// Lets one thread report, once. Another thread that dies meanwhile waits for the end of the
// process, but not without a limit.
bool begin_report() {
    pid_t nobody = 0;
    if (reporter.compare_exchange_strong(nobody, ::gettid())) {
        return true;
    }
    if (nobody != ::gettid()) {
        sleep_for_ms(2'000);
    }
    return false;
}

bool is_fault(int signal) {
    return signal == SIGSEGV || signal == SIGBUS || signal == SIGFPE || signal == SIGILL;
}

void read_registers(const void* context, Death& death) {
    const auto& machine = static_cast<const ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
    death.instruction = static_cast<std::uintptr_t>(machine.gregs[REG_RIP]);
    death.stack = static_cast<std::uintptr_t>(machine.gregs[REG_RSP]);
#elif defined(__aarch64__)
    death.instruction = machine.pc;
    death.stack = machine.sp;
#else
    (void)machine;
    (void)death;
#endif
}

void mark_crash() {
    for (const auto& path : marker_paths) {
        if (path[0] != '\0') {
            ::close(::open(path.data(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
        }
    }
}

// A full stack has reached the page below it.
bool is_stack_overflow(const Death& death) {
    constexpr std::uintptr_t near = 65536;
    return death.has_address && death.stack != 0 && death.address + near > death.stack &&
           death.address < death.stack + 4096;
}

void on_fatal_signal(int signal, siginfo_t* info, void* context) {
    const bool is_from_kernel = info->si_code > 0;
    if (begin_report()) {
        std::array<char, 24> name{'S', 'I', 'G'};
        const char* const abbreviation = ::sigabbrev_np(signal);
        std::strncpy(name.data() + 3, abbreviation != nullptr ? abbreviation : "?", 16);
        Death death;
        death.what = name.data();
        read_registers(context, death);
        death.has_address = is_fault(signal) && is_from_kernel;
        death.address = reinterpret_cast<std::uintptr_t>(info->si_addr);
        death.is_sent = !is_from_kernel && info->si_pid != ::getpid();
        death.sender = info->si_pid;
        if (signal == SIGSEGV && is_stack_overflow(death)) {
            death.what = "SIGSEGV (the stack is full)";
        }
        report(death);
        mark_crash();
    }
    // Restores the action that was in place before ours: the default, except in a build with
    // sanitizers. A fault happens again by itself, with the same registers. Any other signal is
    // raised again, and arrives after this handler has returned.
    ::sigaction(signal, &actions_before.at(static_cast<std::size_t>(signal)), nullptr);
    if (!is_fault(signal) || !is_from_kernel) {
        ::pthread_kill(::pthread_self(), signal);
    }
}

[[noreturn]] void end_after_exit() {
    if (void (*const ask)() = ask_host_to_end.load()) {
        ask();
        sleep_for_ms(exit_patience_seconds * 1000L);
    }
    ::_exit(exit_code_of_plugin.load());
}

// False for the host's own exit, and for the exit of a process that a plugin has forked.
bool is_exit_of_plugin() {
    return !is_exit_expected.load() && own_process.load() == ::getpid();
}

void report_exit(std::string_view what) {
    if (begin_report()) {
        Death death;
        death.what = what;
        death.stack = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
        report(death);
    }
}

void on_exit_called(int status, void* /*unused*/) {
    if (is_exit_of_plugin()) {
        std::array<char, 32> text{};
        std::snprintf(text.data(), text.size(), "exit(%d) was called", status);
        report_exit(text.data());
        reporter = 0;  // the host continues for a while
        end_after_exit();
    }
}

void on_quick_exit_called() {
    if (is_exit_of_plugin()) {
        report_exit("quick_exit() was called");
        reporter = 0;
        end_after_exit();
    }
}

template <std::size_t Size>
void set_text(std::array<char, Size>& into, std::string_view text) {
    const std::size_t size = std::min(text.size(), Size - 1);
    std::copy_n(text.data(), size, into.data());
    into.at(size) = '\0';
}

}  // namespace

SignalStack::SignalStack() {
    stack_t now{};
    if (::sigaltstack(nullptr, &now) != 0 || (now.ss_flags & SS_DISABLE) == 0) {
        return;
    }
    constexpr std::size_t for_the_handler = std::size_t{32} << 10;
    size_ = static_cast<std::size_t>(std::max(::sysconf(_SC_MINSIGSTKSZ), 0L)) + for_the_handler;
    void* const memory = ::mmap(
        nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED) {
        return;  // a full stack then ends the process without a report
    }
    stack_t stack{};
    stack.ss_sp = memory;
    stack.ss_size = size_;
    memory_ = memory;
    if (::sigaltstack(&stack, nullptr) != 0) {
        ::munmap(std::exchange(memory_, nullptr), size_);
    }
}

SignalStack::~SignalStack() {
    stack_t now{};
    if (memory_ == nullptr || ::sigaltstack(nullptr, &now) != 0) {
        return;
    }
    if (now.ss_sp == memory_) {  // not a stack that a plugin has set
        now = {};
        now.ss_flags = SS_DISABLE;
        ::sigaltstack(&now, nullptr);
    }
    ::munmap(memory_, size_);
}

void install_crash_reports(int exit_code) {
    exit_code_of_plugin = exit_code;
    own_process = ::getpid();
    for (const int signal : fatal_signals) {
        ::sigaction(signal, nullptr, &actions_before.at(static_cast<std::size_t>(signal)));
        set_own_handler(signal, on_fatal_signal, SA_ONSTACK);
    }
    watch_exit_again();
    std::at_quick_exit(on_quick_exit_called);
}

void before_crash_reports(void (*flush)()) {
    flush_before = flush;
}

void write_crash_reports_to(int fd, bool json) {
    report_fd = fd;
    reports_json = json;
}

void mark_crash_in(const std::string& folder) {
    set_text(marker_paths.at(markers.fetch_add(1) % marker_paths.size()),
             folder + "/" + crash_marker);
}

void watch_exit_again() {
    ::on_exit(on_exit_called, nullptr);
}

void expect_exit() {
    is_exit_expected = true;
}

void on_plugin_exit(void (*ask_to_end)()) {
    ask_host_to_end = ask_to_end;
}

void die_in_plugin(const char* what) {
    report_exit(what);
    mark_crash();
    std::abort();
}

void end_forked_child() {
    report_exit("a child that was forked has returned to the host");
    ::_exit(exit_code_of_plugin.load());
}

std::size_t note_code(std::uintptr_t begin, std::uintptr_t end, const CrashPlace& plugin) {
    std::size_t free = 0;
    while (free < code_table.size() && code_table.at(free).begin.load() != 0) {
        ++free;
    }
    if (free < code_table.size()) {
        Code& it = code_table.at(free);
        set_text(it.plugin, plugin.plugin);
        set_text(it.version, plugin.version);
        set_text(it.file, plugin.file);
        it.end.store(end, std::memory_order_relaxed);
        it.begin.store(begin, std::memory_order_release);
    }
    return free;
}

void forget_code(std::size_t noted) {
    if (noted < code_table.size()) {
        code_table.at(noted).begin.store(0, std::memory_order_release);
    }
}

}  // namespace skep::host
