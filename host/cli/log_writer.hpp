// Writes to stderr on a thread of its own, so that nobody else waits for the reader of stderr.
//
// stderr may be a pipe that nobody reads, a terminal that was stopped by Ctrl-S, or a full disk.
// The thread blocks there; all others only append to a queue. Text that finds the queue full is
// dropped, its lines are counted, and the count is written where they would have stood. stderr
// keeps its flags: O_NONBLOCK belongs to the open file, which the terminal and the parent process
// share.
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
    // Returns the text to write in the place of `lines` lost lines, with its newline; `error` is
    // the errno of the write that failed, or 0 when there was no room. Any thread.
    using LostText = std::function<std::string(std::uint64_t lines, int error)>;

    static constexpr std::size_t default_capacity = std::size_t{4} << 20;

    // Writes to a duplicate of `fd` that is closed on exec: a plugin that closes `fd` does not end
    // the log. Without a thread, write() writes at once.
    explicit LogWriter(int fd, LostText lost_text, std::size_t capacity = default_capacity);
    // Waits for a moment, as flush() does.
    ~LogWriter();
    LogWriter(const LogWriter&) = delete;
    LogWriter& operator=(const LogWriter&) = delete;

    // Appends whole lines, unless `capacity` bytes wait already or there is no memory. Never
    // blocks. [any-thread]
    void write(std::string_view text);

    // Waits until everything is written. False: it was not within that time. [any-thread]
    bool flush(Nanos patience);

    // The same for a handler of a fatal signal: takes no lock and allocates nothing.
    [[nodiscard]] bool flush_in_signal_handler(Nanos patience) const;

private:
    // Lines that were lost, by the offset in the text where they would stand.
    using Gaps = std::vector<std::pair<std::size_t, std::uint64_t>>;

    // Shared with the thread, which may outlive the writer inside a write() that blocks.
    struct State {
        State(int its_fd, LostText its_lost_text)
            : fd(its_fd),
              lost_text(std::move(its_lost_text)) {}

        void run();
        bool append(std::string_view text) REQUIRES(mutex);
        // False: a write failed, and what it left is counted as lost.
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
        // Bytes in the queue or on their way. Changed under the mutex, or by the thread alone after
        // a write; the signal handler reads it without.
        std::atomic<std::size_t> pending{0};
    };

    const std::size_t capacity_;
    const std::shared_ptr<State> state_;
    std::thread thread_;
};

}  // namespace skep::host
