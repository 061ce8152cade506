// The facts about a plugin that are needed to check a topology: the descriptor of skep/abi.h as
// plain values, copied out of the shared object so that they outlive it.
//
// The loader reads them from a file; tests write them by hand.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace skep::host {

// One value of a parameter, as create() will see it: text, int64 (integer, boolean 0/1, duration in
// nanoseconds, size in bytes), or double.
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
    // As the plugin wrote them, for messages. The loader has checked that they parse.
    std::optional<std::string> default_text, min_text, max_text;
    // The same texts as values.
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
    // The state that an instance hands over: the version that it writes (0: no state), and the
    // oldest version that it accepts.
    std::uint32_t state_version = 0, state_oldest = 0;
    bool can_reconfigure = false;  // reloadable parameters may change while an instance works
    bool is_create_probed = true;  // a reload tries create() in a child process first
    bool is_exclusive = false;     // has acquire: two instances cannot work at the same time
};

struct PluginInfo {
    std::string id;
    std::string version;
    std::string vendor, licence, doc;  // may be empty
    std::uint16_t abi_major = 0, abi_minor = 0, lowest_host_minor = 0;
    std::vector<WorkerTypeInfo> types;
    // A hash of the file that this was read from, and of the libraries that it brings; "": no file.
    std::string content;
    std::vector<std::string> libraries;  // files of the libraries that the plugin brings
    std::string build_id;  // build id of the file, as its linker wrote it; "" when it has none
    // Its thread_locals use a block of the process that has little room, and that gets room back
    // only when a library is closed (DF_STATIC_TLS).
    bool static_tls = false;
    // Some of its thread_locals have destructors, which keep it mapped while their threads live.
    bool thread_exits = false;
    // What makes thread keys with destructors, which run when a thread ends: "pthread_key_create",
    // or "libx.so.1: pthread_key_create" for a library that it brings; "": nothing. Such a
    // destructor must not run on a thread that outlives the plugin.
    std::string thread_keys;

    // Returns null when the plugin has no such type.
    [[nodiscard]] const WorkerTypeInfo* find(std::string_view type) const;
};

// Parses one parameter value from text (a default, a bound, or an interpolated TOML string) as
// `type`: "42", "1.5", "true", "200ms", "64KiB". The text must contain only the value, without
// white space. Returns nothing when the text is not of that type or does not fit (durations and
// sizes: int64, not negative).
[[nodiscard]] std::optional<ParamValue> parse_param(ParamType type, std::string_view text);

}  // namespace skep::host
