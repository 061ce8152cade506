// What a ring promises each of its readers, and to those that leave it.
#include <memory>
#include <set>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/ring_fixture.hpp"

namespace skep::host::ring_readers_test {
namespace {

using RingReader = RingFixture;

TEST_F(RingReader, SeesWhetherMoreThanSoManyAreThere) {
    make(8, 1);
    EXPECT_FALSE(cursors[0].has_more_than(0));
    EXPECT_EQ(offer_some(3), 3);
    EXPECT_NE(cursors[0].front(), nullptr);
    EXPECT_TRUE(cursors[0].has_more_than(2));
    EXPECT_FALSE(cursors[0].has_more_than(3));
    EXPECT_FALSE(cursors[0].has_more_than(1000));
}

TEST_F(RingReader, UntouchedMessagesComeAgain) {
    make(8, 1);
    for (int round = 0; round < 20; ++round) {  // all over the ring, and over its end
        ASSERT_EQ(offer_some(5), 5);
        const std::uint64_t first = next - 5;
        EXPECT_EQ(numbers_of(take(0)), range(first, first + 5));
        cursors[0].settle(5, 2, 0);
        EXPECT_EQ(ring->counts(0).queued, 3U);
        EXPECT_EQ(read_all(0), range(first + 2, first + 5));
    }
    EXPECT_EQ(ring->counts(0).delivered, 100U);
}

TEST_F(RingReader, AMessageThatTheWorkerFailedOnIsADeadLetter) {
    make(8, 1);
    EXPECT_EQ(offer_some(5), 5);
    EXPECT_EQ(take(0).size(), 5U);
    cursors[0].settle(5, 2, 1);
    EXPECT_EQ(ring->counts(0).delivered, 2U);
    EXPECT_EQ(ring->counts(0).dead_lettered.crash, 1U);
    EXPECT_EQ(read_all(0), range(3, 5));
}

// Each time in another place of the ring.
TEST_F(RingReader, WhatAnAbandonedReaderHoldsIsNeverWrittenAgain) {
    make(8, 2);
    std::vector<Slots> held;
    for (int hang = 0; hang < 5; ++hang) {
        ASSERT_EQ(offer_some(3), 3);
        held.push_back(take(0));
        ASSERT_EQ(held.back().size(), 3U);
        EXPECT_EQ(cursors[0].abandon(3), ring);
        for (int round = 0; round < 100; ++round) {
            ASSERT_EQ(offer_some(5), 5);
            EXPECT_EQ(read_all(0).size(), 5U);
            EXPECT_GE(read_all(1).size(), 5U);
        }
    }
    for (std::size_t hang = 0; hang < held.size(); ++hang) {
        EXPECT_EQ(numbers_of(held[hang]), range(hang * 503, hang * 503 + 3));
    }
    EXPECT_EQ(ring->counts(0).dead_lettered.crash, 15U);
    EXPECT_EQ(ring->counts(0).in_flight, 0U);
}

TEST_F(RingReader, AnAbandonedReaderCostsTheRingOneBuffer) {
    make(8, 1);
    ASSERT_EQ(offer_some(3), 3);
    ASSERT_EQ(take(0).size(), 3U);
    (void)cursors[0].abandon(3);
    std::set<const RingSlot*> used;
    for (int round = 0; round < 1000; ++round) {
        ASSERT_EQ(offer_some(5), 5);
        const Slots taken = take(0);
        used.insert(taken.begin(), taken.end());
        cursors[0].settle(5, 5, 0);
    }
    EXPECT_LE(used.size(), 8U + 32 + 2 * (8 + batch_max));
}

TEST_F(RingReader, ALargePayloadOfAnAbandonedReaderStays) {
    make(8, 1);
    ASSERT_TRUE(offer(100'000));
    const Slots held = take(0);
    ASSERT_EQ(held.size(), 1U);
    (void)cursors[0].abandon(1);
    for (int round = 0; round < 200; ++round) {
        ASSERT_TRUE(offer(100'000));
        ring->reclaim(cache);
        EXPECT_EQ(read(0).size(), 1U);
    }
    EXPECT_EQ(numbers_of(held), range(0, 1));
}

TEST_F(RingReader, AClosedReaderGetsNothingNewAndItIsCounted) {
    make(4, 2);
    EXPECT_EQ(offer_some(2), 2);
    ring->close(0);
    EXPECT_EQ(offer_some(2), 2);
    EXPECT_EQ(ring->open_readers(), 1U);
    EXPECT_FALSE(ring->is_closed());
    EXPECT_EQ(ring->counts(0).rejected.closed, 2U);
    EXPECT_EQ(ring->counts(0).accepted, 2U);
    EXPECT_EQ(ring->counts(1).rejected.closed, 0U);
    EXPECT_EQ(ring->counts(1).accepted, 4U);
    EXPECT_EQ(read_all(1), range(0, 4));
}

TEST_F(RingReader, WhatWaitsForAClosedReaderStaysWhileItsSiblingsGoOn) {
    make(64, 2);
    EXPECT_EQ(offer_some(3), 3);
    ring->close(0);
    EXPECT_EQ(read(1), range(0, 3));
    for (std::uint64_t i = 3; i < 60; ++i) {
        ASSERT_TRUE(offer());
        EXPECT_EQ(read(1), range(i, i + 1));
    }
    EXPECT_EQ(ring->counts(0).queued, 3U);
    EXPECT_EQ(read(0, 3), range(0, 3));
    EXPECT_EQ(ring->counts(0).queued, 0U);
}

TEST_F(RingReader, IsClosedWhenAllItsReadersAre) {
    make(4, 2);
    EXPECT_TRUE(offer());
    ring->close(1);
    EXPECT_TRUE(offer());
    ring->close(0);
    EXPECT_FALSE(offer());
    EXPECT_TRUE(ring->is_closed());
    ring->count_rejected_closed();
    EXPECT_EQ(ring->counts(0).rejected.closed, 1U);
    EXPECT_EQ(ring->counts(1).rejected.closed, 2U);
}

TEST_F(RingReader, AMessageThatItsSenderGaveUpIsRejectedForEachReader) {
    make(1, 2);
    EXPECT_EQ(offer_some(2), 1);
    ring->close(0);
    EXPECT_FALSE(offer());
    ring->count_rejected_stopping();
    EXPECT_EQ(ring->counts(0).rejected.closed, 1U);
    EXPECT_EQ(ring->counts(1).rejected.stopping, 1U);
}

TEST_F(RingReader, WhatNobodyTakesAnyMoreBecomesDeadLettersOnce) {
    make(4, 2);
    EXPECT_EQ(offer_some(4), 4);
    EXPECT_EQ(read(0, 1).size(), 1U);
    EXPECT_EQ(read(1).size(), 4U);
    ring->close(0);
    EXPECT_EQ(ring->dead_letter_rest(0), 3U);
    EXPECT_EQ(ring->dead_letter_rest(0), 0U);
    EXPECT_EQ(ring->counts(0).dead_lettered.stop, 3U);
    EXPECT_EQ(ring->counts(0).queued, 0U);
    for (int i = 0; i < 20; ++i) {  // and keeps nobody waiting
        ASSERT_EQ(offer_some(4), 4);
        EXPECT_EQ(read(1).size(), 4U);
    }
}

TEST_F(RingReader, NeverWritesTheSlotsOfALostReaderAgain) {
    make(4, 2);
    for (int i = 0; i < 4; ++i) {
        ASSERT_TRUE(offer(i < 2 ? inline_bytes : test::long_message));
    }
    const Slots lost = take(0);
    EXPECT_EQ(read(1).size(), 4U);
    ring->close(0);
    EXPECT_EQ(ring->dead_letter_rest(0), 0U);
    for (int i = 0; i < 100; ++i) {
        ASSERT_TRUE(offer(i % 2 == 0 ? inline_bytes : test::long_message));
        EXPECT_EQ(read(1).size(), 1U);
        ring->reclaim(cache);
    }
    EXPECT_EQ(numbers_of(lost), range(0, 4));
    EXPECT_EQ(ring->counts(0).in_flight, 4U);
}

TEST_F(RingReader, IsOverForAReaderWhenItIsSealedAndAllIsDone) {
    make(4, 1);
    EXPECT_TRUE(offer());
    ring->seal();
    EXPECT_FALSE(ring->is_over(0));
    EXPECT_EQ(take(0).size(), 1U);
    EXPECT_FALSE(ring->is_over(0));
    cursors[0].settle(1, 1, 0);
    EXPECT_TRUE(ring->is_over(0));
}

TEST_F(RingReader, IsNeverOverBeforeItsLastMessageIsRead) {
    CountingHome home;
    std::vector<std::shared_ptr<Ring>> rings;
    for (int i = 0; i < 5000; ++i) {
        rings.push_back(std::make_shared<Ring>(Ring::Spec{}, Specs{{&home, 0}}));
    }
    std::thread sender([&] {
        for (const auto& it : rings) {
            EXPECT_TRUE(test::offer(*it, cache, 0));
            it->seal();
        }
    });
    int over_too_soon = 0;
    for (const auto& it : rings) {
        bool is_over = false;
        while (!it->is_sealed()) {
            is_over = is_over || it->is_over(0);
        }
        over_too_soon += is_over ? 1 : 0;
    }
    sender.join();
    EXPECT_EQ(over_too_soon, 0);
    make(1, 1);
}

}  // namespace
}  // namespace skep::host::ring_readers_test
