#include "host/loader/elf_names.hpp"

#include <algorithm>
#include <cstring>
#include <string_view>

#include <elf.h>
#include <unistd.h>

#include "host/loader/elf_image.hpp"

namespace skep::host {
namespace {

std::uint64_t rounded_up(std::uint64_t value, std::uint64_t to) {
    return (value + to - 1) / to * to;
}

class Renamer {
public:
    Renamer(const ElfImage& image, std::span<const std::byte> bytes, const ElfNames& names)
        : image_(image),
          names_(names),
          out_(bytes.begin(), bytes.end()),
          header_(image.at<Elf64_Ehdr>(0)) {}

    // Returns false if a part lies where no linker puts it.
    bool rename() {
        for (unsigned i = 0; i < header_.e_phnum; ++i) {
            segments_.push_back(image_.at<Elf64_Phdr>(header_.e_phoff + i * sizeof(Elf64_Phdr)));
        }
        return read_strings() && name_dynamic() && name_versions() && append_segment();
    }

    std::vector<std::byte> take() { return std::move(out_); }

private:
    bool read_strings();
    bool name_dynamic();
    bool name_versions();
    bool append_segment();

    // Appends a name; returns its place in the new strings.
    std::uint64_t add(const std::string& name) {
        const std::uint64_t at = strings_.size();
        strings_ += name;
        strings_ += '\0';
        return at;
    }

    // Returns the place of the new name for the library whose old name is the string at `index`.
    std::optional<std::uint64_t> renamed(std::uint64_t index) {
        const auto name = image_.string_at(index);
        const auto found = name ? names_.needed.find(std::string(*name)) : names_.needed.end();
        if (found == names_.needed.end()) {
            return std::nullopt;
        }
        const auto [place, is_new] = places_.try_emplace(found->first, strings_.size());
        if (is_new) {
            (void)add(found->second);
        }
        return place->second;
    }

    template <typename T>
    void put(std::uint64_t offset, const T& value) {
        std::memcpy(out_.data() + offset, &value, sizeof(T));
    }

    const ElfImage& image_;
    const ElfNames& names_;
    std::vector<std::byte> out_;
    Elf64_Ehdr header_;
    std::vector<Elf64_Phdr> segments_;
    std::string strings_;                                   // all old strings, then the new ones
    std::map<std::string, std::uint64_t> places_;           // places of the new names
    std::uint64_t dynamic_strtab_ = 0, dynamic_strsz_ = 0;  // offsets of the entries in the file
};

bool Renamer::read_strings() {
    const auto address = image_.dynamic(DT_STRTAB);
    const auto size = image_.dynamic(DT_STRSZ);
    const auto offset = address && size ? image_.offset_of(*address, *size) : std::nullopt;
    if (!offset) {
        return false;
    }
    strings_ = image_.text(*offset, *size);
    return true;
}

bool Renamer::name_dynamic() {
    const auto segment = std::find_if(
        segments_.begin(), segments_.end(), [](const auto& it) { return it.p_type == PT_DYNAMIC; });
    if (segment == segments_.end()) {
        return false;
    }
    for (std::size_t i = 0; i < image_.dynamic_table().size(); ++i) {
        const std::uint64_t at = segment->p_offset + i * sizeof(Elf64_Dyn);
        if (!image_.covers(at, sizeof(Elf64_Dyn))) {
            return false;
        }
        auto entry = image_.at<Elf64_Dyn>(at);
        if (entry.d_tag == DT_NEEDED) {
            if (const auto place = renamed(entry.d_un.d_val)) {
                entry.d_un.d_val = *place;
                put(at, entry);
            }
        } else if ((entry.d_tag == DT_RUNPATH || entry.d_tag == DT_RPATH) && names_.runpath) {
            entry.d_un.d_val = add(*names_.runpath);
            put(at, entry);
        } else if (entry.d_tag == DT_STRTAB) {
            dynamic_strtab_ = at;
        } else if (entry.d_tag == DT_STRSZ) {
            dynamic_strsz_ = at;
        }
    }
    return dynamic_strtab_ != 0 && dynamic_strsz_ != 0;
}

// The versions of needed symbols are listed under the name of their library, by which dlopen
// searches that library.
bool Renamer::name_versions() {
    const auto table = image_.dynamic(DT_VERNEED);
    std::uint64_t address = table.value_or(0);
    for (std::uint64_t left = table ? image_.dynamic(DT_VERNEEDNUM).value_or(0) : 0; left > 0;
         --left) {
        const auto offset = image_.offset_of(address, sizeof(Elf64_Verneed));
        if (!offset) {
            return false;
        }
        auto needed = image_.at<Elf64_Verneed>(*offset);
        if (const auto place = renamed(needed.vn_file)) {
            needed.vn_file = static_cast<Elf64_Word>(*place);
            put(*offset, needed);
        }
        if (needed.vn_next == 0) {
            break;
        }
        address += needed.vn_next;
    }
    return true;
}

// The program headers have no room for another one at their old place.
bool Renamer::append_segment() {
    const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    std::uint64_t end = 0;
    std::size_t last_load = 0;
    for (std::size_t i = 0; i < segments_.size(); ++i) {
        if (segments_[i].p_type == PT_LOAD) {
            end = std::max(end, segments_[i].p_vaddr + segments_[i].p_memsz);
            last_load = i;
        }
    }
    const std::uint64_t headers = (segments_.size() + 1) * sizeof(Elf64_Phdr);
    Elf64_Phdr added{};
    added.p_type = PT_LOAD;
    added.p_flags = PF_R;
    added.p_offset = rounded_up(out_.size(), page);
    added.p_vaddr = rounded_up(end, page);
    added.p_paddr = added.p_vaddr;
    added.p_filesz = headers + strings_.size();
    added.p_memsz = added.p_filesz;
    added.p_align = page;
    if (segments_.size() + 1 >= PN_XNUM) {
        return false;
    }
    segments_.insert(segments_.begin() + static_cast<std::ptrdiff_t>(last_load) + 1, added);
    for (Elf64_Phdr& it : segments_) {
        if (it.p_type == PT_PHDR) {
            it.p_offset = added.p_offset;
            it.p_vaddr = added.p_vaddr;
            it.p_paddr = added.p_vaddr;
            it.p_filesz = headers;
            it.p_memsz = headers;
        }
    }
    header_.e_phoff = added.p_offset;
    header_.e_phnum = static_cast<Elf64_Half>(segments_.size());
    out_.resize(added.p_offset + added.p_filesz);
    put(0, header_);
    std::memcpy(out_.data() + added.p_offset, segments_.data(), headers);
    std::memcpy(out_.data() + added.p_offset + headers, strings_.data(), strings_.size());
    put(dynamic_strtab_, Elf64_Dyn{DT_STRTAB, {added.p_vaddr + headers}});
    put(dynamic_strsz_, Elf64_Dyn{DT_STRSZ, {strings_.size()}});
    return true;
}

}  // namespace

Result<std::vector<std::byte>> with_names(std::span<const std::byte> bytes,
                                          const ElfNames& names,
                                          const std::string& file) {
    if (names.empty()) {
        return std::vector<std::byte>(bytes.begin(), bytes.end());
    }
    const Result<ElfImage> image = ElfImage::open(bytes, file);
    if (!image) {
        return failure(image.error());
    }
    Renamer renamer(*image, bytes, names);
    if (!renamer.rename()) {
        return failure(damaged_file(file, "the names of its libraries are at an unexpected place"));
    }
    return renamer.take();
}

}  // namespace skep::host
