// What ./dev looks for and installs, and how it starts skep. A copy of the script runs with its own
// PATH, in which apt-get and all that builds are stand-ins, and with another root of the system.
#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/process.hpp"
#include "tests/support/temp_folder.hpp"

namespace skep::test {
namespace {

namespace fs = std::filesystem;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::IsEmpty;

class Dev : public testing::Test {
protected:
    Dev() {
        for (const char* const name : {"system/usr/include/x86_64-linux-gnu", "bin", "build"}) {
            fs::create_directories(folder / name);
        }
        fs::copy_file(SKEP_SOURCE_DIR "/dev", folder / "dev");
        // The tools of every system. All others are there when a test says so.
        for (const char* const tool : {
                 "awk",   "bash",   "cat",   "chmod",    "cut", "dirname", "env",  "grep",
                 "mkdir", "nproc",  "paste", "readlink", "sed", "sh",      "sort", "touch",
                 "cp",    "mktemp", "rm",    "seq",      "tee", "uname",
             }) {
            const std::string place = std::string("/usr/bin/") + tool;
            fs::create_symlink(fs::exists(place) ? place : std::string("/bin/") + tool,
                               folder.path(std::string("bin/") + tool));
        }
        add_program("sudo", "exec \"$@\"");
    }

    // Replaces one that is there, but not the tool that a link leads to.
    void add_program(const std::string& name, const std::string& body) const {
        fs::remove(folder / ("bin/" + name));
        write_program("bin/" + name, body);
    }

    void write_program(const std::string& path, const std::string& body) const {
        folder.write(path, "#!/bin/sh\n" + body + "\n");
        fs::permissions(folder / path, fs::perms(0755));
    }

    // Finishes as the real one does: what it installs is appended to the file `installed`.
    void add_apt_get(const std::string& simulation = "") const {
        const std::string installed = folder / "installed";
        add_program("apt-get",
                    "case \"$*\" in\n*--simulate*) " +
                        (simulation.empty() ? "exit 0" : simulation) +
                        " ;;\n*' install '*) echo \"$@\" >> " + installed + " ;;\nesac");
    }

    [[nodiscard]] Finished dev(const Arguments& arguments) const {
        Arguments command = {"/bin/bash", folder / "dev"};
        command.insert(command.end(), arguments.begin(), arguments.end());
        return run(command, {{"PATH", folder / "bin"}, {"SKEP_DEV_SYSTEM", folder / "system"}});
    }

    [[nodiscard]] std::string installed() const {
        return fs::exists(folder / "installed") ? folder.read("installed") : "";
    }

