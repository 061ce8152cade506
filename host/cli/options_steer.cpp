#include "host/cli/options_steer.hpp"

#include <optional>

#include "host/topology/units.hpp"

namespace skep::host {
namespace {

CLI::App& add_verb(CLI::App& app, Options& options, const char* name, const char* doc) {
    CLI::App& verb = *app.add_subcommand(name, doc);
    verb.add_option("--host", options.host, "Which host, when several run")->type_name("NAME");
    verb.add_option("--control", options.control, "The control socket of the host")
        ->type_name("PATH");
    return verb;
}

void add_worker(CLI::App& verb, Options& options, bool is_required) {
    verb.add_option("WORKER", options.worker, "The worker")->required(is_required)->type_name("");
}

void add_text(CLI::App& verb, Options& options) {
    verb.add_option("TEXT", options.text, "What the message says")->required()->type_name("");
}

void add_output(CLI::App& verb, Options& options) {
    add_choice(verb, "-o,--output", {"table", "json"}, options.json, "Form of the answer");
}

void add_moving(CLI::App& verb, Options& options) {
    verb.add_flag("--discard-state",
                  options.discard_state,
                  "Let a worker begin anew whose state the other version cannot take");
    verb.add_flag("--in-force",
                  options.in_force,
                  "Return when the plan is in force, and do not wait for the end of the probation");
}

void add_span(CLI::App& verb,
              const std::string& flag,
              std::optional<Nanos>& span,
              const std::string& doc) {
    verb.add_option_function<std::string>(
            flag, [&span](const std::string& text) { span = Nanos(*parse_duration(text)); }, doc)
        ->type_name("DURATION")
        ->check(CLI::Validator(
            [](const std::string& text) {
                const std::optional<std::int64_t> parsed = parse_duration(text);
                return parsed && *parsed >= 0 ? std::string() : std::string(duration_advice);
            },
            ""));
}

}  // namespace

void add_steering(CLI::App& app, Options& options) {
    add_output(add_verb(app, options, "ps", "List the workers of the hosts that run"), options);

    CLI::App& status = add_verb(app, options, "status", "Show a running host, or one worker of it");
    add_worker(status, options, false);
    add_output(status, options);

    CLI::App& pause = add_verb(app, options, "pause", "Let a worker stand still");
    add_worker(pause, options, true);
    pause.add_flag("--wait", options.wait, "Return when it does");

    add_worker(add_verb(app, options, "resume", "Let a paused worker go on"), options, true);

    CLI::App& send = add_verb(app, options, "send", "Send a message to a worker");
    add_worker(send, options, true);
    add_text(send, options);

    add_text(add_verb(app, options, "broadcast", "Send a message to every worker"), options);

    add_worker(add_verb(app, options, "drain", "Let a worker finish what is queued, and end"),
               options,
               true);

    add_worker(add_verb(app, options, "restart", "End a worker if it runs, and start it again"),
               options,
               true);

    CLI::App& explain = add_verb(app, options, "explain", "Tell why a worker is as it is");
    add_worker(explain, options, true);
    add_output(explain, options);

    CLI::App& wait =
        add_verb(app, options, "wait", "Wait until a worker, or all of them, is in a state");
    add_worker(wait, options, false);
    wait.add_option("--state", options.state, "Which state; also 'ended' and 'error' (running)")
        ->type_name("STATE");
    add_span(wait, "--timeout", options.timeout, "How long (for ever)");

    CLI::App& reload =
        add_verb(app, options, "reload", "Move a host to its topology and plugins as they are now");
    reload.add_flag("--dry-run", options.dry_run, "Only show what would change");
    add_moving(reload, options);
    add_output(reload, options);

    add_output(add_verb(app, options, "plan", "Show what a reload would change"), options);

    CLI::App& rollback = add_verb(app, options, "rollback", "Move a host back to the plan before");
    add_moving(rollback, options);
    add_output(rollback, options);

    add_output(
        add_verb(app, options, "generations", "List the plugin versions of a host, and what for"),
        options);

    CLI::App& tap = add_verb(app, options, "tap", "Show what passes on the routes, as it passes");
    tap.add_option("FROM", options.from, "Of this worker, or WORKER.OUTPUT (all)")->type_name("");
    tap.add_option("--to", options.to, "What this worker gets (all)")->type_name("WORKER");
    tap.add_option("--limit", options.limit, "End after so many messages")
        ->type_name("N")
        ->check(CLI::PositiveNumber);
    tap.add_option("--bytes", options.bytes, "So many bytes of each message (1024)")
        ->type_name("N")
        ->check(CLI::Range(1, 65536));
    add_output(tap, options);

    CLI::App& stop = add_verb(app, options, "stop", "Drain a host and wait for its end");
    stop.add_flag("--now", options.now, "Leave undone what is queued");
    add_span(stop, "--grace", options.grace, "How long it may take (its stop_grace)");
    add_span(stop, "--timeout", options.timeout, "How long to wait (the grace and 10s)");
}

}  // namespace skep::host
