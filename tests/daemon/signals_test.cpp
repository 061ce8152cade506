#include "host/daemon/signals.hpp"

#include <csignal>
#include <future>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "host/daemon/exit_code.hpp"
#include "tests/support/signals.hpp"

namespace skep::host {
namespace {

using testing::ElementsAre;
using testing::ExitedWithCode;

std::vector<StopStep> steps(const std::vector<int>& signals) {
    StopSteps steps;
    std::vector<StopStep> taken;
    for (const int signal : signals) {
        taken.push_back(steps.next(signal));
    }
    return taken;
}

TEST(StopSteps, DrainThenStopThenLeave) {
    EXPECT_THAT(steps({SIGINT, SIGINT, SIGINT, SIGINT}),
                ElementsAre(StopStep::drain, StopStep::stop_now, StopStep::leave, StopStep::leave));
    EXPECT_THAT(steps({SIGTERM, SIGINT, SIGTERM}),
                ElementsAre(StopStep::drain, StopStep::stop_now, StopStep::leave));
}

TEST(StopSteps, QuitDoesNotDrain) {
    EXPECT_THAT(steps({SIGQUIT, SIGINT}), ElementsAre(StopStep::stop_now, StopStep::leave));
    EXPECT_THAT(steps({SIGINT, SIGQUIT}), ElementsAre(StopStep::drain, StopStep::stop_now));
}

// A guard changes the signals of its process, so each test gives it a process of its own.
class SignalGuard : public testing::Test {
protected:
    void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

// A host that ends when it was asked to stop `wanted` times, and answers with the last grace in
// seconds.
int watch_host(int wanted, const std::vector<int>& signals) {
    Guard guard;
    std::promise<int> stopped;
    std::atomic<int> asked = 0;
    return guard.watch([&] {
        guard.stop_with(
            [&](Nanos grace) {
                if (++asked == wanted) {
                    stopped.set_value(static_cast<int>(grace / std::chrono::seconds(1)));
                } else {
                    test::send_signal(::getpid(), signals.at(1));
                }
            },
            std::chrono::seconds(20));
        test::send_signal(::getpid(), signals.at(0));
        return stopped.get_future().get();
    });
}

TEST_F(SignalGuard, GivesTheExitCodeOfTheWork) {
    EXPECT_EXIT(
        {
            Guard guard;
            ::_exit(guard.watch([] { return 7; }));
        },
        ExitedWithCode(7),
        "");
}

TEST_F(SignalGuard, FirstSignalAsksToStopWithinTheGrace) {
    EXPECT_EXIT(::_exit(watch_host(1, {SIGTERM})), ExitedWithCode(20), "");
}

TEST_F(SignalGuard, SecondSignalAsksToStopNow) {
    EXPECT_EXIT(::_exit(watch_host(2, {SIGINT, SIGINT})), ExitedWithCode(exit_interrupted), "");
}

TEST_F(SignalGuard, QuitAsksToStopNow) {
    EXPECT_EXIT(::_exit(watch_host(1, {SIGQUIT})), ExitedWithCode(exit_interrupted), "");
}

TEST_F(SignalGuard, ThirdSignalEndsTheProcessThoughTheHostHangs) {
    EXPECT_EXIT(
        {
            Guard guard;
            std::promise<int> never;
            (void)guard.watch([&] {
                guard.stop_with([](Nanos) { test::send_signal(::getpid(), SIGINT); }, Nanos(0));
                test::send_signal(::getpid(), SIGINT);
                return never.get_future().get();
            });
        },
        ExitedWithCode(exit_interrupted),
        "");
}

TEST_F(SignalGuard, SignalBeforeThereIsAHostEndsTheProcess) {
    EXPECT_EXIT(
        {
            Guard guard;
            std::promise<int> never;
            (void)guard.watch([&] {
                test::send_signal(::getpid(), SIGTERM);
                return never.get_future().get();
            });
        },
        ExitedWithCode(128 + SIGTERM),
        "");
}

// Signals that come while a host is being made; the answer of the work when it was told to stop.
int watch_start(const std::vector<int>& signals) {
    Guard guard;
    return guard.watch([&] {
        guard.expect_host();
        for (const int signal : signals) {
            test::send_signal(::getpid(), signal);
        }
        while (!guard.is_stop_wanted()) {
            std::this_thread::yield();
        }
        return 9;
    });
}

TEST_F(SignalGuard, SignalWhileAHostIsBeingMadeIsRemembered) {
    for (const int signal : {SIGTERM, SIGINT, SIGQUIT}) {
        EXPECT_EXIT(::_exit(watch_start({signal})), ExitedWithCode(9), "") << signal;
    }
    EXPECT_EXIT(::_exit(watch_start({SIGHUP, SIGTERM})), ExitedWithCode(9), "");
}

TEST_F(SignalGuard, HangUpWhileAHostIsBeingMadeIsMadeUpFor) {
    EXPECT_EXIT(
        {
            Guard guard;
            ::_exit(guard.watch([&] {
                guard.expect_host();
                test::send_signal(::getpid(), SIGHUP);
                std::promise<int> reloaded;
                guard.stop_with([](Nanos) {}, Nanos(0));
                guard.reload_with([&] { reloaded.set_value(5); });
                return reloaded.get_future().get();
            }));
        },
        ExitedWithCode(5),
        "");
}

TEST_F(SignalGuard, HostThatDoesNotEndIsLeft) {
    EXPECT_EXIT(
        {
            Guard guard;
            std::promise<int> never;
            (void)guard.watch([&] {
                guard.stop_with([](Nanos) {}, Nanos(0));
                test::send_signal(::getpid(), SIGINT);
                return never.get_future().get();
            });
        },
        ExitedWithCode(exit_internal),
        "did not end in time");
}

TEST_F(SignalGuard, AHostThatWasToldToEndByOthersIsLeftToo) {
    EXPECT_EXIT(
        {
            Guard guard;
            std::promise<int> never;
            (void)guard.watch([&] {
                guard.end_within(Nanos(0));
                guard.end_within(std::chrono::hours(1));  // only shortens
                return never.get_future().get();
            });
        },
        ExitedWithCode(exit_internal),
        "did not end in time");
}

// A plugin may close what it likes.
TEST_F(SignalGuard, HearsSignalsWithoutAnyDescriptor) {
    EXPECT_EXIT(
        {
            Guard guard;
            ::_exit(guard.watch([&] {
                std::promise<int> stopped;
                guard.stop_with([&](Nanos) { stopped.set_value(7); }, Nanos(0));
                ::close_range(3, ~0U, 0);
                test::send_signal(::getpid(), SIGTERM);
                return stopped.get_future().get();
            }));
        },
        ExitedWithCode(7),
        "");
}

TEST_F(SignalGuard, AReaderThatWentAwayDoesNotEndTheProcess) {
    EXPECT_EXIT(
        {
            Guard guard;
            ::raise(SIGPIPE);
            ::_exit(0);
        },
        ExitedWithCode(0),
        "");
}

}  // namespace
}  // namespace skep::host
