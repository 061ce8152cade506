#include "tests/support/process.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/signals.hpp"

namespace skep::test {
namespace {

// How long a program that was killed is still read from.
constexpr long long last_words_ms = 60'000;

long long now_ms() {
    using std::chrono::milliseconds;
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration_cast<milliseconds>(now).count();
}

std::vector<std::string> environment_with(const Variables& variables) {
    std::vector<std::string> lines;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string line = *entry;
        // Of two of one name a program may see the first.
        const bool is_replaced = variables.count(line.substr(0, line.find('='))) > 0;
        if (!is_replaced && line.rfind("SKEP_", 0) != 0 && line.rfind("NO_COLOR=", 0) != 0) {
            lines.push_back(line);
        }
    }
    if (variables.count("SKEP_CONTROL") == 0) {
        lines.emplace_back("SKEP_CONTROL=none");
    }
    for (const auto& [name, value] : variables) {
        lines.push_back(name + "=" + value);
    }
    return lines;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
    std::vector<char*> pointers;
    std::transform(texts.begin(), texts.end(), std::back_inserter(pointers), [](std::string& text) {
        return text.data();
    });
    pointers.push_back(nullptr);
    return pointers;
}

// Appends what there is to `output`; at its end closes the descriptor and makes it -1.
void take(int& fd, std::string& output) {
    std::array<char, 65536> buffer{};
    const ssize_t size = ::read(fd, buffer.data(), buffer.size());
    if (size > 0) {
        output.append(buffer.data(), static_cast<std::size_t>(size));
    } else {
        ::close(fd);
        fd = -1;
    }
}

}  // namespace

Process::Process(const Arguments& arguments,
                 const Variables& variables,
                 std::chrono::seconds fuse,
                 int stderr_fd)
    : fuse_ms_(now_ms() + std::chrono::milliseconds(fuse).count()) {
    std::array<int, 2> out{};
    std::array<int, 2> err{};
    if (::pipe2(out.data(), O_CLOEXEC) != 0 || ::pipe2(err.data(), O_CLOEXEC) != 0) {
        std::abort();
    }
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    if (stderr_fd == closed_stderr) {
        ::posix_spawn_file_actions_addclose(&actions, STDERR_FILENO);
    } else {
        ::posix_spawn_file_actions_adddup2(
            &actions, stderr_fd == own_pipe ? err[1] : stderr_fd, STDERR_FILENO);
    }
    // Whatever the test itself blocks or ignores, the program starts as from a shell.
    posix_spawnattr_t attributes;
    ::posix_spawnattr_init(&attributes);
    sigset_t none;
    ::sigemptyset(&none);
    sigset_t all;
    ::sigfillset(&all);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    ::posix_spawnattr_setsigdefault(&attributes, &all);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);

    std::vector<std::string> words = arguments;
    std::vector<std::string> environment = environment_with(variables);
    const int error = ::posix_spawn(&pid_,
                                    words.front().c_str(),
                                    &actions,
                                    &attributes,
                                    pointers_to(words).data(),
                                    pointers_to(environment).data());
    ::posix_spawnattr_destroy(&attributes);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(out[1]);
    ::close(err[1]);
    out_ = out[0];
    err_ = err[0];
    if (error != 0) {
        finished_.exit_code = 127;
        finished_.err = "cannot run " + words.front();
        ended_ = true;
    }
}

Process::~Process() {
    if (!ended_) {
        send(SIGKILL);
        wait();
    }
    for (const int fd : {out_, err_}) {
        if (fd >= 0) {
            ::close(fd);
        }
    }
}

void Process::send(int signal) const {
    if (!ended_) {
        send_signal(pid_, signal);
    }
}

bool Process::read_within(long long most_ms) {
    std::array<pollfd, 2> fds = {{{out_, POLLIN, 0}, {err_, POLLIN, 0}}};
    if (::poll(fds.data(), fds.size(), static_cast<int>(most_ms)) == 0) {
        return false;
    }
    if (fds[0].revents != 0) {
        take(out_, finished_.out);
    }
    if (fds[1].revents != 0) {
        take(err_, finished_.err);
    }
    return true;
}

void Process::read_what_is_there() {
    while (is_open() && read_within(0)) {
    }
}

bool Process::read_more() {
    if (is_open() && !read_within(std::max(fuse_ms_ - now_ms(), 0LL))) {
        send(SIGKILL);  // what is left in the pipes follows, and then their end
        fuse_ms_ = now_ms() + last_words_ms;
    }
    return is_open();
}

bool Process::read_until(const std::string& output, const std::string& text) {
    while (output.find(text) == std::string::npos) {
        if (ended_ || !read_more()) {
            return output.find(text) != std::string::npos;
        }
    }
    return true;
}

const Finished& Process::wait() {
    while (!ended_ && read_more()) {
    }
    if (!ended_) {
        int status = 0;
        ::waitpid(pid_, &status, 0);
        finished_.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
        ended_ = true;
    }
    return finished_;
}

Finished run(const Arguments& arguments, const Variables& variables) {
    return Process(arguments, variables).wait();
}

}  // namespace skep::test
