#include "host/cli/answer_stream.hpp"

#include <cerrno>
#include <cstdio>
#include <string_view>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "host/base/fd.hpp"
#include "host/cli/log.hpp"
#include "host/cli/options.hpp"

namespace skep::host {

AnswerStream::AnswerStream()
    : fd_(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)) {
    if (fd_ >= 0) {
        (void)::dup2(STDERR_FILENO, STDOUT_FILENO);
    }
}

AnswerStream::~AnswerStream() {
    (void)std::fflush(stdout);  // a plugin's
    if (fd_ >= 0) {
        (void)::dup2(fd_, STDOUT_FILENO);
        ::close(fd_);
    }
}

int AnswerStream::write(const std::string& text, int exit_code) const {
    const int fd = fd_ >= 0 ? fd_ : STDOUT_FILENO;
    std::string_view left = text;
    while (!left.empty()) {
        const ssize_t written = ::write(fd, left.data(), left.size());
        if (written >= 0) {
            left.remove_prefix(static_cast<std::size_t>(written));
        } else if (errno == EAGAIN) {  // the other end has made it non-blocking
            pollfd ready = {fd, POLLOUT, 0};
            (void)::poll(&ready, 1, -1);
        } else if (errno != EINTR) {
            write_stderr("skep: cannot write to stdout: " + error_text(errno) + "\n");
            return exit_failed;
        }
    }
    return exit_code;
}

}  // namespace skep::host
