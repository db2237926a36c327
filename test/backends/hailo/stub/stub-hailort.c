/*
 * A STUB of libhailort for tests: our own code, no part of the product, and no model of what a device computes. It has the functions that
 * Percept calls, with the sizes and offsets of HailoRT's public header, and shows what we call, in which order and with which sizes.
 *
 * It reads no protobuf: behind that of a synthetic HEF (test/support/hef.ts) stands a text with one layer on each line,
 *   stub-hef 1 / arch NUMBER / group NAME / input|output NAME HEIGHT WIDTH FEATURES TYPE ORDER ZERO_POINT SCALE
 *
 * Steered by environment variables, which are read at every call:
 *   STUB_HAILORT_VERSION   what it claims to be, 4.23.0 unless given, or what it was compiled with as STUB_VERSION; below 4.20 a vstream info has 432 bytes, else 436
 *   STUB_HAILORT_DEVICES   how many devices a scan finds, 1 unless given
 *   STUB_HAILORT_ARCH      their hailo_device_architecture_t, 1 (HAILO8) unless given
 *   STUB_HAILORT_BUSY      if 1, they are held by another program
 *   STUB_HAILORT_LOCK      a file that is locked while a vdevice is open, so that other processes with the same stub find it taken
 *   STUB_HAILORT_SERVICE   if 1, there is a hailort_service
 *   STUB_HAILORT_FAIL      FUNCTION=STATUS or FUNCTION=STATUS@N: the function answers that, at every call or at its Nth one only
 *   STUB_HAILORT_CRASH     FUNCTION: the function ends the process
 *   STUB_HAILORT_HANG      FUNCTION: the function never returns
 *   STUB_HAILORT_DELAY_MS  how long a frame takes from its last input to its outputs
 *   STUB_HAILORT_THROW     METHOD: one of the C++ classes (stub-infer-model.cpp) throws
 *   STUB_HAILORT_DEAF      if 1, shutting down a network of the C++ classes does not end what is under way
 *   STUB_HAILORT_LOG       a file that gets a line for every call
 *   STUB_HAILORT_PLAYER    a Unix socket that is asked for the outputs (test/support/hailo-player.ts). Without it element i of output k is
 *                          s + 1000 k + i, where s is the sum over the inputs j of (j + 1) times the sum of their elements.
 *
 * What goes to the player, and comes back, little-endian:
 *   request  u32 length and bytes of the group's name; u32 number of inputs, for each u32 type (1 uint8, 3 float32), u32 length, bytes;
 *            u32 number of outputs, for each u32 type and u32 length wanted
 *   reply    u32 number of outputs, for each u32 length and bytes; or the number 0xffffffff where the player failed (status 8)
 * Inputs and outputs stand in the order of the HEF. One connection for each configured group, one request at a time.
 */
#include "stub-parts.h"

/* ---- library and devices ---- */
int hailo_get_library_version(version_t *version) {
    CALL("hailo_get_library_version");
    *version = claimed_version();
    return OK;
}

const char *hailo_get_status_message(int status) {
    if (status == OUT_OF_PHYSICAL_DEVICES) return "STUB_OUT_OF_PHYSICAL_DEVICES";
    return status >= 0 && status < 98 ? "STUB_STATUS" : NULL;
}

int hailo_scan_devices(void *params, device_id_t *ids, size_t *count) {
    NEED(params == NULL && ids != NULL && count != NULL, "hailo_scan_devices");
    CALL("hailo_scan_devices");
    size_t found = number_of("STUB_HAILORT_DEVICES", 1), room = *count;
    *count = found;
    if (found > room) return INSUFFICIENT_BUFFER;
    for (size_t i = 0; i < found; i += 1) snprintf(ids[i].id, sizeof ids[i].id, "0000:0%zu:00.0", i + 1);
    note("hailo_scan_devices found %zu", found);
    return OK;
}

int hailo_init_vdevice_params(vdevice_params_t *params) {
    CALL("hailo_init_vdevice_params");
    *params = (vdevice_params_t){ 1, NULL, 1, "UNIQUE", false };
    return OK;
}

