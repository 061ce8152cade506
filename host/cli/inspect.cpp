#include "host/cli/inspect.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>
#include <spdlog/fmt/fmt.h>

#include "host/base/printable.hpp"
#include "host/loader/pin_cause.hpp"

namespace skep::host {
namespace {

using Json = nlohmann::ordered_json;

std::string language_of(const skep_note& note) {
    switch (note.language) {
        case SKEP_LANGUAGE_C:
            return "C";
        case SKEP_LANGUAGE_CXX:
            return "C++";
        case SKEP_LANGUAGE_RUST:
            return "Rust";
        default:
            return "other";
    }
}

std::string compiler_of(const skep_note& note) {
    const char* name = note.compiler == SKEP_COMPILER_GCC     ? "gcc"
                       : note.compiler == SKEP_COMPILER_CLANG ? "clang"
                       : note.compiler == SKEP_COMPILER_RUSTC ? "rustc"
                                                              : "other";
    return fmt::format("{} {}.{}", name, note.compiler_version / 100, note.compiler_version % 100);
}

std::vector<std::string> sanitizers_of(const skep_note& note) {
    std::vector<std::string> names;
    if ((note.sanitizers & SKEP_SANITIZER_ADDRESS) != 0) {
        names.emplace_back("address");
    }
    if ((note.sanitizers & SKEP_SANITIZER_THREAD) != 0) {
        names.emplace_back("thread");
    }
    return names;
}

std::string joined(const std::vector<std::string>& words, const std::string& between) {
    std::string text;
    for (const std::string& word : words) {
        text += (text.empty() ? "" : between) + word;
    }
    return text;
}

// Returns "0.1, for hosts from 0.1": the version that the plugin was built with, and the lowest
// host version that it accepts.
std::string abi_text(const PluginInfo& info) {
    return fmt::format("{}.{}, for hosts from {}.{}",
                       info.abi_major,
                       info.abi_minor,
                       info.abi_major,
                       info.lowest_host_minor);
}

std::string head_of(const Inspected& plugin) {
    const PluginInfo& info = plugin.info;
    std::string text = escaped(info.id + " " + info.version) + "\n";
    const auto line = [&text](const char* label, const std::string& value) {
        if (!value.empty()) {
            text += fmt::format("  {:<12}{}\n", label, escaped(value));
        }
    };
    line("about", info.doc);
    line("file", plugin.path);
    line("vendor", info.vendor);
    line("licence", info.licence);
    line("ABI", abi_text(info));
    if (plugin.facts.note) {
        const skep_note& note = *plugin.facts.note;
        const std::string sanitizers = joined(sanitizers_of(note), ", ");
        line("language", language_of(note));
        line("compiler", compiler_of(note));
        line("sanitizers", sanitizers.empty() ? "none" : sanitizers);
    }
    line("build id", plugin.facts.build_id);
    return text;
}

std::string limits_of(const ParamInfo& param) {
    std::string text = param.required ? "required" : "";
    const auto add = [&text](const std::string& limit) {
        text += (text.empty() ? "" : ", ") + limit;
    };
    if (param.default_text) {
        add("default " + *param.default_text);
    }
    if (param.min_text) {
        add("at least " + *param.min_text);
    }
    if (param.max_text) {
        add("at most " + *param.max_text);
    }
    if (!param.choices.empty()) {
        add("one of " + joined(param.choices, " "));
    }
    if (param.secret) {
        add("secret");
    }
    if (param.reloadable) {
        add("reloadable");
    }
    return text.empty() ? "optional" : text;
}

// Formats rows of two or more cells with aligned columns.
std::string aligned(const std::vector<std::vector<std::string>>& rows) {
    std::vector<std::size_t> widths;
    for (const auto& row : rows) {
        widths.resize(std::max(widths.size(), row.size()));
        for (std::size_t i = 0; i < row.size(); ++i) {
            widths[i] = std::max(widths[i], escaped(row[i]).size());
        }
    }
    std::string text;
    for (const auto& row : rows) {
        std::string line = "   ";
        for (std::size_t i = 0; i < row.size(); ++i) {
            line += fmt::format(" {:<{}} ", escaped(row[i]), widths[i]);
        }
        line.erase(line.find_last_not_of(' ') + 1);
        text += line + "\n";
    }
    return text;
}

std::string ports_text(const char* title, const std::vector<PortInfo>& ports) {
    std::vector<std::vector<std::string>> rows;
    rows.reserve(ports.size());
    for (const PortInfo& port : ports) {
        const std::string optional = port.optional ? "optional" : "";
        rows.push_back({port.name, port.content_type, optional, port.doc});
    }
    return rows.empty() ? "" : std::string("  ") + title + "\n" + aligned(rows);
}

std::string params_text(const std::vector<ParamInfo>& params) {
    std::vector<std::vector<std::string>> rows;
    rows.reserve(params.size());
    for (const ParamInfo& param : params) {
        rows.push_back({param.name, name_of(param.type), limits_of(param), param.doc});
    }
    return rows.empty() ? "" : "  parameters\n" + aligned(rows);
}

Json ports_json(const std::vector<PortInfo>& ports) {
    Json list = Json::array();
    for (const PortInfo& port : ports) {
        list.push_back({{"name", port.name},
                        {"content_type", port.content_type},
                        {"optional", port.optional},
                        {"doc", port.doc}});
    }
    return list;
}

// Returns the text of the plugin's author, or null.
Json text_or_null(const std::optional<std::string>& text) {
    return text ? Json(*text) : Json();
}

Json params_json(const std::vector<ParamInfo>& params) {
    Json list = Json::array();
    for (const ParamInfo& param : params) {
        list.push_back({{"name", param.name},
                        {"type", name_of(param.type)},
                        {"required", param.required},
                        {"secret", param.secret},
                        {"reloadable", param.reloadable},
                        {"default", text_or_null(param.default_text)},
                        {"min", text_or_null(param.min_text)},
                        {"max", text_or_null(param.max_text)},
                        {"choices", param.choices},
                        {"doc", param.doc}});
    }
    return list;
}

}  // namespace

std::vector<std::string> unload_warnings(const ElfFacts& facts) {
    std::vector<std::string> warnings;
    // One fact at a time, because cause_of_pin() names only the first cause that it finds.
    const auto add = [&warnings](const ElfFacts& one) {
        warnings.push_back("may stay mapped when it is unloaded: " + cause_of_pin(one, {}));
    };
    if (facts.nodelete) {
        add({.nodelete = true});
    }
    if (!facts.unique_symbols.empty()) {
        add({.unique_symbols = facts.unique_symbols});
    }
    if (facts.thread_exits) {
        add({.thread_exits = true});
    }
    if (!facts.thread_keys.empty()) {
        warnings.emplace_back("calls " + facts.thread_keys +
                              ": a reload moves its workers to new threads, and on a pool it stays "
                              "mapped");
    }
    if (!facts.registers.empty()) {
        warnings.emplace_back("stays mapped when it is unloaded: it calls " + facts.registers);
    }
    if (facts.static_tls) {
        warnings.emplace_back(
            "uses static thread-local storage, of which a process has little: loading it often "
            "may fail");
    }
    return warnings;
}

std::string inspect_text(const Inspected& plugin) {
    std::string text = head_of(plugin);
    for (const WorkerTypeInfo& type : plugin.info.types) {
        text += "\nworker type " + escaped(type.name) + (type.is_loop ? " (loop" : " (handler") +
                (type.is_exclusive ? ", exclusive" : "") +
                (type.is_create_probed ? ")" : ", created in the host only)");
        text += (type.doc.empty() ? "" : ": " + escaped(type.doc)) + "\n";
        text += ports_text("inputs", type.inputs) + ports_text("outputs", type.outputs);
        text += params_text(type.params);
        text += "\n" + stanza(plugin, type);
    }
    const std::vector<std::string> warnings = unload_warnings(plugin.facts);
    text += warnings.empty() ? "" : "\n";
    for (const std::string& warning : warnings) {
        text += "warning: " + escaped(warning) + "\n";
    }
    return text;
}

std::string inspect_json(const Inspected& plugin) {
    const PluginInfo& info = plugin.info;
    Json types = Json::array();
    for (const WorkerTypeInfo& type : info.types) {
        types.push_back({{"name", type.name},
                         {"kind", type.is_loop ? "loop" : "handler"},
                         {"exclusive", type.is_exclusive},
                         {"create_in_host_only", !type.is_create_probed},
                         {"doc", type.doc},
                         {"inputs", ports_json(type.inputs)},
                         {"outputs", ports_json(type.outputs)},
                         {"params", params_json(type.params)},
                         {"stanza", stanza(plugin, type)}});
    }
    Json result = {{"id", info.id},
                   {"version", info.version},
                   {"file", plugin.path},
                   {"doc", info.doc},
                   {"vendor", info.vendor},
                   {"licence", info.licence},
                   {"abi",
                    {{"major", info.abi_major},
                     {"minor", info.abi_minor},
                     {"lowest_host_minor", info.lowest_host_minor}}},
                   {"build_id", plugin.facts.build_id}};
    if (plugin.facts.note) {
        const skep_note& note = *plugin.facts.note;
        result["language"] = language_of(note);
        result["compiler"] = compiler_of(note);
        result["sanitizers"] = sanitizers_of(note);
    }
    result["types"] = std::move(types);
    result["warnings"] = unload_warnings(plugin.facts);
    return result.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace skep::host
