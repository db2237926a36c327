/*
 * A STUB of HailoRT's C++ classes for tests: our own code, no part of the product, and only as much as native/hailo-bridge/hailo-bridge.cpp uses.
 * Behind it stands the stub of the C functions (../stub-hailort.c), which says how both are steered.
 */
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

extern "C" {
typedef enum {
    HAILO_SUCCESS = 0, HAILO_UNINITIALIZED = 1, HAILO_INVALID_ARGUMENT = 2, HAILO_OUT_OF_HOST_MEMORY = 3, HAILO_TIMEOUT = 4, HAILO_INSUFFICIENT_BUFFER = 5,
    HAILO_INTERNAL_FAILURE = 8, HAILO_NOT_FOUND = 61, HAILO_STREAM_ABORT = 63,
} hailo_status;
typedef enum { HAILO_SCHEDULING_ALGORITHM_NONE = 0, HAILO_SCHEDULING_ALGORITHM_ROUND_ROBIN = 1 } hailo_scheduling_algorithm_t;
typedef enum { HAILO_FORMAT_TYPE_UINT8 = 1, HAILO_FORMAT_TYPE_FLOAT32 = 3 } hailo_format_type_t;
typedef enum { HAILO_FORMAT_ORDER_AUTO = 0, HAILO_FORMAT_ORDER_NHWC = 1, HAILO_FORMAT_ORDER_NC = 6 } hailo_format_order_t;
typedef struct { uint32_t major, minor, revision; } hailo_version_t;
typedef struct { char id[32]; } hailo_device_id_t;
typedef struct { uint32_t device_count; hailo_device_id_t *device_ids; hailo_scheduling_algorithm_t scheduling_algorithm; const char *group_id; bool multi_process_service; } hailo_vdevice_params_t;
typedef struct { hailo_format_type_t type; hailo_format_order_t order; int flags; } hailo_format_t;
typedef struct { uint32_t height, width, features; } hailo_3d_image_shape_t;
hailo_status hailo_get_library_version(hailo_version_t *version);
hailo_status hailo_init_vdevice_params(hailo_vdevice_params_t *params);
}

namespace hailort {

struct Unexpected { hailo_status status; };

/* A value, or why there is none. */
template <typename T>
class Expected {
public:
    Expected(T &&value) : held(new T(std::move(value))), reason(HAILO_SUCCESS) {}
    Expected(Unexpected none) : reason(none.status) {}
    explicit operator bool() const { return held != nullptr; }
    hailo_status status() const { return reason; }
    T &value() { return *held; }
    T release() { return std::move(*held); }

private:
    std::unique_ptr<T> held;
    hailo_status reason;
};

class MemoryView {
public:
    MemoryView() = default;
    MemoryView(void *data, size_t size) : at(data), length(size) {}
    void *data() const { return at; }
    size_t size() const { return length; }

private:
    void *at = nullptr;
    size_t length = 0;
};

class Hef {
public:
    std::vector<std::string> get_network_groups_names() const { return {group}; }
    Expected<std::vector<std::string>> get_sorted_output_names(const std::string &name = "") const;
    void *handle = nullptr;
    std::string group;
};

struct AsyncInferCompletionInfo { hailo_status status; };

class AsyncInferJob {
public:
    void detach() {}
};

/* A network group of the C stub with its streams. */
struct StubGroup;

class ConfiguredInferModel {
public:
    class Bindings {
    public:
        struct Edge { std::string name; size_t size; bool is_input; MemoryView view; };
        class InferStream {
        public:
            hailo_status set_buffer(MemoryView view);
            Edge *edge;
        };
        Expected<InferStream> input(const std::string &name) { return find(name, true); }
        Expected<InferStream> output(const std::string &name) { return find(name, false); }
        std::vector<Edge> edges;

    private:
        Expected<InferStream> find(const std::string &name, bool is_input);
    };

    Expected<Bindings> create_bindings();
    hailo_status wait_for_async_ready(std::chrono::milliseconds timeout, uint32_t frames_count = 1);
    Expected<AsyncInferJob> run_async(const Bindings &bindings, std::function<void(const AsyncInferCompletionInfo &)> callback);
    hailo_status shutdown();
    std::shared_ptr<StubGroup> group;
};

class InferModel {
public:
    class InferStream {
    public:
        struct Layer { std::string name; bool is_input; hailo_3d_image_shape_t shape; hailo_format_t format; };
        const std::string name() const { return layer->name; }
        hailo_3d_image_shape_t shape() const { return layer->shape; }
        hailo_format_t format() const { return layer->format; }
        size_t get_frame_size() const;
        void set_format_type(hailo_format_type_t type) { layer->format.type = type; }
        std::shared_ptr<Layer> layer;
    };

    virtual ~InferModel() = default;
    virtual const Hef &hef() const = 0;
    virtual void set_batch_size(uint16_t batch_size) = 0;
    virtual Expected<ConfiguredInferModel> configure() = 0;
    virtual const std::vector<InferStream> &inputs() const = 0;
    /* In the order of their names, which is not that of the HEF. */
    virtual const std::vector<InferStream> &outputs() const = 0;
};

class VDevice {
public:
    static Expected<std::shared_ptr<VDevice>> create_shared(const hailo_vdevice_params_t &params);
    virtual ~VDevice() = default;
    virtual Expected<std::shared_ptr<InferModel>> create_infer_model(const std::string &hef_path, const std::string &name = "") = 0;
};

} // namespace hailort
