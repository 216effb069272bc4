#include "culprit/logs/template_miner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "culprit/logs/template_counts.h"
#include "culprit/logs/token_mask.h"

namespace culprit {
namespace {

using testing::ElementsAre;

std::string masked(std::string_view message) {
    std::string result;
    mask_numbers(message, result);
    return result;
}

TEST(MaskNumbers, HidesNumbersAndIds) {
    EXPECT_EQ(masked("took 12.5ms of 30 s"), "took <num>ms of <num> s");
    EXPECT_EQ(masked("request cmpl-36f11dd7: prompt_len=395"),
              "request cmpl-<id>: prompt_len=<num>");
    EXPECT_EQ(masked("from 10.42.0.15:4770 at 2026-03-02 03:11:40.250"),
              "from <num> at <num> <num>");
    EXPECT_EQ(masked("id 123e4567-e89b-12d3-a456-426614174000 at 0xdeadBEEF"), "id <id> at <id>");
    EXPECT_EQ(masked("worker7 HTTP/1.1\" 500 in 500ms"), "worker7 HTTP/<num>\" 500 in <num>ms");
    EXPECT_EQ(masked("deadbeef feedface"), "deadbeef feedface") << "words, not numbers";
    EXPECT_EQ(masked(""), "");
    EXPECT_EQ(masked("1 2-3"), "<num> <num>");
}

TEST(TemplateMiner, GeneralisesWhatDiffers) {
    TemplateMiner miner({.mask = false});
    EXPECT_EQ(miner.add("user alice logged in"), 0U);
    EXPECT_EQ(miner.add("user bob logged in"), 0U);
    EXPECT_EQ(miner.add("disk is full"), 1U);
    EXPECT_EQ(miner.add("  user   carol logged in "), 0U) << "white space does not matter";
    EXPECT_EQ(miner.text(0), "user <*> logged in");
    EXPECT_EQ(miner.count(0), 3U);
    EXPECT_EQ(miner.add(""), 2U);
    EXPECT_EQ(miner.add(" \t"), 2U);
}

TEST(TemplateMiner, MasksSoThatNumbersDoNotSplitTemplates) {
    TemplateMiner miner;
    EXPECT_EQ(miner.add("17 4 9 done"), 0U);
    EXPECT_EQ(miner.add("23 8 11 done"), 0U);
    EXPECT_EQ(miner.add("23 8 11 failed"), 1U) << "numbers do not make messages alike";
    EXPECT_EQ(miner.add("TraceID: 9f3c77ab9f3c77ab SpanID: 1234567812345678 cart empty"), 2U);
    EXPECT_EQ(miner.add("TraceID: 0f3c77ab9f3c77ab SpanID: 77ab9f3c77ab9f3c order placed"), 3U);
    EXPECT_EQ(miner.text(0), "<num> <num> <num> done");
    EXPECT_EQ(miner.text(3), "order placed");
}

TEST(TemplateMiner, StaysBounded) {
    TemplateMiner miner({.templates_max = 3, .tokens_max = 4});
    for (const char* message : {"a", "b b", "c c c", "d d d d d d", "e e"}) miner.add(message);
    EXPECT_EQ(miner.size(), 4U);
    EXPECT_EQ(miner.text(3), "<other>");
    EXPECT_EQ(miner.count(3), 2U);
}

TEST(TemplateMiner, EqualsDrain3) {
    std::ifstream file(CULPRIT_SOURCE_DIR "/tests/golden/logs/drain3.json");
    const auto golden = nlohmann::json::parse(file);
    TemplateMiner miner({.mask = false});
    const auto& messages = golden["messages"];
    ASSERT_GT(messages.size(), 1000U);
    for (std::size_t i = 0; i < messages.size(); ++i)
        ASSERT_EQ(miner.add(messages[i].get<std::string>()) + 1,
                  golden["cluster_ids"][i].get<std::uint32_t>())
            << messages[i];
    ASSERT_EQ(miner.size(), golden["templates"].size());
    for (std::uint32_t id = 0; id < miner.size(); ++id) {
        const auto& expected = golden["templates"][std::to_string(id + 1)];
        EXPECT_EQ(miner.text(id), expected[0].get<std::string>());
        EXPECT_EQ(miner.count(id), expected[1].get<std::uint64_t>());
    }
}

TEST(CountTemplates, CountsPerSourceAndBin) {
    LogTable logs;
    logs.add(time_from_seconds(0), "web", "served 1");
    logs.add(time_from_seconds(1), "db", "served 2");
    logs.add(time_from_seconds(7), "web", "served 3");
    logs.add(time_from_seconds(8), "web", "crashed");
    logs.add(time_from_seconds(10), "web", "outside");
    const LogTemplates mined = mine_templates(logs);
    ASSERT_EQ(mined.templates.size(), 3U);
    EXPECT_EQ(mined.templates[0].text, "served <num>");
    EXPECT_EQ(mined.templates[1].first_record, 3U);
    const auto counted =
        count_templates(logs, mined, {time_from_seconds(0), std::chrono::seconds(5), 2});
    ASSERT_TRUE(counted);
    ASSERT_EQ(counted->keys.size(), 3U);
    EXPECT_EQ(counted->keys[0].count, 2U);
    EXPECT_THAT(counted->counts.column(0), ElementsAre(1.0, 1.0));
    EXPECT_THAT(counted->counts.column(1), ElementsAre(1.0, 0.0));
    EXPECT_THAT(counted->counts.column(2), ElementsAre(0.0, 1.0));
}

}  // namespace
}  // namespace culprit
