/*
 * Of the STUB of HailoRT's C++ classes (hailo/hailort.hpp), for tests: each of their methods becomes calls of the stub of the C functions, so that both
 * have one log, one way of being steered, and the same answers. What only the classes do is logged behind "c++".
 */
#include "hailo/hailort.hpp"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <thread>

#include <unistd.h>

extern "C" {
struct StubInfo { char name[128], network[257]; int32_t direction; hailo_format_t format; uint32_t shape[4]; float quant[4]; };
struct StubParams { char name[128]; hailo_format_t format; uint32_t timeout_ms, queue_size; int32_t stats, elements; };
int hailo_create_vdevice(const hailo_vdevice_params_t *params, void **vdevice);
int hailo_release_vdevice(void *vdevice);
int hailo_create_hef_file(void **hef, const char *path);
int hailo_release_hef(void *hef);
int hailo_get_network_groups_infos(void *hef, void *infos, size_t *count);
int hailo_hef_get_all_vstream_infos(void *hef, const char *name, void *infos, size_t *count);
int hailo_hef_get_sorted_output_names(void *hef, const char *name, void *names, size_t *count);
int hailo_create_input_vstreams(void *group, const StubParams *params, size_t count, void **streams);
int hailo_create_output_vstreams(void *group, const StubParams *params, size_t count, void **streams);
int hailo_release_input_vstreams(void **streams, size_t count);
int hailo_release_output_vstreams(void **streams, size_t count);
int hailo_vstream_write_raw_buffer(void *stream, const void *buffer, size_t size);
int hailo_vstream_read_raw_buffer(void *stream, void *buffer, size_t size);
int hailo_shutdown_network_group(void *group);
int stub_configure(void *vdevice, void *hef, void **groups, size_t *count);
void stub_note(const char *line);
}

namespace hailort {
namespace {

const size_t MOST = 64;
/* The library waits on its own account, whatever its caller's time-out. */
const uint32_t PATIENCE_MS = 600000;

/* Logs the method, or throws in it. */
void enter(const std::string &method) {
    const char *wanted = std::getenv("STUB_HAILORT_THROW");
    stub_note(("c++ " + method).c_str());
    if (wanted != nullptr && method == wanted) throw std::runtime_error("as the test wants");
}

Unexpected none(int status) { return Unexpected{static_cast<hailo_status>(status)}; }
bool is_set(const char *variable) { return std::getenv(variable) != nullptr && std::strcmp(std::getenv(variable), "1") == 0; }
size_t size_of(const InferModel::InferStream::Layer &layer) {
    return size_t{layer.shape.height} * layer.shape.width * layer.shape.features * (layer.format.type == HAILO_FORMAT_TYPE_FLOAT32 ? 4 : 1);
}

struct StubVDevice : VDevice {
    void *handle;
    explicit StubVDevice(void *handle) : handle(handle) {}
    ~StubVDevice() override { hailo_release_vdevice(handle); }
    Expected<std::shared_ptr<InferModel>> create_infer_model(const std::string &hef_path, const std::string &name) override;
};

} // namespace

struct StubGroup {
    struct Stream { void *handle; InferModel::InferStream::Layer layer; };
    void *handle;
    std::vector<Stream> streams;
    std::atomic<bool> is_running{false};
    std::thread thread;

    ~StubGroup() {
        if (is_running) stub_note("MISUSE the network goes while the library works on it");
        if (thread.joinable()) thread.join();
        release(false, hailo_release_output_vstreams);
        release(true, hailo_release_input_vstreams);
    }

    void release(bool inputs, int (*release)(void **, size_t)) {
        for (Stream &stream : streams) if (stream.layer.is_input == inputs) release(&stream.handle, 1);
    }

    int compute(const ConfiguredInferModel::Bindings &bindings) {
        for (const Stream &stream : streams) {
            const auto edge = std::find_if(bindings.edges.begin(), bindings.edges.end(), [&](const auto &one) { return one.name == stream.layer.name; });
            const auto view = edge->view;
            const int status = stream.layer.is_input ? hailo_vstream_write_raw_buffer(stream.handle, view.data(), view.size())
                                                     : hailo_vstream_read_raw_buffer(stream.handle, view.data(), view.size());
            if (status != HAILO_SUCCESS) return status;
        }
        return HAILO_SUCCESS;
    }
};

namespace {

struct StubModel : InferModel {
    Hef the_hef;
    void *vdevice;
    std::vector<InferStream> all_inputs, all_outputs;

    ~StubModel() override { hailo_release_hef(the_hef.handle); }
    const Hef &hef() const override { return the_hef; }
    void set_batch_size(uint16_t batch_size) override { stub_note(("c++ set_batch_size " + std::to_string(batch_size)).c_str()); }
    const std::vector<InferStream> &inputs() const override { return all_inputs; }
    const std::vector<InferStream> &outputs() const override { return all_outputs; }

