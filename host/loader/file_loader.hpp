// The Loader for plugins that are files:
//
//   open   1. trust     read the file once, if no other user could have written it (trust.hpp)
//          2. ELF       a whole shared object for this machine, with a note (elf_file.hpp); then
//                       the libraries that it brings (brought_libraries.hpp)
//          3. ABI       the note fits this host, and the entry exists (abi_check.hpp)
//          4. stage     a private copy under a name that was never used before
//                       (staging_folder.hpp), which asks for private copies of its libraries
//                       (elf_names.hpp)
//          5. dlopen    on a short-lived thread, with the call of the entry (shared_object.hpp)
//          6. describe  the descriptor keeps the rules and agrees with the note (describe.hpp)
//   close  dlclose on a short-lived thread, then the proof, or the most likely cause of a pin; a
//          library that the process would still call is not closed (left_behind.hpp)
//
// Up to step 4 no code of the plugin has run here, and a file that fails these steps leaves nothing
// behind. inspect() tries the plugin in a child process before step 5 (probe.hpp), once for each
// content.
//
// A pinned library keeps its private copy until a later open or close finds it unmapped: only then
// does glibc collect a library whose thread_local lived on. keep() keeps copies longer, so that an
// earlier plan can be opened again.
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

// The libraries that a plugin brings, as staged files.
struct Brought {
    std::vector<std::shared_ptr<const StagedFile>> copies;
    std::vector<std::string> paths;  // of the user's files
    bool thread_exits = false, static_tls = false;
    std::string thread_keys, registers;  // as in ElfFacts, with the name of the library
};

// The parts from which a library is made.
struct OpenedFile {
    std::string path;     // the user's file
    std::string content;  // see PluginInfo
    ElfFacts facts;
    Brought brought;
    std::string copy, copy_content;  // the private copy, and a hash of it
};

// One thread at a time.
class FileLoader final : public Loader {
public:
    // Fails if no folder can hold the private copies.
    [[nodiscard]] static Result<std::unique_ptr<FileLoader>> create(
        const std::vector<std::string>& staging_parents = StagingFolder::usual_parents());

    // Enables the probe: from now on inspect() first tries a plugin in a child process of this
    // executable, which is skep. open() tries nothing, because its caller has inspected the plugin.
    // A running probe ends early once `is_cancelled` is true. The flag must outlive this; null:
    // probes are not cancelled.
    void probe_with(std::string executable, const std::atomic<bool>* is_cancelled = nullptr) {
        probe_executable_ = std::move(executable);
        is_cancelled_ = is_cancelled;
    }

    // Tries these plugins in one child process, so that inspect() needs no child process for each.
    void probe_all(const std::vector<std::string>& paths);

    // Creates `workers` of the plugin at `path` in a child process. The error is a text for users.
    [[nodiscard]] Result<Done> probe_create(const std::string& path,
                                            const std::string& content,
                                            std::vector<ProbeWorker> workers);

    using Loader::open;
    [[nodiscard]] Result<std::shared_ptr<Library>> open(const std::string& path,
                                                        const std::string& content) override;

    // Precondition: a library of this loader. A library whose threads still live is left mapped:
    // closing it would unmap the code of those threads.
    UnloadReport close(std::shared_ptr<Library> library) override;
    void abandon(std::shared_ptr<Library> library, std::string cause) override;

    void keep(std::set<std::string> contents) override;
    [[nodiscard]] std::vector<LibraryFacts> left() override;

    // Returns the plugin's description of itself. Opens and closes the plugin, unless it has done
    // so before with the same content.
    [[nodiscard]] Result<PluginInfo> inspect(const std::string& path);

    [[nodiscard]] const std::string& staging_folder() const { return staging_->folder(); }

    // Removes the private copies, for a process that ends without the destructor.
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
    const std::atomic<bool>* is_cancelled_ = nullptr;          // cancels the probe
    std::map<std::string, Result<Done, std::string>> probed_;  // by content
    std::map<std::string, PluginInfo> known_;                  // results of inspect(), by content
    std::set<std::string> kept_;                               // contents
    std::map<std::string, std::weak_ptr<const StagedFile>> libraries_;  // by content
    std::vector<Closed> closed_;  // libraries that were mapped at the last look, or are to be kept
};

}  // namespace skep::host
