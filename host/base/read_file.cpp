#include "host/base/read_file.hpp"

#include <algorithm>
#include <array>
#include <cerrno>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include "host/base/deadline.hpp"
#include "host/base/fd.hpp"

namespace skep::host {
namespace {

std::string seconds_text(Nanos span) {
    return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(span).count()) + " s";
}

// Returns what the path leads to instead of a file; "" for a file or a pipe.
std::string kind_of(mode_t mode) {
    switch (mode & S_IFMT) {
        case S_IFREG:
        case S_IFIFO:
            return "";
        case S_IFDIR:
            return "a folder";
        case S_IFSOCK:
            return "a socket";
        case S_IFCHR:
        case S_IFBLK:
            return "a device";
        default:
            return "neither a file nor a pipe";
    }
}

class Reading {
public:
    Reading(const std::string& path, int fd, bool is_pipe, const ReadLimits& limits)
        : path_(path),
          fd_(fd),
          is_pipe_(is_pipe),
          limits_(limits) {}

    Result<std::string> run() {
        const Nanos end = steady_now() + limits_.total;
        for (;;) {
            const ssize_t count = ::read(fd_, buffer_.data(), buffer_.size());
            if (count > 0) {
                text_.append(buffer_.data(), static_cast<std::size_t>(count));
                if (text_.size() > limits_.bytes) {
                    return too_large();
                }
                continue;
            }
            // A pipe without a writer reads as empty, like a pipe at its end.
            const bool may_begin = is_pipe_ && count == 0 && text_.empty();
            if (count == 0 && !may_begin) {
                return std::move(text_);
            }
            if (count < 0 && errno == EINTR) {
                continue;
            }
            if (count < 0 && errno != EAGAIN) {
                return failure(error_about(path_, "cannot read the file: " + error_text(errno)));
            }
            pollfd ready = {fd_, POLLIN, 0};
            const Nanos until = std::min(end, steady_now() + limits_.idle);
            if (::poll(&ready, 1, poll_timeout(until)) == 0 || steady_now() >= end) {
                return too_slow();
            }
            if ((ready.revents & POLLIN) == 0 && (ready.revents & POLLHUP) != 0) {
                return std::move(text_);  // its writers are gone
            }
        }
    }

private:
    [[nodiscard]] Unexpected<Diagnostics> too_large() const {
        return failure(error_about(path_,
                                   "cannot read the file: it is larger than " +
                                       std::to_string(limits_.bytes >> 20) + " MiB",
                                   "check that the path is correct"));
    }

    [[nodiscard]] Unexpected<Diagnostics> too_slow() const {
        return failure(
            error_about(path_,
                        "cannot read the file: it is a pipe, and nothing was written to it for " +
                            seconds_text(limits_.idle) +
                            (text_.empty() ? "" : ", or its writer did not close it"),
                        "write the text to a file, and give its path"));
    }

    const std::string& path_;
    const int fd_;
    const bool is_pipe_;
    const ReadLimits& limits_;
    std::string text_;
    std::array<char, 65536> buffer_{};
};

}  // namespace

Result<std::string> read_file(const std::string& path, PipeUse pipes, const ReadLimits& limits) {
    // O_NONBLOCK: without it, opening a FIFO would wait for its writer.
    const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));

    struct stat status {};

    if (file.get() < 0 && errno == ENXIO) {
        return failure(
            error_about(path,
                        "cannot read the file: it is a socket, or a device that does not exist",
                        "give the path of a file"));
    }
    if (file.get() < 0 || ::fstat(file.get(), &status) != 0) {
        return failure(error_about(path, "cannot read the file: " + error_text(errno)));
    }
    if (const std::string kind = kind_of(status.st_mode); !kind.empty()) {
        return failure(
            error_about(path, "cannot read the file: it is " + kind, "give the path of a file"));
    }
    const bool is_pipe = S_ISFIFO(status.st_mode);
    if (is_pipe && pipes == PipeUse::refused) {
        return failure(
            error_about(path,
                        "cannot read the file again: it is a pipe, which gives its text once",
                        "start the host with the path of a file to reload from it"));
    }
    return Reading(path, file.get(), is_pipe, limits).run();
}

}  // namespace skep::host
