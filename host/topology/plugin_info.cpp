#include "host/topology/plugin_info.hpp"

#include <algorithm>

#include "host/topology/units.hpp"

namespace skep::host {

const WorkerTypeInfo* PluginInfo::find(std::string_view type) const {
    const auto found =
        std::find_if(types.begin(), types.end(), [&](const auto& it) { return it.name == type; });
    return found == types.end() ? nullptr : &*found;
}

const char* name_of(ParamType type) {
    switch (type) {
        case ParamType::string:
            return "string";
        case ParamType::integer:
            return "integer";
        case ParamType::number:
            return "number";
        case ParamType::boolean:
            return "boolean";
        case ParamType::duration:
            return "duration";
        case ParamType::size:
            return "size";
    }
    return "";
}

std::optional<ParamValue> parse_param(ParamType type, std::string_view text) {
    switch (type) {
        case ParamType::string:
            return std::string(text);
        case ParamType::integer:
            return parse_integer(text);
        case ParamType::number:
            return parse_number(text);
        case ParamType::boolean:
            if (const auto value = parse_boolean(text)) {
                return std::int64_t{*value ? 1 : 0};
            }
            return {};
        case ParamType::duration:
            return parse_duration(text);
        case ParamType::size:
            return parse_size(text);
    }
    return {};
}

}  // namespace skep::host
