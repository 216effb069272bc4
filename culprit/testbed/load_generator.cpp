#include "culprit/testbed/load_generator.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <map>
#include <memory>

#include "culprit/base/clock.h"
#include "culprit/base/random.h"
#include "culprit/testbed/child_process.h"

namespace culprit::testbed {
namespace {

constexpr int vocabulary = 1000;  // words of the testbed's tokenizer, one token each

std::string make_prompt(const Arrival& arrival, const LoadOptions& options, Random& random,
                        std::size_t index) {
    std::string text;
    int made = 0;
    const auto add = [&](std::uint64_t word) {
        text += fmt::format("{}w{}", made == 0 ? "" : " ", word % vocabulary);
        ++made;
    };
    if (options.unique_prefix ||
        (options.unique_prefix_now != nullptr && options.unique_prefix_now->load())) {
        add(index);
        add(index / vocabulary);
        add(random.next());
    }
    for (int i = 0; i < options.shared_prefix_tokens && made < arrival.prompt_tokens; ++i)
        add(7 * static_cast<std::uint64_t>(i));
    while (made < arrival.prompt_tokens) add(random.next());
    return text;
}

/// One request on its own connection.
class Exchange {
public:
    Exchange(const LoadOptions& options, const Arrival& arrival, const std::string& prompt)
        : begin_(monotonic_seconds()) {
        const auto body =
            fmt::format(R"({{"model":"{}","prompt":"{}","max_tokens":{},"stream":true}})",
                        options.model, prompt, arrival.output_tokens);
        to_send_ = fmt::format(
            "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nConnection: "
            "close\r\n"
            "Content-Length: {}\r\n\r\n{}",
            options.path, options.address, body.size(), body);
        record_.sent = wall_clock_now();
        record_.prompt_tokens = arrival.prompt_tokens;
        record_.output_tokens = arrival.output_tokens;
    }
    Exchange(const Exchange&) = delete;
    Exchange& operator=(const Exchange&) = delete;
    ~Exchange() {
        if (socket_ >= 0) close(socket_);
    }

    bool connect_to(const sockaddr_in& where) {
        socket_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (socket_ < 0) return finish(std::strerror(errno));
        const int one = 1;
        setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (connect(socket_, reinterpret_cast<const sockaddr*>(&where), sizeof where) != 0 &&
            errno != EINPROGRESS)
            return finish(std::strerror(errno));
        return true;
    }

