#include "host/cli/output.hpp"

#include <cerrno>
#include <cstdio>
#include <string_view>

#include <fcntl.h>
#include <unistd.h>

#include "host/base/fd.hpp"
#include "host/base/write_all.hpp"
#include "host/daemon/exit_code.hpp"
#include "host/daemon/log.hpp"

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
    std::string_view left = text;
    if (const int failed = write_all(fd_ >= 0 ? fd_ : STDOUT_FILENO, left); failed != 0) {
        write_stderr("skep: cannot write to stdout: " + error_text(failed) + "\n");
        return exit_failed;
    }
    return exit_code;
}

int answer(const std::string& text, int exit_code) {
    std::fwrite(text.data(), 1, text.size(), stdout);
    if (std::fflush(stdout) != 0) {
        write_stderr("skep: cannot write to stdout: " + error_text(errno) + "\n");
        return exit_failed;
    }
    return exit_code;
}

int refuse(const Diagnostics& diagnostics, int exit_code) {
    std::string text;
    for (const Diagnostic& diagnostic : diagnostics) {
        text += render(diagnostic);
    }
    write_stderr(text);
    return exit_code;
}

}  // namespace skep::host
