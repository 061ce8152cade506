#include "host/manager/hang_watch.hpp"

#include <vector>

#include <gtest/gtest.h>

namespace skep::host::hang_watch_test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A watch that looks every quarter of a second.
class HangWatch : public testing::Test {
protected:
    // What it reports while it sees the same for that long.
    std::vector<double> reported_while(const CallSight& sight, Nanos duration) {
        std::vector<double> reports;
        for (const Nanos end = now + duration; now < end; now += milliseconds(250)) {
            const auto report = watch.look(sight, now);
            if (report) {
                const double lasted = std::chrono::duration<double>(report->lasted).count();
                reports.push_back(report->goes_on ? -lasted : lasted);
            }
        }
        return reports;
    }

    using Reports = std::vector<double>;
    const CallSight idle{};
    const CallSight in_call{"on_message", 1, 0, false};
    Nanos now{seconds(100)};
    host::HangWatch watch;
};

TEST_F(HangWatch, ReportsAfterASecondAndWhenTheTimeHasDoubled) {
    EXPECT_EQ(reported_while(in_call, seconds(10)), Reports({1, 2, 4, 8}));
}

TEST_F(HangWatch, ReportsOnceThatTheWorkerGoesOn) {
    (void)reported_while(in_call, seconds(3));
    EXPECT_EQ(reported_while(idle, seconds(3)), Reports({-3}));
}

TEST_F(HangWatch, SaysNothingOfShortCalls) {
    for (std::uint64_t number = 0; number < 20; ++number) {
        EXPECT_EQ(reported_while({"on_message", number, 0, false}, milliseconds(750)), Reports());
    }
}

TEST_F(HangWatch, SaysNothingOfOneThatWaitsInTheHost) {
    EXPECT_EQ(reported_while({"run", 1, 0, true}, seconds(10)), Reports());
}

TEST_F(HangWatch, SaysNothingOfOneThatComesToCheckpoints) {
    for (std::int64_t checkpoint = 0; checkpoint < 20; ++checkpoint) {
        EXPECT_EQ(reported_while({"run", 1, checkpoint, false}, milliseconds(500)), Reports());
    }
}

TEST_F(HangWatch, ReportsHangsOfOneKindLessAndLessOften) {
    int reports = 0;
    for (std::uint64_t number = 1; number <= 16; ++number) {
        reports += static_cast<int>(
            reported_while({"on_message", number, 0, false}, milliseconds(1500)).size());
    }
    EXPECT_EQ(reports, 2 * 5 - 1);  // of the 1st, 2nd, 4th, 8th and 16th, which is not over yet
}

}  // namespace
}  // namespace skep::host::hang_watch_test
