#include "host/loader/loader.hpp"

namespace skep::host {

const skep_worker_type* Library::find_type(std::string_view name) const {
    for (std::uint32_t i = 0; i < descriptor_->type_count; ++i) {
        if (name == descriptor_->types[i]->name) {
            return descriptor_->types[i];
        }
    }
    return nullptr;
}

LibraryFacts facts_of(const Library& library) {
    const PluginInfo& info = library.info();
    return {library.path(),
            info.id,
            info.version,
            info.build_id,
            info.content,
            library.opened(),
            "",
            0};
}

}  // namespace skep::host
