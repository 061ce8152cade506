// An inbox whose rings are the test's own.
#pragma once

#include <cstdint>
#include <memory>
#include <numeric>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "host/messaging/inbox.hpp"
#include "tests/support/ring_parts.hpp"

namespace skep::host {

class InboxFixture : public testing::Test {
protected:
    InboxFixture() { mailbox->open(); }

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
    Inbox inbox{mailbox};
    MessageBatch views;
};

}  // namespace skep::host
