// Starts a child process for each message, in the way that the message names, and logs what the
// child was given: its signals, and what its command printed.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <skep/plugin.hpp>

namespace {

constexpr const char* show_signals = "grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status";

std::string all_of(int fd) {
    std::string text;
    std::array<char, 4096> buffer{};
    for (ssize_t size = 0; (size = ::read(fd, buffer.data(), buffer.size())) > 0;) {
        text.append(buffer.data(), static_cast<std::size_t>(size));
    }
    ::close(fd);
    return text;
}

std::string by_popen(const std::string& command) {
    FILE* const pipe = ::popen(command.c_str(), "r");
    std::string text;
    for (int letter = 0; pipe != nullptr && (letter = std::fgetc(pipe)) != EOF;) {
        text += static_cast<char>(letter);
    }
    return text + "status " + std::to_string(pipe != nullptr ? ::pclose(pipe) : -1);
}

std::string by_spawn() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        return "no pipe";
    }
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    std::string shell = "sh";
    std::string option = "-c";
    std::string command = show_signals;
    std::array<char*, 4> arguments = {shell.data(), option.data(), command.data(), nullptr};
    pid_t child = 0;
    const int error =
        ::posix_spawn(&child, "/bin/sh", &actions, nullptr, arguments.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    std::string text = all_of(ends[0]);
    int status = error;
    return text + "status " +
           std::to_string(error == 0 && ::waitpid(child, &status, 0) == child ? status : -1);
}

// What handlers a forked child has shows only as long as it executes nothing else.
std::string by_fork() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        return "no pipe";
    }
    const pid_t child = ::fork();
    if (child == 0) {
        const int file = ::open("/proc/self/status", O_RDONLY | O_CLOEXEC);
        std::array<char, 4096> buffer{};
        const ssize_t size = ::read(file, buffer.data(), buffer.size());
        ::_exit(::write(ends[1], buffer.data(), static_cast<std::size_t>(size)) == size ? 0 : 1);
    }
    ::close(ends[1]);
    std::string text = all_of(ends[0]);
    int status = -1;
    (void)::waitpid(child, &status, 0);
    return text + "status " + std::to_string(status);
}

}  // namespace

struct StartsChildren {
    static constexpr auto name = "worker";
    static constexpr skep::param params[] = {skep::param::string("way", "How")};

    // In create(), which runs on the worker's own thread.
    explicit StartsChildren(skep::context& context) {
        const std::string_view way = context.config_text("way");
        if (way == "popen") {
            context.info(by_popen(show_signals));
        } else if (way == "system") {
            context.info("status " + std::to_string(std::system(show_signals)));
        } else if (way == "posix_spawn") {
            context.info(by_spawn());
        } else if (way == "fork") {
            context.info(by_fork());
        } else if (way == "orphans") {
            context.info(by_popen("for i in 1 2 3; do (true &) ; done"));
        }
        context.set_timer(1, std::chrono::hours(1));
    }

    void on_message(skep::context& /*context*/, const skep::message& /*message*/) {}
};

SKEP_PLUGIN("org.skep.test.starts_children", "1.0.0", StartsChildren)
