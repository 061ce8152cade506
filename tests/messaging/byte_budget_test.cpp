// How many bytes may wait for one receiver: the budget, and what its two users, the queue of a
// mailbox and the rings that are read there, take of it and give back.
#include "host/messaging/byte_budget.hpp"

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "host/messaging/mailbox.hpp"
#include "host/messaging/ring_reader.hpp"

namespace skep::host {
namespace {

constexpr std::uint64_t large = 5000;  // reported at once

class Waker final : public Parker {
public:
    void park(std::uint32_t, Nanos) override {}

    void unpark() override { ++unparked; }

    int unparked = 0;
};

TEST(ByteBudget, TakesWhatFits) {
    ByteBudget budget(100);
    EXPECT_TRUE(budget.reserve(60));
    EXPECT_TRUE(budget.reserve(40));
    EXPECT_FALSE(budget.reserve(1));
    budget.release(1);
    EXPECT_TRUE(budget.reserve(1));
    EXPECT_EQ(budget.used(), 100U);
}

TEST(ByteBudget, TakesALargerPayloadWhenNothingElseWaits) {
    ByteBudget budget(100);
    EXPECT_TRUE(budget.reserve(1));
    EXPECT_FALSE(budget.reserve(1000));
    budget.release(1);
    EXPECT_TRUE(budget.reserve(1000));
    EXPECT_FALSE(budget.reserve(1));
}

TEST(ByteBudget, WakesASenderForRoomForALargerBoundAndForTheEnd) {
    const auto wake_by = [](const auto& act) {
        const auto sender = std::make_shared<Waker>();
        ByteBudget budget(100);
        EXPECT_TRUE(budget.reserve(100));
        EXPECT_TRUE(budget.wait(10, sender));
        EXPECT_TRUE(budget.wait(10, sender)) << "it has been woken for something else";
        EXPECT_EQ(sender->unparked, 0);
        act(budget);
        EXPECT_EQ(sender->unparked, 1);
        EXPECT_TRUE(budget.reserve(10));
    };
    wake_by([](ByteBudget& it) { it.release(50); });
    wake_by([](ByteBudget& it) { it.set_bound(200); });
    wake_by([](ByteBudget& it) { it.close(); });
}

TEST(ByteBudget, LetsNoSenderSleepBesideRoom) {
    ByteBudget budget(100);
    EXPECT_FALSE(budget.wait(10, std::make_shared<Waker>()));
}

// A mailbox with a bound of 10'000 bytes, and rings that are read there.
class BytesOfAMailbox : public testing::Test {
protected:
    BytesOfAMailbox() {
        mailbox->set_byte_bound(10'000);
        mailbox->open();
    }

    PushResult push(std::uint32_t lane, std::size_t size) {
        Envelope envelope;
        envelope.payload = PayloadRef::allocate(size);
        return mailbox->push(envelope, lane, sender);
    }

    void take(std::size_t max = 1000) {
        std::vector<Envelope> out;
        EXPECT_TRUE(
            mailbox->take_queued(out, max, [](const std::string*, std::uint64_t) { return true; }));
        mailbox->settle(out.size(), 0);
    }

    std::shared_ptr<Ring> ring() {
        Ring::Spec spec;
        spec.bound = 1000;
        spec.sender_parker = sender;
        auto made = std::make_shared<Ring>(
            std::move(spec), std::vector{Ring::ReaderSpec{mailbox.get(), 0, mailbox->budget()}});
        mailbox->add_ring(made, 0);
        return made;
    }

    // How many messages of this size find room, of 100.
    int offer(Ring& ring, std::size_t size) {
        for (int i = 0; i < 100; ++i) {
            RingSlot* const slot = ring.claim(cache);
            if (slot == nullptr || !ring.reserve(size)) {
                return i;
            }
            ring.hold(*slot, {PayloadRef::allocate(size), nullptr, 0});
            ring.publish(*slot);
        }
        return 100;
    }

    std::uint64_t used() { return mailbox->budget()->used(); }

    void TearDown() override { EXPECT_TRUE(mailbox->counts().is_balanced()); }

    SteadyClock clock;
    std::shared_ptr<Waker> sender = std::make_shared<Waker>();
    PayloadCache cache;
    std::shared_ptr<Mailbox> mailbox = std::make_shared<Mailbox>(clock.make_parker(), 1000);
};

TEST_F(BytesOfAMailbox, HoldForTheQueueByEveryPolicy) {
    struct Row {
        FullPolicy policy;
        PushResult result;
        std::uint64_t queued, newest, oldest, full;
    };

    const Row rows[] = {
        {FullPolicy::block, PushResult::full, 2, 0, 0, 0},
        {FullPolicy::drop_newest, PushResult::accepted, 2, 1, 0, 0},
        {FullPolicy::drop_oldest, PushResult::accepted, 2, 0, 1, 0},
        {FullPolicy::reject, PushResult::full, 2, 0, 0, 1},
    };
    for (const Row& row : rows) {
        const FlowCounts before = mailbox->counts();
        const std::uint32_t lane =
            row.policy == FullPolicy::reject ? direct_lane : mailbox->lane("a", 1000, row.policy);
        EXPECT_EQ(push(lane, 5000), PushResult::accepted);
        EXPECT_EQ(push(lane, 5000), PushResult::accepted);
        EXPECT_EQ(push(lane, 41), row.result);
        EXPECT_EQ(push(lane, 40), PushResult::accepted) << "it counts nothing";
        const FlowCounts now = mailbox->counts();
        EXPECT_EQ(now.queued, row.queued + 1);
        EXPECT_EQ(now.dropped.newest - before.dropped.newest, row.newest);
        EXPECT_EQ(now.dropped.oldest - before.dropped.oldest, row.oldest);
        EXPECT_EQ(now.rejected.full - before.rejected.full, row.full);
        take();
        EXPECT_EQ(used(), 0U);
    }
}

TEST_F(BytesOfAMailbox, AnOldestLaneThatHasNothingToDropDropsTheMessage) {
    const std::uint32_t lane = mailbox->lane("a", 10, FullPolicy::drop_oldest);
    EXPECT_EQ(push(direct_lane, 9000), PushResult::accepted);
    EXPECT_EQ(push(lane, 2000), PushResult::accepted);
    EXPECT_EQ(mailbox->counts().dropped.oldest, 1U);
    EXPECT_EQ(mailbox->counts().queued, 1U);
}

TEST_F(BytesOfAMailbox, AreSharedByAllRingsAndTheQueue) {
    const auto a = ring();
    const auto b = ring();
    EXPECT_EQ(offer(*a, large), 2);
    EXPECT_EQ(offer(*b, large), 0);
    EXPECT_EQ(push(direct_lane, 41), PushResult::full);
    EXPECT_TRUE(b->wait_for_bytes(large));
    RingReader cursor(a, 0);
    EXPECT_EQ(cursor.scan(1, [](const RingSlot&) {}), 1U);
    cursor.take_payloads(1);
    cursor.take(1);
    EXPECT_EQ(sender->unparked, 1) << "the reader of one ring wakes the sender of another";
    EXPECT_EQ(offer(*b, large), 1);
    cursor.settle(1, 0, 0);
    EXPECT_EQ(used(), 3 * large) << "it waits again";
}

TEST_F(BytesOfAMailbox, AreReportedByARingInPieces) {
    const auto a = ring();
    const int taken = offer(*a, 100);
    EXPECT_GE(taken * 100, 10'000);
    EXPECT_LE(taken * 100, 10'000 + 4096);
    RingReader cursor(a, 0);
    while (const std::uint32_t shown = cursor.scan(batch_max, [](const RingSlot&) {})) {
        cursor.take_payloads(shown);
        cursor.take(shown);
        cursor.settle(shown, shown, 0);
    }
    EXPECT_EQ(used(), 0U);
    EXPECT_GE(offer(*a, 100), taken - 41) << "what is not reported yet is for the next piece";
}

TEST_F(BytesOfAMailbox, AreFreeAgainWhenWhatWaitsBecomesDeadLetters) {
    EXPECT_EQ(push(direct_lane, 9000), PushResult::accepted);
    const auto a = ring();
    EXPECT_EQ(offer(*a, 5000), 0);
    mailbox->close();
    EXPECT_FALSE(a->wait_for_bytes(5000)) << "nobody waits for one that takes no more";
    EXPECT_EQ(mailbox->dead_letter_rest(), 1U);
    mailbox->open();
    EXPECT_EQ(used(), 0U);
    EXPECT_EQ(push(direct_lane, 9000), PushResult::accepted);
    take();
}

}  // namespace
}  // namespace skep::host
