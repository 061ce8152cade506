// The Loader for plugins that are files:
//
//   open   1. trust     read the file once, if nobody else could have written it (trust.hpp)
//          2. ELF       a whole shared object for this machine, with a note (elf_file.hpp); then
//                       the libraries that it brings (brought_libraries.hpp)
//          3. ABI       the note fits this host, and there is an entry (abi_check.hpp)
//          4. stage     a private copy under a name that was never used before (stage.hpp), which
//                       asks for private copies of its libraries (elf_names.hpp)
//          5. dlopen    on a short-lived thread, with the call of the entry (shared_object.hpp)
//          6. describe  the descriptor keeps the rules and agrees with the note (describe.hpp)
//   close  dlclose on a short-lived thread, then the proof, or the most likely cause of a pin;
//          nothing is closed that the process would still call (left_behind.hpp)
//
// Up to step 4 no code of the plugin has run here, and no file that fails them is left behind.
// inspect() tries the plugin in a child process before step 5 (probe.hpp), once for each content.
//
// What is pinned keeps its private copy until it is found unmapped at a later open or close: glibc
// collects a library whose thread_local lived on only then. What keep() names keeps it longer: a
// plan that was in force before can then be opened again.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "host/loader/elf_file.hpp"
#include "host/loader/loader.hpp"
#include "host/loader/probe_request.hpp"
#include "host/loader/staging_folder.hpp"
#include "host/loader/trust.hpp"

namespace skep::host {

// The libraries that a plugin brings, as far as it matters once they are staged.
struct Brought {
    std::vector<std::shared_ptr<const StagedFile>> copies;
    std::vector<std::string> paths;  // of the user's files
    bool thread_exits = false, static_tls = false;
    std::string thread_keys, registers;  // as in ElfFacts, with the name of the library
};

// What becomes a library.
struct OpenedFile {
    std::string path;     // the user's
    std::string content;  // of PluginInfo
    ElfFacts facts;
    Brought brought;
    std::string copy, copy_content;  // the private copy, and a hash of it
};

// One thread at a time.
class FileLoader final : public Loader {
public:
    // Fails when there is no place for the private copies.
    [[nodiscard]] static Result<std::unique_ptr<FileLoader>> create(
        const std::vector<std::string>& staging_parents = StagingFolder::usual_parents());

    // From now on this executable, which is skep, tries a plugin in a child process before
    // inspect() opens it. open() tries nothing: whoever opens a plugin has inspected it. A probe
    // that runs ends early once `is_cancelled` is true, which outlives this; null: none does.
    void probe_with(std::string executable, const std::atomic<bool>* is_cancelled = nullptr) {
        probe_executable_ = std::move(executable);
        is_cancelled_ = is_cancelled;
    }

    // Tries these plugins in one child process, so that inspect() need not try each in its own.
    void probe_all(const std::vector<std::string>& paths);

    // Creates `workers` of the plugin at `path` in a child process. The error is for people.
    [[nodiscard]] Result<Done> probe_create(const std::string& path,
                                            const std::string& content,
                                            std::vector<ProbeWorker> workers);

    using Loader::open;
    [[nodiscard]] Result<std::shared_ptr<Library>> open(const std::string& path,
                                                        const std::string& content) override;

    // Libraries of this loader alone. A library that is given back while a thread of its own lives
    // on is left mapped: closing it would take the code from under that thread.
    UnloadReport close(std::shared_ptr<Library> library) override;
    void abandon(std::shared_ptr<Library> library, std::string cause) override;

    void keep(std::set<std::string> contents) override;
    [[nodiscard]] std::vector<LibraryFacts> left() override;

    // What the plugin at `path` says of itself: opens it and closes it again, unless it has done so
    // before with the same content.
    [[nodiscard]] Result<PluginInfo> inspect(const std::string& path);

    [[nodiscard]] const std::string& staging_folder() const { return staging_->folder(); }

    // For a process that ends without the destructor.
    void remove_copies() const { staging_->remove_all(); }

private:
    explicit FileLoader(std::unique_ptr<StagingFolder> stage)
        : staging_(std::move(stage)) {}

    struct Candidate;

    [[nodiscard]] static Result<Candidate> read(const std::string& path);
    [[nodiscard]] Result<OpenedFile> stage_candidate(const Candidate& candidate);
    [[nodiscard]] Result<Done> add_copy(OpenedFile& file, std::span<const std::byte> bytes);
    [[nodiscard]] Result<std::shared_ptr<Library>> open_candidate(const Candidate& candidate);
    [[nodiscard]] Result<Brought> stage_libraries(const Candidate& candidate);
    [[nodiscard]] Result<std::shared_ptr<Library>> open_copy(OpenedFile file);
    [[nodiscard]] std::vector<Result<Done, std::string>> probe_copies(
        std::span<const ProbeSubject> subjects) const;
    [[nodiscard]] Result<Done> probe_one(const Candidate& candidate);

    // A library that was closed, and its private copies.
    struct Closed {
        LibraryFacts library;
        std::string copy, copy_content;
        Brought brought;
    };

    [[nodiscard]] Result<std::shared_ptr<Library>> open_kept(const Closed& kept,
                                                             const std::string& path);

    void note_closed(const class FileLibrary& library, std::string cause);
    [[nodiscard]] const Closed* find_closed(const std::string& content) const;
    void look_at_closed();

    const std::unique_ptr<StagingFolder> staging_;
    std::string probe_executable_;                             // "": no probe
    const std::atomic<bool>* is_cancelled_ = nullptr;          // of the probe
    std::map<std::string, Result<Done, std::string>> probed_;  // by content
    std::map<std::string, PluginInfo> known_;  // what inspect() has seen, by content
    std::set<std::string> kept_;               // contents
    std::map<std::string, std::weak_ptr<const StagedFile>> libraries_;  // by their content
    std::vector<Closed> closed_;  // that were mapped when last looked at, or are to be kept
};

}  // namespace skep::host
