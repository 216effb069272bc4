#include "culprit/signatures/fault_signature.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>

#include "culprit/catalogue/catalogue.h"
#include "culprit/signatures/embedded_faults.h"

namespace culprit {
namespace {

TEST(FaultLibrary, EveryShippedFileIsValidAndNamesCataloguedSignals) {
    std::set<std::string> known;
    for (const Signal& signal : Catalogue::builtin().signals()) {
        known.insert(signal.name);
        known.insert(signal.quantity);
    }
    std::set<std::string> ids;
    std::set<std::string> numbers;
    for (const EmbeddedFile& file : embedded_faults()) {
        const auto fault = FaultLibrary::parse(file.text, file.name);
        ASSERT_TRUE(fault) << fault.error().message;
        EXPECT_EQ(fault->id + ".json", file.name);
        EXPECT_TRUE(ids.insert(fault->id).second);
        EXPECT_TRUE(std::ranges::any_of(fault->remedies, [](const Remedy& remedy) {
            return remedy.when == RemedyTime::before;
        })) << file.name;
        numbers.insert(fault->catalogue);
        std::set<std::string> once;
        for (const ExpectedSignal& expected : fault->signals) {
            EXPECT_TRUE(known.contains(expected.signal)) << file.name << " " << expected.signal;
            EXPECT_TRUE(once.insert(expected.signal).second) << file.name << " " << expected.signal;
            EXPECT_EQ(expected.order == 0, expected.direction == Direction::flat) << file.name;
        }
        for (const DecidingSignal& deciding : fault->decided_by)
            EXPECT_TRUE(known.contains(deciding.signal)) << file.name << " " << deciding.signal;
    }
    for (int i = 1; i <= 48; ++i) {
        const std::string number = "F" + std::string(i < 10 ? "0" : "") + std::to_string(i);
        EXPECT_TRUE(numbers.contains(number)) << number;
    }
    EXPECT_EQ(FaultLibrary::builtin().signatures().size(), embedded_faults().size());
}

constexpr const char* small = R"({"id": "x", "name": "X", "family": "f", "layer": "model",
  "component": "engine", "scope": "one", "prior": 1, "changes": [], "decided_by": [],
  "signals": [{"signal": "engine.itl", "direction": "up", "order": 1, "weight": 3}],
  "logs": [{"pattern": "(?i)BAD thing", "weight": 2}], "remedies": [{"do": "mend it"}]})";

std::string with(std::string text, std::string_view from, std::string_view to) {
    return text.replace(text.find(from), from.size(), to);
}

TEST(FaultLibrary, ErrorsNameFieldExpectationAndFinding) {
    ASSERT_TRUE(FaultLibrary::parse(small, "x.json"));
    const auto message = [](std::string_view text) {
        const auto fault = FaultLibrary::parse(text, "x.json");
        return fault ? std::string("accepted") : fault.error().message;
    };
    EXPECT_EQ(message("{"), "x.json:1:2: expected JSON, found the end of the text");
    EXPECT_EQ(message(with(small, "\"up\"", "\"upwards\"")),
              "x.json: signals[0].direction: expected one of up, surge, down, gone, flat, found "
              "\"upwards\"");
    EXPECT_EQ(message(with(small, "\"prior\": 1", "\"prior\": 0")),
              "x.json: prior: expected a number from 1e-06 to 1000000, found 0");
    EXPECT_EQ(message(with(small, "BAD thing", "BAD (thing")),
              "x.json: logs[0].pattern: expected a regular expression, found \"(?i)BAD (thing\"");
    EXPECT_EQ(message(with(small, "\"family\"", "\"famly\"")),
              "x.json: famly: expected no such field, found \"f\"");
    EXPECT_EQ(message(with(small, "\"prior\": 1", "\"prior\": 1, \"effects\": [\"magic\"]")),
              "x.json: effects: expected names of data/effects.json, found \"magic\"");
    EXPECT_EQ(message("[1]"), "x.json: : expected an object, found a list");
    const std::string deep = std::string(1'000'000, '[') + std::string(1'000'000, ']');
    EXPECT_EQ(message(with(small, "\"prior\": 1", "\"prior\": " + deep)),
              "x.json: prior: expected a number from 1e-06 to 1000000, found a list");
}

TEST(FaultLibrary, EffectsAddWhatTheFaultDoesNotSetItself) {
    const auto fault = FaultLibrary::parse(
        with(small, "\"prior\": 1", "\"prior\": 1, \"effects\": [\"slow_steps\"]"), "x.json");
    ASSERT_TRUE(fault) << fault.error().message;
    const auto itl = std::ranges::find(fault->signals, "engine.itl", &ExpectedSignal::signal);
    EXPECT_EQ(itl->weight, 3);  // its own word, not the effect's
    EXPECT_GT(
        std::ranges::count(fault->signals, "engine.generation_tokens", &ExpectedSignal::signal), 0);
}

TEST(LogPatternSet, FindsEveryPatternOfALineOnce) {
    std::vector<FaultSignature> faults(2);
    faults[0].logs = {{.pattern = "(?i)BAD thing"}, {.pattern = "^worse$"}};
    faults[1].logs = {{.pattern = "thing [0-9]+"}};
    const LogPatternSet patterns(faults);
    std::vector<LogPatternSet::Place> found;
    patterns.match("a bad THING", found);
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0].fault, 0u);
    found.clear();
    patterns.match("bad thing 17, bad thing 18", found);
    ASSERT_EQ(found.size(), 2u);
    EXPECT_EQ(found[1].fault, 1u);
    found.clear();
    patterns.match("not worse \xff\xfe", found);
    EXPECT_TRUE(found.empty());
}

TEST(FaultLibrary, AFolderExtendsAndReplaces) {
    const auto folder = std::filesystem::temp_directory_path() / "culprit_fault_library_test";
    std::filesystem::remove_all(folder);
    EXPECT_FALSE(FaultLibrary::load(folder));
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "a.json") << small;
    std::ofstream(folder / "b.json") << with(small, "\"x\"", "\"gpu_thermal\"");
    const auto loaded = FaultLibrary::load(folder);
    ASSERT_TRUE(loaded);
    const FaultLibrary& shipped = FaultLibrary::builtin();
    const FaultLibrary merged = shipped.merged_with(*loaded);
    EXPECT_EQ(merged.signatures().size(), shipped.signatures().size() + 1);
    EXPECT_EQ(merged.find("gpu_thermal")->name, "X");
    EXPECT_EQ(merged.without("gpu_hw_fault").find("gpu_ecc"), nullptr);
    std::ofstream(folder / "c.json") << small;
    EXPECT_FALSE(FaultLibrary::load(folder));  // twice the same id
    std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace culprit
