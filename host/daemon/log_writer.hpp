// Writes to stderr on its own thread, which keeps all other threads from waiting for the reader of
// stderr.
//
// stderr may be a pipe that nobody reads, a terminal that was stopped by Ctrl-S, or a full disk.
// The thread blocks there; all other threads only append to a queue. The writer drops text that
// finds the queue full, counts its lines, and writes the count in their place. stderr keeps its
// flags: O_NONBLOCK belongs to the open file, which the terminal and the parent process share.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "host/base/clock.hpp"
#include "host/base/fd.hpp"
#include "host/base/mutex.hpp"

namespace skep::host {

class LogWriter {
public:
    // Returns the text that replaces `lines` lost lines, with its newline. `error` is the errno of
    // the write that failed, or 0 if the queue had no room. [any-thread]
    using LostText = std::function<std::string(std::uint64_t lines, int error)>;

    static constexpr std::size_t default_capacity = std::size_t{4} << 20;

    // Writes to a duplicate of `fd` that is closed on exec; a plugin that closes `fd` thus does not
    // end the log. If no thread can be started, write() writes at once.
    explicit LogWriter(int fd, LostText lost_text, std::size_t capacity = default_capacity);
    // Waits up to 200 ms until everything is written.
    ~LogWriter();
    LogWriter(const LogWriter&) = delete;
    LogWriter& operator=(const LogWriter&) = delete;

    // Appends whole lines. Drops them if `capacity` bytes wait already or memory is short. Never
    // blocks. [any-thread]
    void write(std::string_view text);

    // Blocks until everything is written. False: the time ran out. [any-thread]
    bool flush(Nanos patience);

    // As flush(), for a handler of a fatal signal: takes no lock and allocates nothing.
    [[nodiscard]] bool flush_in_signal_handler(Nanos patience) const;

private:
    // Numbers of lost lines, by the offset in the text where these lines would be.
    using Gaps = std::vector<std::pair<std::size_t, std::uint64_t>>;

    // Shared with the thread, which may outlive the writer inside a write() that blocks.
    struct State {
        State(int its_fd, LostText its_lost_text)
            : fd(its_fd),
              lost_text(std::move(its_lost_text)) {}

        void run();
        bool append(std::string_view text) REQUIRES(mutex);
        // False: a write failed; the lines that it did not write are counted as lost.
        bool write_batch(std::string_view text, const Gaps& places);
        bool write_counted(std::string_view text);
        bool write_lost(std::uint64_t lines);
        bool write_all(std::string_view& text);
        void add_lost(std::uint64_t lines);

        const Fd fd;
        const LostText lost_text;
        std::atomic<int> error{0};  // of the last write that failed; nothing else depends on it

        Mutex mutex;
        Condition changed;
        std::string queue GUARDED_BY(mutex);
        Gaps gaps GUARDED_BY(mutex);
        std::uint64_t lost GUARDED_BY(mutex) = 0;  // since the last gap
        bool is_writing GUARDED_BY(mutex) = false;
        bool is_ending GUARDED_BY(mutex) = false;
        bool is_over GUARDED_BY(mutex) = false;
        // Bytes that are queued or being written. Changed under the mutex, or by the writer's
        // thread after a write; the signal handler reads it without the mutex.
        std::atomic<std::size_t> pending{0};
    };

    const std::size_t capacity_;
    const std::shared_ptr<State> state_;
    std::thread thread_;
};

}  // namespace skep::host
