/* skep/abi.h: the contract between a skep host and its plugins. C11 and C++17; nothing but
 * <stdint.h>. Long because it is the whole contract, and read as one.
 *
 * A plugin is a shared object that exports one function, skep_plugin_v1, and carries one ELF note
 * (skep/note.h). The host reads the note from the file before it runs any code of the plugin, and
 * decides by it alone whether to open the file at all. C++ authors use skep/plugin.hpp and never
 * see this header; every rule below still holds for them.
 *
 * Ownership, in five rules
 *   1. Arguments are borrowed for the call. Who wants bytes longer copies them, or keeps the
 *      message (message_keep).
 *   2. Descriptors (skep_plugin and all it points to) are constant and live as long as the shared
 *      object is mapped.
 *   3. Who allocates frees. No pointer of one side is ever freed by the other.
 *   4. Messages belong to the host; the plugin holds views, and references that it counts with
 *      message_keep and message_release.
 *   5. Nothing with code in the shared object outlives destroy(): no thread, no callback, no
 *      handler left behind.
 *
 * Threads. Each function carries a tag:
 *   [loader]  a short-lived thread of the host that is joined before the shared object is closed.
 *   [worker]  the one thread that serves this worker at that moment. run, on_*, save_state,
 *             load_state, acquire, release and reconfigure all come from it; so do create and
 *             destroy, but where a running worker is given a successor: the new instance is made,
 *             and the old one destroyed, on short-lived threads of the host, so that the worker
 *             does not stand still for it. One instance is never entered twice at once. Two
 *             instances of one type do run at the same time: statics need care.
 *   [any]     any thread between the return of create() and the call of destroy().
 * A [worker] function of the host that is called from elsewhere does nothing and returns
 * SKEP_E_THREAD. (The tags follow CLAP's thread-check; running create on the worker's own thread is
 * what lets dlclose unmap, see ARCHITECTURE.md.)
 *
 * Errors. Functions return an int32 status: 0 or positive is success, negative is one of SKEP_E_*.
 * A negative value that the reader does not know means SKEP_E_FAILED. Nothing is thrown, no
 * longjmp, no pthread_exit, across this boundary, either way: host functions never throw, and a
 * plugin function that lets an exception out ends the process on some C++ runtimes.
 *
 * Growth. Every struct begins with its size as its writer saw it; a field may be read only where
 * that size covers it. Structs grow at their end alone. Arrays hold pointers, or say their stride.
 * A flag in the high half of a flags word (SKEP_MUST_UNDERSTAND) that the reader does not know is a
 * refusal; an unknown low flag is ignored.
 *
 * A plugin must leave alone what belongs to the process: signal handlers and masks, locale, working
 * directory, environment, umask, resource limits, the rounding mode, standard streams it was not
 * told to use.
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

/* Flags at or above this bit refuse a reader who does not know them. */
#define SKEP_MUST_UNDERSTAND 0x00010000u

/* ---- Status ---- */

enum {
    SKEP_OK = 0,
    SKEP_E_FAILED = -1,    /* it failed; the text given to fail() says why */
    SKEP_E_INVALID = -2,   /* an argument makes no sense */
    SKEP_E_NO_MEMORY = -3, /* the host could not allocate */
    SKEP_E_STATE = -4,     /* not allowed in this state */
    SKEP_E_UNKNOWN = -5,   /* no worker, port or parameter of that name */
    SKEP_E_FULL = -6,     /* the mailbox is full and the caller did not wait; counted as rejected */
    SKEP_E_CLOSED = -7,   /* the receiver takes no more; counted as rejected */
    SKEP_E_TIMEOUT = -8,  /* nothing came in time */
    SKEP_E_STOPPING = -9, /* this instance shall end: return from run() soon */
    SKEP_E_THREAD = -10,  /* a [worker] function was called from another thread */
    SKEP_E_NO_ROUTE = -11, /* no route leaves this port; counted as rejected */
    SKEP_E_TOO_BIG = -12,  /* the payload is larger than the host takes; counted as rejected */
    SKEP_E_REVOKED =
        -13 /* the host gave this worker up for lost: its context does nothing any more */
};

