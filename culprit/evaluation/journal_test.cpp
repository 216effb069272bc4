#include "culprit/evaluation/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "culprit/evaluation/processor_deadline.h"

namespace culprit {
namespace {

class JournalTest : public testing::Test {
protected:
    JournalTest()
        : folder_(std::filesystem::temp_directory_path() /
                  ("culprit-journal-" + std::to_string(getpid()) + "-" +
                   testing::UnitTest::GetInstance()->current_test_info()->name())),
          path_((folder_ / "journal.jsonl").string()) {
        std::filesystem::create_directories(folder_);
    }
    ~JournalTest() override { std::filesystem::remove_all(folder_); }

    static CellRecord cell(const std::string& case_id) {
        CellRecord cell;
        cell.key = {.dataset = "set",
                    .case_id = case_id,
                    .method = "baro",
                    .variant = "published",
                    .seed = 18446744073709551615ULL,
                    .options = "a=0.1",
                    .version = "1",
                    .fingerprint = "f"};
        cell.status = CellStatus::degenerate;
        cell.reason = "empty graph, \"quoted\"\n";
        cell.fault = "cpu";
        cell.truth = {"größe"};
        cell.service = score_at(3);
        cell.service_rank = 3;
        cell.num_suspects = 12;
        cell.top = {{"a_cpu", 1.0 / 3.0}, {"b\xff", -2.5}};
        cell.cpu_seconds = 0.1;
        return cell;
    }
    std::string text() const {
        std::ifstream file(path_);
        std::stringstream all;
        all << file.rdbuf();
        return all.str();
    }

    std::filesystem::path folder_;
    std::string path_;
};

TEST_F(JournalTest, GivesBackWhatItWasGiven) {
    {
        auto journal = Journal::open(path_);
        ASSERT_TRUE(journal);
        ASSERT_TRUE(journal->append(cell("1")));
    }
    const auto journal = Journal::open(path_);
    ASSERT_TRUE(journal) << journal.error().message;
    EXPECT_EQ(journal->num_torn_bytes(), 0U);
    const CellRecord* found = journal->find(cell("1").key);
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->status, CellStatus::degenerate);
    EXPECT_EQ(found->reason, cell("1").reason);
    EXPECT_EQ(found->service, cell("1").service);
    EXPECT_FALSE(found->metric);
    EXPECT_EQ(found->top[0].second, 1.0 / 3.0);
    EXPECT_EQ(found->cpu_seconds, 0.1);
    EXPECT_EQ(journal->find(cell("2").key), nullptr);
}

TEST_F(JournalTest, EveryPartOfTheKeyCounts) {
    auto journal = Journal::open(path_);
    ASSERT_TRUE(journal->append(cell("1")));
    for (std::string CellKey::*part :
         {&CellKey::dataset, &CellKey::case_id, &CellKey::method, &CellKey::variant,
          &CellKey::options, &CellKey::version, &CellKey::fingerprint}) {
        CellKey other = cell("1").key;
        other.*part += "x";
        EXPECT_EQ(journal->find(other), nullptr);
    }
    CellKey other = cell("1").key;
    other.seed = 0;
    EXPECT_EQ(journal->find(other), nullptr);
}

// A kill can end the file at any byte of the last line: whole lines before it survive, it is lost,
// and what is appended afterwards is readable.
TEST_F(JournalTest, SurvivesEveryTornLastLine) {
    {
        auto journal = Journal::open(path_);
        ASSERT_TRUE(journal->append(cell("1")));
        ASSERT_TRUE(journal->append(cell("2")));
    }
    const std::string whole = text();
    const std::size_t first_end = whole.find('\n') + 1;
    for (std::size_t length = first_end + 1; length < whole.size(); ++length) {
        std::ofstream(path_, std::ios::trunc) << whole.substr(0, length);
        {
            auto journal = Journal::open(path_);
            ASSERT_TRUE(journal) << journal.error().message;
            EXPECT_EQ(journal->size(), 1U);
            EXPECT_EQ(journal->num_torn_bytes(), length - first_end);
            ASSERT_TRUE(journal->append(cell("3")));
        }
        const auto again = Journal::open(path_);
        ASSERT_TRUE(again) << again.error().message;
        EXPECT_NE(again->find(cell("1").key), nullptr);
        EXPECT_EQ(again->find(cell("2").key), nullptr);
        EXPECT_NE(again->find(cell("3").key), nullptr);
    }
}

TEST_F(JournalTest, RefusesWhatIsNoJournal) {
    std::ofstream(path_) << "{\"not\": \"a result\"}\n" << to_json_line(cell("1")) << "\n";
    const auto journal = Journal::open(path_);
    ASSERT_FALSE(journal);
    EXPECT_EQ(journal.error().code, ErrorCode::malformed_data);
    EXPECT_THAT(journal.error().message, testing::HasSubstr("journal.jsonl:1: expected"));
}

TEST_F(JournalTest, IsHeldByOneRunAtATime) {
    const auto first = Journal::open(path_);
    ASSERT_TRUE(first);
    const auto second = Journal::open(path_);
    ASSERT_FALSE(second);
    EXPECT_THAT(second.error().message, testing::HasSubstr("another evaluation"));
}

// Sleeping costs no processor time, however long; computing does.
TEST(ProcessorDeadline, CountsOnlyWhatTheThreadComputes) {
    const ProcessorDeadline deadline(std::chrono::milliseconds(30));
    std::this_thread::sleep_for(std::chrono::milliseconds(60));
    EXPECT_FALSE(deadline.has_passed());
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!deadline.has_passed() && std::chrono::steady_clock::now() < give_up) {
    }
    EXPECT_TRUE(deadline.has_passed());
    EXPECT_TRUE(deadline.token().stop_requested());
}

}  // namespace
}  // namespace culprit
