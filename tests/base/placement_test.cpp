#include "host/base/placement.hpp"

#include <functional>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

namespace skep::host {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Policy = SchedulingPolicy;

// What a thread has, by the system's own word.
struct Found {
    std::vector<int> cpus;
    int nice = 0;
    int policy = 0;
    int priority = 0;
};

Found found() {
    Found result;
    cpu_set_t set;
    CPU_ZERO(&set);
    EXPECT_EQ(sched_getaffinity(0, sizeof set, &set), 0);
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
        if (CPU_ISSET(static_cast<std::size_t>(cpu), &set))
            result.cpus.push_back(cpu);
    }
    result.nice = getpriority(PRIO_PROCESS, static_cast<id_t>(gettid()));
    result.policy = sched_getscheduler(0);
    sched_param param{};
    EXPECT_EQ(sched_getparam(0, &param), 0);
    result.priority = param.sched_priority;
    return result;
}

// On a thread of its own, for a placement stays.
void on_a_thread(const std::function<void()>& work) {
    std::thread(work).join();
}

// "" when it was applied.
std::string error_of(const Placement& placement) {
    const Result<Done, std::string> result = apply_placement(placement);
    return result ? "" : result.error();
}

TEST(ApplyPlacement, OfDefaultsLeavesTheThreadAsItWas) {
    on_a_thread([] {
        const Found before = found();
        EXPECT_EQ(error_of({}), "");
        const Found after = found();
        EXPECT_EQ(after.cpus, before.cpus);
        EXPECT_EQ(after.nice, before.nice);
        EXPECT_EQ(after.policy, before.policy);
    });
}

TEST(ApplyPlacement, KeepsAThreadOnItsCpuAndLeavesTheOthersAlone) {
    const Found before = found();
    const int last = before.cpus.back();
    on_a_thread([&] {
        EXPECT_EQ(error_of({{last}}), "");
        EXPECT_THAT(found().cpus, ElementsAre(last));
        EXPECT_EQ(sched_getcpu(), last);
    });
    EXPECT_EQ(found().cpus, before.cpus);
}

TEST(ApplyPlacement, SetsTheNiceValueOfTheThreadAlone) {
    const Found before = found();
    if (before.nice == 19)
        GTEST_SKIP() << "the tests run at the highest nice value already";
    const int higher = before.nice + 1 == 0 ? 1 : before.nice + 1;
    on_a_thread([&] {
        EXPECT_EQ(error_of({{}, higher}), "");
        EXPECT_EQ(found().nice, higher);
    });
    EXPECT_EQ(found().nice, before.nice);
}

TEST(ApplyPlacement, SetsPoliciesThatAnyoneMayHave) {
    on_a_thread([] {
        EXPECT_EQ(error_of({{}, 0, Policy::batch}), "");
        EXPECT_EQ(found().policy, SCHED_BATCH);
    });
    on_a_thread([] {
        EXPECT_EQ(error_of({{}, 0, Policy::idle}), "");
        EXPECT_EQ(found().policy, SCHED_IDLE);
    });
}

TEST(ApplyPlacement, SetsTheRealTimePoliciesWhereItMayAndOtherwiseSaysSo) {
    const ProcessLimits limits = read_process_limits();
    const auto number = [](Policy policy) {
        return policy == Policy::fifo ? SCHED_FIFO : SCHED_RR;
    };
    for (const Policy policy : {Policy::fifo, Policy::rr}) {
        on_a_thread([&] {
            const std::string error = error_of({{}, 0, policy, 1});
            if (limits.highest_priority > 0) {
                EXPECT_EQ(error, "");
                EXPECT_EQ(found().policy, number(policy));
                EXPECT_EQ(found().priority, 1);
            } else {
                EXPECT_THAT(error,
                            HasSubstr("cannot set policy '" + std::string(name_of(policy)) +
                                      "' with priority 1: "));
            }
        });
    }
}

TEST(ApplyPlacement, RefusesACpuThatIsNotThere) {
    // Far beyond the cpus of any machine that runs tests, and beyond a cpu_set_t.
    constexpr int nowhere = 8000;
    const int here = found().cpus.front();
    on_a_thread([&] {
        EXPECT_THAT(error_of({{nowhere}}), HasSubstr("cpu 8000 is not available to this process"));
    });
    // Linux itself would settle for the cpus that there are.
    on_a_thread([&] {
        EXPECT_THAT(error_of({{here, nowhere}}),
                    HasSubstr("cpu 8000 is not available to this process"));
    });
}

