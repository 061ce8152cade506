// Runs a program as a user would and keeps all that it wrote. A program that takes longer than a
// minute, or than another fuse says, is killed, and its exit code is then -SIGKILL.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include <sys/types.h>

namespace skep::test {

using Arguments = std::vector<std::string>;
using Variables = std::map<std::string, std::string>;

struct Finished {
    int exit_code = 0;  // or the signal that ended it, negative
    std::string out, err;
};

// A program that is running, with stdin closed. Its environment is the test's own, without what
// skep reads there, and with `variables`; unless they name a control socket, a host has none. One
// thread; the program is killed when this goes before it has ended.
class Process {
public:
    explicit Process(const Arguments& arguments,
                     const Variables& variables = {},
                     std::chrono::seconds fuse = std::chrono::minutes(1))
        : Process(arguments, variables, fuse, own_pipe) {}

    // With this descriptor as stderr, which is the caller's; closed_stderr: the program has none.
    static constexpr int own_pipe = -1;
    static constexpr int closed_stderr = -2;
    Process(const Arguments& arguments,
            const Variables& variables,
            std::chrono::seconds fuse,
            int stderr_fd);
    ~Process();
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;

    void send(int signal) const;

    [[nodiscard]] pid_t pid() const { return pid_; }

    // Reads on until stdout, or stderr, has this text somewhere. False: it ended without.
    bool wait_for_out(const std::string& text) { return read_until(finished_.out, text); }

    bool wait_for_err(const std::string& text) { return read_until(finished_.err, text); }

    // Reads what the program has written so far, so that its pipes do not fill up.
    void read_what_is_there();

    // Reads on until it ends.
    const Finished& wait();

private:
    bool read_until(const std::string& output, const std::string& text);
    // Waits for something to read, or kills at the end of the fuse. Returns is_open().
    bool read_more();
    // Returns false if nothing came, not even an end. Precondition: is_open().
    bool read_within(long long most_ms);

    [[nodiscard]] bool is_open() const { return out_ >= 0 || err_ >= 0; }

    pid_t pid_ = -1;
    int out_ = -1, err_ = -1;  // -1: at its end
    bool ended_ = false;
    long long fuse_ms_ = 0;  // by the steady clock
    Finished finished_;
};

// From start to end.
Finished run(const Arguments& arguments, const Variables& variables = {});

}  // namespace skep::test