int hailo_create_vdevice(vdevice_params_t *params, vdevice_t **vdevice) {
    NEED(params != NULL && vdevice != NULL, "hailo_create_vdevice");
    CALL("hailo_create_vdevice");
    if (params->device_count == 0) return INVALID_ARGUMENT;
    if (params->service && !number_of("STUB_HAILORT_SERVICE", 0)) return INVALID_OPERATION;
    pthread_mutex_lock(&all);
    bool shares = open_vdevice != NULL && strcmp(params->group_id, "UNIQUE") != 0 && strcmp(params->group_id, open_vdevice->group_id) == 0;
    bool is_free = open_vdevice == NULL && number_of("STUB_HAILORT_DEVICES", 1) > 0 && !number_of("STUB_HAILORT_BUSY", 0);
    int lock = -1;
    const char *lock_path = getenv("STUB_HAILORT_LOCK");
    if (!shares && is_free && lock_path != NULL) {
        lock = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        is_free = lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) == 0;
        if (!is_free && lock >= 0) close(lock);
    }
    if (!shares && !is_free) {
        pthread_mutex_unlock(&all);
        note("hailo_create_vdevice failed %d", OUT_OF_PHYSICAL_DEVICES);
        return OUT_OF_PHYSICAL_DEVICES;
    }
    if (!shares) {
        open_vdevice = calloc(1, sizeof *open_vdevice);
        open_vdevice->id = ++next_id;
        open_vdevice->lock = lock;
        snprintf(open_vdevice->group_id, sizeof open_vdevice->group_id, "%s", params->group_id);
        open_vdevice->given_group_id = params->group_id;
    }
    open_vdevice->users += 1;
    *vdevice = open_vdevice;
    note("hailo_create_vdevice vdevice#%d group_id=%s scheduling=%d service=%d", open_vdevice->id, params->group_id, params->scheduling, params->service);
    pthread_mutex_unlock(&all);
    return OK;
}

int hailo_release_vdevice(vdevice_t *vdevice) {
    NEED(vdevice != NULL && !vdevice->released, "hailo_release_vdevice");
    // The real library keeps the caller's pointer for as long as the device lives.
    NEED(strcmp(vdevice->given_group_id, vdevice->group_id) == 0, "hailo_release_vdevice");
    CALL("hailo_release_vdevice");
    pthread_mutex_lock(&all);
    note("hailo_release_vdevice vdevice#%d", vdevice->id);
    vdevice->users -= 1;
    if (vdevice->users == 0) {
        vdevice->released = true;
        if (vdevice->lock >= 0) close(vdevice->lock);
        open_vdevice = NULL;
    }
    pthread_mutex_unlock(&all);
    return OK;
}

int hailo_get_physical_devices(vdevice_t *vdevice, void **devices, size_t *count) {
    NEED(vdevice != NULL && !vdevice->released && *count >= 1, "hailo_get_physical_devices");
    CALL("hailo_get_physical_devices");
    devices[0] = vdevice;
    *count = 1;
    return OK;
}

int hailo_identify(void *device, identity_t *identity) {
    NEED(device != NULL, "hailo_identify");
    CALL("hailo_identify");
    memset(identity, 0, sizeof *identity);
    version_t version = claimed_version();
    identity->firmware = version;
    identity->architecture = number_of("STUB_HAILORT_ARCH", 1);
    identity->board_length = snprintf(identity->board, sizeof identity->board, "Stub board");
    identity->serial_length = snprintf(identity->serial, sizeof identity->serial, "STUB0001");
    identity->product_length = snprintf(identity->product, sizeof identity->product, "STUB PRODUCT");
    return OK;
}

int hailo_create_device_by_id(const device_id_t *id, void **device) {
    NEED(device != NULL, "hailo_create_device_by_id");
    CALL("hailo_create_device_by_id");
    *device = calloc(1, 1);
    note("hailo_create_device_by_id %s", id == NULL ? "any" : id->id);
    return OK;
}

