/* skep/abi.h: the contract between a skep host and its plugins. C11 and C++17; includes only
 * <stdint.h>. Long because it is the whole contract.
 *
 * A plugin is a shared object that exports one function, skep_plugin_v1, and carries one ELF note
 * (skep/note.h). The host reads the note from the file before it runs any code of the plugin. The
 * note decides whether the host opens the file. C++ authors use skep/plugin.hpp instead of this
 * header; every rule below still holds for them.
 *
 * Ownership, in five rules
 *   1. Arguments are borrowed for the call. A callee that needs bytes longer must copy them, or
 *      keep the message (message_keep).
 *   2. Descriptors (skep_plugin and all it points to) are constant. They live as long as the shared
 *      object is mapped.
 *   3. The side that allocates memory also frees it. Neither side frees a pointer of the other.
 *   4. Messages belong to the host. The plugin holds views, and references that it counts with
 *      message_keep and message_release.
 *   5. Nothing with code in the shared object may outlive destroy(): no thread, no callback, no
 *      handler.
 *
 * Threads. Each function carries a tag:
 *   [loader]  A short-lived thread of the host. The host joins it before it closes the shared
 *             object.
 *   [worker]  The one thread that serves this worker at that moment. The host calls run, on_*,
 *             save_state, load_state, acquire, release and reconfigure on it. It also calls create
 *             and destroy on it, except in a swap of a running worker: there it creates the new
 *             instance and destroys the old one on short-lived helper threads, and the worker does
 *             not pause for that. The host never enters one instance twice at once. Two instances
 *             of one type can run at the same time: protect static data.
 *   [any]     Any thread, from the return of create() to the call of destroy().
 * A [worker] function of the host that is called from another thread does nothing and returns
 * SKEP_E_THREAD. (The tags follow CLAP's thread-check. create() runs on the worker's own thread so
 * that dlclose can unmap the plugin, see ARCHITECTURE.md.)
 *
 * Errors. Functions return an int32 status: 0 or positive is success, negative is one of SKEP_E_*.
 * Treat an unknown negative value as SKEP_E_FAILED. No exception, longjmp or pthread_exit may cross
 * this boundary, in either direction. Host functions never throw. A plugin function that lets an
 * exception out ends the process on some C++ runtimes.
 *
 * Growth. Every struct begins with its size as its writer knew it. Read a field only if that size
 * covers it. Structs grow only at their end. Arrays hold pointers, or state their stride. The
 * reader must refuse a struct that sets an unknown flag in the high half of a flags word
 * (SKEP_MUST_UNDERSTAND), and must ignore an unknown low flag.
 *
 * A plugin must not change what belongs to the process: signal handlers and masks, locale, working
 * directory, environment, umask, resource limits and the rounding mode. It must use the standard
 * streams only if the user asked for that.
 */
#ifndef SKEP_ABI_H
#define SKEP_ABI_H

#include <stdint.h>

#include "skep/version.h"