    TempFolder folder;
};

TEST_F(Dev, LooksForWhatIsNeededInsteadOfPackages) {
    struct Row {
        std::string need, present;  // a file of the system, or a program `bin/NAME`
        bool is_met;
    };

    const std::vector<Row> rows = {
        {"program ninja", "bin/ninja", true},
        {"program ninja", "", false},
        {"header boost/version.hpp", "system/usr/include/boost/version.hpp", true},
        {"header boost/version.hpp", "system/usr/local/include/boost/version.hpp", true},
        {"header zlib.h", "system/usr/include/x86_64-linux-gnu/zlib.h", true},
        {"header boost/version.hpp", "system/opt/boost/version.hpp", false},
        {"file /usr/lib/*/runtime.a", "system/usr/lib/14/runtime.a", true},
        {"file /usr/lib/*/runtime.a", "system/usr/lib/runtime.a", false},
        {"pkg-config re2", "bin/pkg-config", true},
        {"pkg-config re2", "", false},
    };
    add_apt_get();
    for (const Row& row : rows) {
        folder.write("packages.txt", "# a comment\n" + row.need + " = the-package  # why\n");
        if (!row.present.empty()) {
            fs::create_directories(fs::path(folder / row.present).parent_path());
            write_program(row.present, "");
        }
        const Finished run = dev({"setup"});
        EXPECT_EQ(run.exit_code, 0) << run.err;
        if (row.is_met) {
            EXPECT_THAT(run.err, IsEmpty()) << row.need;
            EXPECT_THAT(installed(), IsEmpty()) << row.need;
        } else {
            EXPECT_THAT(run.err, HasSubstr("installing the-package")) << row.need;
            EXPECT_THAT(installed(), HasSubstr("--no-remove the-package")) << row.need;
        }
        fs::remove(folder / "installed");
        if (!row.present.empty()) {
            fs::remove(folder / row.present);
        }
    }
}

TEST_F(Dev, SaysInASentenceWhatConflicts) {
    struct Row {
        std::string simulation, told;
    };

    const std::vector<Row> rows = {
        {" libboost1.74-dev : Conflicts: libboost1.81-dev but 1.81.0-5 is to be installed",
         "'libboost1.74-dev' conflicts with 'libboost1.81-dev'"},
        {" a : Depends: b (>= 2) but it is not going to be installed\n"
         "     Breaks: c (< 3) but 2 is to be installed",
         "'a' breaks 'c', 'a' needs 'b'"},
        {"The following packages will be REMOVED:\n  libboost1.81-dev other\n"
         "The following NEW packages will be installed:\n  libboost-dev\n"
         "E: Packages need to be removed but remove is disabled.",
         "apt would remove 'libboost1.81-dev', apt would remove 'other'"},
        {"E: Unable to locate package libboost-dev", "apt knows no package 'libboost-dev'"},
        {"E: something else", "see apt-get install libboost-dev"},
    };
    folder.write("packages.txt", "header boost/version.hpp = libboost-dev\n");
    for (const Row& row : rows) {
        folder.write("simulation", row.simulation + "\n");
        add_apt_get("cat " + (folder / "simulation") + "; exit 100");
        const Finished run = dev({"setup"});
        EXPECT_EQ(run.exit_code, 1);
        EXPECT_THAT(run.err,
                    HasSubstr("cannot install 'libboost-dev' for the header 'boost/version.hpp': " +
                              row.told + "\ndev: hint: "));
        EXPECT_THAT(installed(), IsEmpty());
    }
}

TEST_F(Dev, NamesWhatIsMissingWhereThereIsNoApt) {
    folder.write("packages.txt", "header a.h = liba-dev\nprogram b = b-tools\n");
    const Finished run = dev({"setup"});
    EXPECT_EQ(run.exit_code, 1);
    EXPECT_THAT(run.err,
                HasSubstr("'liba-dev' for the header 'a.h', 'b-tools' for the program 'b'"));
}

TEST_F(Dev, RefusesANeedOfAnUnknownKind) {
    folder.write("packages.txt", "libboost-dev\n");
    const Finished run = dev({"setup"});
    EXPECT_EQ(run.exit_code, 1);
    EXPECT_THAT(run.err, HasSubstr("cannot look for 'libboost-dev "));
}

TEST_F(Dev, TheListsOfThisRepositoryAreWellFormed) {
    add_apt_get();
    for (const std::string list : {"packages.txt", "packages-check.txt", "packages-bench.txt"}) {
        fs::copy_file(SKEP_SOURCE_DIR "/" + list, folder / list);
        const Finished run = dev({"setup", list});
        EXPECT_EQ(run.exit_code, 0) << run.err;
        EXPECT_THAT(installed(), ContainsRegex("--no-remove( [a-z][a-z0-9.+-]+)+\n$")) << list;
    }
}

TEST_F(Dev, RunGivesSkepAllArgumentsThatFollow) {
    struct Row {
        Arguments arguments;
        std::string given;
    };

    const std::string quickstart = folder / "configs/quickstart.toml";
    const std::vector<Row> rows = {
        {{}, "run " + quickstart},
        {{"a.toml"}, "run a.toml"},
        {{"a.toml", "--summary", "x"}, "run a.toml --summary x"},
        {{"a.toml", "--", "--summary", "x"}, "run a.toml --summary x"},
        {{"--summary", "x"}, "run " + quickstart + " --summary x"},
        {{"--", "--summary", "x"}, "run " + quickstart + " --summary x"},
    };
    folder.write("packages.txt", "");
    folder.write("CMakePresets.json", "{}");
    fs::create_directories(folder / "build/release/bin");
    add_program("cmake", "echo cmake version 3.25.1");
    add_program("g++", "echo 12.2.0");
    write_program("build/release/bin/skep", "echo \"$@\"");
    for (const Row& row : rows) {
        Arguments arguments = {"run"};
        arguments.insert(arguments.end(), row.arguments.begin(), row.arguments.end());
        const Finished run = dev(arguments);
        EXPECT_EQ(run.exit_code, 0) << run.err;
        EXPECT_EQ(run.out, row.given + "\n");
    }
}

// bench/instructions.sh with a stand-in for valgrind, which says what `count` holds.
class InstructionGate : public Dev {
protected:
    InstructionGate() {
        fs::create_directories(folder / "bench");
        fs::copy_file(SKEP_SOURCE_DIR "/bench/instructions.sh", folder / "bench/instructions.sh");
        add_program("g++", "echo 12");
        add_program("uname", "echo x86_64");
        add_program("valgrind",
                    "for word; do case $word in --log-file=*) log=${word#--log-file=} ;; esac; "
                    "done\necho \"==1== Collected : $(cat " +
                        (folder / "count") + ")\" >\"$log\"");
    }

