#include "host/loader/stage.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

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

int open_folder(const std::string& path) {
    return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

bool are_same(const struct stat& a, const struct stat& b) {
    return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

// Takes the new folder for this process. False: another process has just found it without a lock,
// and removes it.
bool claim(const std::string& path, int folder) {
    if (::flock(folder, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        return false;
    }

    struct stat here {};

    struct stat there {};

    return ::fstat(folder, &here) == 0 && ::lstat(path.c_str(), &there) == 0 &&
           are_same(here, there);
}

// skep-PID.XXXXXX
bool is_stage_name(std::string_view name) {
    constexpr std::string_view prefix = "skep-";
    if (!name.starts_with(prefix)) {
        return false;
    }
    name.remove_prefix(prefix.size());
    const std::size_t dot = name.find('.');
    return dot != std::string_view::npos && dot > 0 && name.size() == dot + 1 + 6 &&
           std::all_of(name.begin(), name.begin() + static_cast<std::ptrdiff_t>(dot), [](char it) {
               return it >= '0' && it <= '9';
           });
}

void remove_if_left_behind(const std::string& path) {
    const Fd folder(open_folder(path));

    struct stat status {};

    if (folder.get() >= 0 && ::fstat(folder.get(), &status) == 0 && status.st_uid == ::geteuid() &&
        ::flock(folder.get(), LOCK_EX | LOCK_NB) == 0) {
        std::error_code ignored;  // it is tried again by the next process
        std::filesystem::remove_all(path, ignored);
    }
}

void remove_those_left_behind(const std::string& parent) {
    std::error_code error;
    for (std::filesystem::directory_iterator it(parent, error), end; !error && it != end;
         it.increment(error)) {
        if (is_stage_name(it->path().filename().native())) {
            remove_if_left_behind(it->path());
        }
    }
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
        std::string why;
        if (std::unique_ptr<Stage> made = create_in(parent, why)) {
            remove_those_left_behind(parent);
            return made;
        }
        tried += (tried.empty() ? "" : ", ") + parent + " (" + why + ")";
    }
    return failure(error_about("",
                               "no folder for private copies of plugins: " + tried,
                               "set TMPDIR to a folder that can be written to and is not noexec"));
}

std::unique_ptr<Stage> Stage::create_in(const std::string& parent, std::string& why) {
    struct statvfs file_system {};

    if (::statvfs(parent.c_str(), &file_system) != 0) {
        why = error_text(errno);
        return nullptr;
    }
    if ((file_system.f_flag & ST_NOEXEC) != 0) {
        why = "mounted noexec";
        return nullptr;
    }
    for (;;) {
        std::string folder = parent + "/skep-" + std::to_string(::getpid()) + ".XXXXXX";
        if (::mkdtemp(folder.data()) == nullptr) {
            why = error_text(errno);
            return nullptr;
        }
        const int lock = open_folder(folder);
        const int error = lock < 0 ? errno : 0;
        std::unique_ptr<Stage> made(new Stage(folder, lock));
        if (lock >= 0 && claim(folder, lock)) {
            return made;
        }
        if (lock < 0 && error != ENOENT) {
            why = error_text(error);
            return nullptr;
        }
    }
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
