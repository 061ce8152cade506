#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <skep/plugin.hpp>

// A regular file, open for reading. What fails throws, with the path.
class File {
public:
    explicit File(const std::string& path)
        : path_(path),
          // Not blocking: the open of a fifo would wait for somebody to write.
          descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)) {
        if (descriptor_ < 0) {
            fail(errno);
        }
        if (!S_ISREG(status().st_mode)) {
            ::close(descriptor_);
            throw std::invalid_argument(path_ + ": not a regular file");
        }
    }

    File(const File&) = delete;
    File& operator=(const File&) = delete;

    ~File() { ::close(descriptor_); }

    // Zero at the end of the file.
    [[nodiscard]] std::size_t read(char* to, std::size_t size) const {
        for (;;) {
            const ssize_t got = ::read(descriptor_, to, size);
            if (got >= 0) {
                return static_cast<std::size_t>(got);
            }
            if (errno != EINTR) {
                fail(errno);
            }
        }
    }

    // True when less is left of the file than has been read of it; goes back to its start then.
    [[nodiscard]] bool rewind_if_cut() const {
        const bool is_cut = status().st_size < ::lseek(descriptor_, 0, SEEK_CUR);
        if (is_cut) {
            ::lseek(descriptor_, 0, SEEK_SET);
        }
        return is_cut;
    }

    // Where the next read() begins.
    [[nodiscard]] off_t position() const { return ::lseek(descriptor_, 0, SEEK_CUR); }

    void go_to(off_t position) const { ::lseek(descriptor_, position, SEEK_SET); }

    // A name for it in this process, also when it has been renamed or deleted.
    [[nodiscard]] std::string link() const {
        return "/proc/self/fd/" + std::to_string(descriptor_);
    }

    [[nodiscard]] bool is_same_as(const File& other) const {
        const struct stat mine = status();
        const struct stat others = other.status();
        return mine.st_dev == others.st_dev && mine.st_ino == others.st_ino;
    }

private:
    [[nodiscard]] struct stat status() const {
        struct stat found {};

        if (::fstat(descriptor_, &found) != 0) {
            fail(errno);
        }
        return found;
    }

    [[noreturn]] void fail(int error) const {
        throw std::system_error(error, std::generic_category(), path_);
    }

    std::string path_;
    int descriptor_;
};

// Lines are what stands between '\n's; every other byte passes unchanged, '\r' and NUL too. A
// reload goes on where it is; a new start, or another path, reads from the beginning.
//
// With follow it reads on as tail -F does. A rotated file is read to its end before its successor;
// what is written to it after that is not seen, nor is a cut that has grown past the old size
// within one poll.
class FileTail {
public:
    static constexpr auto name = "file_tail";
    static constexpr auto doc = "Emits the lines of a file, and with follow those to come.";
    static constexpr skep::param params[] = {
        skep::param::string("path", "The file").required(),
        skep::param::boolean("follow", "Wait for more at the end of the file")
            .with_default("false"),
        skep::param::duration("poll", "How often to look for more")
            .with_default("200ms")
            .at_least("1ms"),
        skep::param::bytes("max_line", "A longer line is emitted in pieces of this size")
            .with_default("8MiB")
            .at_least("16B")
            .at_most("64MiB"),
    };
    static constexpr skep::port outputs[] = {
        {"lines", "text/plain", "one line each, without '\n'"}};

    explicit FileTail(skep::context& context)
        : path_(context.config_text("path")),
          follow_(context.config_boolean("follow")),
          poll_(context.config_duration("poll")),
          max_line_(static_cast<std::size_t>(context.config_integer("max_line"))),
          file_(std::make_unique<File>(path_)) {}

    void run(skep::context& context) {
        while (context.checkpoint()) {
            if (read_block()) {
                if (!emit_lines(context)) {
                    return;
                }
            } else if (successor_ != nullptr) {
                if (!start_over(context)) {
                    return;
                }
                file_ = std::move(successor_);
            } else if (!follow_) {
                start_over(context);
                return;
            } else if (!context.sleep(poll_) || !look_again(context)) {
                return;
            }
        }
    }

    // The place in the file; the file itself by the descriptor of the old instance, which lives as
    // long as its state is loaded. It may have been rotated away.
    static constexpr std::uint32_t state_version = 1;

    void save_state(skep::state_writer& out) const {
        const auto unread = static_cast<off_t>(end_ - begin_);
        out.write(std::to_string(file_->position() - unread) + " " + std::to_string(line_) + " " +
                  (is_in_long_line_ ? "1 " : "0 ") + file_->link() + "\n" + path_);
    }

