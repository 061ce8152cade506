// A host of scripted workers with its control socket.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "host/control/api.hpp"
#include "host/control/client.hpp"
#include "host/control/server.hpp"
#include "tests/support/raw_client.hpp"
#include "tests/support/scripted.hpp"
#include "tests/support/temp_folder.hpp"

namespace skep::host {

class ControlFixture : public testing::Test {
protected:
    ControlFixture() {
        limits.request = std::chrono::seconds(60);
    }  // a fuse, but where it is tested

    // A loop worker that rests until it is stopped, and "b", a handler that keeps its messages.
    void start_world() {
        test::Script loop;
        loop.run = [](skep::context& context) {
            while (context.sleep(std::chrono::hours(1))) {
            }
        };
        world.add("a", loop);
        test::Script handler;
        handler.on_message = [this](skep::context&, const skep::message& message) {
            const MutexLock lock(mutex);
            received.emplace_back(message.text());
        };
        world.add("b", handler);
        world.start();
    }

    void serve(ControlServer::Admits admits = is_own_or_root) {
        Listener::Opened listener = Listener::open(path, "bees");
        ASSERT_TRUE(listener) << listener.error().why;
        reloader.emplace(Reloader::Settings{folder / "bees.toml", false, {}, nullptr},
                         *world.manager,
                         *audit,
                         probations);
        facts.emplace(ControlWorld{*world.manager,
                                   {"bees", "bees.toml", Nanos(0)},
                                   [this](Nanos grace) {
                                       stopped_with = grace;
                                       if (!is_deaf_to_stop) {
                                           world.manager->request_stop(grace);
                                       }
                                   },
                                   *reloader,
                                   *audit});
        ControlServer::Started started = ControlServer::start(
            std::move(*listener),
            [this](const Request& call) { return handle_request(*facts, call); },
            limits,
            std::move(admits));
        ASSERT_TRUE(started) << started.error();
        server = std::move(*started);
    }

    Response ask(const std::string& method,
                 const std::string& target,
                 const std::string& body = "") {
        const Result<Response, AskError> reply =
            ask_host(path, method, target, body, std::chrono::seconds(60));
        if (!reply) {
            ADD_FAILURE() << target << ": " << reply.error().why;
            return {};
        }
        return *reply;
    }

    // All that comes back for these bytes.
    std::string say(const std::string& text) const {
        const test::RawClient client(path);
        (void)client.say(text);  // the server may have had enough before the end
        return client.hear();
    }

    std::vector<std::string> heard_so_far() {
        const MutexLock lock(mutex);
        return received;
    }

    void expect_unharmed() {
        EXPECT_EQ(ask("GET", "/v1/host").status, 200);
        EXPECT_EQ(world.state("b"), WorkerState::running);
    }

    const test::TempFolder folder;
    const std::string path = folder / "bees.sock";
    ControlLimits limits;
    Mutex mutex;
    std::vector<std::string> received GUARDED_BY(mutex);
    test::World<SteadyClock> world{Manager::When::asked};
    const std::unique_ptr<Audit> audit = Audit::open(folder / "audit.jsonl", "bees").value();
    Probations probations;
    std::optional<Reloader> reloader;  // of a topology that does not exist
    std::optional<ControlWorld> facts;
    std::atomic<bool> is_deaf_to_stop{false};
    std::atomic<Nanos> stopped_with{Nanos(-1)};
    std::unique_ptr<ControlServer> server;
};

}  // namespace skep::host
