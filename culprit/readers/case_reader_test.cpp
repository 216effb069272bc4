#include "culprit/readers/case_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace culprit {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

// A folder that disappears with the test.
class CaseFolder : public testing::Test {
protected:
    CaseFolder() {
        const auto* test = testing::UnitTest::GetInstance()->current_test_info();
        root_ = fs::temp_directory_path() / ("culprit_" + std::string(test->name()));
        fs::remove_all(root_);
        path_ = root_ / "shop" / "web_cpu" / "1";
        fs::create_directories(path_);
    }
    ~CaseFolder() override { fs::remove_all(root_); }

    void write(const std::string& name, const std::string& text) {
        std::ofstream(path_ / name, std::ios::binary) << text;
    }
    void write_metrics() {
        write("data.csv",
              "time,web_cpu,web_pod_name,db_cpu\n"
              "1770900100,1,web-a,4\n1770900105,2.5,web-a,\n1770900110,3e1,web-a,inf\n");
        write("inject_time.txt", "1770900105\n");
    }
    Result<Case> read(CaseReadOptions options = {}) { return read_case(path_.string(), options); }

    fs::path root_;
    fs::path path_;
};

TEST_F(CaseFolder, ReadsMetricsTruthAndWindows) {
    write_metrics();
    const auto found = read();
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ(found->id, "shop/web_cpu/1");
    EXPECT_EQ(found->dataset, "shop");
    ASSERT_TRUE(found->truth);
    EXPECT_THAT(found->truth->services, ElementsAre("web"));
    EXPECT_EQ(found->truth->fault, "cpu");
    const Incident& incident = found->incident;
    ASSERT_EQ(incident.metrics.num_columns(), 2U);
    EXPECT_THAT(incident.text_columns, ElementsAre("web_pod_name"));
    EXPECT_THAT(incident.metrics.values(0), ElementsAre(1.0, 2.5, 30.0));
    EXPECT_EQ(incident.metrics.column(1).service, "db");
    EXPECT_TRUE(std::isnan(incident.metrics.values(1)[2]));
    EXPECT_EQ(incident.alert, time_from_seconds(1770900105));
    EXPECT_EQ(incident.baseline,
              (TimeRange{time_from_seconds(1770900100), time_from_seconds(1770900105)}));
    EXPECT_EQ(incident.suspect,
              (TimeRange{time_from_seconds(1770900105), time_from_seconds(1770900115)}));
    ASSERT_EQ(found->problems.size(), 1U);
    EXPECT_EQ(found->problems[0].place, "data.csv:4:4");
    EXPECT_FALSE(incident.logs);
    EXPECT_FALSE(incident.log_counts);
}

TEST_F(CaseFolder, StrictMakesProblemsFatal) {
    write_metrics();
    const auto found = read({.strict = true});
    ASSERT_FALSE(found);
    EXPECT_THAT(found.error().message, HasSubstr("1/data.csv:4:4: expected a finite number"));
}

TEST_F(CaseFolder, PrefersCaseJsonOverTheFolderName) {
    write_metrics();
    write("case.json", R"({"root_cause_service":"db","root_cause_metric":null,"fault":"disk"})");
    const auto found = read();
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_THAT(found->truth->services, ElementsAre("db"));
    EXPECT_THAT(found->truth->metrics, ElementsAre());
    EXPECT_EQ(found->truth->fault, "disk");
}

TEST_F(CaseFolder, DerivesSeriesFromLogsAndSpans) {
    write_metrics();
    write("logs.csv",
          "timestamp,container_name,message\n"
          "1770900100000000001,web,\"a \"\"quoted\"\"\nline\"\n1770900104999999999,db,x\n"
          "1770900105000000000,web,y\n");
    write("traces.csv",
          "traceID,spanID,parentSpanID,serviceName,methodName,operationName,startTime,duration,"
          "statusCode\n"
          "t,1,,web,/buy,POST,1770900100000000,20000,200\n"
          "t,2,1,db,/get,GET,1770900100001000,10000,500\n"
          "t,3,1,db,/get,GET,1770900106000000,4000,\n");
    const auto found = read();
    ASSERT_TRUE(found) << found.error().message;
    const Incident& incident = found->incident;
    ASSERT_TRUE(incident.logs);
    EXPECT_EQ(incident.logs->message(0), "a \"quoted\"\nline");
    ASSERT_TRUE(incident.log_counts);
    ASSERT_EQ(incident.log_counts->num_rows(), 2U);
    EXPECT_EQ(incident.log_counts->column(0).name, "db");
    EXPECT_THAT(incident.log_counts->values(0), ElementsAre(1.0, 0.0));
    EXPECT_THAT(incident.log_counts->values(1), ElementsAre(1.0, 1.0));
    ASSERT_TRUE(incident.span_errors);
    ASSERT_EQ(incident.span_errors->find("db_/get"), 0U);
    EXPECT_THAT(incident.span_errors->values(0), ElementsAre(1.0, 1.0));
    EXPECT_THAT(incident.span_successes->values(0), ElementsAre(0.0, 0.0));
    EXPECT_THAT(incident.span_successes->values(1), ElementsAre(1.0, 0.0));
    ASSERT_TRUE(incident.edge_latency);
    EXPECT_EQ(incident.edge_latency->column(0).name, "web_db");
    EXPECT_THAT(incident.edge_latency->values(0), ElementsAre(10.0, 4.0));
}

TEST_F(CaseFolder, FindsCasesSortedAndRefusesNothing) {
    write_metrics();
    fs::create_directories(path_.parent_path() / "0");
    fs::copy(path_, path_.parent_path() / "0");
    const auto found = find_cases(root_.string());
    ASSERT_TRUE(found);
    ASSERT_EQ(found->size(), 2U);
    EXPECT_EQ((*found)[0].id, "shop/web_cpu/0");
    EXPECT_FALSE(find_cases((root_ / "none").string()));
    fs::create_directories(root_ / "empty");
    EXPECT_FALSE(find_cases((root_ / "empty").string()));
}

}  // namespace
}  // namespace culprit
