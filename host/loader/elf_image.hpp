// The outer structure of an ELF64 shared object: header, segments, dynamic table and strings, all
// of them proven to lie within the file. elf_file.hpp reads the facts from it.
//
// A view: the caller keeps the bytes, which must outlive it. Constant after open; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <elf.h>

#include "host/base/result.hpp"

namespace skep::host {

class ElfImage {
public:
    // Refuses, with one diagnostic, a file that is truncated, damaged, not a shared object, or not
    // for this machine.
    [[nodiscard]] static Result<ElfImage> open(std::span<const std::byte> bytes,
                                               const std::string& file);

    [[nodiscard]] bool covers(std::uint64_t offset, std::uint64_t size) const {
        return offset <= bytes_.size() && size <= bytes_.size() - offset;
    }

    // Returns the T at `offset`. Precondition: it lies within the file.
    template <typename T>
    [[nodiscard]] T at(std::uint64_t offset) const {
        static_assert(std::is_trivially_copyable_v<T>);
        SKEP_ASSERT(covers(offset, sizeof(T)));
        T value;
        std::memcpy(&value, bytes_.data() + offset, sizeof(T));
        return value;
    }

    // Returns the bytes from `offset` on. Precondition: they lie within the file.
    [[nodiscard]] std::string_view text(std::uint64_t offset, std::uint64_t size) const {
        SKEP_ASSERT(covers(offset, size));
        return {reinterpret_cast<const char*>(bytes_.data()) + offset, size};
    }

    // Returns the offset in the file of the `size` bytes that will be mapped at `address`; nothing
    // if they are not in the file.
    [[nodiscard]] std::optional<std::uint64_t> offset_of(std::uint64_t address,
                                                         std::uint64_t size) const;

    // Returns the value of an entry of the dynamic table.
    [[nodiscard]] std::optional<std::uint64_t> dynamic(Elf64_Sxword tag) const;

    [[nodiscard]] const std::vector<Elf64_Dyn>& dynamic_table() const { return dynamic_; }

    // Returns a string of the dynamic string table; nothing if it begins outside.
    [[nodiscard]] std::optional<std::string_view> string_at(std::uint64_t index) const;

    // The PT_NOTE segments; each lies within the file.
    [[nodiscard]] const std::vector<Elf64_Phdr>& notes() const { return notes_; }

    // Returns the bytes of address space from the first segment to the end of the last.
    [[nodiscard]] std::uint64_t extent() const {
        return loads_.back().p_vaddr + loads_.back().p_memsz - loads_.front().p_vaddr;
    }

private:
    ElfImage(std::span<const std::byte> bytes, const std::string& file)
        : bytes_(bytes),
          file_(file) {}

    // The steps of open, in their order. Each returns false with refusal_ set.
    bool read_ident();
    bool read_header();
    bool read_segments();
    bool add_load(const Elf64_Phdr& load, unsigned index);
    bool check_sections();
    bool check_inner_segments();
    bool read_dynamic();
    bool check_flags();
    bool check_pointed_tables();
    bool read_strings();

    // Returns the segment whose memory contains the whole range; null if none does.
    [[nodiscard]] const Elf64_Phdr* find_load(std::uint64_t address, std::uint64_t size) const;
    [[nodiscard]] bool is_loaded_as_linked(const Elf64_Shdr& section) const;

    bool refuse(std::string message, std::string hint = {});
    bool refuse_cut(const std::string& what, std::uint64_t offset, std::uint64_t size);
    bool refuse_damaged(const std::string& what);

    std::span<const std::byte> bytes_;
    std::string file_;
    Diagnostic refusal_;
    Elf64_Ehdr header_{};
    std::vector<Elf64_Phdr> loads_, notes_;
    std::vector<std::pair<unsigned, Elf64_Phdr>> inner_;  // all other segments, by their number
    std::optional<Elf64_Phdr> dynamic_segment_;
    std::vector<Elf64_Dyn> dynamic_;
    std::string_view strings_;  // ends with a null
};

// "the file is damaged: WHAT"
[[nodiscard]] Diagnostic damaged_file(const std::string& file, const std::string& what);

}  // namespace skep::host
