#include "host/loader/describe.hpp"

#include <cstddef>
#include <optional>
#include <vector>

#include "host/base/contains.hpp"
#include "host/loader/descriptor_rules.hpp"
#include "host/loader/loader.hpp"

namespace skep::host {
namespace {

std::optional<ParamType> param_type(std::uint32_t type) {
    switch (type) {
        case SKEP_PARAM_STRING:
            return ParamType::string;
        case SKEP_PARAM_INTEGER:
            return ParamType::integer;
        case SKEP_PARAM_NUMBER:
            return ParamType::number;
        case SKEP_PARAM_BOOLEAN:
            return ParamType::boolean;
        case SKEP_PARAM_DURATION:
            return ParamType::duration;
        case SKEP_PARAM_SIZE:
            return ParamType::size;
        default:
            return std::nullopt;
    }
}

bool has_order(ParamType type) {
    return type != ParamType::string && type != ParamType::boolean;
}

class Describer : private DescriptorRules {
public:
    Describer(const skep_note& note, const std::string& file)
        : DescriptorRules(file),
          note_(note) {}

    Result<PluginInfo> describe(const skep_plugin* plugin) {
        PluginInfo info = read_plugin(plugin);
        if (!problems().empty()) {
            return failure(std::move(problems()));
        }
        return info;
    }

private:
    PluginInfo read_plugin(const skep_plugin* plugin);
    WorkerTypeInfo read_type(const skep_worker_type& type,
                             const std::string& what,
                             const std::vector<WorkerTypeInfo>& before);
    void read_state(const skep_worker_type& type, const std::string& named, WorkerTypeInfo& info);
    void read_exclusive(const skep_worker_type& type,
                        const std::string& named,
                        WorkerTypeInfo& info);
    std::vector<PortInfo> read_ports(const skep_port* const* ports,
                                     std::uint32_t count,
                                     const std::string& direction,
                                     const std::string& type);
    ParamInfo read_param(const skep_param& param,
                         const std::string& what,
                         const std::vector<ParamInfo>& before);
    void read_values(const skep_param& param, const std::string& what, ParamInfo& info);
    std::optional<ParamValue> read_value(const std::optional<std::string>& text,
                                         ParamType type,
                                         const std::string& what);

