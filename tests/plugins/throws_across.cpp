// A plugin in C++ without the SDK, and so without its fence: what its handlers throw reaches the
// host.
#include <stdexcept>

#include <skep/abi.h>
#include <skep/note.h>

namespace {

std::int32_t create(const skep_context* /*context*/, void** instance) {
    *instance = nullptr;
    return SKEP_OK;
}

void destroy(void* /*instance*/) {}

std::int32_t throws_exception(void*, const skep_batch*, std::uint32_t*) {
    throw std::runtime_error("over the fence");
}

std::int32_t throws_number(void*, const skep_batch*, std::uint32_t*) {
    throw 42;
}

constexpr skep_port in = {sizeof(skep_port), 0, "in", "*", nullptr};
constexpr const skep_port* inputs[] = {&in};

constexpr skep_worker_type handler(const char* name, decltype(&throws_number) on_message) {
    skep_worker_type it{};
    it.size = sizeof(it);
    it.name = name;
    it.inputs = inputs;
    it.input_count = 1;
    it.create = &create;
    it.destroy = &destroy;
    it.on_message = on_message;
    return it;
}

constexpr skep_worker_type with_exception = handler("exception", &throws_exception);
constexpr skep_worker_type with_number = handler("number", &throws_number);
constexpr const skep_worker_type* types[] = {&with_exception, &with_number};

constexpr skep_plugin describe() {
    skep_plugin it{};
    it.size = sizeof(it);
    it.abi_major = SKEP_ABI_MAJOR;
    it.abi_minor = SKEP_ABI_MINOR;
    it.lowest_host_minor = SKEP_ABI_LOWEST_HOST_MINOR;
    it.id = "org.skep.test.throws_across";
    it.version = "1.0.0";
    it.types = types;
    it.type_count = 2;
    return it;
}

constexpr skep_plugin plugin = describe();

}  // namespace

SKEP_NOTE("org.skep.test.throws_across", "1.0.0", SKEP_LANGUAGE_CXX);

extern "C" __attribute__((visibility("default"))) const skep_plugin* skep_plugin_v1();

const skep_plugin* skep_plugin_v1() {
    return &plugin;
}
