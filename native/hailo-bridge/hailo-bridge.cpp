/*
 * A C interface to the InferModel of HailoRT, which it offers to C++ programs only, and by which alone HailoRT 5.x runs a Hailo-10H. Built on
 * the machine of its user by "percept hailo-bridge build", with the headers of the HailoRT that is installed there.
 *
 * Every function answers a hailo_status by its number and throws nothing. Functions that wait are for threads of their own. There is no state
 * but that behind the handles; a network is run by one thread at a time, and may be aborted by another meanwhile.
 */
#include <hailo/infer_model.hpp>
#include <hailo/vdevice.hpp>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <vector>

#include <unistd.h>

#ifndef PERCEPT_FOR_HAILORT
#error "Define PERCEPT_FOR_HAILORT as the version of the installed HailoRT, such as {5,2,0}."
#endif

#define PERCEPT_EXPORT extern "C" __attribute__((visibility("default")))

namespace {

using hailort::ConfiguredInferModel;
using hailort::InferModel;
using std::chrono::milliseconds;

/* Of the functions below; src/backends/hailo/bridge-library.ts has the same number. */
const int INTERFACE_VERSION = 1;

struct Device {
    std::string group_id; /* The library keeps a pointer to it. */
    std::shared_ptr<hailort::VDevice> vdevice;
};

/*
 * Memory of one stream. The library asks for whole pages, and may write into them for as long as it has not answered, so it is the bridge's and
 * never the caller's.
 */
struct Frame {
    std::string name;
    size_t size;
    std::unique_ptr<void, decltype(&std::free)> memory;
};

struct Frames {
    std::vector<Frame> inputs, outputs;
    size_t input_bytes = 0, output_bytes = 0;
};

/* One run. The library holds it, and with it the frames, until it has answered. */
struct Call {
    explicit Call(std::shared_ptr<Frames> frames) : frames(std::move(frames)) {}

    const std::shared_ptr<Frames> frames;
    std::mutex mutex;
    std::condition_variable changed;
    bool is_ended = false;    /* for who waits for the run */
    bool is_answered = false; /* by the library, which from then on leaves the frames alone */
    hailo_status status = HAILO_UNINITIALIZED;

    void end(hailo_status with, bool by_library) {
        std::lock_guard<std::mutex> lock(mutex);
        if (!is_ended) status = with;
        is_ended = true;
        is_answered = is_answered || by_library;
        changed.notify_all();
    }

