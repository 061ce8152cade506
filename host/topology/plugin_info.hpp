// What the topology needs to know of a plugin in order to check a file against it: the descriptor
// of skep/abi.h as plain values, copied out of the shared object so that they outlive it.
//
// The loader makes these from a file; tests write them by hand.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace skep::host {

// One value of a parameter, as create() will see it: text, or int64 (integer, boolean 0/1, duration
// in nanoseconds, size in bytes), or double.
using ParamValue = std::variant<std::string, std::int64_t, double>;

enum class ParamType { string, integer, number, boolean, duration, size };

[[nodiscard]] const char* name_of(ParamType type);

struct ParamInfo {
    std::string name;
    std::string doc;
    ParamType type = ParamType::string;
    bool required = false;
    bool secret = false;
    bool reloadable = false;
    // As the plugin wrote them, for people; the loader has checked that they parse.
    std::optional<std::string> default_text, min_text, max_text;
    // The same as values.
    std::optional<ParamValue> default_value, min_value, max_value;
    std::vector<std::string> choices;  // empty: any
};

struct PortInfo {
    std::string name;
    std::string content_type;  // "*": any
    std::string doc;
    bool optional = false;
};

struct WorkerTypeInfo {
    std::string name;
    std::string doc;
    bool is_loop = false;  // has run(); otherwise it is a handler
    std::vector<ParamInfo> params;
    std::vector<PortInfo> inputs;
    std::vector<PortInfo> outputs;
    // Of the state that an instance hands over: what it writes (0: none), and the oldest it takes.
    std::uint32_t state_version = 0, state_oldest = 0;
    bool can_reconfigure = false;  // reloadable parameters may change while an instance works
    bool is_create_probed = true;  // a reload tries create() in a child process first
    bool is_exclusive = false;     // of two instances one at a time has what it needs to work
};

struct PluginInfo {
    std::string id;
    std::string version;
    std::string vendor, licence, doc;  // may be empty
    std::uint16_t abi_major = 0, abi_minor = 0, lowest_host_minor = 0;
    std::vector<WorkerTypeInfo> types;
    // A hash of the file that this was read from, and of the libraries that it brings; "" when
    // there is none.
    std::string content;
    std::vector<std::string> libraries;  // that it brings: their files
    std::string build_id;  // of that file, as its linker wrote it; "" when there is none
    // Its thread_locals lie in a block of the process that has room for few, and gets none back
    // before a library is closed (DF_STATIC_TLS).
    bool static_tls = false;
    // Some of its thread_locals have destructors, which keep it mapped while their threads live.
    bool thread_exits = false;
    // What makes keys with destructors, which run when a thread ends: "pthread_key_create", or
    // "libx.so.1: pthread_key_create" of a library that it brings; "": nothing. They may not meet a
    // thread that outlives it.
    std::string thread_keys;

    // Null when there is no such type.
    [[nodiscard]] const WorkerTypeInfo* find(std::string_view type) const;
};

// Parses one parameter value from text (a default, a bound, or an interpolated TOML string) as
// `type`: "42", "1.5", "true", "200ms", "64KiB". Nothing but the value may stand in the text; no
// white space. Empty when it is not of that type or does not fit (durations and sizes: int64, not
// negative).
[[nodiscard]] std::optional<ParamValue> parse_param(ParamType type, std::string_view text);

}  // namespace skep::host
