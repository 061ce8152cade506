#include "host/daemon/file_watch.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <map>
#include <set>
#include <system_error>
#include <utility>

#include <poll.h>
#include <pthread.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "host/base/deadline.hpp"

namespace skep::host {
namespace {

namespace fs = std::filesystem;

constexpr int most_links = 40;  // on the path to a file; the limit of the kernel

// The kernel takes the times of files from a clock that is some milliseconds late.
constexpr Nanos clock_lag = std::chrono::milliseconds(20);

// The identity and version of a file. All zero: the file does not exist.
struct Look {
    dev_t device = 0;
    ino_t number = 0;
    off_t size = 0;
    Nanos written{0};
    Nanos changed{0};

    bool operator==(const Look&) const = default;
};

Nanos nanos_of(const timespec& time) {
    return std::chrono::seconds(time.tv_sec) + Nanos(time.tv_nsec);
}

Look look_at(const std::string& file) {
    struct stat it {};

    if (::stat(file.c_str(), &it) != 0) {
        return {};
    }
    return {it.st_dev, it.st_ino, it.st_size, nanos_of(it.st_mtim), nanos_of(it.st_ctim)};
}

using Points = std::map<std::string, std::set<std::string>>;  // names by their folder

// Adds every folder entry whose change could make the path lead to another file.
void add_points(const std::string& file, Points& points) {
    std::error_code error;
    const fs::path path = fs::absolute(file, error);
    std::deque<fs::path> rest(path.begin(), path.end());
    fs::path at = "/";
    for (int links = 0; !rest.empty() && links <= most_links;) {
        const fs::path name = rest.front();
        rest.pop_front();
        if (name.empty() || name == "/" || name == ".") {
            continue;
        }
        if (name == "..") {
            at = at.parent_path();
            continue;
        }
        points[at].insert(name);
        const fs::path next = at / name;
        const fs::path target = fs::read_symlink(next, error);
        if (!error) {
            ++links;
            at = target.is_absolute() ? "/" : at;
            rest.insert(rest.begin(), target.begin(), target.end());
        } else if (fs::exists(next, error)) {
            at = next;
        } else {
            return;
        }
    }
}

Points points_of(const std::vector<std::string>& files) {
    Points points;
    for (const std::string& file : files) {
        add_points(file, points);
    }
    return points;
}

// The folders that the kernel watches.
class Folders {
public:
    Folders()
        : fd_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
        if (fd_.get() < 0) {
            spdlog::warn("cannot watch files: {}", error_text(errno));
        }
    }

    [[nodiscard]] int fd() const { return fd_.get(); }

    void set(const Points& points) {
        std::map<int, std::set<std::string>> watched;
        for (const auto& [folder, names] : points) {
            const int id =
                ::inotify_add_watch(fd_.get(),
                                    folder.c_str(),
                                    IN_CLOSE_WRITE | IN_MODIFY | IN_CREATE | IN_MOVED_TO |
                                        IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR);
            if (id >= 0) {
                watched[id].insert(names.begin(), names.end());
            } else if (errno == ENOSPC && !std::exchange(has_warned_, true)) {
                spdlog::warn("cannot watch folder '{}': fs.inotify.max_user_watches is too low",
                             folder);
            }
        }
        for (const auto& [id, names] : names_) {
            if (!watched.contains(id)) {
                (void)::inotify_rm_watch(fd_.get(), id);
            }
        }
        names_ = std::move(watched);
    }

    // Reads all pending events. True if one of them may concern a file.
    bool take_events() {
        bool any = false;
        alignas(inotify_event) std::array<char, 16'384> buffer{};
        for (;;) {
            const ssize_t size = ::read(fd_.get(), buffer.data(), buffer.size());
            if (size <= 0) {
                return any;
            }
            for (ssize_t at = 0; at < size;) {
                const auto& event = *reinterpret_cast<const inotify_event*>(&buffer[at]);
                any = concerns(event) || any;
                at += static_cast<ssize_t>(sizeof(event) + event.len);
            }
        }
    }

private:
    [[nodiscard]] bool concerns(const inotify_event& event) const {
        if ((event.mask & IN_Q_OVERFLOW) != 0) {
            return true;
        }
        const auto found = names_.find(event.wd);
        return found != names_.end() && (event.len == 0 || found->second.contains(event.name));
    }