int hailo_release_device(void *device) {
    NEED(device != NULL, "hailo_release_device");
    CALL("hailo_release_device");
    note("hailo_release_device");
    return OK;
}

/* ---- HEFs ---- */
static uint32_t big_endian(const uint8_t *at) { return (uint32_t)at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3]; }

static int parse_line(hef_t *hef, const char *line) {
    int ignored;
    if (*line == 0 || strcmp(line, "stub-hef 1") == 0 || sscanf(line, "arch %d", &ignored) == 1) return OK;
    if (strncmp(line, "group ", 6) == 0) {
        if (hef->count == MAX_GROUPS) return HEF_NOT_SUPPORTED;
        snprintf(hef->groups[hef->count++].name, 128, "%s", line + 6);
        return OK;
    }
    layer_t layer = { 0 };
    char kind[8];
    int fields = sscanf(line, "%7s %127s %u %u %u %d %d %f %f", kind, layer.name, &layer.height, &layer.width, &layer.features,
                        &layer.format.type, &layer.format.order, &layer.quant.zero_point, &layer.quant.scale);
    if (fields != 9 || hef->count == 0) return HEF_NOT_SUPPORTED;
    group_t *group = &hef->groups[hef->count - 1];
    if (group->count == MAX_LAYERS) return HEF_NOT_SUPPORTED;
    layer.is_input = strcmp(kind, "input") == 0;
    group->layers[group->count++] = layer;
    return OK;
}

static int by_group(const void *a, const void *b) { return strcmp(((const group_t *)a)->name, ((const group_t *)b)->name); }

int hailo_create_hef_file(hef_t **hef, const char *path) {
    NEED(hef != NULL && path != NULL, "hailo_create_hef_file");
    *hef = NULL;
    CALL("hailo_create_hef_file");
    FILE *file = fopen(path, "rb");
    if (file == NULL) return OPEN_FILE_FAILURE;
    uint8_t header[28];
    bool is_hef = fread(header, 1, 28, file) == 28 && big_endian(header) == 0x01484546 && big_endian(header + 4) == 1;
    char text[16384];
    size_t length = 0;
    if (is_hef) {
        fseek(file, 28 + (long)big_endian(header + 8), SEEK_SET);
        length = fread(text, 1, sizeof text - 1, file);
    }
    fclose(file);
    if (!is_hef) return HEF_NOT_SUPPORTED;
    if (length < 10 || strncmp(text, "stub-hef 1", 10) != 0) return HEF_FILE_CORRUPTED;
    text[length] = 0;
    hef_t *made = calloc(1, sizeof *made);
    char *rest = text, *line;
    while ((line = strsep(&rest, "\n")) != NULL) {
        int status = parse_line(made, line);
        if (status != OK) return status;
    }
    /* As the real library, which lists and configures groups in the order of their names, not in that of the file. */
    qsort(made->groups, made->count, sizeof made->groups[0], by_group);
    pthread_mutex_lock(&all);
    made->id = ++next_id;
    pthread_mutex_unlock(&all);
    note("hailo_create_hef_file hef#%d", made->id);
    *hef = made;
    return OK;
}

int hailo_release_hef(hef_t *hef) {
    NEED(hef != NULL && !hef->released, "hailo_release_hef");
    CALL("hailo_release_hef");
    hef->released = true;
    note("hailo_release_hef hef#%d", hef->id);
    return OK;
}

static group_t *group_named(hef_t *hef, const char *name) {
    for (int i = 0; i < hef->count; i += 1) if (name == NULL || strcmp(hef->groups[i].name, name) == 0) return &hef->groups[i];
    return NULL;
}

int hailo_get_network_groups_infos(hef_t *hef, group_info_t *infos, size_t *count) {
    NEED(hef != NULL && !hef->released, "hailo_get_network_groups_infos");
    CALL("hailo_get_network_groups_infos");
    size_t room = *count;
    *count = hef->count;
    if (room < (size_t)hef->count) return INSUFFICIENT_BUFFER;
    for (int i = 0; i < hef->count; i += 1) memcpy(infos[i].name, hef->groups[i].name, 128);
    return OK;
}

