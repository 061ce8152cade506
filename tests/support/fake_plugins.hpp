// Plugins for tests of the topology, as the loader would describe them: no shared object stands
// behind them.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/topology/plan.hpp"
#include "host/topology/plugin_info.hpp"
#include "host/topology/topology.hpp"

namespace skep::host {

inline ParamInfo fake_param(std::string name,
                            ParamType type,
                            std::optional<std::string> default_text = {},
                            std::optional<std::string> min_text = {},
                            std::optional<std::string> max_text = {}) {
    ParamInfo param;
    param.name = std::move(name);
    param.type = type;
    const auto value = [&](const std::optional<std::string>& text) {
        return text ? parse_param(type, *text) : std::nullopt;
    };
    param.default_value = value(default_text);
    param.min_value = value(min_text);
    param.max_value = value(max_text);
    param.default_text = std::move(default_text);
    param.min_text = std::move(min_text);
    param.max_text = std::move(max_text);
    return param;
}

inline PortInfo fake_port(std::string name, std::string content_type, bool optional = false) {
    return {std::move(name), std::move(content_type), "", optional};
}

// A source with one output.
inline WorkerTypeInfo fake_ticker() {
    WorkerTypeInfo type;
    type.name = "ticker";
    type.is_loop = true;
    type.params = {fake_param("every", ParamType::duration, "1s", "1ms", "1h"),
                   fake_param("count", ParamType::integer, {}, "1")};
    type.outputs = {fake_port("ticks", "text/plain")};
    return type;
}

// One input, two outputs, and a parameter of every type.
inline WorkerTypeInfo fake_regex() {
    WorkerTypeInfo type;
    type.name = "regex";
    ParamInfo pattern = fake_param("pattern", ParamType::string);
    pattern.required = true;
    pattern.doc = "what to look for";
    ParamInfo mode = fake_param("mode", ParamType::string, "fast");
    mode.choices = {"fast", "safe"};
    ParamInfo token = fake_param("token", ParamType::string);
    token.secret = true;
    token.choices = {"open", "sesame"};
    ParamInfo pin = fake_param("pin", ParamType::integer, {}, {}, "9999");
    pin.secret = true;
    type.params = {pattern,
                   mode,
                   token,
                   pin,
                   fake_param("limit", ParamType::integer, "10", "1", "1000"),
                   fake_param("ratio", ParamType::number, {}, "0", "1"),
                   fake_param("strict", ParamType::boolean, "false"),
                   fake_param("timeout", ParamType::duration),
                   fake_param("buffer", ParamType::size, "64KiB", {}, "1MiB")};
    type.inputs = {fake_port("in", "text/plain")};
    type.outputs = {fake_port("matched", "application/json"),
                    fake_port("failed", "text/plain", true)};
    return type;
}

inline WorkerTypeInfo fake_sink(std::string name, std::string content_type) {
    WorkerTypeInfo type;
    type.name = std::move(name);
    type.inputs = {fake_port("in", std::move(content_type))};
    return type;
}

// Takes and gives anything; neither has to be connected.
inline WorkerTypeInfo fake_relay() {
    WorkerTypeInfo type;
    type.name = "relay";
    type.inputs = {fake_port("in", "*", true)};
    type.outputs = {fake_port("out", "*", true)};
    return type;
}

inline std::map<std::string, PluginInfo> fake_plugins() {
    std::map<std::string, PluginInfo> plugins;
    plugins["ticker"].types = {fake_ticker()};
    plugins["regex"].types = {fake_regex()};
    plugins["sink"].types = {fake_sink("sink", "*")};
    plugins["relay"].types = {fake_relay()};
    plugins["store"].types = {fake_sink("rows", "application/json"),
                              fake_sink("lines", "text/plain")};
    return plugins;
}

inline Result<FoundPlugin> find_fake_plugin(const std::string& name,
                                            const std::vector<std::string>&) {
    static const std::map<std::string, PluginInfo> plugins = fake_plugins();
    const auto found = plugins.find(name);
    if (found == plugins.end())
        return failure(error_about("", "plugin '" + name + "' was not found", "install it"));
    return FoundPlugin{"/plugins/" + name + ".so", std::make_shared<PluginInfo>(found->second)};
}

inline std::optional<std::string> fake_environment(const std::string& name) {
    static const std::map<std::string, std::string> variables = {{"FOLDER", "/var/log"},
                                                                 {"FIVE", "5"},
                                                                 {"WORD", "five"},
                                                                 {"EMPTY", ""},
                                                                 {"DOLLAR", "${FIVE}"}};
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace skep::host