/* What a checkpoint answers. */
enum {
    SKEP_GO_ON = 0, /* carry on */
    SKEP_STOP = 1   /* return from run() soon; nothing more is to be done */
};

/* ---- Plain values ---- */

/* UTF-8 text that is not terminated; data may be null when size is 0. Passed by value (16 bytes).
 */
typedef struct skep_text {
    const char* data;
    uint64_t size;
} skep_text;

/* ---- Messages ---- */

/* The port of a message that came by send, broadcast or reply rather than by a route. */
#define SKEP_PORT_DIRECT 0xffffffffu

/* A read-only view of a message. The bytes are the host's, are shared with other receivers, and
 * must not be written. Valid until the callback that got it returns, or until the next receive() of
 * a loop worker; longer with message_keep. Everything else that a message carries is asked for with
 * message_info, so that the common path moves 32 bytes. */
typedef struct skep_message {
    const void* data; /* the payload; aligned to 8 bytes; null only when size is 0 */
    uint64_t size;    /* bytes in it */
    uint32_t port;    /* index among this type's inputs, or SKEP_PORT_DIRECT */
    uint32_t origin;  /* these two are the host's own marks: copy them with the rest, never */
    const void* host; /* follow them */
} skep_message;

/* A run of messages: element i lies at (const char *)first + i * stride. */
typedef struct skep_batch {
    uint32_t size; /* of this struct */
    uint32_t
        stride; /* bytes from one message to the next: not sizeof(skep_message), which may grow */
    uint32_t count;
    uint32_t reserved; /* 0 */
    const skep_message* first;
} skep_batch;

/* What a message says of itself. The texts live as long as the message. */
typedef struct skep_message_info {
    uint32_t size; /* of this struct; the caller writes it */
    uint32_t reserved;
    skep_text sender;       /* the worker that sent it, or "" for the host itself */
    skep_text content_type; /* a media type such as "text/plain" or "application/json" */
    uint64_t sequence;      /* 1, 2, 3, ... over all that this sender has offered to anyone; one
                               emission, one number */
    int64_t time_ns;        /* the host's clock (clock_now) when it was sent, or at the sender's
                               last checkpoint or batch, at most 32 of its emissions before */
    uint64_t trace_id;      /* 0 where none was given */
} skep_message_info;

/* What a worker wants to send. */
typedef struct skep_payload {
    const void* data;         /* copied by the host during the call */
    uint64_t size;            /* bytes */
    const char* content_type; /* null: the type that the output port declares, or
                                 "application/octet-stream" */
    uint64_t trace_id;        /* 0 for none */
    const skep_message*
        share; /* when not null: send the bytes of this message (received, kept or from buffer_new)
                  without copying them, or at most a few dozen of them; data and size are ignored;
                  the view stays the caller's */
} skep_payload;

/* ---- The context: what a worker may ask of its host ---- */

typedef struct skep_host_api skep_host_api;

/* One per instance, made by the host; valid from the call of create() to the return of destroy().
 *
 * In create(), load_state() and acquire() a worker has no place yet in the topology, and may still
 * be refused one: the functions that are marked [worker] return SKEP_E_STATE there, but for
 * timer_set and fail. */
typedef struct skep_context {
    uint32_t size; /* of this struct */
    uint32_t reserved;
    const skep_host_api* api;
    /* The control word. Read it with a relaxed atomic load as often as you like: it costs a load
     * and no call. While it is 0 nothing is wanted of the worker; otherwise call api->checkpoint,
     * which reads it again with the ordering it needs. */
    const uint32_t* control;
    void* host; /* the host's own */
} skep_context;

