#include "tests/support/fake_host.hpp"

#include <cstdio>
#include <cstdlib>

#include <dlfcn.h>

namespace skep::test {

namespace {

[[noreturn]] void mistake(const std::string& what) {
    std::fprintf(stderr, "FakeHost: %s\n", what.c_str());
    std::abort();
}

std::string string_of(skep_text text) {
    return text.size == 0 ? std::string() : std::string(text.data, text.size);
}

// A message with room behind it, as a newer host's could have: the stride of a batch is not
// sizeof(skep_message).
struct WideMessage {
    skep_message message{};
    std::uint64_t later_field = ~std::uint64_t{0};
};

}  // namespace

std::string OpenedPlugin::path_of(const std::string& name) {
    return std::string(SKEP_PLUGIN_DIR "/lib") + name + ".so";
}

OpenedPlugin::OpenedPlugin(const std::string& name)
    : handle_(::dlopen(path_of(name).c_str(), RTLD_NOW | RTLD_LOCAL)) {
    if (handle_ == nullptr) {
        mistake(::dlerror());
    }
    void* entry = ::dlsym(handle_, SKEP_ENTRY_NAME);
    if (entry == nullptr) {
        mistake(::dlerror());
    }
    plugin_ = reinterpret_cast<skep_plugin_entry>(entry)();
}

OpenedPlugin::~OpenedPlugin() {
    ::dlclose(handle_);
}

// The host's functions. Each finds its host in the context; the services that no shipped plugin
// uses are left null, so that a use of them cannot go unnoticed.
struct FakeApi {
    static FakeHost& host(const skep_context* context) {
        return *static_cast<FakeHost*>(context->host);
    }

    static std::int32_t checkpoint(const skep_context* context) noexcept {
        return host(context).control == 0 ? SKEP_GO_ON : SKEP_STOP;
    }

    static std::int32_t receive(const skep_context* context,
                                std::int64_t timeout,
                                std::uint32_t /*max*/,
                                skep_batch* batch) noexcept {
        FakeHost& it = host(context);
        if (it.inbox.empty()) {
            return it.wait(timeout, SKEP_E_TIMEOUT);
        }
        it.received_ = std::move(it.inbox.front());
        it.inbox.pop_front();
        it.message_ = {it.received_.data(), it.received_.size(), SKEP_PORT_DIRECT, 0, nullptr};
        batch->count = 1;
        batch->stride = sizeof(WideMessage);
        batch->first = &it.message_;
        return SKEP_OK;
    }

    static std::int32_t sleep(const skep_context* context, std::int64_t duration) noexcept {
        FakeHost& it = host(context);
        it.sleeps.push_back(duration);
        return it.wait(duration, SKEP_OK);
    }

    static std::int32_t timer_set(const skep_context* context,
                                  std::uint32_t id,
                                  std::int64_t first,
                                  std::int64_t period) noexcept {
        FakeHost& it = host(context);
        if (first < 0) {
            it.timers.erase(id);
        } else {
            it.timers[id] = {it.now + first, period};
        }
        return SKEP_OK;
    }

    static std::int64_t emit(const skep_context* context,
                             std::uint32_t port,
                             const skep_payload* first,
                             std::uint32_t stride,
                             std::uint32_t count) noexcept {
        FakeHost& it = host(context);
        ++it.emit_calls;
        for (std::uint32_t i = 0; i < count; ++i) {
            const char* at = reinterpret_cast<const char*>(first) + std::size_t{i} * stride;
            const std::int32_t status = it.take(port, *reinterpret_cast<const skep_payload*>(at));
            if (status != SKEP_OK) {
                return i == 0 ? status : std::int64_t{i};
            }
        }
        return count;
    }

    static std::int32_t emit_bytes(const skep_context* context,
                                   std::uint32_t port,
                                   const void* data,
                                   std::uint64_t size) noexcept {
        skep_payload payload{};
        payload.data = data;
        payload.size = size;
        const std::int64_t taken = emit(context, port, &payload, sizeof(payload), 1);
        return taken == 1 ? SKEP_OK : static_cast<std::int32_t>(taken);
    }

    static std::int32_t log_enabled(const skep_context* /*context*/,
                                    std::int32_t /*level*/) noexcept {
        return 1;
    }

