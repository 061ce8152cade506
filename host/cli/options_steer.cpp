#include "host/cli/options_steer.hpp"

#include <optional>

#include "host/topology/units.hpp"

namespace skep::host {
namespace {

CLI::App& add_verb(CLI::App& app, Options& options, const char* name, const char* doc) {
    CLI::App& verb = *app.add_subcommand(name, doc);
    verb.add_option("--host", options.host, "The host, if several run")->type_name("NAME");
    verb.add_option("--control", options.control, "Path of the host's control socket")
        ->type_name("PATH");
    return verb;
}

void add_worker(CLI::App& verb, Options& options, bool is_required) {
    verb.add_option("WORKER", options.worker, "The worker")->required(is_required)->type_name("");
}

void add_text(CLI::App& verb, Options& options) {
    verb.add_option("TEXT", options.text, "The payload of the message")->required()->type_name("");
}

void add_output(CLI::App& verb, Options& options) {
    add_choice(verb, "-o,--output", {"table", "json"}, options.json, "Output format");
}

void add_moving(CLI::App& verb, Options& options) {
    verb.add_flag("--discard-state",
                  options.discard_state,
                  "Start a worker without state if its new version cannot read the old state");
    verb.add_flag("--in-force",
                  options.in_force,
                  "Return when the plan is in force; do not wait for the end of the probation");
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
    add_output(add_verb(app, options, "ps", "List the workers of all running hosts"), options);

    CLI::App& status =
        add_verb(app, options, "status", "Show a running host or one of its workers");
    add_worker(status, options, false);
    add_output(status, options);

    CLI::App& pause = add_verb(app, options, "pause", "Pause a worker at its next checkpoint");
    add_worker(pause, options, true);
    pause.add_flag("--wait", options.wait, "Return when the worker is paused");

    add_worker(add_verb(app, options, "resume", "Resume a paused worker"), options, true);

    CLI::App& send = add_verb(app, options, "send", "Send a message to a worker");
    add_worker(send, options, true);
    add_text(send, options);

    add_text(add_verb(app, options, "broadcast", "Send a message to every worker"), options);

    add_worker(
        add_verb(app, options, "drain", "End a worker after its queued messages"), options, true);

    add_worker(add_verb(app, options, "restart", "Stop a worker if it runs, and start it again"),
               options,
               true);

    CLI::App& explain = add_verb(app, options, "explain", "Explain the state of a worker");
    add_worker(explain, options, true);
    add_output(explain, options);

    CLI::App& wait =
        add_verb(app, options, "wait", "Wait until one worker or all workers are in a state");
    add_worker(wait, options, false);
    wait.add_option("--state", options.state, "The state, or 'ended' or 'error' (running)")
        ->type_name("STATE");
    add_span(wait, "--timeout", options.timeout, "How long to wait (no limit)");

    CLI::App& reload =
        add_verb(app, options, "reload", "Apply the current topology and plugins to a host");
    reload.add_flag("--dry-run", options.dry_run, "Show the changes; do not apply them");
    add_moving(reload, options);
    add_output(reload, options);

    add_output(add_verb(app, options, "plan", "Show what a reload would change"), options);

    CLI::App& rollback = add_verb(app, options, "rollback", "Return a host to its previous plan");
    add_moving(rollback, options);
    add_output(rollback, options);

    add_output(
        add_verb(app, options, "generations", "List the plugin versions of a host and their use"),
        options);

    CLI::App& tap = add_verb(app, options, "tap", "Show the messages on the routes as they pass");
    tap.add_option("FROM", options.from, "The sender: WORKER or WORKER.OUTPUT (all)")
        ->type_name("");
    tap.add_option("--to", options.to, "The receiver (all)")->type_name("WORKER");
    tap.add_option("--limit", options.limit, "End after N messages (no limit)")
        ->type_name("N")
        ->check(CLI::PositiveNumber);
    tap.add_option("--bytes", options.bytes, "Show at most N bytes of each message (1024)")
        ->type_name("N")
        ->check(CLI::Range(1, 65536));
    add_output(tap, options);

    CLI::App& stop = add_verb(app, options, "stop", "Drain a host and wait for its end");
    stop.add_flag("--now", options.now, "Stop without draining the queues");
    add_span(stop, "--grace", options.grace, "Time for draining (stop_grace of the topology)");
    add_span(stop, "--timeout", options.timeout, "How long to wait (the grace and 10s)");
}

}  // namespace skep::host
