#include "host/loader/abi_check.hpp"

namespace skep::host {
namespace {

std::string abi_version(unsigned major, unsigned minor) {
    return std::to_string(major) + "." + std::to_string(minor);
}

std::string sanitizer_names(unsigned sanitizers) {
    std::string names;
    if ((sanitizers & SKEP_SANITIZER_ADDRESS) != 0) {
        names = "AddressSanitizer";
    }
    if ((sanitizers & SKEP_SANITIZER_THREAD) != 0) {
        names += names.empty() ? "ThreadSanitizer" : " and ThreadSanitizer";
    }
    return names.empty() ? "no sanitizer" : names;
}

}  // namespace

Result<Done> check_abi(const skep_note& note, const std::string& file) {
    const std::string ours = abi_version(SKEP_ABI_MAJOR, SKEP_ABI_MINOR);
    const std::string rebuild = "rebuild the plugin with the headers of skep " SKEP_VERSION_STRING;
    const auto refuse = [&](const std::string& message, const std::string& hint) {
        return failure(error_about(file, message, hint));
    };
    // A variable, because the compiler knows that today's lowest minor is no bound; a later one
    // will be.
    const unsigned lowest_plugin_minor = SKEP_ABI_LOWEST_PLUGIN_MINOR;

    if (note.abi_major != SKEP_ABI_MAJOR) {
        return refuse(
            "built for plugin ABI " + abi_version(note.abi_major, note.abi_minor) +
                ", this host has " + ours + " and the majors must be equal",
            note.abi_major > SKEP_ABI_MAJOR ? "use a newer skep, or " + rebuild : rebuild);
    }
    if (note.lowest_host_minor > SKEP_ABI_MINOR) {
        return refuse("needs a host with plugin ABI " +
                          abi_version(note.abi_major, note.lowest_host_minor) +
                          " or newer, this host has " + ours,
                      "use a newer skep, or " + rebuild);
    }
    if (note.abi_minor < lowest_plugin_minor) {
        return refuse("built for plugin ABI " + abi_version(note.abi_major, note.abi_minor) +
                          ", this host runs plugins of " +
                          abi_version(SKEP_ABI_MAJOR, lowest_plugin_minor) + " and newer",
                      rebuild);
    }
    if (note.pointer_bits != sizeof(void*) * 8) {
        return refuse("built with pointers of " + std::to_string(note.pointer_bits) +
                          " bits, this host has " + std::to_string(sizeof(void*) * 8),
                      "build it for this machine");
    }
    if (note.sanitizers != SKEP_THIS_SANITIZERS) {
        return refuse("built with " + sanitizer_names(note.sanitizers) + ", this host with " +
                          sanitizer_names(SKEP_THIS_SANITIZERS),
                      "build both with the same SKEP_SANITIZE");
    }
    return Done{};
}

}  // namespace skep::host
