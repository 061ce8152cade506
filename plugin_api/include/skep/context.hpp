// The context: what a worker may ask of its host. Part of skep/plugin.hpp.
//
// Every function is [worker]: it may be called only from the thread that runs the worker at that
// moment, unless it says [any]. None of them throws but those that say so.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>

#include <skep/abi.h>
#include <skep/message.hpp>

namespace skep {

// What became of something that was offered. ok means taken by at least one receiver, or by its
// route's policy; the rest were not taken, and the host counts them as rejected with the same word.
enum class send_result {
    ok,
    no_route,  // nothing is joined to this port
    full,      // the mailbox is full, and a direct send does not wait
    closed,    // the receiver takes no more
    unknown,   // there is no worker of that name
    too_big,   // larger than the host takes
    stopping,  // this worker was told to stop while it waited
    failed     // anything else
};

inline send_result send_result_of(std::int64_t status) {
    if (status >= 0) {
        return send_result::ok;
    }
    switch (status) {
        case SKEP_E_NO_ROUTE:
            return send_result::no_route;
        case SKEP_E_FULL:
            return send_result::full;
        case SKEP_E_CLOSED:
            return send_result::closed;
        case SKEP_E_UNKNOWN:
            return send_result::unknown;
        case SKEP_E_TOO_BIG:
            return send_result::too_big;
        case SKEP_E_STOPPING:
            return send_result::stopping;
        default:
            return send_result::failed;
    }
}

enum class log_level {
    trace = SKEP_LOG_TRACE,
    debug = SKEP_LOG_DEBUG,
    info = SKEP_LOG_INFO,
    warn = SKEP_LOG_WARN,
    error = SKEP_LOG_ERROR
};

// What receive() found: a message, or why there is none. An empty message is a message.
class received {
public:
    enum class status { message, timeout, stopping };

    explicit received(status why)
        : status_(why) {}

    explicit received(const skep_message& raw)
        : status_(status::message),
          raw_(&raw) {}

    explicit operator bool() const { return status_ == status::message; }

    [[nodiscard]] bool is_stopping() const { return status_ == status::stopping; }

    [[nodiscard]] message operator*() const { return message(*raw_); }

private:
    status status_;
    const skep_message* raw_ = nullptr;
};

class context {
public:
    explicit context(const skep_context* raw)
        : raw_(raw) {}

    // The place where the worker agrees to be paused or stopped. True: go on. False: return from
    // run(). While nothing is wanted it costs one load; while the worker is paused it does not
    // return. It saves nothing: what a database calls a checkpoint is something else.
    [[nodiscard]] bool checkpoint() {
        return !is_wanted() || raw_->api->checkpoint(raw_) == SKEP_GO_ON;
    }

    // Whether the host wants something of this worker: one load, no call, and never a wait. For
    // long work inside a callback, which cannot stand still there but can return early. [any]
    [[nodiscard]] bool is_wanted() const {
        return __atomic_load_n(raw_->control, __ATOMIC_RELAXED) != 0;
    }

    // Waits for the next message, at most `timeout` (negative: for ever). A checkpoint. [run]
    [[nodiscard]] received receive(std::chrono::nanoseconds timeout) {
        skep_batch batch{};
        batch.size = sizeof(batch);
        const std::int32_t status = raw_->api->receive(raw_, timeout.count(), 1, &batch);
        if (status == SKEP_OK) {
            return received(*batch.first);
        }
        return received(status == SKEP_E_TIMEOUT ? received::status::timeout
                                                 : received::status::stopping);
    }

    // As receive, for up to `max` messages at once: calls handle(message) for each, in order. False
    // when nothing more will come. [run]
    template <typename Handle>
    [[nodiscard]] bool receive_batch(std::chrono::nanoseconds timeout,
                                     std::uint32_t max,
                                     Handle&& handle) {
        skep_batch batch{};
        batch.size = sizeof(batch);
        const std::int32_t status = raw_->api->receive(raw_, timeout.count(), max, &batch);
        if (status == SKEP_E_TIMEOUT) {
            return true;
        }
        if (status != SKEP_OK) {
            return false;
        }
        for (std::uint32_t i = 0; i < batch.count; ++i) {
            const char* at = reinterpret_cast<const char*>(batch.first) +
                             static_cast<std::size_t>(i) * batch.stride;
            handle(message(*reinterpret_cast<const skep_message*>(at)));
        }
        return true;
    }

    // Sleeps on the host's clock. A checkpoint. False: woken early, return from run(). [run]
    [[nodiscard]] bool sleep(std::chrono::nanoseconds duration) {
        return raw_->api->sleep(raw_, duration.count()) == SKEP_OK;
    }

    // Calls on_timer(id) first after `first`, then every `period` (zero: once). [handler workers]
    void set_timer(std::uint32_t id,
                   std::chrono::nanoseconds first,
                   std::chrono::nanoseconds period = std::chrono::nanoseconds(0)) {
        raw_->api->timer_set(raw_, id, first.count(), period.count());
    }

    // Sends text from output port 0. Waits where the route says when_full = "block".
    send_result emit(std::string_view payload) { return emit_to(0, payload); }

    // The same from output port `port`, its index among the type's outputs.
    send_result emit_to(std::uint32_t port, std::string_view payload) {
        return send_result_of(raw_->api->emit_bytes(raw_, port, payload.data(), payload.size()));
    }

