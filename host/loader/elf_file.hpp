// Reads the facts that the host needs of a shared object from its bytes, before any code of it
// runs.
//
// dlopen trusts its file: a file that is only half written kills the process with SIGBUS or SIGSEGV
// instead of an error. So this checks everything that dlopen would follow: the tables lie within
// the file, the strings end, the machine is that of the host. It does not find damage inside of the
// code or the data.
//
// Pure: no file, no lock, and never more memory than the size of the file. Any thread.
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
    std::optional<skep_note> note;  // none: not a skep plugin
    std::string build_id;           // lower-case hex; may be empty
    std::vector<std::string> needed;
    std::string soname;
    std::string runpath;  // DT_RUNPATH, else DT_RPATH
    // True: runpath is DT_RPATH, which also applies to the libraries that it needs.
    bool is_rpath = false;
    // Defined symbols marked STB_GNU_UNIQUE, mangled. If dlopen binds one of them, the library
    // stays mapped for good.
    std::vector<std::string> unique_symbols;
    bool nodelete = false;      // DF_1_NODELETE: never unload
    bool static_tls = false;    // DF_STATIC_TLS: takes from a small pool that reloads soon exhaust
    bool thread_exits = false;  // imports __cxa_thread_atexit: its thread_locals have destructors
    // The function that it imports to create keys whose destructors run at the end of a thread,
    // even after it was closed: pthread_key_create; "" if none.
    std::string thread_keys;
    // The function that it imports by which libc keeps one of its functions for good; "" if none.
    std::string registers;
    bool exports_entry = false;  // exports skep_plugin_v1
    std::size_t extent = 0;      // size of its address space, in bytes
};

// `file` is the file name for the diagnostic. Refuses a file that is not a whole shared object for
// this machine, an executable stack, and text relocations. Accepts a file without a note or entry.
[[nodiscard]] Result<ElfFacts> read_elf(std::span<const std::byte> bytes, const std::string& file);

}  // namespace skep::host
