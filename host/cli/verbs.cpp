#include "host/cli/verbs.hpp"

#include <cstdio>
#include <filesystem>
#include <memory>
#include <new>
#include <system_error>

#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include "host/base/printable.hpp"
#include "host/cli/inspect.hpp"
#include "host/cli/output.hpp"
#include "host/daemon/log.hpp"
#include "host/daemon/prepare.hpp"
#include "host/loader/trust.hpp"
#include "host/topology/graph.hpp"

namespace skep::host {
namespace {

std::string json_of(const Diagnostics& diagnostics, bool ok) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const Diagnostic& diagnostic : diagnostics) {
        list.push_back({{"severity", diagnostic.severity == Severity::error ? "error" : "warning"},
                        {"file", diagnostic.file},
                        {"line", diagnostic.span.line},
                        {"column", diagnostic.span.column},
                        {"message", diagnostic.message},
                        {"hint", diagnostic.hint}});
    }
    const nlohmann::ordered_json result = {{"ok", ok}, {"diagnostics", std::move(list)}};
    return result.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

// Reads the ELF facts of a file that the loader has just accepted. Fails only if the file has
// changed meanwhile.
Result<ElfFacts> facts_of(const std::string& path) {
    const Result<FileBytes> bytes = read_trusted(path);
    if (!bytes) {
        return failure(bytes.error());
    }
    return read_elf(bytes->span(), path);
}

}  // namespace

int contained(const std::function<int()>& verb) {
    try {
        return verb();
    } catch (const std::system_error& error) {  // of std::thread
        spdlog::error("cannot start a thread: {}", error.code().message());
    } catch (const std::bad_alloc&) {
        spdlog::error("out of memory");
    }
    return exit_failed;
}

int check(const Options& options) {
    const AnswerStream out;  // outlives the plugins
    const Result<std::unique_ptr<FileLoader>> loader = make_loader();
    if (!loader) {
        return refuse(loader.error(), exit_failed);
    }
    const Prepared prepared = prepare(options.target, **loader);
    const bool denied = options.deny_warnings && !prepared.diagnostics.empty();
    const bool ok = prepared.plan.has_value() && !denied;
    const int exit_code = ok ? exit_ok : exit_config;
    if (options.json) {
        return out.write(json_of(prepared.diagnostics, ok), exit_code);
    }
    write_stderr(rendered(prepared));
    if (!ok) {
        return exit_code;
    }
    return out.write(escaped(options.target) + ": ok (" +
                         counted(prepared.plan->workers.size(), "worker") + ", " +
                         counted(prepared.plan->routes.size(), "route") + ")\n",
                     exit_code);
}

int inspect(const Options& options) {
    const AnswerStream out;  // outlives the plugins
    const Result<std::unique_ptr<FileLoader>> loader = make_loader();
    if (!loader) {
        return refuse(loader.error(), exit_failed);
    }
    const Result<FoundPlugin> found = plugin_finder(**loader, ".").find(options.target, {});
    if (!found) {
        return refuse(found.error(), exit_config);
    }
    Result<ElfFacts> facts = facts_of(found->path);
    if (!facts) {
        return refuse(facts.error(), exit_config);
    }
    // An absolute path makes the stanza work in any topology.
    const std::string path = std::filesystem::absolute(found->path).lexically_normal();
    const bool is_name =
        options.target.find('/') == std::string::npos && !options.target.ends_with(".so");
    const Inspected plugin{is_name ? options.target : path, path, *found->info, std::move(*facts)};
    return out.write(options.json ? inspect_json(plugin) : inspect_text(plugin), exit_ok);
}

int graph(const Options& options) {
    const AnswerStream out;  // outlives the plugins
    const Result<std::unique_ptr<FileLoader>> loader = make_loader();
    if (!loader) {
        return refuse(loader.error(), exit_failed);
    }
    const Prepared prepared = prepare(options.target, **loader);
    write_stderr(rendered(prepared));
    if (!prepared.plan) {
        return exit_config;
    }
    return out.write(options.mermaid ? graph_mermaid(*prepared.plan) : graph_dot(*prepared.plan),
                     exit_ok);
}

}  // namespace skep::host
