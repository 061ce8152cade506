// Returns true if a list contains an item: std::ranges::contains of C++23.
#pragma once

#include <algorithm>

namespace skep::host {

template <typename List, typename Item>
[[nodiscard]] bool contains(const List& list, const Item& item) {
    return std::find(list.begin(), list.end(), item) != list.end();
}

}  // namespace skep::host
