#include "host/loader/probe.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <optional>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/base/deadline.hpp"
#include "host/base/fd.hpp"

namespace skep::host {
namespace {

using Cause = ProbeFailure::Cause;
using std::chrono::milliseconds;

constexpr std::size_t words_limit = 2000;  // how much of the plugin's output is kept
constexpr milliseconds look_every{10};     // how often the child is checked
// A child that has closed its pipe must end within this time.
constexpr milliseconds end_after_silence{500};
// A child takes longer only in a call that no signal interrupts.
constexpr milliseconds end_after_kill{2000};

std::string hex_nonce() {
    std::array<unsigned char, 16> bytes{};
    if (::getrandom(bytes.data(), bytes.size(), 0) < 0) {
        const std::int64_t now = steady_now().count();  // still unknown to the plugin
        std::memcpy(bytes.data(), &now, sizeof(now));
    }
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const unsigned char byte : bytes) {
        text += digits[byte >> 4U];
        text += digits[byte & 15U];
    }
    return text;
}

bool write_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const ssize_t written = ::write(fd, text.data(), text.size());
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return false;
        }
        text.remove_prefix(static_cast<std::size_t>(written));
    }
    return ::lseek(fd, 0, SEEK_SET) == 0;
}

// The child gets descriptors 0 to 2, and no other: the request, and the pipe twice.
class SpawnSettings {
public:
    SpawnSettings(int request, int pipe) {
        ::posix_spawn_file_actions_init(&actions);
        ::posix_spawn_file_actions_adddup2(&actions, request, STDIN_FILENO);
        ::posix_spawn_file_actions_adddup2(&actions, pipe, STDOUT_FILENO);
        ::posix_spawn_file_actions_adddup2(&actions, pipe, STDERR_FILENO);
        ::posix_spawnattr_init(&attributes);
        // In its own group: Ctrl-C is meant for the host, and the group includes what the plugin
        // starts.
        ::posix_spawnattr_setflags(
            &attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
        sigset_t none;
        ::sigemptyset(&none);
        ::posix_spawnattr_setsigmask(&attributes, &none);
        sigset_t all;
        ::sigfillset(&all);
        ::posix_spawnattr_setsigdefault(&attributes, &all);
        ::posix_spawnattr_setpgroup(&attributes, 0);
    }

    ~SpawnSettings() {
        ::posix_spawn_file_actions_destroy(&actions);
        ::posix_spawnattr_destroy(&attributes);
    }

    SpawnSettings(const SpawnSettings&) = delete;
    SpawnSettings& operator=(const SpawnSettings&) = delete;

    posix_spawn_file_actions_t actions{};
    posix_spawnattr_t attributes{};
};

// One child process, from its start to its end.
class Child {
public:
    Child(std::string nonce, std::size_t subjects)
        : nonce_(std::move(nonce)),
          count_(subjects) {}

    ~Child() { end(); }

    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    // Returns a failure that names what could not be created, if the child cannot be started.
    std::optional<ProbeFailure> start(const std::string& executable, const std::string& request);

    // Waits until all subjects have passed, or one has failed.
    std::optional<ProbeFailure> wait(milliseconds limit, const std::atomic<bool>* is_cancelled);

    [[nodiscard]] std::size_t passed() const { return passed_; }

    // Returns the number of the worker that is being created.
    [[nodiscard]] std::optional<std::size_t> worker() const { return worker_; }

private:
    static ProbeFailure lacks(std::string what, int error) {
        return {Cause::not_started, error, std::move(what), "", false};
    }

    [[nodiscard]] bool is_done() const { return passed_ == count_ || said_; }

    // Reads the available output. Returns true if the child has made a step.
    bool read_pipe();
    bool take_lines();
    void keep_words(std::string_view line);
    [[nodiscard]] std::optional<ProbeFailure> look() const;
    [[nodiscard]] ProbeFailure failed(Cause cause, int number) const;
    void end();