static void put_info(void *at, const group_t *group, const layer_t *layer) {
    vstream_info_t info = { 0 };
    memcpy(info.name, layer->name, 128);
    memcpy(info.network, group->name, 128);
    info.direction = layer->is_input ? 0 : 1;
    info.format = layer->format;
    info.shape[0] = layer->height, info.shape[1] = layer->width, info.shape[2] = layer->features;
    info.quant = layer->quant;
    if (!has_old_info()) {
        memcpy(at, &info, sizeof info);
        return;
    }
    old_vstream_info_t old = { .direction = info.direction, .format = info.format, .quant = info.quant };
    memcpy(old.name, info.name, 128), memcpy(old.network, info.network, 257), memcpy(old.shape, info.shape, 12);
    memcpy(at, &old, sizeof old);
}

int hailo_hef_get_all_vstream_infos(hef_t *hef, const char *name, uint8_t *infos, size_t *count) {
    NEED(hef != NULL && !hef->released, "hailo_hef_get_all_vstream_infos");
    CALL("hailo_hef_get_all_vstream_infos");
    group_t *group = group_named(hef, name);
    NEED(group != NULL, "hailo_hef_get_all_vstream_infos");
    size_t room = *count, stride = has_old_info() ? sizeof(old_vstream_info_t) : sizeof(vstream_info_t);
    *count = group->count;
    if (room < (size_t)group->count) return INSUFFICIENT_BUFFER;
    for (int i = 0; i < group->count; i += 1) put_info(infos + i * stride, group, &group->layers[i]);
    return OK;
}

int hailo_hef_get_sorted_output_names(hef_t *hef, const char *name, layer_name_t *names, size_t *count) {
    NEED(hef != NULL && !hef->released, "hailo_hef_get_sorted_output_names");
    CALL("hailo_hef_get_sorted_output_names");
    group_t *group = group_named(hef, name);
    NEED(group != NULL, "hailo_hef_get_sorted_output_names");
    size_t room = *count, found = 0;
    for (int i = 0; i < group->count; i += 1) if (!group->layers[i].is_input) found += 1;
    *count = found;
    if (room < found) return INSUFFICIENT_BUFFER;
    for (int i = 0, at = 0; i < group->count; i += 1) if (!group->layers[i].is_input) memcpy(names[at++].name, group->layers[i].name, 128);
    return OK;
}

/* ---- configured groups and their streams ---- */
static int configure(vdevice_t *vdevice, hef_t *hef, configured_t **groups, size_t *count) {
    size_t room = *count;
    *count = hef->count;
    if (room < (size_t)hef->count) return INSUFFICIENT_BUFFER;
    for (int i = 0; i < hef->count; i += 1) {
        configured_t *made = calloc(1, sizeof *made);
        pthread_mutex_lock(&all);
        made->id = ++next_id;
        pthread_mutex_unlock(&all);
        made->vdevice = vdevice;
        made->group = &hef->groups[i];
        made->player = -1;
        pthread_mutex_init(&made->mutex, NULL);
        pthread_condattr_t attributes;
        pthread_condattr_init(&attributes);
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        pthread_cond_init(&made->changed, &attributes);
        groups[i] = made;
        note("hailo_configure_vdevice vdevice#%d hef#%d group#%d %s", vdevice->id, hef->id, made->id, made->group->name);
    }
    return OK;
}

int hailo_configure_vdevice(vdevice_t *vdevice, hef_t *hef, void *params, configured_t **groups, size_t *count) {
    NEED(vdevice != NULL && !vdevice->released && hef != NULL && !hef->released && params == NULL, "hailo_configure_vdevice");
    CALL("hailo_configure_vdevice");
    /* As HailoRT 5.0 to 5.2 for a Hailo-10H. */
    if (number_of("STUB_HAILORT_ARCH", 1) == 6) return NOT_IMPLEMENTED;
    return configure(vdevice, hef, groups, count);
}