    // Passes on a message that was received, kept or made with new_buffer, without copying its
    // bytes.
    send_result forward(std::uint32_t port, const skep_message& shared) {
        skep_payload raw{};
        raw.share = &shared;
        return send_result_of(raw_->api->emit(raw_, port, &raw, sizeof(raw), 1));
    }

    // Many at once, in order: what a source that reads in blocks wants. How many were taken, or a
    // status.
    std::int64_t emit_batch(std::uint32_t port, const skep_payload* first, std::uint32_t count) {
        return raw_->api->emit(raw_, port, first, sizeof(skep_payload), count);
    }

    // To one worker by name; never waits.
    send_result send(std::string_view worker,
                     std::string_view payload,
                     const char* content_type = "text/plain") {
        const skep_payload raw = payload_of(payload, content_type);
        return send_result_of(raw_->api->send(raw_, text(worker), &raw, sizeof(raw), 1));
    }

    // To every other worker; never waits.
    send_result broadcast(std::string_view payload, const char* content_type = "text/plain") {
        const skep_payload raw = payload_of(payload, content_type);
        return send_result_of(raw_->api->broadcast(raw_, &raw, sizeof(raw), 1));
    }

    // To the sender of `to`; never waits.
    send_result reply(const message& to,
                      std::string_view payload,
                      const char* content_type = "text/plain") {
        const skep_payload raw = payload_of(payload, content_type);
        return send_result_of(raw_->api->reply(raw_, &to.raw(), &raw, sizeof(raw), 1));
    }

    // Writable bytes for one message. Throws std::bad_alloc when the host has none, or `size` is
    // more than it takes. [any]
    [[nodiscard]] buffer new_buffer(std::size_t size) {
        skep_message fresh{};
        if (raw_->api->buffer_new(raw_, size, &fresh) != SKEP_OK) {
            throw std::bad_alloc();
        }
        return {raw_, fresh};
    }

    // Makes a message outlive its callback. [any]
    [[nodiscard]] kept_message keep(const message& received) {
        skep_message kept{};
        raw_->api->message_keep(raw_, &received.raw(), &kept);
        return {raw_, kept};
    }

    // Sender, content type, sequence, time and trace id of a message. [any]
    [[nodiscard]] message_info info(const message& of) const {
        skep_message_info raw{};
        raw.size = sizeof(raw);
        raw_->api->message_info(raw_, &of.raw(), &raw);
        return {view(raw.sender), view(raw.content_type), raw.sequence, raw.time_ns, raw.trace_id};
    }

    // One line of log; the host adds time, worker and generation. [any]
    void log(log_level level, std::string_view line) const {
        raw_->api->log(raw_, static_cast<std::int32_t>(level), text(line));
    }

    void info(std::string_view line) const { log(log_level::info, line); }

    void warn(std::string_view line) const { log(log_level::warn, line); }

    void error(std::string_view line) const { log(log_level::error, line); }

    [[nodiscard]] bool log_enabled(log_level level) const {
        return raw_->api->log_enabled(raw_, static_cast<std::int32_t>(level)) != 0;
    }

    // The host's monotonic clock, which stands still in tests. [any]
    [[nodiscard]] std::chrono::nanoseconds now() const {
        return std::chrono::nanoseconds(raw_->api->clock_now(raw_));
    }

    // Work done, and errors survived, as the host's tables show them. [any]
    void items_done(std::uint64_t count = 1) { raw_->api->items_add(raw_, count); }

    void errors_seen(std::uint64_t count = 1) { raw_->api->errors_add(raw_, count); }

    // Parameters. The host has checked them against the plugin's table before the worker was made,
    // so asking for one that the table lacks, or by another type, is a mistake in the plugin:
    // throws std::invalid_argument. [any]
    [[nodiscard]] std::string_view config_text(const char* name) const {
        skep_text value{};
        check(raw_->api->config_text(raw_, name, &value), name);
        return view(value);
    }

    [[nodiscard]] std::int64_t config_integer(const char* name) const {
        std::int64_t value = 0;
        check(raw_->api->config_integer(raw_, name, &value), name);
        return value;
    }

    [[nodiscard]] double config_number(const char* name) const {
        double value = 0;
        check(raw_->api->config_number(raw_, name, &value), name);
        return value;
    }

    [[nodiscard]] bool config_boolean(const char* name) const { return config_integer(name) != 0; }

    [[nodiscard]] std::chrono::nanoseconds config_duration(const char* name) const {
        return std::chrono::nanoseconds(config_integer(name));
    }

    // True when the parameter is set or has a default. [any]
    [[nodiscard]] bool has_config(const char* name) const {
        std::int64_t ignored = 0;
        return raw_->api->config_integer(raw_, name, &ignored) != SKEP_E_UNKNOWN;
    }

    // This worker's name in the topology. [any]
    [[nodiscard]] std::string_view worker_name() const {
        return view(raw_->api->worker_name(raw_));
    }

    [[nodiscard]] const skep_context* raw() const { return raw_; }

private:
    static skep_payload payload_of(std::string_view bytes, const char* content_type = nullptr) {
        skep_payload raw{};
        raw.data = bytes.data();
        raw.size = bytes.size();
        raw.content_type = content_type;
        return raw;
    }

    static void check(std::int32_t status, const char* name) {
        if (status != SKEP_OK) {
            throw std::invalid_argument(std::string("no parameter '") + name + "' of that type");
        }
    }

    const skep_context* raw_;
};

}  // namespace skep