    const std::string nonce_;
    const std::size_t count_;
    pid_t pid_ = 0;
    int pipe_ = -1;  // non-blocking; -1: closed
    std::string line_, words_;
    std::size_t passed_ = 0;
    std::optional<std::size_t> worker_;
    std::optional<std::string> said_;
    bool has_begun_ = false;
    bool is_unloading_ = false;
};

std::optional<ProbeFailure> Child::start(const std::string& executable,
                                         const std::string& request) {
    const Fd file(::memfd_create("skep-probe", MFD_CLOEXEC));
    if (file.get() < 0) {
        return lacks("a memory file", errno);
    }
    if (!write_all(file.get(), request)) {
        return lacks("a memory file of " + std::to_string(request.size()) + " bytes", errno);
    }
    std::array<int, 2> pipe{};
    if (::pipe2(pipe.data(), O_CLOEXEC) != 0) {
        return lacks("a pipe", errno);
    }
    pipe_ = pipe[0];
    const Fd childs_end(pipe[1]);
    (void)::fcntl(pipe_, F_SETFL, O_NONBLOCK);
    std::array<std::string, 2> arguments = {"skep", probe_verb};
    std::array<char*, 3> pointers = {arguments[0].data(), arguments[1].data(), nullptr};
    const SpawnSettings settings(file.get(), childs_end.get());
    if (const int error = ::posix_spawn(&pid_,
                                        executable.c_str(),
                                        &settings.actions,
                                        &settings.attributes,
                                        pointers.data(),
                                        environ);
        error != 0) {
        pid_ = 0;
        return lacks("a process of '" + executable + "'", error);
    }
    return std::nullopt;
}

std::optional<ProbeFailure> Child::wait(milliseconds limit, const std::atomic<bool>* is_cancelled) {
    Nanos deadline = steady_now() + limit;
    std::optional<Nanos> silent_until;
    for (;;) {
        pollfd pipe = {pipe_, POLLIN, 0};  // poll ignores a negative one
        (void)::poll(&pipe, 1, poll_timeout(std::min(deadline, steady_now() + look_every)));
        if (read_pipe()) {
            deadline = steady_now() + limit;
        }
        std::optional<ProbeFailure> ended = is_done() ? std::nullopt : look();
        if (ended) {
            read_pipe();  // output written before the end
            ended->words = words_;
        }
        if (said_) {
            return ProbeFailure{Cause::said, 0, *said_, "", true};
        }
        if (passed_ == count_) {
            return std::nullopt;
        }
        if (ended) {
            return ended;
        }
        if (is_cancelled != nullptr && is_cancelled->load(std::memory_order_relaxed)) {
            return ProbeFailure{Cause::cancelled, 0, "", "", false};
        }
        const Nanos now = steady_now();
        if (now >= deadline) {
            return failed(Cause::timed_out, static_cast<int>(limit.count()));
        }
        if (pipe_ < 0) {
            silent_until = silent_until.value_or(now + end_after_silence);
            if (now >= *silent_until) {
                return failed(Cause::silent, 0);
            }
        }
    }
}

bool Child::read_pipe() {
    bool has_made_step = false;
    std::array<char, 4096> buffer{};
    // Bounded, so that a plugin that writes without end does not delay the check of the time.
    for (int reads = 0; pipe_ >= 0 && reads < 64; ++reads) {
        const ssize_t count = ::read(pipe_, buffer.data(), buffer.size());
        if (count > 0) {
            line_.append(buffer.data(), static_cast<std::size_t>(count));
            has_made_step = take_lines() || has_made_step;
        } else if (count == 0) {
            ::close(std::exchange(pipe_, -1));
        } else if (errno != EINTR) {
            break;
        }
    }
    return has_made_step;
}

// Processes the whole lines in line_.
bool Child::take_lines() {
    bool has_made_step = false;
    std::size_t begin = 0;
    for (std::size_t end = 0; (end = line_.find('\n', begin)) != std::string::npos;
         begin = end + 1) {
        const std::string_view line(line_.data() + begin, end - begin);
        const std::optional<ProbeLine> step = decode_probe_line(nonce_, line);
        if (!step || step->subject != passed_ || said_) {
            keep_words(line);
            continue;
        }
        has_made_step = true;
        has_begun_ = true;
        worker_.reset();
        is_unloading_ = step->step == ProbeStep::unload;
        if (step->step == ProbeStep::create) {
            worker_ = step->worker;
        } else if (step->step == ProbeStep::pass) {
            ++passed_;
            words_.clear();
        } else if (step->step == ProbeStep::fail) {
            said_ = step->words;
        }
    }
    line_.erase(0, begin);
    if (line_.size() > 2 * words_limit) {  // no line of the child is that long
        keep_words(line_);
        line_.clear();
    }
    return has_made_step;
}

void Child::keep_words(std::string_view line) {
    if (!line.empty() && words_.size() < words_limit) {
        words_ += words_.empty() ? "" : "\n";
        words_ += line.substr(0, words_limit - words_.size());
    }
}

// Returns a failure if the child has ended or stopped. Does not reap its status, so that its
// process id stays reserved until end().
std::optional<ProbeFailure> Child::look() const {
    siginfo_t info{};
    if (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WSTOPPED | WNOHANG | WNOWAIT) !=
        0) {
        const bool is_gone = errno == ECHILD && ::kill(pid_, 0) != 0;
        return is_gone ? std::optional(failed(Cause::vanished, 0)) : std::nullopt;
    }
    if (info.si_pid == 0) {
        return std::nullopt;
    }
    switch (info.si_code) {
        case CLD_EXITED:
            return failed(Cause::exited, info.si_status);
        case CLD_STOPPED:
            return failed(Cause::stopped, info.si_status);
        default:
            return failed(Cause::killed, info.si_status);
    }
}

