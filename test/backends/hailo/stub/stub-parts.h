/* Of the stub of libhailort (stub-hailort.c): the layouts of the public header, what the handles point to, the steering and the log. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { OK = 0, INVALID_ARGUMENT = 2, TIMEOUT = 4, INSUFFICIENT_BUFFER = 5, INVALID_OPERATION = 6, NOT_IMPLEMENTED = 7, INTERNAL_FAILURE = 8,
       OPEN_FILE_FAILURE = 13, STREAM_ABORT = 63, OUT_OF_PHYSICAL_DEVICES = 74, HEF_FILE_CORRUPTED = 91, HEF_NOT_SUPPORTED = 92 };
enum { FORMAT_UINT8 = 1, FORMAT_FLOAT32 = 3, MAX_LAYERS = 16, MAX_GROUPS = 4, MAX_QUEUE = 4, MAX_FAILURES = 64 };

/* ---- layouts of the public header ---- */
typedef struct { uint32_t major, minor, revision; } version_t;
typedef struct { char id[32]; } device_id_t;
typedef struct { uint32_t device_count; device_id_t *device_ids; int32_t scheduling; const char *group_id; bool service; } vdevice_params_t;
typedef struct { int32_t type, order, flags; } format_t;
typedef struct { float zero_point, scale, min, max; } quant_t;
typedef struct { format_t format; uint32_t timeout_ms, queue_size; int32_t stats, elements; } vstream_params_t;
typedef struct { char name[128]; vstream_params_t params; } params_by_name_t;
typedef struct { char name[128], network[257]; int32_t direction; format_t format; uint32_t shape[4]; quant_t quant; } vstream_info_t;
typedef struct { char name[128], network[257]; int32_t direction; format_t format; uint32_t shape[3]; quant_t quant; } old_vstream_info_t;
typedef struct { char name[128]; bool multi_context; } group_info_t;
typedef struct { char name[128]; } layer_name_t;
typedef struct {
    uint32_t protocol; version_t firmware; uint32_t logger;
    uint8_t board_length; char board[32]; bool release, extended;
    int32_t architecture;
    uint8_t serial_length; char serial[16]; uint8_t part_length; char part[16]; uint8_t product_length; char product[42];
} identity_t;
_Static_assert(sizeof(vdevice_params_t) == 40 && sizeof(params_by_name_t) == 156, "params");
_Static_assert(sizeof(vstream_info_t) == 436 && sizeof(old_vstream_info_t) == 432, "vstream info");
_Static_assert(sizeof(group_info_t) == 129 && sizeof(identity_t) == 140, "group and identity");

/* ---- what the handles point to; never freed, so that the use of a released one is seen ---- */
typedef struct { bool is_input; char name[128]; uint32_t height, width, features; format_t format; quant_t quant; } layer_t;
typedef struct { char name[128]; layer_t layers[MAX_LAYERS]; int count; } group_t;
typedef struct { int id; bool released; group_t groups[MAX_GROUPS]; int count; } hef_t;
typedef struct { int id, users; bool released; char group_id[256]; const char *given_group_id; int lock; } vdevice_t;
typedef struct { uint8_t *bytes; size_t size; int type; } frame_t;
typedef struct stream_t stream_t;
typedef struct {
    int id; vdevice_t *vdevice; group_t *group; bool is_shut; bool is_computing; int player;
    pthread_mutex_t mutex; pthread_cond_t changed;
    stream_t *streams[MAX_LAYERS];              /* of each layer, or NULL */
    frame_t queue[MAX_LAYERS][MAX_QUEUE]; int queued[MAX_LAYERS];
    struct timespec ready_at;                   /* of the oldest complete set of inputs */
} configured_t;
struct stream_t { int id; bool released; configured_t *owner; int layer; vstream_params_t params; };

static pthread_mutex_t all = PTHREAD_MUTEX_INITIALIZER;
static vdevice_t *open_vdevice;
static int next_id;
static struct { char function[64]; int calls; } counters[MAX_FAILURES];

/* ---- steering and log ---- */
static int number_of(const char *name, int fallback) {
    const char *text = getenv(name);
    return text != NULL && *text != 0 ? atoi(text) : fallback;
}

static void note(const char *format, ...) {
    const char *path = getenv("STUB_HAILORT_LOG");
    if (path == NULL) return;
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line - 1, format, arguments);
    va_end(arguments);
    line[length++] = '\n';
    int file = open(path, O_WRONLY | O_APPEND | O_CREAT, 0600);
    if (file < 0) return;
    if (write(file, line, length) < 0) perror("stub-hailort: log");
    close(file);
}

static bool is_named(const char *variable, const char *function) {
    const char *name = getenv(variable);
    return name != NULL && strcmp(name, function) == 0;
}

/* The status that the test wants of this call, or 0. */
static int injected(const char *function) {
    if (is_named("STUB_HAILORT_CRASH", function)) raise(SIGSEGV);
    while (is_named("STUB_HAILORT_HANG", function)) pause();
    pthread_mutex_lock(&all);
    int slot = 0;
    while (slot < MAX_FAILURES - 1 && counters[slot].function[0] != 0 && strcmp(counters[slot].function, function) != 0) slot += 1;
    snprintf(counters[slot].function, sizeof counters[slot].function, "%s", function);
    int call = ++counters[slot].calls;
    pthread_mutex_unlock(&all);
    const char *wanted = getenv("STUB_HAILORT_FAIL");
    size_t length = strlen(function);
    if (wanted == NULL || strncmp(wanted, function, length) != 0 || wanted[length] != '=') return 0;
    const char *at = strchr(wanted, '@');
    return at == NULL || atoi(at + 1) == call ? atoi(wanted + length + 1) : 0;
}

#define CALL(function) do { int status_ = injected(function); if (status_ != 0) { note("%s failed %d", function, status_); return status_; } } while (0)
#define NEED(condition, function) do { if (!(condition)) { note("MISUSE %s: not " #condition, function); return INVALID_ARGUMENT; } } while (0)

static version_t claimed_version(void) {
    version_t version = { 4, 23, 0 };
#ifdef STUB_VERSION
    const char *text = STUB_VERSION;
#else
    const char *text = getenv("STUB_HAILORT_VERSION");
#endif
    if (text != NULL) sscanf(text, "%u.%u.%u", &version.major, &version.minor, &version.revision);
    return version;
}

static bool has_old_info(void) {
    version_t version = claimed_version();
    return version.major < 4 || (version.major == 4 && version.minor < 20);
}
