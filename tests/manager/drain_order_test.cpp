// Who may drain, by facts alone.
#include "host/manager/drain_order.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "host/worker/activity.hpp"

namespace skep::host {
namespace {

using Life = WorkerFacts::Life;
using Phase = HostFacts::Phase;
using Indexes = std::vector<std::size_t>;

WorkerFacts handler(Life life = Life::at_work, std::uint32_t activity = 0) {
    WorkerFacts made;
    made.life = life;
    made.activity = activity;
    return made;
}

WorkerFacts loop(Life life, std::uint32_t activity = 0) {
    WorkerFacts made = handler(life, activity);
    made.is_loop = true;
    return made;
}

WorkerFacts sent_to(WorkerFacts made) {
    made.was_sent_to = true;
    return made;
}

WorkerFacts with_on_drain(WorkerFacts made) {
    made.has_on_drain = true;
    return made;
}

// A flow of groups of one worker each, sinks first.
class Flow {
public:
    Flow& add(const WorkerFacts& worker, Indexes upstream = {}) {
        workers_.push_back(worker);
        upstreams_.push_back(std::move(upstream));
        return *this;
    }

    [[nodiscard]] DrainDecision decide(Phase phase = Phase::working, bool is_changing = false) {
        std::vector<GroupFacts> groups(workers_.size());
        for (std::size_t i = 0; i < groups.size(); ++i) {
            groups[i].upstream = upstreams_[i];
            groups[i].is_cycle = is_cycle;
            groups[i].add(workers_[i]);
        }
        return host::decide(groups, {phase, true, is_changing});
    }

