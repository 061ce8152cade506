#include "host/loader/file_loader.hpp"

#include <algorithm>
#include <filesystem>
#include <optional>

#include "host/base/contains.hpp"
#include "host/base/crash_report.hpp"
#include "host/loader/abi_check.hpp"
#include "host/loader/content_hash.hpp"
#include "host/loader/describe.hpp"
#include "host/loader/elf_file.hpp"
#include "host/loader/pin_cause.hpp"
#include "host/loader/probe.hpp"
#include "host/loader/shared_object.hpp"
#include "host/loader/trust.hpp"

namespace skep::host {

class FileLibrary final : public Library {
public:
    FileLibrary(const std::string& path,
                PluginInfo plugin_info,
                const skep_plugin* descriptor,
                ElfFacts elf_facts,
                std::string copy_path,
                SharedObject shared_object)
        : Library(path, std::move(plugin_info), descriptor),
          facts(std::move(elf_facts)),
          copy(std::move(copy_path)),
          object(std::move(shared_object)),
          noted_code(note(object, path, info())) {}

    const ElfFacts facts;
    const std::string copy;
    SharedObject object;
    const std::size_t noted_code;      // for crash reports; while it is mapped
    std::vector<std::string> threads;  // that its constructors started

private:
    static std::size_t note(const SharedObject& object,
                            const std::string& path,
                            const PluginInfo& info) {
        const auto [begin, end] = object.range();
        return note_code(begin, end, {"", 0, info.id, info.version, path});
    }
};

namespace {

// Steps 2 and 3 of open.
Result<ElfFacts> check_file(std::span<const std::byte> bytes, const std::string& path) {
    Result<ElfFacts> facts = read_elf(bytes, path);
    if (!facts) {
        return facts;
    }
    if (!facts->note) {
        return failure(error_about(path,
                                   "not a skep plugin: it has no skep note",
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

std::string open_hint(const ElfFacts& facts, const std::string& words) {
    if (words.find("undefined symbol") != std::string::npos) {
        return "link the library that defines it; skep_add_plugin finds this when it links";
    }
    if (facts.runpath.find("$ORIGIN") != std::string::npos) {
        return "it looks for libraries beside itself ($ORIGIN), but the host loads a private copy "
               "from elsewhere: link them statically or install them";
    }
    if (facts.static_tls && words.find("static TLS") != std::string::npos) {
        return "compile it without -ftls-model=initial-exec";
    }
    return {};
}

// The loader's words without the name of the private copy, which tells a user nothing.
std::string without(std::string words, const std::string& copy) {
    if (const std::size_t at = words.find(copy + ": "); at != std::string::npos) {
        words.erase(at, copy.size() + 2);
    }
    return words;
}

// Steps 5 and 6 of open. Null when dlopen refused; otherwise `problems` says whether it can be
// used.
std::shared_ptr<FileLibrary> load(const std::string& path,
                                  const std::string& copy,
                                  ElfFacts facts,
                                  const std::string& content,
                                  Diagnostics& problems) {
    const CrashPlace opening{"", 0, "", "", path};
    const CrashScope scope(opening, "dlopen");
    Result<SharedObject, std::string> object = SharedObject::open(copy);
    if (!object) {
        problems.push_back(error_about(path,
                                       "cannot be loaded: " + without(object.error(), copy),
                                       open_hint(facts, object.error())));
        return nullptr;
    }
    const auto entry = reinterpret_cast<skep_plugin_entry>(object->find(SKEP_ENTRY_NAME));
    const skep_plugin* descriptor = entry != nullptr ? entry() : nullptr;
    Result<PluginInfo> info = describe(descriptor, *facts.note, path);
    if (info) {
        info->content = content;
        info->build_id = facts.build_id;
        info->static_tls = facts.static_tls;
        info->thread_exits = facts.thread_exits;
    } else {
        problems = std::move(info.error());
    }
    return std::make_shared<FileLibrary>(path,
                                         info ? std::move(*info) : PluginInfo{},
                                         descriptor,
                                         std::move(facts),
                                         copy,
                                         std::move(*object));
}

}  // namespace

Result<std::unique_ptr<FileLoader>> FileLoader::create(
    const std::vector<std::string>& stage_parents) {
    Result<std::unique_ptr<Stage>> stage = Stage::create(stage_parents);
    if (!stage) {
        return failure(stage.error());
    }
    return std::unique_ptr<FileLoader>(new FileLoader(std::move(*stage)));
}

Result<std::shared_ptr<Library>> FileLoader::open(const std::string& path,
                                                  const std::string& content) {
    const Closed* const kept = content.empty() ? nullptr : find_closed(content);
    Result<FileBytes> bytes = read_trusted(kept != nullptr ? kept->copy : path);
    if (!bytes) {
        return failure(bytes.error());
    }
    const std::string hash = content_hash(bytes->span());
    if (!content.empty() && hash != content) {
        return failure(error_about(path, "the file has changed since the topology was read"));
    }
    return open_bytes(path, std::move(*bytes), hash);
}

// Steps 2 to 7 of open.
Result<std::shared_ptr<Library>> FileLoader::open_bytes(const std::string& path,
                                                        FileBytes bytes,
                                                        const std::string& content) {
    look_at_closed();
    Result<ElfFacts> facts = check_file(bytes.span(), path);
    if (!facts) {
        return failure(facts.error());
    }
    const std::string stem = std::filesystem::path(path).stem().string();
    const Result<std::string> copy = stage_->add(bytes.span(), stem, facts->build_id.substr(0, 8));
    if (!copy) {
        return failure(copy.error());
    }
    bytes.data.reset();
    if (!probe_executable_.empty()) {
        if (const Result<Done, std::string> lived = probe(probe_executable_, *copy); !lived) {
            stage_->remove(*copy);
            return failure(error_about(path, without(lived.error(), *copy)));
        }
    }

    std::shared_ptr<FileLibrary> library;
    Diagnostics problems;
    const std::vector<std::string> threads = threads_named(loader_thread_name);
    const bool ran =
        run_and_join([&] { library = load(path, *copy, std::move(*facts), content, problems); });
    if (!ran) {
        problems.push_back(error_about(path, "no thread could be started to open it"));
    }
    if (!library) {
        stage_->remove(*copy);
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
            "thread " + *alive + ", which it started while it was loaded, is still alive";
    } else if (
        !run_and_join([&] {
            const CrashPlace closing{"", 0, own->info().id, own->info().version, own->path()};
            const CrashScope scope(closing, "dlclose");
            report.unloaded = own->object.close();
        })) {
        report.cause = "no thread could be started to close it";
    } else if (!report.unloaded) {
        report.cause = cause_of_pin(own->facts, own->object.companions());
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
    Result<FileBytes> bytes = read_trusted(path);
    if (!bytes) {
        return failure(bytes.error());
    }
    const std::string content = content_hash(bytes->span());
    if (const auto found = known_.find(content); found != known_.end()) {
        return found->second;
    }
    Result<std::shared_ptr<Library>> library = open_bytes(path, std::move(*bytes), content);
    if (!library) {
        return failure(library.error());
    }
    PluginInfo info = (*library)->info();
    static_cast<void>(close(std::move(*library)));
    return known_.emplace(content, std::move(info)).first->second;
}

void FileLoader::note_closed(const FileLibrary& library, std::string cause) {
    closed_.push_back({facts_of(library), library.copy});
    closed_.back().library.cause = std::move(cause);
}

const FileLoader::Closed* FileLoader::find_closed(const std::string& content) const {
    const auto found = std::find_if(closed_.begin(), closed_.end(), [&](const Closed& it) {
        return it.library.content == content;
    });
    return found == closed_.end() ? nullptr : &*found;
}

// Removes the copies that are neither mapped nor to be kept: one of each content is enough.
void FileLoader::look_at_closed() {
    std::vector<Closed> all = std::exchange(closed_, {});
    for (Closed& it : all) {
        it.library.mapped = SharedObject::mapped_bytes(it.copy);
        if (it.library.mapped == 0) {
            it.library.cause.clear();
            if (!kept_.contains(it.library.content) || find_closed(it.library.content) != nullptr) {
                stage_->remove(it.copy);
                continue;
            }
        }
        closed_.push_back(std::move(it));
    }
}

}  // namespace skep::host
