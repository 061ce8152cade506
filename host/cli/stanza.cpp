#include <cstdint>
#include <variant>

#include "host/cli/inspect.hpp"
#include "host/topology/units.hpp"

namespace skep::host {
namespace {

// Returns `text` as a basic string of TOML.
std::string quoted(const std::string& text) {
    constexpr const char* digits = "0123456789ABCDEF";
    std::string result = "\"";
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        const auto byte = static_cast<unsigned char>(c);
        if (const auto next = static_cast<unsigned char>(i + 1 < text.size() ? text[i + 1] : 0);
            byte == 0xc2 && next >= 0x80 && next < 0xa0) {  // U+0080 to U+009F
            result += {'\\', 'u', '0', '0', digits[next >> 4U], digits[next & 0xfU]};
            ++i;
        } else if (c == '"' || c == '\\') {
            result += {'\\', c};
        } else if (byte < 0x20 || byte == 0x7f) {
            result += {'\\', 'u', '0', '0', digits[byte >> 4U], digits[byte & 0xfU]};
        } else {
            result += c;
        }
    }
    return result + "\"";
}

// Doubles each dollar sign: a topology interpolates ${...} in its strings, and $$ means one dollar.
std::string interpolation_safe(const std::string& text) {
    std::string result;
    for (const char c : text) {
        result += c == '$' ? "$$" : std::string(1, c);
    }
    return result;
}

// Returns a value in TOML. Durations and sizes keep the unit that the plugin's author chose.
std::string toml_value(ParamType type, const ParamValue& value, const std::string& text) {
    switch (type) {
        case ParamType::boolean:
            return std::get<std::int64_t>(value) == 0 ? "false" : "true";
        case ParamType::integer:
            return std::to_string(std::get<std::int64_t>(value));
        case ParamType::number:
            return number_text(std::get<double>(value));
        default:
            return quoted(interpolation_safe(text));
    }
}

// Returns a value of the right type, which the user has to replace.
std::string placeholder(const ParamInfo& param) {
    if (param.min_text && param.min_value) {
        return toml_value(param.type, *param.min_value, *param.min_text);
    }
    if (!param.choices.empty()) {
        return quoted(interpolation_safe(param.choices.front()));
    }
    switch (param.type) {
        case ParamType::integer:
            return "0";
        case ParamType::number:
            return "0.0";
        case ParamType::boolean:
            return "false";
        case ParamType::duration:
            return "\"1s\"";
        case ParamType::size:
            return "\"1KiB\"";
        case ParamType::string:
            break;
    }
    return "\"...\"";
}

}  // namespace

std::string stanza(const Inspected& plugin, const WorkerTypeInfo& type) {
    std::string text =
        "[worker." + type.name + "]\nplugin = " + quoted(interpolation_safe(plugin.name)) + "\n";
    if (plugin.info.types.size() > 1) {
        text += "type = " + quoted(type.name) + "\n";
    }
    for (const ParamInfo& param : type.params) {
        const bool has_default = param.default_text && param.default_value;
        const std::string value =
            has_default ? toml_value(param.type, *param.default_value, *param.default_text)
                        : placeholder(param);
        text += param.required ? "" : "# ";
        text += "config." + param.name + " = " + value;
        text += param.required ? "  # required\n" : "\n";
    }
    return text;
}

}  // namespace skep::host
