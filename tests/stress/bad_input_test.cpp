// A host at full load is given plugins and topologies that are broken as a disk, a copy or an
// editor breaks them. Each is refused with its cause, and nobody at work notices. The number of
// tries is multiplied by the environment variable SKEP_STRESS.
//
// A flipped bit is where the loader looks before it runs anything (headers and notes), and some of
// those mean nothing: such a plugin may as well be taken.
#include <cstdlib>
#include <filesystem>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "host/control/client.hpp"
#include "tests/support/process.hpp"
#include "tests/support/swap_load.hpp"
#include "tests/support/temp_folder.hpp"

namespace skep::test {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

class BadInput : public testing::Test {
protected:
    void SetUp() override {
        fs::copy_file(SKEP_PLUGIN_DIR "/libblackhole.so", folder / "libplugin.so");
        plugin = folder.read("libplugin.so");
        replace("bees.toml", topology);
        // What it logs goes to a file: nobody reads it meanwhile.
        const std::string command = std::string("exec ") + SKEP_EXECUTABLE + " run " +
                                    (folder / "bees.toml") + " --control " + socket +
                                    " --log-level error 2> " + (folder / "log");
        host.emplace(Arguments{"/bin/sh", "-c", command}, Variables(), fuse());
        while (!fs::exists(socket)) {
            std::this_thread::yield();
        }
        (void)ask("GET", "/v1/wait");  // until all run
    }

    // How long all tries take at most.
    static std::chrono::seconds fuse() { return std::chrono::seconds(180 + many(60)); }

    // As an installer does it.
    void replace(const std::string& name, const std::string& bytes) const {
        folder.write("new", bytes);
        fs::permissions(folder / "new", fs::perms(0755));
        fs::rename(folder / "new", folder / name);
    }

    std::string ask(const std::string& method, const std::string& target) {
        const auto reply = host::ask_host(socket, method, target, "", std::chrono::minutes(1));
        if (!reply) {
            ADD_FAILURE() << target << ": " << reply.error().why;
            return "";
        }
        return reply->body;
    }

    // "applied", "no change", or "refused", which names the file.
    std::string reload(const std::string& file) {
        const std::string reply = ask("POST", "/v1/reload");
        for (const char* const verdict : {"applied", "no change"}) {
            if (reply.find("\"verdict\":\"" + std::string(verdict) + "\"") != std::string::npos) {
                return verdict;
            }
        }
        EXPECT_THAT(reply, AllOf(HasSubstr(R"("verdict":"refused")"), HasSubstr(file)));
        return "refused";
    }

    std::size_t any(std::size_t below) { return random() / 7 % below; }

    const TempFolder folder;
    const std::string socket = folder / "sock";
    std::string plugin;
    // Whatever is cut off, something is missing.
    const std::string topology =
        "version = 1\nname = \"bees\"\nhost.plugin_path = [\".\"]\n"
        "[[route]]\nfrom = \"source\"\nto = \"sink\"\n"
        "[worker.source]\nplugin = \"generate\"\n[worker.sink]\nplugin = \"plugin\"\n";

    // The same each time, unless SKEP_SEED says otherwise.
    static unsigned seed() {
        const char* const wanted = std::getenv("SKEP_SEED");
        return wanted == nullptr ? 17 : static_cast<unsigned>(std::atoi(wanted));
    }

    std::minstd_rand random{seed()};
    std::optional<Process> host;
};

TEST_F(BadInput, IsRefusedWithItsCauseAndNobodyNotices) {
    constexpr std::size_t headers = 0x2fc;  // of ELF, its segments, and the notes
    std::map<std::string, int> taken;
    const int tries = many(200);
    for (int i = 0; i < tries; ++i) {
        std::string bad = i % 5 < 3 ? plugin : topology;
        switch (i % 5) {
            case 0:
                bad.resize(any(bad.size()));
                break;
            case 1: {  // a tail that never reached the disk
                const std::size_t start = any(headers);
                bad.replace(start, bad.size() - start, bad.size() - start, '\0');
                break;
            }
            case 2: {
                char& byte = bad.at(any(headers));
                byte = static_cast<char>(byte ^ (1 << any(8)));
                break;
            }
            case 3:
                bad.resize(any(bad.size() - 3));
                break;
            default:
                bad.insert(any(bad.size()), 1, '\x01');
        }
        const bool is_plugin = i % 5 < 3;
        replace(is_plugin ? "libplugin.so" : "bees.toml", bad);
        const std::string verdict = reload(is_plugin ? "plugin" : "bees.toml");
        if (i % 5 != 2) {
            EXPECT_EQ(verdict, "refused") << i;
        }
        taken[verdict] += 1;
        replace("libplugin.so", plugin);
        replace("bees.toml", topology);
        if (verdict == "applied") {
            EXPECT_EQ(reload(""), "applied") << i;
        }
    }
    EXPECT_EQ(reload(""), "no change");
    EXPECT_THAT(ask("GET", "/v1/workers/sink"),
                AllOf(HasSubstr(R"("state":"running")"),
                      HasSubstr(R"("errors":0,)"),
                      HasSubstr(R"("swaps":)" + std::to_string(2 * taken["applied"]) + ",")));
    (void)ask("POST", "/v1/stop");
    EXPECT_EQ(host->wait().exit_code, 0);
    EXPECT_THAT(folder.read("log"), HasSubstr("balanced"));
    for (const auto& [verdict, times] : taken) {
        RecordProperty(verdict, times);
    }
}

}  // namespace
}  // namespace skep::test