// As under taskset, of which the system itself would let the thread out again.
TEST(ApplyPlacement, StaysWithinTheCpusThatTheProcessWasStartedWith) {
    const std::vector<int> cpus = found().cpus;
    if (cpus.size() < 2)
        GTEST_SKIP() << "the tests have one cpu only";
    on_a_thread([&] {
        ASSERT_EQ(error_of({{cpus[0]}}), "");
        EXPECT_THAT(read_process_limits().cpus, ElementsAre(cpus[0]));
        on_a_thread([&] {
            EXPECT_EQ(error_of({{cpus[1]}}),
                      "cpu " + std::to_string(cpus[1]) +
                          " is not available to this process, which may use cpu " +
                          std::to_string(cpus[0]));
            EXPECT_EQ(error_of({{cpus[0]}}), "");
        });
    });
}

TEST(ProcessLimits, AreWhatTheProcessMayDo) {
    const Found before = found();
    const ProcessLimits limits = read_process_limits();
    EXPECT_EQ(limits.cpus, before.cpus);
    EXPECT_LE(limits.lowest_nice, before.nice);
    EXPECT_GE(limits.lowest_nice, -20);
    EXPECT_GE(limits.highest_priority, 0);
    EXPECT_LE(limits.highest_priority, 99);
    // Nothing of the trial is left.
    const Found after = found();
    EXPECT_EQ(after.nice, before.nice);
    EXPECT_EQ(after.policy, before.policy);
}

TEST(ProcessLimits, AreWhereThePlacementOfAThreadIsRefused) {
    const ProcessLimits limits = read_process_limits();
    on_a_thread([&] {
        if (limits.lowest_nice != 0) {
            EXPECT_EQ(error_of({{}, limits.lowest_nice}), "");
        }
    });
    on_a_thread([&] {
        if (limits.lowest_nice > -20 && limits.lowest_nice != 1) {
            EXPECT_THAT(error_of({{}, limits.lowest_nice - 1}), HasSubstr("cannot have nice "));
        }
    });
}

const ProcessLimits narrow{{0, 1, 2, 5}, -3, 10};

TEST(RefusedSettings, AreNoneWithinTheLimits) {
    EXPECT_THAT(refused_settings({}, narrow), IsEmpty());
    EXPECT_THAT(refused_settings({{5, 0}, -3, Policy::batch}, narrow), IsEmpty());
    EXPECT_THAT(refused_settings({{}, 0, Policy::rr, 10}, narrow), IsEmpty());
    EXPECT_THAT(refused_settings({{}, 0, Policy::idle}, {{0}, 0, 0}), IsEmpty());
    EXPECT_THAT(refused_settings({{999}, -20, Policy::fifo, 99}, ProcessLimits{}), IsEmpty());
}

TEST(RefusedSettings, AreEachToldWithWhatIsAllowed) {
    EXPECT_THAT(refused_settings({{0, 3, 6}, -4}, narrow),
                ElementsAre("cpu 3 is not available to this process, which may use cpus 0-2, 5",
                            "cpu 6 is not available to this process, which may use cpus 0-2, 5",
                            "nice -4 is not available to this process, which may use -3 to 19"));
    EXPECT_THAT(
        refused_settings({{}, 0, Policy::fifo, 11}, narrow),
        ElementsAre("priority 11 of policy 'fifo' is not available to this process, which may "
                    "use 1 to 10"));
    EXPECT_THAT(refused_settings({{1}, 0, Policy::rr, 1}, {{0}, 0, 0}),
                ElementsAre("cpu 1 is not available to this process, which may use cpu 0",
                            "policy 'rr' is not available to this process"));
}

// A process that was started at nice 5 may not be able to go back to 0, and need not: 0 stands for
// what it was started with.
TEST(RefusedSettings, DoNotHoldTheDefaultsAgainstAProcess) {
    EXPECT_THAT(refused_settings({}, {{0}, 5, 0}), IsEmpty());
    EXPECT_THAT(refused_settings({{}, 4}, {{0}, 5, 0}),
                Contains("nice 4 is not available to this process, which may use 5 to 19"));
}

}  // namespace
}  // namespace skep::host
