// The functions behind skep_host_api. Each checks what abi.h lets it check, and forwards the call.
// None throws. An emission that is refused before a receiver could count it is counted here, for
// every calling thread: see note_refused().
#include <atomic>
#include <bit>
#include <cstring>

#include <spdlog/spdlog.h>

#include "host/base/crash_report.hpp"
#include "host/base/printable.hpp"
#include "host/worker/instance.hpp"
#include "host/worker/worker_context.hpp"

namespace skep::host {

namespace {

WorkerContext& of(const skep_context* context) {
    return *static_cast<WorkerContext*>(context->host);
}

// A call of a function of the context: the calling thread is in the host during its lifetime.
class HostCall {
public:
    explicit HostCall(const skep_context* context)
        : lease_(WorkerContext::lease_of_this_thread()),
          refusal_(lease_.enter_host(of(context)) ? SKEP_OK : why_not(context)) {}

    ~HostCall() { lease_.leave_host(); }

    HostCall(const HostCall&) = delete;
    HostCall& operator=(const HostCall&) = delete;

    // Returns why a [worker] function must not continue, or SKEP_OK.
    [[nodiscard]] std::int32_t refusal() const { return refusal_; }

    // The same for functions that create() may call too.
    [[nodiscard]] std::int32_t refusal_also_in_create() const {
        return refusal_ == SKEP_E_STATE ? SKEP_OK : refusal_;
    }

    // The same for functions that any thread may call: false only for a thread that is left behind.
    [[nodiscard]] bool is_revoked() const { return refusal_ == SKEP_E_REVOKED; }

private:
    [[gnu::cold, gnu::noinline]] std::int32_t why_not(const skep_context* context) {
        if (lease_.is_of(of(context))) {
            return lease_.wait_for_decision() ? SKEP_OK : SKEP_E_REVOKED;
        }
        // In create() no thread is the worker's.
        return Instance::of(context).is_being_made() ? SKEP_E_STATE : SKEP_E_THREAD;
    }

