// The methods that learn a graph, on incidents whose cause is known by construction.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "culprit/base/random.h"
#include "culprit/methods/catalog.h"
#include "culprit/methods/graph_ranking.h"

namespace culprit {
namespace {

using testing::HasSubstr;

Incident incident_of(std::vector<std::string> names, Matrix values, std::size_t alert_row) {
    std::vector<TimePoint> times;
    times.reserve(values.num_rows());
    for (std::size_t i = 0; i < values.num_rows(); ++i)
        times.push_back(time_from_seconds(1000.0 + static_cast<double>(i)));
    std::vector<Column> columns;
    columns.reserve(names.size());
    for (auto& name : names) columns.push_back({.name = std::move(name)});
    Incident incident;
    incident.alert = time_from_seconds(1000.0 + static_cast<double>(alert_row));
    incident.metrics = Frame::make(std::move(times), std::move(columns), std::move(values)).value();
    return incident;
}

// a_cpu drives b_latency, b_latency drives c_latency; d_cpu is apart. a_cpu jumps at the alert.
Incident chain(std::size_t num_rows, std::size_t alert_row, std::uint64_t seed) {
    Random random(seed);
    Matrix x(num_rows, 4);
    for (std::size_t t = 0; t < num_rows; ++t) {
        x(t, 0) = random.normal() + (t >= alert_row ? 8.0 : 0.0);
        const double before = t > 0 ? x(t - 1, 0) : 0.0;
        x(t, 1) = 0.5 * x(t, 0) + 0.7 * before + random.normal();
        x(t, 2) = 0.9 * x(t, 1) + random.normal();
        x(t, 3) = random.normal();
    }
    return incident_of({"a_cpu", "b_latency", "c_latency", "d_cpu"}, std::move(x), alert_row);
}

Diagnosis diagnose(std::string_view method, const Incident& incident, Variant variant,
                   unsigned num_threads = 1) {
    return run_method(*make_method(method).value(), incident,
                      {.variant = variant, .num_threads = num_threads})
        .value();
}

std::vector<std::string> names_of(const Diagnosis& diagnosis) {
    std::vector<std::string> names;
    names.reserve(diagnosis.ranking.suspects().size());
    for (const Suspect& s : diagnosis.ranking.suspects()) names.push_back(s.name);
    return names;
}

constexpr std::string_view graph_methods[] = {
    "pc_pagerank",      "pc_randomwalk",      "fci_pagerank", "fci_randomwalk",
    "granger_pagerank", "granger_randomwalk", "circa"};

TEST(CauseSteps, FollowArrowsBackwards) {
    MixedGraph graph(4);
    graph.set_directed(0, 1);
    graph.set_edge(1, Mark::circle, 2, Mark::arrow);
    graph.set_edge(2, Mark::arrow, 3, Mark::arrow);
    const Matrix ours = cause_steps(graph);
    EXPECT_EQ(ours(1, 0), 1.0);
    EXPECT_EQ(ours(0, 1), 0.0);
    EXPECT_EQ(ours(2, 1), 1.0) << "1 o-> 2 is stepped from the effect";
    EXPECT_EQ(ours(1, 2), 0.0);
    EXPECT_EQ(ours(2, 3), 1.0);
    EXPECT_EQ(ours(3, 2), 1.0);
    const Matrix study = study_steps(graph);
    EXPECT_EQ(study(1, 2), 1.0) << "the study steps o-> the other way";
    EXPECT_EQ(study(2, 1), 0.0);
    EXPECT_EQ(study(1, 0), 1.0);
}

TEST(GraphMethods, PublishedCircaFindsTheDrivingColumn) {
    const Diagnosis diagnosis = diagnose("circa", chain(400, 300, 7), Variant::published);
    EXPECT_EQ(names_of(diagnosis).front(), "a_cpu");
    EXPECT_EQ(diagnosis.ranking.size(), 4U) << "every column is ranked";
}

TEST(GraphMethods, PublishedGrangerRanksTheDriverBeforeTheDriven) {
    const auto names =
        names_of(diagnose("granger_pagerank", chain(400, 300, 7), Variant::published));
    const auto place = [&](const char* name) {
        return std::find(names.begin(), names.end(), name) - names.begin();
    };
    EXPECT_LT(place("a_cpu"), place("b_latency"));
    EXPECT_LT(place("a_cpu"), place("c_latency"));
}

TEST(GraphMethods, PublishedPcPageRankKeepsNamesOfIsolatedColumns) {
    Incident incident = chain(400, 300, 7);
    const auto published = names_of(diagnose("pc_pagerank", incident, Variant::published));
    EXPECT_EQ(published.size(), 4U);
}

TEST(GraphMethods, PublishedWalkDependsOnTheDataAndTheStudysDoesNot) {
    const Incident one = chain(400, 300, 7);
    Random random(3);
    Matrix noise(400, 4);
    for (std::size_t c = 0; c < 4; ++c)
        for (double& v : noise.column(c)) v = random.normal();
    for (std::size_t t = 0; t < 400; ++t) noise(t, 3) = noise(t, 1) + 0.1 * random.normal();
    const Incident other =
        incident_of({"a_cpu", "b_latency", "c_latency", "d_cpu"}, std::move(noise), 300);
    for (const char* method : {"pc_randomwalk", "fci_randomwalk"}) {
        EXPECT_EQ(names_of(diagnose(method, one, Variant::reference)),
                  names_of(diagnose(method, other, Variant::reference)));
        EXPECT_NE(names_of(diagnose(method, one, Variant::published)),
                  names_of(diagnose(method, other, Variant::published)));
    }
}

TEST(GraphMethods, SayHowFragileTheGraphIs) {
    for (const std::string_view method : graph_methods)
        EXPECT_THAT(diagnose(method, chain(200, 150, 1), Variant::published).notes.at(0),
                    HasSubstr("within a factor of two of alpha"))
            << method;
}

// Collinear, copied and late-moving columns, fewer rows than columns, one row, many columns.
TEST(GraphMethods, AreDefinedForWhateverComes) {
    std::vector<Incident> incidents;
    Random random(4);
    for (const auto& [rows, columns] :
         {std::pair<std::size_t, std::size_t>{1, 5}, {2, 5}, {4, 9}, {12, 30}, {60, 40}}) {
        Matrix x(rows, columns);
        std::vector<std::string> names;
        for (std::size_t c = 0; c < columns; ++c) {
            names.push_back("s" + std::to_string(c / 3) + (c % 3 == 0 ? "_latency" : "_cpu") +
                            std::to_string(c));
            for (double& v : x.column(c)) v = random.normal();
        }
        for (std::size_t t = 0; t < rows; ++t) {
            x(t, 1) = x(t, 0) + x(t, 2);
            x(t, 3) = x(t, 2);
            x(t, 4) = t + 1 == rows ? 1.0 : 0.0;
        }
        incidents.push_back(incident_of(std::move(names), std::move(x), rows * 3 / 4));
    }
    for (const std::string_view method : graph_methods)
        for (const Variant variant : {Variant::reference, Variant::published})
            for (const Incident& incident : incidents) {
                SCOPED_TRACE(std::string(method) + " " + std::string(to_string(variant)) +
                             " rows " + std::to_string(incident.metrics.num_rows()));
                const Diagnosis once = diagnose(method, incident, variant);
                const Diagnosis again = diagnose(method, incident, variant, 2);
                EXPECT_EQ(names_of(once), names_of(again));
                EXPECT_EQ(once.status == DiagnosisStatus::degenerate, !once.reason.empty());
            }
}

void expect_all_ranked(std::size_t num_columns) {
    Random random(6);
    Matrix x(80, num_columns);
    std::vector<std::string> names;
    for (std::size_t c = 0; c < num_columns; ++c) {
        names.push_back("s" + std::to_string(c) + "_latency");
        for (std::size_t t = 0; t < 80; ++t)
            x(t, c) = random.normal() + (c >= 10 ? 0.9 * x(t, c - 10) : 0.0);
    }
    const Incident incident = incident_of(std::move(names), std::move(x), 60);
    for (const std::string_view method : graph_methods) {
        const Diagnosis diagnosis =
            run_method(*make_method(method).value(), incident,
                       {.options = method.starts_with("granger")
                                       ? std::map<std::string, double>{}
                                       : std::map<std::string, double>{{"tests_max", 1e6}}})
                .value();
        EXPECT_EQ(diagnosis.ranking.size(), num_columns) << method;
    }
}

TEST(GraphMethods, SurviveAHundredColumns) { expect_all_ranked(100); }

TEST(GraphMethodsLong, SurviveFiveHundredColumns) { expect_all_ranked(500); }

// One pair without a test spoils the reference's whole answer, and only that pair of the published.
TEST(GraphMethods, GrangerTreatsALateColumnAsEachVariantDoes) {
    Random random(2);
    Matrix x(60, 3);
    for (std::size_t t = 0; t < 60; ++t) {
        x(t, 0) = random.normal();
        x(t, 1) = (t > 0 ? x(t - 1, 0) : 0.0) + 0.3 * random.normal();
        x(t, 2) = t == 59 ? 1.0 : 0.0;
    }
    const Incident incident = incident_of({"a_x", "b_x", "c_x"}, std::move(x), 45);
    const Diagnosis reference = diagnose("granger_pagerank", incident, Variant::reference);
    EXPECT_EQ(reference.status, DiagnosisStatus::degenerate);
    EXPECT_THAT(reference.reason, HasSubstr("constant"));
    const Diagnosis published = diagnose("granger_pagerank", incident, Variant::published);
    EXPECT_EQ(published.status, DiagnosisStatus::ok);
    EXPECT_EQ(names_of(published).front(), "a_x");
}

TEST(SymptomColumn, PrefersWhatRaisedTheAlarm) {
    Incident incident = chain(50, 40, 1);
    const auto find = [&] {
        const StudyView view = StudyView::of(incident).value();
        return symptom_column(view, preprocess(view), incident);
    };
    EXPECT_EQ(find(), 1U) << "the first latency column";
    incident.symptom = "d_cpu";
    EXPECT_EQ(find(), 3U);
}

}  // namespace
}  // namespace culprit
