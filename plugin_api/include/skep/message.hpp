// Messages as a C++ plugin sees them. Part of skep/plugin.hpp; see skep/abi.h for the contract
// beneath.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include <skep/abi.h>

namespace skep {

inline std::string_view view(skep_text text) {
    return text.size == 0 ? std::string_view() : std::string_view(text.data, text.size);
}

inline skep_text text(std::string_view value) {
    return {value.data(), value.size()};
}

// What a message says of itself: see skep_message_info for each field.
struct message_info {
    std::string_view sender;
    std::string_view content_type;
    std::uint64_t sequence = 0;
    std::int64_t time_ns = 0;
    std::uint64_t trace_id = 0;
};

// A view of a received message: read-only, cheap to copy, valid until the callback returns or the
// next receive(). Keep it longer with context::keep.
class message {
public:
    explicit message(const skep_message& raw)
        : raw_(&raw) {}

    // Never null, also when it is empty.
    [[nodiscard]] std::string_view text() const {
        if (raw_->size == 0) {
            return "";
        }
        return {static_cast<const char*>(raw_->data), static_cast<std::size_t>(raw_->size)};
    }

    [[nodiscard]] const void* data() const { return raw_->data; }

    [[nodiscard]] std::size_t size() const { return static_cast<std::size_t>(raw_->size); }

    // The index of the input port it came in by; is_direct() when it came by send, broadcast or
    // reply.
    [[nodiscard]] std::uint32_t port() const { return raw_->port; }

    [[nodiscard]] bool is_direct() const { return raw_->port == SKEP_PORT_DIRECT; }

    [[nodiscard]] const skep_message& raw() const { return *raw_; }

private:
    const skep_message* raw_;
};

// The messages that a handler worker is given at once, oldest first. It says how many it has
// finished; the others come again, in their order. To finish none is right only while
// context::is_wanted().
class messages {
public:
    explicit messages(const skep_batch& raw)
        : raw_(raw) {}

    [[nodiscard]] std::uint32_t size() const { return raw_.count; }

    // `index` is below size().
    [[nodiscard]] message operator[](std::uint32_t index) const {
        const char* at = reinterpret_cast<const char*>(raw_.first) +
                         static_cast<std::size_t>(index) * raw_.stride;
        return message(*reinterpret_cast<const skep_message*>(at));
    }

    // The first `count` of them are finished, also if the call fails later: it failed on the next.
    void finish(std::uint32_t count) { finished_ = count; }

    [[nodiscard]] std::uint32_t finished() const { return finished_; }

private:
    const skep_batch& raw_;
    std::uint32_t finished_ = 0;
};

// A counted reference to a message: it stays valid after the callback has returned. Move-only; must
// be gone before the worker is destroyed (a member of the worker is).
class kept_message {
public:
    kept_message(const skep_context* context, const skep_message& kept)
        : context_(context),
          raw_(kept) {}

    kept_message(kept_message&& other) noexcept
        : context_(std::exchange(other.context_, nullptr)),
          raw_(other.raw_) {}

    kept_message& operator=(kept_message&& other) noexcept {
        if (this != &other) {
            release();
            context_ = std::exchange(other.context_, nullptr);
            raw_ = other.raw_;
        }
        return *this;
    }

    kept_message(const kept_message&) = delete;
    kept_message& operator=(const kept_message&) = delete;

    ~kept_message() { release(); }

    [[nodiscard]] message get() const { return message(raw_); }

private:
    void release() noexcept {
        if (context_ != nullptr) {
            context_->api->message_release(context_, &raw_);
        }
        context_ = nullptr;
    }

    const skep_context* context_;
    skep_message raw_;
};

// A message in the making: size() writable bytes that are sent without another copy.
class buffer {
public:
    buffer(const skep_context* context, const skep_message& fresh)
        : kept_(context, fresh) {}

    [[nodiscard]] char* data() { return static_cast<char*>(const_cast<void*>(kept_.get().data())); }

    [[nodiscard]] std::size_t size() const { return kept_.get().size(); }

    [[nodiscard]] const skep_message& raw() const { return kept_.get().raw(); }

private:
    kept_message kept_;
};

}  // namespace skep