/* Log levels, the four that operators filter by, and two around them. */
enum {
    SKEP_LOG_TRACE = 0,
    SKEP_LOG_DEBUG = 1,
    SKEP_LOG_INFO = 2,
    SKEP_LOG_WARN = 3,
    SKEP_LOG_ERROR = 4
};

/* The functions of the host. A plugin built for a newer minor than the host's may find `size` short
 * of a function it knows: it must not call it then. (Its note says the lowest host minor that it
 * can do without, so that it need not check the others.) */
struct skep_host_api {
    uint32_t size;
    uint32_t abi_minor; /* the host's */

    /* -- Flow. On a pool a worker never waits in any of these: checkpoint() answers at once,
     * receive() and sleep() are refused with SKEP_E_STATE, and what is sent on a full route is kept
     * until there is room. For all others: a place where a worker agrees to be paused or stopped is
     * a checkpoint: checkpoint() itself, and also receive(), sleep() and every emit(), send(),
     * broadcast() and reply() that has to wait. While paused, none of them returns. -- */

    /* [worker] SKEP_GO_ON or SKEP_STOP. Blocks while the worker is paused. A worker that receives
     * from routes is told to stop only when its mailbox is empty or the drain has run out of time;
     * one without inputs, at once. */
    int32_t (*checkpoint)(const skep_context* context) SKEP_NOEXCEPT;

    /* [worker; in run() alone] Waits until a message is there, at most timeout_ns (0: do not wait;
     * negative: for ever), and gives up to `max` of them, oldest first. The views live until the
     * next receive. By receiving again the worker says that it is done with the messages before.
     * SKEP_OK, SKEP_E_TIMEOUT, SKEP_E_STOPPING (nothing more will come). */
    int32_t (*receive)(const skep_context* context,
                       int64_t timeout_ns,
                       uint32_t max,
                       skep_batch* batch) SKEP_NOEXCEPT;

    /* [worker; in run() alone] Sleeps on the host's clock, which tests turn by hand. SKEP_OK,
     * SKEP_E_STOPPING (woken early). */
    int32_t (*sleep)(const skep_context* context, int64_t duration_ns) SKEP_NOEXCEPT;

    /* [worker; handler workers] Calls on_timer(id) first after first_ns, then every period_ns (0:
     * once). Setting an id again replaces it; a negative first_ns removes it. Times are on the
     * host's clock; late ones are not made up for. */
    int32_t (*timer_set)(const skep_context* context,
                         uint32_t id,
                         int64_t first_ns,
                         int64_t period_ns) SKEP_NOEXCEPT;

    /* -- Sending. All four take `count` payloads, `stride` bytes apart, in order, and return how
     * many were taken, or the status of the first when it was not. They stop at the first that
     * is not taken: that one is counted as rejected, whatever the status, and those after it have
     * not been offered. A message that a route's policy drops counts as taken; the host counts the
     * drop. From one worker to another, order holds over all four. -- */

    /* [worker] To whoever the topology's routes join to this output port (index among the type's
     * outputs). Waits where a route says when_full = "block". */
    int64_t (*emit)(const skep_context* context,
                    uint32_t port,
                    const skep_payload* first,
                    uint32_t stride,
                    uint32_t count) SKEP_NOEXCEPT;
    /* [worker] To one worker by its name. Does not wait: SKEP_E_FULL when its mailbox is.
     * SKEP_E_UNKNOWN for no such worker. */
    int64_t (*send)(const skep_context* context,
                    skep_text worker,
                    const skep_payload* first,
                    uint32_t stride,
                    uint32_t count) SKEP_NOEXCEPT;
    /* [worker] To every other worker there is at this moment. Does not wait; a full mailbox rejects
     * its copy, and that is counted. Taken if anyone took it. */
    int64_t (*broadcast)(const skep_context* context,
                         const skep_payload* first,
                         uint32_t stride,
                         uint32_t count) SKEP_NOEXCEPT;
    /* [worker] To the sender of a message. Otherwise as send. SKEP_E_UNKNOWN when the host itself
     * sent it. */
    int64_t (*reply)(const skep_context* context,
                     const skep_message* to,
                     const skep_payload* first,
                     uint32_t stride,
                     uint32_t count) SKEP_NOEXCEPT;

