#include "culprit/readers/case_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include <filesystem>
#include <fstream>

#include "culprit/readers/case_split.h"
#include "culprit/readers/case_writer.h"
#include "culprit/readers/columnar_file.h"
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

TEST_F(CaseFolder, KnowsWhatBrokeEachOfSeveralRootCauses) {
    write_metrics();
    write("case.json", R"({"root_cause_service":["db","web"],"fault":"cpu","faults":[)"
                       R"({"kind":"cpu","target":"web"},{"kind":"disk","target":"db"},7,{}]})");
    const auto found = read();
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ(found->truth->fault_of,
              (std::map<std::string, std::string>{{"db", "disk"}, {"web", "cpu"}}));
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
    EXPECT_FALSE(read()) << "a folder is no log file, and says so";
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

// Everything that a layout can hold comes back, with the same bits.
void expect_same(const Case& a, const Case& b, bool with_topology) {
    const auto same_frame = [](const Frame& x, const Frame& y) {
        ASSERT_EQ(x.num_rows(), y.num_rows());
        ASSERT_EQ(x.num_columns(), y.num_columns());
        EXPECT_TRUE(std::equal(x.times().begin(), x.times().end(), y.times().begin()));
        for (std::size_t c = 0; c < x.num_columns(); ++c) {
            EXPECT_EQ(x.column(c).name, y.column(c).name);
            EXPECT_EQ(x.column(c).service, y.column(c).service);
            EXPECT_THAT(std::vector<double>(y.values(c).begin(), y.values(c).end()),
                        testing::Pointwise(testing::NanSensitiveDoubleEq(), x.values(c)));
        }
    };
    same_frame(a.incident.metrics, b.incident.metrics);
    same_frame(*a.incident.log_counts, *b.incident.log_counts);
    same_frame(*a.incident.span_errors, *b.incident.span_errors);
    same_frame(*a.incident.span_successes, *b.incident.span_successes);
    same_frame(*a.incident.edge_latency, *b.incident.edge_latency);
    EXPECT_EQ(a.incident.logs->time, b.incident.logs->time);
    EXPECT_EQ(a.incident.logs->source, b.incident.logs->source);
    EXPECT_EQ(a.incident.logs->arena, b.incident.logs->arena);
    EXPECT_EQ(a.incident.logs->message_end, b.incident.logs->message_end);
    const SpanTable& x = *a.incident.spans;
    const SpanTable& y = *b.incident.spans;
    EXPECT_EQ(x.start, y.start);
    EXPECT_EQ(x.duration, y.duration);
    EXPECT_EQ(x.service, y.service);
    EXPECT_EQ(x.method, y.method);
    EXPECT_EQ(x.status, y.status);
    for (std::size_t i = 0; i < x.size(); ++i) EXPECT_EQ(x.id[i] == 0, y.id[i] == 0);
    EXPECT_EQ(a.incident.alert, b.incident.alert);
    EXPECT_EQ(a.incident.baseline, b.incident.baseline);
    EXPECT_EQ(a.incident.suspect, b.incident.suspect);
    EXPECT_EQ(a.truth->services, b.truth->services);
    EXPECT_EQ(a.truth->fault, b.truth->fault);
    if (with_topology) {
        ASSERT_EQ(b.incident.topology->edges.size(), a.incident.topology->edges.size());
        EXPECT_EQ(b.incident.topology->edges[0].to, a.incident.topology->edges[0].to);
        EXPECT_EQ(b.incident.topology->edges[0].kind, a.incident.topology->edges[0].kind);
    }
}

TEST_F(CaseFolder, ConvertsThereAndBack) {
    write_metrics();
    write("logs.csv",
          "timestamp,container_name,message\n"
          "1770900100000000001,web,\"a \"\"b\"\",\nc\"\n1770900104999999999,db,\n");
    write("traces.csv",
          "traceID,spanID,parentSpanID,serviceName,methodName,operationName,"
          "startTime,duration,statusCode\n"
          "t,1,,web,/buy,POST,1770900100000000,20000,200\n"
          "t,2,1,db,,GET,1770900101000000,10000,\n");
    write("mpg.csv", "source,destination\nweb,10.0.0.1:10250\nweb,db\n");
    const auto original = read();
    ASSERT_TRUE(original) << original.error().message;
    const std::string columnar = (root_ / "shop" / "web_cpu" / "2.culprit").string();
    ASSERT_TRUE(write_columnar(*original, columnar));
    const auto mapped = read_case(columnar);
    ASSERT_TRUE(mapped) << mapped.error().message;
    EXPECT_EQ(mapped->id, original->id) << "the id that it was written with";
    expect_same(*original, *mapped, true);
    EXPECT_THAT(mapped->incident.text_columns, ElementsAre("web_pod_name"));
    for (const CaseLayout layout : {CaseLayout::study, CaseLayout::rcaeval}) {
        const fs::path folder =
            root_ / "copy" / "web_cpu" / (layout == CaseLayout::study ? "1" : "2");
        fs::create_directories(folder.parent_path());
        ASSERT_TRUE(write_case(*mapped, folder.string(), layout));
        EXPECT_FALSE(write_case(*mapped, folder.string(), layout)) << "nothing is overwritten";
        const auto again = read_case(folder.string());
        ASSERT_TRUE(again) << again.error().message;
        expect_same(*original, *again, layout == CaseLayout::study);
        EXPECT_EQ(fs::exists(folder / "simple_metrics.csv"), layout == CaseLayout::rcaeval);
    }
    EXPECT_EQ(find_cases(root_.string())->size(), 4U);
}

TEST_F(CaseFolder, RefusesADamagedColumnarFile) {
    write_metrics();
    const std::string path = (path_ / "x.culprit").string();
    ASSERT_TRUE(write_columnar(*read(), path));
    std::string bytes;
    {
        std::ifstream file(path, std::ios::binary);
        bytes.assign(std::istreambuf_iterator<char>(file), {});
    }
    for (std::size_t at = 0; at < bytes.size(); at += 7) {
        std::string damaged = bytes;
        damaged[at] = static_cast<char>(damaged[at] ^ 0x20);
        write("x.culprit", damaged);
        const auto found = read_case(path);
        // Only the padding between sections is not covered by a checksum.
        if (found) {
            EXPECT_EQ(bytes[at], '\0') << at;
        }
        write("x.culprit", bytes.substr(0, at));
        EXPECT_FALSE(read_case(path)) << at;
    }
}

TEST_F(CaseFolder, CleansNamesAndMessages) {
    write_metrics();
    write("logs.csv",
          "timestamp,container_name,message\n1770900100000000001,w\x1b[2Jb,\xff tab\t\n");
    const auto found = read();
    ASSERT_TRUE(found);
    EXPECT_EQ(found->incident.logs->sources[0], "w\xEF\xBF\xBD[2Jb");
    EXPECT_EQ(found->incident.logs->message(0), "\xEF\xBF\xBD tab\t");
    EXPECT_EQ(found->problems.size(), 3U);
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

TEST(CaseSplit, FoldersSayItElseTheNameDecides) {
    EXPECT_EQ(split_of({.path = "set/dev/web_cpu/1", .id = "x"}), Split::dev);
    EXPECT_EQ(split_of({.path = "set/test/web_cpu/1/", .id = "x"}), Split::test);
    std::vector<CaseLocation> cases;
    cases.reserve(200);
    for (int i = 0; i < 200; ++i)
        cases.push_back({.path = "set/web_cpu/1", .id = "set/web_cpu/" + std::to_string(i)});
    const std::size_t dev = cases_of(cases, Split::dev).size();
    EXPECT_EQ(dev + cases_of(cases, Split::test).size(), 200U);
    EXPECT_GT(dev, 70U);
    EXPECT_LT(dev, 130U);
    EXPECT_EQ(cases_of(cases, Split::all).size(), 200U);
}

}  // namespace
}  // namespace culprit
