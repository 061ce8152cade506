// skep/plugin.hpp: the one header that a C++ plugin includes. Header-only, C++17; needs only the
// standard library, not the host's source, spdlog, Boost or toml++.
//
// A worker type is a class. A handler worker has on_message; a loop worker has run:
//
//   struct hello {
//       static constexpr auto name = "hello";
//       static constexpr skep::port inputs[] = {{"in", "text/plain", "names"}};
//       static constexpr skep::port outputs[] = {{"out", "text/plain", "greetings"}};
//
//       void on_message(skep::context& context, const skep::message& message) {
//           context.emit("Hello, " + std::string(message.text()) + "!");
//       }
//   };
//   SKEP_PLUGIN("org.example.hello", "1.0.0", hello)
//
//   member                                                    meaning
//   static constexpr name                                     the value of `type` in a topology
//   static constexpr doc                                      a sentence for `skep inspect`
//   static constexpr skep::param params[]                     the parameters that `config` may set
//   static constexpr skep::port inputs[], outputs[]           the ports that routes connect
//   explicit T(skep::context&)  or  T()                       create; throw to refuse
//   void on_message(skep::context&, const skep::message&)     one message of a handler worker
//   void on_messages(skep::context&, skep::messages&)         instead: several at once
//   void run(skep::context&)                                  the loop of a loop worker
//   void on_timer(skep::context&, std::uint32_t)              a timer of context.set_timer
//   void on_drain(skep::context&)                             the input has ended: the last chance
//                                                             to emit
//   state_version, state_oldest, save_state, load_state       handover in a reload: skep/state.hpp
//   void reconfigure(skep::context&)                          reloadable parameters have new values
//   void acquire(skep::context&)  and  void release()         take exclusive resources, and release
//                                                             them for a successor
//   static constexpr bool create_in_host_only = true          a reload does not try the constructor
//                                                             in a child process first
//   ~T()                                                      destroy; must not throw
//
// Only the name and one of on_message, on_messages and run are required.
//
// The host calls everything on the worker's own thread, one call at a time. It calls the
// constructor and the destructor on other threads too (abi.h, "Threads"). The SDK catches any
// exception that leaves one of these members, inside the plugin, where its type is known. The text
// of the exception reaches the host, and the call fails (abi.h, skep_worker_type). Because of this
// a C++ plugin may use another compiler or standard library than the host.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <iterator>
#include <string_view>
#include <type_traits>
#include <utility>

#include <skep/abi.h>
#include <skep/context.hpp>
#include <skep/declare.hpp>
#include <skep/message.hpp>
#include <skep/note.h>
#include <skep/state.hpp>

namespace skep {

namespace detail {

// has_x<T>: true if T has a member x.
#define SKEP_DETECT(member)                   \
    template <typename T, typename = void>    \
    struct has_##member : std::false_type {}; \
    template <typename T>                     \
    struct has_##member<T, std::void_t<decltype(&T::member)>> : std::true_type {}
SKEP_DETECT(doc);
SKEP_DETECT(params);
SKEP_DETECT(inputs);
SKEP_DETECT(outputs);
SKEP_DETECT(run);
SKEP_DETECT(on_message);
SKEP_DETECT(on_messages);
SKEP_DETECT(on_timer);
SKEP_DETECT(on_drain);
SKEP_DETECT(reconfigure);
SKEP_DETECT(acquire);
SKEP_DETECT(release);
SKEP_DETECT(create_in_host_only);
SKEP_DETECT(state_version);
SKEP_DETECT(state_oldest);
#undef SKEP_DETECT

// The ABI requires arrays of pointers: thus their elements can grow.
template <typename Raw, std::size_t Count>
struct pointer_array {
    const Raw* at[Count];
};

template <typename Raw, typename Element, std::size_t Count, std::size_t... Index>
constexpr pointer_array<Raw, Count> pointers_to(const Element (&elements)[Count],
                                                std::index_sequence<Index...>) {
    return {{static_cast<const Raw*>(&elements[Index])...}};
}

template <typename Raw, typename Element, std::size_t Count>
constexpr pointer_array<Raw, Count> pointers_to(const Element (&elements)[Count]) {
    return pointers_to<Raw>(elements, std::make_index_sequence<Count>());
}

// Runs the author's code. No exception leaves this function; a caught one becomes SKEP_E_FAILED.
template <typename Call>
std::int32_t fenced(const skep_context* raw, Call&& call) noexcept {
    try {
        call();
        return SKEP_OK;
    } catch (const std::exception& thrown) {
        raw->api->fail(raw, text(thrown.what()));
    } catch (...) {
        raw->api->fail(raw, text("threw an exception that is not a std::exception"));
    }
    return SKEP_E_FAILED;
}

// The author's object together with its context.
template <typename T>
struct instance {
    context ctx;
    T object;