    /* -- Messages. -- */

    /* [any] A message of `size` writable bytes that nobody has seen yet: cast the const of
     * view->data away, fill it, send it by `share`, release it. Once sent it must not be written.
     * SKEP_OK, SKEP_E_TOO_BIG, SKEP_E_NO_MEMORY. */
    int32_t (*buffer_new)(const skep_context* context, uint64_t size, skep_message* view)
        SKEP_NOEXCEPT;
    /* [any] Counts a reference, so that `kept` stays valid until message_release(kept). All must be
     * released before destroy() returns. */
    int32_t (*message_keep)(const skep_context* context,
                            const skep_message* message,
                            skep_message* kept) SKEP_NOEXCEPT;
    /* [any] Gives up a view that came from message_keep or buffer_new. */
    void (*message_release)(const skep_context* context, const skep_message* kept) SKEP_NOEXCEPT;
    /* [any] Fills `info` as far as info->size says. */
    int32_t (*message_info)(const skep_context* context,
                            const skep_message* message,
                            skep_message_info* info) SKEP_NOEXCEPT;

    /* -- Services. -- */

    /* [any] 1 if a line of this level would be written, so that a costly one need not be made. */
    int32_t (*log_enabled)(const skep_context* context, int32_t level) SKEP_NOEXCEPT;
    /* [any] One line, without a newline; the host adds time, worker and generation. */
    void (*log)(const skep_context* context, int32_t level, skep_text text) SKEP_NOEXCEPT;
    /* [any] Nanoseconds on the host's monotonic clock. Its zero means nothing; it stands still in
     * tests. */
    int64_t (*clock_now)(const skep_context* context) SKEP_NOEXCEPT;
    /* [any] Adds to the worker's count of work done. Handler workers get one per message without
     * asking. */
    void (*items_add)(const skep_context* context, uint64_t count) SKEP_NOEXCEPT;
    /* [any] Adds to the worker's count of errors that it survived. */
    void (*errors_add)(const skep_context* context, uint64_t count) SKEP_NOEXCEPT;
    /* [worker] Says why the call that is about to return a negative status fails. Copied; the last
     * one counts. */
    void (*fail)(const skep_context* context, skep_text text) SKEP_NOEXCEPT;

    /* [any] The worker's parameters, checked against the type's table before create().
     * SKEP_E_UNKNOWN for a parameter that is neither set nor has a default; SKEP_E_INVALID for one
     * of another type. The text lives as long as the context; of a reloadable parameter, until the
     * next reconfigure() has returned. config_integer serves
     * SKEP_PARAM_INTEGER, _BOOLEAN (0 or 1), _DURATION (nanoseconds) and _SIZE (bytes). */
    int32_t (*config_text)(const skep_context* context, const char* name, skep_text* value)
        SKEP_NOEXCEPT;
    int32_t (*config_integer)(const skep_context* context, const char* name, int64_t* value)
        SKEP_NOEXCEPT;
    int32_t (*config_number)(const skep_context* context, const char* name, double* value)
        SKEP_NOEXCEPT;

    /* [any] The worker's own name in the topology; with replicas, "name#index". Lives as long as
     * the context. */
    skep_text (*worker_name)(const skep_context* context) SKEP_NOEXCEPT;

    /* [any] The table of an optional service, by id and revision such as "skep.state/1".
     * SKEP_E_UNKNOWN for one that this host does not have; there are none yet. */
    int32_t (*extension)(const skep_context* context, const char* id, const void** table)
        SKEP_NOEXCEPT;

