#include "culprit/readers/case_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include <filesystem>
#include <fstream>

#include "culprit/readers/file_bytes.h"

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

// Compressed with the libraries themselves, as the tools would.
std::string gzip(const std::string& text) {
    z_stream stream{};
    EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    std::string packed(deflateBound(&stream, text.size()), '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    stream.avail_in = static_cast<uInt>(text.size());
    stream.next_out = reinterpret_cast<Bytef*>(packed.data());
    stream.avail_out = static_cast<uInt>(packed.size());
    EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
    packed.resize(stream.total_out);
    deflateEnd(&stream);
    return packed;
}

std::string zstd(const std::string& text) {
    std::string packed(ZSTD_compressBound(text.size()), '\0');
    packed.resize(ZSTD_compress(packed.data(), packed.size(), text.data(), text.size(), 3));
    return packed;
}

TEST_F(CaseFolder, ReadsCompressedFiles) {
    const std::string text = "time,web_cpu\n1770900100,1\n1770900105,2\n";
    write("inject_time.txt", "1770900105\n");
    for (const auto& [name, packed] :
         {std::pair("data.csv.gz", gzip(text)),
          std::pair("data.csv.gz", gzip(text) + gzip("1770900110,3\n")),
          std::pair("data.csv.zst", zstd(text))}) {
        write(name, packed);
        const auto found = read();
        ASSERT_TRUE(found) << found.error().message;
        EXPECT_GE(found->incident.metrics.num_rows(), 2U);
        for (std::size_t size = 0; size < packed.size(); ++size) {
            write(name, packed.substr(0, size));
            const auto truncated = read();
            if (size >= 4 && !truncated) {
                EXPECT_THAT(truncated.error().message, HasSubstr(name));
            }
            // Cut exactly between two members it is whole as far as anyone can tell.
            EXPECT_TRUE(!truncated || packed.size() > gzip(text).size()) << size;
        }
        fs::remove(path_ / name);
    }
}

TEST_F(CaseFolder, RefusesABombAndAFolderInPlaceOfAFile) {
    const std::string bomb = gzip(std::string(5'000'000, 'a'));
    EXPECT_FALSE(unpack(bomb, 100'000));
    EXPECT_FALSE(unpack(zstd(std::string(5'000'000, 'a')), 100'000));
    EXPECT_TRUE(unpack(bomb, 6'000'000));
    write_metrics();
    fs::create_directories(path_ / "logs.csv");
    EXPECT_TRUE(read()) << "a folder is no log file";
    EXPECT_FALSE(open_file(path_.string()));
    EXPECT_FALSE(open_file((path_ / "none").string()));
}

TEST_F(CaseFolder, ReadsTheLayoutsOfRcaEval) {
    const fs::path flat = root_ / "re3ob_cartservice_f3_2";
    fs::create_directories(flat);
    path_ = flat;
    write("metrics.json", R"({"cartservice_cpu": [[1770900100, 1], [1770900105, 2]]})");
    write("inject_time.txt", "1770900105");
    write("root_cause.txt", "CartService.java:\n 42\n");
    write("pod-node-1.csv", "POD,NODE_NAME\ncartservice-7d648bc7b8-q2xtl,node-a\nredis-0,node-b\n");
    const auto found = read();
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ(found->id, "re3ob/cartservice_f3/2");
    EXPECT_THAT(found->truth->services, ElementsAre("cartservice"));
    EXPECT_EQ(found->truth->fault, "f3");
    EXPECT_EQ(found->truth->location, "CartService.java:  42");
    ASSERT_TRUE(found->incident.topology);
    EXPECT_EQ(found->incident.topology->edges[0].from, "cartservice");
    EXPECT_EQ(found->incident.topology->edges[0].kind, EdgeKind::runs_on);
    EXPECT_EQ(found->incident.topology->edges[1].from, "redis-0");
}

TEST_F(CaseFolder, NeedsAnAlertUnlessToldOtherwise) {
    write_metrics();
    fs::remove(path_ / "inject_time.txt");
    EXPECT_FALSE(read());
    CaseReadOptions options;
    options.alert = time_from_seconds(1770900104);
    EXPECT_EQ(read(options)->incident.alert, time_from_seconds(1770900104));
    const auto lenient = read({.alert_required = false});
    ASSERT_TRUE(lenient);
    EXPECT_EQ(lenient->incident.alert, time_from_seconds(1770900115));
    write("inject_time.txt", "yesterday\n");
    EXPECT_THAT(read().error().message, HasSubstr("inject_time.txt:1:1: expected the injection"));
}

TEST_F(CaseFolder, SaysWhenAWindowIsEmpty) {
    write_metrics();
    write("inject_time.txt", "1770900000\n");
    const auto found = read();
    ASSERT_TRUE(found);
    ASSERT_EQ(found->problems.size(), 2U);
    EXPECT_THAT(found->problems[1].message, HasSubstr("expected data before the alert"));
    EXPECT_FALSE(read({.strict = true}));
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