ProbeFailure Child::failed(Cause cause, int number) const {
    return {cause, number, words_, "", has_begun_, is_unloading_};
}

// Also kills the processes that the child left behind in its group; an empty group does not exist.
void Child::end() {
    if (pipe_ >= 0) {
        ::close(std::exchange(pipe_, -1));
    }
    if (pid_ == 0) {
        return;
    }
    ::kill(-pid_, SIGKILL);
    const Nanos deadline = steady_now() + end_after_kill;
    int status = 0;
    pid_t ended = 0;
    do {
        ended = ::waitpid(pid_, &status, WNOHANG);
        if (ended == 0) {
            (void)::poll(nullptr, 0, 1);
        }
    } while ((ended == 0 || (ended < 0 && errno == EINTR)) && steady_now() < deadline);
    pid_ = 0;
}

std::string cause_text(const ProbeFailure& it) {
    switch (it.cause) {
        case Cause::timed_out:
            return "did not return within " + std::to_string(it.number) + " ms";
        case Cause::killed:
            return "crashed";
        case Cause::stopped:
            return "stopped the process";
        case Cause::exited:
        case Cause::vanished:
            return "ended the process";
        default:
            return "closed the descriptors of the process";
    }
}

std::string detail_text(const ProbeFailure& it) {
    const std::string said = it.words.empty() ? "" : ": " + it.words;
    switch (it.cause) {
        case Cause::killed:
        case Cause::stopped: {
            const char* const name = ::sigabbrev_np(it.number);
            return (name != nullptr ? ": SIG" + std::string(name)
                                    : ": signal " + std::to_string(it.number)) +
                   said.substr(0, said.find('\n'));
        }
        case Cause::exited:
            return ": exit code " + std::to_string(it.number) + said;
        case Cause::vanished:
            return ": its exit code is unknown" + said;
        default:
            return "";
    }
}

}  // namespace

std::string text_of(const ProbeFailure& it) {
    if (it.cause == Cause::not_started) {
        return "cannot try the plugin in a child process: cannot create " + it.words + ": " +
               error_text(it.number);
    }
    if (it.cause == Cause::cancelled) {
        return "the plugin was not tried: the process was asked to end";
    }
    if (!it.has_begun) {
        return "cannot try the plugin in a child process: the child " +
               (it.cause == Cause::silent ? "closed its pipe" : cause_text(it)) + detail_text(it);
    }
    if (it.cause == Cause::said) {
        return it.words;
    }
    const std::string who = it.worker.empty() ? "it " : "worker '" + it.worker + "': create ";
    const char* const when = !it.worker.empty() ? ""
                             : it.is_unloading  ? " while it was unloaded"
                                                : " while it was loaded";
    return who + cause_text(it) + when + " in a child process" + detail_text(it);
}

std::vector<Result<Done, std::string>> probe(const std::string& executable,
                                             std::span<const ProbeSubject> subjects,
                                             milliseconds limit,
                                             const std::atomic<bool>* is_cancelled) {
    std::vector<Result<Done, std::string>> verdicts;
    while (verdicts.size() < subjects.size()) {
        const auto left = subjects.subspan(verdicts.size());
        ProbeRequest request{hex_nonce(), {left.begin(), left.end()}};
        Child child(request.nonce, left.size());
        std::optional<ProbeFailure> failed = child.start(executable, encode(request));
        if (!failed) {
            failed = child.wait(limit, is_cancelled);
        }
        verdicts.insert(verdicts.end(), child.passed(), Done{});
        if (!failed) {
            continue;
        }
        const ProbeSubject& culprit = left[child.passed()];
        if (child.worker() && *child.worker() < culprit.workers.size()) {
            failed->worker = culprit.workers[*child.worker()].name;
        }
        verdicts.emplace_back(Unexpected<std::string>(text_of(*failed)));
        if (!failed->has_begun) {  // all other subjects would fail in the same way
            const Result<Done, std::string> same = verdicts.back();
            verdicts.resize(subjects.size(), same);
        }
    }
    return verdicts;
}

}  // namespace skep::host