    explicit instance(const skep_context* raw)
        : ctx(raw),
          object(make(ctx)) {}

    static T make(context& its_context) {
        if constexpr (std::is_constructible_v<T, context&>) {
            return T(its_context);
        } else {
            return T();
        }
    }
};

// The descriptor of one worker type, and the functions that the descriptor points to.
template <typename T>
class type_of {
    static constexpr bool is_handler = has_on_message<T>::value || has_on_messages<T>::value;
    static_assert(has_run<T>::value != is_handler,
                  "a worker type has either run (loop worker) or on_message (handler worker)");
    static_assert(!has_on_message<T>::value || !has_on_messages<T>::value,
                  "a handler worker has either on_message or on_messages, not both");
    static_assert(has_acquire<T>::value == has_release<T>::value,
                  "release releases what acquire takes: a worker type has both or neither");

    using self = instance<T>;

    static std::int32_t create(const skep_context* raw, void** made) {
        return fenced(raw, [&] { *made = new self(raw); });
    }

    static void destroy(void* made) { delete static_cast<self*>(made); }

    static std::int32_t run(void* made) {
        auto& it = *static_cast<self*>(made);
        return fenced(it.ctx.raw(), [&] { it.object.run(it.ctx); });
    }

    static std::int32_t on_message(void* made, const skep_batch* batch, std::uint32_t* done) {
        auto& it = *static_cast<self*>(made);
        messages all(*batch);
        const std::int32_t status = fenced(it.ctx.raw(), [&] {
            if constexpr (has_on_messages<T>::value) {
                it.object.on_messages(it.ctx, all);
            } else {
                for (std::uint32_t index = 0; index < all.size(); ++index) {
                    it.object.on_message(it.ctx, all[index]);
                    all.finish(index + 1);
                    if (it.ctx.is_wanted()) {
                        break;  // a pause or a stop does not wait for the rest of the batch
                    }
                }
            }
        });
        *done = all.finished();
        return status;
    }

    static std::int32_t on_timer(void* made, std::uint32_t id) {
        auto& it = *static_cast<self*>(made);
        return fenced(it.ctx.raw(), [&] { it.object.on_timer(it.ctx, id); });
    }

    static std::int32_t on_drain(void* made) {
        auto& it = *static_cast<self*>(made);
        return fenced(it.ctx.raw(), [&] { it.object.on_drain(it.ctx); });
    }

    static std::int32_t save_state(const void* made, const skep_state_sink* sink) {
        const auto& it = *static_cast<const self*>(made);
        return fenced(it.ctx.raw(), [&] {
            state_writer out(sink);
            it.object.save_state(out);
        });
    }

    static std::int32_t load_state(void* made,
                                   std::uint32_t version,
                                   const void* data,
                                   std::uint64_t size) {
        auto& it = *static_cast<self*>(made);
        return fenced(it.ctx.raw(), [&] {
            it.object.load_state(version, std::string_view(static_cast<const char*>(data), size));
        });
    }

    static std::int32_t reconfigure(void* made) {
        auto& it = *static_cast<self*>(made);
        return fenced(it.ctx.raw(), [&] { it.object.reconfigure(it.ctx); });
    }

    static std::int32_t acquire(void* made) {
        auto& it = *static_cast<self*>(made);
        return fenced(it.ctx.raw(), [&] { it.object.acquire(it.ctx); });
    }