    const Fd fd_;
    std::map<int, std::set<std::string>> names_;  // by the watch descriptor of their folder
    bool has_warned_ = false;
};

// The files, as they were at the last check.
class Files {
public:
    explicit Files(Nanos since)
        : looked_at_(since) {}

    // Checks these files. True if one of them has changed. A missing file does not count as
    // changed, because it may come back.
    bool look(const std::vector<std::string>& files) {
        const Nanos now = std::chrono::system_clock::now().time_since_epoch();
        std::map<std::string, Look> looks;
        bool differs = false;
        for (const std::string& file : files) {
            const auto before = looks_.find(file);
            const Look look = look_at(file);
            if (look == Look()) {
                looks[file] = before != looks_.end() ? before->second : look;
                continue;
            }
            differs = differs || (before != looks_.end() ? look != before->second
                                                         : look.changed > looked_at_ - clock_lag);
            looks[file] = look;
        }
        looks_ = std::move(looks);
        looked_at_ = now;
        return differs;
    }

private:
    std::map<std::string, Look> looks_;
    Nanos looked_at_;
};

}  // namespace

FileWatch::FileWatch(std::chrono::system_clock::time_point since, Patience patience)
    : since_(since),
      patience_(patience),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

FileWatch::~FileWatch() {
    end();
}

void FileWatch::watch(std::vector<std::string> files) {
    const MutexLock lock(mutex_);
    if (is_ending_) {
        return;
    }
    files_ = std::move(files);
    if (!thread_.joinable() && !files_.empty()) {
        try {
            thread_ = std::thread([this] {
                pthread_setname_np(pthread_self(), "watch");
                serve();
            });
        } catch (const std::system_error& error) {
            spdlog::warn("cannot watch files: cannot start a thread: {}", error.code().message());
        }
    }
    wake();
}

void FileWatch::end() {
    std::thread thread;
    {
        const MutexLock lock(mutex_);
        is_ending_ = true;
        thread.swap(thread_);
        wake();
    }
    if (thread.joinable()) {
        thread.join();
    }
}

void FileWatch::wake() const {
    const std::uint64_t one = 1;
    (void)!::write(wake_.get(), &one, sizeof(one));
}

void FileWatch::serve() {
    Folders folders;
    Files files(since_.time_since_epoch());
    bool is_settling = false;
    Nanos rests_at{0};  // the time of the check, if no further event comes
    Nanos look_by{0};   // the latest time of the check
    for (;;) {
        std::array<pollfd, 2> fds = {{{wake_.get(), POLLIN, 0}, {folders.fd(), POLLIN, 0}}};
        (void)::poll(fds.data(), fds.size(), is_settling ? poll_timeout(rests_at) : -1);
        const Nanos now = steady_now();
        if (folders.take_events()) {
            look_by = is_settling ? look_by : now + patience_.most;
            is_settling = true;
            rests_at = std::min(now + patience_.quiet, look_by);
        }
        std::uint64_t ignored = 0;
        const bool is_woken = ::read(wake_.get(), &ignored, sizeof(ignored)) > 0;
        std::vector<std::string> wanted;
        {
            const MutexLock lock(mutex_);
            if (is_ending_) {
                return;
            }
            wanted = files_;
        }
        if (is_settling ? now < rests_at : !is_woken) {
            continue;
        }
        const Points points = points_of(wanted);
        folders.set(points);
        // Checks the files after the watches are set: every later change is an event, unless a path
        // has changed before its folders were watched. Then this looks again.
        is_settling = points_of(wanted) != points;
        if (files.look(wanted)) {
            changed_();
        }
        look_by = rests_at = now + patience_.quiet;
    }
}

}  // namespace skep::host
