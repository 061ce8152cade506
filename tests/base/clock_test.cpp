#include "host/base/clock.hpp"

#include <atomic>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace skep::host {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(SteadyClock, ParkReturnsAtOnceWhenSomebodyUnparkedSincePrepare) {
    SteadyClock clock;
    const auto parker = clock.make_parker();
    const std::uint32_t ticket = parker->prepare();
    parker->unpark();
    parker->park(ticket, forever);
}

TEST(SteadyClock, ParkEndsAtItsDeadline) {
    SteadyClock clock;
    const auto parker = clock.make_parker();
    const Nanos deadline = clock.now() + milliseconds(5);
    while (clock.now() < deadline) {
        parker->park(parker->prepare(), deadline);
    }
}

TEST(SteadyClock, ParkWithADeadlineInThePastDoesNotSleep) {
    SteadyClock clock;
    const auto parker = clock.make_parker();
    parker->park(parker->prepare(), Nanos(1));
    parker->park(parker->prepare(), Nanos(-1));
}

// Two threads hand a turn back and forth. A lost wake-up would hang the test at its fuse.
TEST(SteadyClock, NoWakeUpIsLostInAMillionHandOvers) {
    SteadyClock clock;
    const auto ping = clock.make_parker();
    const auto pong = clock.make_parker();
    constexpr int rounds = 500'000;
    std::atomic<int> turn{0};
    const auto wait_for = [&turn](Parker& parker, int wanted) {
        for (;;) {
            const std::uint32_t ticket = parker.prepare();
            if (turn.load() == wanted) {
                return;
            }
            parker.park(ticket, forever);
        }
    };
    std::thread other([&] {
        for (int i = 0; i < rounds; ++i) {
            wait_for(*pong, 2 * i + 1);
            turn.store(2 * i + 2);
            ping->unpark();
        }
    });
    for (int i = 0; i < rounds; ++i) {
        turn.store(2 * i + 1);
        pong->unpark();
        wait_for(*ping, 2 * i + 2);
    }
    other.join();
    EXPECT_EQ(turn.load(), 2 * rounds);
}

// A thread with a Parker that notes the time every `period`, `count` times.
class Ticker {
public:
    Ticker(ManualClock& clock, Nanos period, int count)
        : parker_(clock.make_parker()) {
        parker_->attach();
        thread_ = std::thread([this, &clock, period, count] {
            for (int i = 0; i < count; ++i) {
                const Nanos deadline = clock.now() + period;
                while (clock.now() < deadline) {
                    parker_->park(parker_->prepare(), deadline);
                }
                seen.push_back(clock.now());
            }
            parker_->detach();
        });
    }

    ~Ticker() { thread_.join(); }

    Ticker(const Ticker&) = delete;
    Ticker& operator=(const Ticker&) = delete;

    std::vector<Nanos> seen;

private:
    std::shared_ptr<Parker> parker_;
    std::thread thread_;
};

TEST(ManualClock, WakesEveryoneAtExactlyTheirDeadlines) {
    ManualClock clock;
    Ticker fast(clock, seconds(1), 6);
    Ticker slow(clock, seconds(2), 3);
    clock.run_until(seconds(10));
    EXPECT_EQ(fast.seen,
              (std::vector<Nanos>{
                  seconds(1), seconds(2), seconds(3), seconds(4), seconds(5), seconds(6)}));
    EXPECT_EQ(slow.seen, (std::vector<Nanos>{seconds(2), seconds(4), seconds(6)}));
    EXPECT_EQ(clock.now(), seconds(10));
}

TEST(ManualClock, StandsStillUntilItIsRun) {
    ManualClock clock;
    Ticker ticker(clock, seconds(1), 1);
    clock.settle();
    EXPECT_TRUE(ticker.seen.empty());
    EXPECT_EQ(clock.now(), Nanos(0));
    clock.run_until(milliseconds(999));
    EXPECT_TRUE(ticker.seen.empty());
    clock.run_for(milliseconds(1));
    EXPECT_EQ(ticker.seen.size(), 1U);
}

TEST(ManualClock, DoesNotWaitForAParkerWithoutAThread) {
    ManualClock clock;
    const auto idle = clock.make_parker();
    clock.settle();
    idle->unpark();
    clock.run_until(seconds(1));
    EXPECT_EQ(clock.now(), seconds(1));
}

}  // namespace
}  // namespace skep::host
