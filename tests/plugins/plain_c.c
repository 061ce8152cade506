/* Workers in plain C, straight on the ABI: a loop, a handler, and handlers that break its rules. */
#include <stdlib.h>
#include <string.h>

#include <skep/abi.h>
#include <skep/note.h>

SKEP_NOTE("org.skep.test.plain_c", "1.0.0", SKEP_LANGUAGE_C);

typedef struct worker {
    const skep_context* context;
} worker;

static int32_t create(const skep_context* context, void** instance) {
    worker* const made = malloc(sizeof(worker));
    if (made == NULL) {
        return SKEP_E_NO_MEMORY;
    }
    made->context = context;
    *instance = made;
    return SKEP_OK;
}

static void destroy(void* instance) {
    free(instance);
}

static skep_text text(const char* words) {
    const skep_text made = {words, strlen(words)};
    return made;
}

/* Emits "one", "two" and "three" at once, then counts what it receives until it has to end. */
static int32_t loop_run(void* instance) {
    const skep_context* const context = ((worker*)instance)->context;
    const skep_payload payloads[] = {
        {.data = "one", .size = 3}, {.data = "two", .size = 3}, {.data = "three", .size = 5}};
    if (context->api->emit(context, 0, payloads, sizeof(skep_payload), 3) != 3) {
        context->api->fail(context, text("not all three were taken"));
        return SKEP_E_FAILED;
    }
    skep_batch batch = {.size = sizeof(skep_batch)};
    while (context->api->checkpoint(context) == SKEP_GO_ON) {
        if (context->api->receive(context, -1, 8, &batch) == SKEP_OK) {
            context->api->items_add(context, batch.count);
        }
    }
    return SKEP_OK;
}

/* Passes every message on without a copy, and looks for a pause after each. */
static int32_t handler_on_message(void* instance, const skep_batch* batch, uint32_t* done) {
    const skep_context* const context = ((worker*)instance)->context;
    for (*done = 0; *done < batch->count;) {
        const void* const at = (const char*)batch->first + (size_t)*done * batch->stride;
        const skep_payload payload = {.share = at};
        if (context->api->emit(context, 0, &payload, sizeof(payload), 1) != 1) {
            context->api->fail(context, text("nobody took it"));
            return SKEP_E_FAILED;
        }
        ++*done;
        if (__atomic_load_n(context->control, __ATOMIC_RELAXED) != 0) {
            break;
        }
    }
    return SKEP_OK;
}

static int32_t fails_on_message(void* instance, const skep_batch* batch, uint32_t* done) {
    const skep_context* const context = ((worker*)instance)->context;
    (void)batch;
    *done = 1;
    context->api->fail(context, text("the second is bad"));
    return SKEP_E_FAILED;
}

static int32_t idle_on_message(void* instance, const skep_batch* batch, uint32_t* done) {
    (void)instance;
    (void)batch;
    *done = 0;
    return SKEP_OK;
}

static int32_t boasts_on_message(void* instance, const skep_batch* batch, uint32_t* done) {
    (void)instance;
    *done = batch->count + 5;
    return SKEP_OK;
}

static int32_t mute_on_message(void* instance, const skep_batch* batch, uint32_t* done) {
    const skep_context* const context = ((worker*)instance)->context;
    const skep_payload payload = {.data = "x", .size = 1};
    *done = batch->count;
    const int64_t status = context->api->emit(context, 0, &payload, sizeof(payload), 1);
    context->api->fail(context, text(status == SKEP_E_UNKNOWN ? "unknown" : "something else"));
    return SKEP_E_FAILED;
}

static const skep_port in = {
    .size = sizeof(skep_port), .name = "in", .content_type = "*", .doc = NULL};
static const skep_port out = {
    .size = sizeof(skep_port), .name = "out", .content_type = "text/plain", .doc = NULL};
static const skep_port* const inputs[] = {&in};
static const skep_port* const outputs[] = {&out};

#define HANDLER(type, its_name, function, its_outputs)                      \
    static const skep_worker_type type = {.size = sizeof(skep_worker_type), \
                                          .name = its_name,                 \
                                          .inputs = inputs,                 \
                                          .input_count = 1,                 \
                                          .outputs = outputs,               \
                                          .output_count = its_outputs,      \
                                          .create = create,                 \
                                          .destroy = destroy,               \
                                          .on_message = function}

HANDLER(handler, "handler", handler_on_message, 1);
HANDLER(fails, "fails_at_the_second", fails_on_message, 1);
HANDLER(idle, "never_done", idle_on_message, 1);
HANDLER(boasts, "boasts", boasts_on_message, 1);
HANDLER(mute, "mute", mute_on_message, 0);

static const skep_worker_type loop = {.size = sizeof(skep_worker_type),
                                      .name = "loop",
                                      .inputs = inputs,
                                      .input_count = 1,
                                      .outputs = outputs,
                                      .output_count = 1,
                                      .create = create,
                                      .destroy = destroy,
                                      .run = loop_run};

static const skep_worker_type* const types[] = {&loop, &handler, &fails, &idle, &boasts, &mute};

static const skep_plugin plugin = {.size = sizeof(skep_plugin),
                                   .abi_major = SKEP_ABI_MAJOR,
                                   .abi_minor = SKEP_ABI_MINOR,
                                   .lowest_host_minor = SKEP_ABI_LOWEST_HOST_MINOR,
                                   .id = "org.skep.test.plain_c",
                                   .version = "1.0.0",
                                   .types = types,
                                   .type_count = 6};

__attribute__((visibility("default"))) const skep_plugin* skep_plugin_v1(void);

const skep_plugin* skep_plugin_v1(void) {
    return &plugin;
}
