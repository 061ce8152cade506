// The context: the functions that a worker may call on its host. Part of skep/plugin.hpp.
//
// Every function is [worker] unless it is marked [any]: call it only on the thread that runs the
// worker at that moment. A function throws only if its comment says so.
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

// The result of an offer. ok: at least one receiver, or the policy of a route, accepted the
// message. Any other value: the message was not accepted, and the host counts it as rejected for
// that reason.
enum class send_result {
    ok,
    no_route,  // no route leaves this port
    full,      // the mailbox is full, and a direct send does not wait
    closed,    // the receiver accepts no more messages
    unknown,   // no worker has that name
    too_big,   // the message exceeds the size limit of the host
    stopping,  // the host stopped this worker while it waited
    failed     // any other failure
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

// The result of receive(): a message, or the reason for its absence. An empty message is a message.
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

    // The place where the worker agrees to be paused or stopped. Returns true to continue, false to
    // return from run(). Costs one load while the host requests nothing. Does not return while the
    // worker is paused. Saves nothing, unlike a checkpoint of a database.
    [[nodiscard]] bool checkpoint() {
        return !is_wanted() || raw_->api->checkpoint(raw_) == SKEP_GO_ON;
    }

    // Returns true if the host requests something of this worker. Costs one load and no call; never
    // waits. For long work inside a callback, which cannot pause there but can return early. [any]
    [[nodiscard]] bool is_wanted() const {
        return __atomic_load_n(raw_->control, __ATOMIC_RELAXED) != 0;
    }

    // Waits for the next message, at most `timeout` (negative: no limit). A checkpoint. [run]
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

    // Like receive, for up to `max` messages at once: calls handle(message) for each, in order.
    // Returns false when no more messages will arrive. [run]
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

    // Sleeps on the host's clock. A checkpoint. Returns false when woken early: return from run().
    // [run]
    [[nodiscard]] bool sleep(std::chrono::nanoseconds duration) {
        return raw_->api->sleep(raw_, duration.count()) == SKEP_OK;
    }

    // Starts a timer: calls on_timer(id) first after `first`, then every `period` (zero: only
    // once). [handler workers]
    void set_timer(std::uint32_t id,
                   std::chrono::nanoseconds first,
                   std::chrono::nanoseconds period = std::chrono::nanoseconds(0)) {
        raw_->api->timer_set(raw_, id, first.count(), period.count());
    }

    // Emits a payload at output port 0. Waits where the route has when_full = "block".
    send_result emit(std::string_view payload) { return emit_to(0, payload); }

    // Like emit, at output port `port`, an index among the type's outputs.
    send_result emit_to(std::uint32_t port, std::string_view payload) {
        return send_result_of(raw_->api->emit_bytes(raw_, port, payload.data(), payload.size()));
    }

    // Emits a message that was received, kept or made with new_buffer, without copying its bytes.
    send_result forward(std::uint32_t port, const skep_message& shared) {
        skep_payload raw{};
        raw.share = &shared;
        return send_result_of(raw_->api->emit(raw_, port, &raw, sizeof(raw), 1));
    }

    // Emits many payloads at once, in order; for a source that reads in blocks. Returns the number
    // of accepted payloads, or a status.
    std::int64_t emit_batch(std::uint32_t port, const skep_payload* first, std::uint32_t count) {
        return raw_->api->emit(raw_, port, first, sizeof(skep_payload), count);
    }

    // Sends to the worker with this name; never waits.
    send_result send(std::string_view worker,
                     std::string_view payload,
                     const char* content_type = "text/plain") {
        const skep_payload raw = payload_of(payload, content_type);
        return send_result_of(raw_->api->send(raw_, text(worker), &raw, sizeof(raw), 1));
    }

    // Sends to every other worker; never waits.
    send_result broadcast(std::string_view payload, const char* content_type = "text/plain") {
        const skep_payload raw = payload_of(payload, content_type);
        return send_result_of(raw_->api->broadcast(raw_, &raw, sizeof(raw), 1));
    }

    // Sends to the sender of `to`; never waits.
    send_result reply(const message& to,
                      std::string_view payload,
                      const char* content_type = "text/plain") {
        const skep_payload raw = payload_of(payload, content_type);
        return send_result_of(raw_->api->reply(raw_, &to.raw(), &raw, sizeof(raw), 1));
    }

    // Returns writable bytes for one message. Throws std::bad_alloc when the host has no memory or
    // `size` exceeds its limit. [any]
    [[nodiscard]] buffer new_buffer(std::size_t size) {
        skep_message fresh{};
        if (raw_->api->buffer_new(raw_, size, &fresh) != SKEP_OK) {
            throw std::bad_alloc();
        }
        return {raw_, fresh};
    }

    // Keeps a message beyond its callback. [any]
    [[nodiscard]] kept_message keep(const message& received) {
        skep_message kept{};
        raw_->api->message_keep(raw_, &received.raw(), &kept);
        return {raw_, kept};
    }

    // Returns sender, content type, sequence, time and trace id of a message. [any]
    [[nodiscard]] message_info info(const message& of) const {
        skep_message_info raw{};
        raw.size = sizeof(raw);
        raw_->api->message_info(raw_, &of.raw(), &raw);
        return {view(raw.sender), view(raw.content_type), raw.sequence, raw.time_ns, raw.trace_id};
    }

    // Logs one line. The host adds time, worker and generation. [any]
    void log(log_level level, std::string_view line) const {
        raw_->api->log(raw_, static_cast<std::int32_t>(level), text(line));
    }

    void info(std::string_view line) const { log(log_level::info, line); }

    void warn(std::string_view line) const { log(log_level::warn, line); }

    void error(std::string_view line) const { log(log_level::error, line); }

    [[nodiscard]] bool log_enabled(log_level level) const {
        return raw_->api->log_enabled(raw_, static_cast<std::int32_t>(level)) != 0;
    }

    // Returns the time of the host's monotonic clock, which stands still in tests. [any]
    [[nodiscard]] std::chrono::nanoseconds now() const {
        return std::chrono::nanoseconds(raw_->api->clock_now(raw_));
    }

    // Count finished work and survived errors for the host's tables. [any]
    void items_done(std::uint64_t count = 1) { raw_->api->items_add(raw_, count); }

    void errors_seen(std::uint64_t count = 1) { raw_->api->errors_add(raw_, count); }

    // Return a parameter. The host has checked the parameters against the plugin's table before it
    // made the worker. A name that the table lacks, or another type, is thus a mistake in the
    // plugin: throws std::invalid_argument. [any]
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

    // Returns true if the parameter is set or has a default. [any]
    [[nodiscard]] bool has_config(const char* name) const {
        std::int64_t ignored = 0;
        return raw_->api->config_integer(raw_, name, &ignored) != SKEP_E_UNKNOWN;
    }

    // Returns this worker's name in the topology. [any]
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
            throw std::invalid_argument(std::string("the worker type has no parameter '") + name +
                                        "' of this type");
        }
    }

    const skep_context* raw_;
};

}  // namespace skep