    [[nodiscard]] Finished measure(const std::string& committed, const std::string& count) const {
        folder.write("bench/instructions.txt", committed);
        folder.write("count", count);
        return run({"/bin/bash", folder / "bench/instructions.sh", "build", folder / "measured"},
                   {{"PATH", folder / "bin"}});
    }
};

TEST_F(InstructionGate, FailsOnARiseOfMoreThanThreePercent) {
    struct Row {
        std::string first_line, st, measured;
        int exit_code;
        std::string told;
    };

    const std::string here = "# g++ 12-x86_64\n";
    const std::vector<Row> rows = {
        {here,
         "st 1000000",
         "1030000",
         0,
         "committed      1000000  measured      1030000  +3.00 %"},
        {here,
         "st 1000000",
         "1031000",
         1,
         "committed      1000000  measured      1031000  +3.10 %"},
        {here, "st 1000000", "1031000", 1, "error: more than 3 % over the committed figures: st\n"},
        {here, "st 1000000", "1031000", 1, "measured " + (folder / "bench/instructions.txt")},
        {here, "st 1000000", "900000", 0, "fewer than committed: st\n"},
        {here, "", "1000000", 1, "error: no figure is committed for st\n"},
        {"# g++ 13-x86_64\n",
         "st 1000000",
         "2000000",
         0,
         "not compared: the committed figures are of g++ 13-x86_64, and this is g++ 12-x86_64\n"},
    };
    for (const Row& row : rows) {
        const std::string others = "pl " + row.measured + "\nring.1k " + row.measured +
                                   "\nquickstart " + row.measured + "\n";
        const Finished run = measure(row.first_line + row.st + "\n" + others, row.measured);
        EXPECT_EQ(run.exit_code, row.exit_code) << run.out << run.err;
        EXPECT_THAT(run.out, HasSubstr(row.told)) << run.err;
    }
}

TEST_F(InstructionGate, FailsWithTheOutputOfARunThatFails) {
    add_program(
        "valgrind",
        "for word; do case $word in --log-file=*) : >\"${word#--log-file=}\" ;; esac; done\n"
        "echo lost; exit 1");
    const Finished run = measure("# g++ 12-x86_64\n", "");
    EXPECT_EQ(run.exit_code, 1);
    EXPECT_THAT(run.err, HasSubstr("instructions: 'st' failed: "));
    EXPECT_THAT(run.err, HasSubstr("lost\n"));
}

}  // namespace
}  // namespace skep::test
