#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <system_error>
#include <vector>

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <skep/plugin.hpp>

// A message is finished when its line was written: no line waits in a buffer of this process. One
// write covers as many lines as possible. When standard output is full, the worker waits for it.
// The host can still pause, swap or stop the worker then: on_messages returns between two lines,
// and the host passes the other messages in again.
class Console {
public:
    static constexpr auto name = "console";
    static constexpr auto doc = "Writes every message to standard output, one message per line.";
    static constexpr skep::port inputs[] = {{"in", "*", "what to write"}};

    void on_messages(skep::context& context, skep::messages& batch) {
        const Turn turn(context);
        while (turn.is_mine() && batch.finished() < batch.size()) {
            add_lines(batch);
            if (!write_lines(context, batch)) {
                return;
            }
        }
    }

private:
    static constexpr std::size_t most_at_once = std::size_t{64} * 1024;
    static constexpr int look_again_ms = 20;

    // All consoles of a process share standard output, and must not interleave their lines. They
    // share the lock of stdio, even if they run different versions of the plugin.
    class Turn {
    public:
        explicit Turn(const skep::context& context) {
            while (::ftrylockfile(stdout) != 0) {
                (void)::poll(nullptr, 0, 1);
                if (context.is_wanted()) {
                    return;
                }
            }
            is_mine_ = true;
        }

        ~Turn() {
            if (is_mine_) {
                ::funlockfile(stdout);
            }
        }

        Turn(const Turn&) = delete;
        Turn& operator=(const Turn&) = delete;

        [[nodiscard]] bool is_mine() const { return is_mine_; }

    private:
        bool is_mine_ = false;
    };

    // Collects the lines of messages that are not finished.
    void add_lines(const skep::messages& batch) {
        text_.clear();
        ends_.clear();
        for (std::uint32_t i = batch.finished(); i < batch.size() && text_.size() < most_at_once;
             ++i) {
            text_ += batch[i].text();
            text_ += '\n';
            ends_.push_back(text_.size());
        }
    }

    // Returns false when the host requests something before all lines were written.
    bool write_lines(skep::context& context, skep::messages& batch) {
        struct stat out {};

        const bool is_file = ::fstat(STDOUT_FILENO, &out) == 0 && S_ISREG(out.st_mode);
        const std::uint32_t first = batch.finished();
        std::uint32_t lines = 0;
        std::size_t at = begun_;
        while (at < text_.size()) {
            const bool may_leave = begun_ == 0 && batch.finished() > 0;
            if ((may_leave && context.is_wanted()) || (!is_file && !wait_for_room(context))) {
                return false;
            }
            const std::size_t end = is_file ? text_.size() : end_of_piece(at, lines);
            const ssize_t written = ::write(STDOUT_FILENO, text_.data() + at, end - at);
            if (written < 0) {
                check(errno);
                (void)::poll(nullptr, 0, 1);
                continue;
            }
            at += static_cast<std::size_t>(written);
            while (lines < ends_.size() && ends_[lines] <= at) {
                ++lines;
            }
            begun_ = at - (lines == 0 ? 0 : ends_[lines - 1]);
            batch.finish(first + lines);
        }
        return true;
    }

    // A pipe that is ready accepts PIPE_BUF bytes at once without blocking. The piece holds as many
    // whole lines as fit.
    [[nodiscard]] std::size_t end_of_piece(std::size_t at, std::uint32_t lines) const {
        const std::size_t most = at + PIPE_BUF;
        std::size_t end = std::min(most, text_.size());
        const auto behind = std::upper_bound(ends_.begin() + lines, ends_.end(), most);
        if (behind != ends_.begin() + lines) {
            end = *(behind - 1);
        }
        return end;
    }

    // Returns false when the host requests something. In the middle of a line only a stop ends the
    // wait.
    bool wait_for_room(skep::context& context) const {
        pollfd out = {STDOUT_FILENO, POLLOUT, 0};
        while (::poll(&out, 1, look_again_ms) <= 0) {
            if (context.is_wanted() && (begun_ == 0 || !context.checkpoint())) {
                return false;
            }
        }
        return true;
    }

    // The worker fails when the reader is gone or the disk is full; the host then decides what
    // follows.
    static void check(int error) {
        if (error != EINTR && error != EAGAIN && error != EWOULDBLOCK) {
            throw std::system_error(error, std::generic_category(), "cannot write to stdout");
        }
    }

    std::string text_;
    std::vector<std::size_t> ends_;  // end of each line in text_
    std::size_t begun_ = 0;          // bytes already written of the first unfinished line
};

SKEP_PLUGIN("org.skep.console", "0.1.0", Console)