/* For the stub of the C++ classes (stub-infer-model.cpp), which configure any device. */
int stub_configure(vdevice_t *vdevice, hef_t *hef, configured_t **groups, size_t *count) {
    CALL("hailo_configure_vdevice");
    return configure(vdevice, hef, groups, count);
}

void stub_note(const char *line) { note("%s", line); }

int hailo_shutdown_network_group(configured_t *configured) {
    NEED(configured != NULL && !configured->vdevice->released, "hailo_shutdown_network_group");
    CALL("hailo_shutdown_network_group");
    pthread_mutex_lock(&configured->mutex);
    configured->is_shut = true;
    if (configured->player >= 0) shutdown(configured->player, SHUT_RDWR);
    pthread_cond_broadcast(&configured->changed);
    pthread_mutex_unlock(&configured->mutex);
    note("hailo_shutdown_network_group group#%d", configured->id);
    return OK;
}

static int make_params(const char *function, configured_t *configured, int type, params_by_name_t *params, size_t *count, bool inputs) {
    NEED(configured != NULL && !configured->vdevice->released, function);
    CALL(function);
    group_t *group = configured->group;
    size_t room = *count, found = 0;
    for (int i = 0; i < group->count; i += 1) if (group->layers[i].is_input == inputs) found += 1;
    *count = found;
    if (room < found) return INSUFFICIENT_BUFFER;
    for (int i = 0, at = 0; i < group->count; i += 1) {
        if (group->layers[i].is_input != inputs) continue;
        memcpy(params[at].name, group->layers[i].name, 128);
        params[at++].params = (vstream_params_t){ { type, 0, 0 }, 10000, 2, 0, 0 };
    }
    return OK;
}

int hailo_make_input_vstream_params(configured_t *configured, bool unused, int type, params_by_name_t *params, size_t *count) {
    (void)unused;
    return make_params("hailo_make_input_vstream_params", configured, type, params, count, true);
}

int hailo_make_output_vstream_params(configured_t *configured, bool unused, int type, params_by_name_t *params, size_t *count) {
    (void)unused;
    return make_params("hailo_make_output_vstream_params", configured, type, params, count, false);
}

/* As the library does, gives the streams in the order of their names, whatever that of the params. */
static int by_name(const void *a, const void *b) { return strcmp(((const params_by_name_t *)a)->name, ((const params_by_name_t *)b)->name); }

static int create_streams(const char *function, configured_t *configured, const params_by_name_t *params, size_t count, stream_t **streams) {
    NEED(configured != NULL && !configured->vdevice->released && !configured->is_shut && count <= MAX_LAYERS, function);
    CALL(function);
    params_by_name_t sorted[MAX_LAYERS];
    memcpy(sorted, params, count * sizeof *params);
    qsort(sorted, count, sizeof *sorted, by_name);
    for (size_t i = 0; i < count; i += 1) {
        int layer = 0;
        while (layer < configured->group->count && strcmp(configured->group->layers[layer].name, sorted[i].name) != 0) layer += 1;
        NEED(layer < configured->group->count && configured->streams[layer] == NULL, function);
        stream_t *made = calloc(1, sizeof *made);
        pthread_mutex_lock(&all);
        made->id = ++next_id;
        pthread_mutex_unlock(&all);
        made->owner = configured, made->layer = layer, made->params = sorted[i].params;
        configured->streams[layer] = streams[i] = made;
        note("%s group#%d stream#%d %s type=%d timeout=%u", function, configured->id, made->id, sorted[i].name,
             made->params.format.type, made->params.timeout_ms);
    }
    return OK;
}

int hailo_create_input_vstreams(configured_t *configured, const params_by_name_t *params, size_t count, stream_t **streams) {
    return create_streams("hailo_create_input_vstreams", configured, params, count, streams);
}

int hailo_create_output_vstreams(configured_t *configured, const params_by_name_t *params, size_t count, stream_t **streams) {
    return create_streams("hailo_create_output_vstreams", configured, params, count, streams);
}

