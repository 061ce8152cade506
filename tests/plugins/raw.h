/* A plugin straight on the C ABI, for tests that ask what the loader does with a shared object
 * rather than what a worker does. It has one handler type, "probe". on_timer answers whatever the
 * test wants to know, and needs no host for it:
 *
 *   static int32_t probe(void *data, uint32_t question) { return 42; }
 *   RAW_PLUGIN("org.skep.test.answers")
 */
#ifndef SKEP_TESTS_RAW_H
#define SKEP_TESTS_RAW_H

#include <stddef.h>

#include <skep/abi.h>
#include <skep/note.h>

#ifdef __cplusplus
#define RAW_C extern "C"
#else
#define RAW_C
#endif

static int32_t raw_create(const skep_context* context, void** instance) {
    (void)context;
    *instance = NULL;
    return SKEP_OK;
}

static void raw_destroy(void* instance) {
    (void)instance;
}

static int32_t raw_on_message(void* instance, const skep_batch* batch, uint32_t* done) {
    (void)instance;
    *done = batch->count;
    return SKEP_OK;
}

#define RAW_ENTRY                                                                         \
    RAW_C __attribute__((visibility("default"))) const skep_plugin* skep_plugin_v1(void); \
    RAW_C const skep_plugin* skep_plugin_v1(void)

#define RAW_PLUGIN_AS(note_id, descriptor_id)                                               \
    SKEP_NOTE(note_id, "1.0.0", SKEP_LANGUAGE_C);                                           \
    static const skep_worker_type raw_type = {.size = sizeof(skep_worker_type),             \
                                              .name = "probe",                              \
                                              .doc = "Answers questions.",                  \
                                              .create = raw_create,                         \
                                              .destroy = raw_destroy,                       \
                                              .on_message = raw_on_message,                 \
                                              .on_timer = probe};                           \
    static const skep_worker_type* const raw_types[] = {&raw_type};                         \
    static const skep_plugin raw_plugin = {.size = sizeof(skep_plugin),                     \
                                           .abi_major = SKEP_ABI_MAJOR,                     \
                                           .abi_minor = SKEP_ABI_MINOR,                     \
                                           .lowest_host_minor = SKEP_ABI_LOWEST_HOST_MINOR, \
                                           .id = descriptor_id,                             \
                                           .version = "1.0.0",                              \
                                           .types = raw_types,                              \
                                           .type_count = 1};                                \
    RAW_ENTRY {                                                                             \
        return &raw_plugin;                                                                 \
    }

#define RAW_PLUGIN(id) RAW_PLUGIN_AS(id, id)

#endif
