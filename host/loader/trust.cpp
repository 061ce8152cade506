#include "host/loader/trust.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <optional>

#include <fcntl.h>
#include <unistd.h>

#include "host/base/fd.hpp"

namespace skep::host {
namespace {

constexpr std::uint64_t size_limit = std::uint64_t{1} << 30U;

using Refusal = std::optional<Diagnostic>;

bool is_ours(const struct stat& status) {
    return status.st_uid == 0 || status.st_uid == ::geteuid();
}

Refusal refuse_file(const struct stat& status, const std::string& path) {
    if (!S_ISREG(status.st_mode)) {
        return error_about(path, "not a regular file", "a plugin is a shared object (.so)");
    }
    if (!is_ours(status)) {
        return error_about(path,
                           "owned by user " + std::to_string(status.st_uid) +
                               ": the host loads only files of root or of its own user " +
                               std::to_string(::geteuid()),
                           "chown the file, or install your own copy");
    }
    if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        return error_about(
            path, "other users than its owner may write to it", "chmod go-w " + path);
    }
    if (static_cast<std::uint64_t>(status.st_size) > size_limit) {
        return error_about(path,
                           "the file has " + std::to_string(status.st_size) +
                               " bytes; the limit for a plugin is 1 GiB");
    }
    return std::nullopt;
}

// A user who may write to the folder may replace this file, unless the folder is sticky.
Refusal refuse_folder(const std::string& real_path, const std::string& path) {
    const std::string folder = real_path.substr(0, std::max<std::size_t>(real_path.rfind('/'), 1));

    struct stat status {};

    if (::stat(folder.c_str(), &status) != 0) {
        return error_about(path, "cannot stat its folder " + folder + ": " + error_text(errno));
    }
    if ((status.st_mode & S_IWOTH) != 0 && (status.st_mode & S_ISVTX) == 0) {
        return error_about(
            path, "every user may write to its folder " + folder, "chmod o-w " + folder);
    }
    return std::nullopt;
}

bool is_same(const struct stat& a, const struct stat& b) {
    return a.st_ino == b.st_ino && a.st_size == b.st_size && a.st_mtim.tv_sec == b.st_mtim.tv_sec &&
           a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

}  // namespace

Result<FileBytes> read_unchanged(int fd, const struct stat& before, const std::string& path) {
    FileBytes bytes;
    bytes.size = static_cast<std::size_t>(before.st_size);
    bytes.data.reset(new (std::nothrow) std::byte[bytes.size]);
    if (!bytes.data) {
        return failure(error_about(
            path, "cannot allocate " + std::to_string(bytes.size) + " bytes to read it"));
    }
    std::size_t done = 0;
    while (done < bytes.size) {
        const ssize_t got = ::read(fd, bytes.data.get() + done, bytes.size - done);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return failure(error_about(path, "cannot read the file: " + error_text(errno)));
        }
        if (got == 0) {
            break;
        }
        done += static_cast<std::size_t>(got);
    }

    struct stat after {};

    if (done != bytes.size || ::fstat(fd, &after) != 0 || !is_same(before, after)) {
        return failure(error_about(path,
                                   "the file changed while it was read",
                                   "try again when the writer is done; replace a plugin by "
                                   "renaming a finished file over it"));
    }
    return bytes;
}

Result<FileBytes> read_trusted(const std::string& path) {
    char resolved[PATH_MAX];
    if (::realpath(path.c_str(), resolved) == nullptr) {
        return failure(error_about(path, "cannot find the file: " + error_text(errno)));
    }
    // O_NONBLOCK: opening a pipe must not block the host.
    const Fd file(::open(resolved, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (file.get() < 0) {
        return failure(error_about(path, "cannot open the file: " + error_text(errno)));
    }

    struct stat before {};

    if (::fstat(file.get(), &before) != 0) {
        return failure(error_about(path, "cannot stat the file: " + error_text(errno)));
    }
    Refusal refusal = refuse_file(before, path);
    if (!refusal) {
        refusal = refuse_folder(resolved, path);
    }
    if (refusal) {
        return failure(std::move(*refusal));
    }
    return read_unchanged(file.get(), before, path);
}

}  // namespace skep::host
