#include "host/loader/probe.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/base/fd.hpp"

namespace skep::host {
namespace {

using Failure = Unexpected<std::string>;

constexpr std::size_t words_limit = 2000;

// What the child wrote, without the newline at its end.
std::string words_in(int file) {
    std::string words(words_limit, '\0');
    const ssize_t count = ::pread(file, words.data(), words.size(), 0);
    words.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    while (!words.empty() && words.back() == '\n') {
        words.pop_back();
    }
    return words;
}

class SpawnSettings {
public:
    explicit SpawnSettings(int words) {
        ::posix_spawn_file_actions_init(&actions);
        ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
        ::posix_spawn_file_actions_adddup2(&actions, words, STDERR_FILENO);
        ::posix_spawnattr_init(&attributes);
        // In a group of its own: a Ctrl-C is for the host, and what the plugin starts goes with it.
        ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
        sigset_t none;
        ::sigemptyset(&none);
        ::posix_spawnattr_setsigmask(&attributes, &none);
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

}  // namespace

Result<Done, std::string> probe(const std::string& executable,
                                const std::string& plugin,
                                std::chrono::milliseconds limit) {
    const Fd words(::memfd_create("skep-probe", MFD_CLOEXEC));
    if (words.get() < 0) {
        return Failure("no memory file for the probe: " + error_text(errno));
    }
    std::array<std::string, 3> arguments = {"skep", "inspect", plugin};
    std::array<char*, 4> pointers = {
        arguments[0].data(), arguments[1].data(), arguments[2].data(), nullptr};
    const SpawnSettings settings(words.get());
    pid_t child = 0;
    if (const int error = ::posix_spawn(&child,
                                        executable.c_str(),
                                        &settings.actions,
                                        &settings.attributes,
                                        pointers.data(),
                                        environ);
        error != 0) {
        return Failure("the probe cannot be started: " + error_text(error));
    }
    const Fd handle(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
    pollfd ended = {handle.get(), POLLIN, 0};
    const int woken = ::poll(&ended, 1, static_cast<int>(limit.count()));
    // Also what it has left behind; when it has ended and left nothing there is no such group.
    ::kill(-child, SIGKILL);
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (woken == 0) {
        return Failure("it did not come back from being loaded within " +
                       std::to_string(limit.count()) + " ms, in a child process");
    }
    if (WIFSIGNALED(status)) {
        return Failure("it crashed while it was loaded in a child process: SIG" +
                       std::string(::sigabbrev_np(WTERMSIG(status))));
    }
    if (WEXITSTATUS(status) != 0) {
        const std::string said = words_in(words.get());
        return Failure("it cannot be loaded in a child process: " +
                       (said.empty() ? "exit code " + std::to_string(WEXITSTATUS(status)) : said));
    }
    return Done{};
}

}  // namespace skep::host
