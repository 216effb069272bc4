#include "culprit/telemetry/kubernetes_reader.h"

#include <fmt/format.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "culprit/base/stopwatch.h"
#include "culprit/telemetry/json_fields.h"

namespace culprit {
namespace {

using nlohmann::json;

struct Listed {
    const char* file;
    const char* kind;
    const char* prefix;  // of the API group
    const char* plural;
    bool is_optional = false;  // older snapshots do not have it
};
constexpr std::array<Listed, 7> lists = {{
    {"nodes.json", "Node", "/api/v1", "nodes"},
    {"pods.json", "Pod", "/api/v1", "pods"},
    {"services.json", "Service", "/api/v1", "services"},
    {"replicasets.json", "ReplicaSet", "/apis/apps/v1", "replicasets"},
    {"deployments.json", "Deployment", "/apis/apps/v1", "deployments"},
    {"controllerrevisions.json", "ControllerRevision", "/apis/apps/v1", "controllerrevisions",
     true},
    {"events.json", "Event", "/api/v1", "events"},
}};

constexpr const char* account_folder = "/var/run/secrets/kubernetes.io/serviceaccount";

std::optional<TimePoint> time_field(const json& object, const char* key) {
    const std::string text = text_field(object, key);
    if (text.empty()) return {};
    const auto time = parse_time(text);
    return time ? std::optional(*time) : std::nullopt;
}

// Labels and images can be long; the facts keep what identifies.
Labels labels_of(const json& metadata) {
    Labels labels;
    for (const auto& [label, value] : object_field(metadata, "labels").items())
        if (value.is_string()) labels[label] = value.get<std::string>();
    return labels;
}

// A Deployment's ReplicaSet is named after it with a hash behind the last hyphen.
std::string workload_of(const std::string& kind, const std::string& name) {
    const auto hyphen = name.rfind('-');
    return kind == "ReplicaSet" && hyphen != std::string::npos ? name.substr(0, hyphen) : name;
}

void take_pod(const json& pod, TimeRange range, IncidentFacts& facts) {
    const json& metadata = object_field(pod, "metadata");
    const std::string name = text_field(metadata, "name");
    const json& status = object_field(pod, "status");
    Labels labels = labels_of(metadata);
    labels["namespace"] = text_field(metadata, "namespace");
    labels["pod_ip"] = text_field(status, "podIP");
    for (const json& container : array_field(object_field(pod, "spec"), "containers"))
        labels["image:" + text_field(container, "name")] = text_field(container, "image");
    facts.add_node(name, NodeKind::replica, labels);
    const std::string node = text_field(object_field(pod, "spec"), "nodeName");
    facts.add_node(node, NodeKind::host);
    facts.add_edge(name, node, EdgeKind::runs_on);
    for (const json& owner : array_field(metadata, "ownerReferences")) {
        const std::string workload =
            workload_of(text_field(owner, "kind"), text_field(owner, "name"));
        facts.add_node(workload, NodeKind::service);
        facts.add_edge(name, workload, EdgeKind::part_of);
    }
    if (const auto started = time_field(status, "startTime"); started && range.contains(*started))
        facts.add_change({*started, name, "start", "the pod started"});
    for (const json& container : array_field(status, "containerStatuses")) {
        const auto restarted =
            time_field(object_field(object_field(container, "state"), "running"), "startedAt");
        if (integer_field(container, "restartCount") < 1 || !restarted ||
            !range.contains(*restarted))
            continue;
        const json& last = object_field(object_field(container, "lastState"), "terminated");
        facts.add_change({*restarted, name, "restart",
                          fmt::format("container {} restarted; before: {}, exit code {}",
                                      text_field(container, "name"),
                                      text_field(last, "reason", "unknown reason"),
                                      integer_field(last, "exitCode"))});
    }
}

void take_node(const json& node, TimeRange range, IncidentFacts& facts) {
    const json& metadata = object_field(node, "metadata");
    const std::string name = text_field(metadata, "name");
    facts.add_node(name, NodeKind::host, labels_of(metadata));
    for (const json& condition : array_field(object_field(node, "status"), "conditions")) {
        const auto changed = time_field(condition, "lastTransitionTime");
        if (!changed || !range.contains(*changed)) continue;
        facts.add_change(
            {*changed, name, "node condition",
             fmt::format("{} is {}: {}", text_field(condition, "type"),
                         text_field(condition, "status"), text_field(condition, "reason"))});
    }
}

void take_event(const json& event, TimeRange range, IncidentFacts& facts) {
    std::optional<TimePoint> time;
    for (const char* key :
         {"lastTimestamp", "eventTime", "firstTimestamp", "deprecatedLastTimestamp"})
        if (!time) time = time_field(event, key);
    if (!time || !range.contains(*time)) return;
    const json& core = object_field(event, "involvedObject");
    const json& about = core.empty() ? object_field(event, "regarding") : core;
    const std::string reason = text_field(event, "reason");
    std::string message = text_field(event, "message", text_field(event, "note"));
    if (message.size() > 500) message.resize(500);
    facts.add_change({*time, text_field(about, "name"), "event " + reason, message});
}

void take_replica_set(const json& set, TimeRange range, IncidentFacts& facts) {
    const json& metadata = object_field(set, "metadata");
    const auto created = time_field(metadata, "creationTimestamp");
    for (const json& owner : array_field(metadata, "ownerReferences")) {
        const std::string deployment = text_field(owner, "name");
        facts.add_node(deployment, NodeKind::service);
        if (!created || !range.contains(*created)) continue;
        std::string images;
        const json& spec =
            object_field(object_field(object_field(set, "spec"), "template"), "spec");
        for (const json& container : array_field(spec, "containers"))
            images += (images.empty() ? "" : ", ") + text_field(container, "image");
        facts.add_change(
            {*created, deployment, "rollout",
             fmt::format("new ReplicaSet {} ({})", text_field(metadata, "name"), images)});
    }
}

// How a StatefulSet or DaemonSet is rolled out.
void take_revision(const json& item, TimeRange range, IncidentFacts& facts) {
    const json& metadata = object_field(item, "metadata");
    const auto created = time_field(metadata, "creationTimestamp");
    for (const json& owner : array_field(metadata, "ownerReferences")) {
        facts.add_node(text_field(owner, "name"), NodeKind::service);
        if (created && range.contains(*created))
            facts.add_change({*created, text_field(owner, "name"), "rollout",
                              fmt::format("revision {} of {} {}", integer_field(item, "revision"),
                                          text_field(owner, "kind"), text_field(owner, "name"))});
    }
}

void take_item(const std::string& kind, const json& item, TimeRange range, IncidentFacts& facts) {
    if (kind == "Pod") take_pod(item, range, facts);
    if (kind == "Node") take_node(item, range, facts);
    if (kind == "Event") take_event(item, range, facts);
    if (kind == "ReplicaSet") take_replica_set(item, range, facts);
    if (kind == "ControllerRevision") take_revision(item, range, facts);
    const std::string name = text_field(object_field(item, "metadata"), "name");
    if (kind == "Deployment" || kind == "Service") facts.add_node(name, NodeKind::service);
}

Status take_list(const json& list, TimeRange range, IncidentFacts& facts,
                 std::uint64_t& num_items) {
    if (!list.is_object() || !list.contains("items") || !list["items"].is_array())
        return fail(ErrorCode::malformed_data, "expected a Kubernetes list with \"items\"");
    std::string kind = text_field(list, "kind");
    if (kind.ends_with("List")) kind.resize(kind.size() - 4);
    for (const json& item : list["items"]) {
        take_item(kind.empty() ? text_field(item, "kind") : kind, item, range, facts);
        ++num_items;
    }
    return {};
}

// Which pods a service's selector matches needs both lists; it is done on the raw lists.
void connect_services(const json& services, const json& pods, IncidentFacts& facts) {
    for (const json& service : array_field(services, "items")) {
        const json& selector = object_field(object_field(service, "spec"), "selector");
        const json& metadata = object_field(service, "metadata");
        if (selector.empty()) continue;
        for (const json& pod : array_field(pods, "items")) {
            const json& pod_metadata = object_field(pod, "metadata");
            if (text_field(metadata, "namespace") != text_field(pod_metadata, "namespace"))
                continue;
            const json& labels = object_field(pod_metadata, "labels");
            bool matches = true;
            for (const auto& [label, value] : selector.items())
                matches = matches && labels.contains(label) && labels[label] == value;
            if (matches)
                facts.add_edge(text_field(metadata, "name"), text_field(pod_metadata, "name"),
                               EdgeKind::calls);
        }
    }
}

HttpEndpoint with_service_account(HttpEndpoint endpoint) {
    if (!endpoint.bearer_token.empty() || !endpoint.bearer_token_file.empty()) return endpoint;
    const std::string folder = account_folder;
    std::error_code ignored;
    if (!std::filesystem::exists(folder + "/token", ignored)) return endpoint;
    endpoint.bearer_token_file = folder + "/token";
    if (endpoint.tls.ca_file.empty()) endpoint.tls.ca_file = folder + "/ca.crt";
    return endpoint;
}

Result<json> fetch_list(const HttpClient& client, const std::string& path, const Stop& stop) {
    json all;
    std::string next;
    do {
        HttpParameters parameters = {{"limit", "500"}};
        if (!next.empty()) parameters.emplace_back("continue", next);
        CULPRIT_TRY(const auto body, client.get(path, parameters, stop));
        json page = json::parse(body, nullptr, false);
        if (!page.is_object() || !page.contains("items") || !page["items"].is_array())
            return fail(ErrorCode::malformed_data, "expected a Kubernetes list with \"items\"");
        const std::string token = text_field(object_field(page, "metadata"), "continue");
        if (all.is_null())
            all = std::move(page);
        else
            for (json& item : page["items"]) all["items"].push_back(std::move(item));
        if (!token.empty() && token == next)
            return fail(ErrorCode::malformed_data, "the server repeats one page for ever");
        next = token;
    } while (!next.empty());
    return all;
}

Result<json> read_list(const std::string& path) {
    std::ifstream in(path);
    if (!in) return fail(ErrorCode::missing_input, "not in the snapshot");
    json parsed = json::parse(in, nullptr, false);
    if (!parsed.is_object()) return fail(ErrorCode::malformed_data, path + " is no JSON object");
    return parsed;
}

}  // namespace

Status take_kubernetes_list(std::string_view text, TimeRange range, IncidentFacts& facts,
                            std::uint64_t& num_items) {
    const json list = json::parse(text, nullptr, false);
    return take_list(list, range, facts, num_items);
}

SourceReport collect_kubernetes(const KubernetesConfig& config, TimeRange range,
                                HttpTransport& transport, IncidentFacts& facts, const Stop& stop) {
    SourceReport report{.kind = "kubernetes"};
    const Stopwatch stopwatch;
    const HttpClient client(transport, with_service_account(config.endpoint));
    json pods;
    json services;
    for (const Listed& listed : lists) {
        std::error_code ignored;
        if (listed.is_optional && !config.snapshot.empty() &&
            !std::filesystem::exists(config.snapshot + "/" + listed.file, ignored))
            continue;
        ++report.num_asked;
        const std::string scope =
            config.namespace_name.empty() || std::string(listed.kind) == "Node"
                ? ""
                : "/namespaces/" + config.namespace_name;
        auto list =
            config.snapshot.empty()
                ? fetch_list(client, fmt::format("{}{}/{}", listed.prefix, scope, listed.plural),
                             stop)
                : read_list(config.snapshot + "/" + listed.file);
        auto taken = list ? take_list(*list, range, facts, report.num_items)
                          : Status(tl::unexpected<Error>(list.error()));
        if (!taken) {
            report.add_missing(fmt::format("{}: {}", listed.plural, taken.error().message));
            continue;
        }
        if (std::string_view(listed.kind) == "Pod") pods = std::move(*list);
        if (std::string_view(listed.kind) == "Service") services = std::move(*list);
    }
    connect_services(services, pods, facts);
    if (report.num_failed == report.num_asked)
        report.error = Error{ErrorCode::unavailable, report.missing.front()};
    report.seconds = stopwatch.seconds();
    return report;
}

}  // namespace culprit
