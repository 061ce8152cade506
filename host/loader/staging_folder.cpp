#include "host/loader/staging_folder.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <optional>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "host/base/contains.hpp"
#include "host/base/crash_report.hpp"

namespace skep::host {
namespace {

// Returns 0, or the errno of the write that failed.
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

// Locks the new folder for this process. Returns false if another process has just found it
// unlocked, and removes it.
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

bool is_left_behind(const std::string& path) {
    const Fd folder(open_folder(path));

    struct stat status {};

    return folder.get() >= 0 && ::fstat(folder.get(), &status) == 0 &&
           status.st_uid == ::geteuid() && ::flock(folder.get(), LOCK_EX | LOCK_NB) == 0;
}

// Returns when a handler of a fatal signal has marked the folder; nothing if it is not marked.
std::optional<std::filesystem::file_time_type> crash_time(const std::filesystem::path& folder) {
    std::error_code error;
    const auto time = std::filesystem::last_write_time(folder / crash_marker, error);
    return error ? std::nullopt : std::optional(time);
}

// Removes all folders left behind, except those that the newest cores need.
void remove_those_left_behind(const std::string& parent) {
    std::vector<std::pair<std::filesystem::file_time_type, std::filesystem::path>> crashed;
    std::vector<std::filesystem::path> useless;
    std::error_code error;
    for (std::filesystem::directory_iterator it(parent, error), end; !error && it != end;
         it.increment(error)) {
        if (!is_stage_name(it->path().filename().native()) || !is_left_behind(it->path())) {
            continue;
        }
        if (const auto time = crash_time(it->path())) {
            crashed.emplace_back(*time, it->path());
        } else {
            useless.push_back(it->path());
        }
    }
    std::sort(crashed.begin(), crashed.end(), std::greater<>());
    for (std::size_t i = StagingFolder::crashes_kept; i < crashed.size(); ++i) {
        useless.push_back(crashed[i].second);
    }
    for (const std::filesystem::path& it : useless) {
        std::error_code ignored;  // the next process tries again
        std::filesystem::remove_all(it, ignored);
    }
}

// Makes a folder that only this user may use, and locks it. Returns "" or the reason for the
// failure.
std::string make_folder(const std::string& parent,
                        std::string& folder,
                        std::unique_ptr<const Fd>& lock) {
    struct statvfs file_system {};

    if (::statvfs(parent.c_str(), &file_system) != 0) {
        return error_text(errno);
    }
    if ((file_system.f_flag & ST_NOEXEC) != 0) {
        return "mounted noexec";
    }
    for (;;) {
        std::string made = parent + "/skep-" + std::to_string(::getpid()) + ".XXXXXX";
        if (::mkdtemp(made.data()) == nullptr) {
            return error_text(errno);
        }
        (void)::chmod(made.c_str(), 0700);  // independent of the umask
        auto opened = std::make_unique<const Fd>(open_folder(made));
        const int error = errno;
        if (opened->get() >= 0 && claim(made, opened->get())) {
            folder = std::move(made);
            lock = std::move(opened);
            return "";
        }
        if (opened->get() < 0 && error != ENOENT) {
            ::rmdir(made.c_str());
            return error_text(error);
        }
    }
}

// True if the folder still exists, and is the one that this process has made.
bool is_in_place(const std::string& folder, const Fd& lock) {
    struct stat here {};

    struct stat there {};

    return ::fstat(lock.get(), &here) == 0 && ::lstat(folder.c_str(), &there) == 0 &&
           are_same(here, there);
}

Diagnostic no_place(const std::string& what, const std::string& tried) {
    return error_about("",
                       what + ": " + tried,
                       "set TMPDIR to a writable folder that has room and is not mounted "
                       "noexec");
}

std::string with(const std::string& tried, const std::string& parent, const std::string& why) {
    return tried + (tried.empty() ? "" : ", ") + parent + " (" + why + ")";
}

}  // namespace

std::vector<std::string> StagingFolder::usual_parents() {
    std::vector<std::string> parents;
    const auto add = [&](const char* folder) {
        if (folder != nullptr && *folder == '/' && !contains(parents, folder)) {
            parents.emplace_back(folder);
        }
    };
    add(std::getenv("TMPDIR"));
    add(std::getenv("XDG_RUNTIME_DIR"));
    add("/run");
    add("/tmp");
    add("/var/tmp");
    return parents;
}

StagingFolder::StagingFolder(const std::vector<std::string>& parents) {
    for (const std::string& parent : parents) {
        places_.push_back({parent, "", nullptr});
    }
}

Result<std::unique_ptr<StagingFolder>> StagingFolder::create(
    const std::vector<std::string>& parents) {
    std::unique_ptr<StagingFolder> made(new StagingFolder(parents));
    std::string tried;
    for (Place& place : made->places_) {
        const std::string why = open(place);
        if (why.empty()) {
            made->current_ = &place;
            return made;
        }
        tried = with(tried, place.parent, why);
    }
    return failure(no_place("cannot create a folder for private copies of plugins", tried));
}

std::string StagingFolder::open(Place& place) {
    if (!place.folder.empty() && is_in_place(place.folder, *place.lock)) {
        return "";
    }
    place.folder.clear();
    std::string why = make_folder(place.parent, place.folder, place.lock);
    if (why.empty()) {
        mark_crash_in(place.folder);
        remove_those_left_behind(place.parent);
    }
    return why;
}

StagingFolder::~StagingFolder() {
    remove_all();
}

void StagingFolder::remove_all() const {
    for (const Place& place : places_) {
        if (!place.folder.empty() && is_in_place(place.folder, *place.lock)) {
            std::error_code ignored;  // folders that cannot be removed at the end stay
            std::filesystem::remove_all(place.folder, ignored);
        }
    }
}

std::string StagingFolder::write(Place& place,
                                 const std::string& name,
                                 std::span<const std::byte> bytes,
                                 std::string& path) {
    if (std::string why = open(place); !why.empty()) {
        return why;
    }
    std::string copy = place.folder + "/" + name;
    const Fd file(::open(copy.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0500));
    if (file.get() < 0) {
        return error_text(errno);
    }
    (void)::fchmod(file.get(), 0500);  // independent of the umask
    if (const int error = write_all(file.get(), bytes); error != 0) {
        ::unlink(copy.c_str());
        return error_text(error);
    }
    path = std::move(copy);
    return "";
}

Result<std::string> StagingFolder::add(std::span<const std::byte> bytes,
                                       std::string_view stem,
                                       std::string_view id) {
    constexpr std::size_t longest_stem = 100;  // a file name has up to 255 bytes
    std::string name = std::string(stem.substr(0, longest_stem)) + "." + std::to_string(++counter_);
    name += id.empty() ? ".so" : "." + std::string(id) + ".so";
    std::string tried;
    for (Place& place : places_) {
        std::string path;
        const std::string why = write(place, name, bytes, path);
        if (why.empty()) {
            current_ = &place;
            return path;
        }
        tried = with(tried, place.parent, why);
    }
    return failure(no_place(
        "cannot write a private copy of " + std::to_string(bytes.size()) + " bytes", tried));
}

StagedFile::~StagedFile() {
    ::unlink(path_.c_str());
}

bool StagedFile::is_there() const {
    return ::access(path_.c_str(), F_OK) == 0;
}

void StagingFolder::remove(const std::string& path) {
    ::unlink(path.c_str());
}

}  // namespace skep::host
