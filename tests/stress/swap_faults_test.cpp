// A failure is forced at each step of a reload, while three producers are at full speed. Up to the
// step at which the plan is in force the old set goes on, as a whole, and nothing is lost; after
// it, one instance is put back, and the verdict names the one message that it failed on.
#include <atomic>
#include <chrono>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/swap_load.hpp"

namespace skep::test {
namespace {

using host::Answer;
using host::Applied;
using testing::HasSubstr;

enum class Step {
    none,
    open,      // the plugin cannot be loaded
    succeed,   // its ports are others
    create,    // the instance cannot be made
    boundary,  // the old instance does not come to one in time
    save,      // the old instance cannot save its state
    load,      // the new one cannot load it
    release,   // the old one does not give up what only one can have
    acquire,   // the new one cannot take it
    probation  // the new one fails on its first message
};

struct Forced {
    Step step;
    const char* refusal;  // null: the plan is in force
};

constexpr Forced faults[] = {
    {Step::open, "refused by the test"},
    {Step::succeed, "cannot get a successor: its input 0 changed from 'in'"},
    {Step::create, "worker 'r' failed: create: forced"},
    {Step::boundary, "worker 'r' did not come to a boundary"},
    {Step::save, "worker 'r' keeps its instance: save_state: forced"},
    {Step::load, "worker 'r' keeps its instance: load_state: forced"},
    {Step::release, "worker 'r' keeps its instance: release: forced"},
    {Step::acquire, "worker 'r' keeps its instance: acquire: forced"},
    {Step::probation, nullptr},
};

class SwapFaults : public SwapStress {
protected:
    // So long a worker that is stuck is waited for: the others need to come to their boundary in
    // that time, also where a sanitizer slows them down.
    SwapFaults()
        : SwapStress({std::chrono::seconds(30), std::chrono::milliseconds(200) * slowness}) {}

    // As noting(), with what is forced at the moment.
    Script faulty(Seen& at_the_end) {
        Script script = noting(
            at_the_end,
            [this](int version, const Numbered&) {
                for (; forced == Step::boundary; std::this_thread::yield()) {
                    is_stuck = true;
                }
                throw_if(forced == Step::probation && version == newest);
                at_work_in_r = version;
            },
            [this](int) { throw_if(forced == Step::load); });
        script.make = [this, make = script.make](skep::context& context) {
            throw_if(forced == Step::create);
            Script one = make(context);
            one.acquire = [this, version = newest.load()](skep::context&) {
                throw_if(forced == Step::acquire && version == newest);
                ++owners;
            };
            one.release = [this] {
                throw_if(forced == Step::release);
                --owners;
            };
            one.save = [this, save = one.save] {
                throw_if(forced == Step::save);
                return save();
            };
            return one;
        };
        return script;
    }

    static void throw_if(bool is_forced) {
        if (is_forced) {
            throw std::runtime_error("forced");
        }
    }

    // Both workers get another version; "r" has the fault.
    Answer<Applied> swap_both(Step step) {
        ++newest;  // before the fault, which is not for the one at work
        forced = step;
        world.loader.refuses = step == Step::open;
        world.loader.renames_ports = step == Step::succeed;
        for (is_stuck = false; step == Step::boundary && !is_stuck;) {
            std::this_thread::yield();
        }
        change("q", newest);
        change("r", newest);
        const Answer<Applied> answer = manager.apply(world.plan);
        while (answer && step == Step::probation && world.metrics("r").rollbacks == rollbacks) {
            std::this_thread::yield();
        }
        forced = Step::none;
        world.loader.refuses = world.loader.renames_ports = false;
        return answer;
    }

    // Whose instance handles the next message of each.
    std::pair<int, int> versions_at_work() {
        at_work_in_q = at_work_in_r = -1;
        while (at_work_in_q < 0 || at_work_in_r < 0) {
            std::this_thread::yield();
        }
        return {at_work_in_q, at_work_in_r};
    }

    std::pair<std::uint64_t, std::uint64_t> generations() {
        return {world.metrics("q").generation, world.metrics("r").generation};
    }

    std::atomic<Step> forced{Step::none};
    std::atomic<bool> is_stuck{false};
    std::atomic<int> at_work_in_q{0}, at_work_in_r{0};
    std::atomic<int> newest{0};
    std::atomic<int> owners{0};  // of what only one can have
    std::uint64_t rollbacks = 0;
};

TEST_F(SwapFaults, AtEachStepTheOldSetGoesOnAndNothingIsLost) {
    Seen seen_by_q;
    Seen seen_by_r;
    add_receiver(
        "q", noting(seen_by_q, [this](int version, const Numbered&) { at_work_in_q = version; }));
    add_receiver("r", faulty(seen_by_r));
    add_producers({"q", "r"});
    world.start();
    for (const Forced& fault : faults) {
        for (int round = many(20); round > 0; --round) {
            SCOPED_TRACE(static_cast<int>(fault.step));
            const auto before = generations();
            const auto versions = versions_at_work();
            const Answer<Applied> answer = swap_both(fault.step);
            if (fault.refusal != nullptr) {
                ASSERT_FALSE(answer);
                EXPECT_THAT(answer.error().message, HasSubstr(fault.refusal));
                EXPECT_EQ(generations(), before) << "all of the set or none";
                EXPECT_EQ(versions_at_work(), versions);
            } else {
                ASSERT_TRUE(answer) << answer.error().message;
                EXPECT_EQ(world.metrics("r").rollbacks, ++rollbacks);
                EXPECT_EQ(generations(), std::pair(before.first + 1, before.second));
                EXPECT_EQ(versions_at_work(), std::pair(newest.load(), versions.second));
            }
        }
        const Answer<Applied> answer = swap_both(Step::none);
        ASSERT_TRUE(answer) << "nothing is in the way of the next: " << answer.error().message;
        EXPECT_EQ(owners, 1);
    }
    end();
    expect_equal(seen_by_q, all_that_was_sent());
    Seen expected = all_that_was_sent();
    expected.count -= rollbacks;
    expected.missed = rollbacks;
    expect_equal(seen_by_r, expected);
    EXPECT_EQ(world.metrics("r").in.dead_lettered.crash, rollbacks);
    EXPECT_EQ(world.observer.all_reverted.size(), rollbacks);
}

}  // namespace
}  // namespace skep::test