    Lease& lease_;
    const std::int32_t refusal_;
};

// Runs `call`, and turns exceptions of the host into a status.
template <typename Call>
auto contained(Call&& call) noexcept -> decltype(call()) {
    try {
        return call();
    } catch (const std::bad_alloc&) {
        return SKEP_E_NO_MEMORY;
    } catch (...) {
        return SKEP_E_FAILED;
    }
}

std::string_view view_of(skep_text text) {
    return {text.data, text.size};
}

skep_text text_of(std::string_view text) {
    return {text.data(), text.size()};
}

std::int32_t checkpoint(const skep_context* context) noexcept {
    const HostCall call(context);
    if (call.refusal() != SKEP_OK) {
        return call.refusal();
    }
    return of(context).must_end() ? SKEP_STOP : SKEP_GO_ON;
}

std::int32_t receive(const skep_context* context,
                     std::int64_t timeout_ns,
                     std::uint32_t max,
                     skep_batch* batch) noexcept {
    const HostCall call(context);
    if (call.refusal() != SKEP_OK) {
        return call.refusal();
    }
    if (max == 0 || batch == nullptr || batch->size < sizeof(skep_batch)) {
        return SKEP_E_INVALID;
    }
    return contained([&] { return of(context).receive(Nanos(timeout_ns), max, *batch); });
}

std::int32_t sleep(const skep_context* context, std::int64_t duration_ns) noexcept {
    const HostCall call(context);
    if (call.refusal() != SKEP_OK) {
        return call.refusal();
    }
    return of(context).sleep(Nanos(duration_ns));
}

std::int32_t timer_set(const skep_context* context,
                       std::uint32_t id,
                       std::int64_t first_ns,
                       std::int64_t period_ns) noexcept {
    const HostCall call(context);
    if (call.refusal_also_in_create() != SKEP_OK) {
        return call.refusal_also_in_create();
    }
    return contained([&] {
        Instance::of(context).set_timer(id, Nanos(first_ns), Nanos(period_ns));
        return SKEP_OK;
    });
}

// The destination that a worker named for a message.
struct Target {
    enum class Kind : std::uint8_t { output, worker, all, sender } kind;
    std::uint32_t port = 0;
    std::string_view worker{};
};

std::string text_of(const Target& target) {
    switch (target.kind) {
        case Target::Kind::output:
            return "emission to output " + std::to_string(target.port);
        case Target::Kind::worker:
            return "message to worker '" + escaped(target.worker) + "'";
        case Target::Kind::sender:
            return "reply";
        default:
            return "broadcast";
    }
}

// Returns why a message was refused before it was offered to a receiver; null when the receiver or
// the outbox counts it.
const char* reason_of(const Target& target, std::int32_t status) {
    switch (status) {
        case SKEP_E_STATE:
            return "create, load_state and acquire cannot send";
        case SKEP_E_THREAD:
            return "called from a thread that is not the worker's";
        case SKEP_E_REVOKED:
            return "the host has abandoned the thread that called";
        case SKEP_E_INVALID:
            return "an argument is invalid";
        case SKEP_E_UNKNOWN:
            return target.kind == Target::Kind::output   ? "the worker type has no such output"
                   : target.kind == Target::Kind::worker ? "no worker has this name"
                   : target.kind == Target::Kind::sender
                       ? "its receiver is the host or no longer exists"
                       : nullptr;
        case SKEP_E_TOO_BIG:
            static_assert(max_payload_bytes == std::uint64_t{64} << 20);
            return "its payload is larger than 64 MiB";
        case SKEP_E_NO_MEMORY:
        case SKEP_E_FAILED:
            return "the host could not allocate memory";
        default:
            return nullptr;
    }
}

// [any-thread] Counts an emission that was refused before it was offered to a receiver. Logs the
// 1st, 2nd, 4th, 8th, ... of each counter: a mistake is visible and cannot flood the log.
[[gnu::cold, gnu::noinline]] void note_refused(const skep_context* context,
                                               const Target& target,
                                               std::int32_t status) noexcept {
    const char* const reason = reason_of(target, status);
    if (reason == nullptr) {
        return;
    }
    WorkerCounters& counters = *of(context).home().counters;
    const bool is_memory = status == SKEP_E_NO_MEMORY || status == SKEP_E_FAILED;
    std::atomic<std::uint64_t>& counter = status == SKEP_E_TOO_BIG ? counters.too_big
                                          : is_memory              ? counters.no_memory
                                                                   : counters.misuse;
    const std::uint64_t so_far = counter.fetch_add(1, std::memory_order_relaxed) + 1;
    if (std::has_single_bit(so_far)) {
        (void)contained([&] {
            Instance::of(context).log().warn(
                "{} was rejected, {} so far: {}", text_of(target), so_far, reason);
            return SKEP_OK;
        });
    }
}

bool is_valid(const WorkerContext& it, const skep_payload& payload) {
    return payload.share == nullptr ? payload.data != nullptr || payload.size == 0
                                    : it.inbox().is_view(*payload.share);
}

// An array of payloads, as the ABI passes it: `stride` bytes from one to the next.
struct Payloads {
    const skep_payload* first;
    std::uint32_t stride;
    std::uint32_t count;
};

// The loop of all four ways of sending: sends the payloads in order, until one is not accepted.
// `refused` other than SKEP_OK says why none can be sent.
template <typename Send>
std::int64_t send_each(const skep_context* context,
                       const Target& target,
                       std::int32_t refused,
                       const Payloads& payloads,
                       Send&& send) noexcept {
    if (payloads.count == 0) {
        return refused;
    }
    if (refused == SKEP_OK &&
        (payloads.first == nullptr || payloads.stride < sizeof(skep_payload))) {
        refused = SKEP_E_INVALID;
    }
    if (refused != SKEP_OK) {
        note_refused(context, target, refused);
        return refused;
    }
    WorkerContext& it = of(context);
    const char* at = reinterpret_cast<const char*>(payloads.first);
    for (std::uint32_t i = 0; i < payloads.count; ++i, at += payloads.stride) {
        const skep_payload& payload = *reinterpret_cast<const skep_payload*>(at);
        std::int32_t status = SKEP_E_INVALID;
        if (is_valid(it, payload)) {
            status = contained([&] { return send(it, payload); });
        }
        if (status != SKEP_OK) {
            note_refused(context, target, status);
            return i > 0 ? i : static_cast<std::int64_t>(status);
        }
    }
    return payloads.count;
}

std::int64_t emit(const skep_context* context,
                  std::uint32_t port,
                  const skep_payload* first,
                  std::uint32_t stride,
                  std::uint32_t count) noexcept {
    const HostCall call(context);
    return send_each(context,
                     {Target::Kind::output, port},
                     call.refusal(),
                     {first, stride, count},
                     [port](WorkerContext& it, const skep_payload& payload) {
                         const std::int32_t status = it.outbox().emit(port, payload);
                         if (it.outbox().is_waiting()) {
                             it.control().ask_to_return(true);
                         }
                         return status;
                     });
}

// A separate function, so that the fast path needs no stack.
[[gnu::noinline]] std::int32_t end_emit_bytes(const skep_context* context,
                                              std::uint32_t port,
                                              const void* data,
                                              std::uint64_t size,
                                              Outbox::Bytes so_far) noexcept {
    if (so_far == Outbox::Bytes::published) {
        const std::int32_t status = of(context).outbox().end_bytes(port);
        WorkerContext::lease_of_this_thread().leave_host();
        return status;
    }
    skep_payload payload{};
    payload.data = data;
    payload.size = size;
    const std::int64_t taken = emit(context, port, &payload, sizeof(payload), 1);
    return taken == 1 ? SKEP_OK : static_cast<std::int32_t>(taken);
}

std::int32_t emit_bytes(const skep_context* context,
                        std::uint32_t port,
                        const void* data,
                        std::uint64_t size) noexcept {
    WorkerContext& it = of(context);
    Outbox::Bytes so_far = Outbox::Bytes::refused;
    Lease& lease = WorkerContext::lease_of_this_thread();
    if (lease.enter_host(it)) {
        so_far = it.outbox().emit_bytes(port, data, size);
        if (so_far == Outbox::Bytes::sent) {
            lease.leave_host();
            return SKEP_OK;
        }
    }
    return end_emit_bytes(context, port, data, size, so_far);
}

std::int64_t send(const skep_context* context,
                  skep_text worker,
                  const skep_payload* first,
                  std::uint32_t stride,
                  std::uint32_t count) noexcept {
    const HostCall call(context);
    const bool is_bad = worker.data == nullptr && worker.size > 0;
    const std::int32_t refused =
        call.refusal() == SKEP_OK && is_bad ? SKEP_E_INVALID : call.refusal();
    const std::string_view name = refused == SKEP_E_INVALID ? "" : view_of(worker);
    return send_each(context,
                     {Target::Kind::worker, 0, name},
                     refused,
                     {first, stride, count},
                     [name](WorkerContext& it, const skep_payload& payload) {
                         return it.outbox().send(name, payload);
                     });
}

std::int64_t broadcast(const skep_context* context,
                       const skep_payload* first,
                       std::uint32_t stride,
                       std::uint32_t count) noexcept {
    const HostCall call(context);
    return send_each(context,
                     {Target::Kind::all},
                     call.refusal(),
                     {first, stride, count},
                     [](WorkerContext& it, const skep_payload& payload) {
                         return it.outbox().broadcast(payload);
                     });
}

std::int64_t reply(const skep_context* context,
                   const skep_message* to,
                   const skep_payload* first,
                   std::uint32_t stride,
                   std::uint32_t count) noexcept {
    const HostCall call(context);
    std::int32_t refused = call.refusal();
    if (refused == SKEP_OK && (to == nullptr || !of(context).inbox().is_view(*to))) {
        refused = SKEP_E_INVALID;
    }
    return send_each(context,
                     {Target::Kind::sender},
                     refused,
                     {first, stride, count},
                     [to](WorkerContext& it, const skep_payload& payload) {
                         return it.outbox().send(*it.inbox().facts_of(*to).sender, payload);
                     });
}

// The envelope that message_release takes. A release clears the mark. Thus a second release is
// detected, as long as the memory has not been reused.
struct Kept : Envelope {
    explicit Kept(Envelope envelope)
        : Envelope(std::move(envelope)) {}

