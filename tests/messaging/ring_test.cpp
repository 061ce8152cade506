#include "host/messaging/ring.hpp"

#include <set>

#include <gtest/gtest.h>

#include "tests/support/ring_fixture.hpp"

namespace skep::host::ring_test {
namespace {

using Ring = RingFixture;

// -- Room. --

TEST_F(Ring, HasNoMemoryBeforeTheFirstMessage) {
    make(1000, 1);
    EXPECT_EQ(ring->first_buffer(), nullptr);
    EXPECT_EQ(cursors[0].front(), nullptr);
}

TEST_F(Ring, KeepsTheBoundForEachReaderByItself) {
    make(4, 2);
    EXPECT_EQ(offer_some(10), 4);
    EXPECT_EQ(read(0), range(0, 4));
    EXPECT_EQ(offer_some(10), 0) << "the other reader has four waiting";
    EXPECT_EQ(read(1, 1), range(0, 1));
    EXPECT_EQ(offer_some(10), 1);
    EXPECT_EQ(read_all(1), range(1, 5));
    EXPECT_EQ(read_all(0), range(4, 5));
}

TEST_F(Ring, WhatIsInFlightIsNotWaiting) {
    make(2, 1);
    EXPECT_EQ(offer_some(10), 2);
    const Slots held = take(0);
    EXPECT_EQ(offer_some(10), 2);
    EXPECT_EQ(ring->counts(0).in_flight, 2U);
    EXPECT_EQ(ring->counts(0).queued, 2U);
    cursors[0].settle(2, 2, 0);
    EXPECT_EQ(read_all(0), range(2, 4));
}

TEST_F(Ring, GrowsUpToItsBoundWithoutLosingAnyoneOnTheWay) {
    make(1000, 2);
    EXPECT_EQ(offer_some(1), 1);
    EXPECT_EQ(read(0), range(0, 1));  // one is in the first piece of memory, one before it
    EXPECT_EQ(offer_some(2000), 999);
    EXPECT_EQ(read_all(0), range(1, 1000));
    EXPECT_EQ(read_all(1), range(0, 1000));
}

TEST_F(Ring, UsesTheSameFewSlotsAgainWhenItsReadersKeepUp) {
    make(1000, 2);
    std::set<const RingSlot*> used;
    for (int i = 0; i < 1000; ++i) {
        ASSERT_TRUE(offer());
        for (std::uint32_t reader = 0; reader < 2; ++reader) {
            used.insert(cursors[reader].front());
            EXPECT_EQ(read(reader).size(), 1U);
        }
    }
    EXPECT_LE(used.size(), 8U);
}

TEST_F(Ring, DoesNotWriteSlotsThatAreInFlight) {
    make(4, 2);
    EXPECT_EQ(offer_some(4), 4);
    const Slots held = take(0);
    EXPECT_EQ(read(1), range(0, 4));
    for (int i = 0; i < 4; ++i) {
        EXPECT_TRUE(offer());
        EXPECT_EQ(read(1).size(), 1U);
    }
    EXPECT_EQ(numbers_of(held), range(0, 4));
    cursors[0].settle(4, 4, 0);
    EXPECT_EQ(read_all(0), range(4, 8));
}

TEST_F(Ring, CountsWhatIsDroppedBecauseItIsFull) {
    make(2, 1, true);
    EXPECT_TRUE(ring->drops_newest());
    EXPECT_EQ(offer_some(10), 2);
    ring->count_dropped();
    EXPECT_EQ(ring->counts(0).dropped.newest, 1U);
    EXPECT_EQ(ring->counts(0).offered, 3U);
    EXPECT_EQ(read_all(0), range(0, 2));
}

TEST_F(Ring, RemembersTheMostThatEverWaited) {
    make(8, 1);
    EXPECT_EQ(offer_some(5), 5);
    EXPECT_EQ(ring->queue_high(0), 5U);
    EXPECT_EQ(offer_some(10), 3);
    EXPECT_FALSE(offer());
    EXPECT_EQ(read_all(0).size(), 8U);
    EXPECT_EQ(ring->queue_high(0), 8U);
}

// -- Payloads outside of the slots. --

TEST_F(Ring, APayloadComesBackToItsSenderWithTheNextMessageInItsSlot) {
    make(1000, 1);
    std::set<const void*> used;
    for (int i = 0; i < 100; ++i) {
        ASSERT_TRUE(offer(test::long_message));
        used.insert(cursors[0].front()->data());
        EXPECT_EQ(read(0).size(), 1U);
    }
    EXPECT_LE(used.size(), 9U);  // a payload for each slot, and the one in the making
}

TEST_F(Ring, PayloadsThatAreDoneCanBeReclaimedAtOnce) {
    make(1000, 2);
    std::set<const void*> used;
    for (int i = 0; i < 100; ++i) {
        ring->reclaim(cache);
        ASSERT_TRUE(offer(test::long_message));
        used.insert(cursors[0].front()->data());
        EXPECT_EQ(read(0).size(), 1U);
        EXPECT_EQ(read(1).size(), 1U);
    }
    EXPECT_EQ(used.size(), 1U);
}

TEST_F(Ring, ReclaimsNothingThatAReaderStillHas) {
    make(1000, 2);
    EXPECT_EQ(offer_some(20), 20);  // into a second piece of memory
    EXPECT_EQ(read_all(0).size(), 20U);
    EXPECT_EQ(read_all(1).size(), 20U);
    ASSERT_TRUE(offer(test::long_message));
    const Slots held = take(0);
    EXPECT_EQ(read(1).size(), 1U);
    ring->reclaim(cache);
    EXPECT_EQ(numbers_of(held), range(20, 21));
    cursors[0].settle(1, 1, 0);
}

TEST_F(Ring, ReclaimsNothingThatWaitsAfterManyRoundsWithoutReclaiming) {
    make(1000, 1);
    for (int i = 0; i < 95; ++i) {
        ASSERT_TRUE(offer(test::long_message));
        EXPECT_EQ(read(0).size(), 1U);
    }
    for (int i = 0; i < 5; ++i) {
        ASSERT_TRUE(offer(test::long_message));
    }
    ring->reclaim(cache);
    EXPECT_EQ(read_all(0), range(95, 100));
}

TEST_F(Ring, APayloadThatSomeoneKeepsIsNotUsedAgain) {
    make(4, 1);
    ASSERT_TRUE(offer(test::long_message));
    const PayloadRef kept = cursors[0].front()->shared.payload;
    EXPECT_EQ(read(0).size(), 1U);
    ring->reclaim(cache);
    ASSERT_TRUE(offer(test::long_message));
    EXPECT_NE(cursors[0].front()->data(), kept.data());
    EXPECT_TRUE(test::holds_number(kept.data(), kept.size(), 0));
    EXPECT_EQ(read(0).size(), 1U);
}

// -- Sleeping. --

TEST_F(Ring, AnnouncesAReaderOnceForAllMessagesUntilItParksAgain) {
    make(8, 2);
    EXPECT_TRUE(ring->has_sleepers());  // a new ring's readers are parked
    EXPECT_EQ(offer_some(3), 3);
    EXPECT_FALSE(ring->has_sleepers());
    EXPECT_EQ(homes[0].announced, 1);
    EXPECT_EQ(homes[1].announced, 1);
    EXPECT_EQ(read(0).size(), 3U);
    ring->park(0, host::Ring::Parked::away);
    EXPECT_TRUE(ring->has_sleepers());
    EXPECT_EQ(offer_some(2), 2);
    EXPECT_EQ(homes[0].announced, 2);
    EXPECT_EQ(homes[1].announced, 1);
    EXPECT_EQ(ring->unpark(0), host::Ring::Parked::no) << "it has been announced";
}

TEST_F(Ring, AReaderThatParksInPlaceIsWokenOnceAndNotAnnounced) {
    for (const std::uint32_t readers : {1U, 2U}) {
        make(8, readers);
        EXPECT_EQ(offer_some(1), 1);
        const CountingHome before = homes[0];
        ring->park(0, host::Ring::Parked::in_place);
        EXPECT_EQ(offer_some(3), 3);
        EXPECT_EQ(homes[0].woken, before.woken + 1);
        ring->park(0, host::Ring::Parked::in_place);
        EXPECT_EQ(offer_some(1), 1);
        EXPECT_EQ(homes[0].woken, before.woken + 2);
        EXPECT_EQ(homes[0].announced, before.announced);
    }
}

TEST_F(Ring, ASenderInTurnsWakesWhomItSeesAtOnceAndAllOthersAtItsEnd) {
    make(8, 1);
    EXPECT_EQ(ring->unpark(0), host::Ring::Parked::away);
    const auto publish = [&] {
        RingSlot* const slot = ring->claim(cache);
        slot->size = 0;
        slot->is_shared = 0;
        ring->publish(*slot);
        return ring->attend_later();
    };
    EXPECT_TRUE(publish());
    EXPECT_FALSE(publish()) << "it is known already";
    EXPECT_EQ(homes[0].woken, 0);
    ring->park(0, host::Ring::Parked::in_place);
    ring->end_attend_later();
    EXPECT_EQ(homes[0].woken, 1);
    ring->park(0, host::Ring::Parked::in_place);
    EXPECT_TRUE(publish());
    EXPECT_EQ(homes[0].woken, 2);
}

TEST_F(Ring, AReaderThatTakesItsMarkBackIsNotAnnounced) {
    make(8, 1);
    EXPECT_EQ(ring->unpark(0), host::Ring::Parked::away);
    EXPECT_EQ(offer_some(2), 2);
    EXPECT_EQ(homes[0].announced, 0);
}

TEST_F(Ring, ASenderThatWaitsIsWokenOnceWhenHalfOfTheRoomIsThere) {
    make(8, 1);
    EXPECT_EQ(offer_some(10), 8);
    EXPECT_TRUE(ring->wait_for_room(host::Ring::Wake::at_half));
    EXPECT_EQ(read(0, 3).size(), 3U);
    EXPECT_EQ(parker->unparked, 0);
    EXPECT_EQ(read(0, 1).size(), 1U);
    EXPECT_EQ(parker->unparked, 1);
    EXPECT_EQ(read(0).size(), 4U);
    EXPECT_EQ(parker->unparked, 1);
}

TEST_F(Ring, ASenderThatWantsAnyRoomIsWokenByTheSlowestReadersFirstMessage) {
    make(8, 2);
    EXPECT_EQ(offer_some(10), 8);
    EXPECT_TRUE(ring->wait_for_room(host::Ring::Wake::at_once));
    EXPECT_EQ(read(0).size(), 8U);
    EXPECT_EQ(parker->unparked, 0);
    EXPECT_EQ(read(1, 1).size(), 1U);
    EXPECT_EQ(parker->unparked, 1);
    EXPECT_TRUE(ring->has_room());
}

TEST_F(Ring, ASenderThatStoppedWaitingIsLeftAlone) {
    make(1, 1);
    EXPECT_EQ(offer_some(2), 1);
    EXPECT_TRUE(ring->wait_for_room(host::Ring::Wake::at_once));
    ring->stop_waiting();
    EXPECT_EQ(read(0).size(), 1U);
    EXPECT_EQ(parker->unparked, 0);
}

TEST_F(Ring, ASenderMayNotSleepWhenThereIsRoomAlready) {
    make(4, 1);
    EXPECT_EQ(offer_some(10), 4);
    EXPECT_EQ(read(0, 1).size(), 1U);
    EXPECT_FALSE(ring->wait_for_room(host::Ring::Wake::at_half));
    EXPECT_EQ(read(0).size(), 3U);
    EXPECT_EQ(parker->unparked, 0);
}

TEST_F(Ring, ClosingAReaderWakesTheSenderAndKeepsItFromSleeping) {
    make(1, 2);
    EXPECT_EQ(offer_some(2), 1);
    EXPECT_TRUE(ring->wait_for_room(host::Ring::Wake::at_half));
    ring->close(0);
    EXPECT_EQ(parker->unparked, 1);
    EXPECT_FALSE(ring->wait_for_room(host::Ring::Wake::at_half));
}

TEST_F(Ring, AReaderThatClosesWakesTheSender) {
    make(1, 2);
    EXPECT_EQ(offer_some(2), 1);
    EXPECT_EQ(read(1).size(), 1U);
    EXPECT_TRUE(ring->wait_for_room(host::Ring::Wake::at_once));
    ring->close(0);
    EXPECT_EQ(ring->dead_letter_rest(0), 1U);
    EXPECT_EQ(parker->unparked, 1);
    EXPECT_TRUE(offer());
}

}  // namespace
}  // namespace skep::host::ring_test
