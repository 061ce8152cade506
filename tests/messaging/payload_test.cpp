#include "host/messaging/payload.hpp"

#include <cstring>
#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace skep::host {
namespace {

TEST(Payload, OfNoBytesIsNull) {
    const PayloadRef payload = PayloadRef::allocate(0);
    EXPECT_EQ(payload.data(), nullptr);
    EXPECT_EQ(payload.size(), 0U);
}

TEST(Payload, IsAlignedForWhateverAPluginPutsThere) {
    PayloadCache cache;
    for (std::size_t size = 1; size < 300; ++size) {
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(cache.allocate(size).data()) % 16, 0U);
    }
}

TEST(Payload, CopiesShareTheBytesAndTheLastOneFreesThem) {
    PayloadRef first = PayloadRef::allocate(100);
    std::memset(first.data(), 'x', first.size());
    PayloadRef copy = first;
    EXPECT_EQ(copy.data(), first.data());
    first = PayloadRef();
    EXPECT_EQ(first.data(), nullptr);
    EXPECT_EQ(static_cast<const char*>(copy.data())[99], 'x');
    const PayloadRef moved = std::move(copy);
    EXPECT_EQ(moved.size(), 100U);
}

TEST(PayloadCache, GivesTheLastOneBackFirst) {
    PayloadCache cache;
    PayloadRef first = cache.allocate(100);
    PayloadRef second = cache.allocate(100);
    const void* const where_first = first.data();
    const void* const where_second = second.data();
    cache.take_back(std::move(first));
    cache.take_back(std::move(second));
    const PayloadRef again = cache.allocate(100);
    EXPECT_EQ(again.data(), where_second);
    EXPECT_EQ(cache.allocate(100).data(), where_first);
}

TEST(PayloadCache, APayloadUsedAgainHasTheSizeThatIsAskedFor) {
    PayloadCache cache;
    PayloadRef large = cache.allocate(128);
    const void* const where = large.data();
    cache.take_back(std::move(large));
    const PayloadRef small = cache.allocate(65);  // of the same capacity
    EXPECT_EQ(small.data(), where);
    EXPECT_EQ(small.size(), 65U);
}

TEST(PayloadCache, NeverGivesLessRoomThanIsAskedFor) {
    PayloadCache cache;
    for (const std::size_t size : {1, 63, 64, 65, 127, 128, 129, 4096, 4097, 131071, 131072}) {
        cache.take_back(cache.allocate(size));
    }
    for (const std::size_t size : {131072, 131071, 4097, 4096, 129, 128, 127, 65, 64, 63, 1}) {
        const PayloadRef payload = cache.allocate(size);
        ASSERT_EQ(payload.size(), size);
        std::memset(payload.data(), 'x', size);  // for the sanitizers to see
    }
}

TEST(PayloadCache, DoesNotUseAgainWhatSomeoneStillHolds) {
    PayloadCache cache;
    PayloadRef payload = cache.allocate(100);
    const PayloadRef held = payload;
    cache.take_back(std::move(payload));
    EXPECT_NE(cache.allocate(100).data(), held.data());
    std::memset(held.data(), 'x', held.size());
}

TEST(PayloadCache, TakesNothingThatIsNotItsOwnKind) {
    PayloadCache cache;
    cache.take_back(PayloadRef());
    cache.take_back(PayloadRef::allocate(64));  // it has no shelves yet
    (void)cache.allocate(64);
    for (const std::size_t size : {1, 32, 100, 131073, 1 << 20}) {
        cache.take_back(PayloadRef::allocate(size));
        const PayloadRef payload = cache.allocate(size);
        EXPECT_EQ(payload.size(), size);
        std::memset(payload.data(), 'x', size);
    }
}

TEST(PayloadCache, KeepsOnlySoMany) {
    PayloadCache cache;
    std::vector<PayloadRef> many;
    for (int i = 0; i < 100; ++i) {
        many.push_back(cache.allocate(64));
    }
    std::set<const void*> seen;
    for (PayloadRef& it : many) {
        seen.insert(it.data());
        cache.take_back(std::move(it));
    }
    EXPECT_EQ(seen.size(), 100U);
    EXPECT_EQ(cache.allocate(64).size(), 64U);
}

}  // namespace
}  // namespace skep::host