static bool is_usable(stream_t *stream) { return stream != NULL && !stream->released && !stream->owner->vdevice->released; }

static int release_streams(const char *function, stream_t **streams, size_t count) {
    for (size_t i = 0; i < count; i += 1) NEED(is_usable(streams[i]), function);
    CALL(function);
    for (size_t i = 0; i < count; i += 1) {
        configured_t *owner = streams[i]->owner;
        pthread_mutex_lock(&owner->mutex);
        streams[i]->released = true;
        owner->streams[streams[i]->layer] = NULL;
        pthread_mutex_unlock(&owner->mutex);
        note("%s stream#%d", function, streams[i]->id);
    }
    return OK;
}

int hailo_release_input_vstreams(stream_t **streams, size_t count) { return release_streams("hailo_release_input_vstreams", streams, count); }
int hailo_release_output_vstreams(stream_t **streams, size_t count) { return release_streams("hailo_release_output_vstreams", streams, count); }

static layer_t *layer_of(stream_t *stream) { return &stream->owner->group->layers[stream->layer]; }

static size_t frame_size(stream_t *stream) {
    layer_t *layer = layer_of(stream);
    return (size_t)layer->height * layer->width * layer->features * (stream->params.format.type == FORMAT_FLOAT32 ? 4 : 1);
}

static int get_frame_size(const char *function, stream_t *stream, size_t *size) {
    NEED(is_usable(stream), function);
    CALL(function);
    *size = frame_size(stream);
    return OK;
}

int hailo_get_input_vstream_frame_size(stream_t *stream, size_t *size) { return get_frame_size("hailo_get_input_vstream_frame_size", stream, size); }
int hailo_get_output_vstream_frame_size(stream_t *stream, size_t *size) { return get_frame_size("hailo_get_output_vstream_frame_size", stream, size); }

static int get_info(const char *function, stream_t *stream, void *info) {
    NEED(is_usable(stream), function);
    CALL(function);
    put_info(info, stream->owner->group, layer_of(stream));
    return OK;
}

int hailo_get_input_vstream_info(stream_t *stream, void *info) { return get_info("hailo_get_input_vstream_info", stream, info); }
int hailo_get_output_vstream_info(stream_t *stream, void *info) { return get_info("hailo_get_output_vstream_info", stream, info); }

/* ---- frames ---- */
static struct timespec from_now(long ms) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += ms / 1000, at.tv_nsec += ms % 1000 * 1000000;
    if (at.tv_nsec >= 1000000000) at.tv_sec += 1, at.tv_nsec -= 1000000000;
    return at;
}

static bool is_before(struct timespec a, struct timespec b) { return a.tv_sec < b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec < b.tv_nsec); }

/* Whether every input has a frame. */
static bool has_set(configured_t *owner) {
    for (int i = 0; i < owner->group->count; i += 1) if (owner->group->layers[i].is_input && owner->queued[i] == 0) return false;
    return true;
}

static void push(configured_t *owner, int layer, frame_t frame) {
    if (owner->queued[layer] < MAX_QUEUE) owner->queue[layer][owner->queued[layer]++] = frame;
    else free(frame.bytes);
}

static frame_t shift(configured_t *owner, int layer) {
    frame_t first = owner->queue[layer][0];
    memmove(&owner->queue[layer][0], &owner->queue[layer][1], sizeof(frame_t) * (MAX_QUEUE - 1));
    owner->queued[layer] -= 1;
    return first;
}