    const skep_note& note_;
};

PluginInfo Describer::read_plugin(const skep_plugin* plugin) {
    PluginInfo info;
    if (!check_struct(plugin, "the return value of " SKEP_ENTRY_NAME)) {
        return info;
    }
    info.abi_major = plugin->abi_major;
    info.abi_minor = plugin->abi_minor;
    info.lowest_host_minor = plugin->lowest_host_minor;
    info.id = text(plugin->id, "the plugin's id");
    info.version = text(plugin->version, "the plugin's version");
    info.vendor = optional_text(plugin->vendor, "the plugin's vendor");
    info.licence = optional_text(plugin->licence, "the plugin's licence");
    info.doc = optional_text(plugin->doc, "the plugin's doc");

    check_equal("abi_major", std::to_string(info.abi_major), std::to_string(note_.abi_major));
    check_equal("abi_minor", std::to_string(info.abi_minor), std::to_string(note_.abi_minor));
    check_equal("lowest_host_minor",
                std::to_string(info.lowest_host_minor),
                std::to_string(note_.lowest_host_minor));
    check_equal("the plugin's id", info.id, note_.plugin_id);
    check_equal("the plugin's version", info.version, note_.plugin_version);
    if (plugin->id != nullptr && !is_plugin_id(info.id)) {
        complain("the plugin's id '" + info.id + "' is not of the form 'org.example.hello'");
    }
    if (plugin->version != nullptr && !is_semantic_version(info.version)) {
        complain("the plugin's version '" + info.version + "' is not of the form '1.2.3'");
    }
    if (plugin->type_count == 0) {
        complain("the plugin has no worker type");
    }
    if (check_list(plugin->types, plugin->type_count, "the list of worker types")) {
        for (std::uint32_t i = 0; i < plugin->type_count; ++i) {
            const std::string what = "worker type " + std::to_string(i);
            if (check_struct(plugin->types[i], what, offsetof(skep_worker_type, state_version))) {
                info.types.push_back(read_type(*plugin->types[i], what, info.types));
            }
        }
    }
    return info;
}

WorkerTypeInfo Describer::read_type(const skep_worker_type& type,
                                    const std::string& what,
                                    const std::vector<WorkerTypeInfo>& before) {
    WorkerTypeInfo info;
    info.name = name(type.name, what, before);
    const std::string named = "worker type '" + info.name + "'";
    info.doc = optional_text(type.doc, "the doc of " + named);
    info.is_loop = type.run != nullptr;
    if (check_list(type.params, type.param_count, "the list of parameters of " + named)) {
        for (std::uint32_t i = 0; i < type.param_count; ++i) {
            const std::string param = "parameter " + std::to_string(i) + " of " + named;
            if (check_struct(type.params[i], param)) {
                info.params.push_back(read_param(*type.params[i], param, info.params));
            }
        }
    }
    info.inputs = read_ports(type.inputs, type.input_count, "input", named);
    info.outputs = read_ports(type.outputs, type.output_count, "output", named);
    if (type.create == nullptr) {
        complain(named + " has no create function");
    }
    if (type.destroy == nullptr) {
        complain(named + " has no destroy function");
    }
    if ((type.run == nullptr) == (type.on_message == nullptr)) {
        complain(named + " has " + (type.run == nullptr ? "neither" : "both") +
                 " run and on_message, expected one of them");
    }
    read_state(type, named, info);
    read_exclusive(type, named, info);
    info.can_reconfigure = has_reconfigure(type);
    info.is_create_probed = (type.flags & SKEP_TYPE_CREATE_IN_HOST_ONLY) == 0;
    return info;
}

void Describer::read_state(const skep_worker_type& type,
                           const std::string& named,
                           WorkerTypeInfo& info) {
    if (!has_state_fields(type)) {
        return;
    }
    info.state_version = type.state_version;
    info.state_oldest = type.state_oldest;
    const bool has_state = type.state_version > 0;
    if ((type.save_state != nullptr) != has_state || (type.load_state != nullptr) != has_state) {
        complain(named + " has state_version " + std::to_string(type.state_version) +
                 ", expected save_state and load_state with one above 0 and neither with 0");
    }
    if (type.state_oldest > type.state_version || (has_state && type.state_oldest == 0)) {
        complain(named + " has state_oldest " + std::to_string(type.state_oldest) +
                 ", expected 1 to state_version (" + std::to_string(type.state_version) + ")");
    }
}

void Describer::read_exclusive(const skep_worker_type& type,
                               const std::string& named,
                               WorkerTypeInfo& info) {
    if (!has_exclusive_fields(type)) {
        return;
    }
    info.is_exclusive = type.release != nullptr;
    if ((type.acquire != nullptr) != info.is_exclusive) {
        complain(named + " has only one of acquire and release, expected both or neither");
    }
}

std::vector<PortInfo> Describer::read_ports(const skep_port* const* ports,
                                            std::uint32_t count,
                                            const std::string& direction,
                                            const std::string& type) {
    std::vector<PortInfo> result;
    if (!check_list(ports, count, "the list of " + direction + "s of " + type)) {
        return result;
    }
    for (std::uint32_t i = 0; i < count; ++i) {
        const std::string what = direction + " " + std::to_string(i) + " of " + type;
        if (!check_struct(ports[i], what)) {
            continue;
        }
        PortInfo info;
        info.name = name(ports[i]->name, what, result);
        info.content_type = text(ports[i]->content_type, "the content type of " + what);
        info.doc = optional_text(ports[i]->doc, "the doc of " + what);
        info.optional = (ports[i]->flags & SKEP_PORT_OPTIONAL) != 0;
        if (ports[i]->content_type != nullptr && info.content_type.empty()) {
            complain("the content type of " + what + " is empty, expected '*' for any");
        }
        result.push_back(std::move(info));
    }
    return result;
}

ParamInfo Describer::read_param(const skep_param& param,
                                const std::string& what,
                                const std::vector<ParamInfo>& before) {
    ParamInfo info;
    info.name = name(param.name, what, before);
    info.doc = optional_text(param.doc, "the doc of " + what);
    info.required = (param.flags & SKEP_PARAM_REQUIRED) != 0;
    info.secret = (param.flags & SKEP_PARAM_SECRET) != 0;
    info.reloadable = (param.flags & SKEP_PARAM_RELOADABLE) != 0;
    if (const auto type = param_type(param.type)) {
        info.type = *type;
        read_values(param, what + " ('" + info.name + "')", info);
    } else {
        complain(what + " has the unknown type " + std::to_string(param.type));
    }
    return info;
}

std::optional<ParamValue> Describer::read_value(const std::optional<std::string>& text,
                                                ParamType type,
                                                const std::string& what) {
    if (!text) {
        return std::nullopt;
    }
    std::optional<ParamValue> value = parse_param(type, *text);
    if (!value) {
        complain(what + " '" + *text + "' is not a " + name_of(type));
    }
    return value;
}

void Describer::read_values(const skep_param& param, const std::string& what, ParamInfo& info) {
    const auto read = [&](const char* given, const char* which) -> std::optional<std::string> {
        if (given == nullptr) {
            return std::nullopt;
        }
        return optional_text(given, std::string(which) + " of " + what);
    };
    info.default_text = read(param.default_value, "the default");
    info.min_text = read(param.min_value, "the minimum");
    info.max_text = read(param.max_value, "the maximum");
    if (info.required && info.default_text) {
        complain(what + " is required and has a default");
    }
    if (!has_order(info.type) && (info.min_text || info.max_text)) {
        complain(what + " is a " + name_of(info.type) + " and has bounds");
        return;
    }
    info.default_value = read_value(info.default_text, info.type, "the default of " + what);
    info.min_value = read_value(info.min_text, info.type, "the minimum of " + what);
    info.max_value = read_value(info.max_text, info.type, "the maximum of " + what);
    if (info.min_value && info.max_value && *info.max_value < *info.min_value) {
        complain("the minimum of " + what + " is above its maximum");
    }
    if (info.default_value && ((info.min_value && *info.default_value < *info.min_value) ||
                               (info.max_value && *info.max_value < *info.default_value))) {
        complain("the default of " + what + " is out of its bounds");
    }
    if (param.choices == nullptr) {
        return;
    }
    if (info.type != ParamType::string) {
        complain(what + " is a " + name_of(info.type) + " and has choices");
        return;
    }
    for (std::uint32_t i = 0; i < descriptor_count_limit && param.choices[i] != nullptr; ++i) {
        info.choices.push_back(optional_text(param.choices[i], "a choice of " + what));
    }
    if (info.choices.empty()) {
        complain(what + " has an empty list of choices");
    }
    if (info.default_text && !contains(info.choices, *info.default_text)) {
        complain("the default of " + what + " is not one of its choices");
    }
}

}  // namespace

Result<PluginInfo> describe(const skep_plugin* plugin,
                            const skep_note& note,
                            const std::string& file) {
    return Describer(note, file).describe(plugin);
}

}  // namespace skep::host