    bool is_cycle = false;

private:
    std::vector<WorkerFacts> workers_;
    std::vector<Indexes> upstreams_;
};

TEST(DrainOrder, AHandlerBehindEndedSendersDrainsWhenItIsQuiet) {
    EXPECT_EQ(Flow().add(handler(), {1}).add(loop(Life::ended)).decide().if_quiet, Indexes{0});
    EXPECT_TRUE(Flow().add(handler(), {1}).add(loop(Life::at_work)).decide().if_quiet.empty());
    EXPECT_TRUE(Flow().add(handler(), {1}).add(loop(Life::halted)).decide().if_quiet.empty());
}

TEST(DrainOrder, ALoopBehindEndedSendersDrainsAtOnce) {
    const auto decided = Flow().add(loop(Life::at_work), {1}).add(loop(Life::ended)).decide();
    EXPECT_EQ(decided.drain, Indexes{0});
}

TEST(DrainOrder, AWorkerThatWasSentToDirectlyWaitsForTheHost) {
    const auto decided = Flow().add(sent_to(handler()), {1}).add(loop(Life::ended)).decide();
    EXPECT_TRUE(decided.if_quiet.empty());
    EXPECT_TRUE(decided.is_host_next);
}

TEST(DrainOrder, ATimerThatFiresOnceIsAliveEverywhere) {
    const WorkerFacts once = handler(Life::at_work, Activity::one_shot);
    const auto fed = Flow().add(once, {1}).add(loop(Life::ended)).decide();
    EXPECT_TRUE(fed.if_quiet.empty());
    EXPECT_FALSE(fed.is_host_next);
    EXPECT_FALSE(Flow().add(once).add(loop(Life::ended)).decide().is_host_next);
}

TEST(DrainOrder, ATimerThatFiresAgainAndAgainIsAliveWhereNoRouteFeeds) {
    const WorkerFacts again = handler(Life::at_work, Activity::periodic);
    EXPECT_EQ(Flow().add(again, {1}).add(loop(Life::ended)).decide().if_quiet, Indexes{0});
    EXPECT_FALSE(Flow().add(again).add(loop(Life::ended)).decide().is_host_next);
}

TEST(DrainOrder, TheHostIsNextWhenNoSourceIsLeft) {
    EXPECT_TRUE(Flow().add(handler()).add(loop(Life::ended)).decide().is_host_next);
    EXPECT_FALSE(Flow().add(handler()).add(loop(Life::at_work)).decide().is_host_next);
    EXPECT_FALSE(Flow().add(handler()).add(loop(Life::halted)).decide().is_host_next);
    EXPECT_FALSE(Flow().add(handler()).add(loop(Life::changing)).decide().is_host_next);
    EXPECT_FALSE(
        Flow().add(handler()).add(loop(Life::ended)).decide(Phase::working, true).is_host_next);
}

TEST(DrainOrder, AHostWithoutASourceIsNeverNext) {
    EXPECT_FALSE(Flow().add(handler()).add(handler()).decide().is_host_next);
    EXPECT_TRUE(Flow()
                    .add(handler())
                    .add(handler(Life::at_work, Activity::began_periodic))
                    .decide()
                    .is_host_next);
}

TEST(DrainOrder, TransientActivityIsToldApart) {
    for (const auto bit : {Activity::calling, Activity::unsent, Activity::failing}) {
        const auto decided =
            Flow().add(handler(Life::at_work, bit)).add(loop(Life::ended)).decide();
        EXPECT_TRUE(decided.is_host_next);
        EXPECT_TRUE(decided.is_in_motion);
    }
}

TEST(DrainOrder, AFedLoopIsInMotionUnlessItWaitsInReceive) {
    const auto is_in_motion = [](std::uint32_t activity) {
        return Flow()
            .add(loop(Life::at_work, activity), {1})
            .add(sent_to(handler()))
            .add(loop(Life::ended))
            .decide()
            .is_in_motion;
    };
    EXPECT_TRUE(is_in_motion(0));
    EXPECT_FALSE(is_in_motion(Activity::receiving));
}

TEST(DrainOrder, OnceTheWorkIsDoneOneDrainsAfterTheOther) {
    const WorkerFacts ending = with_on_drain(handler());
    // Who has been sent to directly is later than who has not, and who sends nothing is the last.
    EXPECT_EQ(
        Flow().add(handler()).add(sent_to(ending)).add(ending).add(ending).decide(Phase::done).next,
        Indexes{2});
    EXPECT_EQ(Flow().add(handler()).add(sent_to(ending)).decide(Phase::done).next, Indexes{1});
    EXPECT_EQ(Flow().add(handler()).add(handler()).decide(Phase::done).next, (Indexes{0, 1}));
    // Along the flow, also past one that an operator has stopped.
    EXPECT_EQ(Flow().add(ending, {1}).add(handler()).decide(Phase::done).next, Indexes{1});
    EXPECT_EQ(Flow().add(ending, {1}).add(handler(Life::halted)).decide(Phase::done).next,
              Indexes{0});
    EXPECT_TRUE(Flow().add(ending).add(handler(Life::changing)).decide(Phase::done).next.empty());
}

TEST(DrainOrder, ManyDrainInFewSteps) {
    Flow flow;
    for (int i = 0; i < 10'000; ++i) {
        flow.add(with_on_drain(handler()));
    }
    EXPECT_EQ(flow.decide(Phase::done).next.size(), 312U);
}

TEST(DrainOrder, AStopDrainsFromTheSourcesDownAndPassiveHandlersLast) {
    EXPECT_EQ(Flow()
                  .add(handler(), {1})
                  .add(loop(Life::at_work))
                  .add(handler())
                  .decide(Phase::stopping)
                  .drain,
              Indexes{1});
    EXPECT_EQ(Flow()
                  .add(handler(), {1})
                  .add(loop(Life::ended))
                  .add(handler())
                  .decide(Phase::stopping)
                  .drain,
              Indexes{0});
    EXPECT_EQ(Flow()
                  .add(handler(Life::ended), {1})
                  .add(loop(Life::ended))
                  .add(handler())
                  .decide(Phase::stopping)
                  .drain,
              Indexes{2});
}

}  // namespace
}  // namespace skep::host
