#include "host/base/lazy_deque.hpp"

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace skep::host {
namespace {

TEST(LazyDeque, IsAPointerUntilItHoldsSomething) {
    static_assert(sizeof(LazyDeque<std::string>) == sizeof(void*));
    LazyDeque<std::string> queue;
    EXPECT_TRUE(queue.empty());
    EXPECT_EQ(queue.size(), 0U);
    EXPECT_TRUE(queue.begin() == queue.end());
    for (const std::string& it : queue) {
        ADD_FAILURE() << it;
    }
    queue.clear();
    EXPECT_TRUE(queue.empty());
}

TEST(LazyDeque, IsADequeAfterThat) {
    LazyDeque<int> queue;
    queue.push_back(2);
    queue.push_back(3);
    queue.push_front(1);
    queue.erase(queue.begin() + 1);
    EXPECT_EQ(std::vector<int>(queue.begin(), queue.end()), (std::vector<int>{1, 3}));
    queue.pop_front();
    EXPECT_EQ(queue.front(), 3);
    queue.clear();
    EXPECT_TRUE(queue.empty());
    queue.push_back(4);
    EXPECT_EQ(queue.size(), 1U);
}

TEST(LazyDeque, GivesItsElementsToTheOneThatItIsSwappedWith) {
    LazyDeque<std::unique_ptr<int>> full;
    full.push_back(std::make_unique<int>(7));
    LazyDeque<std::unique_ptr<int>> rest;
    rest.swap(full);
    EXPECT_TRUE(full.empty());
    ASSERT_EQ(rest.size(), 1U);
    EXPECT_EQ(*rest.front(), 7);
}

}  // namespace
}  // namespace skep::host
