// Misbehaves while it is loaded as SKEP_TEST_WHEN_LOADED in the environment says, while it is
// unloaded as SKEP_TEST_WHEN_UNLOADED says, and in create and
// at a message as its parameters say. tests/loader/probe_test.cpp has the table.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <skep/plugin.hpp>

namespace {

void wait_for_ever() {
    for (;;) {
        ::pause();
    }
}

void raise_limits() {
    for (const int which : {RLIMIT_NOFILE, RLIMIT_CORE, RLIMIT_AS}) {
        rlimit limit{};
        ::getrlimit(which, &limit);
        limit.rlim_cur = limit.rlim_max;
        ::setrlimit(which, &limit);
    }
}

// As _exit() does, also where a sanitizer has another one.
[[noreturn]] void end_process(int exit_code) {
    for (;;) {
        ::syscall(SYS_exit_group, exit_code);
    }
}

void misbehave(std::string_view how) {
    if (how == "ends with 0") {
        end_process(0);
    } else if (how == "exits with 0") {
        std::exit(0);
    } else if (how == "quick_exit") {
        std::quick_exit(0);
    } else if (how == "ends with 7") {
        std::fputs("no such database\n", stderr);
        end_process(7);
    } else if (how == "crashes") {
        ::raise(SIGSEGV);
    } else if (how == "kills itself") {
        ::raise(SIGKILL);
    } else if (how == "aborts") {
        std::abort();
    } else if (how == "stops itself") {
        ::raise(SIGSTOP);
    } else if (how == "hangs") {
        wait_for_ever();
    } else if (how == "leaves a process and ends") {
        if (::fork() == 0) {
            wait_for_ever();
        }
        end_process(0);
    } else if (how == "leaves a process") {
        if (::fork() == 0) {
            wait_for_ever();
        }
    } else if (how == "closes the first descriptors") {
        for (int fd = 0; fd < 3; ++fd) {
            ::close(fd);
        }
    } else if (how == "closes all descriptors") {
        for (int fd = 0; fd < 1000; ++fd) {
            ::close(fd);
        }
    } else if (how == "closes the pipe") {  // and keeps stdin, stdout and stderr
        for (int fd = 3; fd < 1000; ++fd) {
            ::close(fd);
        }
    } else if (how == "closes all descriptors and hangs") {
        for (int fd = 0; fd < 1000; ++fd) {
            ::close(fd);
        }
        wait_for_ever();
    } else if (how == "writes garbage") {
        for (int i = 0; i < 10000; ++i) {
            std::fputs("0123456789abcdef p 0 0 \n", stderr);
            std::fputs("0123456789abcdef p 0 0 \n", stdout);
        }
        std::fputs("without a newline", stderr);
    } else if (how == "raises limits") {
        raise_limits();
    }
}

struct WhenLoaded {
    WhenLoaded() {
        if (const char* const how = std::getenv("SKEP_TEST_WHEN_LOADED")) {
            misbehave(how);
        }
    }

    ~WhenLoaded() {
        if (const char* const how = std::getenv("SKEP_TEST_WHEN_UNLOADED")) {
            misbehave(how);
        }
    }
} when_loaded;

}  // namespace

struct Misbehaving {
    static constexpr auto name = "misbehaving";
    static constexpr skep::param params[] = {
        skep::param::string("when_created", "What it does in create").with_default("nothing"),
        skep::param::string("when_sent", "What it does at a message").with_default("nothing"),
    };
    static constexpr skep::port inputs[] = {skep::port("in", "*", "Anything").optional()};

    explicit Misbehaving(skep::context& context)
        : when_sent(context.config_text("when_sent")) {
        misbehave(context.config_text("when_created"));
        context.log(skep::log_level::info, "created");
    }

    void on_message(skep::context& /*context*/, const skep::message& /*message*/) const {
        misbehave(when_sent);
    }

    std::string when_sent;
};

SKEP_PLUGIN("org.skep.test.misbehaves", "1.0.0", Misbehaving)
