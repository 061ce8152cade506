#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <istream>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <skep/plugin.hpp>

// The identity of a file, independent of its name.
struct FileId {
    dev_t device = 0;
    ino_t inode = 0;

    bool operator==(const FileId& other) const {
        return device == other.device && inode == other.inode;
    }
};

[[noreturn]] void fail(int error, const std::string& path) {
    throw std::system_error(error, std::generic_category(), path);
}

// Returns the identity of the file at `path`. Throws when no file or no regular file is there.
// Opens nothing: a process that writes to a FIFO would notice that.
FileId find_file(const std::string& path) {
    struct stat found {};

    if (::stat(path.c_str(), &found) != 0) {
        fail(errno, path);
    }
    if (!S_ISREG(found.st_mode)) {
        throw std::invalid_argument(path + ": not a regular file");
    }
    return {found.st_dev, found.st_ino};
}

// A regular file, open for reading. Failures throw, with the path.
class File {
public:
    explicit File(const std::string& path)
        : path_(path) {
        (void)find_file(path);
        descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (descriptor_ < 0) {
            fail(errno, path_);
        }

        struct stat found {};

        const bool is_known = ::fstat(descriptor_, &found) == 0;
        if (!is_known || !S_ISREG(found.st_mode)) {
            ::close(descriptor_);
            throw std::invalid_argument(path_ + ": not a regular file");
        }
        id_ = {found.st_dev, found.st_ino};
    }

    File(const File&) = delete;
    File& operator=(const File&) = delete;

    ~File() { ::close(descriptor_); }

    [[nodiscard]] const FileId& id() const { return id_; }

    // Reads up to `size` bytes from `offset`; fewer only at the end of the file.
    [[nodiscard]] std::size_t read(char* to, std::size_t size, std::uint64_t offset) const {
        std::size_t got = 0;
        while (got < size) {
            const ssize_t more =
                ::pread(descriptor_, to + got, size - got, static_cast<off_t>(offset + got));
            if (more == 0) {
                break;
            }
            if (more > 0) {
                got += static_cast<std::size_t>(more);
            } else if (errno != EINTR) {
                fail(errno, path_);
            }
        }
        return got;
    }

    [[nodiscard]] bool holds(std::string_view bytes, std::uint64_t offset) const {
        std::string found(bytes.size(), '\0');
        return read(found.data(), found.size(), offset) == bytes.size() && found == bytes;
    }

    [[nodiscard]] bool is_shorter_than(std::uint64_t size) const {
        struct stat found {};

        return ::fstat(descriptor_, &found) == 0 &&
               static_cast<std::uint64_t>(found.st_size) < size;
    }

    // Returns a path to the file that works in this process, even if the file was renamed or
    // deleted.
    [[nodiscard]] std::string link() const {
        return "/proc/self/fd/" + std::to_string(descriptor_);
    }

    // Returns the current path of the file; "... (deleted)" if it has none.
    [[nodiscard]] std::string place() const {
        std::string found(4096, '\0');
        const ssize_t size = ::readlink(link().c_str(), found.data(), found.size());
        found.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
        return found;
    }

private:
    std::string path_;
    int descriptor_ = -1;
    FileId id_;
};

std::invalid_argument damaged() {
    return std::invalid_argument("cannot load the state: it is damaged");
}

// The fingerprint of what has been read of a file: its first bytes, and the last bytes before the
// current offset. If the file has other bytes there, it was overwritten, whatever its length is
// now.
class Fingerprint {
public:
    // Adds the next bytes of the file.
    void add(std::string_view bytes) {
        offset_ += bytes.size();
        head_ += bytes.substr(0, most - head_.size());
        if (bytes.size() < most) {
            tail_.erase(0, tail_.size() - std::min(tail_.size(), most - bytes.size()));
            tail_ += bytes;
        } else {
            tail_ = bytes.substr(bytes.size() - most);
        }
    }

    [[nodiscard]] std::uint64_t offset() const { return offset_; }

    [[nodiscard]] bool matches(const File& file) const {
        return file.holds(head_, 0) && file.holds(tail_, offset_ - tail_.size());
    }

    // Returns the fingerprint of the first `offset` bytes that are in `file` now.
    static Fingerprint of(const File& file, std::uint64_t offset) {
        Fingerprint it;
        it.offset_ = offset;
        it.head_ = bytes_at(file, 0, std::min<std::uint64_t>(offset, most));
        const std::uint64_t first = offset - std::min<std::uint64_t>(offset, most);
        it.tail_ = bytes_at(file, first, offset - first);
        return it;
    }