    /* [worker] As emit() of one payload that is `size` bytes of the port's own type and nothing
     * else, which nearly all are: four arguments, and no struct to be written and read. Copied
     * during the call. SKEP_OK: taken. Since 0.3. */
    int32_t (*emit_bytes)(const skep_context* context,
                          uint32_t port,
                          const void* data,
                          uint64_t size) SKEP_NOEXCEPT;
};

/* ---- Descriptors: what a plugin says of itself ---- */

enum {
    SKEP_PARAM_STRING = 1,
    SKEP_PARAM_INTEGER = 2, /* int64 */
    SKEP_PARAM_NUMBER = 3,  /* double; a TOML integer is taken too */
    SKEP_PARAM_BOOLEAN = 4,
    SKEP_PARAM_DURATION = 5, /* "200ms", "1m": ns, us, ms, s, m, h, d */
    SKEP_PARAM_SIZE = 6      /* "64KiB", "10MB": B, kB, KiB, MB, MiB, GB, GiB */
};

enum {
    SKEP_PARAM_REQUIRED = 1u,  /* no default: the topology must set it */
    SKEP_PARAM_SECRET = 2u,    /* never shown */
    SKEP_PARAM_RELOADABLE = 4u /* may change while the worker runs: see reconfigure */
};

/* One parameter. Values are text as a user would write them in TOML, without quotes; the host
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
    const char* const* choices; /* null, or the only values of a STRING, ended by a null */
} skep_param;

enum {
    SKEP_PORT_OPTIONAL = 1u /* an output that may stay without a route, an input that may stay
                               without a sender: no warning */
};

/* One port. Inputs and outputs are separate lists; a port's index is its place in its list, and
 * input 0 is where a route goes that names the worker alone. */
typedef struct skep_port {
    uint32_t size;
    uint32_t flags;
    const char* name;         /* [a-z][a-z0-9_]* */
    const char* content_type; /* what it carries; "*" for an input that takes anything or an output
                                 that may send anything */
    const char* doc;          /* one sentence; may be null */
} skep_port;

/* Where an instance writes its state, piece by piece; the pieces are joined. */
typedef struct skep_state_sink {
    uint32_t size; /* of this struct */
    uint32_t reserved;
    /* SKEP_OK, SKEP_E_NO_MEMORY, SKEP_E_TOO_BIG (more than 1 GiB in all). */
    int32_t (*write)(const struct skep_state_sink* sink, const void* data, uint64_t size)
        SKEP_NOEXCEPT;
} skep_state_sink;

enum {
    /* A reload tries create() in a child process before it makes a successor or a new worker in the
     * host: a create that crashes or hangs does that to the child. That instance gets no other
     * call, and its process ends without destroy. With this flag create() runs in the host only: it
     * must not run in another process, or takes longer than ten seconds. A host that does not know
     * the flag ignores it. */
    SKEP_TYPE_CREATE_IN_HOST_ONLY = 1u
};

