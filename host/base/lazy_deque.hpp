// A std::deque that allocates no memory before its first element. A std::deque of libstdc++
// allocates 640 bytes when it is made, and most queues of a host with many workers never hold an
// element.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <utility>

namespace skep::host {

template <typename T>
class LazyDeque {
public:
    using Iterator = typename std::deque<T>::iterator;
    using ConstIterator = typename std::deque<T>::const_iterator;

    [[nodiscard]] bool empty() const { return made_ == nullptr || made_->empty(); }

    [[nodiscard]] std::size_t size() const { return made_ == nullptr ? 0 : made_->size(); }

    [[nodiscard]] Iterator begin() { return made_ == nullptr ? Iterator() : made_->begin(); }

    [[nodiscard]] Iterator end() { return made_ == nullptr ? Iterator() : made_->end(); }

    [[nodiscard]] ConstIterator begin() const {
        return made_ == nullptr ? ConstIterator() : std::as_const(*made_).begin();
    }

    [[nodiscard]] ConstIterator end() const {
        return made_ == nullptr ? ConstIterator() : std::as_const(*made_).end();
    }

    void push_back(T element) { made().push_back(std::move(element)); }

    void push_front(T element) { made().push_front(std::move(element)); }

    // Require an element.
    [[nodiscard]] T& front() { return made_->front(); }

    [[nodiscard]] const T& front() const { return std::as_const(*made_).front(); }

    void pop_front() { made_->pop_front(); }

    void erase(Iterator at) { made_->erase(at); }

    void clear() { made_.reset(); }

    void swap(LazyDeque& other) { made_.swap(other.made_); }

private:
    std::deque<T>& made() {
        if (made_ == nullptr) {
            made_ = std::make_unique<std::deque<T>>();
        }
        return *made_;
    }

    std::unique_ptr<std::deque<T>> made_;
};

}  // namespace skep::host
