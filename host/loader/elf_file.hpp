// Reads what the host must know of a shared object from its bytes, before any code of it runs.
//
// dlopen trusts its file: a half-written one kills the process with SIGBUS or SIGSEGV instead of an
// error. So everything that dlopen would follow is checked first: the tables lie within the file,
// the strings end, the machine is ours. What this does not find is damage inside the code or the
// data.
//
// Pure: no file, no lock, and never more memory than the file has bytes. Any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <skep/note.h>

#include "host/base/result.hpp"

namespace skep::host {

struct ElfFacts {
    std::optional<skep_note> note;  // none: not a plugin of skep
    std::string build_id;           // lower-case hex; may be empty
    std::vector<std::string> needed;
    std::string soname;
    std::string runpath;    // DT_RUNPATH, else DT_RPATH
    bool is_rpath = false;  // it is DT_RPATH, which counts for those that it needs too
    // Defined symbols marked STB_GNU_UNIQUE, mangled. One that dlopen binds pins the library for
    // good.
    std::vector<std::string> unique_symbols;
    bool nodelete = false;  // DF_1_NODELETE: asks never to be unloaded
    bool static_tls =
        false;  // DF_STATIC_TLS: takes from a small pool that is soon used up by reloads
    bool thread_exits = false;  // imports __cxa_thread_atexit: its thread_locals have destructors
    // The function that it imports to make keys whose destructors run when a thread ends, also
    // after it was closed: pthread_key_create; "" when there is none.
    std::string thread_keys;
    // The function that it imports by which libc keeps a function of it for good; "": none.
    std::string registers;
    bool exports_entry = false;  // skep_plugin_v1 is there
    std::size_t extent = 0;      // bytes of address space that it takes
};

// `file` is the name for the diagnostic. Refuses what is not a whole shared object for this
// machine, an executable stack, and text relocations. A file without a note or entry is read all
// the same.
[[nodiscard]] Result<ElfFacts> read_elf(std::span<const std::byte> bytes, const std::string& file);

}  // namespace skep::host
