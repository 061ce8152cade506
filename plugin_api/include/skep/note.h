/* skep/note.h: the ELF note that identifies a plugin before the host runs any of its code.
 *
 * dlopen runs constructors before it returns; a version check after dlopen is too late. The note is
 * part of the file, in a PT_NOTE segment. It survives strip, LTO and --gc-sections, and the host
 * reads it with a few bounded reads. (ELF gABI, "Note Section". LV2 and DuckDB also check before
 * the load, but need a second file or an extra build step.)
 *
 * A plugin in C writes SKEP_NOTE("org.example.hello", "1.0.0", SKEP_LANGUAGE_C); once, at file
 * scope. In C++, SKEP_PLUGIN includes it.
 */
#ifndef SKEP_NOTE_H
#define SKEP_NOTE_H

#include <stdint.h>

#include "skep/version.h"

#define SKEP_NOTE_OWNER "skep" /* namesz 5 with the null, padded to 8 */
#define SKEP_NOTE_TYPE 1u
#define SKEP_NOTE_FORMAT 1u

enum {
    SKEP_LANGUAGE_OTHER = 0,
    SKEP_LANGUAGE_C = 1,
    SKEP_LANGUAGE_CXX = 2,
    SKEP_LANGUAGE_RUST = 3
};

enum {
    SKEP_COMPILER_OTHER = 0,
    SKEP_COMPILER_GCC = 1,
    SKEP_COMPILER_CLANG = 2,
    SKEP_COMPILER_RUSTC = 3
};

enum { SKEP_SANITIZER_ADDRESS = 1u, SKEP_SANITIZER_THREAD = 2u };

/* NOLINTBEGIN(modernize-use-using): C has no using. */
/* The descriptor of the note. Aligned to 4 bytes, with a fixed size in format 1; a later format
 * appends fields. Texts are terminated and padded with nulls. */
typedef struct skep_note {
    uint32_t format; /* SKEP_NOTE_FORMAT */
    uint16_t abi_major;
    uint16_t abi_minor;         /* the plugin was built with this minor */
    uint16_t lowest_host_minor; /* the plugin runs on this host minor and newer */
    uint16_t pointer_bits;
    uint32_t language;
    uint32_t compiler;
    uint32_t compiler_version; /* major * 100 + minor */
    uint32_t sanitizers; /* must equal those of the host: an instrumented plugin in a plain host, or
                            the reverse, hides or invents errors, if it loads at all */
    char plugin_id[64];
    char plugin_version[32];
    char sdk_version[16];
} skep_note;

typedef struct skep_note_section {
    uint32_t name_size;
    uint32_t desc_size;
    uint32_t type;
    char name[8];
    skep_note desc;
} skep_note_section;

/* NOLINTEND(modernize-use-using) */

#if defined(__clang__)
#define SKEP_THIS_COMPILER SKEP_COMPILER_CLANG
#define SKEP_THIS_COMPILER_VERSION (__clang_major__ * 100 + __clang_minor__)
#elif defined(__GNUC__)
#define SKEP_THIS_COMPILER SKEP_COMPILER_GCC
#define SKEP_THIS_COMPILER_VERSION (__GNUC__ * 100 + __GNUC_MINOR__)
#else
#define SKEP_THIS_COMPILER SKEP_COMPILER_OTHER
#define SKEP_THIS_COMPILER_VERSION 0
#endif

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SKEP_THIS_ADDRESS_SANITIZER SKEP_SANITIZER_ADDRESS
#endif
#if __has_feature(thread_sanitizer)
#define SKEP_THIS_THREAD_SANITIZER SKEP_SANITIZER_THREAD
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define SKEP_THIS_ADDRESS_SANITIZER SKEP_SANITIZER_ADDRESS
#endif
#if defined(__SANITIZE_THREAD__)
#define SKEP_THIS_THREAD_SANITIZER SKEP_SANITIZER_THREAD
#endif
#ifndef SKEP_THIS_ADDRESS_SANITIZER
#define SKEP_THIS_ADDRESS_SANITIZER 0u
#endif
#ifndef SKEP_THIS_THREAD_SANITIZER
#define SKEP_THIS_THREAD_SANITIZER 0u
#endif
#define SKEP_THIS_SANITIZERS (SKEP_THIS_ADDRESS_SANITIZER | SKEP_THIS_THREAD_SANITIZER)

/* Clang's AddressSanitizer would put a red zone behind the note, into the section of the note. */
#if defined(__clang__)
#define SKEP_NOTE_WITHOUT_RED_ZONE __attribute__((no_sanitize("address")))
#else
#define SKEP_NOTE_WITHOUT_RED_ZONE
#endif

/* clang-format off */
#define SKEP_NOTE(id, version, language)                                                          \
    __attribute__((section(".note.skep"), used, aligned(4))) SKEP_NOTE_WITHOUT_RED_ZONE           \
    static const skep_note_section skep_note_of_this_plugin = {                                   \
        sizeof(SKEP_NOTE_OWNER), sizeof(skep_note), SKEP_NOTE_TYPE, SKEP_NOTE_OWNER,              \
        {SKEP_NOTE_FORMAT, SKEP_ABI_MAJOR, SKEP_ABI_MINOR, SKEP_ABI_LOWEST_HOST_MINOR,            \
         sizeof(void *) * 8, language, SKEP_THIS_COMPILER, SKEP_THIS_COMPILER_VERSION,            \
         SKEP_THIS_SANITIZERS, id, version, SKEP_VERSION_STRING}}
/* clang-format on */

#endif
