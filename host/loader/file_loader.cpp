#include "host/loader/file_loader.hpp"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <optional>

#include "host/base/contains.hpp"
#include "host/base/crash_report.hpp"
#include "host/base/fd.hpp"
#include "host/loader/abi_check.hpp"
#include "host/loader/brought_libraries.hpp"
#include "host/loader/content_hash.hpp"
#include "host/loader/describe.hpp"
#include "host/loader/elf_file.hpp"
#include "host/loader/elf_names.hpp"
#include "host/loader/left_behind.hpp"
#include "host/loader/pin_cause.hpp"
#include "host/loader/probe.hpp"
#include "host/loader/shared_object.hpp"
#include "host/loader/trust.hpp"

namespace skep::host {

class FileLibrary final : public Library {
public:
    FileLibrary(OpenedFile opened,
                PluginInfo plugin_info,
                const skep_plugin* descriptor,
                SharedObject shared_object)
        : Library(opened.path, std::move(plugin_info), descriptor),
          file(std::move(opened)),
          object(std::move(shared_object)),
          noted_code(note(object, path(), info())) {}

    const OpenedFile file;
    SharedObject object;
    const std::size_t noted_code;      // for crash reports, while the library is mapped
    std::vector<std::string> threads;  // threads that its constructors started

private:
    static std::size_t note(const SharedObject& object,
                            const std::string& path,
                            const PluginInfo& info) {
        const auto [begin, end] = object.range();
        return note_code(begin, end, {"", 0, info.id, info.version, path});
    }
};

namespace {

// The limit for the static constructors of a plugin. A child process has run them before.
constexpr std::chrono::seconds load_limit{5};

// Steps 2 and 3 of open.
Result<ElfFacts> check_file(std::span<const std::byte> bytes, const std::string& path) {
    Result<ElfFacts> facts = read_elf(bytes, path);
    if (!facts) {
        return facts;
    }
    if (!facts->note) {
        return failure(error_about(path,
                                   "not a skep plugin: no skep note",
                                   "write SKEP_PLUGIN in it (in C: SKEP_NOTE) and build it with "
                                   "skep_add_plugin"));
    }
    if (const Result<Done> fits = check_abi(*facts->note, path); !fits) {
        return failure(fits.error());
    }
    if (!facts->exports_entry) {
        return failure(error_about(path,
                                   "it has a skep note but does not export " SKEP_ENTRY_NAME,
                                   "build it with skep_add_plugin, and do not hide the entry"));
    }
    return facts;
}

// Returns the names that the private copy of an object with these facts must ask for, so that it
// gets the private copies of its libraries.
ElfNames names_of(const ElfFacts& facts,
                  const std::string& runpath,
                  const std::map<std::string, std::size_t>& needs,
                  const Brought& brought) {
    ElfNames names;
    for (const auto& [name, index] : needs) {
        names.needed.emplace(name, brought.copies[index]->path());
    }
    if (runpath != facts.runpath) {
        names.runpath = runpath;
    }
    return names;
}

std::string open_hint(const ElfFacts& facts, const std::string& words) {
    if (words.find("undefined symbol") != std::string::npos) {
        return "link the library that defines it; skep_add_plugin finds this when it links";
    }
    if (words.find("cannot open shared object file") != std::string::npos) {
        return "install the library that it names, or put it beside the plugin and link the plugin "
               "with -Wl,-rpath,'$ORIGIN'";
    }
    if (facts.static_tls && words.find("static TLS") != std::string::npos) {
        return "compile it without -ftls-model=initial-exec";
    }
    return {};
}

// Removes the name of the private copy, which means nothing to a user, from the loader's message.
std::string without(std::string words, const std::string& copy) {
    if (const std::size_t at = words.find(copy + ": "); at != std::string::npos) {
        words.erase(at, copy.size() + 2);
    }
    return words;
}

// The same for the message of a probe, which used another copy.
std::string without_copy(std::string words) {
    constexpr std::string_view before = "cannot be loaded: /";
    const std::size_t end = words.find(".so: ");
    if (words.starts_with(before) && end != std::string::npos) {
        words.erase(before.size() - 1, end + 5 - (before.size() - 1));
    }
    return words;
}

// Keeps a library of the system mapped for good if it creates keys with destructors: the values
// that it set on a longer-lived thread must not call into unmapped code. Each such library exists
// once, however often plugins change.
void keep_those_with_keys(const SharedObject& object, const Brought& brought) {
    for (const std::string& path : object.companions()) {
        const bool is_staged = std::any_of(brought.copies.begin(),
                                           brought.copies.end(),
                                           [&](const auto& copy) { return copy->path() == path; });
        if (is_staged) {
            continue;
        }
        const Result<FileBytes> bytes = read_trusted(path);
        if (!bytes) {
            continue;
        }
        if (const auto facts = read_elf(bytes->span(), path);
            facts && !facts->thread_keys.empty()) {
            SharedObject::keep_mapped(path);
        }
    }
}

// Steps 5 and 6 of open. Returns null if dlopen refused; otherwise the library is usable if
// `problems` is empty.
std::shared_ptr<FileLibrary> load(OpenedFile file, Diagnostics& problems) {
    const std::string path = file.path;
    const CrashPlace opening{"", 0, "", "", path};
    const CrashScope scope(opening, "dlopen");
    const ElfFacts& facts = file.facts;
    Result<SharedObject, std::string> object = SharedObject::open(file.copy);
    if (!object) {
        problems.push_back(error_about(file.path,
                                       "cannot be loaded: " + without(object.error(), file.copy),
                                       open_hint(facts, object.error())));
        return nullptr;
    }
    keep_those_with_keys(*object, file.brought);
    const auto entry = reinterpret_cast<skep_plugin_entry>(object->find(SKEP_ENTRY_NAME));
    const skep_plugin* descriptor = entry != nullptr ? entry() : nullptr;
    Result<PluginInfo> info = describe(descriptor, *facts.note, file.path);
    if (info) {
        info->content = file.content;
        info->libraries = file.brought.paths;
        info->build_id = facts.build_id;
        info->static_tls = facts.static_tls || file.brought.static_tls;
        info->thread_exits = facts.thread_exits || file.brought.thread_exits;
        info->thread_keys =
            facts.thread_keys.empty() ? file.brought.thread_keys : facts.thread_keys;
    } else {
        problems = std::move(info.error());
    }
    return std::make_shared<FileLibrary>(
        std::move(file), info ? std::move(*info) : PluginInfo{}, descriptor, std::move(*object));
}

// Returns the libraries that were loaded with it and are mapped, by the names that a user knows.
std::vector<std::string> companions_of(const FileLibrary& library) {
    const Brought& brought = library.file.brought;
    std::vector<std::string> companions = library.object.companions();
    for (std::string& it : companions) {
        for (std::size_t i = 0; i < brought.copies.size(); ++i) {
            if (it == brought.copies[i]->path()) {
                it = brought.paths[i];
            }
        }
    }
    return companions;
}

// Returns what would still call the plugin or its libraries after they are closed; "" if nothing.
std::string what_is_left_behind(const FileLibrary& library) {
    const Brought& brought = library.file.brought;
    const std::string& registers =
        library.file.facts.registers.empty() ? brought.registers : library.file.facts.registers;
    if (!registers.empty()) {
        return registers + " keeps a function of the library until the process ends";
    }
    std::vector<std::string> files = {library.file.copy};
    for (const auto& copy : brought.copies) {
        files.push_back(copy->path());
    }
    return left_behind(SharedObject::ranges_of(files));
}

struct Loaded {
    std::shared_ptr<FileLibrary> library;
    Diagnostics problems;
};

// Runs load() on its own thread: static constructors may hang here even if they did not in a child
// process.
Loaded load_within(OpenedFile file) {
    const std::string path = file.path;
    if (is_loader_stuck()) {
        return {nullptr,
                {error_about(path,
                             "cannot be loaded: the static constructors of another plugin hang, "
                             "and the C library loads one library at a time",
                             "restart the host")}};
    }
    const auto loaded = std::make_shared<Loaded>();
    const Ran ran = run_within(load_limit, [loaded, file = std::move(file)]() mutable {
        loaded->library = load(std::move(file), loaded->problems);
    });
    const int why_none = errno;
    if (ran == Ran::to_end) {
        return std::move(*loaded);
    }
    return {
        nullptr,
        {ran == Ran::no_thread
             ? error_about(path, "cannot create a thread to open it: " + error_text(why_none))
             : error_about(path,
                           "loading did not finish within " + std::to_string(load_limit.count()) +
                               " s: its static constructors hang",
                           "restart the host: until then it cannot load or unload plugins")}};
}

}  // namespace

Result<std::unique_ptr<FileLoader>> FileLoader::create(
    const std::vector<std::string>& staging_parents) {
    Result<std::unique_ptr<StagingFolder>> stage = StagingFolder::create(staging_parents);
    if (!stage) {
        return failure(stage.error());
    }
    return std::unique_ptr<FileLoader>(new FileLoader(std::move(*stage)));
}

struct FileLoader::Candidate {
    std::string path;
    FileBytes bytes;
    ElfFacts facts;
    BroughtLibraries libraries;
    std::string content;
};

// Steps 1 to 3 of open.
Result<FileLoader::Candidate> FileLoader::read(const std::string& path) {
    Result<FileBytes> bytes = read_trusted(path);
    if (!bytes) {
        return failure(bytes.error());
    }
    Result<ElfFacts> facts = check_file(bytes->span(), path);
    if (!facts) {
        return failure(facts.error());
    }
    Result<BroughtLibraries> libraries = find_brought_libraries(*facts, path, libraries_of_host());
    if (!libraries) {
        return failure(libraries.error());
    }
    std::string content = content_hash(bytes->span());
    if (!libraries->needs.empty()) {
        for (const auto& [name, index] : libraries->needs) {
            content += "\n" + name + " " + libraries->all[index].content;
        }
        content = content_hash(std::as_bytes(std::span(content)));
    }
    return Candidate{
        path, std::move(*bytes), std::move(*facts), std::move(*libraries), std::move(content)};
}

Result<std::shared_ptr<Library>> FileLoader::open(const std::string& path,
                                                  const std::string& content) {
    look_at_closed();
    if (const Closed* const kept = content.empty() ? nullptr : find_closed(content)) {
        return open_kept(*kept, path);
    }
    const Result<Candidate> candidate = read(path);
    if (!candidate) {
        return failure(candidate.error());
    }
    if (!content.empty() && candidate->content != content) {
        return failure(error_about(path, "the file has changed since the topology was read"));
    }
    return open_candidate(*candidate);
}

// Opens a kept library again, from private copies whose names are already replaced.
Result<std::shared_ptr<Library>> FileLoader::open_kept(const Closed& kept,
                                                       const std::string& path) {
    OpenedFile file{path, kept.library.content, {}, kept.brought, "", kept.copy_content};
    const Result<FileBytes> bytes = read_trusted(kept.copy);
    if (!bytes) {
        return failure(bytes.error());
    }
    if (content_hash(bytes->span()) != kept.copy_content) {
        return failure(error_about(path, "the private copy " + kept.copy + " has changed"));
    }
    Result<ElfFacts> facts = check_file(bytes->span(), path);
    if (!facts) {
        return failure(facts.error());
    }
    file.facts = std::move(*facts);
    if (const Result<Done> added = add_copy(file, bytes->span()); !added) {
        return failure(added.error());
    }
    return open_copy(std::move(file));
}

// Makes private copies of all libraries that the plugin brings, or reuses copies with the same
// content.
Result<Brought> FileLoader::stage_libraries(const Candidate& candidate) {
    Brought brought;
    for (const BroughtLibrary& it : candidate.libraries.all) {
        std::weak_ptr<const StagedFile>& known = libraries_[it.content];
        std::shared_ptr<const StagedFile> copy = known.lock();
        if (copy == nullptr || !copy->is_there()) {
            const Result<std::vector<std::byte>> named = with_names(
                it.bytes.span(), names_of(it.facts, it.runpath, it.needs, brought), it.path);
            if (!named) {
                return failure(named.error());
            }
            Result<std::string> added =
                staging_->add(*named,
                              std::filesystem::path(it.path).filename().string(),
                              it.content.substr(0, 8));
            if (!added) {
                return failure(added.error());
            }
            copy = std::make_shared<const StagedFile>(std::move(*added));
            known = copy;
        }
        brought.copies.push_back(std::move(copy));
        brought.paths.push_back(it.path);
        brought.thread_exits = brought.thread_exits || it.facts.thread_exits;
        brought.static_tls = brought.static_tls || it.facts.static_tls;
        const std::string name = std::filesystem::path(it.path).filename().string();
        if (!it.facts.thread_keys.empty()) {
            brought.thread_keys = name + ": " + it.facts.thread_keys;
        }
        if (!it.facts.registers.empty()) {
            brought.registers = name + ": " + it.facts.registers;
        }
    }
    return brought;
}

// Step 4 of open.
Result<OpenedFile> FileLoader::stage_candidate(const Candidate& candidate) {
    Result<Brought> brought = stage_libraries(candidate);
    if (!brought) {
        return failure(brought.error());
    }
    const BroughtLibraries& libraries = candidate.libraries;
    const ElfNames names = names_of(candidate.facts, libraries.runpath, libraries.needs, *brought);
    OpenedFile file{
        candidate.path, candidate.content, candidate.facts, std::move(*brought), "", ""};
    const Result<std::vector<std::byte>> named =
        with_names(candidate.bytes.span(), names, candidate.path);
    if (!named) {
        return failure(named.error());
    }
    file.copy_content = content_hash(*named);
    if (const Result<Done> added = add_copy(file, *named); !added) {
        return failure(added.error());
    }
    return file;
}

Result<Done> FileLoader::add_copy(OpenedFile& file, std::span<const std::byte> bytes) {
    Result<std::string> copy = staging_->add(
        bytes, std::filesystem::path(file.path).stem().string(), file.facts.build_id.substr(0, 8));
    if (!copy) {
        return failure(copy.error());
    }
    file.copy = std::move(*copy);
    return Done{};
}

Result<std::shared_ptr<Library>> FileLoader::open_candidate(const Candidate& candidate) {
    Result<OpenedFile> file = stage_candidate(candidate);
    if (!file) {
        return failure(file.error());
    }
    return open_copy(std::move(*file));
}

// Steps 5 and 6 of open.
Result<std::shared_ptr<Library>> FileLoader::open_copy(OpenedFile file) {
    const std::string path = file.path;
    const std::string copy = file.copy;

    const std::vector<std::string> threads = threads_named(loader_thread_name);
    auto [library, problems] = load_within(std::move(file));
    if (!library) {
        staging_->remove(copy);
        return failure(std::move(problems));
    }
    library->threads = threads_named(loader_thread_name);
    std::erase_if(library->threads, [&](const std::string& id) { return contains(threads, id); });
    if (!problems.empty()) {
        static_cast<void>(close(std::move(library)));
        return failure(std::move(problems));
    }
    return std::shared_ptr<Library>(std::move(library));
}

UnloadReport FileLoader::close(std::shared_ptr<Library> library) {
    const auto own = std::dynamic_pointer_cast<FileLibrary>(std::move(library));
    SKEP_ASSERT(own != nullptr && own.use_count() == 1);
    UnloadReport report;
    const std::vector<std::string> threads = threads_named(loader_thread_name);
    const auto alive = std::find_if(own->threads.begin(),
                                    own->threads.end(),
                                    [&](const std::string& id) { return contains(threads, id); });
    if (alive != own->threads.end()) {
        report.cause =
            "thread " + *alive + ", started while the library was loaded, is still alive";
    } else if (is_loader_stuck()) {
        report.cause =
            "the static constructors of another plugin hang, so no library can be unloaded";
    } else if (std::string left = what_is_left_behind(*own); !left.empty()) {
        report.cause = std::move(left);
    } else if (
        !run_and_join([&] {
            const CrashPlace closing{"", 0, own->info().id, own->info().version, own->path()};
            const CrashScope scope(closing, "dlclose");
            report.unloaded = own->object.close();
        })) {
        report.cause = "cannot create a thread to close it";
    } else if (!report.unloaded) {
        report.cause = cause_of_pin(own->file.facts, companions_of(*own));
    }
    if (report.unloaded) {
        forget_code(own->noted_code);
    }
    note_closed(*own, report.cause);
    look_at_closed();
    return report;
}

void FileLoader::abandon(std::shared_ptr<Library> library, std::string cause) {
    const auto own = std::dynamic_pointer_cast<FileLibrary>(std::move(library));
    SKEP_ASSERT(own != nullptr && own.use_count() == 1);
    note_closed(*own, std::move(cause));
}

void FileLoader::keep(std::set<std::string> contents) {
    kept_ = std::move(contents);
    look_at_closed();
}

std::vector<LibraryFacts> FileLoader::left() {
    look_at_closed();
    std::vector<LibraryFacts> all;
    for (const Closed& it : closed_) {
        all.push_back(it.library);
    }
    return all;
}

Result<PluginInfo> FileLoader::inspect(const std::string& path) {
    const Result<Candidate> candidate = read(path);
    if (!candidate) {
        return failure(candidate.error());
    }
    if (const auto found = known_.find(candidate->content); found != known_.end()) {
        return found->second;
    }
    look_at_closed();
    if (const Result<Done> lived = probe_one(*candidate); !lived) {
        return failure(lived.error());
    }
    Result<std::shared_ptr<Library>> library = open_candidate(*candidate);
    if (!library) {
        return failure(library.error());
    }
    PluginInfo info = (*library)->info();
    static_cast<void>(close(std::move(*library)));
    return known_.emplace(candidate->content, std::move(info)).first->second;
}

std::vector<Result<Done, std::string>> FileLoader::probe_copies(
    std::span<const ProbeSubject> subjects) const {
    return probe(probe_executable_, subjects, probe_limit, is_cancelled_);
}

Result<Done> FileLoader::probe_one(const Candidate& candidate) {
    if (probe_executable_.empty()) {
        return Done{};
    }
    auto found = probed_.find(candidate.content);
    if (found == probed_.end()) {
        const Result<OpenedFile> file = stage_candidate(candidate);
        if (!file) {
            return failure(file.error());
        }
        const std::vector<ProbeSubject> subjects = {{file->copy, {}}};
        found = probed_.emplace(candidate.content, probe_copies(subjects).front()).first;
        staging_->remove(file->copy);
    }
    if (const Result<Done, std::string>& lived = found->second; !lived) {
        return failure(error_about(candidate.path,
                                   without_copy(lived.error()),
                                   open_hint(candidate.facts, lived.error())));
    }
    return Done{};
}

void FileLoader::probe_all(const std::vector<std::string>& paths) {
    if (probe_executable_.empty()) {
        return;
    }
    std::vector<OpenedFile> files;  // with the copies of the libraries that they bring
    std::vector<ProbeSubject> subjects;
    std::set<std::string> contents;
    for (const std::string& path : paths) {
        const Result<Candidate> candidate = read(path);  // on an error, inspect() reports it
        if (!candidate || probed_.contains(candidate->content) ||
            known_.contains(candidate->content) || !contents.insert(candidate->content).second) {
            continue;
        }
        if (Result<OpenedFile> file = stage_candidate(*candidate)) {
            subjects.push_back({file->copy, {}});
            files.push_back(std::move(*file));
        }
    }
    const auto verdicts = probe_copies(subjects);
    for (std::size_t i = 0; i < subjects.size(); ++i) {
        probed_.emplace(files[i].content, verdicts[i]);
        staging_->remove(files[i].copy);
    }
}

Result<Done> FileLoader::probe_create(const std::string& path,
                                      const std::string& content,
                                      std::vector<ProbeWorker> workers) {
    if (probe_executable_.empty()) {
        return Done{};
    }
    const Result<Candidate> candidate = read(path);
    if (!candidate) {
        return failure(candidate.error());
    }
    if (candidate->content != content) {
        return failure(error_about(path, "the file has changed since the topology was read"));
    }
    const Result<OpenedFile> file = stage_candidate(*candidate);
    if (!file) {
        return failure(file.error());
    }
    const std::vector<ProbeSubject> subjects = {{file->copy, std::move(workers)}};
    const Result<Done, std::string> lived = probe_copies(subjects).front();
    staging_->remove(file->copy);
    if (!lived) {
        return failure(error_about(path, without_copy(lived.error())));
    }
    return Done{};
}

void FileLoader::note_closed(const FileLibrary& library, std::string cause) {
    const OpenedFile& file = library.file;
    closed_.push_back({facts_of(library), file.copy, file.copy_content, file.brought});
    closed_.back().library.cause = std::move(cause);
}

const FileLoader::Closed* FileLoader::find_closed(const std::string& content) const {
    const auto found = std::find_if(closed_.begin(), closed_.end(), [&](const Closed& it) {
        return it.library.content == content;
    });
    return found == closed_.end() ? nullptr : &*found;
}

// Removes the copies that are neither mapped nor kept: one copy of each content is enough.
void FileLoader::look_at_closed() {
    std::vector<Closed> all = std::exchange(closed_, {});
    for (Closed& it : all) {
        it.library.mapped = SharedObject::mapped_bytes(it.copy);
        if (it.library.mapped == 0) {
            it.library.cause.clear();
            if (!kept_.contains(it.library.content) || find_closed(it.library.content) != nullptr) {
                staging_->remove(it.copy);
                continue;
            }
        }
        closed_.push_back(std::move(it));
    }
}

}  // namespace skep::host
