#include "host/loader/elf_file.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include <skep/abi.h>

#include "host/base/contains.hpp"
#include "host/base/printable.hpp"
#include "host/loader/elf_image.hpp"

namespace skep::host {
namespace {

class FactReader {
public:
    FactReader(const ElfImage& image, const std::string& file)
        : image_(image),
          file_(file) {}

    Result<ElfFacts> read() {
        read_flags();
        if (read_names() && count_symbols() && read_symbols() && read_notes()) {
            return std::move(facts_);
        }
        return failure(std::move(refusal_));
    }

private:
    bool damaged(const std::string& what) {
        refusal_ = damaged_file(file_, what);
        return false;
    }

    void read_flags();
    bool read_names();
    bool count_symbols();
    bool count_by_gnu_hash(std::uint64_t table);
    bool read_symbols();
    void note_import(std::string_view name);
    bool read_notes();
    bool read_note_segment(const Elf64_Phdr& segment);
    bool take_note(std::string_view owner,
                   std::uint32_t type,
                   std::uint64_t offset,
                   std::uint64_t size);

    const ElfImage& image_;
    const std::string& file_;
    Diagnostic refusal_;
    ElfFacts facts_;
    std::uint64_t symbol_count_ = 0;
};

void FactReader::read_flags() {
    facts_.extent = image_.extent();
    facts_.static_tls = (image_.dynamic(DT_FLAGS).value_or(0) & DF_STATIC_TLS) != 0;
    facts_.nodelete = (image_.dynamic(DT_FLAGS_1).value_or(0) & DF_1_NODELETE) != 0;
}

bool FactReader::read_names() {
    for (const Elf64_Dyn& entry : image_.dynamic_table()) {
        if (entry.d_tag != DT_NEEDED && entry.d_tag != DT_SONAME && entry.d_tag != DT_RUNPATH &&
            entry.d_tag != DT_RPATH) {
            continue;
        }
        const auto name = image_.string_at(entry.d_un.d_val);
        if (!name) {
            return damaged("a name in the dynamic table is outside of its strings");
        }
        if (entry.d_tag == DT_NEEDED) {
            facts_.needed.emplace_back(*name);
        } else if (entry.d_tag == DT_SONAME) {
            facts_.soname = *name;
        } else if (entry.d_tag == DT_RUNPATH || facts_.runpath.empty()) {
            facts_.runpath = *name;
            facts_.is_rpath = entry.d_tag == DT_RPATH;
        }
    }
    return true;
}

// The dynamic table does not give the number of symbols; the hash tables do.
bool FactReader::count_symbols() {
    if (const auto table = image_.dynamic(DT_GNU_HASH)) {
        if (!count_by_gnu_hash(*table)) {
            return damaged("the symbol hash table is invalid");
        }
    } else if (const auto old_table = image_.dynamic(DT_HASH)) {
        const auto offset = image_.offset_of(*old_table, 8);
        if (!offset) {
            return damaged("the symbol hash table is invalid");
        }
        const std::uint64_t buckets = image_.at<std::uint32_t>(*offset);
        symbol_count_ = image_.at<std::uint32_t>(*offset + 4);
        if (!image_.offset_of(*old_table, 8 + 4 * (buckets + symbol_count_))) {
            return damaged("the symbol hash table is invalid");
        }
    }
    return true;
}

// The table has four words, a bloom filter, the buckets (each the first symbol of a chain), and one
// word per symbol, whose lowest bit ends a chain. The last symbol is the end of the chain that
// starts last.
bool FactReader::count_by_gnu_hash(std::uint64_t table) {
    const auto offset = image_.offset_of(table, 16);
    if (!offset) {
        return false;
    }
    const std::uint64_t bucket_count = image_.at<std::uint32_t>(*offset);
    const std::uint64_t first_hashed = image_.at<std::uint32_t>(*offset + 4);
    const std::uint64_t bloom_words = image_.at<std::uint32_t>(*offset + 8);
    const std::uint64_t buckets = 16 + bloom_words * 8;
    const std::uint64_t chains = buckets + bucket_count * 4;
    if (bucket_count == 0 || bloom_words == 0 || (bloom_words & (bloom_words - 1)) != 0 ||
        !image_.offset_of(table, chains)) {
        return false;
    }
    std::uint64_t last = 0;
    for (std::uint64_t i = 0; i < bucket_count; ++i) {
        last = std::max<std::uint64_t>(last, image_.at<std::uint32_t>(*offset + buckets + i * 4));
    }
    if (last == 0) {
        symbol_count_ = first_hashed;
        return true;
    }
    if (last < first_hashed) {
        return false;
    }
    for (;; ++last) {
        const std::uint64_t link = chains + (last - first_hashed) * 4;
        if (!image_.offset_of(table, link + 4)) {
            return false;
        }
        if ((image_.at<std::uint32_t>(*offset + link) & 1) != 0) {
            symbol_count_ = last + 1;
            return true;
        }
    }
}

bool FactReader::read_symbols() {
    const auto address = image_.dynamic(DT_SYMTAB);
    const auto offset =
        address ? image_.offset_of(*address, symbol_count_ * sizeof(Elf64_Sym)) : std::nullopt;
    if (!offset || image_.dynamic(DT_SYMENT) != sizeof(Elf64_Sym)) {
        return damaged("the symbol table is missing or not in a loaded segment");
    }
    const auto versions = image_.dynamic(DT_VERSYM);
    if (versions && !image_.offset_of(*versions, symbol_count_ * sizeof(Elf64_Half))) {
        return damaged("the table of symbol versions is not in a loaded segment");
    }
    for (std::uint64_t i = 1; i < symbol_count_; ++i) {
        const auto symbol = image_.at<Elf64_Sym>(*offset + i * sizeof(Elf64_Sym));
        const auto name = image_.string_at(symbol.st_name);
        if (!name) {
            return damaged("the name of symbol " + std::to_string(i) +
                           " is outside of its strings");
        }
        const bool is_defined = symbol.st_shndx != SHN_UNDEF;
        if (is_defined && ELF64_ST_BIND(symbol.st_info) == STB_GNU_UNIQUE) {
            facts_.unique_symbols.emplace_back(*name);
        }
        facts_.exports_entry |= is_defined && *name == SKEP_ENTRY_NAME;
        if (!is_defined) {
            note_import(*name);
        }
    }
    return true;
}

// atexit and pthread_atfork are harmless: at dlclose, libc runs or removes what they registered.
void FactReader::note_import(std::string_view name) {
    constexpr std::array<std::string_view, 3> keys = {
        "pthread_key_create", "tss_create", "__pthread_key_create"};
    constexpr std::array<std::string_view, 5> registrations = {"on_exit",
                                                               "register_printf_function",
                                                               "register_printf_modifier",
                                                               "register_printf_specifier",
                                                               "register_printf_type"};
    facts_.thread_exits |= name == "__cxa_thread_atexit" || name == "__cxa_thread_atexit_impl";
    if (contains(keys, name)) {
        facts_.thread_keys = name;
    }
    if (contains(registrations, name)) {
        facts_.registers = name;
    }
}

bool FactReader::read_notes() {
    return std::all_of(image_.notes().begin(),
                       image_.notes().end(),
                       [this](const Elf64_Phdr& segment) { return read_note_segment(segment); });
}

bool FactReader::read_note_segment(const Elf64_Phdr& segment) {
    const std::uint64_t alignment = segment.p_align == 8 ? 8 : 4;
    const auto padded = [&](std::uint64_t size) {
        return (size + alignment - 1) & ~(alignment - 1);
    };
    std::uint64_t position = 0;
    while (segment.p_filesz - position >= sizeof(Elf64_Nhdr)) {
        const auto note = image_.at<Elf64_Nhdr>(segment.p_offset + position);
        const std::uint64_t name = position + sizeof(Elf64_Nhdr);
        const std::uint64_t desc = padded(name + note.n_namesz);
        // The last note may lack padding.
        if (desc > segment.p_filesz || note.n_descsz > segment.p_filesz - desc) {
            return damaged("a note reaches beyond its segment");
        }
        const std::string_view owner =
            image_.text(segment.p_offset + name, note.n_namesz == 0 ? 0 : note.n_namesz - 1);
        if (!take_note(owner, note.n_type, segment.p_offset + desc, note.n_descsz)) {
            return false;
        }
        position = std::min<std::uint64_t>(desc + padded(note.n_descsz), segment.p_filesz);
    }
    return true;
}

bool FactReader::take_note(std::string_view owner,
                           std::uint32_t type,
                           std::uint64_t offset,
                           std::uint64_t size) {
    if (owner == ELF_NOTE_GNU && type == NT_GNU_BUILD_ID) {
        facts_.build_id = hex(image_.text(offset, std::min<std::uint64_t>(size, 64)));
    }
    if (owner != SKEP_NOTE_OWNER || type != SKEP_NOTE_TYPE) {
        return true;
    }
    if (facts_.note) {
        refusal_ = error_about(
            file_, "it has several skep notes", "use SKEP_PLUGIN or SKEP_NOTE once in a plugin");
        return false;
    }
    if (size < sizeof(skep_note)) {
        return damaged("its skep note has " + std::to_string(size) + " bytes instead of " +
                       std::to_string(sizeof(skep_note)));
    }
    const auto note = image_.at<skep_note>(offset);
    const auto ends = [](const auto& text) {
        return std::memchr(text, '\0', sizeof(text)) != nullptr;
    };
    if (note.format < SKEP_NOTE_FORMAT || !ends(note.plugin_id) || !ends(note.plugin_version) ||
        !ends(note.sdk_version)) {
        return damaged("its skep note is invalid");
    }
    facts_.note = note;
    return true;
}

}  // namespace

Result<ElfFacts> read_elf(std::span<const std::byte> bytes, const std::string& file) {
    const Result<ElfImage> image = ElfImage::open(bytes, file);
    if (!image) {
        return failure(image.error());
    }
    return FactReader(*image, file).read();
}

}  // namespace skep::host