    static void log(const skep_context* context, std::int32_t level, skep_text text) noexcept {
        host(context).lines.push_back({level, string_of(text)});
    }

    static std::int64_t clock_now(const skep_context* context) noexcept {
        return host(context).now;
    }

    static void items_add(const skep_context* context, std::uint64_t count) noexcept {
        host(context).items += count;
    }

    static void errors_add(const skep_context* context, std::uint64_t count) noexcept {
        host(context).errors += count;
    }

    static void fail(const skep_context* context, skep_text text) noexcept {
        host(context).failure = string_of(text);
    }

    template <typename T>
    static const T* find(const skep_context* context, const char* name, std::int32_t& status) {
        const auto& config = host(context).config_;
        const auto found = config.find(name);
        status = found == config.end() ? SKEP_E_UNKNOWN : SKEP_OK;
        const T* value = found == config.end() ? nullptr : std::get_if<T>(&found->second);
        status = status == SKEP_OK && value == nullptr ? SKEP_E_INVALID : status;
        return value;
    }

    static std::int32_t config_text(const skep_context* context,
                                    const char* name,
                                    skep_text* value) noexcept {
        std::int32_t status = SKEP_OK;
        if (const auto* found = find<std::string>(context, name, status)) {
            *value = {found->data(), found->size()};
        }
        return status;
    }

    static std::int32_t config_integer(const skep_context* context,
                                       const char* name,
                                       std::int64_t* value) noexcept {
        std::int32_t status = SKEP_OK;
        if (const auto* found = find<std::int64_t>(context, name, status)) {
            *value = *found;
        }
        return status;
    }

    static std::int32_t config_number(const skep_context* context,
                                      const char* name,
                                      double* value) noexcept {
        std::int32_t status = SKEP_OK;
        if (const auto* found = find<double>(context, name, status)) {
            *value = *found;
        }
        return status;
    }

    static skep_text worker_name(const skep_context* /*context*/) noexcept { return {"fake", 4}; }