    void save(skep::state_writer& out) const {
        out.write(std::to_string(offset_) + " " + std::to_string(head_.size()) + " " +
                  std::to_string(tail_.size()) + "\n");
        out.write(head_);
        out.write(tail_);
    }

    static Fingerprint load(std::istream& in) {
        Fingerprint it;
        std::size_t head = 0;
        std::size_t tail = 0;
        in >> it.offset_ >> head >> tail;
        in.get();
        if (!in || head > most || tail > most || tail > it.offset_) {
            throw damaged();
        }
        it.head_.resize(head);
        it.tail_.resize(tail);
        in.read(it.head_.data(), static_cast<std::streamsize>(head));
        in.read(it.tail_.data(), static_cast<std::streamsize>(tail));
        if (!in) {
            throw damaged();
        }
        return it;
    }

private:
    static constexpr std::size_t most = 4096;

    static std::string bytes_at(const File& file, std::uint64_t offset, std::uint64_t size) {
        std::string bytes(static_cast<std::size_t>(size), '\0');
        bytes.resize(file.read(bytes.data(), bytes.size(), offset));
        return bytes;
    }

    std::uint64_t offset_ = 0;
    std::string head_, tail_;
};

// A file being read: the current offset, and the bytes that were read but not emitted yet.
struct Reading {
    explicit Reading(const std::string& path)
        : file(std::make_unique<File>(path)) {}

    std::unique_ptr<File> file;
    Fingerprint read;
    std::vector<char> buffer;
    std::size_t begin = 0, end = 0;  // the range of bytes in `buffer` that are left
    std::uint64_t line = 1;          // the number of the line that begins at `begin`
    bool is_in_long_line = false;    // pieces of that line have been emitted
    bool has_warned = false;
    bool is_at_end = false;             // it has reached the end at least once
    std::chrono::nanoseconds quiet{0};  // time since the last new byte

    [[nodiscard]] std::string_view left() const { return {buffer.data() + begin, end - begin}; }

    // Forgets what has been read: the file is read from its start.
    void start_over() {
        read = Fingerprint();
        begin = end = 0;
        line = 1;
        is_in_long_line = false;
        has_warned = false;
    }

    void save(skep::state_writer& out) const {
        out.write(file->link() + " " + std::to_string(line) + (is_in_long_line ? " 1 " : " 0 ") +
                  std::to_string(left().size()) + " ");
        read.save(out);
        out.write(left());
    }

    static std::unique_ptr<Reading> load(std::istream& in) {
        std::string link;
        std::size_t left = 0;
        std::uint64_t line = 0;
        bool is_in_long_line = false;
        in >> link >> line >> is_in_long_line >> left;
        const Fingerprint read = Fingerprint::load(in);
        if (left > read.offset()) {
            throw damaged();
        }
        auto it = std::make_unique<Reading>(link);
        it->read = read;
        it->line = line;
        it->is_in_long_line = is_in_long_line;
        for (char byte = 0; it->end < left && in.get(byte); ++it->end) {
            it->buffer.push_back(byte);
        }
        if (it->end < left) {
            throw damaged();
        }
        return it;
    }
};