    void advance(std::uint32_t events) {
        if (!to_send_.empty() && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0) send_more();
        if (!done_ && (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0) receive_more();
    }

    bool wants_to_send() const { return !to_send_.empty(); }
    bool is_done() const { return done_; }
    int descriptor() const { return socket_; }
    double age() const { return monotonic_seconds() - begin_; }
    RequestRecord& record() { return record_; }
    bool finish(std::string_view problem) {
        if (done_) return false;
        done_ = true;
        record_.problem = problem;
        record_.total_s = age();
        if (gaps_ > 0) record_.token_gap_mean_s = gap_sum_ / gaps_;
        return false;
    }

private:
    void send_more() {
        const auto size = send(socket_, to_send_.data(), to_send_.size(), MSG_NOSIGNAL);
        if (size > 0)
            to_send_.erase(0, static_cast<std::size_t>(size));
        else if (errno != EAGAIN)
            finish(fmt::format("send: {}", std::strerror(errno)));
    }

    void receive_more() {
        char buffer[16384];
        while (true) {
            const auto size = recv(socket_, buffer, sizeof buffer, 0);
            if (size > 0) {
                received_.append(buffer, static_cast<std::size_t>(size));
                read_events();
                continue;
            }
            if (size < 0 && errno == EAGAIN) return;
            if (size < 0) {
                finish(fmt::format("receive: {}", std::strerror(errno)));
                return;
            }
            finish(record_.status != 200 ? fmt::format("HTTP {}", record_.status)
                   : complete_           ? std::string()
                                         : "stream ended early");
            return;
        }
    }

    // Server-sent events arrive as lines "data: {...}"; chunk sizes between them are other lines.
    void read_events() {
        std::size_t begin = 0;
        while (true) {
            const auto end = received_.find('\n', begin);
            if (end == std::string::npos) break;
            const auto line = std::string_view(received_).substr(begin, end - begin);
            begin = end + 1;
            if (record_.status == 0 && line.starts_with("HTTP/1."))
                record_.status = std::atoi(std::string(line.substr(9, 3)).c_str());
            else if (line.starts_with("data: [DONE]"))
                complete_ = true;
            else if (line.starts_with("data: "))
                count_token();
        }
        received_.erase(0, begin);
    }

    void count_token() {
        const double now = age();
        if (record_.received_tokens++ == 0) {
            record_.first_token_s = now;
        } else {
            gap_sum_ += now - last_token_;
            ++gaps_;
            record_.token_gap_max_s = std::max(record_.token_gap_max_s, now - last_token_);
        }
        last_token_ = now;
    }

    double begin_;
    std::string to_send_;
    std::string received_;
    int socket_ = -1;
    bool done_ = false;
    bool complete_ = false;
    double last_token_ = 0;
    double gap_sum_ = 0;
    int gaps_ = 0;
    RequestRecord record_;
};

// The problem of a request that the generator itself broke off.
constexpr const char* stopped = "stopped";

double quantile(std::vector<double>& values, double share) {
    if (values.empty()) return std::nan("");
    std::ranges::sort(values);
    const double at = share * static_cast<double>(values.size() - 1);
    const auto low = static_cast<std::size_t>(at);
    const auto high = std::min(low + 1, values.size() - 1);
    return values[low] + (at - static_cast<double>(low)) * (values[high] - values[low]);
}

}  // namespace

Result<std::vector<RequestRecord>> run_load(const std::vector<Arrival>& arrivals,
                                            const LoadOptions& options,
                                            const std::function<bool()>& stop) {
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_port = htons(static_cast<std::uint16_t>(options.port));
    if (inet_pton(AF_INET, options.address.c_str(), &where.sin_addr) != 1)
        return fail(ErrorCode::invalid_input,
                    fmt::format("expected an IPv4 address, found \"{}\"", options.address));
    const int poller = epoll_create1(EPOLL_CLOEXEC);
    if (poller < 0) return fail(ErrorCode::io_failure, std::strerror(errno));
    Random random(options.seed);
    std::map<int, std::unique_ptr<Exchange>> open;
    std::vector<RequestRecord> records;
    const double start = monotonic_seconds();
    std::size_t next = 0;
    const auto keep = [&](RequestRecord&& record) {
        if (options.on_record) options.on_record(record);
        records.push_back(std::move(record));
    };
    const auto close_done = [&] {
        std::erase_if(open, [&](auto& entry) {
            if (entry.second->age() > options.timeout_s) entry.second->finish("timeout");
            if (!entry.second->is_done()) return false;
            // Closing alone would not do while a process being forked holds the socket too.
            epoll_ctl(poller, EPOLL_CTL_DEL, entry.first, nullptr);
            keep(std::move(entry.second->record()));
            return true;
        });
    };
    while ((next < arrivals.size() || !open.empty()) && !stop()) {
        const double now = monotonic_seconds() - start;
        while (next < arrivals.size() && arrivals[next].time_s <= now) {
            auto exchange = std::make_unique<Exchange>(
                options, arrivals[next], make_prompt(arrivals[next], options, random, next));
            exchange->record().lateness_s = now - arrivals[next].time_s;
            ++next;
            if (!exchange->connect_to(where)) {
                keep(std::move(exchange->record()));
                continue;
            }
            epoll_event event{.events = EPOLLIN | EPOLLOUT, .data = {.fd = exchange->descriptor()}};
            epoll_ctl(poller, EPOLL_CTL_ADD, exchange->descriptor(), &event);
            open[exchange->descriptor()] = std::move(exchange);
        }
        const double wait =
            next < arrivals.size() ? std::min(0.1, arrivals[next].time_s - now) : 0.1;
        epoll_event events[64];
        const int ready =
            epoll_wait(poller, events, 64, std::max(0, static_cast<int>(wait * 1000)));
        for (int i = 0; i < ready; ++i) {
            const auto found = open.find(events[i].data.fd);
            if (found == open.end()) continue;
            auto& exchange = *found->second;
            const bool sending = exchange.wants_to_send();
            exchange.advance(events[i].events);
            if (sending && !exchange.wants_to_send() && !exchange.is_done()) {
                epoll_event event{.events = EPOLLIN, .data = {.fd = exchange.descriptor()}};
                epoll_ctl(poller, EPOLL_CTL_MOD, exchange.descriptor(), &event);
            }
        }
        close_done();
    }
    for (auto& [descriptor, exchange] : open) {
        exchange->finish(stopped);
        keep(std::move(exchange->record()));
    }
    open.clear();
    close(poller);
    std::ranges::stable_sort(records, {}, &RequestRecord::sent);
    return records;
}

std::string load_csv(const std::vector<RequestRecord>& records) {
    std::string text =
        "sent,prompt_tokens,output_tokens,received_tokens,status,problem,first_token_s,total_s,"
        "token_gap_mean_s,token_gap_max_s,lateness_s\n";
    for (const auto& record : records)
        text += fmt::format("{:.6f},{},{},{},{},{},{:.6f},{:.6f},{:.6f},{:.6f},{:.6f}\n",
                            to_unix_seconds(record.sent), record.prompt_tokens,
                            record.output_tokens, record.received_tokens, record.status,
                            record.problem, record.first_token_s, record.total_s,
                            record.token_gap_mean_s, record.token_gap_max_s, record.lateness_s);
    return text;
}

LoadSummary summarise(const std::vector<RequestRecord>& records) {
    LoadSummary summary{.requests = records.size()};
    std::vector<double> first;
    std::vector<double> gap;
    std::vector<double> total;
    for (auto* values : {&first, &gap, &total}) values->reserve(records.size());
    double tokens = 0;
    for (const auto& record : records) {
        if (!record.problem.empty() && record.problem != stopped) ++summary.failed;
        tokens += record.received_tokens;
        if (record.received_tokens > 0) first.push_back(record.first_token_s);
        if (record.received_tokens > 1) gap.push_back(record.token_gap_mean_s);
        if (record.problem.empty()) total.push_back(record.total_s);
    }
    summary.first_token_s_p50 = quantile(first, 0.5);
    summary.first_token_s_p95 = quantile(first, 0.95);
    summary.token_gap_s_p50 = quantile(gap, 0.5);
    summary.token_gap_s_p95 = quantile(gap, 0.95);
    summary.total_s_p50 = quantile(total, 0.5);
    summary.total_s_p95 = quantile(total, 0.95);
    if (records.size() > 1)
        summary.tokens_per_s =
            tokens / std::max(1e-9, to_seconds(records.back().sent - records.front().sent));
    return summary;
}

}  // namespace culprit::testbed
