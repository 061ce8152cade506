// A ring whose sender and readers are the test's own thread.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "host/messaging/ring.hpp"
#include "host/messaging/ring_reader.hpp"
#include "tests/support/ring_parts.hpp"

namespace skep::host {

struct CountingHome final : RingReaderHome {
    void announce(Ring&, std::uint32_t) override { ++announced; }

    void wake() override { ++woken; }

    int announced = 0;
    int woken = 0;
};

struct CountingParker final : Parker {
    void park(std::uint32_t, Nanos) override {}

    void unpark() override { ++unparked; }

    int unparked = 0;
};

class RingFixture : public testing::Test {
protected:
    // A new one each time.
    void make(std::size_t bound, std::size_t readers, bool drops_newest = false) {
        cursors.clear();
        homes.clear();
        homes.resize(readers);
        next = 0;
        std::vector<Ring::ReaderSpec> specs;
        for (CountingHome& home : homes) {
            specs.push_back({&home, 0});
        }
        Ring::Spec spec;
        spec.bound = bound;
        spec.drops_newest = drops_newest;
        spec.sender_parker = parker;
        ring = std::make_shared<Ring>(std::move(spec), specs);
        for (std::uint32_t i = 0; i < readers; ++i) {
            cursors.emplace_back(ring, i);
        }
    }

    bool offer(std::size_t size = inline_bytes) {
        const bool is_taken = test::offer(*ring, cache, next, size);
        next += is_taken ? 1 : 0;
        return is_taken;
    }

    // How many of `wanted` find room.
    int offer_some(int wanted) {
        int offered = 0;
        while (offered < wanted && offer()) {
            ++offered;
        }
        return offered;
    }

    using Numbers = std::vector<std::uint64_t>;
    using Slots = std::vector<const RingSlot*>;
    using Specs = std::vector<Ring::ReaderSpec>;

    // Takes up to `max`; they are in flight until they are settled.
    Slots take(std::uint32_t reader, std::uint32_t max = batch_max) {
        Slots slots;
        const std::uint32_t count =
            cursors[reader].scan(max, [&](const RingSlot& slot) { slots.push_back(&slot); });
        slots.resize(count);
        if (count > 0) {
            cursors[reader].take(count);
            full_fence();
            ring->wake_sender_if_it_waits();
        }
        return slots;
    }

    static Numbers numbers_of(const Slots& slots) {
        Numbers numbers;
        for (const RingSlot* const slot : slots) {
            EXPECT_TRUE(test::holds_number(slot->data(), slot->size, slot->sequence));
            numbers.push_back(slot->sequence);
        }
        return numbers;
    }

    Numbers read(std::uint32_t reader, std::uint32_t max = batch_max) {
        const Slots slots = take(reader, max);
        Numbers numbers = numbers_of(slots);
        if (!slots.empty()) {
            const auto count = static_cast<std::uint32_t>(slots.size());
            cursors[reader].settle(count, count, 0);
        }
        return numbers;
    }

    Numbers read_all(std::uint32_t reader) {
        Numbers all;
        for (Numbers some = read(reader); !some.empty(); some = read(reader)) {
            all.insert(all.end(), some.begin(), some.end());
        }
        return all;
    }

    static Numbers range(std::uint64_t first, std::uint64_t end) {
        Numbers numbers(end - first);
        std::iota(numbers.begin(), numbers.end(), first);
        return numbers;
    }

    void TearDown() override {
        for (std::uint32_t i = 0; i < cursors.size(); ++i) {
            EXPECT_TRUE(ring->counts(i).is_balanced()) << i;
        }
    }

    std::deque<CountingHome> homes;
    std::shared_ptr<CountingParker> parker = std::make_shared<CountingParker>();
    PayloadCache cache;
    std::shared_ptr<Ring> ring;
    std::deque<RingReader> cursors;
    std::uint64_t next = 0;  // the number of the next message: its position
};

}  // namespace skep::host