    static std::int32_t release(void* made) {
        auto& it = *static_cast<self*>(made);
        return fenced(it.ctx.raw(), [&] { it.object.release(); });
    }

    // The pointer arrays of T's tables. Used only if T has the table.
    template <typename Type, bool has = has_params<Type>::value>
    struct params_of {
        static constexpr auto table = pointers_to<skep_param>(Type::params);
    };

    template <typename Type, bool has = has_inputs<Type>::value>
    struct inputs_of {
        static constexpr auto table = pointers_to<skep_port>(Type::inputs);
    };

    template <typename Type, bool has = has_outputs<Type>::value>
    struct outputs_of {
        static constexpr auto table = pointers_to<skep_port>(Type::outputs);
    };

    static constexpr skep_worker_type describe() {
        skep_worker_type it{};
        it.size = sizeof(it);
        it.name = T::name;
        it.create = &create;
        it.destroy = &destroy;
        if constexpr (has_create_in_host_only<T>::value) {
            it.flags = T::create_in_host_only ? SKEP_TYPE_CREATE_IN_HOST_ONLY : 0;
        }
        if constexpr (has_doc<T>::value) {
            it.doc = T::doc;
        }
        if constexpr (has_params<T>::value) {
            it.params = params_of<T>::table.at;
            it.param_count = std::size(T::params);
        }
        if constexpr (has_inputs<T>::value) {
            it.inputs = inputs_of<T>::table.at;
            it.input_count = std::size(T::inputs);
        }
        if constexpr (has_outputs<T>::value) {
            it.outputs = outputs_of<T>::table.at;
            it.output_count = std::size(T::outputs);
        }
        if constexpr (has_run<T>::value) {
            it.run = &run;
        }
        if constexpr (is_handler) {
            it.on_message = &on_message;
        }
        if constexpr (has_on_timer<T>::value) {
            it.on_timer = &on_timer;
        }
        if constexpr (has_on_drain<T>::value) {
            it.on_drain = &on_drain;
        }
        if constexpr (has_reconfigure<T>::value) {
            it.reconfigure = &reconfigure;
        }
        if constexpr (has_acquire<T>::value) {
            it.acquire = &acquire;
            it.release = &release;
        }
        if constexpr (has_state_version<T>::value) {
            static_assert(T::state_version > 0, "state_version 0 means: no state");
            it.state_version = T::state_version;
            it.state_oldest = T::state_version;
            it.save_state = &save_state;
            it.load_state = &load_state;
        }
        if constexpr (has_state_oldest<T>::value) {
            it.state_oldest = T::state_oldest;
        }
        return it;
    }

public:
    static constexpr skep_worker_type descriptor = describe();
};

// The descriptor of a plugin with these types.
template <typename... Types>
class plugin_of {
    static constexpr const skep_worker_type* types[] = {&type_of<Types>::descriptor...};

public:
    static constexpr skep_plugin describe(const char* id, const char* version) {
        skep_plugin it{};
        it.size = sizeof(it);
        it.abi_major = SKEP_ABI_MAJOR;
        it.abi_minor = SKEP_ABI_MINOR;
        it.lowest_host_minor = SKEP_ABI_LOWEST_HOST_MINOR;
        it.id = id;
        it.version = version;
        it.types = types;
        it.type_count = sizeof...(Types);
        return it;
    }
};

}  // namespace detail
}  // namespace skep

// Makes a plugin of worker types: the ELF note, the entry function and the descriptors. Use it once
// per plugin, at file scope, after the types: SKEP_PLUGIN("org.example.hello", "1.0.0", hello,
// another)
#define SKEP_PLUGIN(id, version, ...)                                      \
    SKEP_NOTE(id, version, SKEP_LANGUAGE_CXX);                             \
    extern "C" __attribute__((visibility("default"))) const skep_plugin*   \
    skep_plugin_v1() noexcept;                                             \
    const skep_plugin* skep_plugin_v1() noexcept {                         \
        static constexpr skep_plugin plugin =                              \
            ::skep::detail::plugin_of<__VA_ARGS__>::describe(id, version); \
        return &plugin;                                                    \
    }
