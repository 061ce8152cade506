// The messages of a C++ plugin. Part of skep/plugin.hpp; skep/abi.h holds the underlying contract.
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

// The properties of a message: see skep_message_info for each field.
struct message_info {
    std::string_view sender;
    std::string_view content_type;
    std::uint64_t sequence = 0;
    std::int64_t time_ns = 0;
    std::uint64_t trace_id = 0;
};

// A view of a received message: read-only and cheap to copy. Valid until the callback returns or
// the next receive(). Use context::keep to keep the message longer.
class message {
public:
    explicit message(const skep_message& raw)
        : raw_(&raw) {}

    // The data of the result is never null, even if the message is empty.
    [[nodiscard]] std::string_view text() const {
        if (raw_->size == 0) {
            return "";
        }
        return {static_cast<const char*>(raw_->data), static_cast<std::size_t>(raw_->size)};
    }

    [[nodiscard]] const void* data() const { return raw_->data; }

    [[nodiscard]] std::size_t size() const { return static_cast<std::size_t>(raw_->size); }

    // Returns the index of the input port. For a message that arrived by send, broadcast or reply,
    // is_direct() is true.
    [[nodiscard]] std::uint32_t port() const { return raw_->port; }

    [[nodiscard]] bool is_direct() const { return raw_->port == SKEP_PORT_DIRECT; }

    [[nodiscard]] const skep_message& raw() const { return *raw_; }

private:
    const skep_message* raw_;
};

// The messages that a handler worker gets in one call, oldest first. The worker reports how many it
// has finished; the host passes the others in again, in the same order. Finishing none is allowed
// only while context::is_wanted().
class messages {
public:
    explicit messages(const skep_batch& raw)
        : raw_(raw) {}

    [[nodiscard]] std::uint32_t size() const { return raw_.count; }

    // `index` must be less than size().
    [[nodiscard]] message operator[](std::uint32_t index) const {
        const char* at = reinterpret_cast<const char*>(raw_.first) +
                         static_cast<std::size_t>(index) * raw_.stride;
        return message(*reinterpret_cast<const skep_message*>(at));
    }

    // Marks the first `count` messages as finished. If the call fails later, the message after them
    // is the one that failed.
    void finish(std::uint32_t count) { finished_ = count; }

    [[nodiscard]] std::uint32_t finished() const { return finished_; }

private:
    const skep_batch& raw_;
    std::uint32_t finished_ = 0;
};

// A counted reference to a message. The message stays valid after the callback has returned.
// Move-only. Must be destroyed before the worker is (a member of the worker satisfies this).
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

// A new message: size() writable bytes that are sent without another copy.
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