#ifdef __cplusplus
extern "C" {
#define SKEP_NOEXCEPT noexcept
#else
#define SKEP_NOEXCEPT
#endif

/* NOLINTBEGIN(modernize-use-using): C has no using. */

/* A reader must refuse a struct with an unknown flag at or above this bit. */
#define SKEP_MUST_UNDERSTAND 0x00010000u

/* ---- Status ---- */

enum {
    SKEP_OK = 0,
    SKEP_E_FAILED = -1,    /* the call failed; the text given to fail() says why */
    SKEP_E_INVALID = -2,   /* an argument is invalid */
    SKEP_E_NO_MEMORY = -3, /* the host could not allocate memory */
    SKEP_E_STATE = -4,     /* not allowed in this state */
    SKEP_E_UNKNOWN = -5,   /* no worker, port or parameter has this name */
    SKEP_E_FULL = -6,     /* the mailbox is full and the caller did not wait; counted as rejected */
    SKEP_E_CLOSED = -7,   /* the receiver accepts no more messages; counted as rejected */
    SKEP_E_TIMEOUT = -8,  /* no message arrived in time */
    SKEP_E_STOPPING = -9, /* this instance must end: return from run() soon */
    SKEP_E_THREAD = -10,  /* a [worker] function was called from another thread */
    SKEP_E_NO_ROUTE = -11, /* no route leaves this port; counted as rejected */
    SKEP_E_TOO_BIG = -12,  /* the payload exceeds the limit of the host; counted as rejected */
    SKEP_E_REVOKED = -13   /* the host abandoned the calling thread: the context does nothing */
};

/* The results of checkpoint(). */
enum {
    SKEP_GO_ON = 0, /* continue */
    SKEP_STOP = 1   /* return from run() soon; do no more work */
};

/* ---- Plain values ---- */

/* UTF-8 text without a terminator; data may be null when size is 0. Passed by value (16 bytes). */
typedef struct skep_text {
    const char* data;
    uint64_t size;
} skep_text;

/* ---- Messages ---- */

/* The port of a message that arrived by send, broadcast or reply and not over a route. */
#define SKEP_PORT_DIRECT 0xffffffffu

/* A read-only view of a message. The bytes belong to the host and are shared with other receivers.
 * Do not write to them. A view is valid until the callback that received it returns, or, in a loop
 * worker, until the next receive(). message_keep extends this. message_info returns all other
 * properties of a message; thus the common path moves only 32 bytes. */
typedef struct skep_message {
    const void* data; /* the payload; aligned to 8 bytes; null only when size is 0 */
    uint64_t size;    /* of the payload, in bytes */
    uint32_t port;    /* index among this type's inputs, or SKEP_PORT_DIRECT */
    uint32_t origin;  /* origin and host belong to the host: copy them with the other fields, */
    const void* host; /* and never interpret them */
} skep_message;

/* A run of messages: element i is at (const char *)first + i * stride. */
typedef struct skep_batch {
    uint32_t size;   /* of this struct */
    uint32_t stride; /* bytes from message to message; not sizeof(skep_message), which may grow */
    uint32_t count;
    uint32_t reserved; /* 0 */
    const skep_message* first;
} skep_batch;

/* The properties of a message. The texts live as long as the message. */
typedef struct skep_message_info {
    uint32_t size; /* of this struct; the caller sets it */
    uint32_t reserved;
    skep_text sender;       /* the worker that sent the message, or "" for the host itself */
    skep_text content_type; /* a media type such as "text/plain" or "application/json" */
    uint64_t sequence;      /* 1, 2, 3, ... over all emissions of this sender, to any receiver; each
                               emission has one number */
    int64_t time_ns;        /* on the host's clock (clock_now): when the message was sent, or the
                               sender's last checkpoint or batch, at most 32 emissions earlier */
    uint64_t trace_id;      /* 0 if the sender set none */
} skep_message_info;

/* What a worker sends. */
typedef struct skep_payload {
    const void* data;         /* the host copies the bytes during the call */
    uint64_t size;            /* bytes */
    const char* content_type; /* null: the type that the output port declares, or
                                 "application/octet-stream" */
    uint64_t trace_id;        /* 0 for none */
    const skep_message*
        share; /* not null: send the bytes of this message (received, kept or from buffer_new)
                  without a copy, or with a copy of at most a few dozen bytes; data and size are
                  ignored; the caller keeps the view */
} skep_payload;

/* ---- The context: what a worker may ask of its host ---- */

typedef struct skep_host_api skep_host_api;

/* The host makes one context for each instance. It is valid from the call of create() to the return
 * of destroy().
 *
 * During create(), load_state() and acquire() a worker has no place in the topology yet, and the
 * host may still refuse it. There, the functions marked [worker] return SKEP_E_STATE, except
 * timer_set and fail. */
typedef struct skep_context {
    uint32_t size; /* of this struct */
    uint32_t reserved;
    const skep_host_api* api;
    /* The control word. Read it with a relaxed atomic load as often as you like: a read costs one
     * load and no call. While it is 0, the host requests nothing. Otherwise call api->checkpoint,
     * which reads it again with the necessary memory ordering. */
    const uint32_t* control;
    void* host; /* belongs to the host */
} skep_context;

/* Log levels: the four that operators filter by, and TRACE. */
enum {
    SKEP_LOG_TRACE = 0,
    SKEP_LOG_DEBUG = 1,
    SKEP_LOG_INFO = 2,
    SKEP_LOG_WARN = 3,
    SKEP_LOG_ERROR = 4
};

/* The functions of the host. In a host of an older minor, `size` may end before a function that the
 * plugin knows. The plugin must not call that function. (The note of a plugin states the lowest
 * host minor that the plugin runs on; all functions of that minor exist without a check.) */
struct skep_host_api {
    uint32_t size;
    uint32_t abi_minor; /* the host's */

    /* -- Flow. A checkpoint is a place where a worker agrees to be paused or stopped: checkpoint()
     * itself, and receive(), sleep(), and every emit(), send(), broadcast() and reply() that waits.
     * While the worker is paused, none of them returns. On a pool a worker never waits in any of
     * them: checkpoint() returns at once, receive() and sleep() return SKEP_E_STATE, and the host
     * keeps what is sent on a full route until the route has room. -- */

    /* [worker] Returns SKEP_GO_ON or SKEP_STOP. Blocks while the worker is paused. A worker that
     * receives from routes gets SKEP_STOP only when its mailbox is empty or the drain has run out
     * of time; a worker without inputs gets it at once. */
    int32_t (*checkpoint)(const skep_context* context) SKEP_NOEXCEPT;

    /* [worker; only in run()] Waits for a message, at most timeout_ns (0: do not wait; negative: no
     * limit), and returns up to `max` messages, oldest first. The views live until the next
     * receive(). The next receive() marks these messages as finished.
     * Returns SKEP_OK, SKEP_E_TIMEOUT, or SKEP_E_STOPPING (no more messages will arrive). */
    int32_t (*receive)(const skep_context* context,
                       int64_t timeout_ns,
                       uint32_t max,
                       skep_batch* batch) SKEP_NOEXCEPT;

    /* [worker; only in run()] Sleeps on the host's clock, which tests control. Returns SKEP_OK, or
     * SKEP_E_STOPPING (woken early). */
    int32_t (*sleep)(const skep_context* context, int64_t duration_ns) SKEP_NOEXCEPT;

    /* [worker; handler workers] Starts a timer: calls on_timer(id) first after first_ns, then every
     * period_ns (0: only once). A second call with the same id replaces the timer; a negative
     * first_ns removes it. Times are on the host's clock. The host does not catch up on ticks that
     * it missed. */
    int32_t (*timer_set)(const skep_context* context,
                         uint32_t id,
                         int64_t first_ns,
                         int64_t period_ns) SKEP_NOEXCEPT;

    /* -- Sending. All four functions send `count` payloads, `stride` bytes apart, in order. They
     * stop at the first payload that is not accepted, and count that one as rejected, whatever its
     * status. The payloads after it have not been offered. They return the number of accepted
     * payloads, or, if the first was not accepted, its status. A message that the policy of a route
     * drops is accepted; the host counts the drop. From one worker to another, messages stay in
     * order across all four functions. -- */

    /* [worker] Sends to the workers that routes connect to this output port (index among the type's
     * outputs). Waits where a route has when_full = "block". */
    int64_t (*emit)(const skep_context* context,
                    uint32_t port,
                    const skep_payload* first,
                    uint32_t stride,
                    uint32_t count) SKEP_NOEXCEPT;
    /* [worker] Sends to the worker with this name. Does not wait. Returns SKEP_E_FULL when the
     * mailbox of that worker is full, SKEP_E_UNKNOWN when no worker has the name. */
    int64_t (*send)(const skep_context* context,
                    skep_text worker,
                    const skep_payload* first,
                    uint32_t stride,
                    uint32_t count) SKEP_NOEXCEPT;
    /* [worker] Sends to every other worker that exists at this moment. Does not wait. A full
     * mailbox rejects its copy, and the host counts that. A payload is accepted if at least one
     * worker accepts it. */
    int64_t (*broadcast)(const skep_context* context,
                         const skep_payload* first,
                         uint32_t stride,
                         uint32_t count) SKEP_NOEXCEPT;
    /* [worker] Sends to the sender of a message, otherwise like send. Returns SKEP_E_UNKNOWN when
     * the host itself sent the message. */
    int64_t (*reply)(const skep_context* context,
                     const skep_message* to,
                     const skep_payload* first,
                     uint32_t stride,
                     uint32_t count) SKEP_NOEXCEPT;

    /* -- Messages. -- */

    /* [any] Makes a message of `size` writable bytes that no receiver has seen yet. Cast the const
     * of view->data away, fill the bytes, send the message by `share`, then release it. Do not
     * write to it after it was sent. Returns SKEP_OK, SKEP_E_TOO_BIG, SKEP_E_NO_MEMORY. */
    int32_t (*buffer_new)(const skep_context* context, uint64_t size, skep_message* view)
        SKEP_NOEXCEPT;
    /* [any] Adds a reference: `kept` stays valid until message_release(kept). Release all
     * references before destroy() returns. */
    int32_t (*message_keep)(const skep_context* context,
                            const skep_message* message,
                            skep_message* kept) SKEP_NOEXCEPT;
    /* [any] Releases a view that message_keep or buffer_new returned. */
    void (*message_release)(const skep_context* context, const skep_message* kept) SKEP_NOEXCEPT;
    /* [any] Fills in the fields of `info` that info->size covers. */
    int32_t (*message_info)(const skep_context* context,
                            const skep_message* message,
                            skep_message_info* info) SKEP_NOEXCEPT;

    /* -- Services. -- */

    /* [any] Returns 1 if the host would write a line of this level. Call it before you format an
     * expensive line. */
    int32_t (*log_enabled)(const skep_context* context, int32_t level) SKEP_NOEXCEPT;
    /* [any] Logs one line, without a newline. The host adds time, worker and generation. */
    void (*log)(const skep_context* context, int32_t level, skep_text text) SKEP_NOEXCEPT;
    /* [any] Returns nanoseconds on the host's monotonic clock. Its zero has no meaning. The clock
     * stands still in tests. */
    int64_t (*clock_now)(const skep_context* context) SKEP_NOEXCEPT;
    /* [any] Adds to the worker's count of finished work. The host adds one for each message of a
     * handler worker. */
    void (*items_add)(const skep_context* context, uint64_t count) SKEP_NOEXCEPT;
    /* [any] Adds to the worker's count of errors that it survived. */
    void (*errors_add)(const skep_context* context, uint64_t count) SKEP_NOEXCEPT;
    /* [worker] Gives the reason for the negative status that the current call is about to return.
     * The host copies the text. The last text counts. */
    void (*fail)(const skep_context* context, skep_text text) SKEP_NOEXCEPT;

    /* [any] Return the worker's parameters. The host checks them against the table of the type
     * before create(). Return SKEP_E_UNKNOWN for a parameter that is neither set nor has a default,
     * SKEP_E_INVALID for a parameter of another type. The text lives as long as the context; the
     * text of a reloadable parameter lives until the next reconfigure() has returned.
     * config_integer serves SKEP_PARAM_INTEGER, _BOOLEAN (0 or 1), _DURATION (nanoseconds) and
     * _SIZE (bytes). */
    int32_t (*config_text)(const skep_context* context, const char* name, skep_text* value)
        SKEP_NOEXCEPT;
    int32_t (*config_integer)(const skep_context* context, const char* name, int64_t* value)
        SKEP_NOEXCEPT;
    int32_t (*config_number)(const skep_context* context, const char* name, double* value)
        SKEP_NOEXCEPT;

    /* [any] Returns the worker's own name in the topology; for a replica, "name#index". The text
     * lives as long as the context. */
    skep_text (*worker_name)(const skep_context* context) SKEP_NOEXCEPT;

    /* [any] Finds the table of an optional service by its id and revision, such as "skep.state/1".
     * Returns SKEP_E_UNKNOWN if this host does not have it. No service exists yet. */
    int32_t (*extension)(const skep_context* context, const char* id, const void** table)
        SKEP_NOEXCEPT;

    /* [worker] Emits one payload of `size` bytes with the type of the port and no other property.
     * This is the common case of emit(): four arguments, and no struct to write and read. The host
     * copies the bytes during the call. Returns SKEP_OK if the payload was accepted. Since 0.3. */
    int32_t (*emit_bytes)(const skep_context* context,
                          uint32_t port,
                          const void* data,
                          uint64_t size) SKEP_NOEXCEPT;
};

/* ---- Descriptors: what a plugin declares ---- */

enum {
    SKEP_PARAM_STRING = 1,
    SKEP_PARAM_INTEGER = 2, /* int64 */
    SKEP_PARAM_NUMBER = 3,  /* double; a TOML integer is accepted too */
    SKEP_PARAM_BOOLEAN = 4,
    SKEP_PARAM_DURATION = 5, /* "200ms", "1m": ns, us, ms, s, m, h, d */
    SKEP_PARAM_SIZE = 6      /* "64KiB", "10MB": B, kB, KiB, MB, MiB, GB, GiB */
};

enum {
    SKEP_PARAM_REQUIRED = 1u,  /* no default: the topology must set it */
    SKEP_PARAM_SECRET = 2u,    /* the host never shows the value */
    SKEP_PARAM_RELOADABLE = 4u /* may change while the worker runs: see reconfigure */
};

/* One parameter. Values are text as a user would write them in TOML, without quotes. The host
 * parses and checks them at load. */
typedef struct skep_param {
    uint32_t size;
    uint32_t flags;
    const char* name; /* [a-z][a-z0-9_]* */
    const char* doc;  /* one sentence; may be null */
    uint32_t type;    /* SKEP_PARAM_* */
    uint32_t reserved;
    const char* default_value;  /* null: none */
    const char* min_value;      /* null: no bound; inclusive; for INTEGER, NUMBER, DURATION, SIZE */
    const char* max_value;      /* null: no bound; inclusive */
    const char* const* choices; /* null, or the only values of a STRING, terminated by a null */
} skep_param;

enum {
    SKEP_PORT_OPTIONAL = 1u /* no warning for an output without a route, or an input without a
                               sender */
};

/* One port. Inputs and outputs are separate lists. The index of a port is its place in its list. A
 * route that names only the worker leads to input 0. */
typedef struct skep_port {
    uint32_t size;
    uint32_t flags;
    const char* name;         /* [a-z][a-z0-9_]* */
    const char* content_type; /* what the port carries; "*" for an input that accepts any type, or
                                 an output that may send any type */
    const char* doc;          /* one sentence; may be null */
} skep_port;

/* Receives the state of an instance in pieces. The host joins the pieces. */
typedef struct skep_state_sink {
    uint32_t size; /* of this struct */
    uint32_t reserved;
    /* Adds a piece. Returns SKEP_OK, SKEP_E_NO_MEMORY or SKEP_E_TOO_BIG (over 1 GiB in total). */
    int32_t (*write)(const struct skep_state_sink* sink, const void* data, uint64_t size)
        SKEP_NOEXCEPT;
} skep_state_sink;

enum {
    /* A reload tries create() in a child process before it makes a successor or a new worker in the
     * host. Thus a create() that crashes or hangs does so only in the child. That instance gets no
     * other call, and its process ends without destroy(). Set this flag if create() must not run in
     * another process, or takes longer than ten seconds: create() then runs only in the host. A
     * host that does not know the flag ignores it. */
    SKEP_TYPE_CREATE_IN_HOST_ONLY = 1u
};

/* A type of worker. Exactly one of run and on_message is not null:
 *   loop worker     run() owns its thread and calls receive() and checkpoint() itself.
 *   handler worker  The host owns the loop and calls on_message and on_timer. The host can thus
 *                   pause and stop the worker without its help.
 *
 *   call        called after            on a negative status (an exception in the SDK)
 *   create      -                       the worker fails; destroy is not called
 *   acquire     create, or load_state   the worker fails; destroy is called. In a handover: as
 *                                       save_state
 *   run         acquire                 the worker fails; destroy is called
 *   on_message  acquire                 as run; *done is the index of the message that failed
 *   on_timer    acquire                 as run
 *   on_drain    the last on_message     as run
 *   save_state  run or on_*             the old instance stays; the new one is destroyed
 *   release     save_state              as save_state
 *   load_state  create                  as save_state
 *   reconfigure run or on_*             the instance continues with the previous parameters
 *   destroy     run, or the last on_*   (it cannot fail)
 *
 * Swap and handover. A reload swaps the instance of a running worker for a successor: an instance
 * of a newer plugin, or with other parameters. The host creates the successor while the predecessor
 * works. At the next message boundary of a handler, or after run() of a loop worker has returned as
 * for a stop, the handover begins: the predecessor saves its state, and the successor loads it.
 * load_state is the first call of the successor after create(). The mailbox and all messages in it
 * stay with the worker. The host destroys the predecessor some time later. Until then it may roll
 * the swap back and let the predecessor continue: when another part of the reload fails, or the
 * successor fails soon after the swap. Therefore save_state must change nothing, and the host may
 * call run() again after it returned. Exclusive resources are handed over like state: the
 * predecessor releases them, then the successor acquires them.
 */
typedef struct skep_worker_type {
    uint32_t size;
    uint32_t flags;   /* SKEP_TYPE_* */
    const char* name; /* [a-z][a-z0-9_]* */
    const char* doc;  /* one sentence; may be null */
    const skep_param* const* params;
    const skep_port* const* inputs;
    const skep_port* const* outputs;
    uint32_t param_count;
    uint32_t input_count;
    uint32_t output_count;
    uint32_t reserved;

    /* Makes an instance. The context stays valid until destroy returns. */
    int32_t (*create)(const skep_context* context, void** instance);
    /* Ends the instance. Joins every thread that the instance started; releases every kept message.
     */
    void (*destroy)(void* instance);
    /* Works until its work is done or the host stops it. */
    int32_t (*run)(void* instance);
    /* Handles the messages in order, and writes the number of finished messages into *done. May
     * return early, with SKEP_OK and *done >= 1. While the control word is not 0, it may also
     * return with *done == 0; a sink that waits for its output does this. The host keeps the other
     * messages and passes them in again. On failure, *done is the index of the message that failed:
     * the messages before it count as delivered, that message becomes a dead letter, and the
     * messages after it stay in the mailbox. */
    int32_t (*on_message)(void* instance, const skep_batch* batch, uint32_t* done);
    int32_t (*on_timer)(void* instance, uint32_t id); /* may be null */
    /* The input has ended: no more messages will arrive. This is the last chance to emit. May be
     * null. */
    int32_t (*on_drain)(void* instance);

    /* -- Since minor 2. -- */

    /* The version of the state that save_state writes. 0: instances have no state to hand over. */
    uint32_t state_version;
    /* The oldest version that load_state accepts. It must accept all versions from this one to
     * state_version. The host refuses a successor that does not accept the state of its
     * predecessor, before it changes anything. */
    uint32_t state_oldest;
    /* Both null when state_version is 0, both not null otherwise. The data of load_state belong to
     * the host, are aligned to 16 bytes, and live for the call. */
    int32_t (*save_state)(const void* instance, const skep_state_sink* sink);
    int32_t (*load_state)(void* instance, uint32_t version, const void* data, uint64_t size);

    /* -- Since minor 4. -- */

    /* Applies new values of parameters that are marked SKEP_PARAM_RELOADABLE. No other parameter
     * has changed. config_* return the new values from now on. The host calls it at a message
     * boundary, as in a handover, but no handover takes place: the instance, its state and its
     * timers stay. On failure the host refuses the reload, config_* return the previous values
     * again, and the instance continues as if reconfigure had not been called. When another part of
     * the reload fails, the host calls it once more, with the previous values; if it fails then,
     * the worker fails. Null: the host ignores the marks, and new values need a successor. */
    int32_t (*reconfigure)(void* instance);

    /* -- Since minor 5. -- */

    /* For exclusive resources, which only one instance can hold at a time: a listening port, a
     * device, a lock on a file. Both null, or neither. acquire takes the resources; only create and
     * load_state are called before it. If acquire fails, it must hold nothing. destroy releases
     * what the instance still holds.
     *
     * The host calls release only in a handover: after the predecessor has saved its state, it
     * releases its resources, and the successor acquires them. If the reload fails, or the
     * successor fails soon after, the host calls release on the successor (whatever call failed),
     * then acquire on the predecessor; if that acquire fails, the worker fails. If release fails,
     * it must have released nothing, and the predecessor continues. */
    int32_t (*acquire)(void* instance);
    int32_t (*release)(void* instance);
} skep_worker_type;

/* The plugin. */
typedef struct skep_plugin {
    uint32_t size;
    uint32_t flags;
    uint16_t abi_major; /* abi_major, abi_minor, lowest_host_minor, id and version must equal those
                           of the note */
    uint16_t abi_minor;
    uint16_t lowest_host_minor;
    uint16_t reserved;
    const char* id;      /* reverse DNS, e.g. "org.example.hello"; at most 63 bytes */
    const char* version; /* semantic version; at most 31 bytes */
    const char* vendor;  /* may be null, like the next two */
    const char* licence;
    const char* doc;
    const skep_worker_type* const* types;
    uint32_t type_count;
    uint32_t reserved2;
} skep_plugin;

/* [loader] The one exported function. The result is constant, never null, and lives as long as the
 * shared object is mapped. */
typedef const skep_plugin* (*skep_plugin_entry)(void);
#define SKEP_ENTRY_NAME "skep_plugin_v1"

/* NOLINTEND(modernize-use-using) */

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif
