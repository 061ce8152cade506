#include "tests/support/scripted.hpp"

#include <algorithm>

#include "host/loader/describe.hpp"

// The plugin. Its entry and note belong to this program and to no plugin file.
namespace skep::test {

namespace {

std::map<std::string, Script>* scripts_in_force = nullptr;

struct scripted {
    static constexpr skep::param params[] = {skep::param::string("text", "Any text"),
                                             skep::param::string("live", "Any text").reloadable()};
    static constexpr skep::port inputs[] = {skep::port("in", "*", "").optional(),
                                            skep::port("other", "*", "").optional()};
    static constexpr skep::port outputs[] = {skep::port("out", "text/plain", "").optional(),
                                             skep::port("second", "*", "").optional()};

    explicit scripted(skep::context& context)
        // Of a replica, the script of its name without the number.
        : script(scripts_in_force->at(
              std::string(context.worker_name().substr(0, context.worker_name().find('#'))))) {
        if (script.make) {
            script = Script(script.make(context));
        }
        if (script.create) {
            script.create(context);
        }
    }

    ~scripted() {
        if (script.destroy) {
            script.destroy();
        }
    }

    static constexpr std::uint32_t state_version = 2;
    static constexpr std::uint32_t state_oldest = 1;

    void save_state(skep::state_writer& out) const {
        if (script.save) {
            out.write(script.save());
        }
    }

    void load_state(std::uint32_t /*version*/, std::string_view state) {
        if (script.load) {
            script.load(state);
        }
    }

    void reconfigure(skep::context& context) {
        if (script.reconfigure) {
            script.reconfigure(context);
        }
    }

    void acquire(skep::context& context) {
        if (script.acquire) {
            script.acquire(context);
        }
    }

    void release() {
        if (script.release) {
            script.release();
        }
    }

    scripted(const scripted&) = delete;
    scripted& operator=(const scripted&) = delete;

    Script script;
};

struct loop : scripted {
    static constexpr auto name = "loop";
    using scripted::scripted;

    void run(skep::context& context) { script.run(context); }
};

struct handler : scripted {
    static constexpr auto name = "handler";
    using scripted::scripted;

    void on_message(skep::context& context, const skep::message& message) {
        if (script.on_message) {
            script.on_message(context, message);
        }
    }

    void on_timer(skep::context& context, std::uint32_t id) {
        if (script.on_timer) {
            script.on_timer(context, id);
        }
    }

    void on_drain(skep::context& context) {
        if (script.on_drain) {
            script.on_drain(context);
        }
    }
};

SKEP_PLUGIN("org.skep.scripted", "1.0.0", loop, handler)

}  // namespace

ScriptedLoader::ScriptedLoader(std::map<std::string, Script>& scripts) {
    scripts_in_force = &scripts;
}

ScriptedLoader::~ScriptedLoader() {
    scripts_in_force = nullptr;
}

host::Result<std::shared_ptr<host::Library>> ScriptedLoader::open(const std::string& path,
                                                                  const std::string& /*content*/) {
    if (refuses) {
        return host::failure(host::error_about(path, "refused by the test"));
    }
    ++opened;
    const skep_plugin* const plugin = skep_plugin_v1();
    host::Result<host::PluginInfo> info =
        host::describe(plugin, skep_note_of_this_plugin.desc, path);
    if (!info) {
        return host::Unexpected(info.error());
    }
    info->thread_exits = hands_off;
    if (renames_ports) {
        for (host::WorkerTypeInfo& type : info->types) {
            type.inputs.front().name = "renamed";
        }
    }
    return std::make_shared<host::Library>(path, *info, plugin);
}

host::UnloadReport ScriptedLoader::close(std::shared_ptr<host::Library> library) {
    EXPECT_EQ(library.use_count(), 1) << "a library is closed while somebody holds it";
    ++closed;
    return {true, ""};
}

void ScriptedLoader::abandon(std::shared_ptr<host::Library> library, std::string /*cause*/) {
    EXPECT_EQ(library.use_count(), 1) << "a library is given up while somebody holds it";
}

void Gate::open() {
    const host::MutexLock lock(mutex_);
    is_open_ = true;
    changed_.notify_all();
}

void Gate::wait_until_open() {
    const host::MutexLock lock(mutex_);
    is_visited_ = true;
    changed_.notify_all();
    changed_.wait(mutex_, [this] { return is_open_; });
}

void Gate::wait_for_visitor() {
    const host::MutexLock lock(mutex_);
    changed_.wait(mutex_, [this] { return is_visited_; });
}

}  // namespace skep::test
