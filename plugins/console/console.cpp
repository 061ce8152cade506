#include <cerrno>
#include <chrono>
#include <cstdio>
#include <system_error>

#include <skep/plugin.hpp>

// Lines go through the buffer of stdio, which all consoles of a process share, so that they cannot
// cut into each other's lines. It is flushed soon after the first line that waits in it.
class Console {
public:
    static constexpr auto name = "console";
    static constexpr auto doc = "Writes every message to standard output, one a line.";
    static constexpr skep::port inputs[] = {{"in", "*", "what to write"}};

    ~Console() { std::fflush(stdout); }

    void on_message(skep::context& context, const skep::message& message) {
        flockfile(stdout);
        const bool written =
            (message.size() == 0 ||
             std::fwrite(message.data(), 1, message.size(), stdout) == message.size()) &&
            std::putc('\n', stdout) != EOF;
        const int error = errno;
        funlockfile(stdout);
        check(written, error);
        if (!is_flush_due_) {
            is_flush_due_ = true;
            context.set_timer(0, std::chrono::milliseconds(100));
        }
    }

    void on_timer(skep::context& /*context*/, std::uint32_t /*id*/) { flush(); }

    void on_drain(skep::context& /*context*/) { flush(); }

private:
    void flush() {
        is_flush_due_ = false;
        const bool written = std::fflush(stdout) == 0;
        check(written, errno);
    }

    // A reader that has gone or a full disk: the worker fails, and the host decides what follows.
    static void check(bool succeeded, int error) {
        if (!succeeded) {
            throw std::system_error(error, std::generic_category(), "cannot write to stdout");
        }
    }

    bool is_flush_due_ = false;
};

SKEP_PLUGIN("org.skep.console", "0.1.0", Console)
