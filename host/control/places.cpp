#include "host/control/places.hpp"

namespace skep::host {

std::vector<std::string> control_folders(const char* runtime_dir) {
    std::vector<std::string> folders;
    if (runtime_dir != nullptr && runtime_dir[0] != '\0') {
        std::string folder = runtime_dir;
        folder += folder.back() == '/' ? "skep" : "/skep";
        folders.push_back(std::move(folder));
    }
    folders.emplace_back("/run/skep");
    return folders;
}

std::string control_path(const std::string& folder, const std::string& host) {
    return folder + "/" + host + ".sock";
}

bool is_socket_name(const std::string& host) {
    return !host.empty() && host.find('/') == std::string::npos &&
           host.find('\0') == std::string::npos;
}

}  // namespace skep::host
