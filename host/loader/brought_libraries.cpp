#include "host/loader/brought_libraries.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string_view>
#include <system_error>

#include <link.h>

#include "host/loader/content_hash.hpp"

namespace skep::host {
namespace {

namespace fs = std::filesystem;

std::string folder_of(const std::string& path) {
    const std::string folder = fs::path(path).parent_path();
    return folder.empty() ? "." : folder;
}

std::string with_origin(std::string text, const std::string& origin) {
    for (const std::string_view token : {"${ORIGIN}", "$ORIGIN"}) {
        for (std::size_t at = text.find(token); at != std::string::npos;
             at = text.find(token, at + origin.size())) {
            text.replace(at, token.size(), origin);
        }
    }
    return text;
}

// Splits a list in the format of LD_LIBRARY_PATH and DT_RUNPATH: an empty entry is the working
// folder.
std::vector<std::string> split(std::string_view list, std::string_view separators) {
    std::vector<std::string> folders;
    while (!list.empty()) {
        const std::size_t end = std::min(list.find_first_of(separators), list.size());
        folders.emplace_back(end == 0 ? "." : list.substr(0, end));
        list.remove_prefix(std::min(end + 1, list.size()));
    }
    return folders;
}

bool is_file(const std::string& path) {
    std::error_code ignored;
    return fs::is_regular_file(path, ignored);
}

class Finder {
public:
    explicit Finder(const std::set<std::string>& of_host)
        : of_host_(of_host) {}

    Result<BroughtLibraries> find(const ElfFacts& facts, const std::string& path) {
        found_.runpath = with_origin(facts.runpath, folder_of(path));
        if (!follow(facts, path, found_.runpath, found_.needs)) {
            return failure(std::move(problems_));
        }
        return std::move(found_);
    }

private:
    bool follow(const ElfFacts& facts,
                const std::string& path,
                const std::string& runpath,
                std::map<std::string, std::size_t>& needs);
    bool read(const std::string& path, std::size_t& index);

    // Returns the file that `name` means to an object with this runpath; nothing if the plugin does
    // not bring it.
    [[nodiscard]] std::optional<std::string> locate(const std::string& name,
                                                    const std::string& path,
                                                    const std::string& runpath,
                                                    bool is_rpath) const;
    [[nodiscard]] std::vector<std::string> folders(const std::string& runpath, bool is_rpath) const;

    const std::set<std::string>& of_host_;
    BroughtLibraries found_;
    Diagnostics problems_;
    std::map<std::string, std::optional<std::size_t>> known_;  // by path; no value: being read
    // DT_RPATHs of the objects on the way to this one; they also apply here.
    std::vector<std::string> rpaths_;
};

std::vector<std::string> Finder::folders(const std::string& runpath, bool is_rpath) const {
    std::vector<std::string> all;
    const auto add = [&all](const std::string& list, std::string_view separators) {
        for (std::string& folder : split(list, separators)) {
            all.push_back(std::move(folder));
        }
    };
    if (runpath.empty() || is_rpath) {
        for (auto rpath = rpaths_.rbegin(); rpath != rpaths_.rend(); ++rpath) {
            add(*rpath, ":");
        }
    }
    if (const char* const path = std::getenv("LD_LIBRARY_PATH")) {
        add(path, ":;");
    }
    if (!is_rpath) {
        add(runpath, ":");
    }
    return all;
}

std::optional<std::string> Finder::locate(const std::string& name,
                                          const std::string& path,
                                          const std::string& runpath,
                                          bool is_rpath) const {
    if (name.find('/') != std::string::npos) {
        std::string file = with_origin(name, folder_of(path));
        const bool is_brought = is_file(file) && !is_system_folder(folder_of(file));
        return is_brought ? std::optional(std::move(file)) : std::nullopt;
    }
    if (of_host_.contains(name)) {
        return std::nullopt;
    }
    for (const std::string& folder : folders(runpath, is_rpath)) {
        std::string file = folder + "/" + name;
        if (is_file(file)) {
            return is_system_folder(folder) ? std::nullopt : std::optional(std::move(file));
        }
    }
    return std::nullopt;
}

bool Finder::follow(const ElfFacts& facts,
                    const std::string& path,
                    const std::string& runpath,
                    std::map<std::string, std::size_t>& needs) {
    rpaths_.push_back(facts.is_rpath ? runpath : "");
    for (const std::string& name : facts.needed) {
        const auto file = locate(name, path, runpath, facts.is_rpath);
        if (!file) {
            continue;
        }
        const auto [known, is_new] = known_.try_emplace(*file);
        if (is_new) {
            std::size_t index = 0;
            if (!read(*file, index)) {
                for (Diagnostic& problem : problems_) {
                    problem.message = "library " + *file + ": " + problem.message;
                    problem.file = path;
                }
                return false;
            }
            known->second = index;
        }
        if (known->second) {  // otherwise they need each other, and it is mapped by its name
            needs.emplace(name, *known->second);
        }
    }
    rpaths_.pop_back();
    return true;
}

bool Finder::read(const std::string& path, std::size_t& index) {
    Result<FileBytes> bytes = read_trusted(path);
    if (!bytes) {
        problems_ = std::move(bytes.error());
        return false;
    }
    Result<ElfFacts> facts = read_elf(bytes->span(), path);
    if (!facts) {
        problems_ = std::move(facts.error());
        return false;
    }
    BroughtLibrary library{path, std::move(*bytes), std::move(*facts), "", {}, ""};
    library.runpath = with_origin(library.facts.runpath, folder_of(path));
    if (!follow(library.facts, path, library.runpath, library.needs)) {
        return false;
    }
    std::string contents = content_hash(library.bytes.span()) + "\n" + library.runpath;
    for (const auto& [name, needed] : library.needs) {
        contents += "\n" + name + " " + found_.all[needed].content;
    }
    library.content = content_hash(std::as_bytes(std::span(contents)));
    index = found_.all.size();
    found_.all.push_back(std::move(library));
    return true;
}

}  // namespace

Result<BroughtLibraries> find_brought_libraries(const ElfFacts& facts,
                                                const std::string& path,
                                                const std::set<std::string>& of_host) {
    return Finder(of_host).find(facts, path);
}

const std::set<std::string>& libraries_of_host() {
    static const std::set<std::string> names = [] {
        std::set<std::string> mapped;
        ::dl_iterate_phdr(
            [](dl_phdr_info* object, std::size_t, void* all) {
                static_cast<std::set<std::string>*>(all)->insert(
                    fs::path(object->dlpi_name).filename());
                return 0;
            },
            &mapped);
        return mapped;
    }();
    return names;
}

bool is_system_folder(const std::string& folder) {
    std::error_code error;
    const std::string real = fs::canonical(folder, error);
    std::string_view rest = error ? folder : real;
    if (rest.starts_with("/usr/")) {
        rest.remove_prefix(4);
    }
    constexpr std::array<std::string_view, 4> roots = {"/lib", "/lib64", "/lib32", "/libx32"};
    const std::size_t end = rest.find('/', 1);
    if (std::find(roots.begin(), roots.end(), rest.substr(0, end)) == roots.end()) {
        return false;
    }
    // Below these roots, only folders such as /lib/x86_64-linux-gnu count.
    const std::string_view below = end == std::string_view::npos ? "" : rest.substr(end + 1);
    return below.empty() || (below.find('/') == std::string_view::npos &&
                             below.find("-linux-gnu") != std::string_view::npos);
}

}  // namespace skep::host