    bool wait_until(std::chrono::steady_clock::time_point deadline, const bool &condition) {
        std::unique_lock<std::mutex> lock(mutex);
        return changed.wait_until(lock, deadline, [&condition] { return condition; });
    }
};

/* Members go in the reverse order: the network, its model, the device. */
struct Network {
    std::shared_ptr<Device> device;
    std::shared_ptr<InferModel> model;
    std::unique_ptr<ConfiguredInferModel> configured;
    std::shared_ptr<Frames> frames;
    std::string description;
    std::mutex running; /* held by a run, and while the network goes */
    std::mutex mutex;   /* of what follows */
    std::shared_ptr<Call> call;
    bool is_over = false; /* aborted, or failed: a late frame could still come, so it is run no more */
    bool is_shut = false; /* the library was told */
};

/* The status of what throws none, and of every exception. */
template <typename Work>
int guarded(Work work) noexcept {
    try {
        return work();
    } catch (const std::bad_alloc &) {
        return HAILO_OUT_OF_HOST_MEMORY;
    } catch (...) {
        return HAILO_INTERNAL_FAILURE;
    }
}

Frame make_frame(const InferModel::InferStream &stream) {
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t size = stream.get_frame_size();
    void *memory = std::aligned_alloc(page, (size / page + 1) * page);
    if (memory == nullptr) throw std::bad_alloc();
    return Frame{stream.name(), size, {memory, &std::free}};
}

/* Outputs in the order of the HEF, which need not be that of the model. */
std::vector<InferModel::InferStream> sorted_outputs(InferModel &model, const std::vector<std::string> &names) {
    std::vector<InferModel::InferStream> outputs = model.outputs();
    const auto place = [&names](const InferModel::InferStream &stream) {
        return std::find(names.begin(), names.end(), stream.name()) - names.begin();
    };
    std::stable_sort(outputs.begin(), outputs.end(), [&place](const InferModel::InferStream &a, const InferModel::InferStream &b) {
        return place(a) < place(b);
    });
    return outputs;
}

std::string describe_stream(const char *kind, const InferModel::InferStream &stream) {
    const auto shape = stream.shape();
    const auto number = [](size_t value) { return " " + std::to_string(value); };
    return kind + number(stream.format().order) + number(shape.height) + number(shape.width) + number(shape.features) +
           number(stream.get_frame_size()) + " " + stream.name() + "\n";
}

/* Chooses the user's formats and configures. The caller has the model already. */
int configure(Network &network, int input_type, int output_type) {
    InferModel &model = *network.model;
    auto names = model.hef().get_sorted_output_names();
    if (!names) return names.status();
    const auto groups = model.hef().get_network_groups_names();
    model.set_batch_size(1);
    network.frames = std::make_shared<Frames>();
    network.description = (groups.empty() ? std::string() : groups[0]) + "\n";
    for (InferModel::InferStream stream : model.inputs()) {
        stream.set_format_type(static_cast<hailo_format_type_t>(input_type));
        network.frames->inputs.push_back(make_frame(stream));
        network.frames->input_bytes += stream.get_frame_size();
        network.description += describe_stream("input", stream);
    }
    for (InferModel::InferStream stream : sorted_outputs(model, names.value())) {
        stream.set_format_type(static_cast<hailo_format_type_t>(output_type));
        network.frames->outputs.push_back(make_frame(stream));
        network.frames->output_bytes += stream.get_frame_size();
        network.description += describe_stream("output", stream);
    }
    auto configured = model.configure();
    if (!configured) return configured.status();
    network.configured = std::make_unique<ConfiguredInferModel>(configured.release());
    return HAILO_SUCCESS;
}

template <typename Stream>
int bind(hailort::Expected<Stream> stream, const Frame &frame) {
    if (!stream) return stream.status();
    return stream.value().set_buffer(hailort::MemoryView(frame.memory.get(), frame.size));
}

/* Hands the frames over; `call` then gets the library's answer. */
int start(Network &network, const std::shared_ptr<Call> &call) {
    auto bindings = network.configured->create_bindings();
    if (!bindings) return bindings.status();
    int status = HAILO_SUCCESS;
    for (const Frame &frame : call->frames->inputs)
        if (status == HAILO_SUCCESS) status = bind(bindings.value().input(frame.name), frame);
    for (const Frame &frame : call->frames->outputs)
        if (status == HAILO_SUCCESS) status = bind(bindings.value().output(frame.name), frame);
    if (status != HAILO_SUCCESS) return status;
    const auto answer = [call](const hailort::AsyncInferCompletionInfo &info) { call->end(info.status, true); };
    auto job = network.configured->run_async(bindings.value(), answer);
    if (!job) return job.status();
    /* Else the job would wait in its destructor, past the time-out. */
    job.value().detach();
    return HAILO_SUCCESS;
}

/* Ends what is under way. A network that was shut down gives no frame again. */
int shut(Network &network) {
    std::unique_lock<std::mutex> lock(network.mutex);
    const bool is_first = !network.is_shut;
    const auto call = network.call;
    network.is_over = network.is_shut = true;
    lock.unlock();
    const int status = is_first ? network.configured->shutdown() : HAILO_SUCCESS;
    if (call != nullptr) call->end(HAILO_STREAM_ABORT, false);
    return status;
}

/* Waits for the answer, with the call known to who aborts it. */
int wait_for_answer(Network &network, const std::shared_ptr<Call> &call, std::chrono::steady_clock::time_point deadline) {
    {
        std::lock_guard<std::mutex> lock(network.mutex);
        if (network.is_over) return HAILO_STREAM_ABORT;
        network.call = call;
    }
    const int started = guarded([&] { return start(network, call); });
    /* What was not begun is not answered either. */
    if (started != HAILO_SUCCESS) call->end(static_cast<hailo_status>(started), true);
    return call->wait_until(deadline, call->is_ended) ? call->status : HAILO_TIMEOUT;
}

bool is_over(Network &network) {
    std::lock_guard<std::mutex> lock(network.mutex);
    return network.is_over;
}

int run(Network &network, const char *inputs, char *outputs, milliseconds timeout) {
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    const auto call = std::make_shared<Call>(network.frames);
    /* The library may still be reading what a failed run left. */
    if (is_over(network)) return HAILO_STREAM_ABORT;
    for (const Frame &frame : call->frames->inputs) {
        std::memcpy(frame.memory.get(), inputs, frame.size);
        inputs += frame.size;
    }
    int status = network.configured->wait_for_async_ready(timeout);
    if (status == HAILO_SUCCESS) status = wait_for_answer(network, call, deadline);
    std::lock_guard<std::mutex> lock(network.mutex);
    network.is_over = network.is_over || status != HAILO_SUCCESS;
    if (network.is_over) return status == HAILO_SUCCESS ? HAILO_STREAM_ABORT : status;
    network.call = nullptr;
    for (const Frame &frame : call->frames->outputs) {
        std::memcpy(outputs, frame.memory.get(), frame.size);
        outputs += frame.size;
    }
    return HAILO_SUCCESS;
}

} // namespace

