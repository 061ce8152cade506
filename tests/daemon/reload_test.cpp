// A host moves to another topology and to other plugins while it runs, by the real program.
#include <csignal>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/reload_fixture.hpp"

namespace skep::host {
namespace {

TEST_F(Reload, APluginThatWasReplacedTakesOverWithTheStateOfTheOldOne) {
    install("greeter_1");
    write(one_worker);
    start();
    greet("Ada", "version 1: hello Ada, number 1");
    EXPECT_EQ(reload(), "reload #1: no change: nothing changes; 1 stay\n");
    install("greeter_2");
    EXPECT_EQ(skep({"plan"}).out, "CHANGE  WORKER\nswap    w\nstay    0\n");
    greet("Bob", "version 1: hello Bob, number 2");
    EXPECT_EQ(reload(), "reload #2: applied: swap w; 0 stay\n");
    greet("Cid", "version 2: hello Cid, number 3");
    EXPECT_THAT(stop(), HasSubstr("worker 'w'@2: replaced generation 1"));
}

TEST_F(Reload, AStateFromTheFutureIsRefusedBeforeAnythingIsTouched) {
    install("greeter_2");
    write(one_worker);
    start();
    install("greeter_1");
    const Finished plan = skep({"plan"});
    EXPECT_EQ(plan.exit_code, 1);
    EXPECT_THAT(plan.err, HasSubstr("its state has version 2, but the successor accepts 1 to 1"));
    EXPECT_THAT(reload(1), HasSubstr("its state has version 2, but the successor accepts 1 to 1"));
    greet("Ada", "version 2: hello Ada, number 1");
    stop();
}

TEST_F(Reload, ATopologyWithAMistakeIsRefusedWithItsPlace) {
    install("greeter_1");
    write(one_worker);
    start();
    write(one_worker + "config = { wort = \"hi\" }\n");
    const std::string refusal = reload(1);
    EXPECT_THAT(refusal, HasSubstr("bees.toml:6:12: error"));
    EXPECT_THAT(refusal, HasSubstr("did you mean 'word'?"));
    const Finished plan = skep({"plan"});
    EXPECT_EQ(plan.exit_code, 1);
    EXPECT_THAT(plan.err, HasSubstr("did you mean 'word'?"));
    greet("Ada", "version 1: hello Ada, number 1");
    stop();
}

TEST_F(Reload, APluginThatCannotBeLoadedIsRefusedAndTheHostUnharmed) {
    install("greeter_1");
    write(one_worker);
    start();
    install("crashes_when_loaded");
    EXPECT_THAT(reload(1), HasSubstr("it crashed while it was loaded in a child process: SIGABRT"));
    install("undefined_symbol");
    EXPECT_THAT(reload(1), HasSubstr("undefined symbol"));
    install("greeter_2");
    fs::resize_file(folder / "libplugin.so", 5000);
    EXPECT_THAT(reload(1), HasSubstr("libplugin.so"));
    greet("Ada", "version 1: hello Ada, number 1");
    stop();
}

// What a cleaner of old files does, or the logout of the user.
TEST_F(Reload, GoesOnWhenItsPrivateCopiesAndItsSocketWereRemoved) {
    install("greeter_1");
    write(one_worker);
    start();
    greet("Ada", "version 1: hello Ada, number 1");
    std::vector<fs::path> removed;
    for (const fs::directory_entry& it : fs::directory_iterator(folder.path())) {
        if (it.path().filename().string().starts_with("skep")) {
            removed.push_back(it.path());
        }
    }
    EXPECT_GE(removed.size(), 2U);
    for (const fs::path& it : removed) {
        fs::remove_all(it);
    }
    ASSERT_TRUE(
        host->wait_for_err("was removed; the host listens at " + folder / "skep/bees.sock"));
    install("greeter_2");
    EXPECT_EQ(reload(), "reload #1: applied: swap w; 0 stay\n");
    greet("Bob", "version 2: hello Bob, number 2");
    stop();
}

// A way to deploy another release where the host was started in it, by a relative path.
struct Deployment {
    const char* what;
    std::function<void(const test::TempFolder&)> prepares, deploys;
};

TEST_F(Reload, ReadsTheReleaseThatReplacedTheOneItWasStartedIn) {
    const auto release = [](const test::TempFolder& where, const std::string& name, int number) {
        fs::create_directory(where / name);
        (void)where.write(name + "/bees.toml",
                          "version = 1\n[worker.w]\nplugin = \"generate\"\n"
                          "config = { interval = \"1h\", payload = \"" +
                              std::to_string(number) + "\" }\n");
    };
    const std::vector<Deployment> deployments = {
        {"the folder is removed and made again",
         [&](const auto& where) { release(where, "current", 1); },
         [&](const auto& where) {
             fs::remove_all(where / "current");
             release(where, "current", 2);
         }},
        {"the folder is moved away",
         [&](const auto& where) { release(where, "current", 1); },
         [&](const auto& where) {
             fs::rename(where / "current", where / "old");
             release(where, "current", 2);
         }},
        {"a link is turned over",
         [&](const auto& where) {
             release(where, "one", 1);
             fs::create_directory_symlink("one", where / "current");
         },
         [&](const auto& where) {
             release(where, "two", 2);
             fs::create_directory_symlink("two", where / "next");
             fs::rename(where / "next", where / "current");
         }},
    };
    for (const Deployment& it : deployments) {
        const test::TempFolder runtime;
        it.prepares(runtime);
        const test::Variables variables = {{"XDG_RUNTIME_DIR", runtime.path()},
                                           {"SKEP_CONTROL", ""}};
        Process started({"/bin/sh",
                         "-c",
                         "cd " + runtime / "current" +
                             " && exec " SKEP_EXECUTABLE " run ./bees.toml --summary s.json"},
                        variables);
        ASSERT_TRUE(started.wait_for_err("running 'bees'")) << it.what;
        it.deploys(runtime);
        const auto skep = [&](const char* verb) {
            return test::run({SKEP_EXECUTABLE, verb}, variables).out;
        };
        EXPECT_THAT(skep("status"), HasSubstr(runtime / "current/bees.toml")) << it.what;
        EXPECT_THAT(skep("reload"), HasSubstr("applied: swap w")) << it.what;
        skep("stop");
        EXPECT_EQ(started.wait().exit_code, 0) << it.what << started.wait().err;
        EXPECT_THAT(runtime.read("current/s.json"), HasSubstr("\"balanced\":true")) << it.what;
    }
}

TEST_F(Reload, APluginWithStaticTlsGetsNoSuccessor) {
    install("static_tls");
    write(one_worker + source);
    start();
    std::ofstream(folder / "another", std::ios::binary)
        << std::ifstream(folder / "libplugin.so", std::ios::binary).rdbuf() << "x";
    fs::rename(folder / "another", folder / "libplugin.so");
    EXPECT_THAT(reload(1),
                HasSubstr("worker 'w' cannot get a successor: its plugin has static TLS"));
    stop();
}

TEST_F(Reload, APluginWithASlowConstructorIsNamed) {
    write(source);
    start();
    install("slow_constructor");
    write(source + one_worker);
    EXPECT_THAT(reload(), HasSubstr("applied: start w; 1 stay"));
    EXPECT_THAT(stop(),
                testing::ContainsRegex("plugin org.skep.test.slow_constructor: its static "
                                       "constructors are slow: loading it took [0-9]+ ms"));
}

TEST_F(Reload, AWorkerThatBecomesReplicasEmitsItsStateAndThePlanSaysThatItEnds) {
    const std::string counting = R"([worker.show]
plugin = "console"
[worker.count]
plugin = "count"
config = { group_by = "k" }
[[route]]
from = "count.rows"
to = "show"
)";
    write(counting);
    start();
    for (int i = 0; i < 4; ++i) {
        EXPECT_EQ(skep({"send", "count", R"({"k":"a"})"}).exit_code, 0);
    }
    std::string scaled = counting;
    scaled.replace(scaled.find("config"), 0, "replicas = 2\n");
    write(scaled);
    EXPECT_THAT(skep({"plan"}).out, testing::ContainsRegex("state ends +count\n"));
    EXPECT_THAT(skep({"plan", "-o", "json"}).out, HasSubstr(R"("state_ends":["count"])"));
    EXPECT_THAT(reload(), HasSubstr("the state of count ends"));
    EXPECT_EQ(skep({"send", "count#1", R"({"k":"a"})"}).exit_code, 0);
    stop();
    EXPECT_EQ(host->wait().out, "{\"k\":\"a\",\"count\":4}\n{\"k\":\"a\",\"count\":1}\n");
}

TEST_F(Reload, ByASignalWorkersComeAndGo) {
    install("greeter_1");
    write(one_worker + "[worker.old]\nplugin = \"plugin\"\n");
    start();
    write(one_worker + "[worker.young]\nplugin = \"plugin\"\n");
    host->send(SIGHUP);
    ASSERT_TRUE(
        host->wait_for_err("applied: start young; stop old; 1 stay; the state of old ends"));
    EXPECT_EQ(skep({"send", "young", "x"}).exit_code, 0);
    write(one_worker + "[worker.young]\nplugin = \"plugin\"\nconfig = { word = \"hi\" }\n");
    host->send(SIGHUP);
    ASSERT_TRUE(host->wait_for_err("applied: swap young; 1 stay"));
    EXPECT_EQ(skep({"send", "young", "Eve"}).exit_code, 0);
    EXPECT_TRUE(host->wait_for_err("version 1: hi Eve, number 2"));
    stop();
}

TEST_F(Reload, WhatARunningHostCannotChangeIsNamed) {
    install("greeter_1");
    write(one_worker);
    start();
    write("name = \"wasps\"\n" + one_worker);
    EXPECT_THAT(reload(1), HasSubstr("cannot change from 'bees' to 'wasps'"));
    write(one_worker + "[[schedule]]\nat = \"1s\"\naction = \"stop\"\n");
    EXPECT_THAT(reload(1), HasSubstr("[[schedule]] differs"));
    stop();
}

TEST_F(Reload, AWorkerGoesToAPoolToAnotherOneAndBack) {
    install("greeter_1");
    write(one_worker);
    start();
    greet("Ada", "version 1: hello Ada, number 1");
    write(one_worker + "run = { pool = \"p\" }\n[pool.p]\n");
    EXPECT_THAT(reload(), HasSubstr("applied: swap w; 0 stay"));
    greet("Bob", "version 1: hello Bob, number 2");
    write(one_worker + "run = { pool = \"p\" }\n[pool.p]\nthreads = 3\n");
    EXPECT_THAT(reload(), HasSubstr("applied: swap w; 0 stay"));
    greet("Cid", "version 1: hello Cid, number 3");
    write(one_worker);
    EXPECT_THAT(reload(), HasSubstr("applied: swap w; 0 stay"));
    greet("Eve", "version 1: hello Eve, number 4");
    stop();
}

TEST_F(Reload, ARollbackBringsBackAPluginWhoseFileIsGone) {
    install("greeter_1");
    write(one_worker);
    start();
    const Finished nothing = skep({"rollback"});
    EXPECT_EQ(nothing.exit_code, 1);
    EXPECT_EQ(nothing.out, "rollback #1: refused: cannot roll back: there is no previous plan\n");
    greet("Ada", "version 1: hello Ada, number 1");
    fs::rename(folder / "libplugin.so", folder / "libgreeter.so");
    const std::string renamed = "[worker.w]\nplugin = \"greeter\"\n";
    for (const std::string word : {"hi", "hey"}) {
        write(renamed + "config = { word = \"" + word + "\" }\n");
        EXPECT_THAT(reload(), HasSubstr("applied: swap w; 0 stay"));
    }
    greet("Bob", "version 1: hey Bob, number 2");
    ASSERT_EQ(skep({"rollback"}).out, "rollback #4: applied: swap w; 0 stay\n");
    greet("Cid", "version 1: hi Cid, number 3");
    ASSERT_EQ(skep({"rollback"}).out, "rollback #5: applied: swap w; 0 stay\n");
    greet("Dan", "version 1: hello Dan, number 4");
    EXPECT_THAT(skep({"generations"}).out,
                testing::ContainsRegex("greeter  1.0.0 .* in use +w@5 *\n"));
    EXPECT_THAT(skep({"plan"}).out, HasSubstr("swap    w")) << "the topology is as it was";
    stop();
}

TEST_F(Reload, AVersionThatFailsOnProbationIsRolledBackAndTheVerdictSaysSo) {
    probation = "1m";
    install("greeter_1");
    write(one_worker);
    start();
    greet("Ada", "version 1: hello Ada, number 1");
    install("greeter_2");
    Process reloading({SKEP_EXECUTABLE, "reload"}, variables());
    ASSERT_TRUE(reloading.wait_for_err("reload #1: in force, on probation: swap w; 0 stay\n"));
    greet("Bob", "version 2: hello Bob, number 2");
    EXPECT_EQ(skep({"send", "w", "nobody"}).exit_code, 0);
    const Finished& ended = reloading.wait();
    EXPECT_EQ(ended.exit_code, 1);
    const std::string verdict =
        "swap w; 0 stay; w@2 failed after 1 messages, w@1 is back: on_message: there is nobody to "
        "greet";
    EXPECT_EQ(ended.out, "reload #1: rolled back: " + verdict + "\n");
    greet("Cid", "version 1: hello Cid, number 2");
    EXPECT_THAT(stop(), HasSubstr("): rolled back: " + verdict));
    std::stringstream audit;
    audit << std::ifstream(folder / "audit.jsonl").rdbuf();
    EXPECT_THAT(audit.str(), HasSubstr(R"("verdict":"rolled back","text":")" + verdict));
}

TEST_F(Reload, WhoDoesNotWaitForTheProbationIsAnsweredWhenThePlanIsInForce) {
    probation = "1h";
    install("greeter_1");
    write(one_worker);
    start();
    install("greeter_2");
    const Finished in_force = skep({"reload", "--in-force"});
    EXPECT_EQ(in_force.out, "reload #1: in force, on probation: swap w; 0 stay\n");
    EXPECT_EQ(in_force.exit_code, 0);
    EXPECT_THAT(skep({"reload", "--in-force", "-o", "json"}).out,
                HasSubstr(R"("number":2,"run":2,"verdict":"no change","final":true)"));
    EXPECT_THAT(stop(), testing::ContainsRegex(R"(reload #1 \(.*\): applied: swap w)"))
        << "the next trigger has cut the probation short";
}

TEST_F(Reload, AHostThatWatchesMovesToWhatIsNewByItself) {
    const std::string watches = "host.watch = true\n";
    install("greeter_1");
    write(watches + one_worker);
    start();
    greet("Ada", "version 1: hello Ada, number 1");
    install("greeter_2");
    ASSERT_TRUE(host->wait_for_err("worker 'w'@2: replaced generation 1"));
    greet("Bob", "version 2: hello Bob, number 2");
    write(watches + one_worker + "config = { wort = \"hi\" }\n");
    ASSERT_TRUE(host->wait_for_err("did you mean 'word'?"));
    write(watches + one_worker + "config = { word = \"hi\" }\n");
    ASSERT_TRUE(host->wait_for_err("worker 'w'@3: replaced generation 2"));
    greet("Cid", "version 2: hi Cid, number 3");
    write(one_worker + "config = { word = \"hi\" }\n");
    ASSERT_TRUE(host->wait_for_err("applied: settings; 1 stay"));
    stop();
}

TEST_F(Reload, TheAuditLogTellsWhoDidWhatAndWhatCameOfIt) {
    install("greeter_1");
    write(one_worker);
    start();
    greet("Ada", "version 1: hello Ada, number 1");
    install("greeter_2");
    (void)reload();
    const std::string refused = skep({"rollback"}).out;
    EXPECT_THAT(refused, HasSubstr("its state has version 2"));
    stop();
    std::ifstream file(folder / "audit.jsonl");
    std::vector<std::string> lines;
    std::vector<std::string> unloaded;  // whenever that is
    for (std::string line; std::getline(file, line);) {
        const bool is_unloaded = line.find(R"("event":"unloaded")") != std::string::npos;
        (is_unloaded ? unloaded : lines).push_back(std::move(line));
    }
    using testing::AllOf;
    const auto has = [](const std::string& text) { return HasSubstr(text); };
    ASSERT_EQ(lines.size(), 4U);
    EXPECT_THAT(lines[0], AllOf(has(R"("event":"command","verb":"send")"), has(R"("worker":"w")")));
    EXPECT_THAT(
        lines[1],
        AllOf(has(R"("event":"reload","number":1,"who":"control socket, uid )"),
              has(R"("verdict":"applied","text":"swap w; 0 stay","changes":{"swap":["w"])"),
              testing::ContainsRegex(R"("steps_ms":\{"read":[0-9.e-]+,"open":[0-9.e-]+,)"
                                     R"("make":[0-9.e-]+,"take":[0-9.e-]+\})"),
              has(R"("swapped":[{"worker":"w","generation":2,)"),
              has(R"(greeter 2.0.0")"),
              testing::ContainsRegex(R"("hash_before":"[0-9a-f]{64}","hash":"[0-9a-f]{64}")"),
              testing::ContainsRegex(R"("blackout_ns":[0-9]+,"state_bytes":1,"queued":0)")));
    EXPECT_THAT(lines[2], AllOf(has(R"("event":"rollback")"), has(R"("verdict":"refused")")));
    EXPECT_THAT(lines[3], has(R"("verb":"stop")"));
    // The first version after the probation, and again after the rollback that was refused.
    EXPECT_THAT(unloaded, testing::ElementsAre(has("1.0.0"), has("1.0.0"), has("2.0.0")));
}

TEST_F(Reload, WhoAcceptsThatStateIsLostCanGoBackToAnOlderPlugin) {
    install("greeter_1");
    write(one_worker);
    start();
    install("greeter_2");
    (void)reload();
    greet("Ada", "version 2: hello Ada, number 1");
    EXPECT_EQ(skep({"rollback"}).exit_code, 1);
    EXPECT_EQ(skep({"rollback", "--discard-state"}).out, "rollback #3: applied: swap w; 0 stay\n");
    greet("Bob", "version 1: hello Bob, number 1");
    EXPECT_THAT(stop(),
                HasSubstr("worker 'w'@3: started without state: cannot load that of generation 2"));
}

// For who builds a plugin: nothing in the topology says so, and nothing is over when its source is.
TEST_F(Reload, DevTakesWhateverIsBuiltAnewUntilItIsInterrupted) {
    install("greeter_1");
    write(one_worker +
          "[worker.source]\nplugin = \"generate\"\nconfig.count = 1\n"
          "[[route]]\nfrom = \"source\"\nto = \"w\"\n");
    start("dev");
    ASSERT_TRUE(host->wait_for_err("number 1")) << host->wait().err;
    install("greeter_2");
    ASSERT_TRUE(host->wait_for_err("(watch): applied: swap w; 1 stay"));
    host->send(SIGINT);
    EXPECT_EQ(host->wait().exit_code, 0) << host->wait().err;
}

// Every line of the file arrives once, whatever is reloaded on the way.
TEST_F(Reload, ShippedPluginsGoOnWhereTheyAre) {
    constexpr int lines = 200'000;
    {
        std::ofstream log(folder / "log");
        for (int i = 0; i < lines; ++i) {
            log << "user=u" << i % 3 << "\n";
        }
    }
    const auto topology = [this](const std::string& max_line, const std::string& every) {
        return "[worker.tail]\nplugin = \"file_tail\"\nconfig = { path = \"" + (folder / "log") +
               "\", follow = true, max_line = \"" + max_line +
               "\" }\n"
               "[worker.count]\nplugin = \"count\"\nconfig = { group_by = \"user\", every = \"" +
               every +
               "\" }\n"
               "[worker.console]\nplugin = \"console\"\n"
               "[worker.parse]\nplugin = \"regex\"\nconfig.pattern = 'user=(?P<user>\\w+)'\n"
               "[[route]]\nfrom = \"tail\"\nto = \"parse\"\n"
               "[[route]]\nfrom = \"parse.ok\"\nto = \"count\"\n"
               "[[route]]\nfrom = \"count.rows\"\nto = \"console\"\n";
    };
    write(topology("1KiB", "1h"));
    start();
    for (int i = 2; i < 12; ++i) {
        write(topology(std::to_string(i) + "KiB", std::to_string(i) + "h"));
        EXPECT_THAT(reload(), HasSubstr("applied: swap tail, count; 2 stay"));
    }
    write(topology("1KiB", "1ms"));
    EXPECT_THAT(reload(), HasSubstr("applied"));
    EXPECT_TRUE(host->wait_for_out("\"u2\",\"count\":66666")) << host->wait().err;
    stop();
}

TEST_F(Reload, AReloadableParameterIsChangedWithoutASuccessor) {
    folder.write("log", "a=1 b=2\n");
    const auto topology = [this](const std::string& pattern) {
        return "[worker.tail]\nplugin = \"file_tail\"\nconfig = { path = \"" + (folder / "log") +
               "\", follow = true }\n"
               "[worker.console]\nplugin = \"console\"\n"
               "[worker.parse]\nplugin = \"regex\"\nconfig.pattern = '" +
               pattern +
               "'\n"
               "[[route]]\nfrom = \"tail\"\nto = \"parse\"\n"
               "[[route]]\nfrom = \"parse.ok\"\nto = \"console\"\n";
    };
    write(topology("a=(?P<a>.)"));
    start();
    EXPECT_TRUE(host->wait_for_out(R"({"a":"1"})"));
    write(topology("b=(?P<b>.)"));
    EXPECT_EQ(skep({"plan"}).out, "CHANGE       WORKER\nreconfigure  parse\nstay         2\n");
    EXPECT_EQ(reload(), "reload #1: applied: reconfigure parse; 2 stay\n");
    write(topology("b=(?P<b>.)("));
    EXPECT_THAT(
        reload(1),
        HasSubstr(
            "worker 'parse' keeps its parameters: reconfigure: cannot use pattern 'b=(?P<b>.)('"));
    std::ofstream(folder / "log", std::ios::app) << "a=3 b=4\n";
    EXPECT_TRUE(host->wait_for_out(R"({"b":"4"})"));
    EXPECT_THAT(stop(), testing::ContainsRegex("worker 'parse'@1: changed its parameters"));
}

}  // namespace
}  // namespace skep::host