/* A type of worker. Exactly one of run and on_message is not null:
 *   loop worker     run() owns its thread and calls receive() and checkpoint() itself.
 *   handler worker  the host owns the loop and calls on_message and on_timer, so pausing and
 *                   stopping need nothing from it.
 *
 *   call        after                   a negative status, or an exception in the SDK, means
 *   create      -                       the worker fails; destroy is not called
 *   acquire     create, or load_state   the worker fails; destroy is called. In a hand-over: as
 *                                       save_state
 *   run         acquire                 the worker fails; destroy is called
 *   on_message  acquire                 as run; *done tells which message it was
 *   on_timer    acquire                 as run
 *   on_drain    the last on_message     as run
 *   save_state  run or on_*             the old instance stays, the new one is destroyed
 *   release     save_state              as save_state
 *   load_state  create                  as save_state
 *   reconfigure run or on_*             the instance goes on with the parameters of before
 *   destroy     run, or the last on_*   (it cannot fail)
 *
 * Hand-over. A reload gives a running worker a successor: another instance, of a newer plugin or
 * with other parameters. The new one is created while the old one works on. At the next message
 * boundary of a handler, or when run() of a loop worker has returned as for a stop, the old
 * instance saves its state and the new one loads it, which is its first call. The mailbox and what
 * is queued in it stay with the worker. The old instance is destroyed some time later; until then
 * the host may put it back to work, when another part of the reload fails or the new instance does
 * soon after. Therefore saving changes nothing, and run() may be called again after it returned.
 * What the two cannot have at the same time goes from one to the other by release and acquire.
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
    /* Ends the instance: every thread it started is joined, every kept message released. */
    void (*destroy)(void* instance);
    /* Works until its work is done or it is told to stop. */
    int32_t (*run)(void* instance);
    /* Handles the messages in order and writes into *done how many it has finished. It may return
     * early, with SKEP_OK and *done >= 1; while the control word is set also with 0, as a sink does
     * that waits for its output. The host keeps the rest and gives it again. On failure *done is
     * the index of the message that failed: those before it count as delivered, it as a dead
     * letter, the rest stays in the mailbox. */
    int32_t (*on_message)(void* instance, const skep_batch* batch, uint32_t* done);
    int32_t (*on_timer)(void* instance, uint32_t id); /* may be null */
    /* The input has ended: no message will come any more. Last chance to emit. May be null. */
    int32_t (*on_drain)(void* instance);

    /* -- Since minor 2. -- */

    /* The version of what save_state writes; 0: instances have no state worth handing over. */
    uint32_t state_version;
    /* The oldest version that load_state takes; it takes all from here to state_version. A
     * successor that does not take the state of the instance before it is refused before anything
     * is touched. */
    uint32_t state_oldest;
    /* Both null when state_version is 0, both not null otherwise. The data of load_state are the
     * host's, are aligned to 16 bytes, and live for the call. */
    int32_t (*save_state)(const void* instance, const skep_state_sink* sink);
    int32_t (*load_state)(void* instance, uint32_t version, const void* data, uint64_t size);

    /* -- Since minor 4. -- */

    /* Parameters that are marked SKEP_PARAM_RELOADABLE have other values, and no other has:
     * config_* give them from now on. Called at a boundary, as for a hand-over, of which it is no
     * part: the instance, its state and its timers stay. On failure the reload is refused, config_*
     * give the values of before again, and the instance goes on as if it had not been called. When
     * another part of the reload fails it is called once more, with the values of before; to fail
     * then fails the worker. Null: the marks say nothing, and other values need a successor. */
    int32_t (*reconfigure)(void* instance);

    /* -- Since minor 5. -- */

    /* For what only one instance can have at a time: a port to listen at, a device, a lock on a
     * file. Both null, or neither. acquire takes it, before anything but create and load_state is
     * called; where it fails, nothing is taken. destroy gives up what the instance still has.
     * release is for a hand-over alone: when the old instance has saved its state it gives up what
     * it has, and the new one acquires it. If the reload fails, or the new instance does soon
     * after, that one is told to release (whatever it failed in), and the old one to acquire again;
     * to fail then fails the worker. Where release fails, nothing is given up, and the old instance
     * goes on. */
    int32_t (*acquire)(void* instance);
    int32_t (*release)(void* instance);
} skep_worker_type;

/* The plugin. */
typedef struct skep_plugin {
    uint32_t size;
    uint32_t flags;
    uint16_t abi_major; /* these three, the id and the version must equal the note's */
    uint16_t abi_minor;
    uint16_t lowest_host_minor;
    uint16_t reserved;
    const char* id;      /* reverse DNS, e.g. "org.example.hello"; at most 63 bytes */
    const char* version; /* semantic version; at most 31 bytes */
    const char* vendor;  /* may be null, as the next two */
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
