// Result<T>: a value, or what went wrong. Named after std::expected, so that C++23 can delete it.
//
// The host throws nothing of its own. Libraries that throw are caught in the one file that includes
// them. A Result of user input carries every Diagnostic of one pass, not just the first.
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

// value() of a failed Result, and error() of a good one, are bugs and abort.
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

// The failure that most functions have: one diagnostic.
[[nodiscard]] inline Unexpected<Diagnostics> failure(Diagnostic diagnostic) {
    return Unexpected<Diagnostics>({std::move(diagnostic)});
}

[[nodiscard]] inline Unexpected<Diagnostics> failure(Diagnostics diagnostics) {
    return Unexpected<Diagnostics>(std::move(diagnostics));
}

}  // namespace skep::host