int hailo_vstream_write_raw_buffer(stream_t *stream, const void *buffer, size_t size) {
    NEED(is_usable(stream) && buffer != NULL && size == frame_size(stream), "hailo_vstream_write_raw_buffer");
    CALL("hailo_vstream_write_raw_buffer");
    configured_t *owner = stream->owner;
    note("hailo_vstream_write_raw_buffer stream#%d %zu", stream->id, size);
    frame_t frame = { malloc(size), size, stream->params.format.type };
    memcpy(frame.bytes, buffer, size);
    struct timespec deadline = from_now(stream->params.timeout_ms);
    pthread_mutex_lock(&owner->mutex);
    int status = OK;
    while (!owner->is_shut && owner->queued[stream->layer] >= (int)stream->params.queue_size && status == OK)
        if (pthread_cond_timedwait(&owner->changed, &owner->mutex, &deadline) == ETIMEDOUT) status = TIMEOUT;
    if (owner->is_shut) status = STREAM_ABORT;
    bool had_set = has_set(owner);
    if (status == OK) push(owner, stream->layer, frame);
    else free(frame.bytes);
    if (!had_set && has_set(owner)) owner->ready_at = from_now(number_of("STUB_HAILORT_DELAY_MS", 0));
    pthread_cond_broadcast(&owner->changed);
    pthread_mutex_unlock(&owner->mutex);
    return status;
}

static bool send_all(int socket, const void *bytes, size_t size) {
    for (size_t done = 0; done < size;) {
        ssize_t sent = send(socket, (const char *)bytes + done, size - done, MSG_NOSIGNAL);
        if (sent <= 0) return false;
        done += sent;
    }
    return true;
}

/* False at an end, true when all has come; a wait past the deadline is an end, too. */
static bool receive_all(int socket, void *bytes, size_t size, struct timespec deadline, bool *is_late) {
    for (size_t done = 0; done < size;) {
        struct timespec now = from_now(0);
        long ms = (deadline.tv_sec - now.tv_sec) * 1000 + (deadline.tv_nsec - now.tv_nsec) / 1000000;
        struct pollfd wanted = { socket, POLLIN, 0 };
        int count = ms <= 0 ? 0 : poll(&wanted, 1, ms > 1000000 ? 1000000 : (int)ms);
        if (count == 0) *is_late = true;
        if (count <= 0) return false;
        ssize_t got = recv(socket, (char *)bytes + done, size - done, 0);
        if (got <= 0) return false;
        done += got;
    }
    return true;
}

static bool send_number(int socket, uint32_t number) { return send_all(socket, &number, 4); }

static int connect_player(const char *path) {
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int made = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (made < 0) return -1;
    if (connect(made, (struct sockaddr *)&address, sizeof address) == 0) return made;
    close(made);
    return -1;
}

/* Asks the player; `wanted` are the outputs' frames, with their sizes, to be filled. */
static int play(configured_t *owner, const frame_t *inputs, int input_count, frame_t *wanted, int output_count, struct timespec deadline) {
    if (owner->player < 0) owner->player = connect_player(getenv("STUB_HAILORT_PLAYER"));
    int player = owner->player;
    bool is_late = false, fine = player >= 0;
    uint32_t length = strlen(owner->group->name), count = 0;
    fine = fine && send_number(player, length) && send_all(player, owner->group->name, length) && send_number(player, input_count);
    for (int i = 0; i < input_count; i += 1)
        fine = fine && send_number(player, inputs[i].type) && send_number(player, inputs[i].size) && send_all(player, inputs[i].bytes, inputs[i].size);
    fine = fine && send_number(player, output_count);
    for (int i = 0; i < output_count; i += 1) fine = fine && send_number(player, wanted[i].type) && send_number(player, wanted[i].size);
    fine = fine && receive_all(player, &count, 4, deadline, &is_late);
    if (fine && count == 0xffffffff) return INTERNAL_FAILURE;
    fine = fine && count == (uint32_t)output_count;
    for (int i = 0; fine && i < output_count; i += 1) {
        fine = receive_all(player, &length, 4, deadline, &is_late) && length == wanted[i].size;
        fine = fine && receive_all(player, wanted[i].bytes, length, deadline, &is_late);
    }
    if (fine) return OK;
    /* What comes late must not be taken for the next answer. */
    if (player >= 0) close(player);
    owner->player = -1;
    return is_late ? TIMEOUT : INTERNAL_FAILURE;
}

