#include "host/messaging/mailbox.hpp"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace skep::host::mailbox_test {
namespace {

class Mailbox : public testing::Test {
protected:
    PushResult push(std::uint32_t lane, std::uint64_t number) {
        Envelope envelope;
        envelope.sequence = number;
        return mailbox.push(envelope, lane, sender);
    }

    std::vector<std::uint64_t> take(std::size_t max = 1000) {
        std::vector<Envelope> out;
        take_into(out, max);
        std::vector<std::uint64_t> numbers;
        for (const Envelope& it : out) {
            numbers.push_back(it.sequence);
        }
        return numbers;
    }

    void take_into(std::vector<Envelope>& out, std::size_t max) {
        EXPECT_TRUE(
            mailbox.take_queued(out, max, [](const std::string*, std::uint64_t) { return true; }));
    }

    void TearDown() override { EXPECT_TRUE(mailbox.counts().is_balanced()); }

    using Numbers = std::vector<std::uint64_t>;

    SteadyClock clock;
    std::shared_ptr<Parker> sender = clock.make_parker();
    host::Mailbox mailbox{clock.make_parker(), 2};
};

TEST_F(Mailbox, IsClosedUntilItIsOpened) {
    EXPECT_EQ(push(direct_lane, 1), PushResult::closed);
    mailbox.open();
    EXPECT_EQ(push(direct_lane, 2), PushResult::accepted);
    EXPECT_EQ(mailbox.counts().rejected.closed, 1U);
    EXPECT_EQ(take(), Numbers{2});
}

TEST_F(Mailbox, KeepsTheOrderOfArrivalOverAllLanes) {
    mailbox.open();
    const auto route = mailbox.lane("a", 10, FullPolicy::block);
    (void)push(route, 1);
    (void)push(direct_lane, 2);
    (void)push(route, 3);
    EXPECT_EQ(take(), (Numbers{1, 2, 3}));
}

TEST_F(Mailbox, ADirectSendToAFullMailboxIsRejectedAndCounted) {
    mailbox.open();
    (void)push(direct_lane, 1);
    (void)push(direct_lane, 2);
    EXPECT_EQ(push(direct_lane, 3), PushResult::full);
    EXPECT_EQ(mailbox.counts().rejected.full, 1U);
    EXPECT_EQ(take(), (Numbers{1, 2}));
}

TEST_F(Mailbox, AFullBlockingLaneCountsNothingAndWakesItsSenderWhenThereIsRoom) {
    mailbox.open();
    const auto lane = mailbox.lane("a", 1, FullPolicy::block);
    (void)push(lane, 1);
    const std::uint32_t ticket = sender->prepare();
    EXPECT_EQ(push(lane, 2), PushResult::full);
    EXPECT_EQ(mailbox.counts().offered, 1U);
    EXPECT_EQ(take(1), Numbers{1});
    sender->park(ticket, forever);  // returns because take() has unparked it
    EXPECT_EQ(push(lane, 2), PushResult::accepted);
}

TEST_F(Mailbox, AWaitingSenderIsWokenWhenTheMailboxCloses) {
    mailbox.open();
    const auto lane = mailbox.lane("a", 1, FullPolicy::block);
    (void)push(lane, 1);
    const std::uint32_t ticket = sender->prepare();
    (void)push(lane, 2);
    mailbox.close();
    sender->park(ticket, forever);
    EXPECT_EQ(push(lane, 2), PushResult::closed);
}

TEST_F(Mailbox, ItsQueueClosesOnlyIfNothingCameSinceItWasCounted) {
    mailbox.open();
    (void)push(direct_lane, 1);
    const std::uint64_t accepted = mailbox.counts().accepted;
    (void)push(direct_lane, 2);
    EXPECT_FALSE(mailbox.close_queue_if(accepted));
    (void)take();
    EXPECT_EQ(push(direct_lane, 3), PushResult::accepted);
    EXPECT_TRUE(mailbox.close_queue_if(mailbox.counts().accepted));
    EXPECT_EQ(push(direct_lane, 4), PushResult::closed);
}

TEST_F(Mailbox, AReopenedQueueBelongsToTheSameOpening) {
    const std::uint64_t opening = mailbox.open();
    ASSERT_TRUE(mailbox.close_queue_if(0));
    mailbox.reopen_queue();
    EXPECT_EQ(mailbox.opening(), opening);
    EXPECT_EQ(push(direct_lane, 1), PushResult::accepted);
}

TEST_F(Mailbox, DropNewestKeepsWhatIsThere) {
    mailbox.open();
    const auto lane = mailbox.lane("a", 2, FullPolicy::drop_newest);
    for (std::uint64_t i = 1; i <= 5; ++i) {
        EXPECT_EQ(push(lane, i), PushResult::accepted);
    }
    EXPECT_EQ(take(), (Numbers{1, 2}));
    EXPECT_EQ(mailbox.counts().dropped.newest, 3U);
}

TEST_F(Mailbox, DropOldestMakesRoomForTheNewest) {
    mailbox.open();
    const auto lane = mailbox.lane("a", 2, FullPolicy::drop_oldest);
    for (std::uint64_t i = 1; i <= 5; ++i) {
        EXPECT_EQ(push(lane, i), PushResult::accepted);
    }
    EXPECT_EQ(take(), (Numbers{4, 5}));
    EXPECT_EQ(mailbox.counts().dropped.oldest, 3U);
}

TEST_F(Mailbox, DropOldestTouchesItsOwnLaneAlone) {
    mailbox.open();
    const auto keeps = mailbox.lane("keeps", 10, FullPolicy::block);
    const auto drops = mailbox.lane("drops", 1, FullPolicy::drop_oldest);
    (void)push(keeps, 1);
    (void)push(drops, 2);
    (void)push(keeps, 3);
    (void)push(drops, 4);
    EXPECT_EQ(take(), (Numbers{1, 3, 4}));
}

TEST_F(Mailbox, DropOldestDropsEachMessageOnce) {
    mailbox.open();
    const auto keeps = mailbox.lane("keeps", 10, FullPolicy::block);
    const auto drops = mailbox.lane("drops", 1, FullPolicy::drop_oldest);
    (void)push(keeps, 1);
    for (std::uint64_t i = 2; i <= 5; ++i) {
        (void)push(drops, i);
    }
    EXPECT_EQ(take(), (Numbers{1, 5}));
    EXPECT_EQ(mailbox.counts().dropped.oldest, 3U);
}

TEST_F(Mailbox, ALaneThatDroppedHasAllItsRoomAgainWhenItIsEmpty) {
    mailbox.open();
    const auto lane = mailbox.lane("a", 2, FullPolicy::drop_oldest);
    for (std::uint64_t i = 1; i <= 5; ++i) {
        (void)push(lane, i);
    }
    (void)take();
    (void)push(lane, 6);
    (void)push(lane, 7);
    EXPECT_EQ(take(), (Numbers{6, 7}));
}

TEST_F(Mailbox, ALaneFullOfOneSenderLeavesRoomInTheOthers) {
    mailbox.open();
    const auto full = mailbox.lane("full", 1, FullPolicy::block);
    const auto free = mailbox.lane("free", 1, FullPolicy::block);
    (void)push(full, 1);
    EXPECT_EQ(push(full, 2), PushResult::full);
    EXPECT_EQ(push(free, 3), PushResult::accepted);
}

TEST_F(Mailbox, WhatIsTakenIsInFlightUntilItIsSettled) {
    mailbox.open();
    (void)push(direct_lane, 1);
    (void)push(direct_lane, 2);
    (void)take();
    EXPECT_EQ(mailbox.counts().in_flight, 2U);
    mailbox.settle(1, 1);
    EXPECT_EQ(mailbox.counts().in_flight, 0U);
    EXPECT_EQ(mailbox.counts().delivered, 1U);
    EXPECT_EQ(mailbox.counts().dead_lettered.crash, 1U);
}

TEST_F(Mailbox, WhatIsReturnedComesFirstAgainInItsOrder) {
    mailbox.open();
    const auto lane = mailbox.lane("a", 10, FullPolicy::block);
    for (std::uint64_t i = 1; i <= 3; ++i) {
        (void)push(lane, i);
    }
    std::vector<Envelope> out;
    take_into(out, 3);
    (void)push(lane, 4);
    mailbox.settle(1, 0);
    mailbox.return_untouched(out.begin() + 1, out.end());
    EXPECT_EQ(take(), (Numbers{2, 3, 4}));
}

TEST_F(Mailbox, WhatIsLeftAtTheEndBecomesDeadLetters) {
    mailbox.open();
    (void)push(direct_lane, 1);
    (void)push(direct_lane, 2);
    mailbox.close();
    EXPECT_EQ(mailbox.dead_letter_rest(), 2U);
    EXPECT_EQ(mailbox.counts().dead_lettered.stop, 2U);
    EXPECT_FALSE(mailbox.has_news());
}

TEST_F(Mailbox, HasRoomForAWholeLaneAgainWhenItIsOpenedAgain) {
    mailbox.open();
    (void)push(direct_lane, 1);
    (void)push(direct_lane, 2);
    mailbox.close();
    (void)mailbox.dead_letter_rest();
    mailbox.open();
    (void)push(direct_lane, 3);
    EXPECT_EQ(push(direct_lane, 4), PushResult::accepted);
    EXPECT_EQ(push(direct_lane, 5), PushResult::full);
}

TEST_F(Mailbox, WhatIsReturnedTakesRoomInItsLaneAgain) {
    mailbox.open();
    const auto lane = mailbox.lane("a", 1, FullPolicy::drop_newest);
    (void)push(lane, 1);
    std::vector<Envelope> out;
    take_into(out, 1);
    mailbox.return_untouched(out.begin(), out.end());
    (void)push(lane, 2);
    EXPECT_EQ(take(), Numbers{1});
    EXPECT_EQ(mailbox.counts().dropped.newest, 1U);
}

TEST_F(Mailbox, TakesNoMoreThanItIsAskedFor) {
    mailbox.open();
    (void)push(direct_lane, 1);
    (void)push(direct_lane, 2);
    EXPECT_EQ(take(1), Numbers{1});
    EXPECT_EQ(mailbox.counts().in_flight, 1U);
    EXPECT_EQ(mailbox.counts().queued, 1U);
}

TEST_F(Mailbox, RemembersTheMostThatEverWaited) {
    mailbox.open();
    (void)push(direct_lane, 1);
    (void)push(direct_lane, 2);
    (void)take();
    (void)push(direct_lane, 3);
    EXPECT_EQ(mailbox.queue_high(), 2U);
}

TEST_F(Mailbox, ARouteThatComesAgainHasItsOldLane) {
    const auto first = mailbox.lane("a", 1, FullPolicy::block);
    EXPECT_EQ(mailbox.lane("a", 5, FullPolicy::drop_newest), first);
    EXPECT_NE(mailbox.lane("b", 1, FullPolicy::block), first);
    EXPECT_NE(mailbox.lane("", 1, FullPolicy::block), direct_lane);
}

TEST_F(Mailbox, ARouteThatComesAgainHasItsNewBoundAndPolicy) {
    mailbox.open();
    const auto lane = mailbox.lane("a", 1, FullPolicy::block);
    (void)mailbox.lane("a", 2, FullPolicy::drop_newest);
    for (std::uint64_t i = 1; i <= 3; ++i) {
        EXPECT_EQ(push(lane, i), PushResult::accepted);
    }
    EXPECT_EQ(take(), (Numbers{1, 2}));
}

// Four senders, one receiver, lanes that block: nothing is lost, doubled or out of its sender's
// order.
TEST_F(Mailbox, FourBlockingSendersLoseNothingAndKeepTheirOrder) {
    constexpr std::uint64_t each = 20'000;
    mailbox.open();
    std::vector<std::thread> senders;
    for (std::uint64_t who = 0; who < 4; ++who) {
        const auto lane = mailbox.lane(std::to_string(who), 16, FullPolicy::block);
        senders.emplace_back([this, who, lane] {
            const auto parker = clock.make_parker();
            for (std::uint64_t i = 0; i < each; ++i) {
                Envelope envelope;
                envelope.sequence = i;
                envelope.trace_id = who;
                for (;;) {
                    const std::uint32_t ticket = parker->prepare();
                    if (mailbox.push(envelope, lane, parker) == PushResult::accepted) {
                        break;
                    }
                    parker->park(ticket, forever);
                }
            }
        });
    }
    std::vector<std::uint64_t> next(4, 0);
    std::uint64_t received = 0;
    while (received < 4 * each) {
        const std::uint32_t ticket = mailbox.parker()->prepare();
        std::vector<Envelope> batch;
        take_into(batch, 64);
        if (batch.empty()) {
            mailbox.fall_asleep();
            full_fence();
            if (!mailbox.has_news()) {
                mailbox.parker()->park(ticket, forever);
            }
            mailbox.wake_up();
        }
        for (const Envelope& it : batch) {
            ASSERT_EQ(it.sequence, next[it.trace_id]++);
        }
        mailbox.settle(batch.size(), 0);
        received += batch.size();
    }
    for (std::thread& it : senders) {
        it.join();
    }
    EXPECT_EQ(mailbox.counts().delivered, 4 * each);
}

}  // namespace
}  // namespace skep::host::mailbox_test
