#include "host/messaging/inbox.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <numeric>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/ring_parts.hpp"

namespace skep::host::inbox_test {
namespace {

// An inbox whose rings are the test's own.
class Inbox : public testing::Test {
protected:
    Inbox() { mailbox->open(); }

    std::shared_ptr<Ring> ring_of(const std::string& sender, std::size_t bound = 1000) {
        Ring::Spec spec;
        spec.sender = &sender;
        spec.content_type = &text;
        spec.bound = bound;
        spec.sender_parker = clock.make_parker();
        auto ring = std::make_shared<Ring>(std::move(spec),
                                           std::vector{Ring::ReaderSpec{mailbox.get(), 7}});
        mailbox->add_ring(ring, 0);
        return ring;
    }

    void offer(Ring& ring, std::uint64_t first, std::uint64_t last) {
        for (std::uint64_t number = first; number <= last; ++number) {
            ASSERT_TRUE(test::offer(ring, cache, number));
        }
    }

    // Makes the ring as large as it will be: a batch ends where a piece of memory does.
    void warm_up(Ring& ring) {
        offer(ring, 1, 200);
        EXPECT_EQ(read_all().size(), 200U);
        offer(ring, 201, 240);
        EXPECT_EQ(read_all().size(), 40U);
    }

    void push(const std::string& sender, std::uint64_t number) {
        Envelope message = test::envelope(&sender, number);
        ASSERT_EQ(mailbox->push(message, direct_lane, nullptr), PushResult::accepted);
    }

    using Numbers = std::vector<std::uint64_t>;

    static Numbers range(std::uint64_t first, std::uint64_t last) {
        Numbers numbers(last - first + 1);
        std::iota(numbers.begin(), numbers.end(), first);
        return numbers;
    }

    // The next batch; it stays in flight.
    Numbers take(std::uint32_t max = batch_max) {
        Numbers numbers;
        if (inbox.take(views, max)) {
            EXPECT_EQ(views.size(), inbox.in_flight());
            for (const skep_message& view : views) {
                numbers.push_back(inbox.facts_of(view).sequence);
                EXPECT_TRUE(test::holds_number(view.data, view.size, numbers.back()));
            }
        }
        return numbers;
    }

    Numbers read(std::uint32_t max = batch_max) {
        Numbers numbers = take(max);
        inbox.settle(inbox.in_flight(), 0);
        return numbers;
    }

    Numbers read_all(std::uint32_t max = batch_max) {
        Numbers all;
        for (Numbers some = read(max); !some.empty(); some = read(max)) {
            all.insert(all.end(), some.begin(), some.end());
        }
        return all;
    }

    // "a" sends by a ring and by the queue, on a thread of its own.
    void read_what_is_sent_meanwhile() {
        constexpr std::uint64_t count = 100'000;
        const auto ring = ring_of(a);
        std::thread sender([&] {
            for (std::uint64_t number = 1; number <= count; ++number) {
                Envelope message = test::envelope(&a, number);
                while (number % 17 == 0
                           ? mailbox->push(message, direct_lane, nullptr) != PushResult::accepted
                           : !test::offer(*ring, cache, number)) {
                    std::this_thread::yield();
                }
            }
        });
        std::uint64_t next = 1, out_of_order = 0;
        while (next <= count) {
            const Numbers some = read();
            for (const std::uint64_t number : some) {
                out_of_order += number == next || number == of_others ? 0 : 1;
                next = number == of_others ? next : number + 1;
            }
            if (some.empty() && inbox.fall_asleep()) {
                inbox.wake_up();
                std::this_thread::yield();
            }
        }
        sender.join();
        EXPECT_EQ(out_of_order, 0U);
        (void)read_all();
    }

    void TearDown() override { EXPECT_TRUE(mailbox->counts().is_balanced()); }

