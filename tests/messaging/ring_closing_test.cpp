// What a ring promises when a reader closes, is lost, or is asked at an odd moment.
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "host/messaging/inbox.hpp"
#include "tests/support/ring_fixture.hpp"

namespace skep::host {
namespace {

class RingClosing : public RingFixture {
protected:
    // Waits for a message. How many there were.
    std::size_t read_some(std::uint32_t reader) {
        std::size_t count = read(reader).size();
        while (count == 0) {
            std::this_thread::yield();
            count = read(reader).size();
        }
        return count;
    }

    // The sender has claimed a slot; then the first reader is closed, and finishes.
    void finish_after_claim(RingSlot*& slot) {
        slot = ring->claim(cache);
        ASSERT_NE(slot, nullptr);
        ring->close(0);
        ASSERT_TRUE(ring->finish(0));
    }

    // Of two readers: the first has a message in hand and is closed, the other has read it.
    void close_with_one_in_hand() {
        EXPECT_EQ(offer_some(1), 1);
        EXPECT_EQ(take(0).size(), 1U);
        ring->close(0);
        EXPECT_EQ(read(1).size(), 1U);
    }
};

// Nobody keeps what is offered after the close for the closed reader: it may be torn, and it has
// been counted as rejected.
TEST_F(RingClosing, AClosedReaderSeesNothingOfWhatIsOfferedAfter) {
    make(64, 2);
    EXPECT_EQ(offer_some(3), 3);
    ring->close(0);
    EXPECT_EQ(read(1), range(0, 3));
    EXPECT_EQ(offer_some(3), 3);
    EXPECT_EQ(read_all(0), range(0, 3));
    EXPECT_EQ(ring->counts(0).rejected.closed, 3U);
    EXPECT_EQ(ring->counts(0).accepted, 3U);
}

TEST_F(RingClosing, AClosedReaderThatIsStuckDoesNotStopItsSiblings) {
    make(4, 2);
    close_with_one_in_hand();
    for (int i = 0; i < 8; ++i) {
        EXPECT_TRUE(offer()) << i;
        EXPECT_EQ(read(1).size(), 1U) << i;
    }
    cursors[0].settle(1, 1, 0);
}

// As the one before, when the sender sleeps: its sibling wakes it.
TEST_F(RingClosing, AClosedReaderThatIsStuckDoesNotKeepTheSenderAsleep) {
    make(1, 2);
    close_with_one_in_hand();
    EXPECT_TRUE(offer());
    ASSERT_TRUE(ring->wait_for_room(Ring::Wake::at_once));
    EXPECT_EQ(read(1).size(), 1U);
    EXPECT_EQ(parker->unparked, 1);
    cursors[0].settle(1, 1, 0);
    EXPECT_EQ(parker->unparked, 1);
}

TEST_F(RingClosing, AMessageThatIsPublishedAfterItsReaderHasFinishedIsRefused) {
    make(4, 2);
    RingSlot* slot = nullptr;
    ASSERT_NO_FATAL_FAILURE(finish_after_claim(slot));
    slot->size = 0;
    ring->publish(*slot);
    EXPECT_EQ(ring->open_readers(), 1U);
    EXPECT_EQ(ring->counts(0).rejected.closed, 1U);
    EXPECT_EQ(ring->counts(0).accepted, 0U);
    EXPECT_EQ(take(1).size(), 1U);
    EXPECT_TRUE(ring->is_finished(0));
    EXPECT_TRUE(offer());
    EXPECT_EQ(ring->counts(0).rejected.closed, 2U);
    EXPECT_EQ(ring->dead_letter_rest(0), 0U);
    cursors[1].settle(1, 1, 0);
}

// A worker of several rings reads on as long as one of them has not finished.
TEST_F(RingClosing, AReaderThatHasFinishedDoesNotSeeTheMessageThatIsAboutToBeRefused) {
    make(4, 1);
    RingSlot* slot = nullptr;
    ASSERT_NO_FATAL_FAILURE(finish_after_claim(slot));
    slot->size = 0;
    slot->stamp.store(RingSlot::stamp_of(0));  // as far as publish() gets before E1
    EXPECT_FALSE(cursors[0].has_next());
    EXPECT_TRUE(take(0).empty());
    ring->publish(*slot);
    EXPECT_TRUE(take(0).empty());
    EXPECT_TRUE(ring->is_finished(0));
    EXPECT_EQ(ring->counts(0).rejected.closed, 1U);
}

TEST_F(RingClosing, AReaderHasNotFinishedWhileThereIsAMessageThatItHasNotTaken) {
    make(4, 1);
    EXPECT_TRUE(offer());
    ring->close(0);
    EXPECT_FALSE(ring->finish(0));
    EXPECT_EQ(read(0), range(0, 1));
    EXPECT_TRUE(ring->finish(0));
    EXPECT_FALSE(offer());
    EXPECT_TRUE(ring->is_closed());
}

// A loop worker may come by a checkpoint, and find out that it is to end, with messages in hand.
TEST_F(RingClosing, WhatAReaderHasInHandWhenItFinishesStaysAsItIs) {
    make(4, 2);
    EXPECT_EQ(offer_some(3), 3);
    const Slots in_hand = take(0);
    EXPECT_EQ(read(1).size(), 3U);
    RingSlot* slot = nullptr;
    ASSERT_NO_FATAL_FAILURE(finish_after_claim(slot));
    slot->sequence = next;
    slot->size = inline_bytes;
    slot->is_shared = 0;
    test::write_number(slot->bytes, inline_bytes, next++);
    ring->publish(*slot);
    for (int i = 0; i < 200; ++i) {
        EXPECT_EQ(read(1).size(), 1U);
        ASSERT_TRUE(offer());
    }
    EXPECT_EQ(numbers_of(in_hand), range(0, 3));
    cursors[0].settle(3, 3, 0);
    EXPECT_EQ(read(1).size(), 1U);
    EXPECT_EQ(ring->counts(0).delivered, 3U);
}

TEST_F(RingClosing, AReaderThatFailsAfterItHasFinishedGivesBackWhatItHadInHand) {
    make(4, 1);
    EXPECT_EQ(offer_some(3), 3);
    ring->close(0);
    EXPECT_EQ(take(0).size(), 3U);
    EXPECT_TRUE(ring->finish(0));
    cursors[0].settle(3, 1, 1);
    EXPECT_EQ(ring->counts(0).queued, 1U);
    EXPECT_EQ(ring->dead_letter_rest(0), 1U);
}

TEST_F(RingClosing, EachMessageThatCrossesTheCloseIsReadOrRefused) {
    for (int i = 0; i < 2'000; ++i) {
        make(64, 1);
        std::uint64_t accepted = 0;
        std::thread sender([&] {
            while (!ring->is_closed()) {
                const bool is_offered = offer();
                accepted += is_offered && !ring->is_closed() ? 1 : 0;
                if (!is_offered) {
                    std::this_thread::yield();
                }
            }
        });
        std::uint64_t seen = read(0).size();
        while (seen < static_cast<std::uint64_t>(i % 50)) {
            seen += read_some(0);
        }
        ring->close(0);
        Fence(Fence::Cost::asymmetric).heavy();
        while (!ring->finish(0)) {
            seen += read_some(0);  // then there is one, and a worker may wait for it
        }
        sender.join();
        ASSERT_EQ(seen, accepted) << "round " << i;
        ASSERT_EQ(ring->counts(0).delivered, ring->counts(0).accepted) << "round " << i;
    }
}

// A sender of large payloads reclaims before it claims.
TEST_F(RingClosing, ReclaimsNothingOfAReaderThatHasJustBeenLost) {
    make(4, 1);
    ASSERT_TRUE(offer(test::long_message));
    const Slots lost = take(0);
    ring->close(0);
    (void)ring->dead_letter_rest(0);
    const void* const bytes = lost[0]->data();
    ring->reclaim(cache);
    EXPECT_NE(cache.allocate(test::long_message).data(), bytes);
}

// The sender sees that the reader is dead-lettered before it sees that the readers have changed.
TEST_F(RingClosing, WritesNoSlotOfAReaderWhileItIsBeingLost) {
    int overwritten = 0;
    for (int i = 0; i < 1000; ++i) {
        make(4, 2);
        EXPECT_EQ(offer_some(4), 4);
        const Slots lost = take(0);
        EXPECT_EQ(read(1).size(), 4U);
        EXPECT_EQ(offer_some(10), 4);
        EXPECT_EQ(read(1).size(), 4U);
        // The next slot is the first that reader 0 holds.
        std::atomic<bool> is_lost{false};
        std::thread manager([&] {
            ring->close(0);
            (void)ring->dead_letter_rest(0);
            is_lost = true;
        });
        while (!is_lost) {
            if (offer()) {
                (void)read(1);
            }
        }
        manager.join();
        for (std::size_t at = 0; at < lost.size(); ++at) {
            overwritten += lost[at]->sequence == at ? 0 : 1;
        }
        cursors[0].settle(4, 4, 0);
    }
    EXPECT_EQ(overwritten, 0);
}

// A worker that drains asks for news at its checkpoints, with messages in flight.
TEST(InboxFindings, AskingForNewsWithMessagesInFlightLosesNothing) {
    const std::string name = "a";
    SteadyClock clock;
    PayloadCache cache;
    const auto mailbox = std::make_shared<Mailbox>(clock.make_parker(), 10);
    mailbox->open();
    Ring::Spec spec;
    spec.sender = &name;
    spec.bound = 64;
    const auto ring =
        std::make_shared<Ring>(std::move(spec), std::vector{Ring::ReaderSpec{mailbox.get(), 0}});
    mailbox->add_ring(ring, 0);
    Inbox inbox(mailbox);
    MessageBatch views;
    for (std::uint64_t number = 1; number <= 8; ++number) {  // all of the first piece of memory
        ASSERT_TRUE(test::offer(*ring, cache, number));
    }
    ASSERT_TRUE(inbox.take(views, 8));
    ASSERT_TRUE(test::offer(*ring, cache, 9));
    EXPECT_TRUE(inbox.has_news());
    inbox.settle(3, 0);
    std::vector<std::uint64_t> rest;
    while (inbox.take(views, 8)) {
        for (const skep_message& view : views) {
            rest.push_back(inbox.facts_of(view).sequence);
        }
        inbox.settle(inbox.in_flight(), 0);
    }
    EXPECT_EQ(rest, (std::vector<std::uint64_t>{4, 5, 6, 7, 8, 9}));
}

TEST_F(RingClosing, CountsNeverSayThatMoreFailedThanWereDone) {
    constexpr int rounds = 2'000;
    make(64, 1);
    std::atomic<bool> is_over{false};
    int wrong = 0;
    std::thread reader([&] {
        for (int i = 0; i < rounds; ++i) {
            while (take(0).empty()) {
                std::this_thread::yield();
            }
            cursors[0].settle(1, 0, 1);
        }
        is_over = true;
    });
    // One message at a time.
    for (int i = 0; i < rounds; ++i) {
        EXPECT_TRUE(offer());
        while (ring->counts(0).dead_lettered.crash < static_cast<std::uint64_t>(i) + 1) {
            wrong += ring->counts(0).delivered > 1'000'000 ? 1 : 0;
            std::this_thread::yield();
        }
    }
    reader.join();
    EXPECT_TRUE(is_over);
    EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace skep::host
