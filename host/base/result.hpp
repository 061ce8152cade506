// Result<T>: a value or an error. Named after std::expected, which can replace it in C++23.
//
// The host throws no exceptions of its own. The one file that includes a throwing library also
// catches its exceptions. A Result of user input carries every Diagnostic of one pass, not only the
// first.
#pragma once

#include <string>
#include <utility>
#include <variant>

#include "host/base/assert.hpp"
#include "host/base/diagnostic.hpp"

namespace skep::host {

template <typename E>
class Unexpected {
public:
    explicit Unexpected(E error)
        : error_(std::move(error)) {}

    E& error() & { return error_; }

private:
    E error_;
};

// Aborts on value() of a failed Result and on error() of a good one: both are bugs.
template <typename T, typename E = Diagnostics>
class [[nodiscard]] Result {
public:
    Result(T value)  // NOLINT(google-explicit-constructor)
        : state_(std::in_place_index<0>, std::move(value)) {}

    Result(Unexpected<E> error)  // NOLINT(google-explicit-constructor)
        : state_(std::in_place_index<1>, std::move(error.error())) {}

    [[nodiscard]] bool has_value() const { return state_.index() == 0; }

    explicit operator bool() const { return has_value(); }

    T& value() & {
        SKEP_ASSERT(has_value());
        return *std::get_if<0>(&state_);
    }

    [[nodiscard]] const T& value() const& {
        SKEP_ASSERT(has_value());
        return *std::get_if<0>(&state_);
    }

    T&& value() && { return std::move(value()); }

    T& operator*() & { return value(); }

    const T& operator*() const& { return value(); }

    T* operator->() { return &value(); }

    const T* operator->() const { return &value(); }

    E& error() & {
        SKEP_ASSERT(!has_value());
        return *std::get_if<1>(&state_);
    }

    [[nodiscard]] const E& error() const& {
        SKEP_ASSERT(!has_value());
        return *std::get_if<1>(&state_);
    }

private:
    std::variant<T, E> state_;
};

// A Result without a value: Result<Done> f() { ...; return Done{}; }
struct Done {
    bool operator==(const Done&) const = default;
};

// The common failure: one diagnostic.
[[nodiscard]] inline Unexpected<Diagnostics> failure(Diagnostic diagnostic) {
    return Unexpected<Diagnostics>({std::move(diagnostic)});
}

[[nodiscard]] inline Unexpected<Diagnostics> failure(Diagnostics diagnostics) {
    return Unexpected<Diagnostics>(std::move(diagnostics));
}

}  // namespace skep::host