    int describe() {
        StubInfo infos[MOST];
        char groups[MOST][129];
        size_t count = MOST;
        int status = hailo_get_network_groups_infos(the_hef.handle, groups, &count);
        if (status != HAILO_SUCCESS) return status;
        the_hef.group = groups[0];
        count = MOST;
        status = hailo_hef_get_all_vstream_infos(the_hef.handle, groups[0], infos, &count);
        for (size_t i = 0; status == HAILO_SUCCESS && i < count; i += 1) {
            const StubInfo &info = infos[i];
            InferStream stream;
            stream.layer = std::make_shared<InferStream::Layer>(
                InferStream::Layer{info.name, info.direction == 0, {info.shape[0], info.shape[1], info.shape[2]}, info.format});
            (info.direction == 0 ? all_inputs : all_outputs).push_back(stream);
        }
        std::sort(all_outputs.begin(), all_outputs.end(), [](const InferStream &a, const InferStream &b) { return a.name() < b.name(); });
        return status;
    }

    Expected<ConfiguredInferModel> configure() override {
        enter("configure");
        void *groups[MOST];
        size_t count = MOST;
        int status = stub_configure(vdevice, the_hef.handle, groups, &count);
        if (status != HAILO_SUCCESS) return none(status);
        ConfiguredInferModel configured;
        configured.group = std::make_shared<StubGroup>();
        configured.group->handle = groups[0];
        const auto open = [&](const std::vector<InferStream> &streams, auto create) {
            for (const InferStream &stream : streams) {
                StubParams params = {{0}, stream.format(), PATIENCE_MS, 2, 0, 0};
                std::strncpy(params.name, stream.name().c_str(), sizeof params.name - 1);
                void *handle;
                if (status == HAILO_SUCCESS) status = create(groups[0], &params, 1, &handle);
                if (status == HAILO_SUCCESS) configured.group->streams.push_back({handle, *stream.layer});
            }
        };
        open(all_inputs, hailo_create_input_vstreams);
        open(all_outputs, hailo_create_output_vstreams);
        if (status != HAILO_SUCCESS) {
            hailo_shutdown_network_group(groups[0]);
            return none(status);
        }
        return configured;
    }
};

Expected<std::shared_ptr<InferModel>> StubVDevice::create_infer_model(const std::string &hef_path, const std::string &) {
    enter("create_infer_model");
    void *hef;
    int status = hailo_create_hef_file(&hef, hef_path.c_str());
    if (status != HAILO_SUCCESS) return none(status);
    auto model = std::make_shared<StubModel>();
    model->the_hef.handle = hef;
    model->vdevice = handle;
    status = model->describe();
    if (status != HAILO_SUCCESS) return none(status);
    return std::shared_ptr<InferModel>(model);
}

} // namespace

size_t InferModel::InferStream::get_frame_size() const { return size_of(*layer); }

Expected<std::vector<std::string>> Hef::get_sorted_output_names(const std::string &) const {
    char names[MOST][128];
    size_t count = MOST;
    const int status = hailo_hef_get_sorted_output_names(handle, group.c_str(), names, &count);
    if (status != HAILO_SUCCESS) return none(status);
    return std::vector<std::string>(names, names + count);
}

Expected<std::shared_ptr<VDevice>> VDevice::create_shared(const hailo_vdevice_params_t &params) {
    enter("create_shared");
    void *vdevice;
    const int status = hailo_create_vdevice(&params, &vdevice);
    if (status != HAILO_SUCCESS) return none(status);
    return std::shared_ptr<VDevice>(std::make_shared<StubVDevice>(vdevice));
}

hailo_status ConfiguredInferModel::Bindings::InferStream::set_buffer(MemoryView view) {
    const auto at = reinterpret_cast<uintptr_t>(view.data());
    if (at % sysconf(_SC_PAGESIZE) != 0) stub_note("MISUSE a buffer does not begin at a page");
    if (view.size() != edge->size) return HAILO_INVALID_ARGUMENT;
    edge->view = view;
    return HAILO_SUCCESS;
}

Expected<ConfiguredInferModel::Bindings::InferStream> ConfiguredInferModel::Bindings::find(const std::string &name, bool is_input) {
    for (Edge &edge : edges) if (edge.name == name && edge.is_input == is_input) return InferStream{&edge};
    return none(HAILO_NOT_FOUND);
}

Expected<ConfiguredInferModel::Bindings> ConfiguredInferModel::create_bindings() {
    Bindings bindings;
    for (const auto &stream : group->streams) bindings.edges.push_back({stream.layer.name, size_of(stream.layer), stream.layer.is_input, {}});
    return bindings;
}

hailo_status ConfiguredInferModel::wait_for_async_ready(std::chrono::milliseconds, uint32_t) { return HAILO_SUCCESS; }

Expected<AsyncInferJob> ConfiguredInferModel::run_async(const Bindings &bindings, std::function<void(const AsyncInferCompletionInfo &)> callback) {
    enter("run_async");
    if (group->thread.joinable()) group->thread.join();
    group->is_running = true;
    /* The thread is joined before the group goes, so a plain pointer will do. */
    group->thread = std::thread([group = group.get(), bindings, callback] {
        const int status = group->compute(bindings);
        group->is_running = false;
        callback(AsyncInferCompletionInfo{static_cast<hailo_status>(status)});
    });
    return AsyncInferJob();
}

hailo_status ConfiguredInferModel::shutdown() {
    enter("shutdown");
    if (is_set("STUB_HAILORT_DEAF")) return HAILO_SUCCESS;
    return static_cast<hailo_status>(hailo_shutdown_network_group(group->handle));
}

} // namespace hailort
