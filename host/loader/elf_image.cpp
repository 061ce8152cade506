#include "host/loader/elf_image.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cctype>

namespace skep::host {
namespace {

#if defined(__x86_64__)
constexpr unsigned host_machine = EM_X86_64;
#elif defined(__aarch64__)
constexpr unsigned host_machine = EM_AARCH64;
#elif defined(__riscv)
constexpr unsigned host_machine = EM_RISCV;
#else
#error "skep does not know the ELF machine of this architecture"
#endif

std::string machine_name(unsigned machine) {
    switch (machine) {
        case EM_X86_64:
            return "x86-64";
        case EM_386:
            return "i386";
        case EM_AARCH64:
            return "AArch64";
        case EM_ARM:
            return "ARM";
        case EM_RISCV:
            return "RISC-V";
        case EM_PPC64:
            return "PowerPC64";
        default:
            return "machine " + std::to_string(machine);
    }
}

std::string type_name(unsigned type) {
    switch (type) {
        case ET_REL:
            return "an object file (.o)";
        case ET_EXEC:
            return "an executable";
        case ET_CORE:
            return "a core dump";
        default:
            return "ELF type " + std::to_string(type);
    }
}

// The entries of the dynamic table with addresses that dlopen follows, each with the entry that
// holds the size in bytes (0: no such entry; a few bytes are checked instead).
struct Pointed {
    Elf64_Sxword address;
    Elf64_Sxword size;
    const char* what;
};

constexpr std::array pointed_tables = {
    Pointed{DT_RELA, DT_RELASZ, "the relocation table"},
    Pointed{DT_JMPREL, DT_PLTRELSZ, "the PLT relocation table"},
    Pointed{DT_INIT_ARRAY, DT_INIT_ARRAYSZ, "the list of constructors"},
    Pointed{DT_FINI_ARRAY, DT_FINI_ARRAYSZ, "the list of destructors"},
    Pointed{DT_INIT, 0, "the function of DT_INIT"},
    Pointed{DT_FINI, 0, "the function of DT_FINI"},
    Pointed{DT_VERNEED, 0, "the table of versions needed"},
    Pointed{DT_VERDEF, 0, "the table of versions defined"},
};

// 0 and 1 both mean no alignment.
std::uint64_t alignment_of(const Elf64_Phdr& segment) {
    return std::max<std::uint64_t>(segment.p_align, 1);
}

std::string printable_start(std::span<const std::byte> bytes) {
    std::string text;
    for (const std::byte byte : bytes.first(std::min<std::size_t>(bytes.size(), 8))) {
        const auto letter = static_cast<unsigned char>(byte);
        text += std::isprint(letter) != 0 ? static_cast<char>(letter) : '.';
    }
    return text;
}

}  // namespace

Diagnostic damaged_file(const std::string& file, const std::string& what) {
    return error_about(file, "the file is damaged: " + what, "copy or build it again");
}

Result<ElfImage> ElfImage::open(std::span<const std::byte> bytes, const std::string& file) {
    ElfImage image(bytes, file);
    if (image.read_header() && image.read_segments() && image.check_sections() &&
        image.check_inner_segments() && image.read_dynamic() && image.check_flags() &&
        image.check_pointed_tables() && image.read_strings()) {
        return image;
    }
    return failure(std::move(image.refusal_));
}

std::optional<std::uint64_t> ElfImage::offset_of(std::uint64_t address, std::uint64_t size) const {
    for (const Elf64_Phdr& load : loads_) {
        if (address >= load.p_vaddr && address - load.p_vaddr <= load.p_filesz &&
            size <= load.p_filesz - (address - load.p_vaddr)) {
            return load.p_offset + (address - load.p_vaddr);
        }
    }
    return std::nullopt;
}

// The last entry of a tag counts, as for dlopen.
std::optional<std::uint64_t> ElfImage::dynamic(Elf64_Sxword tag) const {
    for (auto entry = dynamic_.rbegin(); entry != dynamic_.rend(); ++entry) {
        if (entry->d_tag == tag) {
            return entry->d_un.d_val;
        }
    }
    return std::nullopt;
}

std::optional<std::string_view> ElfImage::string_at(std::uint64_t index) const {
    if (index >= strings_.size()) {
        return std::nullopt;
    }
    return std::string_view(strings_.data() + index);
}

bool ElfImage::refuse(std::string message, std::string hint) {
    refusal_ = error_about(file_, std::move(message), std::move(hint));
    return false;
}

bool ElfImage::refuse_cut(const std::string& what, std::uint64_t offset, std::uint64_t size) {
    return refuse("the file is truncated: " + what + " takes " + std::to_string(size) +
                      " bytes from byte " + std::to_string(offset) + ", the file ends at byte " +
                      std::to_string(bytes_.size()),
                  "copy or build it again");
}

bool ElfImage::refuse_damaged(const std::string& what) {
    refusal_ = damaged_file(file_, what);
    return false;
}

bool ElfImage::read_ident() {
    if (bytes_.empty()) {
        return refuse("the file is empty");
    }
    if (bytes_.size() < SELFMAG || std::memcmp(bytes_.data(), ELFMAG, SELFMAG) != 0) {
        const std::string start = printable_start(bytes_);
        return refuse("not an ELF file: it starts with '" + start + "'",
                      start.starts_with("!<arch>")
                          ? "a static library cannot be loaded: link it with -shared"
                          : "a plugin is a shared object (.so)");
    }
    if (!covers(0, sizeof(Elf64_Ehdr))) {
        return refuse_cut("the ELF header", 0, sizeof(Elf64_Ehdr));
    }
    header_ = at<Elf64_Ehdr>(0);
    if (header_.e_ident[EI_CLASS] != ELFCLASS64) {
        return refuse("built for 32 bits, this host has 64", "build it without -m32");
    }
    if (header_.e_ident[EI_DATA] != ELFDATA2LSB) {
        return refuse("built for a big-endian machine, this host is little-endian");
    }
    if (header_.e_ident[EI_VERSION] != EV_CURRENT || header_.e_version != EV_CURRENT) {
        return refuse_damaged("unknown ELF version");
    }
    return true;
}

bool ElfImage::read_header() {
    if (!read_ident()) {
        return false;
    }
    if (header_.e_machine != host_machine) {
        return refuse("built for " + machine_name(header_.e_machine) + ", this host is " +
                          machine_name(host_machine),
                      "build it for this machine");
    }
    if (header_.e_type != ET_DYN) {
        return refuse("not a shared object but " + type_name(header_.e_type),
                      "link it with -shared");
    }
    if (header_.e_phentsize != sizeof(Elf64_Phdr) || header_.e_phnum == 0) {
        return refuse_damaged("it has no program headers");
    }
    if (!covers(header_.e_phoff, std::uint64_t{header_.e_phnum} * sizeof(Elf64_Phdr))) {
        return refuse_cut("the program header table",
                          header_.e_phoff,
                          std::uint64_t{header_.e_phnum} * sizeof(Elf64_Phdr));
    }
    return true;
}

bool ElfImage::add_load(const Elf64_Phdr& load, unsigned index) {
    const std::string name = "segment " + std::to_string(index);
    if (load.p_memsz < load.p_filesz || load.p_vaddr > UINT64_MAX - load.p_memsz) {
        return refuse_damaged(name + " has impossible sizes");
    }
    if (!std::has_single_bit(alignment_of(load)) ||
        (load.p_vaddr - load.p_offset) % alignment_of(load) != 0) {
        return refuse_damaged(name + " has an impossible alignment");
    }
    if (!loads_.empty() && load.p_vaddr < loads_.back().p_vaddr + loads_.back().p_memsz) {
        return refuse_damaged(name + " overlaps the one before it");
    }
    loads_.push_back(load);
    return true;
}

bool ElfImage::read_segments() {
    bool plain_stack = false;
    for (unsigned i = 0; i < header_.e_phnum; ++i) {
        const auto segment =
            at<Elf64_Phdr>(header_.e_phoff + std::uint64_t{i} * sizeof(Elf64_Phdr));
        if (segment.p_type == PT_GNU_STACK) {
            plain_stack = (segment.p_flags & PF_X) == 0;
            continue;
        }
        if (!covers(segment.p_offset, segment.p_filesz)) {
            return refuse_cut("segment " + std::to_string(i), segment.p_offset, segment.p_filesz);
        }
        if (segment.p_type == PT_LOAD && !add_load(segment, i)) {
            return false;
        }
        if (segment.p_type != PT_LOAD) {
            inner_.emplace_back(i, segment);
        }
        if (segment.p_type == PT_DYNAMIC) {
            dynamic_segment_ = segment;
        }
        if (segment.p_type == PT_NOTE) {
            notes_.push_back(segment);
        }
    }
    if (loads_.empty() || !dynamic_segment_) {
        return refuse_damaged("it has no loadable segment or no dynamic table");
    }
    if (!plain_stack) {
        return refuse("it asks for an executable stack",
                      "link it with -z noexecstack; assembler files need .note.GNU-stack");
    }
    return true;
}

// Checks the data that dlopen and the unwinder read in memory, where these segments point.
// Elsewhere the memory may hold anything: it may differ between the child process of a probe and
// the host, or be protected against writing.
bool ElfImage::check_inner_segments() {
    for (const auto& [index, segment] : inner_) {
        const bool is_loaded = segment.p_filesz == 0 ||
                               offset_of(segment.p_vaddr, segment.p_filesz) == segment.p_offset;
        bool is_right = true;
        switch (segment.p_type) {
            case PT_DYNAMIC:
            case PT_NOTE:
            case PT_GNU_EH_FRAME:
            case PT_GNU_PROPERTY:
                is_right = is_loaded && segment.p_memsz == segment.p_filesz;
                break;
            case PT_PHDR:
                is_right = is_loaded && segment.p_offset == header_.e_phoff;
                break;
            case PT_TLS:
                is_right = is_loaded && segment.p_memsz >= segment.p_filesz &&
                           std::has_single_bit(alignment_of(segment));
                break;
            case PT_GNU_RELRO:
                is_right = find_load(segment.p_vaddr, segment.p_memsz) != nullptr;
                break;
            default:
                break;
        }
        if (!is_right) {
            return refuse_damaged("segment " + std::to_string(index) +
                                  " is not in a loaded segment");
        }
    }
    return true;
}

// A segment occupies whole pages.
const Elf64_Phdr* ElfImage::find_load(std::uint64_t address, std::uint64_t size) const {
    const auto found = std::find_if(loads_.begin(), loads_.end(), [&](const Elf64_Phdr& load) {
        const std::uint64_t last_page = alignment_of(load) - 1;
        const std::uint64_t within = address - load.p_vaddr;
        const std::uint64_t end = (load.p_vaddr + load.p_memsz + last_page) & ~last_page;
        return address >= load.p_vaddr && within <= end - load.p_vaddr &&
               size <= end - load.p_vaddr - within;
    });
    return found == loads_.end() ? nullptr : &*found;
}

// True if a section that belongs into memory is loaded where the linker put it.
bool ElfImage::is_loaded_as_linked(const Elf64_Shdr& section) const {
    if ((section.sh_flags & SHF_ALLOC) == 0 || section.sh_size == 0) {
        return true;
    }
    if (section.sh_type == SHT_NOBITS) {  // for thread_locals: space in each thread's block
        return (section.sh_flags & SHF_TLS) != 0 ||
               find_load(section.sh_addr, section.sh_size) != nullptr;
    }
    const Elf64_Phdr* const load = find_load(section.sh_addr, section.sh_size);
    return offset_of(section.sh_addr, section.sh_size) == section.sh_offset && load != nullptr &&
           ((section.sh_flags & SHF_WRITE) == 0 || (load->p_flags & PF_W) != 0) &&
           ((section.sh_flags & SHF_EXECINSTR) == 0 || (load->p_flags & PF_X) != 0);
}

// dlopen does not read the sections, but a linker writes their table last. So this finds a file
// whose end was not written yet. The sections must also agree with the segments.
bool ElfImage::check_sections() {
    if (header_.e_shoff == 0) {
        return true;
    }
    const std::uint64_t size = std::uint64_t{header_.e_shnum} * sizeof(Elf64_Shdr);
    if (header_.e_shentsize != sizeof(Elf64_Shdr)) {
        return refuse_damaged("its section headers have an unknown size");
    }
    if (!covers(header_.e_shoff, size)) {
        return refuse_cut("the section header table", header_.e_shoff, size);
    }
    for (unsigned i = 1; i < header_.e_shnum; ++i) {
        const auto section =
            at<Elf64_Shdr>(header_.e_shoff + std::uint64_t{i} * sizeof(Elf64_Shdr));
        if (section.sh_type == SHT_NULL) {
            return refuse_damaged("section header " + std::to_string(i) + " is empty");
        }
        if (section.sh_type != SHT_NOBITS && !covers(section.sh_offset, section.sh_size)) {
            return refuse_cut("section " + std::to_string(i), section.sh_offset, section.sh_size);
        }
        if (!is_loaded_as_linked(section)) {
            return refuse_damaged("section " + std::to_string(i) +
                                  " is not where its segment is loaded");
        }
    }
    return true;
}

bool ElfImage::read_dynamic() {
    const auto offset = offset_of(dynamic_segment_->p_vaddr, dynamic_segment_->p_filesz);
    if (!offset || *offset != dynamic_segment_->p_offset) {
        return refuse_damaged("the dynamic table is not in a loaded segment");
    }
    const std::uint64_t count = dynamic_segment_->p_filesz / sizeof(Elf64_Dyn);
    bool ended = false;
    for (std::uint64_t i = 0; i < count && !ended; ++i) {
        dynamic_.push_back(at<Elf64_Dyn>(*offset + i * sizeof(Elf64_Dyn)));
        ended = dynamic_.back().d_tag == DT_NULL;
    }
    if (!ended) {
        return refuse_damaged("the dynamic table does not end");
    }
    return true;
}

bool ElfImage::check_flags() {
    const std::uint64_t flags = dynamic(DT_FLAGS).value_or(0);
    if ((dynamic(DT_FLAGS_1).value_or(0) & DF_1_PIE) != 0) {
        return refuse("not a shared object but " + type_name(ET_EXEC), "link it with -shared");
    }
    if ((flags & DF_TEXTREL) != 0 || dynamic(DT_TEXTREL)) {
        return refuse("it has text relocations", "compile it with -fPIC");
    }
    return true;
}

bool ElfImage::check_pointed_tables() {
    for (const Pointed& table : pointed_tables) {
        const auto address = dynamic(table.address);
        if (!address) {
            continue;
        }
        const std::uint64_t size = table.size == 0 ? 4 : dynamic(table.size).value_or(0);
        if (!offset_of(*address, size)) {
            return refuse_damaged(std::string(table.what) + " is not in a loaded segment");
        }
    }
    return true;
}

bool ElfImage::read_strings() {
    const auto address = dynamic(DT_STRTAB);
    const auto size = dynamic(DT_STRSZ);
    const auto offset = address && size ? offset_of(*address, *size) : std::nullopt;
    if (!offset || *size == 0 || at<char>(*offset + *size - 1) != '\0') {
        return refuse_damaged("the dynamic string table is missing or does not end");
    }
    strings_ = text(*offset, *size);
    return true;
}

}  // namespace skep::host
