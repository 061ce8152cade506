// The control word of one start of a worker: carries the manager's commands, apart from the
// worker's data.
//
// Commands never travel in the mailbox. A full queue or a slow message would delay them there, and
// a later command could overtake an earlier one. Each command carries an epoch, one more than that
// of the command before. A worker that stands still reports for which epoch it does. Thus a resume
// and a pause in quick succession are never mistaken for one long pause. (The Python original lost
// 2000 of 2000 such pulses.)
//
//   request          [manager-thread]
//   command, word    [any-thread]
#pragma once

#include <atomic>
#include <cstdint>

namespace skep::host {

enum class Command : std::uint8_t {
    run,    // no command is pending
    hold,   // stand still at the next checkpoint
    swap,   // activate the offered successor (handover.hpp)
    drain,  // end when the mailbox is empty
    stop,   // end now
};

struct IssuedCommand {
    Command wanted = Command::run;
    std::uint64_t epoch = 0;
};

class Control {
public:
    // A worker starts with hold: it runs when the manager commands it.
    Control() { request(Command::hold); }

    // Returns the epoch of the command. The caller unparks the worker afterwards.
    std::uint64_t request(Command wanted) {
        const std::uint64_t epoch = (command_.load(std::memory_order_relaxed) >> 8) + 1;
        // Release pairs with the acquire in command(). The plugin's relaxed load of word_ only
        // decides whether the plugin checks.
        command_.store(epoch << 8 | static_cast<std::uint64_t>(wanted), std::memory_order_release);
        set_bit(command_bit, wanted != Command::run);
        return epoch;
    }

    // Asks the worker to return soon from its callback, without a command. On a pool, because a
    // route is full [the worker's thread]. On a thread of its own, because the call takes long
    // [manager-thread].
    void ask_to_return(bool asks) { set_bit(return_bit, asks); }

    // [the worker's own thread, between two calls] Clears the request: the worker has returned.
    void has_returned() {
        if ((word_.load(std::memory_order_relaxed) & return_bit) != 0) {
            set_bit(return_bit, false);
        }
    }

    [[nodiscard]] IssuedCommand command() const {
        const std::uint64_t raw = command_.load(std::memory_order_acquire);
        return {static_cast<Command>(raw & 0xff), raw >> 8};
    }

    // The word that skep_context::control points to: 0 while no command or request is pending.
    [[nodiscard]] const std::uint32_t* word() const {
        static_assert(sizeof(word_) == sizeof(std::uint32_t));
        return reinterpret_cast<const std::uint32_t*>(&word_);
    }

private:
    static constexpr std::uint32_t command_bit = 1;
    static constexpr std::uint32_t return_bit = 2;

    void set_bit(std::uint32_t bit, bool on) {
        if (on) {
            word_.fetch_or(bit, std::memory_order_release);
        } else {
            word_.fetch_and(~bit, std::memory_order_release);
        }
    }

    std::atomic<std::uint64_t> command_{0};  // epoch << 8 | Command; written only by the manager
    std::atomic<std::uint32_t> word_{0};
};

}  // namespace skep::host
