// Ends the process, or its own thread, as its parameter names: each way that a handler of the host
// can see.
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>
#include <thread>

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <skep/plugin.hpp>

namespace {

volatile int sink = 0;  // the compiler must not know what is in it

[[gnu::noinline]] int fill_stack(const volatile char* before) {
    volatile char frame[4096];
    frame[0] = before != nullptr ? before[0] : '1';
    frame[4095] = frame[0];
    sink = sink + frame[0];
    return sink == 0 ? 0 : fill_stack(frame) + frame[4095];
}

// What the compiler does not see cannot be optimised away, nor warned of.
volatile std::uintptr_t nowhere = 0;

void write_to_null() {
    *reinterpret_cast<volatile int*>(nowhere) = 1;
}

void call_null() {
    reinterpret_cast<void (*)()>(nowhere)();
}

void divide_by_zero() {
    sink = sink / static_cast<int>(nowhere);
}

void free_twice() {
    void* const memory = std::malloc(40);
    void* volatile again = memory;
    std::free(memory);
    std::free(again);
}

}  // namespace

struct DiesAsTold {
    static constexpr auto name = "worker";
    static constexpr skep::param params[] = {
        skep::param::string("way", "How it dies"),
        skep::param::string("in", "In which call").with_default("on_message")};
    static constexpr skep::port inputs[] = {skep::port("in", "*", "Any message").optional()};

    explicit DiesAsTold(skep::context& context)
        : way(context.config_text("way")),
          call(context.config_text("in")) {
        if (call == "on_timer") {
            context.set_timer(1, std::chrono::nanoseconds(0));
        }
        die_in("create");
    }

    ~DiesAsTold() { die_in("destroy"); }

    DiesAsTold(const DiesAsTold&) = delete;
    DiesAsTold& operator=(const DiesAsTold&) = delete;

    void on_message(skep::context& context, const skep::message& message) {
        if (way == "release twice") {
            skep_message kept{};
            (void)context.raw()->api->message_keep(context.raw(), &message.raw(), &kept);
            context.raw()->api->message_release(context.raw(), &kept);
            context.raw()->api->message_release(context.raw(), &kept);
        } else if (way == "release a view") {
            context.raw()->api->message_release(context.raw(), &message.raw());
        }
        die_in("on_message");
    }

    void on_timer(skep::context& /*context*/, std::uint32_t /*id*/) { die_in("on_timer"); }

    void on_drain(skep::context& /*context*/) { die_in("on_drain"); }

    void die_in(const char* where) const {
        if (call == where) {
            die();
        }
    }

    void die() const {
        if (way == "null") {
            write_to_null();
        } else if (way == "jump") {
            call_null();
        } else if (way == "bus") {
            (void)::raise(SIGBUS);
        } else if (way == "divide") {
            divide_by_zero();
        } else if (way == "illegal") {
            __builtin_trap();
        } else if (way == "abort") {
            std::abort();
        } else if (way == "overflow") {
            sink = 1;
            sink = fill_stack(nullptr);
        } else if (way == "double free") {
            free_twice();
        } else if (way == "hang") {
            for (;;) {
                ::pause();
            }
        } else if (way == "alarm") {
            (void)::raise(SIGALRM);
        } else if (way == "null in a thread") {
            std::thread(write_to_null).join();
        } else if (way == "abort in a thread") {
            std::thread([] { std::abort(); }).join();
        } else if (way == "throw in a thread") {
            std::thread([] { throw std::runtime_error("nobody catches this"); }).join();
        } else if (way == "terminate") {
            std::terminate();
        } else if (way == "exit") {
            std::exit(0);
        } else if (way == "exit in a thread") {
            std::thread([] { std::exit(5); }).join();
        } else if (way == "quick_exit") {
            std::quick_exit(0);
        } else if (way == "pthread_exit") {
            ::pthread_exit(nullptr);
        } else if (way == "default handler") {
            std::signal(SIGSEGV, SIG_DFL);
            write_to_null();
        } else if (way == "fork and return") {
            const pid_t child = ::fork();
            if (child > 0) {
                (void)::waitpid(child, nullptr, 0);
            }
        } else if (way == "fork and exit") {
            if (::fork() == 0) {
                std::exit(0);
            }
        }
    }

    std::string way, call;
};

SKEP_PLUGIN("org.skep.test.dies_as_told", "1.2.3", DiesAsTold)