static double sum_of(frame_t frame) {
    double sum = 0;
    if (frame.type == FORMAT_FLOAT32) for (size_t i = 0; i < frame.size / 4; i += 1) sum += ((float *)frame.bytes)[i];
    else for (size_t i = 0; i < frame.size; i += 1) sum += frame.bytes[i];
    return sum;
}

static void fill_pattern(const frame_t *inputs, int input_count, frame_t *outputs, int output_count) {
    double sum = 0;
    for (int j = 0; j < input_count; j += 1) sum += (j + 1) * sum_of(inputs[j]);
    for (int k = 0; k < output_count; k += 1) {
        if (outputs[k].type == FORMAT_FLOAT32) for (size_t i = 0; i < outputs[k].size / 4; i += 1) ((float *)outputs[k].bytes)[i] = (float)(sum + 1000 * k + i);
        else for (size_t i = 0; i < outputs[k].size; i += 1) outputs[k].bytes[i] = (uint8_t)((long)sum + 1000 * k + i);
    }
}

/* Takes the oldest set of inputs and gives every output its frame. Called with the mutex held, which is let go while the player works. */
static int compute(configured_t *owner, struct timespec deadline) {
    frame_t inputs[MAX_LAYERS], outputs[MAX_LAYERS];
    int layers[MAX_LAYERS], input_count = 0, output_count = 0;
    for (int i = 0; i < owner->group->count; i += 1) {
        if (owner->group->layers[i].is_input) {
            inputs[input_count++] = shift(owner, i);
        } else if (owner->streams[i] != NULL) {
            size_t size = frame_size(owner->streams[i]);
            layers[output_count] = i;
            outputs[output_count++] = (frame_t){ malloc(size), size, owner->streams[i]->params.format.type };
        }
    }
    owner->is_computing = true;
    owner->ready_at = from_now(number_of("STUB_HAILORT_DELAY_MS", 0));
    pthread_mutex_unlock(&owner->mutex);
    int status = OK;
    if (getenv("STUB_HAILORT_PLAYER") == NULL) fill_pattern(inputs, input_count, outputs, output_count);
    else status = play(owner, inputs, input_count, outputs, output_count, deadline);
    for (int i = 0; i < input_count; i += 1) free(inputs[i].bytes);
    pthread_mutex_lock(&owner->mutex);
    for (int i = 0; i < output_count; i += 1) {
        if (status == OK) push(owner, layers[i], outputs[i]);
        else free(outputs[i].bytes);
    }
    owner->is_computing = false;
    pthread_cond_broadcast(&owner->changed);
    return owner->is_shut ? STREAM_ABORT : status;
}

int hailo_vstream_read_raw_buffer(stream_t *stream, void *buffer, size_t size) {
    NEED(is_usable(stream) && buffer != NULL && size == frame_size(stream), "hailo_vstream_read_raw_buffer");
    CALL("hailo_vstream_read_raw_buffer");
    configured_t *owner = stream->owner;
    struct timespec deadline = from_now(stream->params.timeout_ms);
    pthread_mutex_lock(&owner->mutex);
    int status = OK;
    while (status == OK && !owner->is_shut && owner->queued[stream->layer] == 0) {
        bool is_waiting = has_set(owner) && !owner->is_computing;
        struct timespec now = from_now(0), until = is_waiting && is_before(owner->ready_at, deadline) ? owner->ready_at : deadline;
        if (is_waiting && !is_before(now, owner->ready_at)) status = compute(owner, deadline);
        else if (!is_before(now, deadline)) status = TIMEOUT;
        else pthread_cond_timedwait(&owner->changed, &owner->mutex, &until);
    }
    if (status == OK && owner->is_shut) status = STREAM_ABORT;
    if (status == OK) {
        frame_t frame = shift(owner, stream->layer);
        memcpy(buffer, frame.bytes, size < frame.size ? size : frame.size);
        free(frame.bytes);
    }
    pthread_mutex_unlock(&owner->mutex);
    note("hailo_vstream_read_raw_buffer stream#%d %zu status %d", stream->id, size, status);
    return status;
}