// Lines are separated by '\n'; every other byte passes unchanged, also '\r' and NUL. After a reload
// the worker continues where it was. A new start, or another path, reads from the beginning.
//
// With follow it continues like tail -F. docs/running.md says what it notices and what it cannot.
class FileTail {
public:
    static constexpr auto name = "file_tail";
    static constexpr auto doc = "Emits the lines of a file; with follow, also lines added later.";
    static constexpr skep::param params[] = {
        skep::param::string("path", "The file").required(),
        skep::param::boolean("follow", "Wait for the file, and for more lines at its end")
            .with_default("false"),
        skep::param::duration("poll", "How often to look for more lines")
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
          max_line_(static_cast<std::size_t>(context.config_integer("max_line"))) {
        if (!follow_) {
            current_ = std::make_unique<Reading>(path_);
        }
    }

    void run(skep::context& context) {
        if (follow_ && current_ == nullptr) {
            look_for_file(context);
        }
        while (context.checkpoint()) {
            bool has_read = false;
            if (!read_rotated(context, has_read)) {
                return;
            }
            // A rotated file is read up to its end before the file that replaced it. Lines that are
            // added to it later are emitted as they arrive.
            const bool is_behind = std::any_of(
                rotated_.begin(), rotated_.end(), [](const auto& it) { return !it->is_at_end; });
            if (!is_behind && current_ != nullptr && !read_on(context, *current_, has_read)) {
                return;
            }
            if (has_read || is_behind) {
                continue;
            }
            if (!follow_) {
                (void)finish(context, *current_);
                return;
            }
            if (!context.sleep(poll_) || !let_go_of_quiet(context)) {
                return;
            }
            look_for_file(context);
        }
    }

    // The state is the offset in each file. The successor finds the file by the descriptor of the
    // old instance, which lives while its state is loaded: the file may have been rotated away.
    static constexpr std::uint32_t state_version = 2;
    static constexpr std::uint32_t state_oldest = 1;

    void save_state(skep::state_writer& out) const {
        out.write(std::to_string(path_.size()) + " " + path_ + " " +
                  std::to_string(rotated_.size()) + (current_ == nullptr ? " 0 " : " 1 "));
        for (const auto& it : rotated_) {
            it->save(out);
        }
        if (current_ != nullptr) {
            current_->save(out);
        }
    }

    void load_state(std::uint32_t version, std::string_view state) {
        std::istringstream in{std::string(state)};
        if (version == 1) {
            load_first_version(in);
            return;
        }
        std::size_t size = 0;
        in >> size;
        in.get();
        std::string path(std::min(size, state.size()), '\0');
        in.read(path.data(), static_cast<std::streamsize>(path.size()));
        if (path != path_) {
            return;
        }
        std::size_t rotated = 0;
        bool has_current = false;
        in >> rotated >> has_current;
        std::vector<std::unique_ptr<Reading>> loaded;
        for (; rotated > 0; --rotated) {
            loaded.push_back(Reading::load(in));
        }
        current_ = has_current ? Reading::load(in) : std::move(current_);
        rotated_ = std::move(loaded);
    }

private:
    // A rotated file is read until it has been quiet for this long. At most this many are read.
    static constexpr std::chrono::seconds quiet_enough{60};
    static constexpr std::size_t most_rotated = 8;

    // "POSITION LINE IS_IN_LONG_LINE LINK\nPATH"
    void load_first_version(std::istream& in) {
        std::uint64_t position = 0;
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
        current_ = std::make_unique<Reading>(link);
        current_->read = Fingerprint::of(*current_->file, position);
        current_->line = line;
        current_->is_in_long_line = is_in_long_line;
    }

    // Returns false when the host stopped the worker, like every function below that returns bool.
    bool read_rotated(skep::context& context, bool& has_read) {
        for (const auto& it : rotated_) {
            bool has_more = false;
            if (!read_on(context, *it, has_more)) {
                return false;
            }
            it->is_at_end = it->is_at_end || !has_more;
            has_read = has_read || has_more;
        }
        return true;
    }

    // Emits the lines of the next block of the file, if it has one.
    bool read_on(skep::context& context, Reading& it, bool& has_read) {
        constexpr std::size_t block = std::size_t{256} * 1024;
        if (it.begin > 0) {
            std::memmove(it.buffer.data(), it.buffer.data() + it.begin, it.end - it.begin);
            it.end -= it.begin;
            it.begin = 0;
        }
        it.buffer.resize(std::max(it.buffer.size(), it.end + block));
        char* const first = it.buffer.data() + it.end;
        const std::string_view got(first, it.file->read(first, block, it.read.offset()));
        // Checked after the read: bytes that were read before the file was overwritten belong to
        // the old text.
        const bool is_other = follow_ && !it.read.matches(*it.file);
        has_read = has_read || !got.empty() || (is_other && &it == current_.get());
        if (is_other && it.file->holds(got, it.read.offset())) {
            return read_again(context, it);
        }
        it.end += got.size();
        it.read.add(got);
        it.quiet = got.empty() ? it.quiet : std::chrono::nanoseconds(0);
        return emit_lines(context, it) && (!is_other || read_again(context, it));
    }

    // The file was overwritten: the bytes that are left are the last line of the old text. A
    // rotated file is not read again: it was overwritten with the text of another file, which has
    // been read.
    bool read_again(skep::context& context, Reading& it) {
        if (&it != current_.get()) {
            it.quiet = quiet_enough;
            return finish(context, it);
        }
        context.warn(
            path_ + (it.file->is_shorter_than(it.read.offset()) ? ": cut short" : ": overwritten") +
            "; reading it from the start");
        if (!finish(context, it)) {
            return false;
        }
        it.start_over();
        return true;
    }

    bool emit_lines(skep::context& context, Reading& it) {
        while (add_line(context, it)) {
            if (batch_size_ == batch_.size() && !emit_batch(context)) {
                return false;
            }
        }
        return emit_batch(context);
    }

    // Adds a whole line, or a piece of a long line, to the batch. Returns false when it has
    // neither.
    bool add_line(skep::context& context, Reading& it) {
        const std::string_view left = it.left();
        const std::size_t newline = left.substr(0, max_line_ + 1).find('\n');
        if (newline != std::string_view::npos) {
            add(it, newline);
            ++it.begin;
            ++it.line;
            it.is_in_long_line = false;
            return true;
        }
        if (left.size() <= max_line_) {
            return false;
        }
        if (!it.is_in_long_line) {
            it.is_in_long_line = true;
            context.errors_seen();
            if (!it.has_warned) {
                it.has_warned = true;
                context.warn(path_ + ":" + std::to_string(it.line) +
                             ": longer than max_line; this line and others like it are emitted in "
                             "pieces");
            }
        }
        add(it, max_line_);
        return true;
    }

    void add(Reading& it, std::size_t size) {
        skep_payload& payload = batch_[batch_size_++];
        payload.data = it.buffer.data() + it.begin;
        payload.size = size;
        it.begin += size;
    }

    bool emit_batch(skep::context& context) {
        for (std::uint32_t at = 0; at < batch_size_;) {
            const std::int64_t taken = context.emit_batch(0, &batch_[at], batch_size_ - at);
            if (taken == SKEP_E_STOPPING) {
                return false;
            }
            // When only some lines were accepted, the others are offered again. The host counts a
            // line that is rejected (no route); this loop skips it.
            at += static_cast<std::uint32_t>(std::max<std::int64_t>(taken, 1));
            context.items_done(static_cast<std::uint64_t>(std::max<std::int64_t>(taken, 0)));
        }
        batch_size_ = 0;
        return context.checkpoint();
    }

    // Ends the file: the bytes that are left are its last line.
    bool finish(skep::context& context, Reading& it) {
        if (!it.left().empty()) {
            add(it, it.left().size());
        }
        return emit_batch(context);
    }

    // Drops rotated files that are quiet, and the oldest if too many are left.
    bool let_go_of_quiet(skep::context& context) {
        for (auto it = rotated_.begin(); it != rotated_.end();) {
            (*it)->quiet += poll_;
            if ((*it)->quiet < quiet_enough && rotated_.size() <= most_rotated) {
                ++it;
            } else if (finish(context, **it)) {
                it = rotated_.erase(it);
            } else {
                return false;
            }
        }
        return true;
    }

    // Switches to the file that is now at `path`.
    void look_for_file(skep::context& context) {
        try {
            const FileId found = find_file(path_);
            if (current_ == nullptr || !(current_->file->id() == found)) {
                go_to(found);
            }
            is_missing_ = false;
        } catch (const std::exception& failure) {
            // Normal for a moment while logs are rotated.
            if (!is_missing_) {
                context.warn(std::string(failure.what()) + "; waiting for it");
            }
            is_missing_ = true;
        }
    }

    void go_to(const FileId& found) {
        std::unique_ptr<Reading> next;
        const auto known = std::find_if(rotated_.begin(), rotated_.end(), [&](const auto& it) {
            return it->file->id() == found;
        });
        if (known != rotated_.end()) {  // the file is at `path` again
            next = std::move(*known);
            rotated_.erase(known);
        } else {
            next = std::make_unique<Reading>(path_);
            if (current_ != nullptr && is_copy_of_current(*next->file)) {
                current_->file = std::move(next->file);
                return;
            }
        }
        if (current_ != nullptr) {
            current_->is_at_end = false;
            current_->quiet = std::chrono::nanoseconds(0);
            rotated_.push_back(std::move(current_));
        }
        current_ = std::move(next);
    }

    // overlayfs copies a file when it is written to for the first time: the result is another file
    // with the same text at the same path. A file that was renamed or deleted is at another path.
    [[nodiscard]] bool is_copy_of_current(const File& file) const {
        const std::string place = file.place();
        return !place.empty() && place == current_->file->place() && current_->read.matches(file);
    }

    std::string path_;
    bool follow_;
    std::chrono::nanoseconds poll_;
    std::size_t max_line_;

    std::unique_ptr<Reading> current_;               // null: the file has not existed yet
    std::vector<std::unique_ptr<Reading>> rotated_;  // earlier files at `path`, oldest first
    bool is_missing_ = false;

    std::array<skep_payload, 256> batch_{};
    std::uint32_t batch_size_ = 0;
};

SKEP_PLUGIN("org.skep.file_tail", "0.1.0", FileTail)