    void load_state(std::uint32_t /*version*/, std::string_view state) {
        std::istringstream in{std::string(state)};
        off_t position = 0;
        std::uint64_t line = 0;
        bool is_in_long_line = false;
        std::string link;
        std::string path;
        in >> position >> line >> is_in_long_line >> link;
        in.get();
        std::getline(in, path, '\0');
        if (path != path_) {
            return;
        }
        file_ = std::make_unique<File>(link);
        file_->go_to(position);
        line_ = line;
        is_in_long_line_ = is_in_long_line;
    }

private:
    // False at the end of the file.
    bool read_block() {
        constexpr std::size_t block = std::size_t{256} * 1024;
        if (begin_ > 0) {
            std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
            end_ -= begin_;
            begin_ = 0;
        }
        buffer_.resize(std::max(buffer_.size(), end_ + block));
        const std::size_t got = file_->read(buffer_.data() + end_, block);
        end_ += got;
        return got > 0;
    }

    // As all that returns bool below: false when the worker was told to stop.
    bool emit_lines(skep::context& context) {
        while (add_line(context)) {
            if (batch_size_ == batch_.size() && !emit_batch(context)) {
                return false;
            }
        }
        return emit_batch(context);
    }

    // Adds a whole line, or a piece of a long one, to the batch. False when there is neither.
    bool add_line(skep::context& context) {
        const char* first = buffer_.data() + begin_;
        const std::size_t size = end_ - begin_;
        const void* newline = std::memchr(first, '\n', std::min(size, max_line_ + 1));
        if (newline != nullptr) {
            add(static_cast<std::size_t>(static_cast<const char*>(newline) - first));
            ++begin_;
            ++line_;
            is_in_long_line_ = false;
            return true;
        }
        if (size <= max_line_) {
            return false;
        }
        if (!is_in_long_line_) {
            is_in_long_line_ = true;
            context.errors_seen();
            if (!has_warned_) {
                has_warned_ = true;
                context.warn(path_ + ":" + std::to_string(line_) +
                             ": longer than max_line; this line and others like it are emitted in "
                             "pieces");
            }
        }
        add(max_line_);
        return true;
    }

    void add(std::size_t size) {
        skep_payload& payload = batch_[batch_size_++];
        payload.data = buffer_.data() + begin_;
        payload.size = size;
        begin_ += size;
    }

    bool emit_batch(skep::context& context) {
        for (std::uint32_t at = 0; at < batch_size_;) {
            const std::int64_t taken = context.emit_batch(0, &batch_[at], batch_size_ - at);
            if (taken == SKEP_E_STOPPING) {
                return false;
            }
            // When only some were taken, the rest is offered again. The host counts a line that is
            // refused (no route); all that is left to do is to go past it.
            at += static_cast<std::uint32_t>(std::max<std::int64_t>(taken, 1));
            context.items_done(static_cast<std::uint64_t>(std::max<std::int64_t>(taken, 0)));
        }
        batch_size_ = 0;
        return context.checkpoint();
    }

    // The file has come to its end: what is left in the buffer is its last line.
    bool start_over(skep::context& context) {
        if (begin_ < end_) {
            add(end_ - begin_);
        }
        line_ = 1;
        is_in_long_line_ = false;
        has_warned_ = false;
        return emit_batch(context);
    }

    // Has the file been cut, or has another taken its place?
    bool look_again(skep::context& context) {
        if (file_->rewind_if_cut()) {
            context.warn(path_ + ": cut short; reading it from the start");
            return start_over(context);
        }
        try {
            auto found = std::make_unique<File>(path_);
            if (!found->is_same_as(*file_)) {
                successor_ = std::move(found);
            }
            is_missing_ = false;
        } catch (const std::exception& failure) {
            // Usual for a moment while logs are rotated.
            if (!is_missing_) {
                context.warn(std::string(failure.what()) + "; waiting for it");
            }
            is_missing_ = true;
        }
        return true;
    }

    std::string path_;
    bool follow_;
    std::chrono::nanoseconds poll_;
    std::size_t max_line_;

    std::unique_ptr<File> file_;
    std::unique_ptr<File> successor_;  // what `path` leads to now, while file_ is read to its end
    bool is_missing_ = false;

    std::vector<char> buffer_;
    std::size_t begin_ = 0, end_ = 0;  // what has been read of the file and not added to a batch
    std::array<skep_payload, 256> batch_{};
    std::uint32_t batch_size_ = 0;

    std::uint64_t line_ = 1;  // the number of the line that begins at begin_
    bool is_in_long_line_ = false;
    bool has_warned_ = false;
};

SKEP_PLUGIN("org.skep.file_tail", "0.1.0", FileTail)
