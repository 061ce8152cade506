#include "host/loader/stage.hpp"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "host/base/fd.hpp"

namespace skep::host {
namespace {

// 0, or the errno of the write that failed.
int write_all(int fd, std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(fd, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0) {
            return errno;
        }
        bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
    return 0;
}

}  // namespace

std::vector<std::string> Stage::usual_parents() {
    std::vector<std::string> parents;
    const auto add = [&](const char* folder) {
        if (folder != nullptr && *folder == '/') {
            parents.emplace_back(folder);
        }
    };
    add(std::getenv("XDG_RUNTIME_DIR"));
    add("/run");
    add(std::getenv("TMPDIR"));
    add("/tmp");
    return parents;
}

Result<std::unique_ptr<Stage>> Stage::create(const std::vector<std::string>& parents) {
    std::string tried;
    for (const std::string& parent : parents) {
        struct statvfs file_system {};

        std::string folder = parent + "/skep-" + std::to_string(::getpid()) + ".XXXXXX";
        std::string why;
        const bool is_there = ::statvfs(parent.c_str(), &file_system) == 0;
        if (is_there && (file_system.f_flag & ST_NOEXEC) != 0) {
            why = "mounted noexec";
        } else if (is_there && ::mkdtemp(folder.data()) != nullptr) {
            return std::unique_ptr<Stage>(new Stage(std::move(folder)));
        } else {
            why = error_text(errno);
        }
        tried += (tried.empty() ? "" : ", ") + parent + " (" + why + ")";
    }
    return failure(error_about("",
                               "no folder for private copies of plugins: " + tried,
                               "set TMPDIR to a folder that can be written to and is not noexec"));
}

Stage::~Stage() {
    std::error_code ignored;  // What cannot be removed at the end stays.
    std::filesystem::remove_all(folder_, ignored);
}

Result<std::string> Stage::add(std::span<const std::byte> bytes,
                               std::string_view stem,
                               std::string_view id) {
    std::string path = folder_ + "/" + std::string(stem) + "." + std::to_string(++counter_);
    path += id.empty() ? ".so" : "." + std::string(id) + ".so";
    const Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0500));
    if (file.get() < 0) {
        return failure(
            error_about("", "cannot make the private copy " + path + ": " + error_text(errno)));
    }
    if (const int error = write_all(file.get(), bytes); error != 0) {
        remove(path);
        return failure(error_about(
            "",
            "cannot write the private copy " + path + " of " + std::to_string(bytes.size()) +
                " bytes: " + error_text(error),
            error == ENOSPC ? "make room in " + folder_ + ", or set TMPDIR to another folder"
                            : ""));
    }
    return path;
}

void Stage::remove(const std::string& path) {
    ::unlink(path.c_str());
}

}  // namespace skep::host
