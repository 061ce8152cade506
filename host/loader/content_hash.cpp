#include "host/loader/content_hash.hpp"

#include <array>

#include <openssl/sha.h>

#include "host/base/printable.hpp"

namespace skep::host {

std::string content_hash(std::span<const std::byte> bytes) {
    std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
    ::SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data());
    return hex({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

}  // namespace skep::host