    static constexpr std::uint64_t of_others = 1'000'000'000;
    const std::string text = "text/plain";
    const std::string a = "a";
    const std::string b = "b";
    SteadyClock clock;
    PayloadCache cache;
    std::shared_ptr<Mailbox> mailbox = std::make_shared<Mailbox>(clock.make_parker(), 1000);
    host::Inbox inbox{mailbox};
    MessageBatch views;
};

// -- The order of what one sender sends. --

TEST_F(Inbox, WhatWasQueuedBeforeComesBeforeTheRing) {
    const auto ring = ring_of(a);
    push(a, 1);
    offer(*ring, 2, 3);
    EXPECT_EQ(read_all(), range(1, 3));
}

TEST_F(Inbox, WhatWasQueuedAfterComesAfterTheRing) {
    const auto ring = ring_of(a);
    offer(*ring, 1, 2);
    push(a, 3);
    EXPECT_EQ(read_all(), range(1, 3));
}

TEST_F(Inbox, ChangesBetweenRingAndQueueKeepTheirOrderWhateverTheBatch) {
    for (std::uint32_t max = 1; max <= batch_max; ++max) {
        const auto ring = ring_of(a);
        std::uint64_t next = 1;
        for (std::uint64_t run : {1, 3, 70, 1, 9, 130, 2}) {
            offer(*ring, next, next + run - 1);
            push(a, next + run);
            next += run + 1;
        }
        EXPECT_EQ(read_all(max), range(1, next - 1)) << "batches of " << max;
        ring->seal();
    }
}

TEST_F(Inbox, ABatchEndsWhereTheQueueHasWhatComesNext) {
    const auto ring = ring_of(a);
    warm_up(*ring);
    offer(*ring, 301, 370);  // more than a batch is looked at at once
    push(a, 371);
    offer(*ring, 372, 380);
    EXPECT_EQ(read_all(24), range(301, 380));
}

TEST_F(Inbox, TheQueueOfOneSenderDoesNotWaitForTheRingOfAnother) {
    const auto ring = ring_of(a);
    offer(*ring, 1, 3);
    push(b, 100);
    Numbers all = read_all();
    std::sort(all.begin(), all.end());
    EXPECT_EQ(all, (Numbers{1, 2, 3, 100}));
}

TEST_F(Inbox, OfSeveralRingsOfOneSenderTheEldestComesFirst) {
    const auto eldest = ring_of(a);
    const auto elder = ring_of(a);
    const auto younger = ring_of(a);
    offer(*eldest, 1, 100);
    eldest->seal();
    offer(*elder, 101, 200);
    elder->seal();
    offer(*younger, 201, 300);
    push(a, 301);
    EXPECT_EQ(read_all(), range(1, 301));
}

// Its sender had seen that the reader slept, and only then came to say so.
TEST_F(Inbox, ARingThatIsOverMayBeAnnouncedOnceMore) {
    const auto over = ring_of(a);
    offer(*over, 1, 1);
    EXPECT_EQ(read_all(), range(1, 1));
    over->seal();
    EXPECT_TRUE(inbox.fall_asleep());
    std::vector<std::shared_ptr<Ring>>
        others;  // enough of them that the inbox forgets the ended ones
    for (std::uint64_t number = 1; number <= 20; ++number) {
        others.push_back(ring_of(b));
        offer(*others.back(), number, number);
    }
    mailbox->announce(*over, 0);
    EXPECT_EQ(read_all(), range(1, 20));
}

// A sender that leaves each of its rings for another, as when workers move.
TEST_F(Inbox, HoldsFewRingsThatAreOver) {
    std::vector<std::weak_ptr<Ring>> made;
    std::ptrdiff_t most = 0;
    for (std::uint64_t number = 1; number <= 100; ++number) {
        const auto ring = ring_of(a);
        made.push_back(ring);
        offer(*ring, number, number);
        EXPECT_EQ(read_all(), range(number, number));
        ring->seal();
        EXPECT_TRUE(inbox.fall_asleep());
        inbox.wake_up();
        most = std::max(most, std::count_if(made.begin(), made.end(), [](const auto& it) {
                            return !it.expired();
                        }));
    }
    EXPECT_LE(most, 4);
}

// Nothing would wake its owner to ask again.
TEST_F(Inbox, ARingThatIsAnnouncedWithNothingInItDoesNotKeepItFromItsEnd) {
    const auto ring = ring_of(a);
    offer(*ring, 1, 1);
    EXPECT_EQ(read_all(), range(1, 1));
    EXPECT_TRUE(inbox.fall_asleep());
    inbox.wake_up();
    mailbox->close();
    mailbox->announce(*ring, 0);
    EXPECT_TRUE(inbox.finish());
}

TEST_F(Inbox, AMessageInTheQueueKeepsItFromItsEnd) {
    push(a, 1);
    mailbox->close();
    EXPECT_FALSE(inbox.finish());
    EXPECT_EQ(read_all(), range(1, 1));
    EXPECT_TRUE(inbox.finish());
}

TEST_F(Inbox, ARingThatIsAnnouncedLaterCanHoldWhatComesFirst) {
    const auto elder = ring_of(a);
    const auto younger = ring_of(a);
    EXPECT_TRUE(inbox.fall_asleep());
    offer(*elder, 1, 1);
    offer(*younger, 2, 2);
    push(a, 3);
    EXPECT_EQ(read_all(), range(1, 3));
}

// The sender goes on while batches are looked at. Everything comes once, and in order.
TEST_F(Inbox, KeepsTheOrderOfASenderThatIsAtWork) {
    read_what_is_sent_meanwhile();
}

// Each ring that is announced has to be looked at before the queue goes on.
TEST_F(Inbox, KeepsTheOrderOfASenderWhileRingsOfOthersAreAnnounced) {
    std::atomic<bool> is_over{false};
    std::thread others([&] {
        PayloadCache its_cache;
        for (int rings = 0; rings < 1000 && !is_over; ++rings) {
            const auto ring = ring_of(b);
            EXPECT_TRUE(test::offer(*ring, its_cache, of_others));
            ring->seal();
            while (!is_over && !ring->is_over(0)) {
                std::this_thread::yield();
            }
        }
    });
    read_what_is_sent_meanwhile();
    is_over = true;
    others.join();
}

// -- Fairness. --

TEST_F(Inbox, AStreamInARingDoesNotKeepTheQueueWaiting) {
    const auto ring = ring_of(a);
    warm_up(*ring);
    offer(*ring, 301, 800);
    EXPECT_EQ(read().size(), batch_max);
    push(b, 1000);
    bool has_come = false;
    for (int i = 0; i < 2 && !has_come; ++i) {
        const Numbers some = read();
        has_come = std::find(some.begin(), some.end(), 1000) != some.end();
    }
    EXPECT_TRUE(has_come);
}

TEST_F(Inbox, AStreamInTheQueueDoesNotKeepARingWaiting) {
    const auto ring = ring_of(a);
    for (std::uint64_t i = 0; i < 100; ++i) {
        push(b, 1000 + i);
    }
    offer(*ring, 1, 1);
    bool has_come = false;
    for (std::uint64_t i = 0; i < 11 && !has_come; ++i) {  // 100 were there before it
        const Numbers some = read(10);
        has_come = some.front() == 1;
        for (std::uint64_t j = 0; j < some.size(); ++j) {
            push(b, 2000 + 10 * i + j);
        }
    }
    EXPECT_TRUE(has_come);
}

TEST_F(Inbox, RingsTakeTurns) {
    const auto first = ring_of(a);
    const auto second = ring_of(b);
    warm_up(*first);
    offer(*first, 301, 600);
    offer(*second, 1001, 1300);
    const bool is_first = read().front() < 1000;
    for (int i = 0; i < 4; ++i) {
        EXPECT_EQ(read().front() < 1000, is_first == (i % 2 == 1));
    }
}

// -- In flight. --

TEST_F(Inbox, TheRestOfABatchOfARingGoesBack) {
    const auto ring = ring_of(a);
    offer(*ring, 1, 5);
    EXPECT_EQ(take(), range(1, 5));
    inbox.settle(2, 1);
    EXPECT_EQ(inbox.in_flight(), 0U);
    EXPECT_EQ(mailbox->counts().delivered, 2U);
    EXPECT_EQ(mailbox->counts().dead_lettered.crash, 1U);
    EXPECT_EQ(read_all(), range(4, 5));
}

TEST_F(Inbox, TheRestOfABatchOfTheQueueGoesBack) {
    for (std::uint64_t i = 1; i <= 5; ++i) {
        push(a, i);
    }
    EXPECT_EQ(take(), range(1, 5));
    inbox.settle(2, 1);
    EXPECT_EQ(mailbox->counts().delivered, 2U);
    EXPECT_EQ(mailbox->counts().dead_lettered.crash, 1U);
    EXPECT_EQ(read_all(), range(4, 5));
}

TEST_F(Inbox, WhatGoesBackKeepsItsPlaceInTheOrder) {
    const auto ring = ring_of(a);
    push(a, 1);
    push(a, 2);
    offer(*ring, 3, 6);
    push(a, 7);
    EXPECT_EQ(take(), range(1, 2));
    inbox.settle(1, 0);
    EXPECT_EQ(read(), range(2, 2));
    EXPECT_EQ(take(), range(3, 6));
    inbox.settle(2, 0);
    EXPECT_EQ(read_all(), range(5, 7));
}

TEST_F(Inbox, AMessageInASlotSaysWhatItsRouteSays) {
    const auto ring = ring_of(a);
    offer(*ring, 1, 1);
    EXPECT_EQ(take(), range(1, 1));
    EXPECT_EQ(views[0].port, 7U);
    const host::Inbox::Facts facts = inbox.facts_of(views[0]);
    EXPECT_EQ(facts.sender, &a);
    EXPECT_EQ(facts.content_type, &text);
    EXPECT_EQ(facts.time, Nanos(10));
    EXPECT_EQ(facts.trace_id, 0U);
    const PayloadRef copy = inbox.payload_of(views[0]);
    EXPECT_NE(copy.data(), views[0].data);
    EXPECT_TRUE(test::holds_number(copy.data(), copy.size(), 1));
    inbox.settle(1, 0);
}

TEST_F(Inbox, AMessageOutsideOfItsSlotSaysWhatItCarries) {
    const std::string json = "application/json";
    const auto ring = ring_of(a);
    ASSERT_TRUE(test::offer(*ring, cache, 5, test::long_message, &json));
    EXPECT_EQ(take(), range(5, 5));
    const host::Inbox::Facts facts = inbox.facts_of(views[0]);
    EXPECT_EQ(facts.sender, &a);
    EXPECT_EQ(facts.content_type, &json);
    EXPECT_EQ(facts.trace_id, 5U);
    EXPECT_EQ(inbox.payload_of(views[0]).data(), views[0].data);
    inbox.settle(1, 0);
}

TEST_F(Inbox, AMessageOfTheQueueIsItsEnvelope) {
    push(b, 3);
    EXPECT_EQ(take(), range(3, 3));
    EXPECT_EQ(inbox.facts_of(views[0]).sender, &b);
    EXPECT_EQ(inbox.payload_of(views[0]).data(), views[0].data);
    inbox.settle(1, 0);
}

// -- Sleeping. --

TEST_F(Inbox, FallsAsleepOnlyWhenNothingIsThere) {
    const auto ring = ring_of(a);
    EXPECT_FALSE(inbox.has_news());
    EXPECT_TRUE(inbox.fall_asleep());
    inbox.wake_up();
    offer(*ring, 1, 1);
    EXPECT_TRUE(inbox.has_news());
    EXPECT_FALSE(inbox.fall_asleep());
    EXPECT_EQ(read_all(), range(1, 1));
    push(a, 2);
    EXPECT_FALSE(inbox.fall_asleep());
    EXPECT_EQ(read_all(), range(2, 2));
}

TEST_F(Inbox, DoesNotFallAsleepOverWhatHasComeIntoARingItReads) {
    const auto ring = ring_of(a);
    const auto other = ring_of(b);
    offer(*ring, 1, 1);
    offer(*other, 100, 100);
    EXPECT_EQ(read_all().size(), 2U);
    offer(*ring, 2, 2);  // not announced: the ring is looked at anyway
    EXPECT_FALSE(mailbox->has_news());
    EXPECT_TRUE(inbox.has_news());
    EXPECT_FALSE(inbox.fall_asleep());
    EXPECT_EQ(read_all(), range(2, 2));
    offer(*other, 101, 101);
    EXPECT_EQ(read_all(), range(101, 101));
}

TEST_F(Inbox, ASleeperIsWokenByTheNextMessageHoweverItComes) {
    const auto ring = ring_of(a);
    offer(*ring, 1, 1);
    EXPECT_EQ(read_all(), range(1, 1));
    for (std::uint64_t i = 2; i < 6; ++i) {
        const std::uint32_t ticket = mailbox->parker()->prepare();
        ASSERT_TRUE(inbox.fall_asleep());
        if (i % 2 == 0) {
            offer(*ring, i, i);
        } else {
            push(a, i);
        }
        EXPECT_NE(mailbox->parker()->prepare(), ticket);
        inbox.wake_up();
        EXPECT_EQ(read_all(), range(i, i));
    }
}

TEST_F(Inbox, OneThatIsAwakeIsNotUnparked) {
    const auto ring = ring_of(a);
    const std::uint32_t ticket = mailbox->parker()->prepare();
    offer(*ring, 1, 1);
    push(a, 2);
    EXPECT_EQ(mailbox->parker()->prepare(), ticket);
    EXPECT_EQ(read_all(), range(1, 2));
}

}  // namespace
}  // namespace skep::host::inbox_test
