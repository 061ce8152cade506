#include "host/cli/options.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>
#include <vector>

#include <skep/version.h>

#include "host/base/assert.hpp"
#include "host/base/printable.hpp"
#include "host/cli/options_steer.hpp"

namespace skep::host {

CLI::Option* add_choice(CLI::App& app,
                        const std::string& flags,
                        const std::pair<std::string, std::string>& words,
                        bool& is_second,
                        const std::string& doc) {
    const auto choose = [&is_second, words](const std::string& word) {
        is_second = word == words.second;
    };
    return app.add_option_function<std::string>(flags, choose, doc + " (" + words.first + ")")
        ->type_name(words.first + "|" + words.second)
        ->check(CLI::IsMember({words.first, words.second}).description(""));
}

namespace {

constexpr const char* version_text = "skep " SKEP_VERSION_STRING;

constexpr const char* footer =
    "Environment: SKEP_LOG (level), SKEP_LOG_FORMAT (text or json), SKEP_CONTROL (socket),\n"
    "SKEP_PLUGIN_PATH (folders to search for plugins, separated by colons), NO_COLOR.\n"
    "Flags override the environment.\n"
    "Exit codes: 0 done, 1 ended by a worker or refused, 3 the worker has ended, 4 unknown\n"
    "worker, 64 wrong usage, 69 no host, 70 bug, 77 not permitted, 78 refused topology or\n"
    "plugin, 130 forced by a second Ctrl-C.";

// CLI11 would read the variables once for each verb that has the flag. Only the verb `meant` gets
// them.
void add_run(CLI::App& app,
             Options& options,
             const std::string& verb,
             const char* doc,
             const std::string& meant) {
    CLI::App& run = *app.add_subcommand(verb, doc);
    const auto variable = [&](const char* name) { return verb == meant ? name : ""; };
    run.add_option("FILE", options.target, "The topology")->required()->type_name("");
    run.add_option("--summary", options.summary, "Write the final counts to this file as JSON")
        ->type_name("FILE.json");
    run.add_option("--audit", options.audit, "Append the audit log to this file")
        ->type_name("FILE.jsonl");
    add_choice(run, "--log-format", {"text", "json"}, options.log_json, "Format of the log")
        ->envname(variable("SKEP_LOG_FORMAT"));
    run.add_option(
           "--log-level", options.log_level, "Log this level and more important ones (info)")
        ->type_name("trace|debug|info|warn|error")
        ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error"}).description(""))
        ->envname(variable("SKEP_LOG"));
    run.add_option(
           "--control", options.control, "Path of the control socket, or 'none' for no socket")
        ->type_name("PATH");
}

void add_check(CLI::App& app, Options& options) {
    CLI::App& check = *app.add_subcommand("check", "Check a topology without starting it");
    check.add_option("FILE", options.target, "The topology")->required()->type_name("");
    check.add_flag("--deny-warnings", options.deny_warnings, "Refuse a topology with warnings");
    add_choice(check, "-o,--output", {"table", "json"}, options.json, "Output format");
}

void add_inspect(CLI::App& app, Options& options) {
    CLI::App& inspect = *app.add_subcommand(
        "inspect", "Describe a plugin, and print a [worker] table to start from");
    inspect.add_option("PLUGIN", options.target, "Its path, or its name as in a topology")
        ->required()
        ->type_name("");
    add_choice(inspect, "-o,--output", {"table", "json"}, options.json, "Output format");
}

void add_graph(CLI::App& app, Options& options) {
    CLI::App& graph = *app.add_subcommand("graph", "Print a topology as a graph");
    graph.add_option("FILE", options.target, "The topology")->required()->type_name("");
    add_choice(graph, "--format", {"dot", "mermaid"}, options.mermaid, "Language of the graph");
}

std::string verb_name(const CLI::App& app) {
    const std::vector<CLI::App*> verbs = app.get_subcommands();
    return verbs.empty() ? "" : verbs.front()->get_name();
}

constexpr std::array<std::pair<const char*, Verb>, 21> verbs = {{
    {"run", Verb::run},
    {"dev", Verb::dev},
    {"check", Verb::check},
    {"inspect", Verb::inspect},
    {"graph", Verb::graph},
    {"ps", Verb::ps},
    {"status", Verb::status},
    {"pause", Verb::pause},
    {"resume", Verb::resume},
    {"send", Verb::send},
    {"broadcast", Verb::broadcast},
    {"drain", Verb::drain},
    {"restart", Verb::restart},
    {"explain", Verb::explain},
    {"wait", Verb::wait},
    {"reload", Verb::reload},
    {"plan", Verb::plan},
    {"rollback", Verb::rollback},
    {"generations", Verb::generations},
    {"tap", Verb::tap},
    {"stop", Verb::stop},
}};

// Returns the message for a usage error. For an unknown verb CLI11 reports only that one is
// missing.
std::string explain(const CLI::App& app, const char* first, const CLI::ParseError& error) {
    if (!verb_name(app).empty() || first == nullptr || first[0] == '\0') {
        return error.what();
    }
    std::vector<std::string> names;
    names.reserve(verbs.size());
    for (const auto& [name, verb] : verbs) {
        names.emplace_back(name);
    }
    const bool is_option = first[0] == '-';
    std::string text =
        std::string(is_option ? "unknown option '" : "unknown command '") + first + "'";
    const std::string meant = is_option ? "" : nearest(first, names);
    return meant.empty() ? text : text + "; did you mean '" + meant + "'?";
}

Unexpected<EarlyExit> usage_error(const CLI::App& app, const std::string& what) {
    const std::string verb = verb_name(app);
    return Unexpected<EarlyExit>({exit_usage,
                                  "skep: " + escaped(what) + "\nTry 'skep " + verb +
                                      (verb.empty() ? "" : " ") + "--help'.\n"});
}

}  // namespace

Result<Options, EarlyExit> parse_options(int argc, const char* const* argv) {
    Options options;
    CLI::App app("skep runs the worker plugins that a topology names.", "skep");
    app.set_version_flag("--version", version_text);
    app.require_subcommand(1);
    app.footer(footer);
    const std::string meant = argc > 1 ? argv[1] : "";
    add_run(app, options, "run", "Run a topology in the foreground", meant);
    add_run(app, options, "dev", "Run a topology until Ctrl-C, and reload rebuilt plugins", meant);
    add_check(app, options);
    add_inspect(app, options);
    add_graph(app, options);
    add_steering(app, options);
    try {
        app.parse(argc, argv);
    } catch (const CLI::CallForHelp&) {
        return Unexpected<EarlyExit>({exit_ok, app.help() + "\n"});
    } catch (const CLI::CallForVersion&) {
        return Unexpected<EarlyExit>({exit_ok, std::string(version_text) + "\n"});
    } catch (const CLI::ParseError& error) {
        return usage_error(app, explain(app, argc > 1 ? argv[1] : nullptr, error));
    }
    // As in add_run().
    if (const char* const control = std::getenv("SKEP_CONTROL");
        control != nullptr && options.control.empty()) {
        options.control = control;
    }
    const std::string verb = verb_name(app);
    const auto found =
        std::find_if(verbs.begin(), verbs.end(), [&](const auto& it) { return verb == it.first; });
    SKEP_ASSERT(found != verbs.end());
    options.verb = found->second;
    return options;
}

}  // namespace skep::host