    static constexpr skep_host_api table = {
        .size = sizeof(skep_host_api),
        .abi_minor = SKEP_ABI_MINOR,
        .checkpoint = checkpoint,
        .receive = receive,
        .sleep = sleep,
        .timer_set = timer_set,
        .emit = emit,
        .send = nullptr,
        .broadcast = nullptr,
        .reply = nullptr,
        .buffer_new = nullptr,
        .message_keep = nullptr,
        .message_release = nullptr,
        .message_info = nullptr,
        .log_enabled = log_enabled,
        .log = log,
        .clock_now = clock_now,
        .items_add = items_add,
        .errors_add = errors_add,
        .fail = fail,
        .config_text = config_text,
        .config_integer = config_integer,
        .config_number = config_number,
        .worker_name = worker_name,
        .extension = nullptr,
        .emit_bytes = emit_bytes,
    };
};

FakeHost::FakeHost(const std::string& plugin, const std::map<std::string, std::string>& config)
    : opened_(plugin) {
    const auto set = [this](const skep_param& param, const std::string& text) {
        // ParamType has the order of SKEP_PARAM_*, from 0.
        auto value = host::parse_param(static_cast<host::ParamType>(param.type - 1), text);
        if (!value) {
            mistake("'" + text + "' is no value for '" + param.name + "'");
        }
        config_[param.name] = std::move(*value);
    };
    std::map<std::string, std::string> rest = config;
    for (std::uint32_t i = 0; i < opened_.type().param_count; ++i) {
        const skep_param& param = *opened_.type().params[i];
        if (const auto given = rest.extract(param.name)) {
            set(param, given.mapped());
        } else if (param.default_value != nullptr) {
            set(param, param.default_value);
        }
    }
    if (!rest.empty()) {
        mistake("no parameter '" + rest.begin()->first + "'");
    }
    context_.size = sizeof(context_);
    context_.api = &FakeApi::table;
    context_.control = &control;
    context_.host = this;
}

FakeHost::~FakeHost() {
    destroy();
}

std::int32_t FakeHost::create() {
    return opened_.type().create(&context_, &instance_);
}

std::int32_t FakeHost::run() {
    return opened_.type().run(instance_);
}

std::int32_t FakeHost::handle(const std::vector<std::string>& messages) {
    std::vector<WideMessage> views(messages.size());
    for (std::size_t i = 0; i < messages.size(); ++i) {
        // An empty payload has no address, which the contract allows.
        views[i].message.data = messages[i].empty() ? nullptr : messages[i].data();
        views[i].message.size = messages[i].size();
    }
    skep_batch batch{};
    batch.size = sizeof(batch);
    batch.stride = sizeof(WideMessage);
    batch.count = static_cast<std::uint32_t>(views.size());
    batch.first = &views.data()->message;
    return opened_.type().on_message(instance_, &batch, &done);
}

std::int32_t FakeHost::drain() {
    return opened_.type().on_drain == nullptr ? SKEP_OK : opened_.type().on_drain(instance_);
}

std::string FakeHost::save() {
    struct Sink {
        skep_state_sink raw{};
        std::string saved;
    } sink;

    sink.raw.size = sizeof(sink.raw);
    sink.raw.write = [](const skep_state_sink* raw, const void* data, std::uint64_t size) noexcept {
        auto& it = *reinterpret_cast<Sink*>(const_cast<skep_state_sink*>(raw));
        it.saved.append(static_cast<const char*>(data), size);
        return std::int32_t{SKEP_OK};
    };
    if (opened_.type().save_state(instance_, &sink.raw) != SKEP_OK) {
        mistake("the state cannot be saved: " + failure);
    }
    return sink.saved;
}

std::int32_t FakeHost::load(const std::string& state, std::uint32_t version) {
    return opened_.type().load_state(instance_, version, state.data(), state.size());
}

void FakeHost::destroy() {
    if (instance_ != nullptr) {
        opened_.type().destroy(std::exchange(instance_, nullptr));
    }
}

std::int32_t FakeHost::advance(std::int64_t ns) {
    const std::int64_t until = now + ns;
    for (;;) {
        auto next = timers.end();
        for (auto at = timers.begin(); at != timers.end(); ++at) {
            if (at->second.due <= until &&
                (next == timers.end() || at->second.due < next->second.due)) {
                next = at;
            }
        }
        if (next == timers.end()) {
            now = until;
            return SKEP_OK;
        }
        const std::uint32_t id = next->first;
        now = next->second.due;
        if (next->second.period > 0) {
            next->second.due += next->second.period;
        } else {
            timers.erase(next);
        }
        if (const std::int32_t status = opened_.type().on_timer(instance_, id); status != SKEP_OK) {
            return status;
        }
    }
}

std::vector<std::string> FakeHost::texts(std::uint32_t port) const {
    std::vector<std::string> found;
    if (const auto sent = emitted.find(port); sent != emitted.end()) {
        for (const Emitted& each : sent->second) {
            found.push_back(each.bytes);
        }
    }
    return found;
}

std::vector<std::string> FakeHost::log_texts(std::int32_t level) const {
    std::vector<std::string> found;
    for (const LogLine& line : lines) {
        if (line.level == level) {
            found.push_back(line.text);
        }
    }
    return found;
}

std::int32_t FakeHost::wait(std::int64_t ns, std::int32_t otherwise) {
    now += ns;
    if (script.empty()) {
        control = 1;
        return SKEP_E_STOPPING;
    }
    const auto step = std::move(script.front());
    script.pop_front();
    step();
    return otherwise;
}

std::int32_t FakeHost::take(std::uint32_t port, const skep_payload& payload) {
    if (const auto refused = refuses.find(port); refused != refuses.end()) {
        return refused->second;
    }
    if (takes) {
        if (*takes == 0) {
            return SKEP_E_STOPPING;
        }
        --*takes;
    }
    Emitted taken;
    taken.is_shared = payload.share != nullptr;
    const void* data = taken.is_shared ? payload.share->data : payload.data;
    const std::uint64_t size = taken.is_shared ? payload.share->size : payload.size;
    if (size > 0) {
        taken.bytes.assign(static_cast<const char*>(data), size);
    }
    taken.content_type = payload.content_type == nullptr ? "" : payload.content_type;
    emitted[port].push_back(std::move(taken));
    return SKEP_OK;
}

}  // namespace skep::test
