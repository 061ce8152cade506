#include "host/daemon/log_writer.hpp"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <new>
#include <system_error>

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "host/base/process_state.hpp"
#include "host/base/write_all.hpp"

namespace skep::host {
namespace {

// How long the destructor waits for a stderr that is blocked.
constexpr Nanos last_patience = std::chrono::milliseconds(200);

// The largest piece of one write(). Each piece frees its room in the queue.
constexpr std::size_t most_at_once = std::size_t{64} << 10;

constexpr int first_private_fd = 3;

std::uint64_t lines_in(std::string_view text) {
    return static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n'));
}

}  // namespace

LogWriter::LogWriter(int fd, LostText lost_text, std::size_t capacity)
    : capacity_(capacity),
      state_(std::make_shared<State>(::fcntl(fd, F_DUPFD_CLOEXEC, first_private_fd),
                                     std::move(lost_text))) {
    try {
        thread_ = std::thread([state = state_] {
            ::pthread_setname_np(::pthread_self(), "log");
            unblock_all_signals();  // only the main thread blocks some
            state->run();
        });
    } catch (const std::system_error&) {  // write() works without the thread
    }
}

LogWriter::~LogWriter() {
    if (!thread_.joinable()) {
        return;
    }
    bool is_over = false;
    {
        const MutexLock lock(state_->mutex);
        state_->is_ending = true;
        state_->changed.notify_all();
        is_over = state_->changed.wait_for(
            state_->mutex, last_patience, [this]() REQUIRES(state_->mutex) {
                return state_->is_over;
            });
    }
    if (is_over) {
        thread_.join();
    } else {
        thread_.detach();  // it shares `state_`, and the process ends without it
    }
}

void LogWriter::write(std::string_view text) {
    if (text.empty()) {
        return;
    }
    if (!thread_.joinable()) {
        (void)state_->write_all(text);
        return;
    }
    const MutexLock lock(state_->mutex);
    if (state_->pending.load(std::memory_order_relaxed) >= capacity_) {
        state_->lost += lines_in(text);
        return;
    }
    if (!state_->append(text)) {
        state_->lost += lines_in(text);
        return;
    }
    state_->pending.fetch_add(text.size(), std::memory_order_relaxed);
    state_->changed.notify_all();
}

// False: out of memory; the queue is unchanged.
bool LogWriter::State::append(std::string_view text) {
    try {
        queue.reserve(queue.size() + text.size());
        if (lost > 0) {
            gaps.emplace_back(queue.size(), lost);
            lost = 0;
        }
        queue += text;
        return true;
    } catch (const std::bad_alloc&) {
        return false;
    }
}

bool LogWriter::flush(Nanos patience) {
    const MutexLock lock(state_->mutex);
    const auto is_written = [this]() REQUIRES(state_->mutex) {
        return state_->queue.empty() && !state_->is_writing;
    };
    if (patience == forever) {
        state_->changed.wait(state_->mutex, is_written);
        return true;
    }
    return state_->changed.wait_for(state_->mutex, patience, is_written);
}

bool LogWriter::flush_in_signal_handler(Nanos patience) const {
    constexpr timespec step = {0, 1'000'000};
    Nanos waited{0};
    while (state_->pending.load(std::memory_order_relaxed) > 0) {
        if (waited >= patience) {
            return false;
        }
        (void)::nanosleep(&step, nullptr);
        waited += Nanos(step.tv_nsec);
    }
    return true;
}

void LogWriter::State::run() {
    for (;;) {
        std::string text;
        Gaps places;
        {
            const MutexLock lock(mutex);
            is_writing = false;
            changed.notify_all();
            changed.wait(mutex, [this]() REQUIRES(mutex) { return is_ending || !queue.empty(); });
            if (queue.empty()) {
                is_over = true;
                changed.notify_all();
                return;
            }
            text.swap(queue);
            places.swap(gaps);
            is_writing = true;
        }
        if (!write_batch(text, places)) {
            continue;  // the next line tries stderr again
        }
        std::uint64_t lines = 0;
        {
            const MutexLock lock(mutex);
            lines = queue.empty() ? std::exchange(lost, 0) : 0;
        }
        (void)write_lost(lines);
    }
}

bool LogWriter::State::write_batch(std::string_view text, const Gaps& places) {
    bool is_well = true;
    std::size_t begin = 0;
    const auto write_until = [&](std::size_t end) {
        while (begin < end) {
            const std::string_view piece = text.substr(begin, std::min(most_at_once, end - begin));
            is_well = write_counted(piece) && is_well;
            pending.fetch_sub(piece.size(), std::memory_order_relaxed);
            begin += piece.size();
        }
    };
    for (const auto& [end, lines] : places) {
        write_until(end);
        is_well = write_lost(lines) && is_well;
    }
    write_until(text.size());
    return is_well;
}

bool LogWriter::State::write_counted(std::string_view text) {
    if (write_all(text)) {
        return true;
    }
    add_lost(lines_in(text));
    return false;
}

bool LogWriter::State::write_lost(std::uint64_t lines) {
    if (lines == 0) {
        return true;
    }
    try {
        const std::string said = lost_text(lines, error.load(std::memory_order_relaxed));
        std::string_view text = said;
        if (write_all(text)) {
            error.store(0, std::memory_order_relaxed);
            return true;
        }
    } catch (const std::bad_alloc&) {  // a later call writes the count
    }
    add_lost(lines);
    return false;
}

// Removes the written part from `text`.
bool LogWriter::State::write_all(std::string_view& text) {
    const int failed = host::write_all(fd.get(), text);
    if (failed != 0) {
        error.store(failed, std::memory_order_relaxed);
    }
    return failed == 0;
}

void LogWriter::State::add_lost(std::uint64_t lines) {
    const MutexLock lock(mutex);
    lost += lines;
}

}  // namespace skep::host
