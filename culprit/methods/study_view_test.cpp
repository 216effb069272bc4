#include "culprit/methods/study_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace culprit {
namespace {

using testing::ElementsAre;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double inf = std::numeric_limits<double>::infinity();

Incident incident_of(std::size_t num_rows, std::vector<std::string> names) {
    std::vector<TimePoint> times;
    times.reserve(num_rows);
    for (std::size_t i = 0; i < num_rows; ++i)
        times.push_back(time_from_seconds(static_cast<double>(i)));
    std::vector<Column> columns;
    columns.reserve(names.size());
    for (auto& name : names) columns.push_back({.name = std::move(name)});
    Matrix values(num_rows, columns.size());
    for (std::size_t c = 0; c < columns.size(); ++c)
        for (std::size_t r = 0; r < num_rows; ++r) values(r, c) = static_cast<double>(r + 10 * c);
    Incident incident;
    incident.metrics = Frame::make(std::move(times), std::move(columns), std::move(values)).value();
    return incident;
}

TEST(StudyView, DropsAndRenamesAsTheHarnessDoes) {
    Incident incident = incident_of(4, {"a_ctn_cpu", "a_pod_x", "a_node_cpu", "unknown_latency",
                                        "a_latency-50", "a_latency-90"});
    incident.text_columns = {"a_pod_name"};
    incident.alert = time_from_seconds(3);
    const StudyView view = StudyView::of(incident).value();
    EXPECT_THAT(view.names(), ElementsAre("a_ctn_cpu", "a_latency"));
    EXPECT_EQ(view.num_node(), 6U) << "all but a_latency-50, the text column included";
    EXPECT_EQ(view.num_normal(), 3U);
    EXPECT_EQ(view.service(0), "a");
    EXPECT_EQ(view.source_column(1), 5U);
}

TEST(StudyView, GivesEveryColumnUnderItsOwnNameOnRequest) {
    Incident incident = incident_of(4, {"a_latency-50", "a_latency-90", "a_pod_x"});
    incident.alert = time_from_seconds(3);
    const StudyView view = StudyView::of(incident, StudyView::Columns::all).value();
    EXPECT_THAT(view.names(), ElementsAre("a_latency-50", "a_latency-90", "a_pod_x"));
}

TEST(StudyView, FillsForwardThenWithZero) {
    Incident incident = incident_of(1, {"a_x"});
    Matrix values(5, 1);
    const double raw[] = {nan, 1.0, inf, nan, 2.0};
    std::copy(std::begin(raw), std::end(raw), values.column(0).begin());
    std::vector<TimePoint> times;
    times.reserve(5);
    for (int i = 0; i < 5; ++i) times.push_back(time_from_seconds(i));
    incident.metrics = Frame::make(times, {{.name = "a_x"}}, values).value();
    const StudyView view = StudyView::of(incident).value();
    EXPECT_THAT(view.column(0), ElementsAre(0.0, 1.0, 1.0, 1.0, 2.0));
}

TEST(StudyView, KeepsAtMost1800RowsOnEachSide) {
    Incident incident = incident_of(5000, {"a_x"});
    incident.alert = time_from_seconds(2000);
    const StudyView view = StudyView::of(incident).value();
    EXPECT_EQ(view.num_rows(), 3600U);
    EXPECT_EQ(view.num_normal(), 1800U);
    EXPECT_EQ(view.column(0)[0], 200.0);
    EXPECT_EQ(view.times()[0], time_from_seconds(200));
}

TEST(StudyView, RefusesNothing) {
    EXPECT_EQ(StudyView::of(Incident{}).error().code, ErrorCode::too_few_samples);
    EXPECT_FALSE(StudyView::of(incident_of(3, {"a_pod_x"})));
}

TEST(Preprocess, DropsConstantsAndScalesMem) {
    Incident incident = incident_of(3, {"a_cpu", "a_mem", "b_cpu"});
    Matrix values(3, 3, 2.0);
    values(2, 1) = 3e6;
    values(1, 2) = 5.0;
    incident.metrics =
        Frame::make({incident.metrics.times().begin(), incident.metrics.times().end()},
                    {{.name = "a_cpu"}, {.name = "a_mem"}, {.name = "b_cpu"}}, values)
            .value();
    const StudyMatrix matrix = preprocess(StudyView::of(incident).value());
    EXPECT_THAT(matrix.names, ElementsAre("a_mem", "b_cpu"));
    EXPECT_EQ(matrix.values(2, 0), 3.0);
    EXPECT_FALSE(varies({}));
}

}  // namespace
}  // namespace culprit