PERCEPT_EXPORT int percept_hailo_interface() { return INTERFACE_VERSION; }

/* Three numbers each: what the bridge was built for, and what it runs with. */
PERCEPT_EXPORT int percept_hailo_versions(uint32_t *built_for, uint32_t *running) {
    return guarded([&] {
        const uint32_t version[3] = PERCEPT_FOR_HAILORT;
        hailo_version_t found = {};
        const int status = hailo_get_library_version(&found);
        std::copy(version, version + 3, built_for);
        running[0] = found.major, running[1] = found.minor, running[2] = found.revision;
        return status;
    });
}

PERCEPT_EXPORT int percept_hailo_open(const char *group_id, void **device) {
    return guarded([&]() -> int {
        auto made = std::make_shared<Device>();
        made->group_id = group_id;
        hailo_vdevice_params_t params = {};
        const int status = hailo_init_vdevice_params(&params);
        if (status != HAILO_SUCCESS) return status;
        params.scheduling_algorithm = HAILO_SCHEDULING_ALGORITHM_ROUND_ROBIN;
        params.group_id = made->group_id.c_str();
        auto vdevice = hailort::VDevice::create_shared(params);
        if (!vdevice) return vdevice.status();
        made->vdevice = vdevice.release();
        *device = new std::shared_ptr<Device>(made);
        return HAILO_SUCCESS;
    });
}

/* The device goes with the last of its networks. */
PERCEPT_EXPORT int percept_hailo_close(void *device) {
    return guarded([&] {
        delete static_cast<std::shared_ptr<Device> *>(device);
        return HAILO_SUCCESS;
    });
}

/* The types are hailo_format_type_t. */
PERCEPT_EXPORT int percept_hailo_load(void *device, const char *hef_path, int input_type, int output_type, void **network) {
    return guarded([&]() -> int {
        auto made = std::make_unique<Network>();
        made->device = *static_cast<std::shared_ptr<Device> *>(device);
        auto model = made->device->vdevice->create_infer_model(hef_path);
        if (!model) return model.status();
        made->model = model.release();
        const int status = configure(*made, input_type, output_type);
        if (status == HAILO_SUCCESS) *network = made.release();
        return status;
    });
}

/*
 * A line with the name of the network, then one for each input and each output, in the order of the HEF: "input" or "output", the number of the
 * order, height, width, features, bytes of a frame, name. `size` is the room at `text`, and then what was written.
 */
PERCEPT_EXPORT int percept_hailo_describe(void *network, char *text, size_t *size) {
    return guarded([&]() -> int {
        const std::string &description = static_cast<Network *>(network)->description;
        const size_t room = *size;
        *size = description.size();
        if (room < description.size()) return HAILO_INSUFFICIENT_BUFFER;
        std::memcpy(text, description.data(), description.size());
        return HAILO_SUCCESS;
    });
}

/* One frame of every input, one after another, in; one of every output out. After a failure the network answers 63 and is to be unloaded. */
PERCEPT_EXPORT int percept_hailo_run(void *network, const void *inputs, size_t input_bytes, void *outputs, size_t output_bytes,
                                     uint32_t timeout_ms) {
    return guarded([&]() -> int {
        Network &one = *static_cast<Network *>(network);
        if (input_bytes != one.frames->input_bytes || output_bytes != one.frames->output_bytes) return HAILO_INVALID_ARGUMENT;
        std::lock_guard<std::mutex> lock(one.running);
        return run(one, static_cast<const char *>(inputs), static_cast<char *>(outputs), milliseconds(timeout_ms));
    });
}

/* Ends the run under way with 63. */
PERCEPT_EXPORT int percept_hailo_abort(void *network) {
    return guarded([&] { return shut(*static_cast<Network *>(network)); });
}

/*
 * Answers 4 where the library still has not answered a run when the time is over. Then the network stays until the process ends, and the device
 * with it, as the library would go on using memory that is gone.
 */
PERCEPT_EXPORT int percept_hailo_unload(void *network, uint32_t timeout_ms) {
    return guarded([&]() -> int {
        std::unique_ptr<Network> one(static_cast<Network *>(network));
        const auto deadline = std::chrono::steady_clock::now() + milliseconds(timeout_ms);
        const int status = guarded([&] { return shut(*one); });
        std::unique_lock<std::mutex> lock(one->running);
        if (one->call != nullptr && !one->call->wait_until(deadline, one->call->is_answered)) {
            lock.unlock();
            one.release();
            return HAILO_TIMEOUT;
        }
        lock.unlock();
        one.reset();
        return status;
    });
}
