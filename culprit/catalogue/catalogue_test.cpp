#include "culprit/catalogue/catalogue.h"

#include <gtest/gtest.h>

#include <set>

#include "culprit/catalogue/csv_rows.h"

namespace culprit {
namespace {

TEST(CatalogueTest, BuiltinCoversEveryLayerAndModality) {
    std::set<std::pair<Layer, Modality>> seen;
    for (const Signal& signal : Catalogue::builtin().signals()) {
        seen.emplace(signal.layer, signal.modality);
        EXPECT_TRUE(signal.by_default || !signal.enable.empty())
            << signal.name << " must say how to switch it on";
    }
    for (const Layer layer : {Layer::infrastructure, Layer::platform, Layer::framework})
        EXPECT_TRUE(seen.contains({layer, Modality::metric}));
    EXPECT_TRUE(seen.contains({Layer::toolkit, Modality::log}));
    EXPECT_TRUE(seen.contains({Layer::model, Modality::span}));
    EXPECT_GT(Catalogue::builtin().signals().size(), 380U);
}

TEST(CatalogueTest, OneMetricUnderItsThreePrefixes) {
    const Catalogue& catalogue = Catalogue::builtin();
    const Signal* ttft = catalogue.find("vllm:time_to_first_token_seconds");
    ASSERT_NE(ttft, nullptr);
    for (const char* name :
         {"vllm:time_to_first_token_seconds_bucket", "ray_vllm:time_to_first_token_seconds_bucket",
          "ray_vllm_time_to_first_token_seconds_bucket"}) {
        EXPECT_EQ(catalogue.match(name).signal, ttft) << name;
        EXPECT_EQ(catalogue.match(name).part, "bucket");
    }
}

TEST(CatalogueTest, RenamesResolveToOneSignal) {
    const Catalogue& catalogue = Catalogue::builtin();
    EXPECT_EQ(catalogue.match("DCGM_FI_DEV_BOARD_POWER_WATTS").signal->name,
              "DCGM_FI_DEV_POWER_USAGE");
    EXPECT_EQ(catalogue.match("DCGM_FI_DEV_CLOCK_THROTTLE_REASONS").signal->name,
              "DCGM_FI_DEV_CLOCKS_EVENT_REASONS");
    EXPECT_EQ(catalogue.match("vllm:gpu_cache_usage_perc").signal->name,
              "vllm:kv_cache_usage_perc");
    EXPECT_EQ(catalogue.match("vllm:time_per_output_token_seconds_sum").signal->name,
              "vllm:inter_token_latency_seconds");
}

TEST(CatalogueTest, TypeComesFromTheCatalogueNotFromTheSuffix) {
    // A histogram despite its name; its count must not be taken for a counter of its own.
    const SeriesMatch match = Catalogue::builtin().match("vllm:iteration_tokens_total_count");
    ASSERT_NE(match.signal, nullptr);
    EXPECT_EQ(match.signal->type, SignalType::histogram);
    EXPECT_EQ(match.part, "count");
    EXPECT_EQ(Catalogue::builtin().match("somebody_elses_metric").signal, nullptr);
}

TEST(CatalogueTest, LabelAliasesAndEntities) {
    const Catalogue& catalogue = Catalogue::builtin();
    EXPECT_EQ(catalogue.canonical_label("Hostname"), "host");
    EXPECT_EQ(catalogue.canonical_label("hostname"), "host");
    // Prometheus renames a target's own label where it collides with the target's address: the pod
    // that dcgm-exporter and kube-state-metrics speak of, not their own.
    const Labels both = catalogue.canonical_labels({{"exported_pod", "real"}, {"pod", "exporter"}});
    EXPECT_EQ(both.at("pod"), "real");

    const Signal* clock = catalogue.match("DCGM_FI_DEV_SM_CLOCK").signal;
    const Entity gpu = catalogue.entity_of(
        clock, {{"UUID", "GPU-1"}, {"Hostname", "node-a"}, {"pod", "ray-replicas-2"}});
    EXPECT_EQ(gpu.kind, EntityKind::gpu);
    EXPECT_EQ(gpu.name, "GPU-1");
    EXPECT_EQ(gpu.service, "ray-replicas-2");
    EXPECT_EQ(catalogue.entity_of(clock, {{"gpu", "3"}, {"instance", "10.0.0.7:9400"}}).name,
              "10.0.0.7/gpu3");

    const Entity edge =
        catalogue.entity_of(catalogue.match("istio_request_duration_milliseconds_bucket").signal,
                            {{"source_workload", "nginx"}, {"destination_workload", "ray-head"}});
    EXPECT_EQ(edge.name, "nginx>ray-head");
    EXPECT_EQ(edge.service, "ray-head");
}

TEST(CatalogueTest, EverySignalHasAComponentThatSaysHowToGetIt) {
    const Catalogue& catalogue = Catalogue::builtin();
    for (const Signal& signal : catalogue.signals()) {
        const Component* component = catalogue.find_component(signal.component);
        ASSERT_NE(component, nullptr) << signal.component;
        EXPECT_FALSE(component->enable.empty());
    }
}

TEST(CatalogueTest, PciAddressesOfDriverAndKernelAreOne) {
    EXPECT_EQ(normalise_pci_address("PCI:0000:65:00"), "00000000:65:00.0");
    EXPECT_EQ(normalise_pci_address("00000000:65:00.0"), "00000000:65:00.0");
    EXPECT_EQ(normalise_pci_address("0000:3B:00.0"), "00000000:3b:00.0");
}

TEST(CatalogueTest, RefusesBrokenTables) {
    EXPECT_EQ(Catalogue::parse("signal,where\nx,y\n", "label,aliases\n").error().code,
              ErrorCode::malformed_data);
    EXPECT_NE(parse_csv_rows("a,b\n1\n").error().message.find("line 2"), std::string::npos);
    EXPECT_NE(parse_csv_rows("a\n\"b\n").error().message.find("not closed"), std::string::npos);
    const auto quoted = parse_csv_rows("a,b\n\"x, \"\"y\"\"\",2\n");
    ASSERT_TRUE(quoted.has_value());
    EXPECT_EQ((*quoted)[1][0], "x, \"y\"");
}

}  // namespace
}  // namespace culprit