    static constexpr std::uint64_t mark_of_kept = 0x6b65'7074'206d'7367;
    std::atomic<std::uint64_t> mark{mark_of_kept};
};

// Makes a view that owns its envelope.
std::int32_t give(Instance& it, Envelope envelope, skep_message* view) {
    const auto* const owned = new Kept(std::move(envelope));
    it.kept().fetch_add(1, std::memory_order_relaxed);
    *view = Inbox::kept_view_of(*owned);
    return SKEP_OK;
}

std::int32_t buffer_new(const skep_context* context,
                        std::uint64_t size,
                        skep_message* view) noexcept {
    if (size > max_payload_bytes) {
        return SKEP_E_TOO_BIG;
    }
    return contained([&] {
        Envelope fresh;
        fresh.payload = PayloadRef::allocate(size);
        fresh.sender = of(context).names().intern(of(context).home().name);
        fresh.content_type = of(context).names().intern("application/octet-stream");
        fresh.port = SKEP_PORT_DIRECT;
        return give(Instance::of(context), std::move(fresh), view);
    });
}

std::int32_t message_keep(const skep_context* context,
                          const skep_message* message,
                          skep_message* kept) noexcept {
    const HostCall call(context);
    if (call.is_revoked()) {
        return SKEP_E_REVOKED;
    }
    const Inbox& inbox = of(context).inbox();
    if (message == nullptr || kept == nullptr || !inbox.is_view(*message)) {
        return SKEP_E_INVALID;
    }
    return contained([&] {
        const Inbox::Facts facts = inbox.facts_of(*message);
        return give(Instance::of(context),
                    {inbox.payload_of(*message),
                     facts.sender,
                     facts.output,
                     facts.content_type,
                     facts.sequence,
                     facts.time,
                     facts.trace_id,
                     message->port},
                    kept);
    });
}

void message_release(const skep_context* context, const skep_message* kept) noexcept {
    if (kept != nullptr && kept->host == nullptr) {
        return;  // an empty message
    }
    auto* const owned =
        kept == nullptr || !Inbox::is_kept(*kept)
            ? nullptr
            : static_cast<Kept*>(static_cast<Envelope*>(const_cast<void*>(kept->host)));
    if (owned == nullptr || owned->mark.exchange(0) != Kept::mark_of_kept) {
        die_in_plugin("a message that is not kept was released");
    }
    delete owned;
    Instance::of(context).kept().fetch_sub(1, std::memory_order_relaxed);
}

std::int32_t message_info(const skep_context* context,
                          const skep_message* message,
                          skep_message_info* info) noexcept {
    const HostCall call(context);
    if (call.is_revoked()) {
        return SKEP_E_REVOKED;
    }
    const Inbox& inbox = of(context).inbox();
    if (message == nullptr || info == nullptr || !inbox.is_view(*message)) {
        return SKEP_E_INVALID;
    }
    const Inbox::Facts facts = inbox.facts_of(*message);
    skep_message_info full{};
    full.size = info->size;
    full.sender = text_of(*facts.sender);
    full.content_type = text_of(*facts.content_type);
    full.sequence = facts.sequence;
    full.time_ns = facts.time.count();
    full.trace_id = facts.trace_id;
    std::memcpy(info, &full, std::min<std::size_t>(info->size, sizeof(full)));
    return SKEP_OK;
}

spdlog::level::level_enum level_of(std::int32_t level) {
    switch (level) {
        case SKEP_LOG_TRACE:
            return spdlog::level::trace;
        case SKEP_LOG_DEBUG:
            return spdlog::level::debug;
        case SKEP_LOG_INFO:
            return spdlog::level::info;
        case SKEP_LOG_WARN:
            return spdlog::level::warn;
        default:
            return spdlog::level::err;
    }
}

std::int32_t log_enabled(const skep_context* context, std::int32_t level) noexcept {
    const std::int32_t is_enabled =
        contained([&] { return Instance::of(context).log().should_log(level_of(level)) ? 1 : 0; });
    return is_enabled == 1 ? 1 : 0;
}

// A line that cannot be written is lost, without other effects: spdlog reports sink errors itself.
void log(const skep_context* context, std::int32_t level, skep_text text) noexcept {
    (void)contained([&] {
        Instance::of(context).log().log(level_of(level), view_of(text));
        return SKEP_OK;
    });
}

std::int64_t clock_now(const skep_context* context) noexcept {
    return of(context).clock().now().count();
}

void items_add(const skep_context* context, std::uint64_t count) noexcept {
    add(of(context).home().counters->items, count);
}

void errors_add(const skep_context* context, std::uint64_t count) noexcept {
    add(of(context).home().counters->errors, count);
}

void fail(const skep_context* context, skep_text text) noexcept {
    const HostCall call(context);
    if (call.refusal_also_in_create() == SKEP_OK) {
        (void)contained([&] {
            Instance::of(context).fail(std::string(view_of(text)));
            return SKEP_OK;
        });
    }
}

template <typename Stored, typename Out>
std::int32_t config_value(const skep_context* context, const char* name, Out&& out) noexcept {
    const ParamValue* value = Instance::of(context).config(name);
    if (value == nullptr) {
        return SKEP_E_UNKNOWN;
    }
    const auto* stored = std::get_if<Stored>(value);
    if (stored == nullptr) {
        return SKEP_E_INVALID;
    }
    out(*stored);
    return SKEP_OK;
}

std::int32_t config_text(const skep_context* context, const char* name, skep_text* value) noexcept {
    return config_value<std::string>(
        context, name, [&](const std::string& stored) { *value = text_of(stored); });
}

std::int32_t config_integer(const skep_context* context,
                            const char* name,
                            std::int64_t* value) noexcept {
    return config_value<std::int64_t>(context, name, [&](std::int64_t stored) { *value = stored; });
}

std::int32_t config_number(const skep_context* context, const char* name, double* value) noexcept {
    return config_value<double>(context, name, [&](double stored) { *value = stored; });
}

skep_text worker_name(const skep_context* context) noexcept {
    return text_of(of(context).home().name);
}

std::int32_t extension(const skep_context* /*context*/,
                       const char* /*id*/,
                       const void** /*table*/) noexcept {
    return SKEP_E_UNKNOWN;
}

}  // namespace

const skep_host_api& host_api() {
    static constexpr skep_host_api table = {sizeof(skep_host_api),
                                            SKEP_ABI_MINOR,
                                            checkpoint,
                                            receive,
                                            sleep,
                                            timer_set,
                                            emit,
                                            send,
                                            broadcast,
                                            reply,
                                            buffer_new,
                                            message_keep,
                                            message_release,
                                            message_info,
                                            log_enabled,
                                            log,
                                            clock_now,
                                            items_add,
                                            errors_add,
                                            fail,
                                            config_text,
                                            config_integer,
                                            config_number,
                                            worker_name,
                                            extension,
                                            emit_bytes};
    return table;
}

}  // namespace skep::host
